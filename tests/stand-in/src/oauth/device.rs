//! The device grant, the client's side (contract §1.7).

use super::{OAuthError, client, client::Credentials, error::unstored};
use crate::{
    pages,
    server::{Answer, Call},
    world::{DeviceGrant, Scopes, World, random_bytes},
};
use hyper::Method;
use serde_json::json;

/// `POST /oauth/authorize_device`
pub(crate) fn authorize_device(world: &mut World, call: &Call) -> Answer {
    if call.method != Method::POST || !world.modes.device_grant {
        return pages::not_found();
    }
    let credentials = Credentials::of(call);
    let client = credentials.and_then(|credentials| client::client(world, credentials.as_ref()));
    let (application, allowed) = match client {
        Ok(client) => (client.id, client.scopes.clone()),
        Err(error) => return error.answer(call.form.get("state")),
    };
    let scopes = match call.form.get("scope") {
        Some(scope) => Scopes::parse(scope),
        None => Scopes::parse("api").common(&allowed),
    };
    if scopes.is_empty() || !scopes.within(&allowed) {
        // Not `invalid_scope`: the record is invalid, and Rails answers for it.
        let text = "<p class=\"error\">Validation failed: Scopes doesn't match configured on the \
                    server.</p>";
        return Answer::html(422, pages::page("422: The change you requested was rejected", text));
    }
    let now = world.clock.now();
    // Any request sweeps out everybody's expired grants.
    world.device_grants.retain(|grant| !grant.expired(now));
    let (device_code, user_code) = (world.mint(), user_code());
    world.remember_secret(&user_code);
    world.device_grants.push(DeviceGrant {
        application,
        device_code: device_code.clone(),
        user_code: Some(user_code.clone()),
        user: None,
        scopes,
        created: now,
        last_poll: None,
    });
    // Built from scheme and host only: on a sub-path installation this address is wrong, as
    // GitLab's is (contract §1.1).
    let verification_uri = format!("{}/oauth/device", world.site.origin);
    unstored(Answer::json(
        200,
        &json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
            "expires_in": DeviceGrant::LIFETIME.as_secs(),
            "interval": DeviceGrant::INTERVAL.as_secs(),
        }),
    ))
}

/// Eight characters of A–Z and 0–9.
fn user_code() -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letters = random_bytes().into_iter().take(8);
    letters.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// One poll of the token endpoint.
pub(super) fn poll(world: &mut World, call: &Call, credentials: Option<&Credentials>) -> Result<u64, OAuthError> {
    let client = client::client(world, credentials)?.id;
    let code = call.form.get("device_code").unwrap_or_default();
    let hit = |grant: &DeviceGrant| grant.device_code == code && grant.application == client;
    let index = world.device_grants.iter().position(hit).ok_or(OAuthError::InvalidGrant)?;
    let now = world.clock.now();
    if world.device_grants[index].expired(now) {
        // Said once: with the grant gone, the next poll is an `invalid_grant`.
        world.device_grants.remove(index);
        return Err(OAuthError::ExpiredToken);
    }
    let grant = &mut world.device_grants[index];
    if grant.last_poll.is_some_and(|last| now < last + DeviceGrant::INTERVAL) {
        return Err(OAuthError::SlowDown);
    }
    grant.last_poll = Some(now);
    let Some(user) = grant.user.filter(|_| grant.user_code.is_none()) else {
        return Err(OAuthError::AuthorizationPending);
    };
    let grant = world.device_grants.remove(index);
    Ok(world.issue(user, client, grant.scopes, world.modes.token_lifetime).id)
}
