//! The `authorization_code` grant (contract §1.3, §1.6).

use super::{OAuthError, client, client::Credentials};
use crate::{
    server::Call,
    world::{Code, World},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a code is good.
const LIFETIME: Duration = Duration::from_secs(600);

/// Exchanges a code for a new row. Only success burns the code.
pub(super) fn exchange(world: &mut World, call: &Call, credentials: Option<&Credentials>) -> Result<u64, OAuthError> {
    let value = call.form.get("code").ok_or(OAuthError::MissingParameter("code"))?;
    let index = world.codes.iter().position(|code| code.value == value);
    let code = index.map(|index| &world.codes[index]);

    // Doorkeeper checks parameters, client, code, redirect URI, verifier: in this order.
    let verifier = call.form.get("code_verifier");
    if code.is_some_and(|code| code.challenge.is_some()) && verifier.is_none() {
        return Err(OAuthError::MissingParameter("code_verifier"));
    }
    let redirect_uri = call.form.get("redirect_uri");
    let redirect_uri = redirect_uri.ok_or(OAuthError::MissingParameter("redirect_uri"))?;
    let client = client::client(world, credentials)?.id;

    let now = world.clock.now();
    let alive = |code: &&Code| code.application == client && !code.used && now < code.created + LIFETIME;
    let code = code.filter(alive).ok_or(OAuthError::InvalidGrant)?;
    if code.redirect_uri != redirect_uri || !verified(code, verifier) {
        return Err(OAuthError::InvalidGrant);
    }
    let (user, scopes) = (code.user, code.scopes.clone());
    if let Some(index) = index {
        world.codes[index].used = true;
    }
    Ok(world.issue(user, client, scopes, world.modes.token_lifetime).id)
}

/// A verifier without a challenge is as wrong as a challenge without a verifier.
fn verified(code: &Code, verifier: Option<&str>) -> bool {
    match (&code.challenge, verifier) {
        (None, verifier) => verifier.is_none(),
        (Some(_), None) => false,
        (Some(challenge), Some(verifier)) if challenge.s256 => {
            challenge.value == BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
        }
        (Some(challenge), Some(verifier)) => challenge.value == verifier,
    }
}
