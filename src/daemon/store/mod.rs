//! Where tokens are kept: the desktop's keyring, a private file (encrypted, where the person wants),
//! or this process's memory.
//!
//! A keyring call blocks, for ever when it waits for an unlock prompt that nobody sees. So each
//! store lives in a thread of its own behind a [`Vault`], which takes one call at a time and
//! gives up waiting after a while.

mod encryption;
mod file;
mod keyring;
mod memory;
mod record;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub use encryption::{Count, Encryption, Refused, State, Wish};
pub use record::{Kind, NotSaved, Record, Slot};

/// Longer than a healthy keyring ever takes (measured: 12 ms), shorter than git's patience.
const CALL_WITHIN: Duration = Duration::from_secs(5);

/// While a person links, the keyring may ask them for its password.
const CALL_WITH_PROMPT_WITHIN: Duration = Duration::from_secs(60);

/// Which store; the words of `--store`, of `status --json` and of the state files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// The Secret Service, Keychain or Credential Manager.
    Keyring,
    /// A file that only this user can read.
    File,
    /// Until the daemon ends.
    Memory,
}

impl StoreKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            StoreKind::Keyring => "keyring",
            StoreKind::File => "file",
            StoreKind::Memory => "memory",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [StoreKind::Keyring, StoreKind::File, StoreKind::Memory].into_iter().find(|kind| kind.word() == word)
    }
}

/// Why a store could not be read or written. No variant carries what was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Locked, and only a person can unlock it.
    #[error("it is locked; unlock it, and git works again")]
    Locked,
    /// It is encrypted, and the key is not here.
    #[error("it is locked; to unlock it: git credential-gitlab vault unlock")]
    VaultLocked,
    /// It does not answer; perhaps it waits for a person.
    #[error("it did not answer within {0} s")]
    Silent(u64),
    /// There is no entry for the account.
    #[error("they are no longer there")]
    Gone,
    /// It is encrypted, and nothing can open it.
    #[error("they are encrypted, and the file with their key is gone")]
    KeyGone,
    /// There is none here, or it failed.
    #[error("{0}")]
    Unavailable(String),
    /// What is stored can't be read; it is left as it is.
    #[error("what is stored there for this account is damaged; it was left as it is")]
    Corrupt,
    /// A newer version of this program wrote it; it is left as it is.
    #[error("a newer version of git-credential-gitlab wrote what is stored there; it was left as it is")]
    Newer,
}

impl StoreError {
    /// Whether it is about what is stored there, and not about the store.
    pub fn is_lasting(&self) -> bool {
        matches!(self, StoreError::Gone | StoreError::KeyGone | StoreError::Corrupt | StoreError::Newer)
    }

    /// Whether only linking again helps.
    pub fn needs_link(&self) -> bool {
        matches!(self, StoreError::Gone | StoreError::KeyGone | StoreError::Corrupt)
    }
}

/// Whether the store may ask the person at the screen for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// Somebody is linking and waits for it.
    Allowed,
    /// git or a timer asks: no window may appear.
    Forbidden,
}

/// One place for bytes under a name. Calls may block.
trait Store {
    fn load(&mut self, id: &str, prompt: Prompt) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;
    fn save(&mut self, id: &str, bytes: &[u8], prompt: Prompt) -> Result<(), StoreError>;
    fn delete(&mut self, id: &str, prompt: Prompt) -> Result<(), StoreError>;
}

type Job = Box<dyn FnOnce(&mut dyn Store) + Send>;

/// A store in its thread. Clones share it.
#[derive(Clone)]
pub struct Vault {
    kind: StoreKind,
    place: String,
    /// Of files alone.
    encryption: Option<Arc<Encryption>>,
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens a store; files go into `directory`. Nothing is touched before the first call.
    pub fn open(kind: StoreKind, directory: &Path) -> Self {
        let encryption = (kind == StoreKind::File).then(|| Arc::new(Encryption::at(directory)));
        let (place, store): (String, Box<dyn Store + Send>) = match &encryption {
            Some(encryption) => {
                let place = format!("file in {} that only you can read", directory.display());
                (place, Box::new(file::Files::new(directory, encryption.clone())))
            }
            None if kind == StoreKind::Keyring => (keyring::PLACE.into(), Box::<keyring::Keyring>::default()),
            None => ("the daemon's memory, until it ends".into(), Box::<memory::Memory>::default()),
        };
        let (jobs, todo) = mpsc::channel::<Job>();
        let mut store = store;
        std::thread::Builder::new()
            .name(kind.word().into())
            .spawn(move || {
                while let Ok(job) = todo.recv() {
                    job(store.as_mut());
                }
            })
            .expect("a thread can be started");
        Self { kind, place, encryption, jobs }
    }

    /// Which store it is.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The same for people: "tokens are kept in ...".
    pub fn place(&self) -> String {
        match &self.encryption {
            Some(encryption) if encryption.is_on() => format!("an encrypted {}", self.place),
            Some(_) => format!("a {}", self.place),
            None => self.place.clone(),
        }
    }

