//! Accounts and their browser sessions.

use super::{Unusable, World, random_hex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The number of an account: `resource_owner_id` in `token/info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UserId(pub u64);

/// What can be wrong, or special, about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserFlag {
    /// Token rows stay and even refresh, but nothing can be done with them (§1.9, §8).
    Blocked,
    /// See [`crate::Modes::disable_admin_oauth_scopes`].
    Admin,
    /// The authorize page refuses (§1.3).
    UnconfirmedEmail,
    /// An administrator demands a new password: git is refused (§1.9).
    PasswordExpired,
    /// The account's password no longer works for git; tokens are unaffected (§2.2).
    TwoFactor,
}

/// One account.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) flags: BTreeSet<UserFlag>,
}

impl User {
    pub(crate) fn is(&self, flag: UserFlag) -> bool {
        self.flags.contains(&flag)
    }

    pub(crate) fn email(&self) -> String {
        format!("{}@example.com", self.username)
    }

    /// The address for commits that hides the real one, as GitLab makes it.
    pub(crate) fn commit_email(&self) -> String {
        format!("{}-{}@users.noreply.example.com", self.id.0, self.username)
    }

    /// Whether git may be used at all (`can_log_in_with_non_expired_password?`, §1.9).
    pub(crate) fn may_use_git(&self) -> bool {
        !self.is(UserFlag::Blocked) && !self.is(UserFlag::PasswordExpired)
    }
}

/// One visitor's cookie.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: Option<UserId>,
    pub(crate) csrf: String,
    /// Where to go after signing in.
    pub(crate) return_to: Option<String>,
}

impl World {
    pub(crate) fn add_user(&mut self, username: &str, name: &str) -> Result<UserId, Unusable> {
        if self.user_named(username).is_some() {
            return Err(Unusable(format!("there is already a user {username}")));
        }
        let id = UserId(self.next_id());
        let password = format!("{username}-password");
        self.remember_secret(&password);
        self.users.push(User {
            id,
            username: username.to_owned(),
            name: name.to_owned(),
            password,
            flags: BTreeSet::new(),
        });
        Ok(id)
    }

    pub(crate) fn user(&self, id: UserId) -> &User {
        self.users.iter().find(|user| user.id == id).expect("users are never deleted")
    }

    pub(crate) fn user_named(&self, username: &str) -> Option<&User> {
        self.users.iter().find(|user| user.username == username)
    }

    /// The account a test or script names.
    pub(crate) fn user_id(&self, username: &str) -> Result<UserId, Unusable> {
        let found = self.user_named(username).map(|user| user.id);
        found.ok_or_else(|| Unusable(format!("there is no user {username}")))
    }

    pub(crate) fn flag_user(&mut self, id: UserId, flag: UserFlag, on: bool) {
        let user = self.users.iter_mut().find(|user| user.id == id);
        let flags = &mut user.expect("users are never deleted").flags;
        if on {
            flags.insert(flag)
        } else {
            flags.remove(&flag)
        };
    }

    /// The session with this cookie, or a new one for a first visit.
    pub(crate) fn session(&mut self, cookie: Option<&str>) -> &mut Session {
        let known = self.sessions.iter().position(|session| Some(session.id.as_str()) == cookie);
        let index = known.unwrap_or_else(|| {
            self.sessions.push(Session { id: random_hex(), user: None, csrf: random_hex(), return_to: None });
            self.sessions.len() - 1
        });
        &mut self.sessions[index]
    }
}
