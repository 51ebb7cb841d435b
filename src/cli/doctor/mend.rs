//! `--fix`: mends what is ours, and says what it did. Other helpers, the person's remotes and
//! everything else of theirs is only ever suggested.

use std::fs;
use std::path::Path;

use super::finding::{Entry, Mend};
use crate::cli::daemon;
use crate::cli::entry;
use crate::cli::error::Error;
use crate::cli::git_config::Scope;
use crate::cli::terminal::Terminal;
use crate::endpoint;
use crate::instance::Instance;

/// Mends each thing once; whether anything was done.
pub(super) fn apply(entries: &[Entry], terminal: Terminal) -> bool {
    let mut wanted: Vec<&Mend> = entries.iter().filter_map(|entry| entry.finding.mend.as_ref()).collect();
    let mut seen = Vec::new();
    wanted.retain(|mend| {
        !seen.contains(mend) && {
            seen.push(*mend);
            true
        }
    });
    for mend in &wanted {
        let (what, done) = match mend {
            Mend::Configure(instance) => (format!("git is to ask us for {instance}"), configure(instance, terminal)),
            Mend::RestartDaemon => ("the daemon is to be the installed one".into(), daemon::restart(terminal)),
            Mend::Close(directory) => (format!("{} is to be yours alone", directory.display()), close(directory)),
            Mend::RemoveSocket(path) => {
                (format!("{} is to go, because nobody listens there", path.display()), remove(path))
            }
        };
        terminal.say(&match done {
            Ok(()) => format!("mended: {what}"),
            Err(why) => format!("not mended: {what}: {why}"),
        });
    }
    if wanted.is_empty() {
        terminal.note("nothing that is ours needs mending");
    }
    !wanted.is_empty()
}

/// Takes our entry out of the person's config and puts it behind everything that is there.
fn configure(instance: &Instance, terminal: Terminal) -> Result<(), Error> {
    let entry = entry::Entry::new(instance.clone(), Scope::Global, terminal);
    entry.remove()?;
    entry.add()
}

fn close(directory: &Path) -> Result<(), Error> {
    endpoint::make_private(directory).map_err(|why| Error::NotRun(why.to_string()))
}

fn remove(socket: &Path) -> Result<(), Error> {
    fs::remove_file(socket).map_err(|why| Error::NotRun(why.to_string()))
}
