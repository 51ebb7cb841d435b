//! Tokens in the desktop's keyring: one entry per account, service `git-credential-gitlab`.
//!
//! Errors of keyring-core are never printed with `{:?}`: `BadEncoding` carries the secret bytes.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::{Prompt, Store, StoreError};
use crate::endpoint::NAME;

/// The platform's keyring, for people.
pub(super) const PLACE: &str = if cfg!(target_os = "macos") {
    "your macOS keychain"
} else if cfg!(windows) {
    "the Windows Credential Manager"
} else {
    "your desktop's keyring (Secret Service)"
};

/// Why it can't be opened, for people.
const ABSENT: &str =
    if cfg!(any(target_os = "macos", windows)) { "it does not answer" } else { "none answers on this session's D-Bus" };

/// The platform's keyring. It is opened when first used, and again after a failure: a keyring
/// may come up after this daemon, be restarted, or go with the desktop session.
#[derive(Default)]
pub(super) struct Keyring {
    open: Option<Arc<CredentialStore>>,
}

impl Keyring {
    /// Runs a call on the entry of a name; `None` if there is no such entry.
    fn with<T>(
        &mut self,
        id: &str,
        prompt: Prompt,
        call: impl Fn(&Entry) -> Result<T, Error>,
    ) -> Result<Option<T>, StoreError> {
        if prompt == Prompt::Forbidden && platform::is_locked(id) {
            return Err(StoreError::Locked);
        }
        let was_open = self.open.is_some();
        match self.once(id, &call) {
            // The connection may be to a keyring that has been restarted since.
            Err(Error::PlatformFailure(_)) if was_open => self.once(id, &call),
            done => done,
        }
        .map(Some)
        .or_else(|why| match why {
            Error::NoEntry => Ok(None),
            Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => Err(StoreError::Corrupt),
            Error::Ambiguous(_) => Err(StoreError::Unavailable(format!("it has several entries named {id}"))),
            Error::NoStorageAccess(_) if platform::is_locked(id) => Err(StoreError::Locked),
            Error::NoStorageAccess(why) | Error::PlatformFailure(why) => Err(StoreError::Unavailable(why.to_string())),
            Error::NotSupportedByStore(why) => Err(StoreError::Unavailable(why)),
            _ => Err(StoreError::Unavailable("it refused an entry of ours".into())),
        })
    }

    fn once<T>(&mut self, id: &str, call: impl Fn(&Entry) -> Result<T, Error>) -> Result<T, Error> {
        let store = match &self.open {
            Some(store) => store.clone(),
            None => {
                let opened = platform::open().map_err(|why| {
                    tracing::debug!(%why, "the keyring can't be opened");
                    Error::NotSupportedByStore(ABSENT.into())
                })?;
                self.open.insert(opened).clone()
            }
        };
        let modifiers = platform::MODIFIERS.into_iter().collect::<HashMap<_, _>>();
        let done = store.build(NAME, id, Some(&modifiers)).and_then(|entry| call(&entry));
        if matches!(done, Err(Error::PlatformFailure(_))) {
            self.open = None;
        }
        done
    }
}

impl Store for Keyring {
    fn load(&mut self, id: &str, prompt: Prompt) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.with(id, prompt, |entry| entry.get_secret().map(Zeroizing::new))
    }

    fn save(&mut self, id: &str, bytes: &[u8], prompt: Prompt) -> Result<(), StoreError> {
        let saved = self.with(id, prompt, |entry| entry.set_secret(bytes))?;
        saved.ok_or_else(|| StoreError::Unavailable("it has no default collection".into()))
    }

    fn delete(&mut self, id: &str, prompt: Prompt) -> Result<(), StoreError> {
        self.with(id, prompt, Entry::delete_credential).map(|_| ())
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
mod platform {
    use super::*;
    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;

    /// What a person sees in their keyring's window.
    pub(super) const MODIFIERS: [(&str, &str); 1] = [("label", "GitLab tokens (git-credential-gitlab)")];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Ok(zbus_secret_service_keyring_store::Store::new()?)
    }

    /// Whether a call would open the keyring's password prompt: where our entry is, or where a new
    /// one would go. False if that can't be told: then the call itself says what is wrong.
    pub(super) fn is_locked(id: &str) -> bool {
        let Ok(service) = SecretService::connect(EncryptionType::Plain) else { return false };
        let Ok(found) = service.search_items(HashMap::from([("service", NAME), ("username", id)])) else {
            return false;
        };
        match (found.locked.is_empty(), found.unlocked.is_empty()) {
            (false, _) => true,
            (true, false) => false,
            (true, true) => service.get_default_collection().is_ok_and(|it| it.is_locked().unwrap_or(false)),
        }
    }
}

#[cfg(target_os = "macos")]
mod platform {
    use super::*;

    pub(super) const MODIFIERS: [(&str, &str); 0] = [];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    /// The login keychain is open while its person is logged in; else the call says so.
    pub(super) fn is_locked(_id: &str) -> bool {
        false
    }
}

#[cfg(windows)]
mod platform {
    use super::*;

    /// Not with the roaming profile: two machines would spend the same refresh token.
    pub(super) const MODIFIERS: [(&str, &str); 1] = [("persistence", "Local")];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    /// The Credential Manager is open while its person is logged in.
    pub(super) fn is_locked(_id: &str) -> bool {
        false
    }
}
