//! When to serve a token, when to renew it, when to doubt it, and when to give up.
//!
//! Pure: it is told what happened and what time it is, and says what to do. Nothing here reads a
//! clock, waits, or talks to anyone, so every promise about time can be tested as a table.
//!
//! A refresh kills the access token at the server at once, under the feet of any git command
//! that still uses it, and git does not retry after a 401. So a renewal never comes earlier than
//! it must: when somebody asks and too little life is left, or near the token's end in a quiet
//! moment.

use super::clock::Timestamp;

/// A token in git's hands has to live as long as the command: ten minutes, unless the person,
/// git config or the caller says otherwise.
pub const MIN_LIFE: i64 = 600;

/// Nobody asked for so long: no command that uses the token is likely to be running.
const QUIET: i64 = 900;

/// Without being asked a pair is renewed at most this often, whatever life the server grants.
const UNASKED: i64 = 30;

/// After a failure the next try waits 5 s, then twice as long each time...
const FIRST_WAIT: i64 = 5;

/// ...up to five minutes, so that a server that comes back is noticed soon.
const LONGEST_WAIT: i64 = 300;

/// Somebody who asks gets a try at once, so that a network that comes back is noticed with the
/// next command; but a loop of commands is no reason for a loop of requests.
const ASKED_WAIT: i64 = 2;

/// `invalid_grant` may come from a database replica that lags behind (gitlab#599181: it worked
/// minutes later). So it is believed after it was repeated at these distances, in seconds.
const REFUSED_WAITS: [i64; 3] = [10, 50, 180];

/// GitLab may ban an address after 10 failed logins in a minute, if its administrator kept the
/// defaults. Half of that in a minute is what we cause at most before we pause.
const REFUSALS: usize = 5;

/// The window for counting them, and the length of the pause.
const REFUSALS_WITHIN: i64 = 60;

/// What to do for somebody who asks for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Hand out the token.
    Serve,
    /// Ask the server whether the token is alive, then ask again here.
    Verify,
    /// Renew, then ask again here.
    Renew,
    /// There is nothing to hand out now.
    Refuse(Reason),
}

/// Why there is nothing to hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Only the person can help.
    Relink(Ended),
    /// It failed; who asks again then starts another try.
    Failed(String, Timestamp),
    /// The server refuses our tokens again and again; nothing is sent until then.
    Paused(Timestamp),
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The server refuses the refresh token, and goes on refusing it.
    #[error("{0}")]
    Refused(String),
    /// The server spent the refresh token, and nobody has what it gave for it.
    #[error("the server renewed it, but its answer was lost at {}", .0.clock_time())]
    AnswerLost(Timestamp),
    /// A token without a refresh token was revoked.
    #[error("the server has revoked the token")]
    Revoked,
    /// A token without a refresh token has come to its end.
    #[error("the token has ended and can't be renewed")]
    Expired,
}

/// A failure that may pass, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// What the last try met.
    pub why: String,
    /// When a timer tries again.
    pub retry_at: Timestamp,
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
    fn passing(before: Option<&Self>, now: Timestamp, why: String, retry_after: Option<i64>, jitter: f64) -> Self {
        let tries = before.map_or(0, |before| before.tries);
        let longest = LONGEST_WAIT.min(FIRST_WAIT.saturating_mul(1 << tries.min(16)));
        let wait = longest - (longest as f64 / 2.0 * jitter) as i64;
        // A server that names a time is believed, up to an hour.
        let named = retry_after.map(|seconds| now.plus(seconds.clamp(1, 3600)));
        let (retry_at, not_before) = (now.plus(wait), now.plus(ASKED_WAIT));
        Self::after(before, now, why, named.unwrap_or(retry_at), named.unwrap_or(not_before))
    }

    /// Whether it is too early for another try. A clock that was set back makes no wait longer.
    fn blocks(&self, now: Timestamp) -> bool {
        now < self.not_before && now >= self.last
    }
}

