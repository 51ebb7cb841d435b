//! Which application at the GitLab asks for consent: its id, the secret that goes with it, and the
//! scopes that it has without anybody saying so.

use crate::credential::Attributes;
use crate::daemon::account::Account;
use crate::daemon::config::Config;
use crate::daemon::profile::Profile;
use crate::daemon::secret::Secret;
use crate::daemon::store::Slot;
use crate::rights::{EVERYDAY, READING};

/// Git Credential Manager asks for both, whatever is configured, and its documentation has people
/// tick no others.
const MANAGERS_SCOPES: &str = "write_repository read_repository";

/// The part of them that can't push.
const MANAGERS_READ_ONLY: &str = "read_repository";

/// An application.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) id: String,
    /// It is confidential, and this goes with the id.
    pub(super) secret: Option<Secret>,
    is_managers: bool,
}

impl Application {
    /// What the person names, then git config, then what was linked `before`, then what anybody
    /// else is `linked` with there: one application serves all.
    pub(super) async fn find(
        asked: &Attributes,
        config: &Config,
        before: Option<&Profile>,
        linked: &[Account],
    ) -> Option<Self> {
        let given = |name: &str| asked.text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let named = given("client_id");
        let is_managers = named.is_none() && config.is_managers;
        let known = before.into_iter().chain(linked.iter().map(|account| &*account.profile));
        let known = known.map(|profile| &profile.client_id).find(|id| !id.is_empty());
        let id = named.or_else(|| config.client_id.clone()).or_else(|| known.cloned())?;
        let configured = config.client_id.as_ref().is_none_or(|configured| *configured == id);
        let secret =
            given("client_secret").map(Secret::new).or_else(|| config.client_secret.clone().filter(|_| configured));
        let secret = match secret {
            Some(secret) => Some(secret),
            None => kept_secret(&id, linked).await,
        };
        Some(Self { id, secret, is_managers })
    }

    /// The scopes to ask for where nobody says which.
    pub(super) fn usual_scopes(&self, read_only: bool) -> &'static str {
        match (self.is_managers, read_only) {
            (false, _) => scopes_to_register(read_only),
            (true, false) => MANAGERS_SCOPES,
            (true, true) => MANAGERS_READ_ONLY,
        }
    }
}

/// The scopes to register an application for.
pub(super) fn scopes_to_register(read_only: bool) -> &'static str {
    if read_only { READING } else { EVERYDAY }
}

/// The secret that was given when somebody linked with this application. A store that can't be read
/// now has none: the server will say that one is missing.
async fn kept_secret(id: &str, linked: &[Account]) -> Option<Secret> {
    for account in linked.iter().filter(|account| account.profile.client_id == id) {
        if let Ok(Some(record)) = account.vault.load(&Slot::First.entry(&account.profile.id())).await
            && let Some(secret) = record.client_secret
        {
            return Some(secret);
        }
    }
    None
}
