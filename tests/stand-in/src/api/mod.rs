//! The few REST calls a credential helper has a use for (contract §3).

mod auth;
mod personal_tokens;
mod projects;

use crate::{
    server::{Answer, Call},
    world::{User, World},
};
use auth::Caller;
use hyper::Method;
use serde_json::{Value, json};

/// Everything below `/api/v4`.
pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let path = call.path.strip_prefix("/api/v4").unwrap_or_default();
    let get = call.method == Method::GET;
    if path.starts_with("/personal_access_tokens/self") {
        if !personal_tokens::is_known(world, call) {
            return not_found("404 Not Found");
        }
        personal_tokens::punish_reuse(world, call);
    }
    let caller = match auth::caller(world, call) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let who = caller.as_ref().map(|caller| caller.username.clone());
    let answer = match path {
        "/user" if get => auth::require(caller, auth::USER).map(|caller| user(world, &caller)),
        "/metadata" if get => auth::require(caller, auth::USER).map(|_| metadata(world)),
        "/version" if get => auth::require(caller, auth::USER).map(|_| version(world)),
        "/projects" if get => projects::list(world, call, caller, None),
        "/personal_access_tokens/self" | "/personal_access_tokens/self/rotate" => {
            personal_tokens::answer(world, call, caller)
        }
        _ => match (path.strip_prefix("/projects/"), group(path)) {
            (Some(id), _) if get && !id.contains('/') => projects::show(world, id, caller),
            (Some(rest), _) if get && rest.contains("/repository/branches/") => projects::branch(world, rest, caller),
            (_, Some(group)) if get => projects::list(world, call, caller, Some(group)),
            _ => Err(not_found("404 Not Found")),
        },
    };
    let answer = answer.unwrap_or_else(|refusal| refusal);
    Answer { who, ..answer }
}

/// The group whose projects are asked for.
fn group(path: &str) -> Option<&str> {
    path.strip_prefix("/groups/")?.strip_suffix("/projects").filter(|id| !id.contains('/'))
}

fn not_found(text: &str) -> Answer {
    let key = if text == "404 Not Found" { "error" } else { "message" };
    Answer::json(404, &json!({ key: text }))
}

fn user(world: &World, caller: &Caller) -> Answer {
    let user: &User = world.user(caller.user);
    let body = json!({
        "id": user.id.0,
        "username": user.username,
        "name": user.name,
        "state": "active",
        "locked": false,
        "avatar_url": Value::Null,
        "web_url": world.site.url(&format!("/{}", user.username)),
        "email": user.email(),
        "commit_email": user.commit_email(),
        "public_email": Value::Null,
        "two_factor_enabled": user.is(crate::world::UserFlag::TwoFactor),
    });
    Answer::json(200, &body)
}

fn metadata(world: &World) -> Answer {
    let body = json!({
        "version": version_text(world),
        "revision": "0000000",
        "enterprise": true,
        "kas": { "enabled": false, "externalUrl": Value::Null, "version": Value::Null },
        "web_url": world.site.url(""),
    });
    Answer::json(200, &body)
}

fn version(world: &World) -> Answer {
    Answer::json(200, &json!({ "version": version_text(world), "revision": "0000000" }))
}

fn version_text(world: &World) -> String {
    let (major, minor) = world.modes.version;
    format!("{major}.{minor}.0-ee")
}
