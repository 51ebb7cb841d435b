//! One login: its access token's life, its refresh token's health.

use super::trouble::Trouble;
use super::{Ended, Reason, Step, Successor, rotation};
use crate::daemon::clock::Timestamp;

/// A token in git's hands has to live as long as the command: ten minutes, unless the person,
/// git config or the caller says otherwise.
pub const MIN_LIFE: i64 = 600;

/// Nobody asked for so long: no command that uses the token is likely to be running.
const QUIET: i64 = 900;

/// Without being asked a pair is renewed at most this often, whatever life the server grants.
const UNASKED: i64 = 30;

/// The server may take a refresh token later that it has refused for minutes (a replica that was
/// hours behind, a database that was restored), and the pair is kept. So it is tried again, this
/// seldom that a login that has really ended costs nobody anything.
const ENDED: i64 = 3600;

/// So many times in a row the server says that it does not tell us whether a token lives, before it is
/// no longer asked. Somebody before it may have said so once by mistake.
const NOT_TOLD: usize = 3;

/// Life and health of one account's token pair.
#[derive(Debug, Clone)]
pub struct Schedule {
    min_life: i64,
    received_at: Timestamp,
    expires_at: Option<Timestamp>,
    successor: Successor,
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
    /// When a login that has ended is tried once more.
    again_at: Option<Timestamp>,
    served_at: Option<Timestamp>,
}

impl Schedule {
    /// For a pair that came at `received_at`.
    pub fn new(min_life: i64, received_at: Timestamp, expires_at: Option<Timestamp>, successor: Successor) -> Self {
        Self {
            min_life,
            received_at,
            expires_at,
            successor,
            doubted: false,
            dead: false,
            lost_at: None,
            renewing: None,
            asking: None,
            ended: None,
            again_at: None,
            served_at: None,
        }
    }

    /// Somebody asks for a token that lives `min_life` seconds, or as long as usual.
    pub fn on_get(&self, now: Timestamp, min_life: Option<i64>) -> Step {
        if let Some(ended) = self.ended(now) {
            // What was granted last is good to its end.
            return if self.is_alive(now) { Step::Serve } else { Step::Refuse(Reason::Relink(ended)) };
        }
        let failed = |trouble: &Trouble| Step::Refuse(Reason::Failed(trouble.why.clone(), trouble.not_before()));
        if self.must_ask(now) {
            let blocking = self.asking.as_ref().filter(|trouble| trouble.blocks(now));
            return blocking.map_or(Step::Verify, failed);
        }
        if self.lasts(now, min_life) {
            return Step::Serve;
        }
        let blocking = self.renewing.as_ref().filter(|trouble| trouble.blocks(now));
        match blocking {
            None if self.can_be_renewed(now) => Step::Renew,
            Some(trouble) if !self.is_alive(now) && trouble.is_refusal() => {
                Step::Refuse(Reason::Disbelieved(trouble.why.clone(), trouble.not_before()))
            }
            Some(trouble) if !self.is_alive(now) => failed(trouble),
            // What is left of the old token is better than nothing.
            _ => Step::Serve,
        }
    }

    /// Whether the server has to be asked about the token before anything else is done. Of one that has
    /// come to its end there is nothing to ask: what it was is replaced.
    fn must_ask(&self, now: Timestamp) -> bool {
        let is_over = self.granted(now).is_some_and(|left| left <= 0);
        self.doubted && !(is_over && self.successor == Successor::Refreshed)
    }

