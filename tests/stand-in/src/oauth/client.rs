//! Which application is asking, and can it prove it (contract §1.5, §1.6).

use super::OAuthError;
use crate::{
    server::Call,
    world::{StoredApplication, World},
};

/// What the client said about itself.
pub(super) struct Credentials {
    client_id: String,
    secret: Option<String>,
}

impl Credentials {
    /// From the header or the body; `None` when there was no word of a client.
    ///
    /// Two methods in one request are refused (doorkeeper from 5.9.5), even if they agree.
    pub(super) fn of(call: &Call) -> Result<Option<Self>, OAuthError> {
        let body = call.form.get("client_id").map(|client_id| Self {
            client_id: client_id.to_owned(),
            secret: call.form.get("client_secret").map(str::to_owned),
        });
        let header = call
            .basic()
            .map(|(client_id, secret)| Self { client_id, secret: Some(secret).filter(|secret| !secret.is_empty()) });
        match (header, body) {
            (Some(_), Some(_)) => Err(OAuthError::InvalidRequest),
            (header, body) => Ok(header.or(body)),
        }
    }

    /// The application, if the secret is right. A public one may leave it out, but must not send
    /// a wrong one.
    pub(super) fn client<'a>(&self, world: &'a World) -> Option<&'a StoredApplication> {
        let application = world.application_by_client_id(&self.client_id)?;
        let proven = match &self.secret {
            None => !application.confidential,
            Some(secret) => *secret == application.secret,
        };
        proven.then_some(application)
    }
}

/// The application that is asking, or `invalid_client`.
pub(super) fn client<'a>(
    world: &'a World,
    credentials: Option<&Credentials>,
) -> Result<&'a StoredApplication, OAuthError> {
    let client = credentials.and_then(|credentials| credentials.client(world));
    client.ok_or(OAuthError::InvalidClient)
}
