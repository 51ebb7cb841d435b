//! A text that is printed nowhere and leaves memory when it is dropped.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A token, a refresh token or an application's secret. `Debug` prints a placeholder; there is
/// no `Display`. Serialising writes it out: only `store` does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(#[serde(with = "text")] Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Each call is a place to look at when secrets are reviewed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Tells whether a secret is one that was seen before, and keeps nothing of it. Good in this process
/// alone: the keys of the hash are chosen anew in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Secret {
    /// Its mark.
    pub fn mark(&self) -> Mark {
        Mark(KEYS.hash_one(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

mod text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_for_the_same_secret_and_for_no_other() {
        let mark = |text: &str| Secret::new(text).mark();
        assert_eq!(mark("hunter2"), mark("hunter2"));
        assert_ne!(mark("hunter2"), mark("hunter3"));
    }

    #[test]
    fn debug_output_hides_it() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}
