//! What an account has to log in with, and how that looks to a person.

use super::HandOut;
use super::login::{Login, Unsaved};
use crate::daemon::clock::Timestamp;
use crate::daemon::schedule::turns::{self, Turn};
use crate::daemon::schedule::{Schedule, Step};
use crate::daemon::secret::Secret;
use crate::daemon::store::{Record, Slot, StoreError};
use crate::protocol::State;

/// The logins, as far as they are known.
pub(super) enum Logins {
    /// They are being read for the first time.
    Unread,
    /// They could not be read; whoever asks has it tried again.
    Absent(StoreError),
    /// They are in memory.
    Held(Box<Held>),
}

/// The login in use and the spare one, which take turns.
pub(super) struct Held {
    in_use: Login,
    spare: Option<Login>,
    /// The store does not have the other login that the person linked: why.
    missing: Option<StoreError>,
}

/// How the spare login is, if the person wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spare {
    /// It takes over when it must.
    Ready,
    /// One of the two logins has ended, and the other serves: why.
    Ended(String),
}

impl Held {
    /// The login that came last is in use: its token lives longest. Not if a daemon ended in the
    /// middle of renewing it; then it may be dead.
    pub(super) fn new(first: Login, second: Option<Login>, missing: Option<StoreError>) -> Self {
        let mut held = Self { in_use: first, spare: second, missing };
        let rank = |login: &Login| (login.record.refreshing_since.is_none(), login.record.received_at);
        if held.spare.as_ref().is_some_and(|spare| rank(spare) > rank(&held.in_use)) {
            held.change_places();
        }
        held
    }

    /// What was read of the store. A spare that can't be read costs the account nothing, and
    /// where it is the first that is gone, it serves alone.
    pub(super) fn read(
        first: Result<Record, StoreError>,
        second: Option<Result<Record, StoreError>>,
        login: impl Fn(Slot, Record) -> Login,
    ) -> Result<Self, StoreError> {
        let (first, second) =
            (first.map(|it| login(Slot::First, it)), second.map(|it| it.map(|it| login(Slot::Second, it))));
        Ok(match (first, second) {
            (Ok(first), None) => Self::new(first, None, None),
            (Ok(first), Some(Ok(second))) => Self::new(first, Some(second), None),
            (Ok(only), Some(Err(why))) => Self::new(only, None, Some(why)),
            (Err(why), Some(Ok(only))) if why.is_lasting() => Self::new(only, None, Some(why)),
            (Err(why), _) => return Err(why),
        })
    }

    fn change_places(&mut self) {
        if let Some(spare) = &mut self.spare {
            std::mem::swap(&mut self.in_use, spare);
        }
    }

    fn schedules(&self) -> (&Schedule, Option<&Schedule>) {
        (&self.in_use.schedule, self.spare.as_ref().map(|spare| &spare.schedule))
    }

    fn slot(&self, turn: Turn) -> Slot {
        match (turn, &self.spare) {
            (Turn::Spare, Some(spare)) => spare.slot,
            _ => self.in_use.slot,
        }
    }

    /// Both logins, or the only one.
    pub(super) fn all(&self) -> impl Iterator<Item = &Login> {
        std::iter::once(&self.in_use).chain(&self.spare)
    }

