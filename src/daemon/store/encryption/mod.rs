//! Whether the records of a directory are encrypted, and the key while it is unlocked.
//!
//! That they are is a property of the directory: its file `key` says so, and is read anew for each
//! call, because another daemon may work in the same directory. The key in it is wrapped: with a
//! passphrase, or by systemd. Unwrapped it is in this daemon and, of a passphrase, in the kernel, so
//! that a person is asked once until the machine is switched off.

mod header;
mod kernel;
mod key;
mod passphrase;
mod sealed;
mod systemd;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use zeroize::Zeroizing;

use super::StoreError;
use crate::daemon::files;
use crate::daemon::secret::Secret;
use crate::endpoint::make_private;
use header::{Header, Wrapped};
use key::Key;

/// The ending of a record's file.
pub(super) const RECORD: &str = "tokens";

/// What a probe of the store leaves for a moment is no record.
pub(super) const PROBE: &str = "probe-";

/// One directory.
#[derive(Debug)]
pub struct Encryption {
    directory: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The key, and the id of the directory as it was then.
    key: Option<(String, Key)>,
    /// The person has locked it: it does not unlock itself.
    locked: bool,
}

/// What the key is to be wrapped with.
#[derive(Debug)]
pub enum Wish {
    /// systemd, where it works.
    Any,
    /// systemd.
    Systemd,
    /// This passphrase.
    Passphrase(Secret),
}

/// How an encrypted directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// What its key is wrapped with: `passphrase` or `systemd`.
    pub with: &'static str,
    /// The key is not here.
    pub locked: bool,
    /// The encryption is being taken back.
    pub leaving: bool,
}

/// Records in the directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Encrypted.
    pub sealed: usize,
    /// Not.
    pub plain: usize,
}

/// Why a directory was not encrypted or unlocked.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It takes a passphrase, and none was given: why it does.
    NeedsPassphrase(String),
    /// It is another passphrase.
    Wrong,
    /// It is encrypted otherwise already: `passphrase` or `systemd`.
    Otherwise(&'static str),
    /// It is not encrypted.
    Plain,
    /// systemd does not do it: why.
    Systemd(String),
    /// The directory.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(why: StoreError) -> Self {
        Refused::Store(why)
    }
}

