//! One login in memory: its pair, its schedule, and whether the store has it.

use super::HandOut;
use crate::daemon::clock::Timestamp;
use crate::daemon::schedule::{Schedule, Successor};
use crate::daemon::secret::Mark;
use crate::daemon::store::{Kind, NotSaved, Record, Slot};

/// A pair that could not be saved is saved as soon as the store is back.
const SAVE_AGAIN_AFTER: i64 = 10;

/// A login in memory.
pub(super) struct Login {
    pub(super) slot: Slot,
    pub(super) record: Record,
    pub(super) schedule: Schedule,
    /// The store does not have this record yet.
    pub(super) unsaved: Option<Unsaved>,
    /// The access token that this one came after, if it came while we looked.
    pub(super) replaced: Option<Mark>,
    /// Within how many days it ends, as the log was told the last time.
    told_end: Option<i64>,
}

/// Why the store does not have the newest record, and since when.
#[derive(Debug, Clone)]
pub(super) struct Unsaved {
    pub(super) what: NotSaved,
    since: Timestamp,
}

impl Unsaved {
    pub(super) fn since_now(what: NotSaved) -> Self {
        Self { what, since: Timestamp::now() }
    }

    /// When to try again. A clock that was set back makes no wait longer.
    pub(super) fn again_at(&self, now: Timestamp) -> Timestamp {
        if now < self.since { now } else { self.since.plus(SAVE_AGAIN_AFTER) }
    }
}

impl Login {
    /// A pair from the store, or one that another task held and could not save.
    pub(super) fn new(slot: Slot, record: Record, unsaved: Option<Unsaved>, min_life: i64, now: Timestamp) -> Self {
        let mut schedule = Schedule::new(min_life, record.received_at, record.expires_at, successor(&record));
        // Something may be using the token already: nobody knows what the last daemon handed out.
        schedule.on_served(now);
        if let Some(at) = record.refreshing_since {
            schedule.on_lost(at); // a daemon ended in the middle of a renewal
        }
        Self { slot, record, schedule, unsaved, replaced: None, told_end: None }
    }

    /// Takes the pair that this one was renewed to.
    pub(super) fn replace(&mut self, record: Record, unsaved: Option<Unsaved>) {
        self.schedule.on_renewed(record.received_at, record.expires_at, successor(&record));
        if let Some(at) = record.refreshing_since {
            self.schedule.on_lost(at); // another daemon ended in the middle of renewing it again
        }
        self.replaced = Some(std::mem::replace(&mut self.record, record).access_token.mark());
        self.unsaved = unsaved;
    }

    pub(super) fn serve(&mut self, now: Timestamp) -> HandOut {
        self.schedule.on_served(now);
        let expires_at = self.schedule.expiry_for_git(now);
        HandOut { token: self.record.access_token.clone(), expires_at, renewed: false }
    }

    /// That the token ends soon, and nothing comes after it.
    pub(super) fn ends_soon(&self, now: Timestamp) -> Option<String> {
        self.schedule.ends_within(now)?;
        self.record.expires_at.map(|end| end_of_token(end, now))
    }

    /// The same, each time that less time is left than was told.
    pub(super) fn ends_sooner(&mut self, now: Timestamp) -> Option<String> {
        let days = self.schedule.ends_within(now);
        let is_news = days.is_some() && self.told_end.is_none_or(|told| days < Some(told));
        self.told_end = days;
        self.ends_soon(now).filter(|_| is_news)
    }
}

/// For people: when a token ends.
pub fn end_of_token(end: Timestamp, now: Timestamp) -> String {
    format!("the token ends at {}, in {}", end.date_and_time(), end.span_from(now))
}

/// What comes after a record's token.
fn successor(record: &Record) -> Successor {
    match (record.kind, &record.refresh_token) {
        (Kind::Oauth, Some(_)) => Successor::Refreshed,
        (Kind::Rotating, _) => Successor::Rotated,
        (Kind::Oauth | Kind::Fixed, _) => Successor::None,
    }
}
