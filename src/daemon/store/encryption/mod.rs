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

/// The id of the directory, as it was when a record was sealed.
#[derive(Debug)]
pub(super) struct Sealed(String);

/// Why a directory was not encrypted or unlocked.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It takes a passphrase, and none was given: why it does.
    NeedsPassphrase(String),
    /// It is another passphrase.
    Wrong,
    /// Too many are being tried already.
    Busy,
    /// It is encrypted otherwise already: `passphrase` or `systemd`.
    Otherwise(&'static str),
    /// It is not encrypted.
    Plain,
    /// systemd does not do it: why.
    Systemd(String),
    /// Records need the key, and it is not here: why.
    Needed(StoreError),
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

    /// Whether what is written now is encrypted.
    pub fn is_on(&self) -> bool {
        self.header().map_or(true, |header| header.is_some_and(|header| !header.is_leaving()))
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
                // It may be locked by now: whoever goes on with it has just shown the key.
                (Wish::Passphrase(passphrase), Wrapped::Passphrase(_)) => self.unlock(Some(passphrase))?,
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
        // The key first: another daemon that saves a pair in between needs it.
        self.hold(&header, key);
        if let Err(why) = header.write(&self.directory) {
            // It may be there although it is not certain to stay.
            if !matches!(self.header(), Ok(Some(found)) if found.id == header.id) {
                kernel::forget(&header.id);
                self.held().key = None;
            }
            return Err(why.into());
        }
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
        self.hold(&header, key);
        Ok(())
    }

    /// Forgets the key until somebody [unlocks](Self::unlock) it.
    pub fn lock(&self) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        let mut held = self.held();
        *held = Held { key: None, locked: true };
        match kernel::forget(&header.id) {
            true => Ok(()),
            false => {
                let why = "the daemon has forgotten the key, but the kernel still has a copy of it, which the next \
                           daemon would use; it goes when the machine is switched off";
                Err(StoreError::Unavailable(why.into()).into())
            }
        }
    }

    /// Forgets the key, because it is of no use now: also one that an earlier daemon has left.
    pub fn forget(&self) {
        let held = self.held().key.take().map(|(id, _)| id);
        let header = self.header().ok().flatten().map(|header| header.id);
        for id in held.iter().chain(&header) {
            kernel::forget(id);
        }
    }

    /// From now on records are not encrypted. What was written before is as it was. Where the key is
    /// not here, and maybe lost, it is over at once if no record needs it.
    pub fn leave(&self) -> Result<(), Refused> {
        let header = self.header()?.ok_or(Refused::Plain)?;
        match self.key(&header) {
            Ok(key) => Ok(header.with_leaving(true, &key)?.write(&self.directory)?),
            Err(why) if self.is_needed()? => Err(Refused::Needed(why)),
            Err(_) => self.end(),
        }
    }

    /// The end of the encryption, if no record needs the key any more.
    pub fn end(&self) -> Result<(), Refused> {
        let Some(header) = self.header()? else { return Ok(()) };
        if self.is_needed()? {
            let why = "another program has encrypted a login again; try again";
            return Err(StoreError::Unavailable(why.into()).into());
        }
        let path = Header::path(&self.directory);
        files::remove(&path).map_err(|why| StoreError::Unavailable(format!("{}: {why}", path.display())))?;
        let mut held = self.held();
        *held = Held::default();
        kernel::forget(&header.id);
        Ok(())
    }

    /// Whether there is a record that is encrypted, or that can't be read and may be.
    fn is_needed(&self) -> Result<bool, StoreError> {
        let failed = |why: std::io::Error| StoreError::Unavailable(format!("{}: {why}", self.directory.display()));
        for file in std::fs::read_dir(&self.directory).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            let is_probe = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PROBE.as_bytes()));
            if path.extension().is_none_or(|ending| ending != RECORD) || is_probe {
                continue;
            }
            match files::read(&path).map(|bytes| bytes.map(Zeroizing::new)) {
                Ok(Some(bytes)) if !sealed::is_sealed(&bytes) => {}
                Ok(None) => {}
                _ => return Ok(true),
            }
        }
        Ok(false)
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

    /// What is to be written for a record, and with which key it is encrypted, if it is.
    pub(super) fn seal(&self, entry: &str, record: &[u8]) -> Result<(Zeroizing<Vec<u8>>, Option<Sealed>), StoreError> {
        let plain = || Ok((Zeroizing::new(record.to_vec()), None));
        let Some(header) = self.header()? else { return plain() };
        let key = self.key(&header)?;
        if header.is_leaving() {
            return plain();
        }
        let bytes = sealed::seal(&key, entry, record)
            .map_err(|why| StoreError::Unavailable(format!("the system gives no random numbers: {why}")))?;
        Ok((Zeroizing::new(bytes), Some(Sealed(header.id))))
    }

    /// Whether what was sealed can be opened still. Another daemon may have taken the encryption
    /// back between the moment when the key was asked for and the one when the record was written.
    pub(super) fn can_open(&self, sealed: &Sealed) -> bool {
        self.header().map_or(true, |header| header.is_some_and(|header| header.id == sealed.0))
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
        let mut held = self.held(); // so that a lock comes before all of it, or after
        // What systemd gives it gives again, and to nobody else: no further copy is needed.
        if matches!(header.wrapped, Wrapped::Passphrase(_)) {
            kernel::keep(&header.id, &key);
        }
        *held = Held { key: Some((header.id.clone(), key)), locked: false };
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
