//! Which accounts there are, and which one a request of git is for.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::account::Account;
use super::clock::Timestamp;
use super::gitlab::{Liveness, Trouble};
use super::places::Places;
use super::profile::{Linked, Profile, ProfileError};
use super::store::{Prompt, Record, StoreError, StoreKind, Vault};
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// Long enough for another daemon's renewal to end.
const LEASE_WITHIN: Duration = Duration::from_secs(45);

/// The accounts of this state directory. Another daemon may add and remove some (a container on
/// the same home directory), so the directory is looked at again whenever it has changed.
#[derive(Debug)]
pub struct Accounts {
    places: Places,
    vaults: Mutex<HashMap<&'static str, Vault>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    accounts: Vec<Account>,
    problems: Vec<ProfileError>,
    directory_changed_at: Option<SystemTime>,
}

/// Git's question, as far as it decides about the account.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    scheme: &'a [u8],
    host: &'a [u8],
    path: Option<&'a [u8]>,
    username: Option<&'a [u8]>,
}

impl<'a> Question<'a> {
    /// The question in a request; `None` if it names no scheme or no host.
    pub fn in_request(request: &'a Attributes) -> Option<Self> {
        Some(Self {
            scheme: request.get("protocol")?,
            host: request.get("host")?,
            path: request.get("path"),
            username: request.get("username"),
        })
    }

    /// Whether the request is for this instance.
    pub fn is_for(&self, instance: &Instance) -> bool {
        instance.covers(self.scheme, self.host, self.path)
    }
}

impl Accounts {
    /// The accounts of a state directory; none is read yet.
    pub fn new(places: Places) -> Self {
        Self { places, vaults: Mutex::default(), known: Mutex::default() }
    }

    /// The store of a kind; all accounts share it.
    pub fn vault(&self, kind: StoreKind) -> Vault {
        let mut vaults = self.vaults.lock().expect("nobody panics while holding it");
        vaults.entry(kind.word()).or_insert_with(|| Vault::open(kind, &self.places.tokens())).clone()
    }

    /// The account that answers a question: the one whose name the URL has, else the one that was
    /// linked first. A name that is none of ours (`git@`, an old name) is no reason to fail.
    pub fn find(&self, question: &Question) -> Option<Account> {
        let known = self.known();
        let mut candidates = known.accounts.iter().filter(|account| question.is_for(&account.profile.instance));
        let named = |account: &&Account| question.username == Some(account.profile.username.as_bytes());
        candidates.clone().find(named).or_else(|| candidates.next()).cloned()
    }

    /// A state file that can't be read and, by its name, could be about this host.
    pub fn problem_for(&self, question: &Question) -> Option<String> {
        let host = Instance::parse(&String::from_utf8_lossy(question.host)).ok()?;
        let about = |problem: &&ProfileError| {
            let ProfileError::Unreadable { path, .. } = problem;
            let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.split('~').next().is_some_and(|slug| slug.starts_with(&host.slug()))
        };
        self.known().problems.iter().find(about).map(ToString::to_string)
    }

    /// All accounts, or those of one instance and of one name, the one linked first in front.
    pub fn list(&self, instance: Option<&Instance>, username: Option<&str>) -> Vec<Account> {
        let wanted = |account: &&Account| {
            instance.is_none_or(|instance| account.profile.instance == *instance)
                && username.is_none_or(|name| account.profile.username.eq_ignore_ascii_case(name))
        };
        self.known().accounts.iter().filter(wanted).cloned().collect()
    }

    /// What is wrong with state files.
    pub fn problems(&self) -> Vec<String> {
        self.known().problems.iter().map(ToString::to_string).collect()
    }

    /// The instance that a person means who names none: the only one linked, else gitlab.com.
    pub fn usual_instance(&self) -> Instance {
        let mut instances: Vec<_> = self.known().accounts.iter().map(|it| it.profile.instance.clone()).collect();
        instances.dedup();
        match instances.as_slice() {
            [only] => only.clone(),
            _ => Instance::parse("gitlab.com").expect("it is a host name"),
        }
    }

    /// Takes a new pair: saved first, then used. An account that was linked before gives its
    /// place, and its old pair is revoked.
    pub async fn link(&self, linked: Linked, record: Record) -> Result<Arc<Profile>, StoreError> {
        let mut profile = Profile::new(linked, Timestamp::now());
        let id = profile.id();
        let vault = self.vault(profile.store);
        let old = self.known().accounts.iter().find(|account| account.profile.id() == id).cloned();
        if let Some(old) = &old {
            profile.first_linked_at = old.profile.first_linked_at; // it keeps its place in the list
        }
        let profile = Arc::new(profile);
        let old_record = match &old {
            Some(old) => old.retire().await,
            None => None,
        };
        let saved = self.save(&profile, &vault, &record).await;
        if let (Err(_), Some(old)) = (&saved, &old) {
            self.put(Account::run(old.profile.clone(), old.vault.clone(), self.places.clone()));
        }
        saved?;
        self.put(Account::run(profile.clone(), vault.clone(), self.places.clone()));
        if let Some(old) = old {
            if old.vault.kind() != vault.kind() {
                let _ = old.vault.delete(&id).await; // the new pair is safe; a spent one is no secret
            }
            if let Some(old_record) = old_record {
                tokio::spawn(async move {
                    let token = old_record.refresh_token.as_ref().unwrap_or(&old_record.access_token);
                    if let Err(why) = old.gitlab(&old_record).await.revoke(token).await {
                        tracing::warn!(account = %old.profile.who(), %why, "the replaced pair was not revoked");
                    }
                });
            }
        }
        Ok(profile)
    }

