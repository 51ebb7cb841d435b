//! A key that seals: XChaCha20-Poly1305, whose nonces are long enough to be drawn at random.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The bytes of a key.
pub(super) const LENGTH: usize = 32;

/// The bytes of a nonce, which stands before what it was used for.
const NONCE: usize = 24;

/// A key. Clones share its one place in memory, which is wiped when the last of them goes.
#[derive(Clone)]
pub(super) struct Key(Arc<Zeroizing<[u8; LENGTH]>>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Key {
    /// A new one.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        Self::made_by(getrandom::fill)
    }

    /// One that somebody writes into its place.
    pub(super) fn made_by<E>(make: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Arc::new(Zeroizing::new([0; LENGTH]));
        make(Arc::get_mut(&mut key).expect("nobody else has it yet").as_mut_slice())?;
        Ok(Self(key))
    }

    /// The one in these bytes, if they are as many as a key has.
    pub(super) fn in_bytes(bytes: &[u8]) -> Option<Self> {
        let copy = |place: &mut [u8]| {
            place.copy_from_slice(bytes);
            Ok::<_, ()>(())
        };
        (bytes.len() == LENGTH).then(|| Self::made_by(copy).ok())?
    }

    /// Its bytes. Each call is a place to look at when secrets are reviewed.
    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypts; what comes out can be opened with the same key and the same `context` alone.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let mut sealed = vec![0; NONCE];
        getrandom::fill(&mut sealed)?;
        let nonce = XNonce::try_from(sealed.as_slice()).expect("it has that length");
        let message = Payload { msg: plain, aad: context };
        sealed.extend(self.cipher().encrypt(&nonce, message).expect("only more than 256 GB can't be encrypted"));
        Ok(sealed)
    }

    /// What was sealed, if it was sealed with this key and context, and not a bit has changed.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, message) = sealed.split_at_checked(NONCE)?;
        let nonce = XNonce::try_from(nonce).expect("it has that length");
        self.cipher().decrypt(&nonce, Payload { msg: message, aad: context }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(self.expose()).expect("it has that length")
    }
}
