//! The task of one account: it owns the pair and the schedule, and does one thing at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::pair::{Held, Pair, Unsaved};
use super::{Command, HandOut, Refusal, Retired, Server, Status};
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{Liveness, Trouble};
use crate::daemon::places::Places;
use crate::daemon::renewal::{Renewal, renew};
use crate::daemon::schedule::Step;
use crate::daemon::secret::Secret;
use crate::daemon::store::{Prompt, Record, StoreError, Vault};

/// A sleeping machine stops timers, so the clock is asked at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A pair that could not be saved is saved as soon as the store is back.
const SAVE_AGAIN_AFTER: i64 = 10;

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

/// Somebody who asked for a token.
struct Waiting {
    min_life: Option<i64>,
    reply: oneshot::Sender<Result<HandOut, Refusal>>,
}

/// Somebody who asked how the account is.
struct Watching {
    /// Only after the server was asked.
    check: bool,
    reply: oneshot::Sender<Status>,
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
    watching: Vec<Watching>,
    retiring: Vec<oneshot::Sender<Option<Retired>>>,
    /// Nothing new is begun; what runs is finished, because it may hold the only copy of a pair.
    ending: bool,
    /// Nobody can ask any more.
    orphaned: bool,
    /// A pair that could not be saved gets one more chance at the end.
    last_save: bool,
    last_used_at: Option<Timestamp>,
}

impl Actor {
    /// An account whose pair is in the store, or is the one that a retired task held.
    pub(super) fn new(server: Arc<Server>, vault: Vault, places: Places, held: Option<Retired>) -> Self {
        let mut actor = Self {
            id: server.profile.id(),
            vault,
            places,
            server,
            pair: Pair::Unread,
            work: None,
            waiting: Vec::new(),
            watching: Vec::new(),
            retiring: Vec::new(),
            ending: false,
            orphaned: false,
            last_save: false,
            last_used_at: None,
        };
        match held {
            Some(Retired { record, unsaved }) => actor.hold(record, unsaved.map(unsaved_since)),
            None => actor.begin(Work::Load),
        }
        actor
    }

    /// Lives until it is retired, or nobody can ask it any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            if self.ending && self.work.is_none() {
                let unsaved = self.pair.held().is_some_and(|held| held.unsaved.is_some());
                if self.last_save || !unsaved {
                    return self.retire();
                }
                self.last_save = true;
                self.start(Work::Save);
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
            Command::GetRest { reply } => {
                let now = Timestamp::now();
                let rest = self.pair.held_mut().and_then(|held| held.hand_out_rest(now));
                let _ = reply.send(rest); // whoever asked may be gone
            }
            Command::Refused { token, reply } => {
                self.on_refused(&token);
                let _ = reply.send(());
            }
            Command::Status { check, reply } => {
                self.watching.push(Watching { check, reply });
                if check && !matches!(self.pair, Pair::Held(_)) {
                    self.begin(Work::Load);
                }
                self.tell(false);
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
        for waiting in std::mem::take(&mut self.waiting) {
            let step = match &mut self.pair {
                Pair::Unread => None,
                Pair::Absent(_) => Some(Work::Load),
                Pair::Held(held) => match held.hand_out(now, waiting.min_life) {
                    Ok(hand_out) => {
                        self.last_used_at = Some(now);
                        let _ = waiting.reply.send(Ok(hand_out)); // whoever asked may be gone
                        continue;
                    }
                    Err(Step::Refuse(reason)) => {
                        let _ = waiting.reply.send(Err(Refusal::Schedule(reason)));
                        continue;
                    }
                    Err(Step::Verify) => Some(Work::Verify),
                    Err(Step::Renew | Step::Serve) => Some(Work::Renew),
                },
            };
            step.into_iter().for_each(|work| self.begin(work));
            if !waiting.reply.is_closed() {
                self.waiting.push(waiting);
            }
        }
    }