    /// The same, to change them.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Login> {
        std::iter::once(&mut self.in_use).chain(&mut self.spare)
    }

    /// The login in a slot.
    pub(super) fn get(&self, slot: Slot) -> Option<&Login> {
        self.all().find(|login| login.slot == slot)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Login> {
        self.all_mut().find(|login| login.slot == slot)
    }

    /// The login whose token this is.
    pub(super) fn with_token(&mut self, token: &Secret) -> Option<&mut Login> {
        self.all_mut().find(|login| login.record.access_token == *token)
    }

    /// The login whose tokens are handed out.
    pub(super) fn in_use(&self) -> &Login {
        &self.in_use
    }

    /// A token, if this is the moment to serve one; else what to do first, and with which login.
    pub(super) fn hand_out(&mut self, now: Timestamp, min_life: Option<i64>) -> Result<HandOut, (Slot, Step)> {
        let (in_use, spare) = self.schedules();
        match turns::on_get(in_use, spare, now, min_life) {
            (Turn::InUse, Step::Serve) => {}
            (Turn::Spare, Step::Serve) => self.change_places(),
            (turn, step) => return Err((self.slot(turn), step)),
        }
        Ok(self.in_use.serve(now))
    }

    /// What is left of a token that is known to be alive.
    pub(super) fn hand_out_rest(&mut self, now: Timestamp) -> Option<HandOut> {
        if !self.in_use.schedule.is_alive(now) {
            self.spare.as_ref().filter(|spare| spare.schedule.is_alive(now))?;
            self.change_places();
        }
        Some(self.in_use.serve(now))
    }

    /// What the timer is to begin. A spare whose turn has come takes it.
    pub(super) fn on_timer(&mut self, now: Timestamp) -> Option<(Slot, Step)> {
        let (in_use, spare) = self.schedules();
        let (turn, step) = turns::on_timer(in_use, spare, now)?;
        if (turn, &step) == (Turn::Spare, &Step::Serve) {
            self.change_places();
            return None;
        }
        Some((self.slot(turn), step))
    }

    /// When something is to be done without being asked.
    pub(super) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (in_use, spare) = self.schedules();
        let saves = self.all().filter_map(|login| Some(login.unsaved.as_ref()?.again_at(now)));
        saves.chain(turns::wake_at(in_use, spare, now)).min()
    }

    /// A login has the pair that its old one was renewed to. The newest token is the one to use.
    pub(super) fn replace(&mut self, slot: Slot, record: Record, unsaved: Option<Unsaved>) {
        let Some(login) = self.get_mut(slot) else { return };
        login.replace(record, unsaved);
        let newest = |spare: &Login| spare.record.received_at >= self.in_use.record.received_at;
        if self.spare.as_ref().is_some_and(|spare| spare.slot == slot && newest(spare)) {
            self.change_places();
        }
    }

    /// In a word, and in a sentence that is empty if all is well and stays so. A renewal that runs
    /// after one that failed is no reason to call it well.
    pub(super) fn state(&self, place: &str, renewing: bool, now: Timestamp) -> (State, String) {
        let mut working = self.all().filter(|login| login.schedule.ended(now).is_none());
        let Some(working) = working.next() else {
            let why = self.in_use.schedule.ended(now).map(|why| why.to_string());
            return (State::Relink, why.unwrap_or_default());
        };
        if let Some(unsaved) = self.all().find_map(|login| login.unsaved.as_ref()) {
            return (State::Unsaved, format!("the newest tokens could not be saved in {place}: {}", unsaved.what.why));
        }
        // With a spare, the one in use is never renewed, so what counts is whether the other is.
        let next = self.spare.as_ref().filter(|spare| spare.schedule.ended(now).is_none()).unwrap_or(working);
        let troubles = [next, working].map(|login| login.schedule.trouble());
        if let Some(trouble) = troubles.into_iter().flatten().next() {
            let since = trouble.since.for_people(now);
            let again = match trouble.retry_at(now).since(now) {
                wait if wait > 0 && !renewing => format!("next try in {wait} s"),
                _ => "tried again right now".into(),
            };
            return (State::Unreachable, format!("{} (since {since}; {again})", trouble.why));
        }
        if renewing {
            return (State::Renewing, String::new());
        }
        (State::Ok, working.ends_soon(now).unwrap_or_default())
    }

    /// Whether there is a token that can be served without asking anybody.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        self.all().any(|login| login.schedule.is_alive(now))
    }

    /// Whether the server takes none of its refresh tokens, as far as is known.
    pub(super) fn is_refused(&self) -> bool {
        self.all().all(|login| login.schedule.is_refused())
    }

    /// How the spare login is; `None` if the person wanted none.
    pub(super) fn spare(&self, now: Timestamp) -> Option<Spare> {
        if let Some(why) = &self.missing {
            return Some(Spare::Ended(why.to_string()));
        }
        self.spare.as_ref()?;
        let ended = self.all().find_map(|login| login.schedule.ended(now));
        Some(ended.map_or(Spare::Ready, |why| Spare::Ended(why.to_string())))
    }
}

impl Logins {
    /// In a word, and in a sentence that is empty if all is well.
    pub(super) fn state(&self, place: &str, renewing: bool, now: Timestamp) -> (State, String) {
        match self {
            Logins::Unread => (State::Ok, String::new()),
            Logins::Absent(why) if why.needs_link() => {
                (State::Relink, format!("its tokens were in {place}, but {why}"))
            }
            Logins::Absent(StoreError::VaultLocked) => (State::Locked, format!("its tokens are in {place}")),
            Logins::Absent(why) => (State::Unreachable, format!("its tokens are in {place}, but {why}")),
            Logins::Held(held) => held.state(place, renewing, now),
        }
    }

    /// Whether somebody who asks finds the key missing that may have come since.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Logins::Absent(StoreError::VaultLocked))
    }

    /// The logins in memory.
    pub(super) fn held(&self) -> Option<&Held> {
        if let Logins::Held(held) = self { Some(held) } else { None }
    }

    /// The logins in memory, to change them.
    pub(super) fn held_mut(&mut self) -> Option<&mut Held> {
        if let Logins::Held(held) = self { Some(held) } else { None }
    }
}
