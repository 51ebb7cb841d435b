//! `log`: which program got a token for what, and when.
//!
//! The daemon writes the journal; it is read here as a file, so that it can be read whether or
//! not a daemon runs.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use comfy_table::{Table, presets};
use serde_json::Value;

use super::arguments::Log;
use super::charset::ellipsis;
use super::error::Error;
use super::terminal::Terminal;
use super::time::{Now, seconds};
use super::wrap::wrapped;
use crate::client::CallError;
use crate::endpoint::{self, JOURNAL};

/// The ending of the file that was set aside when the journal had grown too large.
const OLD: &str = "old";

/// Twice what the daemon lets it grow to; of a longer one only the beginning is shown.
const MAX_JOURNAL: u64 = 8 << 20;

/// A line of the journal: as it was written, and as what it says.
struct Line<'a> {
    text: &'a str,
    says: Value,
    at: i64,
}

/// Shows the journal, the newest line last.
pub(super) fn run(wanted: &Log, terminal: Terminal) -> Result<u8, Error> {
    let journal = endpoint::state_directory().map_err(CallError::NoEndpoint)?.join(JOURNAL);
    let text = read(&journal.with_extension(OLD))? + &read(&journal)?;
    let now = Now::here();
    let since = wanted.since.as_ref().and_then(|span| now.before(span));
    let shown = shown(&text, since, wanted.json, &now, terminal.width());
    if shown.is_empty() {
        terminal.note("the journal has nothing to show: no program has asked for a token, or it is turned off");
    }
    terminal.print(&shown)?;
    Ok(0)
}

/// What is shown of a journal's text: since a moment, as it is or as a table.
fn shown(text: &str, since: Option<i64>, json: bool, now: &Now, width: Option<usize>) -> String {
    let mut lines: Vec<Line> = text.lines().filter_map(Line::parse).collect();
    lines.retain(|line| since.is_none_or(|since| line.at >= since));
    match json {
        true => lines.iter().map(|line| format!("{}\n", line.text)).collect(),
        false => table(&lines, now, width),
    }
}

/// What is shown of any text.
#[cfg(any(test, fuzzing))]
pub(crate) fn shown_of(text: &str, json: bool) -> String {
    shown(text, None, json, &Now::here(), None)
}

/// A file of the journal; none is an empty one. A line can be half written, or of a disk that was
/// full, so what is no text is no reason to fail.
fn read(path: &Path) -> Result<String, Error> {
    let read = || {
        // Opening a pipe would wait for whoever writes there.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_JOURNAL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned() + "\n"),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(why) => Err(Error::NotRun(format!("the journal can't be read: {}: {why}", path.display()))),
    }
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let says: Value = serde_json::from_str(text).ok()?;
        let at = seconds(says["at"].as_str()?)?;
        Some(Self { text, says, at })
    }

    fn text(&self, field: &str) -> &str {
        self.says[field].as_str().unwrap_or_default()
    }

    /// The program that ran git; in a shell also what the shell runs in.
    fn program(&self) -> String {
        let name = self.text("program");
        let chain = self.says["chain"].as_array().map_or(&[][..], Vec::as_slice);
        let mut programs = chain.iter().filter_map(|process| process["program"].as_str());
        let around = programs.find(|program| *program == name).and_then(|_| programs.find(|program| *program != name));
        match (name, around) {
            ("", _) => "?".into(),
            ("bash" | "dash" | "fish" | "ksh" | "sh" | "zsh", Some(around)) => format!("{name} in {around}"),
            _ => name.into(),
        }
    }

    fn cells(&self, now: &Now) -> [String; 6] {
        let host = self.text("host");
        let host = host.strip_prefix("https://").unwrap_or(host);
        let who = if self.text("label").is_empty() { "?" } else { self.text("label") };
        // Where the daemon left out what may be secret, it put three dots.
        let command = if self.text("command").is_empty() { "-" } else { self.text("command") };
        let command = command.replace('…', ellipsis());
        let place = if self.text("path").is_empty() { host.into() } else { format!("{host}/{}", self.text("path")) };
        [now.clock(self.at), self.program(), command, who.into(), place, self.text("result").into()]
    }
}

/// A table where it fits; else the same words in their order, a paragraph for each line.
fn table(lines: &[Line], now: &Now, width: Option<usize>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let cells: Vec<[String; 6]> = lines.iter().map(|line| line.cells(now)).collect();
    let table = columns(&cells);
    let fits = |line: &str| width.is_none_or(|width| console::measure_text_width(line) <= width);
    match table.lines().all(fits) {
        true => table,
        false => cells.iter().map(|cells| wrapped(&cells.join("  "), width, 2) + "\n").collect(),
    }
}

fn columns(cells: &[[String; 6]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["TIME", "PROGRAM", "COMMAND", "ACCOUNT", "FOR", "RESULT"]);
    table.add_rows(cells);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let lines: Vec<Line> = text.lines().filter_map(Line::parse).collect();
        table(&lines, &Now::at(1_700_000_000), None)
    }

    #[test]
    fn a_line_says_which_program_did_what_as_whom() {
        let text = shown(concat!(
            r#"{"at":"2023-11-14T22:13:20Z","host":"https://gitlab.example","username":"alice","path":"group/app.git","#,
            r#""pid":7,"program":"bash","command":"git push origin","result":"served","label":"alice","#,
            r#""chain":[{"pid":7,"program":"git"},{"pid":6,"program":"bash"},{"pid":5,"program":"code"}]}"#,
            "\nhalf a li\n{}\n",
            r#"{"at":"2023-11-14T22:14:00Z","host":"https://gitlab.example","result":"declined"}"#,
        ));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("TIME"), "{text}");
        let words: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(
            words,
            [
                "2023-11-14 22:13:20",
                "bash in code",
                "git push origin",
                "alice",
                "gitlab.example/group/app.git",
                "served"
            ]
        );
        let words: Vec<&str> = lines[2].split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(words, ["2023-11-14 22:14:00", "?", "-", "?", "gitlab.example", "declined"]);
    }

    #[test]
    fn an_empty_journal_is_no_table() {
        assert_eq!(shown(""), "");
    }
}
