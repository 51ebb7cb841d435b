//! `/personal_access_tokens/self` (contract §3).

use super::auth::{self, Caller};
use crate::{
    server::{Answer, Call},
    world::{StoredPersonalToken, World},
};
use hyper::Method;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn answer(world: &mut World, call: &Call, caller: Option<Caller>) -> Result<Answer, Answer> {
    let caller = caller.ok_or_else(auth::unauthorized)?;
    let rotate = call.path.ends_with("/rotate");
    let Some(id) = caller.personal_token else {
        return Err(match (&call.method, rotate) {
            (&Method::POST, true) => status(405, "405 Method Not Allowed"),
            _ => status(400, "400 Bad request - PAT required"),
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
        "created_at": format!("{}T00:00:00.000Z", date(row.created)),
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

fn midnight(moment: Duration) -> Duration {
    Duration::from_secs(moment.as_secs() / DAY.as_secs() * DAY.as_secs())
}

/// `YYYY-MM-DD` of a moment (the civil calendar from day numbers, after Howard Hinnant).
fn date(moment: Duration) -> String {
    let days = moment.as_secs() / DAY.as_secs() + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The midnight at which `YYYY-MM-DD` begins.
fn day(text: &str) -> Option<Duration> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..3000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    let days = year / 400 * 146_097 + of_era - 719_468;
    Some(Duration::from_secs(days * DAY.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::{date, day};

    #[test]
    fn dates_survive_the_round_trip() {
        for text in ["1970-01-01", "2000-02-29", "2026-11-22", "2100-03-01"] {
            assert_eq!(day(text).map(date).as_deref(), Some(text));
        }
        assert_eq!(day("2026-13-01"), None);
        assert_eq!(day("soon"), None);
    }
}
