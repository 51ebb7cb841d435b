//! Linking and unlinking: how an account comes and goes.
//!
//! All take the account's task to its end first, so that nobody spends or saves a pair under
//! their hands, and all bring it back with what it held if they fail.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::Accounts;
use crate::daemon::account::{Account, Kept, Retired};
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{GitLab, TokenKind, Trouble};
use crate::daemon::profile::{Linked, Profile};
use crate::daemon::secret::Secret;
use crate::daemon::store::{Kind, Prompt, Record, Slot, StoreError, StoreKind, Vault};
use crate::protocol::{Code, Failure};

/// A server that was reached a moment ago, for the new pair, is back soon.
const REVOKE_WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20)];

/// What became of a grant at the server when its account was forgotten here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// The server has revoked it.
    Revoked,
    /// The server was not asked: nobody wanted that, or it can't be.
    Kept,
    /// Some of its tokens could not be read, so nothing could be revoked with them.
    Unreadable,
}

impl Accounts {
    /// Takes a new pair: saved first, then used. An account that was linked before gives its
    /// place, and its old logins are revoked; but not a token that the person made and may use
    /// elsewhere: its kind comes back.
    pub async fn link(&self, linked: Linked, record: Record) -> Result<(Arc<Profile>, Option<TokenKind>), StoreError> {
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
        // From here on nobody renews what is replaced, another daemon included.
        let mut replaced = Vec::new();
        let saved = match self.places.lease(&id).await {
            Err(why) => Err(NotLinked { why: unwritable(why), is_as_before: true }),
            Ok(lease) => {
                for (old, slot) in old.iter().flat_map(|old| Slot::ALL.map(|slot| (old, slot))) {
                    replaced.extend(newest(old, slot, held.as_ref()).await.ok().flatten());
                }
                self.save(lease, &profile, &vault, Slot::First, &record).await
            }
        };
        let lease = match saved {
            Ok(lease) => lease,
            Err(NotLinked { why, is_as_before }) => {
                if let Some(old) = old {
                    let held = if is_as_before { held } else { held.map(|held| held.saved_over(&record, &why)) };
                    self.put(old.revive(self.places.clone(), held));
                }
                return Err(why);
            }
        };
        self.notices().forget(&id);
        let lid = self.lid(&profile.instance);
        lid.allow_one();
        self.put(Account::run(profile.clone(), vault.clone(), self.places.clone(), lid));
        if let Some(old) = old {
            let elsewhere = old.vault.kind() != vault.kind();
            // Before anybody saves another spare there.
            for slot in Slot::ALL.into_iter().filter(|slot| elsewhere || *slot == Slot::Second) {
                if let Err(why) = old.vault.delete(&slot.entry(&id)).await {
                    tracing::warn!(account = %old.profile.who(), %why, "a replaced pair was not deleted");
                }
            }
            drop(lease);
            let replaced = replaced.into_iter().filter(|old| old.access_token != record.access_token);
            let (theirs, ours): (Vec<_>, Vec<_>) = replaced.partition(Record::is_known_to_person);
            let kind = old.profile.by_hand.filter(|_| !theirs.is_empty()).map(|token| token.kind);
            for record in ours {
                let gitlab = old.gitlab(&record).await;
                self.give_back(gitlab, record, old.profile.who());
            }
            return Ok((profile, kind));
        }
        Ok((profile, None))
    }

