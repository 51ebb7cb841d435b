//! The only way to the person: data to stdout, everything else to stderr, questions on stderr.
//!
//! Names, reasons and paths come from servers, files and other people's config, and a terminal
//! obeys control characters. So every text is cleaned here, on its way out, and nowhere else.

use std::io::{self, IsTerminal, Write};

use super::charset::ellipsis;
use super::error::Error;
use super::hidden;
use super::keyboard;
use super::wrap::wrap;
use crate::credential::printable;

/// An authorize URL with its challenge and scopes has under a thousand characters.
const LONGEST_LINE: usize = 8000;

/// A person who has not said yes or no by then does not want to.
const TIMES_ASKED: u32 = 3;

/// How much the person wants to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    quiet: bool,
    verbose: bool,
}

impl Terminal {
    pub(super) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Data: to stdout. A reader that ends early has what it wanted.
    pub(super) fn print(self, text: &str) -> Result<(), Error> {
        self.offer(text).map(drop)
    }

    /// The same for data that comes bit by bit: false once nobody reads any more.
    pub(super) fn offer(self, text: &str) -> Result<bool, Error> {
        write(&clean(text))
    }

    /// A line of values with a tab between them, each of them cleaned by itself.
    pub(super) fn offer_row(self, cells: &[&str]) -> Result<bool, Error> {
        let cells: Vec<String> = cells.iter().map(|cell| printable(cell, LONGEST_LINE)).collect();
        write(&(cells.join("\t") + "\n"))
    }

    /// A token that was asked for, as it is: shortened it would be none.
    pub(super) fn print_secret(self, token: &str) -> Result<(), Error> {
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Incomplete("usable token"));
        }
        if io::stdout().is_terminal() {
            self.say("warning: this is a secret; whoever reads it can act as you until it ends");
        }
        write(&format!("{token}\n")).map(drop)
    }

    /// How wide stdout is, if it is a terminal; 80 for one that does not say.
    pub(super) fn width(self) -> Option<usize> {
        let stdout = io::stdout();
        let size = || terminal_size::terminal_size_of(&stdout);
        stdout.is_terminal().then(|| size().map_or(80, |(width, _)| width.0.into()))
    }

    /// A line of data, with a tab in it.
    pub(super) fn print_line(self, line: &str) -> Result<(), Error> {
        match io::stdout().write_all(format!("{line}\n").as_bytes()) {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(Error::Terminal(why)),
            _ => Ok(()),
        }
    }

    /// Data, with a mark in front that has a colour; the line is cleaned as any other.
    pub(super) fn print_marked(self, mark: &str, colour: Option<&str>, line: &str) -> Result<(), Error> {
        let line = format!("{mark}{}", line.replace('…', ellipsis()));
        match colour {
            None => self.print(&line),
            Some(colour) => {
                let text = format!("{colour}{mark}\u{1b}[0m{}", &clean(&line)[mark.len()..]);
                match io::stdout().write_all(text.as_bytes()) {
                    Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(Error::Terminal(why)),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What the person must know: failures, warnings, what to do.
    pub(super) fn say(self, text: &str) {
        let text = self.fitted(clean(text).replace('…', ellipsis()));
        let _ = io::stderr().write_all(text.as_bytes()); // nobody may be left to read it
    }

    /// What the person may like to know.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// What is only of interest to somebody who looks for a mistake.
    pub(super) fn detail(self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// How wide stderr is, if it is a terminal that says so.
    pub(super) fn room(self) -> Option<usize> {
        terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into())
    }

    /// A text for stderr, broken between words where it is narrow.
    fn fitted(self, text: String) -> String {
        self.room().map(|width| wrap(&text, width)).unwrap_or(text)
    }

    /// Whether the person wants to see that, too.
    pub(super) fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Whether a person can read a question and answer it.
    pub(super) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether a person looks at something that is drawn and redrawn. Lines of stdout that go
    /// through a pipe may come to the same screen, at any moment.
    pub(super) fn draws(self) -> bool {
        let dumb = || std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        !self.quiet && io::stderr().is_terminal() && io::stdout().is_terminal() && (cfg!(windows) || !dumb())
    }

    /// Asks; the answer is one line, without blanks around it. `None` at the end of input.
    pub(super) fn ask(self, question: &str) -> Result<Option<String>, Error> {
        let mut stderr = io::stderr();
        let question = self.fitted(printable(question, LONGEST_LINE));
        let asked = write!(stderr, "{question} ").and_then(|()| stderr.flush());
        asked.map_err(Error::Terminal)?;
        Ok(trimmed(keyboard::line().map_err(Error::Terminal)?))
    }

    /// Asks whether something shall be; nothing is a yes, too. What is neither is asked again, and
    /// counts as no in the end, and so does the end of input: nobody has agreed.
    pub(super) fn agrees(self, question: &str) -> Result<bool, Error> {
        for _ in 0..TIMES_ASKED {
            let Some(answer) = self.ask(&format!("{question} [Y/n]"))? else { return Ok(false) };
            match answer.to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("answer y or n"),
            }
        }
        Ok(false)
    }

    /// Asks for something that must not be seen. `None` at the end of input.
    pub(super) fn ask_secret(self, question: &str) -> Result<Option<String>, Error> {
        let question = self.fitted(printable(question, LONGEST_LINE));
        let answer = hidden::ask(&format!("{question} "));
        Ok(trimmed(answer.map_err(Error::Terminal)?))
    }

    /// A secret, whoever gives it: asked for where a person is at the keyboard, else the first line of
    /// stdin. The lines behind that are somebody else's.
    pub(super) fn take_secret(self, question: &str) -> Result<String, Error> {
        if io::stdin().is_terminal() {
            return Ok(self.ask_secret(question)?.unwrap_or_default());
        }
        Ok(keyboard::line().map_err(Error::Terminal)?.unwrap_or_default().trim().into())
    }
}

/// An answer without blanks around it. At the end of input nobody has pressed Enter, so the line
/// with the question has yet to be ended.
fn trimmed(answer: Option<String>) -> Option<String> {
    if answer.is_none() {
        let _ = io::stderr().write_all(b"\n"); // nobody may be left to read it
    }
    answer.map(|answer| answer.trim().into())
}

/// Writes data; false if nobody reads it.
fn write(data: &str) -> Result<bool, Error> {
    let mut stdout = io::stdout();
    match stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(why) => Err(Error::Terminal(why)),
    }
}

/// The lines of a text, each printable and ended, with their indentation.
fn clean(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        let indentation = line.len() - line.trim_start_matches(' ').len();
        lines.push_str(&line[..indentation]);
        lines.push_str(&printable(line, LONGEST_LINE));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(clean("a\n  \u{1b}[2Jb\r\u{202e}c\n\nd"), "a\n  \u{fffd}[2Jb\u{fffd}\u{fffd}c\n\nd\n");
    }
}
