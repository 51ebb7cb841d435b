//! The only way to the person: data to stdout, everything else to stderr, questions on stderr.
//!
//! Names, reasons and paths come from servers, files and other people's config, and a terminal
//! obeys control characters. So every text is cleaned here, on its way out, and nowhere else.

use std::io::{self, IsTerminal, Write};

use super::error::Error;
use crate::credential::printable;

/// An authorize URL with its challenge and scopes has under a thousand characters.
const LONGEST_LINE: usize = 8000;

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
        match io::stdout().write_all(clean(text).as_bytes()) {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(Error::Terminal(why)),
            _ => Ok(()),
        }
    }

    /// What the person must know: failures, warnings, what to do.
    pub(super) fn say(self, text: &str) {
        let _ = io::stderr().write_all(clean(text).as_bytes()); // nobody may be left to read it
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

    /// Whether a person can read a question and answer it.
    pub(super) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks; the answer is one line, without blanks around it. An end of input is an empty one.
    pub(super) fn ask(self, question: &str) -> Result<String, Error> {
        let mut stderr = io::stderr();
        let asked = write!(stderr, "{} ", printable(question, LONGEST_LINE)).and_then(|()| stderr.flush());
        let mut answer = String::new();
        asked.and_then(|()| io::stdin().read_line(&mut answer)).map_err(Error::Terminal)?;
        Ok(answer.trim().into())
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
