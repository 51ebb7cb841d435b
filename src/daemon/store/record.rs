//! What is kept of a login, and under which name.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::daemon::clock::Timestamp;
use crate::daemon::secret::{Mark, Secret};

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
    pub(in crate::daemon) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
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

    /// Whether this may be written over what is stored: itself, or the record that it came after, whose
    /// access token was `replaced`. Any other one is somebody else's: times don't tell, because a clock
    /// may have been set meanwhile.
    pub fn may_replace(&self, stored: &Record, replaced: Option<Mark>) -> bool {
        stored.access_token == self.access_token || replaced == Some(stored.access_token.mark())
    }
}

/// A record that the store does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSaved {
    /// Why.
    pub why: StoreError,
    /// The access token of the record that it is to replace there.
    pub replaces: Mark,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new(Secret::new("access"), Some(Secret::new("refresh")), Timestamp(1000), Some(7200))
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