impl Encryption {
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.into(), held: Mutex::default() }
    }

    /// Whether there is a key.
    pub fn is_on(&self) -> bool {
        Header::path(&self.directory).exists()
    }

    /// How it is; `None` if the records are not encrypted. May wait for systemd.
    pub fn state(&self) -> Result<Option<State>, StoreError> {
        let Some(header) = self.header()? else { return Ok(None) };
        let locked = match self.key(&header) {
            Ok(_) => false,
            Err(StoreError::VaultLocked) => true,
            Err(why) => return Err(why),
        };
        Ok(Some(State { with: header.with(), locked, leaving: header.is_leaving() }))
    }

    /// From now on records are encrypted. What was written before is as it was: see
    /// [`Vault::rewrite`](super::Vault::rewrite). May wait for systemd, or compute for a while.
    pub fn begin(&self, wish: Wish) -> Result<(), Refused> {
        let refused = |why| Refused::Store(StoreError::Unavailable(why));
        if let Some(header) = self.header()? {
            match (&wish, &header.wrapped) {
                (Wish::Any, _) | (Wish::Systemd, Wrapped::Systemd(_)) => {}
                (Wish::Passphrase(passphrase), Wrapped::Passphrase(wrapped)) => {
                    wrapped.unwrap(&header.id, passphrase).ok_or(Refused::Wrong)?;
                }
                _ => return Err(Refused::Otherwise(header.with())),
            }
            let key = self.key(&header)?;
            return match header.is_leaving() {
                true => Ok(header.with_leaving(false, &key)?.write(&self.directory)?),
                false => Ok(()), // an earlier time broke off
            };
        }
        let key = Key::random().map_err(|why| refused(format!("the system gives no random numbers: {why}")))?;
        let header = match &wish {
            Wish::Passphrase(passphrase) => {
                let wrap = |id: &str| passphrase::Wrapped::wrap(&key, id, passphrase).map(Wrapped::Passphrase);
                Header::new(&key, wrap).map_err(refused)?
            }
            Wish::Any | Wish::Systemd => {
                let wrap = |id: &str| systemd::Wrapped::wrap(&key, id).map(Wrapped::Systemd);
                Header::new(&key, wrap).map_err(match wish {
                    Wish::Any => Refused::NeedsPassphrase,
                    _ => Refused::Systemd,
                })?
            }
        };
        make_private(&self.directory).map_err(|why| refused(why.to_string()))?;
        header.write(&self.directory)?;
        self.hold(&header, key);
        Ok(())
    }

    /// Unlocks it, until [`lock`](Self::lock). May wait for systemd, or compute for a while.
    pub fn unlock(&self, passphrase: Option<&Secret>) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        let key = match (&header.wrapped, passphrase) {
            (Wrapped::Systemd(wrapped), _) => wrapped.unwrap(&header.id).map_err(Refused::Systemd)?,
            (Wrapped::Passphrase(_), None) => match self.key(&header) {
                Ok(key) => key,
                Err(StoreError::VaultLocked) => return Err(Refused::NeedsPassphrase("it is locked".into())),
                Err(why) => return Err(why.into()),
            },
            (Wrapped::Passphrase(wrapped), Some(passphrase)) => {
                wrapped.unwrap(&header.id, passphrase).ok_or(Refused::Wrong)?
            }
        };
        if !header.is_of(&key) {
            let path = Header::path(&self.directory);
            let text = format!("{} was changed by somebody else, and is not used", path.display());
            return Err(StoreError::Unavailable(text).into());
        }
        self.held().locked = false;
        self.hold(&header, key);
        Ok(())
    }

    /// Forgets the key until somebody [unlocks](Self::unlock) it.
    pub fn lock(&self) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        *self.held() = Held { key: None, locked: true };
        kernel::forget(&header.id);
        Ok(())
    }

    /// Forgets the key, because it is of no use now.
    pub fn forget(&self) {
        if let Some((id, _)) = self.held().key.take() {
            kernel::forget(&id);
        }
    }

    /// From now on records are not encrypted. What was written before is as it was.
    pub fn leave(&self) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        let key = self.key(&header)?;
        Ok(header.with_leaving(true, &key)?.write(&self.directory)?)
    }

    /// The end of the encryption: no record needs the key any more.
    pub fn end(&self) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        let path = Header::path(&self.directory);
        files::remove(&path).map_err(|why| StoreError::Unavailable(format!("{}: {why}", path.display())))?;
        *self.held() = Held::default();
        kernel::forget(&header.id);
        Ok(())
    }

    /// The names of all entries that have something in the directory, and be it the rest of a
    /// write that a crash broke off.
    pub fn entries(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = files.filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let name = name.strip_suffix(".new").unwrap_or(&name);
            name.strip_suffix(RECORD)?.strip_suffix('.').map(str::to_owned)
        });
        let mut names: Vec<String> = names.filter(|name| !name.starts_with(PROBE)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// How many records are encrypted, and how many are not.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for entry in self.entries() {
            match files::read(&self.directory.join(format!("{entry}.{RECORD}"))) {
                Ok(Some(bytes)) if sealed::is_sealed(&bytes) => count.sealed += 1,
                Ok(Some(bytes)) => {
                    drop(Zeroizing::new(bytes));
                    count.plain += 1;
                }
                _ => {}
            }
        }
        count
    }

    /// What is to be written for a record.
    pub(super) fn seal(&self, entry: &str, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let Some(header) = self.header()? else { return Ok(Zeroizing::new(record.to_vec())) };
        let key = self.key(&header)?;
        match header.is_leaving() {
            true => Ok(Zeroizing::new(record.to_vec())),
            false => sealed::seal(&key, entry, record)
                .map(Zeroizing::new)
                .map_err(|why| StoreError::Unavailable(format!("the system gives no random numbers: {why}"))),
        }
    }

    /// The record in what was read; one that is not encrypted is taken as it is. `None`: what was
    /// read is encrypted, and nothing else here is; it may have been decrypted meanwhile.
    pub(super) fn open(
        &self,
        entry: &str,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        if !sealed::is_sealed(&bytes) {
            return Ok(Some(bytes));
        }
        let Some(header) = self.header()? else { return Ok(None) };
        sealed::open(&self.key(&header)?, entry, &bytes).map(Some)
    }

    fn header(&self) -> Result<Option<Header>, StoreError> {
        Header::read(&self.directory)
    }

    /// The key, if it is here, or comes without asking a person.
    fn key(&self, header: &Header) -> Result<Key, StoreError> {
        {
            let held = self.held();
            match &held.key {
                Some((id, key)) if *id == header.id && header.is_of(key) => return Ok(key.clone()),
                _ if held.locked => return Err(StoreError::VaultLocked),
                _ => {}
            }
        }
        let found = match &header.wrapped {
            Wrapped::Passphrase(_) => kernel::find(&header.id),
            Wrapped::Systemd(wrapped) => Some(wrapped.unwrap(&header.id).map_err(StoreError::Unavailable)?),
        };
        let key = found.filter(|key| header.is_of(key)).ok_or(StoreError::VaultLocked)?;
        let mut held = self.held();
        if held.locked {
            return Err(StoreError::VaultLocked); // while we looked for it
        }
        held.key = Some((header.id.clone(), key.clone()));
        Ok(key)
    }

    /// Keeps a key that was just unwrapped.
    fn hold(&self, header: &Header, key: Key) {
        // What systemd gives it gives again, and to nobody else: no further copy is needed.
        if matches!(header.wrapped, Wrapped::Passphrase(_)) {
            kernel::keep(&header.id, &key);
        }
        self.held().key = Some((header.id.clone(), key));
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nobody panics while holding it")
    }
}

impl Header {
    /// The word for what its key is wrapped with.
    fn with(&self) -> &'static str {
        match self.wrapped {
            Wrapped::Passphrase(_) => "passphrase",
            Wrapped::Systemd(_) => "systemd",
        }
    }
}
