//! GitLab as a server: the only room that knows its URLs and speaks HTTP.
//!
//! What a request ends with is one of three things: an answer, a [`Trouble::Refused`] (the server
//! understood and said no), or a [`Trouble::Transient`] (anything that may pass: no network, a
//! proxy's error page, a server that is down). Only the second says anything about a token.

mod author;
mod device;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod look;
mod network;
mod oauth;
mod personal;
pub mod projects;
mod proxy;
mod redirect;
mod rest;
mod tls;
mod token_kind;

use serde::{Deserialize, Serialize};

pub use author::Author;
pub use device::DeviceCode;
pub use look::{GitAnswer, Service, Unreached};
pub use network::Network;
pub use oauth::{Grant, could_be_token, error_word};
pub use personal::{Facts, Own};
pub use proxy::Proxy;
pub use rest::{Liveness, REPLICA_LAG, User};
pub use tls::{Authorities, TlsFiles};
pub use token_kind::{TokenKind, no_token_for_git};

use super::secret::Secret;
use crate::instance::Instance;
use crate::protocol::Code;
use http::Http;

/// Why a request did not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may pass.
    #[error("{why}")]
    Transient {
        /// What happened, for people.
        why: String,
        /// Seconds after which the server wants to be asked again.
        retry_after: Option<i64>,
        /// The request may have been processed, and its answer was lost.
        lost: bool,
    },
    /// The server said no.
    #[error("{why}")]
    Refused {
        /// RFC 6749's word for it (`invalid_grant`), or the HTTP status.
        error: String,
        /// The same for people.
        why: String,
    },
}

impl Trouble {
    /// How a person's command ends that met it.
    pub fn code(&self) -> Code {
        match self {
            Trouble::Transient { .. } => Code::Unreachable,
            Trouble::Refused { .. } => Code::Refused,
        }
    }

    /// Whether more time might have helped.
    pub fn is_about_time(&self) -> bool {
        match self {
            Trouble::Transient { .. } => true,
            Trouble::Refused { error, .. } => error == "expired_token",
        }
    }

    /// Whether the server does not take the application, or not its secret.
    fn is_about_client(&self) -> bool {
        matches!(self, Trouble::Refused { error, .. } if error == "invalid_client" || error == "unauthorized_client")
    }

    /// The same of a question, which changes nothing at the server: nothing was lost with its answer.
    pub fn of_question(self) -> Self {
        match self {
            Trouble::Transient { why, retry_after, .. } => Trouble::Transient { why, retry_after, lost: false },
            refused => refused,
        }
    }

    fn transient(why: impl Into<String>) -> Self {
        Trouble::Transient { why: why.into(), retry_after: None, lost: false }
    }

    /// Says more of it.
    fn add(&mut self, more: &str) {
        let (Trouble::Transient { why, .. } | Trouble::Refused { why, .. }) = self;
        why.push_str(more);
    }
}

/// Endpoints that git config moved (`credential.<url>.oauthTokenURL` and its siblings).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// Where the browser goes.
    pub authorize: Option<String>,
    /// Where codes and refresh tokens are spent.
    pub token: Option<String>,
    /// Where codes for other devices come from.
    pub device: Option<String>,
}

impl Endpoints {
    /// One that would send secrets over a network without TLS.
    pub fn in_clear_text(&self) -> Option<&str> {
        let secret_over_network = |url: &&String| {
            let Ok(url) = url::Url::parse(url) else { return false };
            let is_loopback = || Instance::parse(&url.origin().ascii_serialization()).is_ok_and(|it| it.is_loopback());
            url.scheme() != "https" && !is_loopback()
        };
        [&self.authorize, &self.token, &self.device].into_iter().flatten().find(secret_over_network).map(String::as_str)
    }
}

/// One GitLab, and the application registered there for us.
#[derive(Debug)]
pub struct GitLab {
    instance: Instance,
    client_id: String,
    client_secret: Option<Secret>,
    endpoints: Endpoints,
    http: Http,
}

impl GitLab {
    /// Nothing is sent yet, and nothing can fail yet.
    pub fn new(
        instance: Instance,
        client_id: String,
        client_secret: Option<Secret>,
        endpoints: Endpoints,
        network: Network,
    ) -> Self {
        let http = Http::new(network, instance.clone());
        Self { instance, client_id, client_secret, endpoints, http }
    }

    /// The page where a person registers an application.
    pub fn applications_page(instance: &Instance) -> String {
        instance.page("/-/user_settings/applications")
    }
}