    /// Takes a second login of an account that was linked a moment ago.
    pub async fn add_spare(&self, to: &Profile, record: Record) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let linked = |account: &&Account| account.profile.is_same_link(to);
        let account = self.known().accounts.iter().find(linked).cloned().ok_or(StoreError::Gone)?;
        let mut held = account.retire().await;
        let profile = to.clone().with_spare();
        if let Err(why) = self.save_spare(&profile, &account, held.as_ref(), &record).await {
            self.put(account.revive(self.places.clone(), held));
            return Err(why);
        }
        if let Some(held) = &mut held {
            held.logins.push(Kept { slot: Slot::Second, record, unsaved: None });
        }
        self.put(account.revive_as(Arc::new(profile), self.places.clone(), held));
        Ok(())
    }

    async fn save_spare(
        &self,
        profile: &Profile,
        account: &Account,
        held: Option<&Retired>,
        record: &Record,
    ) -> Result<(), StoreError> {
        let first = newest(account, Slot::First, held).await?;
        // Two logins that are one would spend one refresh token twice.
        if first.is_some_and(|first| first.access_token == record.access_token) {
            return Err(StoreError::Unavailable("the server gave the first login's tokens again".into()));
        }
        let lease = self.places.lease(&profile.id()).await.map_err(unwritable)?;
        self.save(lease, profile, &account.vault, Slot::Second, record).await.map(drop).map_err(|failed| failed.why)
    }

    /// Saves a new login and what is known of its account, or leaves both as they were. The lease comes
    /// back.
    async fn save(
        &self,
        lease: File,
        profile: &Profile,
        vault: &Vault,
        slot: Slot,
        record: &Record,
    ) -> Result<File, NotLinked> {
        let entry = slot.entry(&profile.id());
        let before = vault.load(&entry).await;
        let saved = vault.save(&entry, record, Prompt::Allowed).await;
        let overwritten = saved.is_ok();
        let saved = saved.and_then(|()| {
            match vault.kind() {
                StoreKind::Memory => profile.remove(&self.places.accounts()), // it would outlive its tokens
                _ => profile.save(&self.places.accounts()),
            }
            .map_err(unwritable)
        });
        if let Err(why) = saved {
            let is_as_before = match before {
                Ok(before) => vault.take_back_save(&entry, before).await,
                Err(_) => !overwritten,
            };
            vault.keep_until_done(lease);
            return Err(NotLinked { why, is_as_before });
        }
        Ok(lease)
    }

    /// Revokes what nobody uses any more, as far as the server lets us.
    pub fn give_back(&self, gitlab: GitLab, record: Record, who: String) {
        let mut ending = self.ending.subscribe();
        self.run_errand(async move {
            for wait in REVOKE_WAITS {
                // Whoever ends the daemon waits for one more try, not for the server's recovery.
                let _ = tokio::time::timeout(wait, ending.wait_for(|ending| *ending)).await;
                match revoke(&gitlab, &record).await {
                    Ok(()) => return,
                    Err(why) => tracing::warn!(account = %who, %why, "a pair that nobody uses was not revoked"),
                }
                if *ending.borrow() {
                    return;
                }
            }
        });
    }

    /// Forgets an account: revokes its logins at the server and looks whether they are dead, then
    /// wipes them here. With `local` the server is not asked, and about a deploy token it can't be.
    /// On failure nothing is forgotten.
    pub async fn unlink(&self, account: &Account, local: bool) -> Result<Unlinked, Failure> {
        let _one_at_a_time = self.changing.lock().await;
        // It may have been linked again while we waited.
        let id = account.profile.id();
        let account = self.known().accounts.iter().find(|known| known.profile.id() == id).cloned();
        let Some(account) = account else { return Ok(Unlinked::Kept) };
        let held = account.retire().await;
        let mut revoked = Vec::new();
        let done = self.revoke_and_wipe(&account, held.as_ref(), local, &mut revoked).await;
        if done.is_ok() {
            self.remove(&id);
            self.forget_key_without_accounts();
            return done;
        }
        let revived = account.revive(self.places.clone(), held);
        self.put(revived.clone());
        for token in revoked {
            revived.refused(token).await; // not to be handed out before the server was asked
        }
        done
    }

    async fn revoke_and_wipe(
        &self,
        account: &Account,
        held: Option<&Retired>,
        local: bool,
        revoked: &mut Vec<Secret>,
    ) -> Result<Unlinked, Failure> {
        let profile = &account.profile;
        let (who, id) = (profile.who(), profile.id());
        let store_failed = |why: String| {
            let (place, command) = (account.vault.place(), self.unlink_local(profile));
            let text = format!(
                "{who} is still linked: its tokens are in {place}, but {why}; try again, or forget them on this \
                 machine alone: {command}"
            );
            Failure::new(Code::Store, text)
        };
        let lease = self.places.lease(&id).await.map_err(|why| store_failed(why.to_string()))?;
        let mut logins = Vec::new();
        let ask = !local && !profile.is_deploy_token();
        let mut unlinked = if ask { Unlinked::Revoked } else { Unlinked::Kept };
        for slot in Slot::ALL.into_iter().filter(|_| ask) {
            match newest(account, slot, held).await {
                Ok(login) => logins.extend(login),
                // What can't be read can't be revoked, and is of no use to anybody.
                Err(why) if why.is_lasting() => {
                    tracing::warn!(account = %who, %why, "a login is not revoked");
                    unlinked = Unlinked::Unreadable;
                }
                Err(why) => return Err(store_failed(why.to_string())),
            }
        }
        for record in logins {
            let gitlab = account.gitlab(&record).await;
            let done = match record.kind {
                Kind::Oauth => gitlab.revoke_and_check(record.revocable_token(), &record.access_token).await,
                Kind::Fixed | Kind::Rotating => gitlab.revoke_own(&record.access_token).await,
            };
            revoked.push(record.access_token);
            done.map_err(|trouble| self.still_linked(profile, &trouble))?;
        }
        for slot in Slot::ALL {
            account.vault.delete(&slot.entry(&id)).await.map_err(|why| store_failed(why.to_string()))?;
        }
        profile.remove(&self.places.accounts()).map_err(|why| store_failed(why.to_string()))?;
        self.notices().forget(&id);
        self.places.forget_lease(lease, &id);
        tracing::info!(account = %who, local, "unlinked");
        Ok(unlinked)
    }

    fn still_linked(&self, profile: &Profile, trouble: &Trouble) -> Failure {
        let text = format!(
            "{} is still linked, because its tokens could not be revoked: {trouble}; try again, \
             or forget them on this machine alone: {}",
            profile.who(),
            self.unlink_local(profile),
        );
        Failure::new(trouble.code(), text)
    }

    fn unlink_local(&self, profile: &Profile) -> String {
        let account = match self.list(Some(&profile.instance), None).len() {
            0 | 1 => String::new(),
            _ => format!(" --account {}", profile.label()),
        };
        format!("git credential-gitlab unlink {}{account} --local", profile.instance.short())
    }

    pub(super) fn put(&self, account: Account) {
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

/// Why a new login could not be kept.
struct NotLinked {
    why: StoreError,
    /// Whether the store has what it had before; else it may have the new login.
    is_as_before: bool,
}

fn unwritable(why: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("the state directory: {why}"))
}

/// Ends a login at the server.
async fn revoke(gitlab: &GitLab, record: &Record) -> Result<(), Trouble> {
    match record.kind {
        Kind::Oauth => gitlab.revoke(record.revocable_token()).await,
        Kind::Fixed | Kind::Rotating => gitlab.revoke_own(&record.access_token).await,
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