    /// Whether the token is known to be alive, whatever is left of its life. For somebody who can't
    /// wait for a renewal any longer.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.doubted && self.left(now).is_none_or(|left| left > 0)
    }

    /// Whether enough is left of the token's life for who asks, as far as its end is known.
    pub fn lasts(&self, now: Timestamp, min_life: Option<i64>) -> bool {
        self.left(now).is_none_or(|left| left > 0 && left >= self.wanted(min_life))
    }

    /// A token was handed out.
    pub fn on_served(&mut self, now: Timestamp) {
        self.served_at = Some(now);
    }

    /// A request to renew may have been processed, and its answer is lost. The access token may
    /// be dead: the server is asked before it is served again. A refresh token may be spent: it
    /// is tried once more, which does no harm.
    pub fn on_lost(&mut self, at: Timestamp) {
        self.doubted = true;
        // One that has ended is tried again all the same, and ended for another reason.
        if self.ended.is_none() {
            self.lost_at.get_or_insert(at);
        }
    }

    /// The server refused the token with a 401. True if that is news: several commands may have
    /// run with the same token.
    pub fn on_refused_token(&mut self) -> bool {
        let news = !self.doubted && !self.dead;
        if news {
            self.on_worked(); // who is doubted anew was believed till now
            self.doubted = true;
        }
        news
    }

    /// The server says whether a token lives. What could not be renewed before is served first to who
    /// waits for it, and then tried again.
    pub fn on_verified(&mut self, now: Timestamp, alive: bool) {
        if let Some(trouble) = self.renewing.as_mut().filter(|_| alive && self.lost_at.is_some()) {
            trouble.put_off(now);
        }
        self.doubted = false;
        self.asking = None;
        self.dead = !alive;
        match (self.successor, alive) {
            (Successor::Refreshed, false) => {}
            // A renewal would have killed it.
            (Successor::Refreshed, true) => self.lost_at = None,
            (_, true) => (self.lost_at, self.ended) = (None, None),
            (_, false) => self.ended = Some(self.lost_at.map_or(Ended::Revoked, Ended::AnswerLost)),
        }
    }

    /// The server can't be asked about such a token, so git's word is all there is.
    pub fn on_untold(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.doubted) {
            self.ended = Some(Ended::Disbelieved(now));
        }
    }

    /// When an answer was lost that may have ended the token, as long as nobody knows.
    pub fn lost_at(&self) -> Option<Timestamp> {
        self.lost_at
    }

    /// git says that the server took the token: it is believed again.
    pub fn on_worked(&mut self) {
        if matches!(self.ended, Some(Ended::Disbelieved(_))) {
            self.ended = None;
        }
    }

    /// The server says that it does not tell. A token that may be dead is then renewed, where that
    /// can be done: it was refused, or may be half of a pair that is spent.
    pub fn on_not_told(&mut self, now: Timestamp, why: String, jitter: f64) {
        let before = self.asking.take();
        let trouble = Trouble::not_told(before.as_ref(), now, why, jitter);
        let is_sure = trouble.refusals() >= NOT_TOLD;
        self.asking = Some(trouble);
        if is_sure && self.doubted && self.successor == Successor::Refreshed {
            self.on_verified(now, false);
        }
    }

    /// A new pair has come.
    pub fn on_renewed(&mut self, received_at: Timestamp, expires_at: Option<Timestamp>, successor: Successor) {
        let served_at = self.served_at;
        *self = Self { served_at, ..Self::new(self.min_life, received_at, expires_at, successor) };
    }

    /// Renewing failed in a way that may pass. `jitter` is from 0 to 1.
    pub fn on_failed(&mut self, now: Timestamp, why: String, retry_after: Option<i64>, jitter: f64) {
        match self.ended {
            Some(_) => self.again_at = Some(now.plus(ENDED)),
            None => self.renewing = Some(Trouble::passing(self.renewing.as_ref(), now, why, retry_after, jitter)),
        }
    }

    /// Asking whether the token lives failed. `jitter` is from 0 to 1.
    pub fn on_unanswered(&mut self, now: Timestamp, why: String, retry_after: Option<i64>, jitter: f64) {
        self.asking = Some(Trouble::passing(self.asking.as_ref(), now, why, retry_after, jitter));
    }

    /// The server refused the refresh token. One refusal is no proof (see [`Trouble::refused`]),
    /// unless an answer was lost before: then the token is spent, and here is why. A token that was
    /// to be exchanged itself may be dead, so it is asked about.
    pub fn on_refused_renewal(&mut self, now: Timestamp, why: String) {
        if self.successor != Successor::Refreshed {
            self.doubted = true;
            self.renewing = Some(Trouble::passing(self.renewing.as_ref(), now, why, None, 0.0));
            return;
        }
        if self.ended.is_some() {
            self.again_at = Some(now.plus(ENDED));
            return;
        }
        if let Some(at) = self.lost_at {
            self.ended = Some(Ended::AnswerLost(at));
            return;
        }
        match Trouble::refused(self.renewing.as_ref(), now, why) {
            Ok(trouble) => self.renewing = Some(trouble),
            Err(why) => (self.ended, self.again_at) = (Some(Ended::Refused(why)), Some(now.plus(ENDED))),
        }
    }

    /// When to look again without being asked; `None`: never.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.retry_at(now).or(self.renew_at(now))
    }

    /// When to look again at what is wrong.
    pub fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.ended(now).is_some() {
            // A clock that was set back makes no wait longer.
            return self.again_at.map(|at| at.min(now.plus(ENDED)));
        }
        let trouble = if self.must_ask(now) { &self.asking } else { &self.renewing };
        let retry_at = trouble.as_ref().or(self.asking.as_ref()).map(|trouble| trouble.retry_at(now));
        retry_at.or((self.dead || self.doubted).then_some(now))
    }

    /// When to renew a login that has no spare: in a quiet moment of the token's last minutes, or of
    /// the last days of one that must not reach its end.
    fn renew_at(&self, now: Timestamp) -> Option<Timestamp> {
        let end = self.expires_at.filter(|_| self.can_be_renewed(now))?;
        let short = end.plus(-self.wanted(None));
        let (window, latest) = match self.successor {
            Successor::Rotated => (end.plus(-rotation::window(self.life())).min(short), short),
            // At its end nothing is lost by renewing, so then it is done even if somebody is busy.
            _ => (short, end),
        };
        let quiet = self.served_at.map_or(window, |at| at.plus(QUIET));
        Some(window.max(quiet).min(latest.max(window)).max(self.received_at.plus(UNASKED)))
    }

    /// When too little life is left for who asks: from then on another login takes its turn.
    pub fn short_at(&self) -> Option<Timestamp> {
        let short_at = self.expires_at.map(|end| end.plus(1 - self.wanted(None)));
        let short_at = if self.dead { Some(self.received_at) } else { short_at };
        short_at.map(|at| at.max(self.received_at.plus(UNASKED)))
    }

    /// The timer rings: what is to be done, if anything.
    pub fn on_timer(&self, now: Timestamp) -> Option<Step> {
        let due = self.wake_at(now).is_some_and(|at| now >= at);
        due.then_some(if self.needs_check(now) { Step::Verify } else { Step::Renew })
    }

    /// Whether the server is to be asked about the token before anything else. After a failed
    /// check of a healthy token, another check is enough.
    pub fn needs_check(&self, now: Timestamp) -> bool {
        let failed = self.asking.is_some() && self.renewing.is_none() && !self.dead && !self.doubted;
        self.ended(now).is_none() && (failed || self.must_ask(now))
    }

    /// Whether there may be another token after this one.
    pub fn can_be_renewed(&self, now: Timestamp) -> bool {
        self.successor != Successor::None && self.ended(now).is_none()
    }

    /// Whether the server does not take the refresh token, as far as is known.
    pub fn is_refused(&self) -> bool {
        self.ended.is_some() || self.renewing.as_ref().is_some_and(Trouble::is_refusal)
    }

    /// The failure that lasts, if one does.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.renewing.as_ref().or(self.asking.as_ref())
    }

    /// Why only the person can help, if so.
    pub fn ended(&self, now: Timestamp) -> Option<Ended> {
        let expired = self.expires_at.filter(|end| self.successor != Successor::Refreshed && now >= *end);
        match (&self.ended, expired) {
            (Some(Ended::AnswerLost(_)), _) | (_, None) => self.ended.clone(),
            // All that have expired are dead and refused; that is not what is to be told.
            (_, Some(end)) => Some(Ended::Expired(end)),
        }
    }

    /// Within how many days the token ends, if that is soon and nothing comes after it.
    pub fn ends_within(&self, now: Timestamp) -> Option<i64> {
        let endangered = self.successor == Successor::None && self.ended(now).is_none();
        self.left(now).filter(|_| endangered).and_then(rotation::warning)
    }

    /// The end to tell git, if it is sure: not when our clock was set back since the pair came.
    pub fn expiry_for_git(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|_| now >= self.received_at)
    }

    /// Seconds of life left; `None`: no end is known.
    fn left(&self, now: Timestamp) -> Option<i64> {
        if self.dead { Some(0) } else { self.granted(now) }
    }

    /// The same of what the server granted, whatever became of it. A clock that was set back can't
    /// make a token live longer than that.
    fn granted(&self, now: Timestamp) -> Option<i64> {
        self.expires_at.map(|end| end.since(now).min(end.since(self.received_at)))
    }

    /// Seconds of life to ask for: never more than half of what the server grants, or every get
    /// would renew.
    fn wanted(&self, min_life: Option<i64>) -> i64 {
        let usual = match self.successor {
            Successor::Rotated => self.min_life.max(rotation::late(self.life())),
            _ => self.min_life,
        };
        let wanted = min_life.unwrap_or(usual).max(0);
        self.expires_at.map_or(wanted, |_| wanted.min(self.life() / 2))
    }

    /// Seconds from the token's beginning to its end; 0 if none is known.
    fn life(&self) -> i64 {
        self.expires_at.map_or(0, |end| end.since(self.received_at))
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "table_tests.rs"]
mod table_tests;
