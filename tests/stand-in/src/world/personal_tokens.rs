//! Personal access tokens (contract §3).

use super::{Scopes, UserId, World};
use serde::Serialize;
use std::time::Duration;

/// A new personal access token.
#[derive(Clone, Debug, Serialize)]
pub struct PersonalToken {
    /// Its number.
    pub id: u64,
    /// `glpat-` and 20 characters.
    pub token: String,
}

/// One row of `personal_access_tokens`.
pub(crate) struct StoredPersonalToken {
    pub(crate) id: u64,
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) scopes: Scopes,
    pub(crate) created: Duration,
    /// Midnight (UTC) of the day it stops working; `None` for never.
    pub(crate) expires: Option<Duration>,
    pub(crate) revoked: bool,
    /// Rotation keeps the family: rotating a dead member kills all of it (§3, from 16.3).
    pub(crate) family: u64,
}

impl StoredPersonalToken {
    pub(crate) fn expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }
}

impl World {
    /// Adds a token; `family` is set when it replaces an older one.
    pub(crate) fn add_personal_token(
        &mut self,
        user: UserId,
        name: &str,
        scopes: Scopes,
        expires: Option<Duration>,
        family: Option<u64>,
    ) -> PersonalToken {
        let id = self.next_id();
        let token = format!("glpat-{}", &super::random_hex()[..20]);
        self.remember_secret(&token);
        self.personal_tokens.push(StoredPersonalToken {
            id,
            user,
            name: name.to_owned(),
            token: token.clone(),
            scopes,
            created: self.clock.now(),
            expires,
            revoked: false,
            family: family.unwrap_or(id),
        });
        PersonalToken { id, token }
    }

    pub(crate) fn personal_token(&self, token: &str) -> Option<&StoredPersonalToken> {
        self.personal_tokens.iter().find(|own| own.token == token)
    }
}
