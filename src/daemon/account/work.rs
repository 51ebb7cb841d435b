//! What an account does with its store and its server, one thing at a time.

use std::pin::Pin;
use std::sync::Arc;

use super::Server;
use super::logins::Held;
use crate::daemon::gitlab::{Liveness, Trouble};
use crate::daemon::places::Places;
use crate::daemon::renewal::{Renewal, renew};
use crate::daemon::store::{Kind, Prompt, Record, Slot, StoreError, Vault};

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
        let login = |slot: Slot| {
            let login = held?.get(slot)?;
            Some((login.record.clone(), login.unsaved.is_some()))
        };
        match work {
            Work::Load => Box::pin(async move { Done::Loaded(means.load().await) }),
            Work::Renew(slot) | Work::Verify(slot) | Work::Save(slot) => {
                let Some((record, unsaved)) = login(slot) else { return self.start(Work::Load, None) };
                match work {
                    Work::Renew(_) => {
                        Box::pin(async move { Done::Renewed(slot, means.renew(slot, record, unsaved).await) })
                    }
                    Work::Verify(_) => Box::pin(async move { means.verify(slot, &record).await }),
                    _ => Box::pin(async move { Done::Saved(slot, means.save(slot, &record).await) }),
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

    async fn renew(&self, slot: Slot, record: Record, unsaved: bool) -> Renewal {
        let gitlab = self.server.gitlab(&record).await;
        let renewal = renew(&self.places, &self.vault, &gitlab, &self.id, slot, record, unsaved).await;
        if matches!(renewal, Renewal::Failed(_)) {
            self.server.forget_way().await;
        }
        renewal
    }

    async fn verify(&self, slot: Slot, record: &Record) -> Done {
        let gitlab = self.server.gitlab(record).await;
        let verdict = match record.kind {
            Kind::Oauth => gitlab.token_info(&record.access_token).await,
            Kind::Fixed | Kind::Rotating if self.server.profile.is_deploy_token() => Ok(Liveness::Untold),
            Kind::Fixed | Kind::Rotating => gitlab.token_lives(&record.access_token).await,
        };
        if verdict.is_err() {
            self.server.forget_way().await;
        }
        // Nothing comes after a dead token that was not half of a pair, unless another daemon has
        // its successor already.
        if record.kind != Kind::Oauth
            && verdict == Ok(Liveness::Dead)
            && let Ok(stored) = self.load_one(slot).await
            && stored.received_at > record.received_at
        {
            return Done::Renewed(slot, Renewal::Adopted(stored));
        }
        Done::Verified(slot, verdict)
    }

    /// Saves a pair that could not be saved before, unless somebody else has written there since:
    /// unlinked the account, linked it anew, or renewed the pair.
    async fn save(&self, slot: Slot, record: &Record) -> Result<(), StoreError> {
        let unavailable = |why: std::io::Error| StoreError::Unavailable(format!("no lease on the account: {why}"));
        let _lease = self.places.lease(&self.id).await.map_err(unavailable)?;
        let entry = slot.entry(&self.id);
        match self.vault.load(&entry).await {
            Ok(Some(stored)) if stored.received_at > record.received_at => Ok(()),
            Ok(None) if !self.server.profile.is_in(&self.places.accounts()) => Ok(()),
            _ => self.vault.save(&entry, record, Prompt::Forbidden).await,
        }
    }
}