    /// Tells how the account is to everybody who can be told now. `asked`: the server has just
    /// been asked.
    fn tell(&mut self, asked: bool) {
        if matches!(self.pair, Pair::Unread) && self.work.is_some() {
            return;
        }
        if self.watching.iter().any(|watching| watching.check) {
            match asked {
                // A token that was found dead is renewed before the answer.
                true => self.on_timer(),
                false if matches!(self.pair, Pair::Held(_)) => self.begin(Work::Verify),
                false => {}
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
        if self.work.is_none() && !self.ending {
            self.start(work);
        }
    }

    fn start(&mut self, work: Work) {
        let (id, vault, places, server) =
            (self.id.clone(), self.vault.clone(), self.places.clone(), self.server.clone());
        let running: Running = match (work, self.pair.held()) {
            (Work::Renew, Some(held)) => {
                let (record, unsaved) = (held.record.clone(), held.unsaved.is_some());
                Box::pin(async move {
                    let gitlab = server.gitlab(&record).await;
                    Done::Renewed(renew(&places, &vault, gitlab, &id, record, unsaved).await)
                })
            }
            (Work::Verify, Some(held)) => {
                let record = held.record.clone();
                Box::pin(
                    async move { Done::Verified(server.gitlab(&record).await.token_info(&record.access_token).await) },
                )
            }
            (Work::Save, Some(held)) => {
                let record = held.record.clone();
                Box::pin(async move { Done::Saved(vault.save(&id, &record, Prompt::Forbidden).await) })
            }
            _ => Box::pin(async move { Done::Loaded(vault.load(&id).await) }),
        };
        self.work = Some((work, running));
    }

    fn finish(&mut self, done: Done) {
        self.work = None;
        let asked = matches!(done, Done::Renewed(_) | Done::Verified(_));
        match done {
            Done::Loaded(loaded) => self.loaded(loaded),
            Done::Renewed(renewal) => self.renewed(renewal),
            Done::Verified(verdict) => self.verified(verdict),
            Done::Saved(saved) => {
                let unsaved = saved.err().map(unsaved_since);
                self.with_held(|held| held.unsaved = unsaved);
            }
        }
        if let Pair::Absent(why) = &self.pair {
            for waiting in std::mem::take(&mut self.waiting) {
                let _ = waiting.reply.send(Err(Refusal::Store(why.clone())));
            }
        }
        self.serve();
        self.tell(asked);
    }

    fn loaded(&mut self, loaded: Result<Option<Record>, StoreError>) {
        match loaded.and_then(|record| record.ok_or(StoreError::Gone)) {
            Ok(record) => self.hold(record, None),
            Err(why) => {
                tracing::warn!(account = %self.server.profile.who(), %why, "the tokens can't be read");
                self.pair = Pair::Absent(why);
            }
        }
    }

    fn hold(&mut self, record: Record, unsaved: Option<Unsaved>) {
        let min_life = self.server.profile.min_life;
        self.pair = Pair::Held(Box::new(Held::new(record, unsaved, min_life, Timestamp::now())));
    }

    fn renewed(&mut self, renewal: Renewal) {
        let who = self.server.profile.who();
        let now = Timestamp::now();
        let why = match renewal {
            Renewal::Renewed(record) => {
                tracing::info!(account = %who, renewals = record.renewals, "renewed");
                return self.with_held(|held| held.replace(record, None));
            }
            Renewal::Adopted(record) => {
                tracing::info!(account = %who, "another daemon has renewed");
                return self.with_held(|held| held.replace(record, None));
            }
            Renewal::Unsaved(record, why) => {
                tracing::error!(account = %who, %why, "renewed, but the new pair is not saved");
                return self.with_held(|held| held.replace(record, Some(unsaved_since(why))));
            }
            Renewal::Failed(Trouble::Refused { why, .. }) => {
                tracing::warn!(account = %who, %why, "not renewed");
                return self.with_held(|held| held.schedule.on_refused_renewal(now, why));
            }
            Renewal::Failed(Trouble::Transient { why, retry_after, lost }) => {
                tracing::warn!(account = %who, %why, "not renewed");
                return self.with_held(|held| {
                    if lost {
                        held.schedule.on_lost(now);
                    }
                    held.schedule.on_failed(now, why, retry_after, jitter());
                });
            }
            // Nothing was spent. Whether it was unlinked elsewhere, the profile's file will tell.
            Renewal::Store(why) => why,
        };
        let why = format!("its tokens are in {}, but {why}, so nothing was renewed", self.vault.place());
        tracing::warn!(account = %who, %why, "not renewed");
        self.with_held(|held| held.schedule.on_failed(now, why, None, jitter()));
    }

    fn verified(&mut self, verdict: Result<Liveness, Trouble>) {
        let now = Timestamp::now();
        self.with_held(|held| match verdict {
            Ok(liveness) => held.schedule.on_verified(liveness != Liveness::Dead),
            Err(Trouble::Transient { why, retry_after, .. }) => {
                held.schedule.on_unanswered(now, why, retry_after, jitter());
            }
            Err(Trouble::Refused { why, .. }) => held.schedule.on_unanswered(now, why, None, jitter()),
        });
    }

    fn with_held(&mut self, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.pair.held_mut() {
            change(held);
        }
    }

    fn on_timer(&mut self) {
        let now = Timestamp::now();
        let Some(held) = self.pair.held() else { return };
        if held.unsaved.as_ref().is_some_and(|unsaved| now >= unsaved.again_at) {
            return self.begin(Work::Save);
        }
        match held.schedule.on_timer(now) {
            Some(Step::Verify) => self.begin(Work::Verify),
            Some(_) => self.begin(Work::Renew),
            None => {}
        }
    }

    fn sleep(&self) -> Duration {
        let wake_at = self.pair.held().and_then(Held::wake_at);
        wake_at.map_or(LONGEST_SLEEP, |at| at.sleep_from(Timestamp::now()).min(LONGEST_SLEEP))
    }

    fn status(&self) -> Status {
        let renewing = matches!(self.work, Some((Work::Renew, _)));
        let (state, detail) = self.pair.state(renewing, self.vault.place(), Timestamp::now());
        let held = self.pair.held();
        Status {
            state,
            detail,
            expires_at: held.and_then(|held| held.record.expires_at),
            last_used_at: self.last_used_at,
            renewals: held.map_or(0, |held| held.record.renewals),
        }
    }

    fn retire(self) {
        let retired = match self.pair {
            Pair::Held(held) => Some(Retired { record: held.record, unsaved: held.unsaved.map(|unsaved| unsaved.why) }),
            _ => None,
        };
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

fn unsaved_since(why: StoreError) -> Unsaved {
    Unsaved { why, again_at: Timestamp::now().plus(SAVE_AGAIN_AFTER) }
}

/// From 0 to 1. Not for secrets: it spreads retries of many machines.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