/// Life and health of one account's token pair.
#[derive(Debug, Clone)]
pub struct Schedule {
    min_life: i64,
    received_at: Timestamp,
    expires_at: Option<Timestamp>,
    renewable: bool,
    /// The server refused the access token, and we don't know yet whether it is dead.
    doubted: bool,
    /// The server said it is dead.
    dead: bool,
    /// When an answer was lost that may have carried the next pair.
    lost_at: Option<Timestamp>,
    /// Renewing fails.
    renewing: Option<Trouble>,
    /// Asking whether the access token lives fails.
    asking: Option<Trouble>,
    ended: Option<Ended>,
    served_at: Option<Timestamp>,
    refusals: Vec<Timestamp>,
}

impl Schedule {
    /// For a pair that came at `received_at`.
    pub fn new(min_life: i64, received_at: Timestamp, expires_at: Option<Timestamp>, renewable: bool) -> Self {
        Self {
            min_life,
            received_at,
            expires_at,
            renewable,
            doubted: false,
            dead: false,
            lost_at: None,
            renewing: None,
            asking: None,
            ended: None,
            served_at: None,
            refusals: Vec::new(),
        }
    }

    /// Somebody asks for a token that lives `min_life` seconds, or as long as usual.
    pub fn on_get(&self, now: Timestamp, min_life: Option<i64>) -> Step {
        if let Some(until) = self.paused(now) {
            return Step::Refuse(Reason::Paused(until));
        }
        if let Some(ended) = &self.ended {
            // What was granted last is good to its end.
            return if self.is_alive(now) { Step::Serve } else { Step::Refuse(Reason::Relink(ended.clone())) };
        }
        let failed = |trouble: &Trouble| Step::Refuse(Reason::Failed(trouble.why.clone(), trouble.not_before));
        if self.doubted {
            let blocking = self.asking.as_ref().filter(|trouble| trouble.blocks(now));
            return blocking.map_or(Step::Verify, failed);
        }
        let left = self.left(now);
        if left.is_none_or(|left| left > 0 && left >= self.wanted(min_life)) {
            return Step::Serve;
        }
        let blocking = self.renewing.as_ref().filter(|trouble| trouble.blocks(now));
        match (self.renewable, blocking) {
            (true, None) => Step::Renew,
            // Renewing failed just now; what is left of the old token is better than nothing.
            _ if left.is_some_and(|left| left > 0) => Step::Serve,
            (_, Some(trouble)) => failed(trouble),
            (false, None) => Step::Refuse(Reason::Relink(Ended::Expired)),
        }
    }

