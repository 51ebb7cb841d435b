//! What a token that a person made can say and do about itself: `/personal_access_tokens/self`.
//! The tokens of projects and groups are their bots' personal ones.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use oauth2::HttpResponse;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::oauth::{MAX_SCOPES, token};
use super::rest::REPLICA_LAG;
use super::{GitLab, Liveness, Trouble};
use crate::credential::printable;
use crate::daemon::clock::Timestamp;
use crate::daemon::secret::Secret;

/// What the server knows of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// It lives, and this is it.
    Known(Facts),
    /// The server does not say: it is older than GitLab 15.5, or the token may not ask.
    Untold,
    /// It is expired, revoked, or was never made.
    Dead,
}

/// A living token, as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The number of the user that it acts as.
    pub user_id: Option<u64>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made, by the server's clock.
    pub created_at: Option<Timestamp>,
    /// When it ends: the midnight (UTC) at which its last day begins.
    pub expires_at: Option<Timestamp>,
}

/// The token that a token was exchanged for.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl GitLab {
    /// What the server knows of a token. Like every question to the API, it is not counted among
    /// failed logins.
    pub async fn own_token(&self, token: &Secret) -> Result<Own, Trouble> {
        let own = self.ask_own(token).await?;
        if own != Own::Dead {
            return Ok(own);
        }
        tokio::time::sleep(REPLICA_LAG).await;
        self.ask_own(token).await
    }

    /// Whether a token lives.
    pub async fn token_lives(&self, token: &Secret) -> Result<Liveness, Trouble> {
        let liveness = self.ask_whether_it_lives(token).await?;
        if liveness != Liveness::Dead {
            return Ok(liveness);
        }
        tokio::time::sleep(REPLICA_LAG).await;
        self.ask_whether_it_lives(token).await
    }

    async fn ask_own(&self, token: &Secret) -> Result<Own, Trouble> {
        #[derive(Deserialize)]
        struct Answer {
            user_id: Option<u64>,
            scopes: Vec<String>,
            created_at: Option<String>,
            expires_at: Option<String>,
            active: Option<bool>,
        }
        let answer = self.http.send(self.http.get(&self.own_page(""), Some(token.expose()))?).await?;
        let status = answer.status().as_u16();
        match status {
            200 => {
                let unread = || Trouble::transient("the answer about the token is not what GitLab sends");
                let Answer { user_id, scopes, created_at, expires_at, active } = read(&answer).ok_or_else(unread)?;
                let expires_at = expires_at.map(|day| midnight(&day).ok_or_else(unread)).transpose()?;
                let scopes = scopes.iter().take(MAX_SCOPES).map(|scope| printable(scope, 100)).collect();
                Ok(match active {
                    Some(false) => Own::Dead,
                    _ => Own::Known(Facts { user_id, scopes, created_at: created_at.and_then(moment), expires_at }),
                })
            }
            401 if is_from_gitlab(&answer) => Ok(Own::Dead),
            // An older server takes "self" for a number that is none (400), or knows no such page.
            400 | 403 | 404 => Ok(Own::Untold),
            _ => Err(strange(status)),
        }
    }

    async fn ask_whether_it_lives(&self, token: &Secret) -> Result<Liveness, Trouble> {
        let alive = Liveness::Alive { expires_in: None, user_id: None };
        Ok(match self.ask_own(token).await? {
            Own::Known(_) => alive,
            Own::Dead => Liveness::Dead,
            Own::Untold => {
                let answer = self.ask_user(token).await?;
                match answer.status().as_u16() {
                    // A token whose scopes don't allow to ask is one that lives.
                    200 | 403 => alive,
                    401 if is_from_gitlab(&answer) => Liveness::Dead,
                    status => return Err(strange(status)),
                }
            }
        })
    }

    /// Exchanges a token for one that lives until a day, which kills it. One that was exchanged
    /// already must not come here: GitLab then revokes all that came of it.
    pub async fn rotate(&self, old: &Secret, until: Timestamp) -> Result<Rotated, Trouble> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
            expires_at: Option<String>,
        }
        let mut request = self.http.post_form(&self.own_page("/rotate"), &[("expires_at", &date(until))])?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", old.expose()));
        let mut bearer = bearer.map_err(|_| Trouble::transient("the token has characters that no header takes"))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let answer = self.http.send(request).await?;
        let status = answer.status().as_u16();
        let why = format!("the server answered {status} to the renewal of the token");
        // Whoever answers so is not GitLab, and GitLab may have done what it was asked.
        let lost = || Trouble::Transient { why: format!("{why}, not as GitLab does"), retry_after: None, lost: true };
        if !answer.status().is_success() {
            let refused = is_from_gitlab(&answer);
            return Err(if refused { Trouble::Refused { error: status.to_string(), why } } else { lost() });
        }
        let Answer { token: new, expires_at } = read(&answer).ok_or_else(lost)?;
        let expires_at = expires_at.map(|day| midnight(&day).unwrap_or(until));
        Ok(Rotated { token: token(&new).map_err(|_| lost())?, expires_at })
    }

    /// Revokes a token, and makes sure that it is dead.
    pub async fn revoke_own(&self, token: &Secret) -> Result<(), Trouble> {
        let mut request = self.http.get(&self.own_page(""), Some(token.expose()))?;
        *request.method_mut() = Method::DELETE;
        let answer = self.http.send(request).await?;
        let status = answer.status().as_u16();
        if !answer.status().is_success() && status != 401 {
            let why = format!("the server answered {status} to that (GitLab does it since 15.4)");
            return Err(Trouble::Refused { error: status.to_string(), why });
        }
        self.expect_dead(|| self.ask_whether_it_lives(token)).await
    }

    fn own_page(&self, below: &str) -> String {
        self.instance.page(&format!("/api/v4/personal_access_tokens/self{below}"))
    }
}

/// What an answer says. serde's message could quote it, and it may be a token.
fn read<T: DeserializeOwned>(answer: &HttpResponse) -> Option<T> {
    serde_json::from_slice(answer.body()).ok()
}

/// Whether GitLab itself answered, and not a page of something before it.
fn is_from_gitlab(answer: &HttpResponse) -> bool {
    read::<serde_json::Map<String, serde_json::Value>>(answer).is_some()
}

fn strange(status: u16) -> Trouble {
    Trouble::transient(format!("the server answered {status} to the question whether the token lives"))
}

/// GitLab's tokens end when the day begins that is named.
fn midnight(day: &str) -> Option<Timestamp> {
    let zoned = day.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_second()))
}

fn moment(text: String) -> Option<Timestamp> {
    Some(Timestamp(text.parse::<jiff::Timestamp>().ok()?.as_second()))
}

fn date(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    moment.to_zoned(TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_first_moment_and_back() {
        let at = midnight("2026-12-01").expect("a date");
        assert_eq!(at, Timestamp(1_796_083_200));
        assert_eq!(moment("2026-12-01T00:00:00.000Z".into()), Some(at));
        assert_eq!((date(at), date(at.plus(86_399))), ("2026-12-01".into(), "2026-12-01".into()));
        assert_eq!((midnight("soon"), moment("soon".into())), (None, None));
    }
}
