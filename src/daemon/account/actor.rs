//! The task of one account: it owns the pair and the schedule, and does one thing at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Command, HandOut, Refusal, Server, State, Status};
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{Liveness, Trouble};
use crate::daemon::places::Places;
use crate::daemon::renewal::{Renewal, renew};
use crate::daemon::schedule::{Reason, Schedule, Step};
use crate::daemon::secret::Secret;
use crate::daemon::store::{Prompt, Record, StoreError, Vault};

/// A sleeping machine stops timers, so the clock is asked at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A pair that could not be saved is saved as soon as the store is back.
const SAVE_AGAIN_AFTER: i64 = 10;

/// What the account knows of its pair.
enum Pair {
    /// Not read yet, or it could not be read: then why.
    Unread,
    Unreadable(StoreError),
    /// The store has none.
    Gone,
    Held(Box<Held>),
}

struct Held {
    record: Record,
    schedule: Schedule,
    /// The store does not have this record yet: why, and when to try again.
    unsaved: Option<(StoreError, Timestamp)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Load,
    Renew,
    Verify,
    Save,
}

enum Done {
    Loaded(Result<Option<Record>, StoreError>),
    Renewed(Renewal),
    Verified(Result<Liveness, Trouble>),
    Saved(Result<(), StoreError>),
}

type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

struct Waiting {
    min_life: Option<i64>,
    reply: oneshot::Sender<Result<HandOut, Refusal>>,
}

pub(super) struct Actor {
    id: String,
    vault: Vault,
    places: Places,
    server: Arc<Server>,
    pair: Pair,
    /// One thing at a time: what it is, and its future.
    work: Option<(Work, Running)>,
    waiting: Vec<Waiting>,
    checking: Vec<oneshot::Sender<Status>>,
    retiring: Vec<oneshot::Sender<Option<Record>>>,
    /// Nothing new is begun; what runs is finished, because it may hold the only copy of a pair.
    ending: bool,
    /// Nobody can ask any more.
    orphaned: bool,
    last_used_at: Option<Timestamp>,
}

impl Actor {
    /// An account whose pair is in the store; it is read first.
    pub(super) fn new(server: Arc<Server>, vault: Vault, places: Places) -> Self {
        let mut actor = Self {
            id: server.profile.id(),
            vault,
            places,
            server,
            pair: Pair::Unread,
            work: None,
            waiting: Vec::new(),
            checking: Vec::new(),
            retiring: Vec::new(),
            ending: false,
            orphaned: false,
            last_used_at: None,
        };
        actor.begin(Work::Load);
        actor
    }

