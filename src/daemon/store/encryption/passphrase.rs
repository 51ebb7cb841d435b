//! The data key under a passphrase: Argon2id makes a key of that, slowly, and it seals the other.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use super::key::{self, Key};
use crate::daemon::secret::Secret;

/// 64 MiB and three passes are RFC 9106's second choice, for machines that have not much memory.
/// They take a third of a second where this was written, on a small machine half of one or more.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// Lanes are for threads; we have one.
const LANES: u32 = 1;

/// What the file may ask for: four times the memory and passes that we write, so that a later
/// version may ask for more, and somebody else's file can't take the machine's memory, or a minute.
const MOST_MEMORY: u32 = 4 * MEMORY;
const MOST_PASSES: u32 = 4 * PASSES;
const MOST_LANES: u32 = 4;

/// As RFC 9106 has it.
const SALT: usize = 16;

/// The data key, wrapped. The numbers stand beside it so that they can grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrapped {
    /// In KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    sealed: Vec<u8>,
}

impl Wrapped {
    /// Wraps the key of the directory with this id.
    pub(super) fn wrap(key: &Key, id: &str, passphrase: &Secret) -> Result<Self, String> {
        let no_random = |why: getrandom::Error| format!("the system gives no random numbers: {why}");
        let mut wrapped =
            Self { memory: MEMORY, passes: PASSES, lanes: LANES, salt: vec![0; SALT], sealed: Vec::new() };
        getrandom::fill(&mut wrapped.salt).map_err(no_random)?;
        let outer = wrapped.derive(passphrase).ok_or("the passphrase can't be used")?;
        wrapped.sealed = outer.seal(&wrapped.context(id), key.expose()).map_err(no_random)?;
        Ok(wrapped)
    }

    /// The key, if it is this passphrase.
    pub(super) fn unwrap(&self, id: &str, passphrase: &Secret) -> Option<Key> {
        Key::in_bytes(&self.derive(passphrase)?.open(&self.context(id), &self.sealed)?)
    }

    /// Whether it asks for no more than it may.
    pub(super) fn is_modest(&self) -> bool {
        self.memory <= MOST_MEMORY && self.passes <= MOST_PASSES && self.lanes <= MOST_LANES && self.salt.len() == SALT
    }

    fn derive(&self, passphrase: &Secret) -> Option<Key> {
        let parameters = Params::new(self.memory, self.passes, self.lanes, Some(key::LENGTH)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        let passphrase = passphrase.expose().as_bytes();
        Key::made_by(|place| argon2.hash_password_into(passphrase, &self.salt, place)).ok()
    }

    /// Argon2 itself binds the numbers and the salt.
    fn context(&self, id: &str) -> Vec<u8> {
        [b"passphrase ", id.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_passphrase_gives_the_key_back_and_only_for_its_directory() {
        let (key, right) = (Key::random().expect("random numbers"), Secret::new("correct horse"));
        let wrapped = Wrapped::wrap(&key, "id", &right).expect("wrapped");
        assert!(wrapped.is_modest());
        assert_eq!(wrapped.unwrap("id", &right).expect("unwrapped").expose(), key.expose());
        assert!(wrapped.unwrap("other", &right).is_none());
        for wrong in ["", "correct", "Correct horse", "correct horse "] {
            assert!(wrapped.unwrap("id", &Secret::new(wrong)).is_none(), "{wrong:?}");
        }
        let weaker = Wrapped { passes: 1, ..wrapped.clone() };
        assert!(weaker.unwrap("id", &right).is_none(), "the numbers are part of it");
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_not_modest() {
        let wrapped = |memory, passes, lanes| Wrapped { memory, passes, lanes, salt: vec![0; 16], sealed: Vec::new() };
        assert!(wrapped(MOST_MEMORY, MOST_PASSES, MOST_LANES).is_modest());
        for greedy in [wrapped(64 << 20, 3, 1), wrapped(u32::MAX, 1, 1), wrapped(8, u32::MAX, 1), wrapped(8, 1, 99)] {
            assert!(!greedy.is_modest(), "{greedy:?}");
        }
        // And one that asks for nonsense gives no key.
        for nonsense in [wrapped(0, 0, 0), wrapped(1, 1, 4), wrapped(8, 0, 1)] {
            assert!(nonsense.unwrap("id", &Secret::new("x")).is_none(), "{nonsense:?}");
        }
    }
}
