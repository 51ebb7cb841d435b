//! The control interface: the library's methods for shell scripts, as JSON over HTTP.

use crate::{
    Application, BanLimits, Fault, Request as LogEntry, Role, UserFlag, Visibility,
    fault::seconds,
    world::{Scopes, Shared, Start, Unusable, World},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Answers one request of a script.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // Making a project runs git, which must not hold up GitLab's own answers.
    let outcome = tokio::task::spawn_blocking(move || {
        let path = parts.uri.path();
        match parts.method {
            Method::GET => tell(&shared.lock(), path),
            Method::POST => act(&shared, path, &body),
            _ => Err(Unusable("GET to ask, POST to act".to_owned())),
        }
    });
    let outcome = outcome.await.unwrap_or_else(|panic| Err(Unusable(panic.to_string())));
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(Unusable(why)) => (StatusCode::BAD_REQUEST, json!({ "error": why })),
    };
    let mut response = Response::new(Full::from(body.to_string() + "\n"));
    *response.status_mut() = status;
    Ok(response)
}

fn unknown(path: &str) -> Unusable {
    Unusable(format!("there is no {path} here"))
}

/// The questions.
fn tell(world: &World, path: &str) -> Result<Value, Unusable> {
    match path {
        "/requests" => to_json(&world.log),
        "/secrets" => to_json(world.secrets()),
        "/stats" => Ok(json!({
            "requests": world.log.len(),
            "token_requests": world.log.iter().filter(|entry| LogEntry::is_refresh(entry)).count(),
            "failed_logins": world.bans.total,
            "banned": world.bans.anyone_banned(world.clock.now()),
            "live_pairs": world.pairs.iter().filter(|pair| !pair.revoked).count(),
        })),
        _ => Err(unknown(path)),
    }
}

/// The actions. What they answer is `{}` unless there is something to tell.
fn act(shared: &Shared, path: &str, body: &[u8]) -> Result<Value, Unusable> {
    if path == "/project" {
        let project: ProjectCommand = parse(body)?;
        shared.add_project(&project.path, project.visibility, project.start)?;
        return Ok(json!({}));
    }
    let world = &mut *shared.lock();
    match path {
        "/user" => {
            let user: UserCommand = parse(body)?;
            return to_json(&world.add_user(&user.user, user.name.as_deref().unwrap_or(&user.user))?);
        }
        "/flag" => {
            let flag: FlagCommand = parse(body)?;
            let user = world.user_id(&flag.user)?;
            world.flag_user(user, flag.flag, flag.on);
        }
        "/application" => return to_json(&world.add_application(parse::<Application>(body)?)?),
        "/grant" => {
            let grant: GrantCommand = parse(body)?;
            let user = world.user_id(&grant.user)?;
            world.grant(user, &grant.path, grant.role)?;
        }
        "/tokens" => {
            let tokens: TokensCommand = parse(body)?;
            let user = world.user_id(&tokens.user)?;
            let application = world.application_id(&tokens.client_id)?;
            let scopes = Scopes::known(tokens.scopes.split_whitespace())?;
            let row = world.issue(user, application, scopes, world.modes.token_lifetime);
            return Ok(json!({ "access_token": row.access, "refresh_token": row.refresh }));
        }
        "/expire" => {
            let who: Whose = parse(body)?;
            let user = world.user_id(&who.user)?;
            world.expire_access_tokens(user);
        }
        "/revoke" => {
            let who: Whose = parse(body)?;
            let user = world.user_id(&who.user)?;
            let application = who.client_id.map(|id| world.application_id(&id)).transpose()?;
            world.revoke_tokens(user, application);
        }
        "/fault" => world.faults.push(parse::<Fault>(body)?),
        "/clear-faults" => world.faults.clear(),
        "/ban" => world.bans.limits = parse::<Option<BanLimits>>(body)?,
        "/advance" => world.clock.advance(parse::<Advance>(body)?.seconds),
        _ => return Err(unknown(path)),
    }
    Ok(json!({}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unusable> {
    serde_json::from_slice(body).map_err(|error| Unusable(error.to_string()))
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Value, Unusable> {
    serde_json::to_value(value).map_err(|error| Unusable(error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserCommand {
    user: String,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlagCommand {
    user: String,
    flag: UserFlag,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectCommand {
    path: String,
    #[serde(default)]
    visibility: Visibility,
    #[serde(default)]
    start: Start,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantCommand {
    user: String,
    path: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensCommand {
    user: String,
    client_id: String,
    scopes: String,
}

/// Whose tokens, and of one application only if it is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    user: String,
    client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(deserialize_with = "seconds")]
    seconds: Duration,
}
