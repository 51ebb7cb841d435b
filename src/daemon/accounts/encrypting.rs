//! Encrypting the files with tokens, and taking that back; locking and unlocking them.
//!
//! First the directory says that it is encrypted, and from then on everything that is saved is.
//! Then each record is written once more, under its account's lease and while its task is retired.
//! Both kinds can be read at any time, so whatever breaks off in between costs nothing, and the
//! same command goes on. The way back is the same: the key goes last.

use std::sync::Arc;
use std::time::Duration;

use super::Accounts;
use crate::daemon::account::{Account, Retired};
use crate::daemon::fault;
use crate::daemon::secret::Secret;
use crate::daemon::store::{Count, Encryption, Refused, Slot, State, StoreError, StoreKind, Wish};

/// What the next try waits after a wrong passphrase, for each before it: a person who mistypes does
/// not notice it, a program that guesses does. (It can guess faster with a copy of the files.)
const AFTER_WRONG: Duration = Duration::from_secs(1);

/// No more often than this.
const MOST_AFTER_WRONG: u32 = 5;

/// The lease on what is said of the directory. No account has such an id.
const KEY: &str = "key";

/// The files with tokens.
#[derive(Debug)]
pub struct Found {
    /// Where they are.
    pub place: String,
    /// How they are encrypted, if they are.
    pub state: Option<State>,
    /// How many there are.
    pub count: Count,
}

/// What came of writing all records once more: those that could not be, and why.
pub type Rewritten = Vec<(String, StoreError)>;

impl Accounts {
    /// How the files with tokens are.
    pub async fn encryption_found(&self) -> Result<Found, Refused> {
        let place = self.places.tokens().display().to_string();
        self.with_encryption(move |it| Ok(Found { place, state: it.state()?, count: it.count() })).await
    }

    /// Encrypts them, or goes on with it.
    pub async fn encrypt(&self, wish: Wish) -> Result<Rewritten, Refused> {
        let _one_at_a_time = self.changing.lock().await;
        let _lease = self.lease_on_key().await?;
        fault::point("before-key");
        self.with_passphrase(move |it| it.begin(wish)).await?;
        fault::point("after-key");
        let rewritten = self.rewrite_all().await;
        tracing::info!(failed = rewritten.len(), "the files with tokens are encrypted");
        Ok(rewritten)
    }

    /// Takes that back, or goes on with it. If a record can't be read, the key stays.
    pub async fn decrypt(&self) -> Result<Rewritten, Refused> {
        let _one_at_a_time = self.changing.lock().await;
        let lease = self.lease_on_key().await?;
        self.with_encryption(Encryption::leave).await?;
        fault::point("after-leaving");
        let mut rewritten = self.rewrite_all().await;
        let count = self.with_encryption(|it| Ok(it.count())).await?;
        if rewritten.is_empty() && count.sealed > 0 {
            let why = StoreError::Unavailable("another program has encrypted one again; try again".into());
            rewritten.push((count.sealed.to_string(), why));
        }
        if rewritten.is_empty() {
            fault::point("before-end");
            self.with_encryption(Encryption::end).await?;
            fault::point("after-end");
            self.places.forget_lease(lease, KEY);
            tracing::info!("the files with tokens are not encrypted any more");
        }
        Ok(rewritten)
    }

    /// Gets the key. The accounts look at their tokens anew.
    pub async fn unlock(&self, passphrase: Option<Secret>) -> Result<(), Refused> {
        self.with_passphrase(move |it| it.unlock(passphrase.as_ref())).await?;
        let _one_at_a_time = self.changing.lock().await;
        for account in self.in_files() {
            let held = account.retire().await;
            self.put(account.revive(self.places.clone(), unsaved(held)));
        }
        tracing::info!("the files with tokens are unlocked");
        Ok(())
    }

    /// Forgets the key, and with it what was read: but not a pair that could not be saved and is
    /// nowhere else. The result is the accounts that have one.
    pub async fn lock(&self) -> Result<Vec<String>, Refused> {
        let _one_at_a_time = self.changing.lock().await;
        // What runs is finished, and saved with the key.
        let mut retired = Vec::new();
        for account in self.in_files() {
            let held = account.retire().await;
            retired.push((account, held));
        }
        let locked = self.with_encryption(Encryption::lock).await;
        let mut kept = Vec::new();
        for (account, held) in retired {
            let held = unsaved(held);
            if held.is_some() {
                kept.push(account.profile.who());
            }
            self.put(account.revive(self.places.clone(), held));
        }
        locked?;
        tracing::info!("the files with tokens are locked");
        Ok(kept)
    }

