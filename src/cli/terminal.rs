//! The only way to the person: data to stdout, everything else to stderr, questions on stderr.
//!
//! Names, reasons and paths come from servers, files and other people's config, and a terminal
//! obeys control characters. So every text is cleaned here, on its way out, and nowhere else.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Mutex, OnceLock, mpsc};

use super::charset::ellipsis;
use super::error::Error;
use crate::credential::printable;

/// An authorize URL with its challenge and scopes has under a thousand characters.
const LONGEST_LINE: usize = 8000;

/// More than any token or secret has.
const MAX_SECRET: u64 = 64 * 1024;

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
        let text = clean(text).replace('…', ellipsis());
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

    /// Asks; the answer is one line, without blanks around it. An end of input is an empty one.
    pub(super) fn ask(self, question: &str) -> Result<String, Error> {
        let mut stderr = io::stderr();
        let asked = write!(stderr, "{} ", printable(question, LONGEST_LINE)).and_then(|()| stderr.flush());
        asked.map_err(Error::Terminal)?;
        let mut answer = String::new();
        match TYPED.get() {
            // Somebody reads already.
            Some(typed) => answer = typed.lock().expect("nobody panics here").recv().unwrap_or_default(),
            None => drop(io::stdin().read_line(&mut answer).map_err(Error::Terminal)?),
        }
        Ok(answer.trim().into())
    }

    /// Asks whether something shall be; nothing is a yes, too. What is neither is asked again, and
    /// counts as no in the end.
    pub(super) fn agrees(self, question: &str) -> Result<bool, Error> {
        for _ in 0..TIMES_ASKED {
            match self.ask(&format!("{question} [Y/n]"))?.to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("answer y or n"),
            }
        }
        Ok(false)
    }

    /// Asks for something that must not be seen.
    pub(super) fn ask_secret(self, question: &str) -> Result<String, Error> {
        let answer = rpassword::prompt_password(format!("{} ", printable(question, LONGEST_LINE)));
        Ok(answer.map_err(Error::Terminal)?.trim().into())
    }

    /// A secret that a program or a file gives us: the first line of stdin.
    pub(super) fn read_secret(self) -> Result<String, Error> {
        let mut line = String::new();
        io::stdin().take(MAX_SECRET).read_to_string(&mut line).map_err(Error::Terminal)?;
        Ok(line.lines().next().unwrap_or_default().trim().into())
    }

    /// Whether somebody reads what is typed beside other things.
    pub(super) fn is_being_read(self) -> bool {
        TYPED.get().is_some()
    }

    /// The same; asked for, where a person is at the keyboard.
    pub(super) fn take_secret(self, question: &str) -> Result<String, Error> {
        if io::stdin().is_terminal() { self.ask_secret(question) } else { self.read_secret() }
    }

    /// A line that was typed while something else is waited for.
    pub(super) fn typed(self) -> Option<String> {
        let typed = TYPED.get_or_init(|| Mutex::new(read_in_background()));
        typed.lock().expect("nobody panics here").try_recv().ok()
    }
}

/// The lines of stdin, once somebody has begun to read them beside other things: from then on
/// every line comes from here.
static TYPED: OnceLock<Mutex<mpsc::Receiver<String>>> = OnceLock::new();

fn read_in_background() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    lines
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
