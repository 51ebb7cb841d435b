//! The daemon's directories and files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::ProjectDirs;

use super::files;
use crate::endpoint::{ACCOUNTS, JOURNAL, NAME, make_private};

/// Another daemon's renewal takes as long as the server's answer may take, and two saves.
const LEASE_WITHIN: Duration = Duration::from_secs(45);

/// Where state lives, as the platform has it.
#[derive(Debug, Clone)]
pub struct Places {
    state: PathBuf,
}

impl Places {
    /// The places of this user; `None` without a home directory.
    pub fn find() -> Option<Self> {
        let directories = ProjectDirs::from("", "", NAME)?;
        // Only Linux has a directory for state.
        let state = directories.state_dir().unwrap_or_else(|| directories.data_local_dir());
        Some(Self { state: state.into() }).filter(|places| places.state.is_absolute())
    }

    /// Another directory than this user's.
    #[cfg(test)]
    pub fn at(state: &Path) -> Self {
        Self { state: state.into() }
    }

    /// The directory of everything below.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// One file per account with what is not secret.
    pub fn accounts(&self) -> PathBuf {
        self.state.join(ACCOUNTS.0)
    }

    /// Without a keyring, one file per account with its tokens; always, the leases on accounts.
    pub fn tokens(&self) -> PathBuf {
        self.state.join("tokens")
    }

    /// What the daemon has to say.
    pub fn log(&self) -> PathBuf {
        self.state.join("daemon.log")
    }

    /// Who got a token for what.
    pub fn journal(&self) -> PathBuf {
        self.state.join(JOURNAL)
    }

    /// What the person was told already, one file per thing.
    pub fn notices(&self) -> PathBuf {
        self.state.join("notices")
    }

    /// The right to spend an account's refresh token. Two daemons can share a state directory (a
    /// container, cron without XDG variables); the file lock makes them take turns.
    pub async fn lease(&self, id: &str) -> std::io::Result<File> {
        let path = self.tokens().join(format!("{id}.lock"));
        let open = || files::open(File::options().create(true).truncate(false).write(true), &path);
        make_private(&self.tokens())?; // somebody may have cleaned up while the daemon ran
        let mut file = open()?;
        let poll = Duration::from_millis(20);
        let deadline = tokio::time::Instant::now() + LEASE_WITHIN;
        loop {
            match file.try_lock() {
                // An account that was unlinked took its file along; somebody may have a new one.
                Ok(()) if is_nameless(&file)? => file = open()?,
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(why)) => return Err(why),
                Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() >= deadline => {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                // A file lock can't be awaited; 20 ms is nothing beside a renewal.
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(poll).await,
            }
        }
    }

    /// Gives a lease back for good, with its file: the account is no more.
    pub fn forget_lease(&self, lease: File, id: &str) {
        let _ = std::fs::remove_file(self.tokens().join(format!("{id}.lock"))); // an empty file at worst
        drop(lease);
    }
}

/// Whether the file was removed since it was opened.
#[cfg(unix)]
fn is_nameless(file: &File) -> std::io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// Windows does not remove a file that is open.
#[cfg(not(unix))]
fn is_nameless(_file: &File) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_and_the_daemon_agree_on_the_state_directory() {
        let places = Places::find().expect("a home");
        assert_eq!(places.state(), crate::endpoint::state_directory().expect("a home"));
    }
}
