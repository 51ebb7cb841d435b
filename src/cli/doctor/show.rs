//! How the findings look: to people in groups, to programs as JSON.

use std::env;
use std::io::{self, IsTerminal};

use serde_json::{Value, json};

use super::finding::{Entry, Finding, Outcome};
use crate::cli::error::Error;
use crate::cli::terminal::Terminal;
use crate::cli::wrap::wrapped;

/// Wide enough for the longest name of a check.
const NAME_WIDTH: usize = 17;

/// The list for programs. Its fields are a promise: add, never rename.
pub(super) fn json(entries: &[Entry]) -> Value {
    let object = |Entry { subject, check, finding }: &Entry| {
        let Finding { outcome, detail, fix, mend: _, code: _ } = finding;
        json!({ "check": check, "result": outcome.word(), "detail": format!("{subject}: {detail}"), "fix": fix })
    };
    Value::Array(entries.iter().map(object).collect())
}

/// The groups, for people: what is wrong, and all of it where they want to see more.
pub(super) fn people(entries: &[Entry], terminal: Terminal) -> Result<(), Error> {
    let colours = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut subject = "";
    let is_shown =
        |entry: &&Entry| terminal.is_verbose() || matches!(entry.finding.outcome, Outcome::Warn | Outcome::Fail);
    for entry in entries.iter().filter(is_shown) {
        if entry.subject != subject {
            terminal.print(&wrapped(&entry.subject, terminal.width(), 0))?;
            subject = &entry.subject;
        }
        let mark = mark(entry.finding.outcome);
        let shown = wrapped(&(mark.clone() + &line(entry)), terminal.width(), mark.len() + NAME_WIDTH + 2);
        let colour = colour(entry.finding.outcome).filter(|_| colours);
        terminal.print_marked(&mark, colour, &shown[mark.len()..])?;
        if let Some(fix) = &entry.finding.fix {
            terminal.print(&format!("         {}: {fix}", purpose(fix)))?;
        }
    }
    terminal.note(&wrapped(&sum(entries), terminal.width(), 0));
    Ok(())
}

/// What a command is for. Not everything can be mended by one of ours, but each finding has one
/// that gets further.
fn purpose(command: &str) -> &'static str {
    const LOOKS: [&str; 8] = [
        "curl ",
        "df ",
        "getent ",
        "git config --show-origin",
        "git credential-gitlab doctor",
        "git credential-gitlab repos",
        "git credential-gitlab status",
        "git ls-remote",
    ];
    match () {
        () if command.starts_with("sleep ") => "to look again",
        () if LOOKS.iter().any(|look| command.starts_with(look)) => "to see more",
        () => "to mend it",
    }
}

fn mark(outcome: Outcome) -> String {
    let sign = match outcome {
        Outcome::Ok => "+",
        Outcome::Warn => "!",
        Outcome::Fail => "x",
        Outcome::Skip => "-",
    };
    format!("  {sign} {:<4}", outcome.word())
}

fn colour(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Ok => Some("\u{1b}[32m"),
        Outcome::Warn => Some("\u{1b}[33m"),
        Outcome::Fail => Some("\u{1b}[31m"),
        Outcome::Skip => None,
    }
}

fn line(entry: &Entry) -> String {
    format!(" {:<NAME_WIDTH$} {}", entry.check, entry.finding.detail)
}

/// One line at the end.
fn sum(entries: &[Entry]) -> String {
    let count = |outcome| entries.iter().filter(|entry| entry.finding.outcome == outcome).count();
    let well = match count(Outcome::Skip) {
        0 => format!("{} well", count(Outcome::Ok)),
        skipped => format!("{} well, {skipped} had nothing to look at", count(Outcome::Ok)),
    };
    match (count(Outcome::Fail), count(Outcome::Warn)) {
        (0, 0) => format!("{} checks, and nothing is wrong", entries.len()),
        (fails, warns) => format!("{} checks: {fails} failed, {warns} with a warning, {well}", entries.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    fn entry(finding: Finding) -> Entry {
        Entry { subject: "this machine".into(), check: "state-directory", finding }
    }

    #[test]
    fn the_promised_fields_are_there() {
        let finding = Finding::fail(Code::Failed, "no \u{1b}[2J").fix("chmod 700 /x");
        let expected = json!([
            { "check": "state-directory", "result": "fail", "detail": "this machine: no \u{fffd}[2J", "fix": "chmod 700 /x" },
            { "check": "state-directory", "result": "skip", "detail": "this machine: x", "fix": null },
        ]);
        assert_eq!(json(&[entry(finding), entry(Finding::skip("x"))]), expected);
    }

    #[test]
    fn words_say_what_colours_say() {
        let shown = |finding| {
            let entry = entry(finding);
            mark(entry.finding.outcome) + &line(&entry)
        };
        assert_eq!(shown(Finding::ok("fine")), "  + ok   state-directory   fine");
        assert_eq!(shown(Finding::fail(Code::Failed, "bad")), "  x fail state-directory   bad");
        assert_eq!(sum(&[entry(Finding::ok("x"))]), "1 checks, and nothing is wrong");
        let three = [Finding::ok("x"), Finding::skip("x"), Finding::warn("x")].map(entry);
        assert_eq!(sum(&three), "3 checks: 0 failed, 1 with a warning, 1 well, 1 had nothing to look at");
    }
}