    /// Whether the token is known to be alive, whatever is left of its life. For somebody who can't
    /// wait for a renewal any longer.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.doubted && self.left(now).is_none_or(|left| left > 0) && self.paused(now).is_none()
    }

    /// A token was handed out.
    pub fn on_served(&mut self, now: Timestamp) {
        self.served_at = Some(now);
    }

    /// A request to renew may have been processed, and its answer is lost. The access token may
    /// be dead: the server is asked before it is served again. The refresh token may be spent: it
    /// is tried once more, which does no harm.
    pub fn on_lost(&mut self, at: Timestamp) {
        self.doubted = true;
        self.lost_at.get_or_insert(at);
    }

    /// The server refused the token with a 401. True if it is to be asked about it now.
    pub fn on_refused_token(&mut self, now: Timestamp) -> bool {
        if self.doubted || self.dead {
            return false; // several commands ran with the same token
        }
        self.doubted = true;
        if self.paused(now).is_some() {
            return false; // it is asked when the pause is over
        }
        self.refusals.retain(|at| now.since(*at) < REFUSALS_WITHIN);
        self.refusals.push(now);
        true
    }

    /// The server says whether a token lives.
    pub fn on_verified(&mut self, alive: bool) {
        self.doubted = false;
        self.asking = None;
        self.dead = !alive;
        if alive {
            self.lost_at = None; // a renewal would have killed it
        } else if !self.renewable {
            self.ended = Some(Ended::Revoked);
        }
    }

    /// A new pair has come.
    pub fn on_renewed(&mut self, received_at: Timestamp, expires_at: Option<Timestamp>, renewable: bool) {
        let refusals = std::mem::take(&mut self.refusals);
        let served_at = self.served_at;
        *self = Self { refusals, served_at, ..Self::new(self.min_life, received_at, expires_at, renewable) };
    }

    /// Renewing failed in a way that may pass. `jitter` is from 0 to 1.
    pub fn on_failed(&mut self, now: Timestamp, why: String, retry_after: Option<i64>, jitter: f64) {
        self.renewing = Some(Trouble::passing(self.renewing.as_ref(), now, why, retry_after, jitter));
    }

    /// Asking whether the token lives failed. `jitter` is from 0 to 1.
    pub fn on_unanswered(&mut self, now: Timestamp, why: String, retry_after: Option<i64>, jitter: f64) {
        self.asking = Some(Trouble::passing(self.asking.as_ref(), now, why, retry_after, jitter));
    }

    /// The server refused the refresh token. One refusal is no proof (see [`REFUSED_WAITS`]),
    /// unless an answer was lost before: then the token is spent, and here is why.
    pub fn on_refused_renewal(&mut self, now: Timestamp, why: String) {
        if let Some(at) = self.lost_at {
            self.ended = Some(Ended::AnswerLost(at));
            return;
        }
        let refused = self.renewing.as_ref().map_or(0, |trouble| trouble.refused);
        match REFUSED_WAITS.get(refused) {
            Some(wait) => {
                let again = now.plus(*wait);
                let trouble = Trouble::after(self.renewing.as_ref(), now, why, again, again);
                self.renewing = Some(Trouble { refused: refused + 1, ..trouble });
            }
            None => self.ended = Some(Ended::Refused(why)),
        }
    }

    /// When to look again without being asked; `None`: never.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.ended.is_some() || !self.renewable {
            return None;
        }
        let trouble = if self.doubted { &self.asking } else { &self.renewing };
        if let Some(trouble) = trouble.as_ref().or(self.asking.as_ref()) {
            return Some(trouble.retry_at);
        }
        if self.dead || self.doubted {
            return Some(self.pause_end().unwrap_or(self.received_at));
        }
        let end = self.expires_at?;
        let window = end.plus(-self.wanted(None));
        // At its end nothing is lost by renewing, so then it is done even if somebody is busy.
        let quiet = self.served_at.map_or(window, |at| at.plus(QUIET));
        Some(window.max(quiet).min(end.max(window)).max(self.received_at.plus(UNASKED)))
    }

    /// The timer rings: what is to be done, if anything.
    pub fn on_timer(&self, now: Timestamp) -> Option<Step> {
        let due = self.wake_at().is_some_and(|at| now >= at);
        // After a failed check of a healthy token, another check is enough.
        let check = self.doubted || (self.asking.is_some() && self.renewing.is_none() && !self.dead);
        due.then_some(if check { Step::Verify } else { Step::Renew })
    }

    /// Until when nothing is sent, if the server refused our tokens too often.
    pub fn paused(&self, now: Timestamp) -> Option<Timestamp> {
        // A clock that was set back is no reason for a longer pause.
        self.pause_end().filter(|until| (1..=REFUSALS_WITHIN).contains(&until.since(now)))
    }

    fn pause_end(&self) -> Option<Timestamp> {
        let first = self.refusals.len().checked_sub(REFUSALS)?;
        let last = *self.refusals.last()?;
        (last.since(self.refusals[first]) < REFUSALS_WITHIN).then(|| last.plus(REFUSALS_WITHIN))
    }

    /// The failure that lasts, if one does.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.renewing.as_ref().or(self.asking.as_ref())
    }

    /// Why only the person can help, if so.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The end to tell git, if it is sure: not when our clock was set back since the pair came.
    pub fn expiry_for_git(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|_| now >= self.received_at)
    }

    /// Seconds of life left; `None`: no end is known. A clock that was set back can't make a
    /// token live longer than it was granted.
    fn left(&self, now: Timestamp) -> Option<i64> {
        if self.dead {
            return Some(0);
        }
        self.expires_at.map(|end| end.since(now).min(end.since(self.received_at)))
    }

    /// Seconds of life to ask for: never more than half of what the server grants, or every get
    /// would renew.
    fn wanted(&self, min_life: Option<i64>) -> i64 {
        let wanted = min_life.unwrap_or(self.min_life).max(0);
        self.expires_at.map_or(wanted, |end| wanted.min(end.since(self.received_at) / 2))
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
