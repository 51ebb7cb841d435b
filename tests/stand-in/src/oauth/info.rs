//! Questions about a token: `token/info`, `introspect`, `userinfo` (contract §1.8, §3).

use super::{OAuthError, client::Credentials, token::whole_seconds};
use crate::{
    pages,
    server::{Answer, Call},
    world::{PairRow, UserFlag, UserId, World},
};
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Doorkeeper's answer to a token it does not take.
fn invalid_token() -> Answer {
    let text = "The access token is invalid";
    let body = json!({ "error": "invalid_token", "error_description": text, "state": "unauthorized" });
    let challenge = format!("Bearer realm=\"Doorkeeper\", error=\"invalid_token\", error_description=\"{text}\"");
    Answer::json(401, &body).with("WWW-Authenticate", challenge)
}

/// The living row of the request's bearer token. The user's state is not looked at (§8).
fn bearer_row<'a>(world: &'a World, call: &Call) -> Option<&'a PairRow> {
    let token = call.bearer().or_else(|| call.query.get("access_token"))?;
    world.pair_by_access(token).filter(|row| row.accessible(world.clock.now()))
}

/// `GET /oauth/token/info`: needs no scope and is outside git's ban counter.
pub(crate) fn token_info(world: &mut World, call: &Call) -> Answer {
    if call.method != Method::GET {
        return pages::not_found();
    }
    let Some(row) = bearer_row(world, call) else { return invalid_token() };
    let scopes: Vec<&str> = row.scopes.iter().collect();
    let left = row.remaining(world.clock.now()).map(whole_seconds);
    let body = json!({
        "resource_owner_id": row.user.0,
        "scope": scopes,
        "expires_in": left,
        "application": { "uid": world.application(row.application).client_id },
        "created_at": row.created.as_secs(),
        "scopes": scopes,
        "expires_in_seconds": left,
    });
    Answer::json(200, &body).to(&world.user(row.user).username)
}

/// `POST /oauth/introspect`
pub(crate) fn introspect(world: &mut World, call: &Call) -> Answer {
    if call.method != Method::POST {
        return pages::not_found();
    }
    match introspection(world, call) {
        Ok(body) => Answer::json(200, &body),
        Err(error) => error.answer(None),
    }
}

fn introspection(world: &World, call: &Call) -> Result<Value, OAuthError> {
    let credentials = Credentials::of(call)?;
    let client = credentials.as_ref().map(|credentials| credentials.client(world).ok_or(OAuthError::InvalidClient));
    let client = client.transpose()?;
    let token = call.form.get("token").ok_or(OAuthError::MissingParameter("token"))?;
    let asker = match (client, bearer_row(world, call)) {
        (Some(client), _) => client.id,
        // A bearer cannot ask about itself.
        (None, Some(row)) if row.access != token => row.application,
        (None, _) => return Err(OAuthError::InvalidRequest),
    };
    let now = world.clock.now();
    let row = world.pair_by_access(token).or_else(|| world.pair_by_refresh(token));
    // The access token's life decides, even when the question is about the refresh token.
    let row = row.filter(|row| row.accessible(now) && row.application == asker);
    let Some(row) = row else { return Ok(json!({ "active": false })) };
    let mut body = json!({
        "active": true,
        "scope": row.scopes.to_string(),
        "client_id": world.application(row.application).client_id,
        "token_type": "Bearer",
        "iat": row.created.as_secs(),
    });
    if let Some(life) = row.lifetime {
        body["exp"] = (row.created + life).as_secs().into();
    }
    Ok(body)
}

/// `GET` or `POST /oauth/userinfo`: needs `openid`.
pub(crate) fn user_info(world: &mut World, call: &Call) -> Answer {
    if ![Method::GET, Method::POST].contains(&call.method) {
        return pages::not_found();
    }
    let Some(row) = bearer_row(world, call) else { return invalid_token() };
    if !row.scopes.contains("openid") {
        let text = "Access to this resource requires scope \"openid\".";
        let body = json!({ "error": "insufficient_scope", "error_description": text, "state": "forbidden" });
        return Answer::json(403, &body);
    }
    let user = world.user(row.user);
    let groups: Vec<&str> = world
        .roles
        .iter()
        .filter(|(member, place, _)| *member == row.user && world.project(place).is_none())
        .map(|(_, place, _)| place.as_str())
        .collect();
    let body = json!({
        "sub": row.user.0.to_string(),
        "sub_legacy": legacy_subject(row.user),
        "name": user.name,
        "nickname": user.username,
        "preferred_username": user.username,
        "email": user.email(),
        "email_verified": !user.is(UserFlag::UnconfirmedEmail),
        "profile": world.site.url(&format!("/{}", user.username)),
        "picture": Value::Null,
        "groups": groups,
    });
    Answer::json(200, &body).to(&user.username)
}

/// The subject of old versions was a hash of the id with the instance's secret.
fn legacy_subject(user: UserId) -> String {
    let hash = Sha256::digest(format!("{}-stand-in", user.0));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
