//! `--fix`: mends what is ours, and says what it did. Other helpers, the person's remotes and
//! everything else of theirs is only ever suggested.

use std::fs;
use std::path::Path;

use super::finding::{Entry, Mend};
use super::machine::is_abandoned;
use crate::cli::daemon;
use crate::cli::entry;
use crate::cli::error::Error;
use crate::cli::git_config::Scope;
use crate::cli::terminal::Terminal;
use crate::endpoint;
use crate::instance::Instance;

/// What was tried.
pub(super) struct Attempt {
    mend: Mend,
    what: String,
    done: Result<(), Error>,
}

/// Tries to mend each thing once.
pub(super) fn apply(entries: &[Entry], terminal: Terminal) -> Vec<Attempt> {
    let mut wanted: Vec<&Mend> = entries.iter().filter_map(|entry| entry.finding.mend.as_ref()).collect();
    let mut seen = Vec::new();
    wanted.retain(|mend| {
        !seen.contains(mend) && {
            seen.push(*mend);
            true
        }
    });
    if wanted.is_empty() {
        terminal.note("nothing that is ours needs mending");
    }
    let attempt = |mend: &Mend| {
        let (what, done) = match mend {
            Mend::Configure(instance) => (format!("git is to ask us for {instance}"), configure(instance, terminal)),
            Mend::RestartDaemon => ("the daemon is to be the installed one".into(), daemon::restart(terminal)),
            Mend::Close(directory) => (format!("{} is to be yours alone", directory.display()), close(directory)),
            Mend::RemoveSocket(path) => {
                (format!("{} is to go, because nobody listens there", path.display()), remove(path))
            }
        };
        Attempt { mend: mend.clone(), what, done }
    };
    wanted.into_iter().map(attempt).collect()
}

/// Says what came of it, by what was found after it.
pub(super) fn tell(attempts: &[Attempt], after: &[Entry], terminal: Terminal) {
    for Attempt { mend, what, done } in attempts {
        let still = after.iter().any(|entry| entry.finding.mend.as_ref() == Some(mend));
        terminal.say(&match done {
            Err(why) => format!("not mended: {what}: {why}"),
            Ok(()) if still => format!("not mended: {what}: it was tried, and changed nothing"),
            Ok(()) => format!("mended: {what}"),
        });
    }
}

/// Puts our entry into the person's config, behind everything that is there.
fn configure(instance: &Instance, terminal: Terminal) -> Result<(), Error> {
    entry::Entry::new(instance.clone(), Scope::Global, terminal).add()
}

fn close(directory: &Path) -> Result<(), Error> {
    endpoint::make_private(directory).map_err(|why| Error::NotRun(why.to_string()))
}

fn remove(socket: &Path) -> Result<(), Error> {
    // A daemon may have come since.
    if !is_abandoned(socket) {
        return Err(Error::NotRun("it is in use now".into()));
    }
    fs::remove_file(socket).map_err(|why| Error::NotRun(why.to_string()))
}
