//! `POST /oauth/token`: the choice of a grant, and the answer with tokens (contract §1.4).

use super::{OAuthError, client::Credentials, code, device, error::unstored, refresh};
use crate::{
    pages,
    server::{Answer, Call},
    world::World,
};
use hyper::Method;
use serde_json::json;
use std::time::Duration;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) fn token(world: &mut World, call: &Call) -> Answer {
    if call.method != Method::POST {
        return pages::not_found();
    }
    match grant(world, call) {
        Ok(pair) => success(world, pair),
        Err(error) => error.answer(call.form.get("state")),
    }
}

/// Runs the grant; the result is the id of the new row.
fn grant(world: &mut World, call: &Call) -> Result<u64, OAuthError> {
    let credentials = Credentials::of(call)?;
    let credentials = credentials.as_ref();
    match call.form.get("grant_type").ok_or(OAuthError::MissingParameter("grant_type"))? {
        "authorization_code" => code::exchange(world, call, credentials),
        "refresh_token" => refresh::refresh(world, call, credentials),
        DEVICE_CODE if world.modes.device_grant => device::poll(world, call, credentials),
        // Switched on in GitLab, but not for these applications.
        "password" | "client_credentials" => Err(OAuthError::UnauthorizedClient),
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}

/// The answer for a new row. Blank keys are left out, as Doorkeeper does.
fn success(world: &World, id: u64) -> Answer {
    let now = world.clock.now();
    let row = world.pairs.iter().find(|pair| pair.id == id).expect("the row was just made");
    let mut body = json!({
        "access_token": row.access,
        "token_type": "Bearer",
        "refresh_token": row.refresh,
        "created_at": row.created.as_secs(),
    });
    if let Some(left) = row.remaining(now).filter(|_| !world.modes.omit_expires_in) {
        body["expires_in"] = whole_seconds(left).into();
    }
    if !row.scopes.is_empty() {
        body["scope"] = row.scopes.to_string().into();
    }
    unstored(Answer::json(200, &body)).to(&world.user(row.user).username)
}

/// Rounded up: Doorkeeper counts whole seconds, and a new row has all of its life.
pub(super) fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
