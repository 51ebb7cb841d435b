//! The errors of the token endpoint, in Doorkeeper's words (contract §1.6).

use crate::server::Answer;
use serde_json::json;

/// A refused request to `/oauth/token` or one of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OAuthError {
    /// Both ways of client authentication at once, or anything else malformed.
    InvalidRequest,
    MissingParameter(&'static str),
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
}

/// The text beside the device grant's errors: they have no words of their own, so they read like
/// a broken server (contract §1.7, §8).
const GENERIC: &str = "The authorization server encountered an unexpected condition which \
                       prevented it from fulfilling the request.";

impl OAuthError {
    fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::MissingParameter(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::UnauthorizedClient => 401,
            _ => 400,
        }
    }

    fn description(self) -> String {
        let text = match self {
            Self::MissingParameter(name) => return format!("Missing required parameter: {name}."),
            Self::InvalidRequest => {
                "The request is missing a required parameter, includes an unsupported parameter \
                 value, or is otherwise malformed."
            }
            Self::InvalidClient => {
                "Client authentication failed due to unknown client, no client authentication \
                 included, or unsupported authentication method."
            }
            Self::InvalidGrant => {
                "The provided authorization grant is invalid, expired, revoked, does not match \
                 the redirection URI used in the authorization request, or was issued to another \
                 client."
            }
            Self::InvalidScope => "The requested scope is invalid, unknown, or malformed.",
            Self::UnauthorizedClient => "The client is not authorized to perform this request using this method.",
            Self::UnsupportedGrantType => "The authorization grant type is not supported by the authorization server.",
            Self::AuthorizationPending | Self::SlowDown | Self::ExpiredToken => GENERIC,
        };
        text.to_owned()
    }

    /// The JSON answer with its headers; `state` is echoed if the request had one.
    pub(crate) fn answer(self, state: Option<&str>) -> Answer {
        let (error, description) = (self.code(), self.description());
        let mut body = json!({ "error": error, "error_description": description });
        if let Some(state) = state {
            body["state"] = state.into();
        }
        let challenge = format!("Bearer realm=\"Doorkeeper\", error=\"{error}\", error_description=\"{description}\"");
        unstored(Answer::json(self.status(), &body)).with("WWW-Authenticate", challenge)
    }
}

/// Adds what keeps answers with tokens in them out of caches (contract §1.4).
pub(super) fn unstored(answer: Answer) -> Answer {
    answer.with("Cache-Control", "no-store").with("Pragma", "no-cache")
}
