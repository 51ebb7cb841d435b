//! The kernel keeps an unlocked key for this user while no daemon runs: until the machine is
//! switched off, or the user's last process ends. Nothing of it is on a disk.

/// On Linux: the user keyring, user-keyring(7).
#[cfg(target_os = "linux")]
mod platform {
    use linux_keyutils::{Key as Entry, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    use super::super::key::{self, Key};
    use crate::endpoint::NAME;

    fn description(id: &str) -> String {
        format!("{NAME}:{id}")
    }

    /// The user keyring, and what is in it as ours. A daemon that systemd or cron starts is in no
    /// login session: it finds the keyring, but possesses nothing there, so it may neither read nor
    /// forget what is in it, not even what it has put there. This thread's keyring leads there.
    fn ring() -> Result<KeyRing, KeyError> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true)?;
        let way = KeyRing::from_special_id(KeyRingIdentifier::Thread, true);
        let _ = way.and_then(|way| way.link_keyring(ring)); // in a login session it works all the same
        Ok(ring)
    }

    fn find_entry(id: &str) -> Result<Entry, KeyError> {
        ring()?.search(&description(id))
    }

    /// Keeps the key of the directory with this id.
    pub(in super::super) fn keep(id: &str, key: &Key) {
        let kept = ring()
            .and_then(|ring| ring.add_key(&description(id), key.expose()))
            // For a daemon in no login session that has no thread keyring either.
            .and_then(|entry| {
                let permissions =
                    KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(Permission::ALL).build();
                entry.set_perms(permissions)
            });
        match kept {
            Ok(()) => tracing::debug!("the kernel keeps the key"),
            Err(why) => tracing::info!(?why, "the kernel does not keep the key; the next daemon has to ask"),
        }
    }

    /// The key, if the kernel has it. Any program of this user can put one there: whether it is the
    /// right one is for the asker to check.
    pub(in super::super) fn find(id: &str) -> Option<Key> {
        let mut bytes = Zeroizing::new([0; key::LENGTH]);
        let length = find_entry(id).and_then(|entry| entry.read(&mut *bytes)).ok()?;
        Key::in_bytes(bytes.get(..length)?)
    }

    /// Forgets it; false if the kernel has it and keeps it.
    pub(in super::super) fn forget(id: &str) -> bool {
        let Err(why) = find_entry(id).map_or(Ok(()), |entry| entry.invalidate()) else { return true };
        tracing::warn!(?why, "the kernel could not be made to forget the key");
        false
    }
}

/// Elsewhere the daemon alone has it.
#[cfg(not(target_os = "linux"))]
mod platform {
    use super::super::key::Key;

    pub(in super::super) fn keep(_id: &str, _key: &Key) {}

    pub(in super::super) fn find(_id: &str) -> Option<Key> {
        None
    }

    pub(in super::super) fn forget(_id: &str) -> bool {
        true
    }
}

pub(super) use platform::{find, forget, keep};
