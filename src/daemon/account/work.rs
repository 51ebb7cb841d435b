//! What an account does with its store and its server, one thing at a time.

use std::pin::Pin;
use std::sync::Arc;

use super::Server;
use super::logins::Held;
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{GitLab, Liveness, REPLICA_LAG, Trouble};
use crate::daemon::places::Places;
use crate::daemon::renewal::{Renewal, renew};
use crate::daemon::secret::Mark;
use crate::daemon::store::{Kind, NotSaved, Prompt, Record, Slot, StoreError, Vault};

/// For so many seconds the word of a replica that contradicts what has just been done is not taken at
/// once: a new token that it calls dead, one that a lost answer may have ended and that it calls alive.
const NEWS: i64 = 10;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Read the logins.
    Load,
    /// Spend a refresh token.
    Renew(Slot),
    /// Ask the server whether an access token lives.
    Verify(Slot),
    /// Save a pair that could not be saved before.
    Save(Slot),
}

/// How it ended.
pub(super) enum Done {
    Loaded(Loaded),
    Renewed(Slot, Renewal),
    Verified(Slot, Result<Liveness, Trouble>),
    Saved(Slot, Result<(), StoreError>),
}

/// What was read: the first login, and the second, if there should be one.
pub(super) struct Loaded {
    pub(super) first: Result<Record, StoreError>,
    pub(super) second: Option<Result<Record, StoreError>>,
}

pub(super) type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What work needs.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) id: String,
    pub(super) vault: Vault,
    pub(super) places: Places,
    pub(super) server: Arc<Server>,
}

impl Means {
    /// Whose account it is, for people.
    pub(super) fn who(&self) -> String {
        self.server.profile.who()
    }

    /// Begins work; the future goes on wherever it is polled. With a login that is not in memory
    /// nothing can be done but read it.
    pub(super) fn start(&self, work: Work, held: Option<&Held>) -> Running {
        let means = self.clone();
        let login = |slot: Slot| held?.get(slot);
        match work {
            Work::Load => Box::pin(async move { Done::Loaded(means.load().await) }),
            Work::Renew(slot) | Work::Verify(slot) | Work::Save(slot) => {
                let Some(login) = login(slot) else { return self.start(Work::Load, None) };
                let (record, unsaved) = (login.record.clone(), login.unsaved.as_ref().map(|it| it.what.clone()));
                match (work, unsaved) {
                    (Work::Renew(_), unsaved) => {
                        let replaced = unsaved.map(|it| it.replaces).or(login.replaced);
                        Box::pin(async move { Done::Renewed(slot, means.renew(slot, record, replaced).await) })
                    }
                    (Work::Save(_), Some(unsaved)) => {
                        Box::pin(async move { means.save(slot, &record, &unsaved).await })
                    }
                    (Work::Save(_), None) => Box::pin(async move { Done::Saved(slot, Ok(())) }), // it is saved
                    (Work::Load | Work::Verify(_), unsaved) => {
                        let lost_at = login.schedule.lost_at();
                        Box::pin(async move { means.verify(slot, &record, unsaved.is_some(), lost_at).await })
                    }
                }
            }
        }
    }

    async fn load(&self) -> Loaded {
        let first = self.load_one(Slot::First).await;
        // A store that can't be read now is asked once, not twice.
        let again = first.as_ref().err().is_none_or(StoreError::is_lasting);
        let second = match self.server.profile.spare && again {
            true => Some(self.load_one(Slot::Second).await),
            false => None,
        };
        Loaded { first, second }
    }

    async fn load_one(&self, slot: Slot) -> Result<Record, StoreError> {
        self.vault.load(&slot.entry(&self.id)).await?.ok_or(StoreError::Gone)
    }

    async fn renew(&self, slot: Slot, record: Record, replaced: Option<Mark>) -> Renewal {
        let gitlab = self.server.gitlab(&record).await;
        let renewal = renew(&self.places, &self.vault, &gitlab, &self.id, slot, record, replaced).await;
        if matches!(renewal, Renewal::Failed(_)) {
            self.server.forget_way().await;
        }
        renewal
    }

    /// Asks whether a token lives. `lost_at`: when an answer was lost that may have ended it.
    async fn verify(&self, slot: Slot, record: &Record, unsaved: bool, lost_at: Option<Timestamp>) -> Done {
        let gitlab = self.server.gitlab(record).await;
        let mut verdict = self.ask(&gitlab, record).await;
        let is_new = |at: Timestamp| (0..NEWS).contains(&Timestamp::now().since(at));
        let surprises = match &verdict {
            Ok(Liveness::Alive { .. }) => lost_at.is_some_and(is_new),
            Ok(Liveness::Dead) => is_new(record.received_at),
            _ => false,
        };
        if surprises {
            tokio::time::sleep(REPLICA_LAG).await;
            verdict = self.ask(&gitlab, record).await;
        }
        if verdict.is_err() {
            self.server.forget_way().await;
        }
        // Nothing comes after a dead token that was not half of a pair, unless another daemon has
        // its successor already.
        if record.kind != Kind::Oauth
            && verdict == Ok(Liveness::Dead)
            && !unsaved
            && let Ok(stored) = self.load_one(slot).await
            && stored.access_token != record.access_token
        {
            return Done::Renewed(slot, Renewal::Adopted(stored));
        }
        Done::Verified(slot, verdict)
    }

    async fn ask(&self, gitlab: &GitLab, record: &Record) -> Result<Liveness, Trouble> {
        match record.kind {
            Kind::Oauth => gitlab.token_info(&record.access_token).await,
            Kind::Fixed | Kind::Rotating if self.server.profile.is_deploy_token() => Ok(Liveness::Untold),
            Kind::Fixed | Kind::Rotating => gitlab.token_lives(&record.access_token).await,
        }
    }

    /// Saves a pair that could not be saved before, unless somebody else has written there since:
    /// unlinked the account, linked it anew, or renewed the pair.
    async fn save(&self, slot: Slot, record: &Record, unsaved: &NotSaved) -> Done {
        let lease = match self.places.lease(&self.id).await {
            Ok(lease) => lease,
            Err(why) => {
                return Done::Saved(slot, Err(StoreError::Unavailable(format!("no lease on the account: {why}"))));
            }
        };
        let entry = slot.entry(&self.id);
        let saved = match self.vault.load(&entry).await {
            // A call that was given up has done it, or the mark of a renewal is there.
            Ok(Some(stored)) if stored.access_token == record.access_token => Ok(()),
            Ok(Some(stored)) if !record.may_replace(&stored, Some(unsaved.replaces)) => {
                return Done::Renewed(slot, Renewal::Adopted(stored));
            }
            Ok(None) if !self.server.profile.is_in(&self.places.accounts()) => Ok(()),
            Err(StoreError::Newer) => Err(StoreError::Newer), // what it wrote is left as it is
            _ => self.vault.save(&entry, record, Prompt::Forbidden).await,
        };
        drop(lease);
        Done::Saved(slot, saved)
    }
}