    /// Lives until it is retired, or nobody can ask it any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            if self.ending && self.work.is_none() {
                return self.retire();
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
                self.waiting.push(Waiting { min_life, reply });
                self.serve();
            }
            Command::Refused { token, reply } => {
                self.on_refused(&token);
                let _ = reply.send(());
            }
            Command::Status { check: false, reply } => drop(reply.send(self.status())),
            Command::Status { check: true, reply } => {
                self.checking.push(reply);
                match self.pair {
                    Pair::Held(_) => self.begin(Work::Verify),
                    _ => self.begin(Work::Load),
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
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        for waiting in std::mem::take(&mut self.waiting) {
            let answer = match &mut self.pair {
                Pair::Unread => None,
                Pair::Unreadable(_) if self.work.is_none() => {
                    self.begin(Work::Load);
                    None
                }
                Pair::Unreadable(_) => None,
                Pair::Gone => Some(Err(Refusal::Schedule(Reason::Relink(self.gone())))),
                Pair::Held(held) => match held.schedule.on_get(now, waiting.min_life) {
                    Step::Refuse(reason) => Some(Err(Refusal::Schedule(reason))),
                    Step::Renew => {
                        self.begin(Work::Renew);
                        None
                    }
                    Step::Verify => {
                        self.begin(Work::Verify);
                        None
                    }
                    Step::Serve => {
                        held.schedule.on_served(now);
                        self.last_used_at = Some(now);
                        let expires_at = held.schedule.expiry_for_git(now);
                        Some(Ok(HandOut { token: held.record.access_token.clone(), expires_at }))
                    }
                },
            };
            match answer {
                Some(answer) => drop(waiting.reply.send(answer)), // whoever asked may be gone
                None => self.waiting.push(waiting),
            }
        }
    }

    fn on_refused(&mut self, token: &Secret) {
        // A token that was replaced meanwhile is somebody else's yesterday.
        if let Pair::Held(held) = &mut self.pair
            && held.record.access_token == *token
            && held.schedule.on_refused_token(Timestamp::now())
        {
            tracing::info!(account = %self.server.profile.who(), "the server refused the token; asking about it");
            self.begin(Work::Verify);
        }
    }

    /// Begins work, unless some is running: what was asked for is looked at again when it ends.
    fn begin(&mut self, work: Work) {
        if self.work.is_some() || self.ending {
            return;
        }
        let (id, vault, places, server) =
            (self.id.clone(), self.vault.clone(), self.places.clone(), self.server.clone());
        let running: Running = match (work, &self.pair) {
            (Work::Renew, Pair::Held(held)) => {
                let (record, unsaved) = (held.record.clone(), held.unsaved.is_some());
                Box::pin(async move {
                    let gitlab = server.gitlab(&record).await;
                    Done::Renewed(renew(&places, &vault, gitlab, &id, record, unsaved).await)
                })
            }
            (Work::Verify, Pair::Held(held)) => {
                let record = held.record.clone();
                Box::pin(
                    async move { Done::Verified(server.gitlab(&record).await.token_info(&record.access_token).await) },
                )
            }
            (Work::Save, Pair::Held(held)) => {
                let record = held.record.clone();
                Box::pin(async move { Done::Saved(vault.save(&id, &record, Prompt::Forbidden).await) })
            }
            _ => Box::pin(async move { Done::Loaded(vault.load(&id).await) }),
        };
        self.work = Some((work, running));
    }

    fn finish(&mut self, done: Done) {
        self.work = None;
        match done {
            Done::Loaded(loaded) => self.loaded(loaded),
            Done::Renewed(renewal) => self.renewed(renewal),
            Done::Verified(verdict) => self.verified(verdict),
            Done::Saved(Ok(())) => self.with_held(|held| held.unsaved = None),
            Done::Saved(Err(why)) => self.with_held(|held| held.unsaved = Some((why, save_again()))),
        }
        if !self.checking.is_empty() && self.work.is_none() {
            self.on_timer(); // a token that was found dead is renewed before the answer
        }
        if self.work.is_none() {
            for reply in std::mem::take(&mut self.checking) {
                let _ = reply.send(self.status());
            }
        }
        if let Pair::Unreadable(why) = &self.pair {
            for waiting in std::mem::take(&mut self.waiting) {
                let _ = waiting.reply.send(Err(Refusal::Store(why.clone())));
            }
        }
        self.serve();
    }

    fn loaded(&mut self, loaded: Result<Option<Record>, StoreError>) {
        self.pair = match loaded {
            Ok(Some(record)) => self.hold(record),
            Ok(None) => Pair::Gone,
            Err(why) => {
                tracing::warn!(account = %self.server.profile.who(), %why, "the store can't be read");
                Pair::Unreadable(why)
            }
        };
    }

    fn hold(&self, record: Record) -> Pair {
        let min_life = self.server.profile.min_life;
        let renewable = record.refresh_token.is_some();
        let mut schedule = Schedule::new(min_life, record.received_at, record.expires_at, renewable);
        if record.refreshing_since.is_some() {
            // A daemon died while it renewed this pair, so the token may be dead already.
            schedule.on_refused_token(Timestamp::now());
        }
        Pair::Held(Box::new(Held { record, schedule, unsaved: None }))
    }

    fn renewed(&mut self, renewal: Renewal) {
        let who = self.server.profile.who();
        let now = Timestamp::now();
        let (record, unsaved) = match renewal {
            Renewal::Renewed(record) | Renewal::Adopted(record) => (record, None),
            Renewal::Unsaved(record, why) => (record, Some((why, save_again()))),
            Renewal::Gone => {
                tracing::warn!(account = %who, "the pair is gone from the store");
                self.pair = Pair::Gone;
                return;
            }
            Renewal::Store(why) => {
                let place = self.vault.place().to_owned();
                let why = format!("tokens are kept in {place}, and {why}, so nothing was renewed");
                tracing::warn!(account = %who, %why, "not renewed");
                return self.with_held(|held| held.schedule.on_failed(now, why, None, jitter()));
            }
            Renewal::Failed(Trouble::Transient { why, retry_after }) => {
                tracing::warn!(account = %who, %why, "not renewed");
                return self.with_held(|held| held.schedule.on_failed(now, why, retry_after, jitter()));
            }
            Renewal::Failed(Trouble::Refused { why, .. }) => {
                tracing::warn!(account = %who, %why, "not renewed");
                return self.with_held(|held| held.schedule.on_refused_renewal(now, why));
            }
        };
        tracing::info!(account = %who, renewals = record.renewals, saved = unsaved.is_none(), "renewed");
        self.with_held(|held| {
            let renewable = record.refresh_token.is_some();
            held.schedule.on_renewed(record.received_at, record.expires_at, renewable);
            *held = Held { record, schedule: held.schedule.clone(), unsaved };
        });
    }

    fn verified(&mut self, verdict: Result<Liveness, Trouble>) {
        let now = Timestamp::now();
        self.with_held(|held| match verdict {
            Ok(liveness) => held.schedule.on_verified(liveness != Liveness::Dead),
            Err(Trouble::Transient { why, retry_after }) => held.schedule.on_failed(now, why, retry_after, jitter()),
            Err(Trouble::Refused { why, .. }) => held.schedule.on_failed(now, why, None, jitter()),
        });
    }

    fn with_held(&mut self, change: impl FnOnce(&mut Held)) {
        if let Pair::Held(held) = &mut self.pair {
            change(held);
        }
    }

    fn on_timer(&mut self) {
        let now = Timestamp::now();
        let Pair::Held(held) = &self.pair else { return };
        if held.unsaved.as_ref().is_some_and(|(_, at)| now >= *at) {
            return self.begin(Work::Save);
        }
        match held.schedule.on_timer(now) {
            Some(Step::Verify) => self.begin(Work::Verify),
            Some(_) => self.begin(Work::Renew),
            None => {}
        }
    }

    fn sleep(&self) -> Duration {
        let Pair::Held(held) = &self.pair else { return LONGEST_SLEEP };
        let save_at = held.unsaved.as_ref().map(|(_, at)| *at);
        let wake_at = [held.schedule.wake_at(), save_at].into_iter().flatten().min();
        wake_at.map_or(LONGEST_SLEEP, |at| at.sleep_from(Timestamp::now()).min(LONGEST_SLEEP))
    }

    fn status(&self) -> Status {
        let (state, detail) = self.state();
        let held = if let Pair::Held(held) = &self.pair { Some(held) } else { None };
        Status {
            state,
            detail,
            expires_at: held.and_then(|held| held.record.expires_at),
            last_used_at: self.last_used_at,
            renewals: held.map_or(0, |held| held.record.renewals),
        }
    }

    fn state(&self) -> (State, String) {
        let place = self.vault.place();
        match &self.pair {
            Pair::Unread => (State::Ok, String::new()),
            Pair::Unreadable(why @ StoreError::Corrupt) => (State::Relink, format!("{place}: {why}")),
            Pair::Unreadable(why) => (State::Unreachable, format!("tokens are kept in {place}, and {why}")),
            Pair::Gone => (State::Relink, self.gone()),
            Pair::Held(held) => {
                if let Some(why) = held.schedule.relink() {
                    (State::Relink, why.into())
                } else if matches!(self.work, Some((Work::Renew, _))) {
                    (State::Renewing, String::new())
                } else if let Some((why, _)) = &held.unsaved {
                    (State::Unsaved, format!("the newest tokens could not be saved to {place}: {why}"))
                } else if let Some(trouble) = held.schedule.trouble() {
                    let ago = Timestamp::now().since(trouble.since).max(0);
                    (State::Unreachable, format!("{} (for {ago} s)", trouble.why))
                } else {
                    (State::Ok, String::new())
                }
            }
        }
    }

    fn gone(&self) -> String {
        format!("its tokens are no longer in {}", self.vault.place())
    }

    fn retire(self) {
        let record = if let Pair::Held(held) = self.pair { Some(held.record) } else { None };
        for waiting in self.waiting {
            let _ = waiting.reply.send(Err(Refusal::Ending));
        }
        for reply in self.retiring {
            let _ = reply.send(record.clone());
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

fn save_again() -> Timestamp {
    Timestamp::now().plus(SAVE_AGAIN_AFTER)
}

/// From 0 to 1. Not for secrets: it spreads retries of many machines.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
