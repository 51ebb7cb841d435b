//! The task of one account: it owns the logins and their schedules, and does one thing at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::login::{Login, Unsaved};
use super::logins::{Held, Logins};
use super::work::{Done, Loaded, Means, Running, Work};
use super::{Command, HandOut, Kept, Refusal, Retired, Status};
use super::{outcome, telling};
use crate::daemon::clock::Timestamp;
use crate::daemon::lid::Lid;
use crate::daemon::notices::{Cause, Notices};
use crate::daemon::renewal::Renewal;
use crate::daemon::schedule::{Reason, Step};
use crate::daemon::secret::Secret;
use crate::daemon::store::{Kind, Record, Slot};
use crate::protocol::State;

/// A sleeping machine stops timers, so the clock is asked at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Somebody who asked for a token.
struct Waiting {
    min_life: Option<i64>,
    reply: oneshot::Sender<Result<HandOut, Refusal>>,
    /// Something was renewed meanwhile.
    renewed: bool,
}

/// Somebody who asked how the account is.
struct Watching {
    /// Only after the server was asked.
    check: bool,
    reply: oneshot::Sender<Status>,
}

pub(super) struct Actor {
    means: Means,
    lid: Arc<Lid>,
    logins: Logins,
    /// One thing at a time: what it is, and its future.
    work: Option<(Work, Running)>,
    waiting: Vec<Waiting>,
    watching: Vec<Watching>,
    retiring: Vec<oneshot::Sender<Option<Retired>>>,
    /// Nothing new is begun; what runs is finished, because it may hold the only copy of a pair.
    ending: bool,
    /// Nobody can ask any more.
    orphaned: bool,
    /// A pair that could not be saved gets one more chance at the end.
    last_saves: Vec<Slot>,
    last_used_at: Option<Timestamp>,
    notices: Notices,
    /// What the person need not be told again.
    told: HashSet<Cause>,
}

impl Actor {
    /// An account whose logins are in the store, or are those that a retired task held.
    pub(super) fn new(means: Means, lid: Arc<Lid>, held: Option<Retired>) -> Self {
        let notices = Notices::in_directory(means.places.notices());
        let mut actor = Self {
            means,
            lid,
            logins: Logins::Unread,
            work: None,
            waiting: Vec::new(),
            watching: Vec::new(),
            retiring: Vec::new(),
            ending: false,
            orphaned: false,
            last_saves: Slot::ALL.to_vec(),
            last_used_at: None,
            notices,
            told: HashSet::new(),
        };
        let kept = held.map_or_else(Vec::new, |held| held.logins);
        let login = |Kept { slot, record, unsaved }| actor.login(slot, record, unsaved.map(Unsaved::since_now));
        let mut logins = kept.into_iter().map(login).collect::<Vec<_>>().into_iter();
        match logins.next() {
            Some(first) => actor.logins = Logins::Held(Box::new(Held::new(first, logins.next(), None))),
            None => actor.begin(Work::Load),
        }
        actor
    }

