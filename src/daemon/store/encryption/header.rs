//! The file `key` beside the records: that they are encrypted, and the wrapped key.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::{passphrase, systemd};
use crate::daemon::files;
use crate::daemon::store::StoreError;

/// The format this version writes. A higher one is left alone.
const VERSION: u32 = 1;

/// The bytes of an id, each two characters: no two directories ever draw the same.
const ID: usize = 16;

/// What is known of an encrypted directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Header {
    version: u32,
    /// The directory's own: the kernel's copy of the key goes by it.
    pub(super) id: String,
    /// The person takes the encryption back: what is written from now on is not encrypted.
    leaving: bool,
    /// What the key is wrapped with.
    pub(super) wrapped: Wrapped,
    /// Nothing, sealed with the key: tells the right one from others, and that nobody else has
    /// changed what the daemon goes by.
    check: Vec<u8>,
}

/// The wrapped key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "with", rename_all = "lowercase")]
pub(super) enum Wrapped {
    Passphrase(passphrase::Wrapped),
    Systemd(systemd::Wrapped),
}

impl Header {
    /// One for a new key; `wrap` gets the id.
    pub(super) fn new(key: &Key, wrap: impl FnOnce(&str) -> Result<Wrapped, String>) -> Result<Self, String> {
        let no_random = |why: getrandom::Error| format!("the system gives no random numbers: {why}");
        let mut id = [0; ID];
        getrandom::fill(&mut id).map_err(no_random)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let wrapped = wrap(&id)?;
        Self { version: VERSION, id, leaving: false, wrapped, check: Vec::new() }.checked(key).map_err(no_random)
    }

    /// The same for a directory whose encryption is taken back, or is not after all.
    pub(super) fn with_leaving(self, leaving: bool, key: &Key) -> Result<Self, StoreError> {
        Self { leaving, ..self }.checked(key).map_err(|why| StoreError::Unavailable(why.to_string()))
    }

    /// Whether what is written now is not to be encrypted any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether this is its key, and what it says is what the daemon wrote.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        key.open(&self.context(), &self.check).is_some()
    }

    fn checked(mut self, key: &Key) -> Result<Self, getrandom::Error> {
        self.check = key.seal(&self.context(), b"")?;
        Ok(self)
    }

    fn context(&self) -> Vec<u8> {
        format!("key {} {} {}", self.version, self.id, self.leaving).into_bytes()
    }

    /// Where it is.
    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("key")
    }

    /// Reads it; `None` if the directory is not encrypted.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = Self::path(directory);
        match files::read(&path) {
            Ok(bytes) => bytes.map(|bytes| Self::from_bytes(&bytes).map_err(|why| why.of(&path))).transpose(),
            Err(why) => Err(StoreError::Unavailable(format!("{}: {why}", path.display()))),
        }
    }

    /// Writes it durably.
    pub(super) fn write(&self, directory: &Path) -> Result<(), StoreError> {
        let (path, bytes) = (Self::path(directory), serde_json::to_vec(self).expect("it is plain data"));
        files::write(&path, &bytes).map_err(|why| StoreError::Unavailable(format!("{}: {why}", path.display())))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes).map_err(|_| Unusable::Damaged)?;
        if version > VERSION {
            return Err(Unusable::Newer);
        }
        let header: Self = serde_json::from_slice(bytes).map_err(|_| Unusable::Damaged)?;
        let is_id = header.id.len() == 2 * ID && header.id.bytes().all(|b| b.is_ascii_hexdigit());
        let is_modest = match &header.wrapped {
            Wrapped::Passphrase(wrapped) => wrapped.is_modest(),
            Wrapped::Systemd(_) => true,
        };
        if is_id && is_modest { Ok(header) } else { Err(Unusable::Damaged) }
    }
}

/// Why the file can't be used. It is left as it is: it may be the only way to the tokens.
#[derive(Debug, PartialEq, Eq)]
enum Unusable {
    Damaged,
    Newer,
}

impl Unusable {
    fn of(&self, path: &Path) -> StoreError {
        let path = path.display();
        StoreError::Unavailable(match self {
            Unusable::Damaged => format!(
                "the file with their key, {path}, is damaged and was left as it is; put a copy of it back, or remove \
                 it and link again"
            ),
            Unusable::Newer => format!("a newer version of git-credential-gitlab wrote their key, {path}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: &Key) -> Header {
        let credential = serde_json::json!({"with": "systemd", "credential": "x"});
        Header::new(key, |_| Ok(serde_json::from_value(credential).expect("one"))).expect("made")
    }

    #[test]
    fn what_a_header_says_is_bound_to_its_key() {
        let (key, other) = (Key::random().expect("random"), Key::random().expect("random"));
        let header = header(&key);
        assert!(header.is_of(&key) && !header.is_of(&other));
        let forged = Header { leaving: true, ..header.clone() };
        assert!(!forged.is_of(&key), "nobody makes us write in the clear");
        let leaving = header.with_leaving(true, &key).expect("sealed");
        assert!(leaving.is_of(&key) && leaving.is_leaving());
    }

    #[test]
    fn what_is_damaged_newer_or_greedy_is_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(Header::read(directory.path()).expect("readable").is_none());
        let key = Key::random().expect("random");
        header(&key).write(directory.path()).expect("written");
        assert!(Header::read(directory.path()).expect("readable").expect("there").is_of(&key));
        let good = serde_json::to_value(header(&key)).expect("plain data");
        let with = |name: &str, value: serde_json::Value| {
            let mut changed = good.clone();
            changed[name] = value;
            Header::from_bytes(changed.to_string().as_bytes()).map(drop)
        };
        let greedy = serde_json::json!({"with": "passphrase", "memory": 67_108_864, "passes": 3, "lanes": 1,
            "salt": vec![0; 16], "sealed": []});
        assert_eq!(with("version", 1.into()), Ok(()));
        assert_eq!(with("version", 2.into()), Err(Unusable::Newer));
        for (name, value) in [("id", "../../x".into()), ("id", "".into()), ("wrapped", "x".into()), ("wrapped", greedy)]
        {
            assert_eq!(with(name, value), Err(Unusable::Damaged), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Header::from_bytes(&bytes);
        }
    }
}
