//! `/personal_access_tokens/self` (contract §3).

use super::auth::{self, Caller};
use crate::{
    server::{Answer, Call},
    world::{DAY, StoredPersonalToken, World, date, date_and_time, day, midnight},
};
use hyper::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Since when a token may look at itself, revoke itself and rotate itself (§3).
const SELF_SINCE: (u16, u16) = (15, 5);
const REVOKE_SINCE: (u16, u16) = (15, 4);
const ROTATE_SINCE: (u16, u16) = (16, 10);

/// GitLab lets a token live at most so many days. (Where a buffer is switched on, 400.)
const LONGEST_LIFE: u32 = 365;

/// Whether this version of GitLab has the route: where it has not, nobody is asked for a token.
pub(super) fn is_known(world: &World, call: &Call) -> bool {
    let since = match (&call.method, call.path.ends_with("/rotate")) {
        (_, true) => ROTATE_SINCE,
        (&Method::DELETE, _) => REVOKE_SINCE,
        _ => SELF_SINCE,
    };
    world.modes.version >= since
}

pub(super) fn answer(world: &mut World, call: &Call, caller: Option<Caller>) -> Result<Answer, Answer> {
    let caller = caller.ok_or_else(auth::unauthorized)?;
    let rotate = call.path.ends_with("/rotate");
    let Some(id) = caller.personal_token else {
        return Err(match (&call.method, rotate) {
            (&Method::POST, true) => status(405, "405 Method Not Allowed"),
            _ => status(400, "400 Bad request - This endpoint requires token type to be a personal access token"),
        });
    };
    match (&call.method, rotate) {
        (&Method::GET, false) => {
            let row = world.personal_tokens.iter().find(|row| row.id == id);
            let row = row.expect("the caller was found by it");
            Ok(Answer::json(200, &shown(row, world.clock.now(), None)))
        }
        (&Method::DELETE, false) => {
            revoke(world, |row| row.id == id);
            Ok(Answer { headers: Vec::new(), ..Answer::text(204, "") })
        }
        (&Method::POST, true) => {
            let caller = auth::require(Some(caller), &["api", "self_rotate"])?;
            self::rotate(world, call, &caller, id)
        }
        _ => Err(status(405, "405 Method Not Allowed")),
    }
}

/// A call with a token that was already rotated away: it is refused as revoked, but not before the
/// whole family is dead (from 16.3). Never retry a rotation blindly.
pub(super) fn punish_reuse(world: &mut World, call: &Call) {
    if call.method != Method::POST || !call.path.ends_with("/personal_access_tokens/self/rotate") {
        return;
    }
    let token = call.header("private-token").or_else(|| call.bearer()).unwrap_or_default();
    let family = world.personal_token(token).filter(|row| row.revoked).map(|row| row.family);
    if let Some(family) = family {
        revoke(world, |row| row.family == family);
    }
}

fn rotate(world: &mut World, call: &Call, caller: &Caller, id: u64) -> Result<Answer, Answer> {
    let now = world.clock.now();
    let expires = match call.form.get("expires_at").or_else(|| call.query.get("expires_at")) {
        Some(date) => day(date).ok_or_else(|| status(400, "expires_at is invalid"))?,
        None => midnight(now) + 7 * DAY,
    };
    let longest = midnight(now) + DAY * LONGEST_LIFE;
    if expires > longest {
        let text = format!("400 Bad request - Expiration date must be before {}", date(longest));
        return Err(status(400, &text));
    }
    let old = world.personal_tokens.iter().find(|row| row.id == id);
    let old = old.expect("the caller was found by it");
    let (name, family) = (old.name.clone(), old.family);
    revoke(world, |row| row.id == id);
    let fresh = world.add_personal_token(caller.user, &name, caller.scopes.clone(), Some(expires), Some(family));
    let row = world.personal_token(&fresh.token).expect("just added");
    Ok(Answer::json(200, &shown(row, now, Some(&fresh.token))))
}

fn revoke(world: &mut World, hit: impl Fn(&StoredPersonalToken) -> bool) {
    for row in world.personal_tokens.iter_mut().filter(|row| hit(row)) {
        row.revoked = true;
    }
}

fn status(code: u16, text: &str) -> Answer {
    Answer::json(code, &json!({ "message": text }))
}

fn shown(row: &StoredPersonalToken, now: Duration, token: Option<&str>) -> Value {
    let scopes: Vec<&str> = row.scopes.iter().collect();
    let mut body = json!({
        "id": row.id,
        "name": row.name,
        "revoked": row.revoked,
        "created_at": date_and_time(row.created),
        "scopes": scopes,
        "user_id": row.user.0,
        "last_used_at": Value::Null,
        "active": !row.revoked && !row.expired(now),
        "expires_at": row.expires.map(date),
    });
    if let Some(token) = token {
        body["token"] = token.into();
    }
    body
}
