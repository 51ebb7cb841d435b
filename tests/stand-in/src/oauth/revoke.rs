//! `POST /oauth/revoke` (contract §1.8, §8).

use super::client::Credentials;
use crate::{
    pages,
    server::{Answer, Call},
    world::World,
};
use hyper::Method;
use serde_json::json;

/// Kills the row of an access or refresh token.
///
/// 200 proves nothing: an unknown token gets it too, and so does an *expired* access token, which
/// is no longer revocable while its refresh token lives on.
pub(crate) fn revoke(world: &mut World, call: &Call) -> Answer {
    if call.method != Method::POST {
        return pages::not_found();
    }
    let credentials = match Credentials::of(call) {
        Ok(credentials) => credentials,
        Err(error) => return error.answer(None),
    };
    let done = Answer::json(200, &json!({}));
    let token = call.form.get("token").unwrap_or_default();
    let now = world.clock.now();
    let by_access = world.pair_by_access(token);
    let Some(row) = by_access.or_else(|| world.pair_by_refresh(token)) else { return done };
    let client = credentials.and_then(|credentials| credentials.client(world));
    if client.is_none_or(|client| client.id != row.application) {
        let body = json!({
            "error": "unauthorized_client",
            "error_description": "You are not authorized to revoke this token",
        });
        return Answer::json(403, &body);
    }
    let revocable = by_access.is_none() || row.accessible(now);
    let (id, user) = (row.id, world.user(row.user).username.clone());
    if revocable {
        world.revoke_pair(id);
    }
    done.to(&user)
}
