//! Personal access tokens, and those of projects and groups, which are a bot's personal ones
//! (contract §3).

use super::{DAY, Role, Scopes, Unusable, UserId, World, midnight, random_hex};
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

/// A new access token of a project or group.
#[derive(Clone, Debug, Serialize)]
pub struct AccessToken {
    /// The bot as which it acts: `project_7_bot_…` or `group_7_bot_…`.
    pub username: String,
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
    /// The end of a token that is made now to live so long: tokens end at midnight.
    pub(crate) fn end_of_life(&self, lifetime: Duration) -> Duration {
        let end = self.clock.now() + lifetime;
        if end == midnight(end) { end } else { midnight(end) + DAY }
    }

    /// Adds an access token of a project or of a group, with its bot.
    pub(crate) fn add_access_token(
        &mut self,
        path: &str,
        scopes: Scopes,
        role: Role,
        lifetime: Duration,
    ) -> Result<AccessToken, Unusable> {
        let id = self.next_id();
        let kind = if self.project(path).is_some() { "project" } else { "group" };
        let username = format!("{kind}_{id}_bot_{}", &random_hex()[..32]);
        let bot = self.add_user(&username, "CI")?;
        self.grant(bot, path, role)?;
        let end = self.end_of_life(lifetime);
        let token = self.add_personal_token(bot, "CI", scopes, Some(end), None).token;
        Ok(AccessToken { username, token })
    }

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
        let token = format!("glpat-{}", &random_hex()[..20]);
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
