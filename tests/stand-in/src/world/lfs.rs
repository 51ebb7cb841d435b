//! What LFS keeps: which project has which object, locks, and the tokens for transfers.

use super::{UserId, World};
use std::{collections::BTreeSet, time::Duration};

/// All of it.
#[derive(Default)]
pub(crate) struct Lfs {
    /// A project's id with an object's.
    pub(crate) links: BTreeSet<(u64, String)>,
    pub(crate) locks: Vec<Lock>,
    tokens: Vec<LfsToken>,
}

/// A file that one person alone may change.
#[derive(Clone)]
pub(crate) struct Lock {
    pub(crate) id: u64,
    pub(crate) project: u64,
    pub(crate) path: String,
    pub(crate) owner: UserId,
    pub(crate) at: Duration,
}

/// What a batch answer gives for its transfers. It is tied to the user, not to the OAuth token that
/// the batch was asked with, and outlives that one (§2.5).
pub(crate) struct LfsToken {
    token: String,
    pub(crate) user: UserId,
    ends: Duration,
}

impl LfsToken {
    /// `DEFAULT_EXPIRE_TIME` of GitLab's `LfsToken`.
    const LIFETIME: Duration = Duration::from_secs(7200);

    pub(crate) fn expired(&self, now: Duration) -> bool {
        now >= self.ends
    }
}

impl World {
    pub(crate) fn lfs_token(&self, token: &str) -> Option<&LfsToken> {
        self.lfs.tokens.iter().find(|row| row.token == token)
    }

    /// A token for transfers.
    pub(crate) fn issue_lfs_token(&mut self, user: UserId) -> String {
        let token = self.mint();
        let ends = self.clock.now() + LfsToken::LIFETIME;
        self.lfs.tokens.push(LfsToken { token: token.clone(), user, ends });
        token
    }
}
