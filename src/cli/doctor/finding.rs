//! What a check comes to.

use std::path::PathBuf;

use crate::credential::printable;
use crate::instance::Instance;
use crate::protocol::Code;

/// The longest sentence: it quotes paths and a server's words, each of which has a limit of its own.
const LONGEST: usize = 1000;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Warn,
    Fail,
    /// There was nothing to look at, or no way to.
    Skip,
}

impl Outcome {
    /// The word in JSON and for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "fail",
            Outcome::Skip => "skip",
        }
    }
}

/// What `--fix` may do: only to what is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mend {
    /// Put our entry into git's config, behind everything that is there.
    Configure(Instance),
    /// Let the installed daemon take over.
    RestartDaemon,
    /// Close a directory of ours to others.
    Close(PathBuf),
    /// Remove a socket of ours that nobody listens at.
    RemoveSocket(PathBuf),
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    /// One sentence.
    pub(super) detail: String,
    /// The one command that mends it.
    pub(super) fix: Option<String>,
    pub(super) mend: Option<Mend>,
    /// How the verb ends because of it.
    pub(super) code: Option<Code>,
}

impl Finding {
    fn new(outcome: Outcome, detail: impl AsRef<str>) -> Self {
        let detail = printable(detail.as_ref(), LONGEST);
        Self { outcome, detail, fix: None, mend: None, code: None }
    }

    pub(super) fn ok(detail: impl AsRef<str>) -> Self {
        Self::new(Outcome::Ok, detail)
    }

    pub(super) fn skip(detail: impl AsRef<str>) -> Self {
        Self::new(Outcome::Skip, detail)
    }

    pub(super) fn warn(detail: impl AsRef<str>) -> Self {
        Self::new(Outcome::Warn, detail)
    }

    pub(super) fn fail(code: Code, detail: impl AsRef<str>) -> Self {
        Self { code: Some(code), ..Self::new(Outcome::Fail, detail) }
    }

    pub(super) fn fix(self, command: impl Into<String>) -> Self {
        Self { fix: Some(command.into()), ..self }
    }

    /// The same where there may be no such command.
    pub(super) fn fix_if(self, command: Option<String>) -> Self {
        Self { fix: command, ..self }
    }

    pub(super) fn mend(self, mend: Mend) -> Self {
        Self { mend: Some(mend), ..self }
    }
}

/// A sentence and the command at its end: "…; to link it: git credential-gitlab link HOST".
pub(super) fn without_command(sentence: &str) -> (&str, Option<&str>) {
    let parts = || {
        let (why, end) = sentence.rsplit_once("; to ")?;
        let (_, command) = end.split_once(": ")?;
        let is_for_more = command.starts_with("git credential-gitlab doctor");
        (command.starts_with("git credential-gitlab ") && !is_for_more).then_some((why, Some(command)))
    };
    parts().unwrap_or((sentence, None))
}

/// A finding with its check's name.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What was looked at: a heading for people.
    pub(super) subject: String,
    pub(super) check: &'static str,
    pub(super) finding: Finding,
}

/// The exit code: of what fails, what the person must do comes before what they can wait for.
pub(super) fn exit_code(entries: &[Entry]) -> u8 {
    const ORDER: [Code; 5] = [Code::Relink, Code::Locked, Code::NotLinked, Code::Refused, Code::Unreachable];
    let mut codes = entries.iter().filter_map(|entry| entry.finding.code);
    let worst = ORDER.into_iter().find(|code| codes.clone().any(|found| found == *code));
    worst.or(codes.next().map(|_| Code::Failed)).map_or(0, Code::exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_do_decides_the_exit_code() {
        let entry = |finding| Entry { subject: String::new(), check: "x", finding };
        let fail = |code| entry(Finding::fail(code, "x"));
        assert_eq!(exit_code(&[entry(Finding::ok("x")), entry(Finding::warn("x")), entry(Finding::skip("x"))]), 0);
        assert_eq!(exit_code(&[fail(Code::Store)]), 1);
        assert_eq!(exit_code(&[fail(Code::Failed), fail(Code::Unreachable), fail(Code::Refused)]), 6);
        assert_eq!(exit_code(&[fail(Code::Unreachable), fail(Code::NotLinked)]), 3);
        assert_eq!(exit_code(&[fail(Code::NotLinked), fail(Code::Relink)]), 4);
    }
}
