//! Token pairs and the two kinds of grants that become one (contract §1.4, §1.5, §1.7).

use super::{AppId, Scopes, UserId, World};
use serde::Serialize;
use std::time::Duration;

/// The two halves of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// Good for git and the API until it expires.
    pub access_token: String,
    /// Good for one refresh.
    pub refresh_token: String,
}

/// One row of `oauth_access_tokens`: access and refresh token live and die together, because
/// GitLab's table has no `previous_refresh_token` column (§1.5).
pub(crate) struct PairRow {
    pub(crate) id: u64,
    pub(crate) user: UserId,
    pub(crate) application: AppId,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scopes: Scopes,
    pub(crate) created: Duration,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) revoked: bool,
}

impl PairRow {
    /// What is left of the access token's life; `None` when it has no end.
    pub(crate) fn remaining(&self, now: Duration) -> Option<Duration> {
        self.lifetime.map(|life| (self.created + life).saturating_sub(now))
    }

    pub(crate) fn expired(&self, now: Duration) -> bool {
        self.remaining(now).is_some_and(|left| left.is_zero())
    }

    /// Doorkeeper's `accessible?`.
    pub(crate) fn accessible(&self, now: Duration) -> bool {
        !self.revoked && !self.expired(now)
    }
}

/// An authorization code.
pub(crate) struct Code {
    pub(crate) value: String,
    pub(crate) user: UserId,
    pub(crate) application: AppId,
    pub(crate) scopes: Scopes,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) created: Duration,
    pub(crate) used: bool,
}

/// The PKCE half that travelled with the authorization request.
#[derive(Clone)]
pub(crate) struct Challenge {
    pub(crate) value: String,
    pub(crate) s256: bool,
}

/// A device grant; it is deleted, not marked, when it is used or has expired.
pub(crate) struct DeviceGrant {
    pub(crate) application: AppId,
    pub(crate) device_code: String,
    /// Emptied by the user's confirmation: Doorkeeper's sign for "authorized".
    pub(crate) user_code: Option<String>,
    pub(crate) user: Option<UserId>,
    pub(crate) scopes: Scopes,
    pub(crate) created: Duration,
    /// The last poll that was not answered `slow_down`.
    pub(crate) last_poll: Option<Duration>,
}

impl DeviceGrant {
    /// Seconds until a device code is void (§1.7).
    pub(crate) const LIFETIME: Duration = Duration::from_secs(300);
    /// Seconds between two polls (§1.7).
    pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

    pub(crate) fn expired(&self, now: Duration) -> bool {
        now >= self.created + Self::LIFETIME
    }
}

impl World {
    /// Adds a row. Each login makes its own; none is ever reused (§1.5).
    pub(crate) fn issue(
        &mut self,
        user: UserId,
        application: AppId,
        scopes: Scopes,
        lifetime: Option<Duration>,
    ) -> &PairRow {
        let row = PairRow {
            id: self.next_id(),
            user,
            application,
            access: self.mint(),
            refresh: self.mint(),
            scopes,
            created: self.clock.now(),
            lifetime,
            revoked: false,
        };
        self.pairs.push(row);
        self.pairs.last().expect("just pushed")
    }

    pub(crate) fn pair_by_access(&self, token: &str) -> Option<&PairRow> {
        self.pairs.iter().find(|pair| pair.access == token)
    }

    pub(crate) fn pair_by_refresh(&self, token: &str) -> Option<&PairRow> {
        self.pairs.iter().find(|pair| pair.refresh == token)
    }

    /// Whether a row made at `created` has not reached the replicas yet.
    pub(crate) fn too_new(&self, created: Duration) -> bool {
        self.clock.now() < created + self.modes.unseen_for
    }

    pub(crate) fn revoke_pair(&mut self, id: u64) {
        let row = self.pairs.iter_mut().find(|pair| pair.id == id);
        row.expect("the row was just found").revoked = true;
    }

    /// Makes `user`'s access tokens look as old as their life; the refresh tokens stay good.
    /// The life itself is left alone, because the next row inherits it (§8).
    pub(crate) fn expire_access_tokens(&mut self, user: UserId) {
        let now = self.clock.now();
        for pair in self.pairs.iter_mut().filter(|pair| pair.user == user && !pair.revoked) {
            if let Some(life) = pair.lifetime {
                pair.created = pair.created.min(now.saturating_sub(life));
            }
        }
    }

    /// The user presses *Revoke* (§1.9): tokens and grants end on every machine, for one
    /// application or for all.
    pub(crate) fn revoke_tokens(&mut self, user: UserId, application: Option<AppId>) {
        let hit = |owner: UserId, app: AppId| owner == user && application.is_none_or(|wanted| wanted == app);
        for pair in &mut self.pairs {
            pair.revoked |= hit(pair.user, pair.application);
        }
        for code in &mut self.codes {
            code.used |= hit(code.user, code.application);
        }
        self.device_grants.retain(|grant| !grant.user.is_some_and(|owner| hit(owner, grant.application)));
    }
}
