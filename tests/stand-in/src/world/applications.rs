//! OAuth applications (contract §1.2).

use super::{Scopes, Unusable, UserId, World};
use serde::{Deserialize, Serialize};

/// An application to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Application {
    /// Shown on the consent page.
    pub name: String,
    /// Has a secret, and must prove it.
    pub confidential: bool,
    /// Set by an administrator: consent is skipped.
    pub trusted: bool,
    /// As typed into the form, one per entry.
    pub redirect_uris: Vec<String>,
    /// The most a token of it can hold.
    pub scopes: Vec<String>,
    /// The user it belongs to; `None` for one of the whole instance.
    pub owner: Option<String>,
}

impl Default for Application {
    /// What this project tells people to register (§6).
    fn default() -> Self {
        let scopes = ["api", "read_api", "read_user", "read_repository", "write_repository"];
        Self {
            name: "git-credential-gitlab".to_owned(),
            confidential: false,
            trusted: false,
            redirect_uris: vec!["http://127.0.0.1".to_owned()],
            scopes: scopes.into_iter().chain(["openid"]).map(str::to_owned).collect(),
            owner: None,
        }
    }
}

/// What GitLab shows once after registering.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// The application id.
    pub client_id: String,
    /// The secret of a confidential application.
    pub client_secret: Option<String>,
}

/// The number of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppId(u64);

/// A registered application.
pub(crate) struct StoredApplication {
    pub(crate) id: AppId,
    pub(crate) name: String,
    pub(crate) client_id: String,
    /// Public applications have one too, it is only never shown: sending a wrong one fails.
    pub(crate) secret: String,
    pub(crate) confidential: bool,
    pub(crate) trusted: bool,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Scopes,
    pub(crate) owner: Option<UserId>,
}

impl World {
    pub(crate) fn add_application(&mut self, application: Application) -> Result<Registered, Unusable> {
        let scopes = Scopes::known(application.scopes.iter().map(String::as_str))?;
        let owner = application.owner.map(|name| self.user_id(&name)).transpose()?;
        let id = AppId(self.next_id());
        // The client id is no secret; only the secret of a confidential application is.
        let client_id = super::random_hex();
        let secret = if application.confidential { self.mint() } else { super::random_hex() };
        self.applications.push(StoredApplication {
            id,
            name: application.name,
            client_id: client_id.clone(),
            secret: secret.clone(),
            confidential: application.confidential,
            trusted: application.trusted,
            redirect_uris: application.redirect_uris,
            scopes,
            owner,
        });
        Ok(Registered { client_id, client_secret: application.confidential.then_some(secret) })
    }

    pub(crate) fn application(&self, id: AppId) -> &StoredApplication {
        let found = self.applications.iter().find(|application| application.id == id);
        found.expect("an application's rows are deleted with it")
    }

    /// The application a test or script names.
    pub(crate) fn application_id(&self, client_id: &str) -> Result<AppId, Unusable> {
        let found = self.application_by_client_id(client_id).map(|application| application.id);
        found.ok_or_else(|| Unusable(format!("there is no application {client_id}")))
    }

    pub(crate) fn application_mut(&mut self, id: AppId) -> &mut StoredApplication {
        let found = self.applications.iter_mut().find(|application| application.id == id);
        found.expect("an application's rows are deleted with it")
    }

    pub(crate) fn application_by_client_id(&self, client_id: &str) -> Option<&StoredApplication> {
        self.applications.iter().find(|application| application.client_id == client_id)
    }

    /// Deleting an application deletes its rows: its tokens are afterwards unknown, not revoked.
    pub(crate) fn delete_application(&mut self, id: AppId) {
        self.applications.retain(|application| application.id != id);
        self.pairs.retain(|pair| pair.application != id);
        self.codes.retain(|code| code.application != id);
        self.device_grants.retain(|grant| grant.application != id);
    }
}
