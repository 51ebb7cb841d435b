//! What a person is told without having asked, once for each cause: in a window of the desktop
//! where there is one, by `status`, and by the next get that fails.
//!
//! That it was told is a file with the name of the account and the cause. Whoever makes the file
//! tells: so several daemons on one state directory, and one after the other, tell once. It goes
//! when the cause has gone; then it can be told again.

mod desktop;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::config;
use super::files;
use super::profile::Profile;
use super::store::Slot;
use crate::credential::printable;

/// Turns the desktop's windows off: `credential.<url>.gitlabNotify`.
const SWITCH: &str = "gitlabNotify";

/// Why something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The last login has ended.
    Ended,
    /// The store does not have the tokens any more.
    Gone,
    /// The newest tokens are in memory alone.
    Unsaved,
    /// This one of two logins has ended.
    Spare(Slot),
    /// A token that can't be renewed comes to its end.
    Expiring,
}

impl Cause {
    const ALL: [Cause; 6] = [
        Cause::Ended,
        Cause::Gone,
        Cause::Unsaved,
        Cause::Spare(Slot::First),
        Cause::Spare(Slot::Second),
        Cause::Expiring,
    ];

    /// The end of its file's name.
    fn word(self) -> &'static str {
        match self {
            Cause::Ended => "ended",
            Cause::Gone => "gone",
            Cause::Unsaved => "unsaved",
            Cause::Spare(Slot::First) => "first-ended",
            Cause::Spare(Slot::Second) => "second-ended",
            Cause::Expiring => "expiring",
        }
    }
}

/// Something that was told and still holds, as far as is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// What happened, to which account, and the one command.
    pub text: String,
}

/// What the accounts of a state directory have told.
#[derive(Debug, Clone)]
pub struct Notices {
    directory: PathBuf,
}

impl Notices {
    /// Those of a directory, which must be there.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Tells the person, unless this was told before. Whoever calls does not wait.
    pub fn tell(&self, profile: &Profile, cause: Cause, text: &str) {
        let notice = Notice { at: Timestamp::now(), text: printable(text, 900) };
        match self.claim(&self.path(&profile.id(), cause), &notice) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return,
            // This daemon remembers by itself; the next one tells again.
            Err(why) => tracing::warn!(%why, "that a person was told something could not be noted"),
            Ok(()) => {}
        }
        tracing::warn!(text = notice.text, "told");
        let (instance, title) = (profile.instance.clone(), format!("GitLab login of {}", profile.who()));
        tokio::spawn(async move {
            if config::is_on(&instance, SWITCH).await.unwrap_or(false)
                && let Err(why) = desktop::show(&printable(&title, 200), &notice.text).await
            {
                tracing::info!(%why, "no window could be shown");
            }
        });
    }

    /// The cause has gone.
    pub fn settle(&self, id: &str, cause: Cause) {
        let path = self.path(id, cause);
        for path in [&path, &told_to_git(&path)] {
            match fs::remove_file(path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %why, "a notice could not be taken back");
                }
                _ => {}
            }
        }
    }

    /// Nothing that was told of an account counts any more: it was linked anew, or unlinked.
    pub fn forget(&self, id: &str) {
        Cause::ALL.into_iter().for_each(|cause| self.settle(id, cause));
    }

    /// What was told and holds.
    pub fn open(&self, id: &str) -> Vec<(Cause, Notice)> {
        let read = |cause| {
            let bytes = files::read(&self.path(id, cause)).ok()??;
            Some((cause, serde_json::from_slice(&bytes).ok()?))
        };
        Cause::ALL.into_iter().filter_map(read).collect()
    }

    /// The same, of what git's user has not read yet. From now on they have.
    pub fn new_to_git(&self, id: &str) -> Vec<(Cause, Notice)> {
        let is_new = |cause: Cause| {
            let marker = told_to_git(&self.path(id, cause));
            OpenOptions::new().write(true).create_new(true).open(marker).is_ok()
        };
        self.open(id).into_iter().filter(|(cause, _)| is_new(*cause)).collect()
    }

    fn path(&self, id: &str, cause: Cause) -> PathBuf {
        self.directory.join(format!("{id}.{}", cause.word()))
    }

    fn claim(&self, path: &std::path::Path, notice: &Notice) -> io::Result<()> {
        let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(&serde_json::to_vec(notice).expect("a notice is plain data"))
    }
}

fn told_to_git(path: &std::path::Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".git");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices() -> (tempfile::TempDir, Notices) {
        let directory = tempfile::tempdir().expect("a directory");
        let notices = Notices::in_directory(directory.path().into());
        (directory, notices)
    }

    #[test]
    fn what_was_told_is_known_until_it_is_settled() {
        let (directory, notices) = notices();
        let notice = Notice { at: Timestamp(1), text: "text".into() };
        for round in 0..2 {
            let path = notices.path("alice", Cause::Ended);
            notices.claim(&path, &notice).expect("the first");
            assert!(notices.claim(&path, &notice).is_err(), "{round}");
            assert_eq!(notices.open("alice").len(), 1);
            assert!(notices.open("bob").is_empty());
            assert_eq!(notices.new_to_git("alice").len(), 1);
            assert!(notices.new_to_git("alice").is_empty(), "once");
            notices.settle("alice", Cause::Unsaved);
            assert_eq!(notices.open("alice").len(), 1);
            notices.forget("alice");
            assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
        }
    }

    #[test]
    fn a_damaged_file_is_no_notice_and_still_says_that_it_was_told() {
        let (_directory, notices) = notices();
        let path = notices.path("alice", Cause::Ended);
        fs::write(&path, "half").expect("written");
        assert!(notices.open("alice").is_empty());
        assert!(notices.claim(&path, &Notice { at: Timestamp(1), text: String::new() }).is_err());
    }
}
