//! Faults: ways in which the network, a proxy, or GitLab itself lets a client down.

use crate::{log::Endpoint, oauth, server::Answer, world::World};
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// One fault, waiting for a request it applies to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The requests it hits.
    pub on: Endpoint,
    /// Whether the server still does what it was asked.
    #[serde(default)]
    pub when: When,
    /// What happens instead of a good answer.
    pub what: What,
    /// How many requests it hits; `None` for all, until [`crate::StandIn::clear_faults`].
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// A fault that hits one request before it is processed.
    pub fn once(on: Endpoint, what: What) -> Self {
        Self { on, when: When::Before, what, times: Some(1) }
    }

    /// A fault that hits one request *after* it was processed: the row is rotated, the code is
    /// burnt, and the answer is lost (contract §1.5, §7.1).
    pub fn once_after(on: Endpoint, what: What) -> Self {
        Self { on, when: When::After, what, times: Some(1) }
    }
}

/// On which side of the server's own work the fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing is processed.
    #[default]
    Before,
    /// Everything is processed, then the answer is replaced.
    After,
}

/// What the client gets.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A status of its own, such as 429 with `Retry-After`, or 503.
    Status {
        /// The status code.
        code: u16,
        /// Name and value.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Sent as plain text.
        #[serde(default)]
        body: String,
    },
    /// The connection is reset (TCP RST).
    Reset,
    /// The connection is closed without an answer.
    Close,
    /// The connection stays open and nothing ever comes.
    Silence,
    /// The true answer's header, and half of its body. Always processed, whatever `when` says:
    /// there must be an answer to cut.
    Truncate,
    /// 200 and no body.
    Empty,
    /// 200 and a page of HTML, as from a captive portal.
    Html,
    /// 200, `application/json`, and not JSON.
    BrokenJson,
    /// 200, `application/json`, and exactly these bytes.
    Body(Vec<u8>),
    /// The true answer, this many seconds late (in JSON: a number). The request is processed even
    /// if the client has left by then.
    Delay(#[serde(deserialize_with = "seconds")] Duration),
    /// What a lagging replica answers about a living refresh token: `invalid_grant`, and the
    /// token is none the worse (§1.5).
    TransientInvalidGrant,
}

/// A number of seconds, as scripts write durations.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

/// What leaves the server in place of the true answer.
pub(crate) enum Damage {
    /// Another answer.
    Answer(Answer),
    /// The true answer, cut short.
    Cut,
    Reset,
    Close,
    Silence,
}

impl What {
    /// The damage; `None` for a delay, which leaves the answer whole.
    pub(crate) fn damage(&self) -> Option<Damage> {
        const JSON: &str = "application/json; charset=utf-8";
        Some(match self {
            Self::Status { code, headers, body } => {
                let mut answer = Answer::text(*code, body.clone());
                answer.headers.extend(headers.iter().cloned());
                Damage::Answer(answer)
            }
            Self::Reset => Damage::Reset,
            Self::Close => Damage::Close,
            Self::Silence => Damage::Silence,
            Self::Truncate => Damage::Cut,
            Self::Empty => Damage::Answer(Answer::new(200, JSON, "")),
            Self::Html => {
                let page = "<!DOCTYPE html><title>Welcome</title><p>Please accept our terms.</p>";
                Damage::Answer(Answer::html(200, page.to_owned()))
            }
            Self::BrokenJson => Damage::Answer(Answer::new(200, JSON, r#"{"access_token":"#)),
            Self::Body(bytes) => Damage::Answer(Answer::new(200, JSON, bytes.clone())),
            Self::Delay(_) => return None,
            Self::TransientInvalidGrant => Damage::Answer(oauth::OAuthError::InvalidGrant.answer(None)),
        })
    }
}

impl World {
    /// The fault that hits this request, if any; the one that was set first goes first.
    pub(crate) fn take_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let hit = |fault: &Fault| fault.on == endpoint || fault.on == Endpoint::Any;
        let index = self.faults.iter().position(hit)?;
        let fault = &mut self.faults[index];
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
        }
        let taken = fault.clone();
        if taken.times == Some(0) {
            self.faults.remove(index);
        }
        Some(taken)
    }
}
