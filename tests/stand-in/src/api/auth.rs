//! Who is calling the API, and with which scopes (contract §3).

use crate::{
    server::{Answer, Call},
    world::{Scopes, UserFlag, UserId, World},
};
use serde_json::json;

/// Scopes of which one is needed to read about oneself or the installation.
pub(super) const USER: &[&str] = &["read_user", "read_api", "api"];
/// The same for projects.
pub(super) const PROJECTS: &[&str] = &["read_api", "api"];

/// A caller whose token is good.
pub(super) struct Caller {
    pub(super) user: UserId,
    pub(super) username: String,
    pub(super) scopes: Scopes,
    /// The id of the personal access token, if it is one.
    pub(super) personal_token: Option<u64>,
}

/// What GitLab finds wrong with a token, in the order in which it looks.
enum Wrong {
    Unknown,
    Expired,
    Revoked,
}

/// The caller; `Ok(None)` without credentials.
pub(super) fn caller(world: &World, call: &Call) -> Result<Option<Caller>, Answer> {
    let Some(token) = call.header("private-token").or_else(|| call.bearer()) else {
        return Ok(None);
    };
    let bearer = call.header("private-token").is_none();
    let caller = find(world, token, bearer).map_err(|wrong| refuse(&wrong))?;
    if world.user(caller.user).is(UserFlag::Blocked) {
        let text = "403 Forbidden - Your account has been blocked.";
        return Err(Answer::json(403, &json!({ "message": text })).to(&caller.username));
    }
    Ok(Some(caller))
}

/// Personal access tokens are taken in either header, OAuth tokens as Bearer only.
fn find(world: &World, token: &str, bearer: bool) -> Result<Caller, Wrong> {
    let now = world.clock.now();
    let row = world.pair_by_access(token).filter(|row| bearer && !world.too_new(row.created));
    let (user, scopes, expired, revoked, personal_token) = if let Some(row) = row {
        (row.user, &row.scopes, row.expired(now), row.revoked, None)
    } else {
        let own = world.personal_token(token).ok_or(Wrong::Unknown)?;
        (own.user, &own.scopes, own.expired(now), own.revoked, Some(own.id))
    };
    if expired {
        return Err(Wrong::Expired);
    }
    if revoked {
        return Err(Wrong::Revoked);
    }
    let username = world.user(user).username.clone();
    Ok(Caller { user, username, scopes: scopes.clone(), personal_token })
}

fn refuse(wrong: &Wrong) -> Answer {
    let text = match wrong {
        Wrong::Unknown => return unauthorized(),
        Wrong::Expired => "Token is expired. You can either do re-authorization or token refresh.",
        Wrong::Revoked => "Token was revoked. You have to re-authorize from the user.",
    };
    bearer_error(401, &json!({ "error": "invalid_token", "error_description": text }))
}

/// For tokens nobody has heard of, and for none at all.
pub(super) fn unauthorized() -> Answer {
    Answer::json(401, &json!({ "message": "401 Unauthorized" }))
}

/// Demands a caller with one of these scopes.
pub(super) fn require(caller: Option<Caller>, scopes: &[&str]) -> Result<Caller, Answer> {
    let caller = caller.ok_or_else(unauthorized)?;
    if caller.scopes.contains_any(scopes) {
        return Ok(caller);
    }
    let body = json!({
        "error": "insufficient_scope",
        "error_description":
            "The request requires higher privileges than provided by the access token.",
        "scope": scopes.join(" "),
    });
    Err(Answer::json(403, &body))
}

/// An error in the form of `rack-oauth2`.
fn bearer_error(status: u16, body: &serde_json::Value) -> Answer {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let challenge = format!(
        "Bearer realm=\"Protected by OAuth 2.0\", error=\"{}\", error_description=\"{}\"",
        text("error"),
        text("error_description"),
    );
    Answer::json(status, body).with("WWW-Authenticate", challenge)
}