    async fn save(&self, profile: &Profile, vault: &Vault, record: &Record) -> Result<(), StoreError> {
        let unwritable = |why: std::io::Error| StoreError::Unavailable(format!("the state directory: {why}"));
        let _lease = self.places.lease(&profile.id(), LEASE_WITHIN).await.map_err(unwritable)?;
        vault.save(&profile.id(), record, Prompt::Allowed).await?;
        if vault.kind() == StoreKind::Memory {
            return Ok(()); // a profile on disk would outlive its tokens
        }
        profile.save(&self.places.accounts()).map_err(unwritable)
    }

    /// Forgets an account: revokes its pair at the server and looks whether it is dead, then
    /// wipes it here. With `local` the server is not asked. On failure nothing is forgotten.
    pub async fn unlink(&self, account: &Account, local: bool) -> Result<(), Failure> {
        let held = account.retire().await;
        let done = self.revoke_and_wipe(account, held, local).await;
        let mut known = self.known();
        known.accounts.retain(|other| other.profile.id() != account.profile.id());
        if done.is_err() {
            drop(known);
            self.put(Account::run(account.profile.clone(), account.vault.clone(), self.places.clone()));
        }
        done
    }

    async fn revoke_and_wipe(&self, account: &Account, held: Option<Record>, local: bool) -> Result<(), Failure> {
        let profile = &account.profile;
        let (who, id) = (profile.who(), profile.id());
        let mut forget = format!("git credential-gitlab unlink {} --local", profile.instance.short());
        if self.list(Some(&profile.instance), None).len() > 1 {
            forget += &format!(" --account {}", profile.username);
        }
        let store_failed = |why: String| {
            let place = account.vault.place();
            Failure::new(Code::Store, format!("{who} is still linked: its tokens are in {place}, and {why}"))
        };
        let lease = self.places.lease(&id, LEASE_WITHIN).await.map_err(|why| store_failed(why.to_string()))?;
        if !local {
            let stored = account.vault.load(&id).await.map_err(|why| store_failed(why.to_string()))?;
            if let Some(record) = stored.or(held) {
                revoke(account, &record).await.map_err(|trouble| {
                    let code = match trouble {
                        Trouble::Transient { .. } => Code::Unreachable,
                        Trouble::Refused { .. } => Code::Refused,
                    };
                    let text = format!(
                        "{who} is still linked, because its tokens could not be revoked: {trouble}; \
                                        try again, or forget them on this machine alone: {forget}"
                    );
                    Failure::new(code, text)
                })?;
            }
        }
        account.vault.delete(&id).await.map_err(|why| store_failed(why.to_string()))?;
        profile.remove(&self.places.accounts()).map_err(|why| store_failed(why.to_string()))?;
        self.places.forget_lease(lease, &id);
        tracing::info!(account = %who, local, "unlinked");
        Ok(())
    }

    /// Lets every account finish and save what it does.
    pub async fn retire_all(&self) {
        let mut retiring = tokio::task::JoinSet::new();
        for account in self.list(None, None) {
            retiring.spawn(async move { account.retire().await });
        }
        while retiring.join_next().await.is_some() {}
    }

    fn put(&self, account: Account) {
        // Not brought up to date: that would run the account from its new file a second time.
        let mut known = self.known.lock().expect("nobody panics while holding it");
        known.accounts.retain(|other| other.profile.id() != account.profile.id());
        known.accounts.push(account);
        known.accounts.sort_by_key(|account| account.profile.first_linked_at);
    }

    /// What is known, brought up to date if the directory has changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().expect("nobody panics while holding it");
        let changed_at = self.places.accounts().metadata().and_then(|found| found.modified()).ok();
        if changed_at != known.directory_changed_at {
            known.directory_changed_at = changed_at;
            self.read_again(&mut known);
        }
        known
    }

    fn read_again(&self, known: &mut Known) {
        let (profiles, problems) = Profile::load_all(&self.places.accounts());
        for problem in &problems {
            tracing::warn!(%problem, "a state file can't be read");
        }
        known.problems = problems;
        let on_disk = |id: &str| profiles.iter().any(|profile| profile.id() == id);
        known.accounts.retain(|it| it.vault.kind() == StoreKind::Memory || on_disk(&it.profile.id()));
        for profile in profiles {
            if !known.accounts.iter().any(|account| account.profile.id() == profile.id()) {
                let vault = self.vault(profile.store);
                known.accounts.push(Account::run(Arc::new(profile), vault, self.places.clone()));
            }
        }
        known.accounts.sort_by_key(|account| account.profile.first_linked_at);
    }
}

/// Revokes a pair and makes sure that it is dead: GitLab answers 200 even where nothing happened.
async fn revoke(account: &Account, record: &Record) -> Result<(), Trouble> {
    let gitlab = account.gitlab(record).await;
    gitlab.revoke(record.refresh_token.as_ref().unwrap_or(&record.access_token)).await?;
    match gitlab.token_info(&record.access_token).await? {
        Liveness::Dead => Ok(()),
        Liveness::Alive { .. } => {
            let why = "the server says that it revoked them, but they still work".into();
            Err(Trouble::Refused { error: "still_alive".into(), why })
        }
    }
}