    /// Lives until it is retired, or nobody can ask it any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            if self.ending && self.work.is_none() {
                match self.next_last_save() {
                    Some(slot) => self.start(Work::Save(slot)),
                    None => return self.retire(),
                }
            }
            let sleep = self.sleep();
            tokio::select! {
                done = running(&mut self.work) => self.finish(done),
                command = inbox.recv(), if !self.orphaned => match command {
                    Some(command) => self.handle(command),
                    None => (self.orphaned, self.ending) = (true, true),
                },
                () = tokio::time::sleep(sleep), if self.work.is_none() => self.on_timer(),
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Get { reply, .. } if self.ending => drop(reply.send(Err(Refusal::Ending))),
            Command::Get { min_life, reply } => {
                self.waiting.push(Waiting { min_life, reply, renewed: false });
                self.serve();
            }
            Command::GetRest { reply } => {
                let now = Timestamp::now();
                let open = self.lid.paused(now).is_none();
                let rest = self.logins.held_mut().filter(|_| open).and_then(|held| held.hand_out_rest(now));
                let _ = reply.send(rest); // whoever asked may be gone
            }
            Command::Worked { token, reply } => {
                let login = self.logins.held_mut().and_then(|held| held.with_token(&token));
                if let Some(login) = login {
                    login.schedule.on_worked();
                    self.lid.lift();
                }
                let _ = reply.send(());
            }
            Command::Refused { token, reply } => {
                self.on_refused(&token);
                let _ = reply.send(());
            }
            Command::Status { check, reply } => {
                self.watching.push(Watching { check, reply });
                if self.logins.is_locked() || check && self.logins.held().is_none() {
                    self.begin(Work::Load);
                }
                self.tell(false);
            }
            Command::Api { reply } => {
                let server = self.means.server.clone();
                // Without a login the asker is let go, and builds one that knows less.
                if let Some(record) = self.logins.held().map(|held| held.in_use().record.clone()) {
                    tokio::spawn(async move { reply.send(server.connect(Some(&record)).await) });
                }
            }
            Command::Retire { reply } => {
                self.retiring.push(reply);
                self.ending = true;
            }
        }
    }

    /// Answers everybody who can be answered now, and begins what the others need.
    fn serve(&mut self) {
        let now = Timestamp::now();
        let paused = self.lid.paused(now).map(Reason::Paused);
        for waiting in std::mem::take(&mut self.waiting) {
            let work = match &mut self.logins {
                Logins::Unread => None,
                Logins::Absent(_) => Some(Work::Load),
                Logins::Held(held) => {
                    let handed_out = match &paused {
                        Some(reason) => Err((Slot::First, Step::Refuse(reason.clone()))),
                        None => held.hand_out(now, waiting.min_life),
                    };
                    match handed_out {
                        Ok(hand_out) => {
                            self.last_used_at = Some(now);
                            let hand_out = HandOut { renewed: waiting.renewed, ..hand_out };
                            let _ = waiting.reply.send(Ok(hand_out)); // whoever asked may be gone
                            continue;
                        }
                        Err((_, Step::Refuse(reason))) => {
                            let _ = waiting.reply.send(Err(Refusal::Schedule(reason)));
                            continue;
                        }
                        Err((slot, Step::Verify)) => Some(Work::Verify(slot)),
                        Err((slot, Step::Renew | Step::Serve)) => Some(Work::Renew(slot)),
                    }
                }
            };
            work.into_iter().for_each(|work| self.begin(work));
            if !waiting.reply.is_closed() {
                self.waiting.push(waiting);
            }
        }
    }

    /// Tells how the account is to everybody who can be told now. `asked`: the server has just
    /// been asked.
    fn tell(&mut self, asked: bool) {
        if (matches!(self.logins, Logins::Unread) || self.logins.is_locked()) && self.work.is_some() {
            return;
        }
        if self.watching.iter().any(|watching| watching.check) {
            let in_use = self.logins.held().map(|held| held.in_use().slot);
            match (asked, in_use) {
                // A token that was found dead is renewed before the answer.
                (true, _) => self.on_timer(),
                (false, Some(slot)) => self.begin(Work::Verify(slot)),
                (false, None) => {}
            }
        }
        for watching in std::mem::take(&mut self.watching) {
            match watching.check && self.work.is_some() {
                true => self.watching.push(watching),
                false => drop(watching.reply.send(self.status())),
            }
        }
    }

    fn on_refused(&mut self, token: &Secret) {
        // A token that was replaced meanwhile is somebody else's yesterday.
        let Some(login) = self.logins.held_mut().and_then(|held| held.with_token(token)) else { return };
        let slot = login.slot;
        if login.schedule.on_refused_token() {
            tracing::info!(account = %self.who(), "the server refused the token; asking about it");
            let now = Timestamp::now();
            let paused = self.lid.paused(now).is_some();
            self.lid.count(now);
            if !paused {
                self.begin(Work::Verify(slot));
            }
        }
    }

    /// Begins work, unless some is running: what was asked for is looked at again when it ends.
    fn begin(&mut self, work: Work) {
        if self.work.is_none() && !self.ending {
            self.start(work);
        }
    }

    fn start(&mut self, work: Work) {
        self.work = Some((work, self.means.start(work, self.logins.held())));
    }

    fn finish(&mut self, done: Done) {
        let saving = matches!(self.work.take(), Some((Work::Save(_), _)));
        let asked = !saving && matches!(done, Done::Renewed(..) | Done::Verified(..));
        let over = telling::over_after(&done);
        if matches!(&done, Done::Renewed(_, Renewal::Renewed(_) | Renewal::Adopted(_) | Renewal::Unsaved(..))) {
            self.waiting.iter_mut().for_each(|waiting| waiting.renewed = true);
        }
        match (done, self.logins.held_mut()) {
            (Done::Loaded(loaded), _) => self.loaded(loaded),
            (Done::Renewed(slot, renewal), Some(held)) => outcome::renewed(held, slot, renewal, &self.means),
            (Done::Verified(slot, verdict), Some(held)) => outcome::verified(held, slot, verdict, &self.means),
            (Done::Saved(slot, saved), Some(held)) => outcome::saved(held, slot, saved),
            (_, None) => {}
        }
        self.tell_person(&over);
        if let Logins::Absent(why) = &self.logins {
            for waiting in std::mem::take(&mut self.waiting) {
                let _ = waiting.reply.send(Err(Refusal::Store(why.clone())));
            }
        }
        self.warn();
        self.serve();
        self.tell(asked);
    }

    /// Says in the log that a token ends soon.
    fn warn(&mut self) {
        let (who, now) = (self.who(), Timestamp::now());
        let logins = self.logins.held_mut().into_iter().flat_map(Held::all_mut);
        for why in logins.filter_map(|login| login.ends_sooner(now)) {
            tracing::warn!(account = %who, %why, "a login ends soon");
        }
    }

    fn loaded(&mut self, Loaded { first, second }: Loaded) {
        let held = Held::read(first, second, |slot, record| self.login(slot, record, None));
        self.logins = match held {
            Ok(held) => Logins::Held(Box::new(held)),
            Err(why) => {
                tracing::warn!(account = %self.who(), %why, "the tokens can't be read");
                Logins::Absent(why)
            }
        };
    }

    fn login(&self, slot: Slot, record: Record, unsaved: Option<Unsaved>) -> Login {
        Login::new(slot, record, unsaved, self.means.server.profile.min_life, Timestamp::now())
    }

    fn on_timer(&mut self) {
        self.warn();
        let now = Timestamp::now();
        self.tell_person(&[]);
        let paused = self.lid.paused(now).is_some();
        let Some(held) = self.logins.held_mut() else { return };
        let due = |login: &&Login| login.unsaved.as_ref().is_some_and(|unsaved| now >= unsaved.again_at(now));
        let unsaved = held.all().find(due).map(|login| login.slot);
        let work = match unsaved {
            Some(slot) => Some(Work::Save(slot)),
            None if paused => None,
            None => held.on_timer(now).map(|(slot, step)| match step {
                Step::Verify => Work::Verify(slot),
                _ => Work::Renew(slot),
            }),
        };
        work.into_iter().for_each(|work| self.begin(work));
    }

    /// Tells the person what is wrong, once, and forgets what is over.
    fn tell_person(&mut self, over: &[Cause]) {
        let profile = &self.means.server.profile;
        let present = telling::present(profile, &self.logins, &self.means.vault.place(), Timestamp::now());
        for cause in over.iter().filter(|over| !present.iter().any(|(cause, _)| cause == *over)) {
            self.told.remove(cause);
            self.notices.settle(&profile.id(), *cause);
        }
        for (cause, text) in present {
            if self.told.insert(cause) {
                self.notices.tell(profile, cause, &text);
            }
        }
    }

    fn sleep(&self) -> Duration {
        let now = Timestamp::now();
        let wake_at = self.logins.held().and_then(|held| held.wake_at(now));
        let wake_at = wake_at.max(wake_at.and(self.lid.paused(now)));
        wake_at.map_or(LONGEST_SLEEP, |at| at.sleep_from(now).min(LONGEST_SLEEP))
    }

    fn status(&self) -> Status {
        let now = Timestamp::now();
        let renewing = matches!(self.work, Some((Work::Renew(_), _)));
        let (state, detail) = match (self.logins.state(&self.means.vault.place(), renewing, now), self.lid.paused(now))
        {
            ((state @ (State::Relink | State::Renewing | State::Unsaved), why), _) | ((state, why), None) => {
                (state, why)
            }
            (_, Some(until)) => {
                let wait = until.since(now);
                (State::Unreachable, format!("the server refused several logins in a row; pausing for {wait} s"))
            }
        };
        let held = self.logins.held();
        Status {
            state,
            detail,
            serves: held.is_some_and(|held| held.is_alive(now)) && self.lid.paused(now).is_none(),
            refused: held.is_some_and(Held::is_refused),
            spare: held.and_then(|held| held.spare(now)),
            kind: held.map_or_else(Kind::default, |held| held.in_use().record.kind),
            expires_at: held.and_then(|held| held.in_use().record.expires_at),
            last_used_at: self.last_used_at,
            renewals: held.map_or(0, |held| held.all().map(|login| login.record.renewals).sum()),
        }
    }

    fn who(&self) -> String {
        self.means.who()
    }

    fn next_last_save(&mut self) -> Option<Slot> {
        while let Some(slot) = self.last_saves.pop() {
            let login = self.logins.held().and_then(|held| held.get(slot));
            if login.is_some_and(|login| login.unsaved.is_some()) {
                return Some(slot);
            }
        }
        None
    }

    fn retire(self) {
        let keep = |login: &Login| Kept {
            slot: login.slot,
            record: login.record.clone(),
            unsaved: login.unsaved.as_ref().map(|unsaved| unsaved.what.clone()),
        };
        let retired = self.logins.held().map(|held| Retired { logins: held.all().map(keep).collect() });
        for waiting in self.waiting {
            let _ = waiting.reply.send(Err(Refusal::Ending));
        }
        for reply in self.retiring {
            let _ = reply.send(retired.clone());
        }
    }
}

/// The end of the work that runs; never, if none does.
async fn running(work: &mut Option<(Work, Running)>) -> Done {
    match work {
        Some((_, running)) => running.await,
        None => std::future::pending().await,
    }
}
