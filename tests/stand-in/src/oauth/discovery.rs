//! The discovery documents (contract §1.1).

use crate::{
    pages,
    server::{Answer, Call},
    world::World,
};
use serde_json::{Value, json};

pub(crate) fn discovery(world: &mut World, call: &Call) -> Answer {
    match call.path.as_str() {
        "/.well-known/openid-configuration" => Answer::json(200, &document(world)),
        "/.well-known/oauth-authorization-server" => {
            let mut document = document(world);
            // Loses the sub-path, like the device page's address.
            document["registration_endpoint"] = format!("{}/oauth/register", world.site.origin).into();
            Answer::json(200, &document)
        }
        _ => pages::not_found(),
    }
}

/// Note what is *not* there: no `device_authorization_endpoint`, the device grant under
/// Doorkeeper's name instead of its URN, and no word of public clients.
fn document(world: &World) -> Value {
    let url = |path: &str| world.site.url(path);
    json!({
        "issuer": url(""),
        "authorization_endpoint": url("/oauth/authorize"),
        "token_endpoint": url("/oauth/token"),
        "revocation_endpoint": url("/oauth/revoke"),
        "introspection_endpoint": url("/oauth/introspect"),
        "userinfo_endpoint": url("/oauth/userinfo"),
        "jwks_uri": url("/oauth/discovery/keys"),
        "scopes_supported": crate::world::Scopes::all_names(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            "authorization_code", "password", "client_credentials", "device_code", "refresh_token",
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "sub_legacy", "name", "nickname",
            "preferred_username", "email", "email_verified", "website", "profile", "picture",
            "groups",
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
    })
}
