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

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::clock::Timestamp;
use super::secret::Secret;
pub use encryption::{Count, Encryption, Refused, State, Wish};

/// Longer than a healthy keyring ever takes (measured: 12 ms), shorter than git's patience.
const CALL_WITHIN: Duration = Duration::from_secs(5);

/// While a person links, the keyring may ask them for its password.
const CALL_WITH_PROMPT_WITHIN: Duration = Duration::from_secs(60);

/// The format this version writes. A higher one is left alone.
const VERSION: u32 = 1;

/// What is secret of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// What git gets as password.
    pub access_token: Secret,
    /// What it is.
    #[serde(default)]
    pub kind: Kind,
    /// Spent once, for the next pair.
    pub refresh_token: Option<Secret>,
    /// The secret of a confidential application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// `user:password` for the proxy that link went through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_credentials: Option<Secret>,
    /// `http.extraHeader`, as link saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_headers: Vec<Secret>,
    /// When the pair came, by our clock. A token that a person made came when they made it.
    pub received_at: Timestamp,
    /// When the access token ends, by our clock; none if the server names no end.
    pub expires_at: Option<Timestamp>,
    /// How often the pair was renewed since the person linked.
    pub renewals: u64,
    /// Set before the pair is renewed: proves that the store can be written, and tells
    /// the next owner that an answer may have been lost.
    pub refreshing_since: Option<Timestamp>,
}

/// What an access token is: this decides how it is asked about, and what comes after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Half of an OAuth pair: the other half, if there is one, buys the next pair.
    #[default]
    Oauth,
    /// Made by a person: it ends when it ends.
    Fixed,
    /// Made by a person: the server exchanges it for the next one.
    Rotating,
}

impl Record {
    /// A pair as the server gave it just now.
    pub fn new(access_token: Secret, refresh_token: Option<Secret>, now: Timestamp, expires_in: Option<i64>) -> Self {
        Self {
            version: VERSION,
            access_token,
            kind: Kind::Oauth,
            refresh_token,
            client_secret: None,
            proxy_credentials: None,
            extra_headers: Vec::new(),
            received_at: now,
            expires_at: expires_in.map(|seconds| now.plus(seconds)),
            renewals: 0,
            refreshing_since: None,
        }
    }

    /// A token that a person made.
    pub fn made_by_hand(token: Secret, kind: Kind, made_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self { kind, expires_at, ..Self::new(token, None, made_at, None) }
    }

    /// The token whose revocation kills the pair. With an expired access token GitLab would
    /// answer 200 and do nothing.
    pub fn revocable_token(&self) -> &Secret {
        self.refresh_token.as_ref().unwrap_or(&self.access_token)
    }

    /// Whether the person has the token too, and may use it elsewhere: they made it, and it was not
    /// exchanged since.
    pub fn is_known_to_person(&self) -> bool {
        self.kind != Kind::Oauth && self.renewals == 0
    }

    /// The same pair, about to be renewed.
    pub fn marked(self, now: Timestamp) -> Self {
        Self { refreshing_since: Some(now), ..self }
    }

    /// The same pair, which was not renewed after all.
    pub fn unmarked(self) -> Self {
        Self { refreshing_since: None, ..self }
    }

    /// The record of the pair that this one was renewed to.
    pub fn renewed(self, pair: Self) -> Self {
        Self {
            client_secret: self.client_secret,
            proxy_credentials: self.proxy_credentials,
            extra_headers: self.extra_headers,
            renewals: self.renewals.saturating_add(1),
            ..pair
        }
    }

    /// The same token, which the server turned out not to exchange.
    pub fn fixed(self) -> Self {
        Self { kind: Kind::Fixed, ..self.unmarked() }
    }

    /// Reads a record.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // serde's message could quote the text, which is secret: only that it failed is told.
        let Version { version } = serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt)?;
        if version > VERSION {
            return Err(StoreError::Newer);
        }
        serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt)
    }
}

/// Which of an account's logins: there may be a spare one, and the two take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The one every account has.
    First,
    /// The one of `link --spare`.
    Second,
}

impl Slot {
    /// Both, in order.
    pub const ALL: [Slot; 2] = [Slot::First, Slot::Second];

    /// The name of the login's entry in a store.
    pub fn entry(self, account: &str) -> String {
        match self {
            Slot::First => account.to_owned(),
            Slot::Second => format!("{account}~second"),
        }
    }
}

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
    /// this comes right behind it. Nobody waits for it.
    pub fn take_back_save(&self, id: &str, before: Option<Record>) {
        let id = id.to_owned();
        let _ = self.jobs.send(Box::new(move |store| {
            let undone = match before.map(|record| serde_json::to_vec(&record).expect("a record is plain data")) {
                Some(bytes) => store.save(&id, &bytes, Prompt::Forbidden),
                None => store.delete(&id, Prompt::Forbidden),
            };
            if let Err(why) = undone {
                tracing::warn!(%why, "a save that failed could not be undone either");
            }
        }));
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

    #[test]
    fn what_a_newer_version_or_a_crash_wrote_is_told_apart() {
        assert_eq!(Record::from_bytes(br#"{"version":2,"tokens":[]}"#), Err(StoreError::Newer));
        for bytes in [&b""[..], b"{", b"[]", br#"{"version":1}"#, b"\xff"] {
            assert_eq!(Record::from_bytes(bytes), Err(StoreError::Corrupt));
        }
    }

    #[test]
    fn a_record_fits_into_the_smallest_keyring() {
        // Windows' Credential Manager takes 2,560 bytes; GitLab's tokens have 64 characters.
        let token = || Secret::new("x".repeat(64));
        let mut record = Record::new(token(), Some(token()), Timestamp(i64::MAX), Some(1));
        record.client_secret = Some(Secret::new("x".repeat(80)));
        record.proxy_credentials = Some(Secret::new("x".repeat(80)));
        record.extra_headers = vec![Secret::new("x".repeat(256)); 2];
        record.refreshing_since = Some(Timestamp(i64::MAX));
        assert!(serde_json::to_vec(&record).expect("plain data").len() < 1280);
    }

    #[test]
    fn a_record_of_the_first_version_is_an_oauth_pair() {
        let written = serde_json::to_string(&record()).expect("plain data").replace(r#""kind":"oauth","#, "");
        assert!(!written.contains("kind"));
        assert_eq!(Record::from_bytes(written.as_bytes()), Ok(record()));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Record::from_bytes(&bytes);
        }
    }
}
