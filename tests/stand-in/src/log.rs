//! The log of requests: what tests wait for and count.

use crate::server::Call;
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::BTreeMap, time::Duration};

/// The parts of GitLab that faults and counts are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/users/sign_in`
    SignIn,
    /// `/oauth/authorize`
    Authorize,
    /// `/oauth/token`
    Token,
    /// `/oauth/token/info`
    TokenInfo,
    /// `/oauth/revoke`
    Revoke,
    /// `/oauth/introspect`
    Introspect,
    /// `/oauth/userinfo`
    UserInfo,
    /// `/oauth/authorize_device`
    AuthorizeDevice,
    /// `/oauth/device`, the page on which the user enters the code
    Device,
    /// `/.well-known/…`
    Discovery,
    /// `/api/v4/user`
    User,
    /// `/api/v4/personal_access_tokens/self`
    PersonalToken,
    /// `/api/v4/personal_access_tokens/self/rotate`
    Rotate,
    /// Everything else below `/api/v4`
    Api,
    /// Git's smart HTTP
    Git,
    /// LFS: batch and locks
    Lfs,
    /// LFS: the objects themselves
    LfsObject,
    /// Anything else
    Other,
    /// In a fault: every one of the above.
    Any,
}

impl Endpoint {
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/users/sign_in" => Self::SignIn,
            "/oauth/authorize" => Self::Authorize,
            "/oauth/token" => Self::Token,
            "/oauth/token/info" => Self::TokenInfo,
            "/oauth/revoke" => Self::Revoke,
            "/oauth/introspect" => Self::Introspect,
            "/oauth/userinfo" => Self::UserInfo,
            "/oauth/authorize_device" => Self::AuthorizeDevice,
            "/oauth/device" | "/oauth/device/confirm" => Self::Device,
            "/oauth/discovery/keys" => Self::Discovery,
            "/api/v4/user" => Self::User,
            "/api/v4/personal_access_tokens/self" => Self::PersonalToken,
            "/api/v4/personal_access_tokens/self/rotate" => Self::Rotate,
            _ if path.starts_with("/.well-known/") => Self::Discovery,
            _ if path.starts_with("/api/v4/") => Self::Api,
            _ if crate::lfs::is_object(path) => Self::LfsObject,
            _ if crate::lfs::is_lfs(path) => Self::Lfs,
            _ if crate::git::is_git(path) => Self::Git,
            _ => Self::Other,
        }
    }
}

/// Parameters whose values may appear in the log. All others are secrets, or might be.
const PRINTABLE: &[&str] = &[
    "archived",
    "client_id",
    "code_challenge_method",
    "expires_at",
    "grant_type",
    "id_after",
    "id_before",
    "include_subgroups",
    "membership",
    "min_access_level",
    "order_by",
    "page",
    "pagination",
    "per_page",
    "redirect_uri",
    "response_type",
    "scope",
    "search",
    "search_namespaces",
    "service",
    "simple",
    "sort",
];

/// One request, entered when it arrives and completed when it is answered.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// When it arrived, since the Unix epoch, by the server's clock (in JSON: seconds).
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// `GET`, `POST`, …
    pub method: String,
    /// Below the base path.
    pub path: String,
    /// Which part of GitLab it went to.
    pub endpoint: Endpoint,
    /// The query; values that are or might be secret read `[secret]`.
    pub query: BTreeMap<String, String>,
    /// The form, in the same way.
    pub form: BTreeMap<String, String>,
    /// The names of the headers that carried credentials, with the scheme for `Authorization`.
    pub credentials: Vec<String>,
    /// The user it was answered for.
    pub who: Option<String>,
    /// The status that was sent; `None` while it is being answered, and for ever if it never is.
    pub status: Option<u16>,
}

impl Request {
    pub(crate) fn new(call: &Call, endpoint: Endpoint, at: Duration) -> Self {
        Self {
            at,
            method: call.method.to_string(),
            path: call.path.clone(),
            endpoint,
            query: printable(call.query.iter()),
            form: printable(call.form.iter()),
            credentials: credentials(call),
            who: None,
            status: None,
        }
    }

    /// `grant_type` of a token request.
    pub fn grant_type(&self) -> Option<&str> {
        self.form.get("grant_type").map(String::as_str)
    }

    /// Whether this asked for a refresh.
    pub fn is_refresh(&self) -> bool {
        self.endpoint == Endpoint::Token && self.grant_type() == Some("refresh_token")
    }
}

fn seconds<S: Serializer>(moment: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(moment.as_secs_f64())
}

fn printable<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let shown = params.map(|(name, value)| {
        let value = if PRINTABLE.contains(&name) { value } else { "[secret]" };
        (name.to_owned(), value.to_owned())
    });
    shown.collect()
}

fn credentials(call: &Call) -> Vec<String> {
    let scheme = call.header("authorization").and_then(|value| value.split(' ').next());
    let scheme = scheme.map(|scheme| format!("Authorization: {scheme}"));
    let token = call.header("private-token").map(|_| "PRIVATE-TOKEN".to_owned());
    scheme.into_iter().chain(token).collect()
}
