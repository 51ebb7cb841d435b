//! Linking and unlinking: how an account comes and goes.
//!
//! All take the account's task to its end first, so that nobody spends or saves a pair under
//! their hands, and all bring it back with what it held if they fail.

use std::sync::Arc;
use std::time::Duration;

use super::Accounts;
use crate::daemon::account::{Account, Kept, Retired};
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::Trouble;
use crate::daemon::profile::{Linked, Profile};
use crate::daemon::store::{Prompt, Record, Slot, StoreError, StoreKind, Vault};
use crate::protocol::{Code, Failure};

/// A server that was reached a moment ago, for the new pair, is back soon.
const REVOKE_WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20)];

impl Accounts {
    /// Takes a new pair: saved first, then used. An account that was linked before gives its
    /// place, and its old logins are revoked.
    pub async fn link(&self, linked: Linked, record: Record) -> Result<Arc<Profile>, StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let id = linked.id();
        let vault = self.vault(linked.store);
        let old = self.known().accounts.iter().find(|account| account.profile.id() == id).cloned();
        let profile = Profile::new(linked, old.as_ref().map(|old| old.profile.as_ref()), Timestamp::now());
        let profile = Arc::new(profile);
        let held = match &old {
            Some(old) => old.retire().await,
            None => None,
        };
        if let Err(why) = self.save(&profile, &vault, Slot::First, &record).await {
            let same_place = old.as_ref().is_some_and(|old| old.vault.kind() == vault.kind());
            let before = held.as_ref().filter(|_| same_place).and_then(|held| held.get(Slot::First));
            vault.take_back_save(&Slot::First.entry(&id), before.map(|kept| kept.record.clone()));
            if let Some(old) = old {
                self.put(old.revive(self.places.clone(), held));
            }
            return Err(why);
        }
        let lid = self.lid(&profile.instance);
        lid.lift();
        self.put(Account::run(profile.clone(), vault.clone(), self.places.clone(), lid));
        if let Some(old) = old {
            let elsewhere = old.vault.kind() != vault.kind();
            // Before anybody saves another spare there.
            for slot in Slot::ALL.into_iter().filter(|slot| elsewhere || *slot == Slot::Second) {
                if let Err(why) = old.vault.delete(&slot.entry(&id)).await {
                    tracing::warn!(account = %old.profile.who(), %why, "a replaced pair was not deleted");
                }
            }
            let logins = held.map_or_else(Vec::new, |held| held.logins);
            self.revoke_later(old, logins.into_iter().map(|kept| kept.record).collect());
        }
        Ok(profile)
    }

    /// Takes a second login of an account that was linked a moment ago.
    pub async fn add_spare(&self, to: &Profile, record: Record) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let linked = |account: &&Account| account.profile.is_same_link(to);
        let account = self.known().accounts.iter().find(linked).cloned().ok_or(StoreError::Gone)?;
        let mut held = account.retire().await;
        let profile = to.clone().with_spare();
        if let Err(why) = self.save(&profile, &account.vault, Slot::Second, &record).await {
            account.vault.take_back_save(&Slot::Second.entry(&profile.id()), None);
            self.put(account.revive(self.places.clone(), held));
            return Err(why);
        }
        if let Some(held) = &mut held {
            held.logins.push(Kept { slot: Slot::Second, record, unsaved: None });
        }
        self.put(account.revive_as(Arc::new(profile), self.places.clone(), held));
        Ok(())
    }

    async fn save(&self, profile: &Profile, vault: &Vault, slot: Slot, record: &Record) -> Result<(), StoreError> {
        let unwritable = |why: std::io::Error| StoreError::Unavailable(format!("the state directory: {why}"));
        let _lease = self.places.lease(&profile.id()).await.map_err(unwritable)?;
        vault.save(&slot.entry(&profile.id()), record, Prompt::Allowed).await?;
        let written = match vault.kind() {
            StoreKind::Memory => profile.remove(&self.places.accounts()), // it would outlive its tokens
            _ => profile.save(&self.places.accounts()),
        };
        written.map_err(unwritable)
    }

    /// Revokes what nobody uses any more, as far as the server lets us.
    fn revoke_later(&self, account: Account, records: Vec<Record>) {
        self.run_errand(async move {
            for record in records {
                let gitlab = account.gitlab(&record).await;
                for wait in REVOKE_WAITS {
                    tokio::time::sleep(wait).await;
                    match gitlab.revoke(record.revocable_token()).await {
                        Ok(()) => break,
                        Err(why) => {
                            tracing::warn!(account = %account.profile.who(), %why, "a replaced pair was not revoked");
                        }
                    }
                }
            }
        });
    }

    /// Forgets an account: revokes its logins at the server and looks whether they are dead, then
    /// wipes them here. With `local` the server is not asked. On failure nothing is forgotten.
    pub async fn unlink(&self, account: &Account, local: bool) -> Result<(), Failure> {
        let _one_at_a_time = self.changing.lock().await;
        let held = account.retire().await;
        let done = self.revoke_and_wipe(account, held.as_ref(), local).await;
        match done {
            Ok(()) => self.remove(&account.profile.id()),
            Err(_) => self.put(account.revive(self.places.clone(), held)),
        }
        done
    }

    async fn revoke_and_wipe(&self, account: &Account, held: Option<&Retired>, local: bool) -> Result<(), Failure> {
        let profile = &account.profile;
        let (who, id) = (profile.who(), profile.id());
        let store_failed = |why: String| {
            let place = account.vault.place();
            Failure::new(Code::Store, format!("{who} is still linked: its tokens are in {place}, but {why}"))
        };
        let lease = self.places.lease(&id).await.map_err(|why| store_failed(why.to_string()))?;
        for slot in Slot::ALL.into_iter().filter(|_| !local) {
            let newest = newest(account, slot, held).await.map_err(|why| store_failed(why.to_string()))?;
            let Some(record) = newest else { continue };
            let gitlab = account.gitlab(&record).await;
            let revoked = gitlab.revoke_and_check(record.revocable_token(), &record.access_token).await;
            revoked.map_err(|trouble| self.still_linked(profile, &trouble))?;
        }
        for slot in Slot::ALL {
            account.vault.delete(&slot.entry(&id)).await.map_err(|why| store_failed(why.to_string()))?;
        }
        profile.remove(&self.places.accounts()).map_err(|why| store_failed(why.to_string()))?;
        self.places.forget_lease(lease, &id);
        tracing::info!(account = %who, local, "unlinked");
        Ok(())
    }

    fn still_linked(&self, profile: &Profile, trouble: &Trouble) -> Failure {
        let account = match self.list(Some(&profile.instance), None).len() {
            0 | 1 => String::new(),
            _ => format!(" --account {}", profile.label()),
        };
        let text = format!(
            "{} is still linked, because its tokens could not be revoked: {trouble}; try again, \
             or forget them on this machine alone: git credential-gitlab unlink {}{account} --local",
            profile.who(),
            profile.instance.short(),
        );
        Failure::new(trouble.code(), text)
    }

    fn put(&self, account: Account) {
        // Not brought up to date: that would run the account from its new file a second time.
        let mut known = self.known_so_far();
        known.accounts.retain(|other| other.profile.id() != account.profile.id());
        known.accounts.push(account);
        known.accounts.sort_by_key(|account| account.profile.rank());
    }

    fn remove(&self, id: &str) {
        self.known_so_far().accounts.retain(|account| account.profile.id() != id);
    }
}

/// The pair to revoke: what the store has, because another daemon may have renewed it, unless the
/// account held a newer one that could not be saved.
async fn newest(account: &Account, slot: Slot, held: Option<&Retired>) -> Result<Option<Record>, StoreError> {
    let held = held.and_then(|held| held.get(slot));
    if let Some(held) = held.filter(|held| held.unsaved.is_some()) {
        return Ok(Some(held.record.clone()));
    }
    let stored = account.vault.load(&slot.entry(&account.profile.id())).await?;
    Ok(stored.or(held.map(|held| held.record.clone())))
}
