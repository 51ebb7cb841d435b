//! What becomes of a login when work on it is done.

use super::login::Unsaved;
use super::logins::Held;
use super::work::Means;
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{Liveness, Trouble};
use crate::daemon::renewal::Renewal;
use crate::daemon::schedule::Schedule;
use crate::daemon::store::{NotSaved, Slot, StoreError};

/// It was renewed, or not.
pub(super) fn renewed(held: &mut Held, slot: Slot, renewal: Renewal, means: &Means) {
    let (who, now) = (means.who(), Timestamp::now());
    match renewal {
        Renewal::Renewed(record) => {
            tracing::info!(account = %who, ?slot, renewals = record.renewals, "renewed");
            held.replace(slot, record, None);
        }
        Renewal::Adopted(record) => {
            tracing::info!(account = %who, ?slot, "another daemon has renewed");
            held.replace(slot, record, None);
        }
        Renewal::Unsaved(record, what) => {
            tracing::error!(account = %who, ?slot, why = %what.why, "renewed, but the new pair is not saved");
            held.replace(slot, record, Some(Unsaved::since_now(what)));
        }
        Renewal::Fixed(record, why) => {
            tracing::warn!(account = %who, ?slot, %why, "not renewed, and not tried again");
            held.replace(slot, record, None);
        }
        Renewal::Failed(Trouble::Refused { why, .. }) => {
            tracing::warn!(account = %who, ?slot, %why, "not renewed");
            change(held, slot, means, |schedule| schedule.on_refused_renewal(now, why));
        }
        Renewal::Failed(Trouble::Transient { why, retry_after, lost }) => {
            tracing::warn!(account = %who, ?slot, %why, "not renewed");
            change(held, slot, means, |schedule| {
                if lost {
                    schedule.on_lost(now);
                }
                schedule.on_failed(now, why, retry_after, jitter());
            });
        }
        // Nothing was spent. Whether it was unlinked elsewhere, the profile's file will tell.
        Renewal::Store(why) => {
            let why = match why {
                StoreError::VaultLocked => "nothing was renewed, because its tokens are locked; to unlock them: \
                                            git credential-gitlab vault unlock"
                    .into(),
                why => format!("its tokens are in {}, but {why}, so nothing was renewed", means.vault.place()),
            };
            tracing::warn!(account = %who, ?slot, %why, "not renewed");
            change(held, slot, means, |schedule| schedule.on_failed(now, why, None, jitter()));
        }
    }
}

/// The server was asked whether its token lives.
pub(super) fn verified(held: &mut Held, slot: Slot, verdict: Result<Liveness, Trouble>, means: &Means) {
    let now = Timestamp::now();
    change(held, slot, means, |schedule| match verdict {
        Ok(Liveness::Alive { .. }) => schedule.on_verified(now, true),
        Ok(Liveness::Dead) => schedule.on_verified(now, false),
        Ok(Liveness::Untold) => schedule.on_untold(now),
        Err(Trouble::Transient { why, retry_after, .. }) => schedule.on_unanswered(now, why, retry_after, jitter()),
        Err(Trouble::Refused { why, .. }) => schedule.on_not_told(now, why, jitter()),
    });
}

/// A pair that could not be saved before was saved, or not.
pub(super) fn saved(held: &mut Held, slot: Slot, saved: Result<(), StoreError>) {
    let Some(login) = held.get_mut(slot) else { return };
    login.unsaved = match (saved, login.unsaved.take()) {
        (Err(why), Some(before)) => Some(Unsaved::since_now(NotSaved { why, ..before.what })),
        _ => None,
    };
}

/// Changes a login's schedule, and says in the log if that was its end.
fn change(held: &mut Held, slot: Slot, means: &Means, change: impl FnOnce(&mut Schedule)) {
    let Some(login) = held.get_mut(slot) else { return };
    let now = Timestamp::now();
    let ended_before = login.schedule.ended(now).is_some();
    change(&mut login.schedule);
    if let Some(why) = login.schedule.ended(now).filter(|_| !ended_before) {
        tracing::warn!(account = %means.who(), ?slot, %why, "a login has ended");
    }
}

/// From 0 to 1. Not for secrets: it spreads retries of many machines.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