    /// A key that opens nothing is not kept.
    pub(super) fn forget_key_without_accounts(&self) {
        if !self.known_so_far().accounts.iter().any(|account| account.profile.store == StoreKind::File) {
            self.encryption().forget();
        }
    }

    /// Writes every record once more, as it is to be written now.
    async fn rewrite_all(&self) -> Rewritten {
        let mut failed = Vec::new();
        let accounts = self.in_files();
        let known: Vec<_> = accounts.iter().map(|account| account.profile.id()).collect();
        for account in accounts {
            let held = account.retire().await;
            if let Err(why) = self.rewrite(&account.profile.id()).await {
                failed.push((account.profile.who(), why));
            }
            self.put(account.revive(self.places.clone(), unsaved(held)));
            fault::point("after-rewrite");
        }
        // And what belongs to no account that we knew: a link or an unlink that broke off, a
        // profile that can't be read, what another daemon has linked meanwhile.
        let [_, second] = Slot::ALL.map(|slot| slot.entry(""));
        let account_of = |entry: String| entry.strip_suffix(&second).map_or(entry.clone(), str::to_owned);
        let mut others: Vec<_> = self.encryption().entries().into_iter().map(account_of).collect();
        others.retain(|id| !known.contains(id));
        others.dedup();
        for id in others {
            if let Err(why) = self.rewrite(&id).await {
                failed.push((format!("nobody we know ({id}, in {})", self.places.tokens().display()), why));
            }
        }
        failed
    }

    /// Both logins of an account that nobody runs at this moment.
    async fn rewrite(&self, id: &str) -> Result<(), StoreError> {
        let lease = self.lease(id).await?;
        let vault = self.vault(StoreKind::File);
        let mut done = Ok(());
        for slot in Slot::ALL {
            done = done.and(vault.rewrite(&slot.entry(id)).await);
        }
        if done.is_err() {
            vault.keep_until_done(lease);
        }
        done
    }

    fn in_files(&self) -> Vec<Account> {
        let mut accounts = self.list(None, None);
        accounts.retain(|account| account.vault.kind() == StoreKind::File);
        accounts
    }

    fn encryption(&self) -> Arc<Encryption> {
        self.vault(StoreKind::File).encryption().expect("files have it").clone()
    }

    /// What may wait for systemd, or compute for half a second, keeps nobody else waiting.
    async fn with_encryption<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Encryption) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let encryption = self.encryption();
        let done = tokio::task::spawn_blocking(move || call(&encryption)).await;
        done.unwrap_or_else(|_| Err(StoreError::Unavailable("it broke off; see daemon.log".into()).into()))
    }

    /// The same for what tries a passphrase: one after the other, and slowly once it was wrong.
    async fn with_passphrase(
        &self,
        call: impl FnOnce(&Encryption) -> Result<(), Refused> + Send + 'static,
    ) -> Result<(), Refused> {
        let _place = self.passphrases.try_acquire().map_err(|_| Refused::Busy)?;
        let mut wrong = self.wrong_passphrases.lock().await;
        let tried = self.with_encryption(call).await;
        *wrong = match tried {
            Err(Refused::Wrong) => {
                tracing::warn!("a wrong passphrase");
                tokio::time::sleep(AFTER_WRONG * (*wrong).min(MOST_AFTER_WRONG)).await;
                wrong.saturating_add(1)
            }
            Ok(()) => 0,
            Err(_) => *wrong,
        };
        tried
    }

    async fn lease_on_key(&self) -> Result<std::fs::File, StoreError> {
        self.lease(KEY).await
    }

    async fn lease(&self, id: &str) -> Result<std::fs::File, StoreError> {
        let unavailable = |why: std::io::Error| StoreError::Unavailable(format!("no lease: {why}"));
        self.places.lease(id).await.map_err(unavailable)
    }
}

/// What a retired account held, if the store does not have all of it. Otherwise the account reads
/// anew what is there for it, as far as it is unlocked.
fn unsaved(held: Option<Retired>) -> Option<Retired> {
    held.filter(|held| held.logins.iter().any(|login| login.unsaved.is_some()))
}
