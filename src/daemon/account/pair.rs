//! What an account knows of its token pair, and how that looks to a person.

use super::HandOut;
use crate::daemon::clock::Timestamp;
use crate::daemon::schedule::{Schedule, Step};
use crate::daemon::store::{Record, StoreError};
use crate::protocol::State;

/// The pair, as far as it is known.
pub(super) enum Pair {
    /// It is being read for the first time.
    Unread,
    /// It could not be read; whoever asks has it tried again.
    Absent(StoreError),
    /// It is in memory.
    Held(Box<Held>),
}

/// A pair in memory.
pub(super) struct Held {
    pub(super) record: Record,
    pub(super) schedule: Schedule,
    /// The store does not have this record yet.
    pub(super) unsaved: Option<Unsaved>,
}

/// Why the store does not have the newest record, and when to try again.
#[derive(Debug, Clone)]
pub(super) struct Unsaved {
    pub(super) why: StoreError,
    pub(super) again_at: Timestamp,
}

impl Held {
    /// A pair from the store, or one that another task held and could not save.
    pub(super) fn new(record: Record, unsaved: Option<Unsaved>, min_life: i64, now: Timestamp) -> Self {
        let renewable = record.refresh_token.is_some();
        let mut schedule = Schedule::new(min_life, record.received_at, record.expires_at, renewable);
        // Something may be using the token already: nobody knows what the last daemon handed out.
        schedule.on_served(now);
        if let Some(at) = record.refreshing_since {
            schedule.on_lost(at); // a daemon ended in the middle of a renewal
        }
        Self { record, schedule, unsaved }
    }

    /// The pair that this one was renewed to.
    pub(super) fn replace(&mut self, record: Record, unsaved: Option<Unsaved>) {
        self.schedule.on_renewed(record.received_at, record.expires_at, record.refresh_token.is_some());
        self.record = record;
        self.unsaved = unsaved;
    }

    /// The token, if this is the moment to serve it; else what to do first.
    pub(super) fn hand_out(&mut self, now: Timestamp, min_life: Option<i64>) -> Result<HandOut, Step> {
        match self.schedule.on_get(now, min_life) {
            Step::Serve => Ok(self.serve(now)),
            step => Err(step),
        }
    }

    /// What is left of a token that is known to be alive.
    pub(super) fn hand_out_rest(&mut self, now: Timestamp) -> Option<HandOut> {
        self.schedule.is_alive(now).then(|| self.serve(now))
    }

    fn serve(&mut self, now: Timestamp) -> HandOut {
        self.schedule.on_served(now);
        let expires_at = self.schedule.expiry_for_git(now);
        HandOut { token: self.record.access_token.clone(), expires_at }
    }

    /// When something is to be done without being asked.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let save_at = self.unsaved.as_ref().map(|unsaved| unsaved.again_at);
        [self.schedule.wake_at(), save_at].into_iter().flatten().min()
    }

    fn state(&self, renewing: bool, place: &str, now: Timestamp) -> (State, String) {
        if let Some(ended) = self.schedule.ended() {
            return (State::Relink, ended.to_string());
        }
        if renewing {
            return (State::Renewing, String::new());
        }
        if let Some(unsaved) = &self.unsaved {
            return (State::Unsaved, format!("the newest tokens could not be saved in {place}: {}", unsaved.why));
        }
        if let Some(until) = self.schedule.paused(now) {
            let wait = until.since(now);
            return (State::Unreachable, format!("the server refused several tokens in a row; pausing for {wait} s"));
        }
        if let Some(trouble) = self.schedule.trouble() {
            let (since, wait) = (now.since(trouble.since).max(0), trouble.retry_at.since(now).max(0));
            return (State::Unreachable, format!("{} (for {since} s; next try in {wait} s)", trouble.why));
        }
        (State::Ok, String::new())
    }
}

impl Pair {
    /// In a word, and in a sentence that is empty if all is well.
    pub(super) fn state(&self, renewing: bool, place: &str, now: Timestamp) -> (State, String) {
        match self {
            Pair::Unread => (State::Ok, String::new()),
            Pair::Absent(why) if why.needs_link() => (State::Relink, format!("its tokens were in {place}, but {why}")),
            Pair::Absent(why) => (State::Unreachable, format!("its tokens are in {place}, but {why}")),
            Pair::Held(held) => held.state(renewing, place, now),
        }
    }

    /// The pair in memory.
    pub(super) fn held(&self) -> Option<&Held> {
        if let Pair::Held(held) = self { Some(held) } else { None }
    }

    /// The pair in memory, to change it.
    pub(super) fn held_mut(&mut self) -> Option<&mut Held> {
        if let Pair::Held(held) = self { Some(held) } else { None }
    }
}
