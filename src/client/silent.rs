//! A daemon that takes what it is asked and answers nothing: which process it is, and what gets
//! past it. It may hang in a system call, or be stopped by a debugger.

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use crate::endpoint::Endpoint;

/// Whoever traces a daemon stops it for an instant at a time, which is no reason to give it up.
const INSTANT: Duration = Duration::from_millis(50);

/// The daemon that listens and does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silent {
    /// None where that can't be seen, as of a daemon outside this container.
    pid: Option<u32>,
    /// It waits to be told to go on, and has lost nothing.
    is_stopped: bool,
}

impl Silent {
    /// Asks the lock that it holds, in which a daemon writes its number.
    pub fn find() -> Self {
        let endpoint = Endpoint::find().ok().filter(|endpoint| !endpoint.explicit);
        let noted = endpoint.and_then(|endpoint| fs::read_to_string(endpoint.path.with_extension("lock")).ok());
        let pid = noted.and_then(|noted| noted.trim().parse().ok()).filter(|pid| is_one_of_ours(*pid));
        Self { pid, is_stopped: pid.is_some_and(is_stopped) }
    }

    /// Whether it answers again once it is told to go on.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// What is wrong, and what gets past it, in a sentence.
    pub fn advice(&self) -> String {
        let command = self.command().map(|command| format!("; to mend it: {command}")).unwrap_or_default();
        format!("{self}{command}")
    }

    /// What gets past it.
    pub fn command(&self) -> Option<String> {
        let signal = if self.is_stopped { "CONT" } else { "KILL" };
        self.pid.map(|pid| format!("kill -{signal} {pid}"))
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { pid: None, .. } => f.write_str("the daemon takes no request; it has to be ended where it runs"),
            Self { pid: Some(pid), is_stopped: true } => {
                write!(f, "the daemon (pid {pid}) is stopped, by a debugger or a signal, and answers nobody")
            }
            Self { pid: Some(pid), is_stopped: false } => {
                write!(f, "the daemon (pid {pid}) hangs and answers nobody; git starts another once it is gone")
            }
        }
    }
}

/// Whether a process is of ours: the lock may be that of another machine on the same home
/// directory, and its numbers mean others here.
fn is_one_of_ours(pid: u32) -> bool {
    // The system keeps the first 15 letters of a program's name.
    !cfg!(target_os = "linux") || stat(pid).is_some_and(|stat| stat.contains("(git-credential-)"))
}

fn is_stopped(pid: u32) -> bool {
    let is_stopped = || state(pid).is_some_and(|state| state.eq_ignore_ascii_case(&'t'));
    is_stopped() && {
        thread::sleep(INSTANT);
        is_stopped()
    }
}

/// `T` for one that is stopped, where the system tells.
fn state(pid: u32) -> Option<char> {
    stat(pid)?.rsplit_once(") ")?.1.chars().next()
}

fn stat(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_stopped_goes_on_and_who_hangs_is_ended() {
        let command = |pid, is_stopped| Silent { pid, is_stopped }.command();
        assert_eq!(command(Some(7), true).as_deref(), Some("kill -CONT 7"));
        assert_eq!(command(Some(7), false).as_deref(), Some("kill -KILL 7"));
        assert_eq!(command(None, false), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_program_is_never_named() {
        assert!(!is_one_of_ours(1) && !is_one_of_ours(u32::MAX));
    }
}