    /// The encryption of its files, if it has files.
    pub fn encryption(&self) -> Option<&Arc<Encryption>> {
        self.encryption.as_ref()
    }

    /// What is stored under a name.
    pub async fn load(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let id = id.to_owned();
        let bytes = self.call(Prompt::Forbidden, move |store, prompt| store.load(&id, prompt)).await?;
        bytes.map(|bytes| Record::from_bytes(&bytes)).transpose()
    }

    /// Stores a record durably: when this returns, it survives a power cut.
    pub async fn save(&self, id: &str, record: &Record, prompt: Prompt) -> Result<(), StoreError> {
        let id = id.to_owned();
        let bytes = Zeroizing::new(serde_json::to_vec(record).expect("a record is plain data"));
        self.call(prompt, move |store, prompt| store.save(&id, &bytes, prompt)).await
    }

    /// Writes what is stored under a name once more, as it is to be written now: encrypted, or not.
    /// What a crash has left of an earlier write goes with it.
    pub async fn rewrite(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        let rewrite = move |store: &mut dyn Store, prompt| match store.load(&id, prompt)? {
            Some(bytes) => store.save(&id, &bytes, prompt),
            None => store.delete(&id, prompt),
        };
        self.call(Prompt::Forbidden, rewrite).await
    }

    /// Keeps a lease for a call that nobody waits for any more: it may still be carried out, and what
    /// it writes then must not take the place of what another daemon has renewed meanwhile.
    pub fn keep_until_done(&self, lease: File) {
        // A disk comes back, or its locks hang as well. A keyring may wait for a person for ever, and
        // then another store must be free for the account.
        if self.kind == StoreKind::File {
            let _ = self.jobs.send(Box::new(move |_| drop(lease)));
        }
    }

    /// Makes a save that failed undone: one that only took too long may still be carried out, and
    /// this comes right behind it. The result is whether that is certain.
    pub async fn take_back_save(&self, id: &str, before: Option<Record>) -> bool {
        let id = id.to_owned();
        let (reply, answer) = oneshot::channel();
        let _ = self.jobs.send(Box::new(move |store| {
            let undone = match before.map(|record| serde_json::to_vec(&record).expect("a record is plain data")) {
                Some(bytes) => store.save(&id, &bytes, Prompt::Forbidden),
                None => store.delete(&id, Prompt::Forbidden),
            };
            let _ = reply.send(undone.is_ok()); // nobody may wait any longer
            if let Err(why) = undone {
                tracing::warn!(%why, "a save that failed could not be undone either");
            }
        }));
        matches!(tokio::time::timeout(CALL_WITHIN, answer).await, Ok(Ok(true)))
    }

    /// Forgets what is stored under a name.
    pub async fn delete(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call(Prompt::Forbidden, move |store, prompt| store.delete(&id, prompt)).await
    }

    /// Tries whether the store works here, by writing, reading and deleting an entry.
    pub async fn probe(&self) -> Result<(), StoreError> {
        // Another daemon may be trying the same store at the same moment.
        let name = format!("{}{}", encryption::PROBE, std::process::id());
        self.call(Prompt::Allowed, move |store, prompt| {
            store.save(&name, b"probe", prompt)?;
            let read = store.load(&name, prompt)?;
            store.delete(&name, prompt)?;
            match read.as_deref().map(Vec::as_slice) {
                Some(b"probe") => Ok(()),
                _ => Err(StoreError::Unavailable("it does not keep what is stored in it".into())),
            }
        })
        .await
    }

    /// Runs a call in the store's thread. One that nobody waits for any more is not begun.
    async fn call<T, F>(&self, prompt: Prompt, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Store, Prompt) -> Result<T, StoreError> + Send + 'static,
    {
        let within = match prompt {
            Prompt::Allowed => CALL_WITH_PROMPT_WITHIN,
            Prompt::Forbidden => CALL_WITHIN,
        };
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            if !reply.is_closed() {
                let _ = reply.send(call(store, prompt)); // the asker may have given up meanwhile
            }
        });
        let ended = || StoreError::Unavailable("its thread has ended".into());
        self.jobs.send(job).map_err(|_| ended())?;
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(|_| ended())?,
            Err(_) => Err(StoreError::Silent(within.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock::Timestamp;
    use crate::daemon::secret::Secret;

    fn record() -> Record {
        Record::new(Secret::new("access"), Some(Secret::new("refresh")), Timestamp(1000), Some(7200))
    }

    #[tokio::test]
    async fn a_record_survives_each_store_that_needs_no_desktop() {
        let directory = tempfile::tempdir().expect("a directory");
        for kind in [StoreKind::File, StoreKind::Memory] {
            let vault = Vault::open(kind, directory.path());
            vault.probe().await.expect("works");
            assert_eq!(vault.load("a").await, Ok(None));
            vault.save("a", &record(), Prompt::Forbidden).await.expect("saved");
            assert_eq!(vault.load("a").await, Ok(Some(record())));
            vault.delete("a").await.expect("deleted");
            assert_eq!(vault.load("a").await, Ok(None));
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("there").count(), 0);
    }
}
