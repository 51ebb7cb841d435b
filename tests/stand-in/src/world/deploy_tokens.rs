//! Deploy tokens: no user's, for the repositories of one project, with a user name of their own, and
//! of no use to the API (contract §2.1).

use super::{Scopes, Unusable, World};
use serde::Serialize;

/// A new deploy token.
#[derive(Clone, Debug, Serialize)]
pub struct DeployToken {
    /// The only user name it works with: `gitlab+deploy-token-7`.
    pub username: String,
    /// `gldt-` and 20 characters.
    pub token: String,
}

/// One row of `deploy_tokens`.
pub(crate) struct StoredDeployToken {
    pub(crate) token: DeployToken,
    /// The project it was made in.
    pub(crate) project: u64,
    pub(crate) scopes: Scopes,
    pub(crate) revoked: bool,
}

impl World {
    pub(crate) fn add_deploy_token(&mut self, project: &str, scopes: Scopes) -> Result<DeployToken, Unusable> {
        let project = self.project_mut(project)?.id;
        let username = format!("gitlab+deploy-token-{}", self.next_id());
        let token = DeployToken { username, token: format!("gldt-{}", &super::random_hex()[..20]) };
        self.remember_secret(&token.token);
        self.deploy_tokens.push(StoredDeployToken { token: token.clone(), project, scopes, revoked: false });
        Ok(token)
    }

    pub(crate) fn deploy_token(&self, token: &str) -> Option<&StoredDeployToken> {
        self.deploy_tokens.iter().find(|own| own.token.token == token)
    }
}
