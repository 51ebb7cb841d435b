//! A failure that may pass, and the waits until it is tried again.

use crate::daemon::clock::Timestamp;

/// After a failure the next try waits 5 s, then twice as long each time...
const FIRST_WAIT: i64 = 5;

/// ...up to five minutes, so that a server that comes back is noticed soon.
const LONGEST_WAIT: i64 = 300;

/// Somebody who asks gets a try at once, so that a network that comes back is noticed with the
/// next command; but a loop of commands is no reason for a loop of requests.
const ASKED_WAIT: i64 = 2;

/// `invalid_grant` may come from a database replica that lags behind (gitlab#599181: it worked
/// minutes later). So it is believed after it was repeated at these distances, in seconds.
pub(super) const REFUSED_WAITS: [i64; 3] = [10, 50, 180];

/// A failure that may pass, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// What the last try met.
    pub why: String,
    /// When a timer tries again.
    retry_at: Timestamp,
    /// When the last try failed.
    last: Timestamp,
    /// Not even for somebody who asks is it tried earlier than this.
    not_before: Timestamp,
    tries: u32,
    /// How many of the last tries ended with `invalid_grant` or the like.
    refused: usize,
}

impl Trouble {
    /// The next failure after `before`, tried again by a timer and for who asks at these times.
    fn after(before: Option<&Self>, now: Timestamp, why: String, retry_at: Timestamp, not_before: Timestamp) -> Self {
        let (since, tries) = before.map_or((now, 0), |before| (before.since, before.tries));
        Self { since, why, retry_at, last: now, not_before, tries: tries + 1, refused: 0 }
    }

    /// The same where nobody knows how long it lasts: the waits grow, and are spread by `jitter`
    /// (from 0 to 1), because many machines must not come back in the same second.
    pub(super) fn passing(
        before: Option<&Self>,
        now: Timestamp,
        why: String,
        retry_after: Option<i64>,
        jitter: f64,
    ) -> Self {
        let tries = before.map_or(0, |before| before.tries);
        let longest = LONGEST_WAIT.min(FIRST_WAIT.saturating_mul(1 << tries.min(16)));
        let wait = longest - (longest as f64 / 2.0 * jitter) as i64;
        // A server that names a time is believed, up to an hour.
        let named = retry_after.map(|seconds| now.plus(seconds.clamp(1, 3600)));
        let (retry_at, not_before) = (now.plus(wait), now.plus(ASKED_WAIT));
        Self::after(before, now, why, named.unwrap_or(retry_at), named.unwrap_or(not_before))
    }

    /// The server refused the refresh token. One refusal is no proof; a few in a row are, and then
    /// the reason comes back.
    pub(super) fn refused(before: Option<&Self>, now: Timestamp, why: String) -> Result<Self, String> {
        let refused = before.map_or(0, |before| before.refused);
        match REFUSED_WAITS.get(refused) {
            Some(wait) => {
                let again = now.plus(*wait);
                Ok(Self { refused: refused + 1, ..Self::after(before, now, why, again, again) })
            }
            None => Err(why),
        }
    }

    /// Only now it is known what the last try has done.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        self.not_before = self.not_before.max(now.plus(ASKED_WAIT));
    }

    /// The server refuses to tell.
    pub(super) fn not_told(before: Option<&Self>, now: Timestamp, why: String, jitter: f64) -> Self {
        let refused = before.map_or(0, |before| before.refused) + 1;
        Self { refused, ..Self::passing(before, now, why, None, jitter) }
    }

    /// How many of the last tries were refused, one after the other.
    pub(super) fn refusals(&self) -> usize {
        self.refused
    }

    /// Whether the last try ended with a refusal.
    pub(super) fn is_refusal(&self) -> bool {
        self.refused > 0
    }

    /// When somebody who asks causes another try.
    pub(super) fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When a timer tries again. A clock that was set back makes no wait longer.
    pub fn retry_at(&self, now: Timestamp) -> Timestamp {
        if now < self.last { now } else { self.retry_at }
    }

    /// Whether it is too early for another try; after a clock was set back it is not.
    pub(super) fn blocks(&self, now: Timestamp) -> bool {
        now < self.not_before && now >= self.last
    }
}
