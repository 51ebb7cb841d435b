//! The `refresh_token` grant: the heart of the stand-in (contract §1.5, §8).

use super::{OAuthError, client::Credentials};
use crate::{
    server::Call,
    world::{Scopes, World},
};

/// Replaces a row by a new one.
///
/// The old row, and with it both old tokens, is dead from the moment the new one exists, before
/// the client has heard of it. All checks come first, so a refused refresh costs nothing. That
/// the user is blocked is not among them.
pub(super) fn refresh(world: &mut World, call: &Call, credentials: Option<&Credentials>) -> Result<u64, OAuthError> {
    // The order is Doorkeeper's: parameter, token, client, the token's client, scope.
    let token = call.form.get("refresh_token");
    let token = token.ok_or(OAuthError::MissingParameter("refresh_token"))?;
    let row = world.pair_by_refresh(token).filter(|row| !row.revoked);
    let row = row.ok_or(OAuthError::InvalidGrant)?;
    // Without a word of a client the client check passes and the match below fails: so a missing
    // `client_id` reads `invalid_grant`, an unknown one `invalid_client`.
    let client = credentials.map(|credentials| credentials.client(world).ok_or(OAuthError::InvalidClient));
    let client = client.transpose()?.filter(|client| client.id == row.application);
    let client = client.ok_or(OAuthError::InvalidGrant)?;
    let scopes = match call.form.get("scope").map(Scopes::parse) {
        // Editing the application narrows its tokens, and never widens them.
        None => row.scopes.common(&client.scopes),
        Some(wanted) if wanted.within(&row.scopes) => wanted,
        Some(_) => return Err(OAuthError::InvalidScope),
    };

    let (old, user, application, lifetime) = (row.id, row.user, row.application, row.lifetime);
    world.revoke_pair(old);
    Ok(world.issue(user, application, scopes, lifetime).id)
}
