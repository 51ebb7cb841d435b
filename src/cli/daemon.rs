//! `daemon run|start|stop|restart|status`. Nobody needs these in daily life: whoever asks for
//! a token starts the daemon.

use std::process::Command;
use std::time::Duration;

use super::accounts::{Accounts, Daemon};
use super::arguments;
use super::call::{Reply, text};
use super::error::Error;
use super::silent;
use super::terminal::Terminal;
use crate::client::{self, CallError, Start};
use crate::endpoint::Endpoint;
use crate::protocol::{self, Code, action};

/// A renewal that runs is finished and saved before the daemon ends, which it does within 88 s.
const END_WITHIN: Duration = Duration::from_secs(95);

/// A daemon answers this by itself, in milliseconds; one that does not do so by then hangs, and
/// would not hear that it is to end either.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Runs one of the daemon's verbs.
pub(super) fn run(verb: &arguments::Daemon, terminal: Terminal) -> Result<u8, Error> {
    match verb {
        arguments::Daemon::Run { foreground } => Err(become_daemon(*foreground)),
        arguments::Daemon::Start => start(terminal),
        arguments::Daemon::Stop => stop(terminal).map(|()| 0),
        arguments::Daemon::Restart => stop(terminal).and_then(|()| start(terminal)),
        arguments::Daemon::Status => status(terminal),
    }
}

/// Stops the daemon and starts the installed one, for `doctor --fix`.
pub(super) fn restart(terminal: Terminal) -> Result<(), Error> {
    stop(terminal)?;
    Accounts::ask(None, false, Start::IfAbsent).map(drop)
}

/// Returns only if that failed.
fn become_daemon(foreground: bool) -> Error {
    let Some(program) = client::sibling(client::DAEMON) else { return Error::NotInstalled(client::DAEMON) };
    let endpoint = match Endpoint::find() {
        Ok(endpoint) => endpoint,
        Err(why) => return Error::Call(why.into()),
    };
    let mut command = Command::new(&program);
    command.arg("--socket").arg(endpoint.path);
    if foreground {
        command.arg("--foreground");
    }
    let why = client::become_program(&mut command);
    Error::NotRun(format!("{} did not run: {why}", program.display()))
}

fn start(terminal: Terminal) -> Result<u8, Error> {
    let found = Accounts::ask(None, false, Start::IfAbsent)?;
    terminal.print(&describe(&found.daemon))?;
    Ok(0)
}

fn status(terminal: Terminal) -> Result<u8, Error> {
    match Accounts::ask(None, false, Start::Never) {
        Ok(found) => {
            terminal.print(&describe(&found.daemon))?;
            Ok(0)
        }
        Err(Error::Call(CallError::Absent(_))) => {
            terminal.print("not running")?;
            Ok(Code::Failed.exit_code())
        }
        Err(why) => Err(why),
    }
}

fn describe(daemon: &Daemon) -> String {
    let Daemon { pid, version, socket } = daemon;
    format!("running: pid {pid}, version {version}, socket {socket}")
}

/// Stops the daemon, and waits until it is gone.
fn stop(terminal: Terminal) -> Result<(), Error> {
    // It may be in the middle of a renewal, whose answer nobody else has: only the person ends it.
    if let Err(Error::Call(why)) = silent::accounts_within(Start::Never, HEARD_WITHIN)
        && let Some(silent) = why.silent()
    {
        return Err(Error::NotRun(silent.advice()));
    }
    let mut reply = match Reply::to(&protocol::request(action::STOP), Start::Never, END_WITHIN) {
        Ok(reply) => reply,
        Err(Error::Call(CallError::Absent(_))) => {
            terminal.note("the daemon is not running");
            return Ok(());
        }
        Err(why) => return Err(why),
    };
    let pid = reply.good_block()?.map(|block| text(&block, "pid")).unwrap_or_default();
    match reply.wait_for_end() {
        Ok(()) => {
            terminal.note(&format!("the daemon (pid {pid}) has ended"));
            Ok(())
        }
        Err(CallError::Silent(waited)) => Err(Error::NotRun(format!(
            "the daemon (pid {pid}) did not end within {} s; a server may keep a renewal waiting, try again",
            waited.as_secs()
        ))),
        Err(why) => Err(why.into()),
    }
}
