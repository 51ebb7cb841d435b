//! The daemon's directories and files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::ProjectDirs;

use crate::endpoint::NAME;

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
        Some(Self { state: state.into() })
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
        self.state.join("accounts")
    }

    /// Without a keyring, one file per account with its tokens; always, the leases on accounts.
    pub fn tokens(&self) -> PathBuf {
        self.state.join("tokens")
    }

    /// What the daemon has to say.
    pub fn log(&self) -> PathBuf {
        self.state.join("daemon.log")
    }

    /// The right to spend an account's refresh token. Two daemons can share a state directory (a
    /// container, cron without XDG variables); the file lock makes them take turns.
    pub async fn lease(&self, id: &str, within: Duration) -> std::io::Result<File> {
        let path = self.tokens().join(format!("{id}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        let poll = Duration::from_millis(20);
        let deadline = tokio::time::Instant::now() + within;
        loop {
            match file.try_lock() {
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

    /// Gives a lease back for good, with its file: the account is no more. Whoever waits for it
    /// gets a file without a name, and then finds the account gone.
    pub fn forget_lease(&self, lease: File, id: &str) {
        let _ = std::fs::remove_file(self.tokens().join(format!("{id}.lock"))); // an empty file at worst
        drop(lease);
    }
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
