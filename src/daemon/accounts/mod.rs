//! Which accounts there are.

mod changes;
mod choices;
mod encrypting;
mod finding;
mod telling;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Instant, SystemTime};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::account::Account;
use super::config::ConfigError;
use super::lid::Lid;
use super::places::Places;
use super::profile::{Profile, ProfileError};
use super::store::{StoreKind, Vault};
use crate::absent;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};
pub use changes::Unlinked;
use choices::Choices;
pub use encrypting::{Found, Rewritten};
pub use finding::{Question, instance_in, names};

/// Passphrases that are tried or wait for that. Each may take five seconds, and a person who types one
/// waits behind them.
const PASSPHRASES: usize = 4;

/// The accounts of this state directory. Another daemon may add and remove some (a container on
/// the same home directory), so the directory is looked at again whenever it has changed.
#[derive(Debug)]
pub struct Accounts {
    places: Places,
    vaults: Mutex<HashMap<&'static str, Vault>>,
    /// One per server, by its host and port: every account there shares it.
    lids: Mutex<HashMap<String, Arc<Lid>>>,
    known: Mutex<Known>,
    /// What git config says about who answers where; none before somebody asks.
    choices: tokio::sync::Mutex<Option<Chosen>>,
    /// Held while an account is linked or unlinked: one after the other.
    changing: tokio::sync::Mutex<()>,
    /// How many wrong passphrases were tried one after the other.
    wrong_passphrases: tokio::sync::Mutex<u32>,
    /// Places for those who want to try one.
    passphrases: Semaphore,
    /// What has to be done to its end although nobody waits for it.
    errands: Mutex<JoinSet<()>>,
    /// True once the daemon is to end.
    ending: watch::Sender<bool>,
}

/// Who answers where, and when that was read, or could not be.
type Chosen = (Instant, Result<Arc<Choices>, ConfigError>);

#[derive(Debug, Default)]
struct Known {
    accounts: Vec<Account>,
    problems: Vec<ProfileError>,
    directory_changed_at: Option<SystemTime>,
}

impl Accounts {
    /// The accounts of a state directory; none is read yet.
    pub fn new(places: Places) -> Self {
        Self {
            places,
            vaults: Mutex::default(),
            lids: Mutex::default(),
            known: Mutex::default(),
            choices: tokio::sync::Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            wrong_passphrases: tokio::sync::Mutex::default(),
            passphrases: Semaphore::new(PASSPHRASES),
            errands: Mutex::default(),
            ending: watch::Sender::new(false),
        }
    }

    /// The store of a kind; all accounts share it.
    pub fn vault(&self, kind: StoreKind) -> Vault {
        let mut vaults = self.vaults.lock().expect("nobody panics while holding it");
        vaults.entry(kind.word()).or_insert_with(|| Vault::open(kind, &self.places.tokens())).clone()
    }

    fn lid(&self, instance: &Instance) -> Arc<Lid> {
        let mut lids = self.lids.lock().expect("nobody panics while holding it");
        lids.entry(instance.authority()).or_default().clone()
    }

    /// All accounts, or those of one instance and of one name, the one linked first in front.
    pub fn list(&self, instance: Option<&Instance>, label: Option<&str>) -> Vec<Account> {
        let wanted = |account: &&Account| {
            instance.is_none_or(|instance| account.profile.instance == *instance)
                && label.is_none_or(|label| account.profile.is_called(label))
        };
        self.known().accounts.iter().filter(wanted).cloned().collect()
    }

    /// What is wrong with state files.
    pub fn problems(&self) -> Vec<String> {
        self.known().problems.iter().map(ToString::to_string).collect()
    }

    /// The instance that a command about linked accounts is for.
    pub fn meant_instance(&self, named: Option<Instance>) -> Result<Instance, Failure> {
        if let Some(instance) = named {
            return Ok(instance);
        }
        let (usual, known) = (self.usual_instance(), self.known());
        let mut linked: Vec<_> = known.accounts.iter().map(|it| it.profile.instance.to_string()).collect();
        linked.sort_unstable();
        linked.dedup();
        match linked.is_empty() {
            true if known.problems.is_empty() => Err(Failure::new(Code::NotLinked, absent::NOTHING)),
            false if !linked.contains(&usual.to_string()) => Err(Failure::new(Code::Usage, absent::which_of(&linked))),
            _ => Ok(usual),
        }
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

    /// Does something to its end although whoever asked for it may go.
    pub fn run_errand(&self, errand: impl Future<Output = ()> + Send + 'static) {
        let mut errands = self.errands.lock().expect("nobody panics while holding it");
        while errands.try_join_next().is_some() {} // forget those that are done
        errands.spawn(errand);
    }

    /// Lets errands and accounts finish and save what they do, also what they begin meanwhile.
    pub async fn retire_all(&self) {
        self.ending.send_replace(true);
        // An errand that fails brings back the account that it had retired.
        while self.are_at_work() {
            self.retire_all_so_far().await;
        }
    }

    async fn retire_all_so_far(&self) {
        let errands = async {
            let mut errands = std::mem::take(&mut *self.errands.lock().expect("nobody panics while holding it"));
            while errands.join_next().await.is_some() {}
        };
        let retired = async {
            let mut retiring = JoinSet::new();
            for account in self.list(None, None) {
                retiring.spawn(async move { account.retire().await });
            }
            while retiring.join_next().await.is_some() {}
        };
        tokio::join!(errands, retired);
    }

    /// Whether somebody is at work that must not be cut off.
    fn are_at_work(&self) -> bool {
        let accounts = self.known_so_far().accounts.iter().any(Account::runs);
        accounts || !self.errands.lock().expect("nobody panics while holding it").is_empty()
    }

    /// Whether the daemon is to end.
    pub fn are_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Returns when the daemon is to end: what waits for somebody else is given up.
    pub async fn ended(&self) {
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// What is known, as it is.
    fn known_so_far(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics while holding it")
    }

    /// What is known, brought up to date if the directory has changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known_so_far();
        let changed_at = self.places.accounts().metadata().and_then(|found| found.modified()).ok();
        // A file that is mended in its place does not change the directory.
        // An account that begins to run while the daemon ends could be cut off in a renewal.
        if !self.are_ending() && (changed_at != known.directory_changed_at || !known.problems.is_empty()) {
            known.directory_changed_at = changed_at;
            self.read_again(&mut known);
        }
        known
    }

    fn read_again(&self, known: &mut Known) {
        let (profiles, problems) = Profile::load_all(&self.places.accounts());
        let told = |problem: &ProfileError| known.problems.iter().any(|old| old.to_string() == problem.to_string());
        for problem in problems.iter().filter(|problem| !told(problem)) {
            tracing::warn!(%problem, "a state file can't be read");
        }
        // An account goes when its file is gone, not when it can't be read for a moment; and one
        // that another daemon linked again comes anew.
        let stays = |account: &Account| {
            let on_disk = profiles.iter().find(|profile| profile.id() == account.profile.id());
            let unreadable = || problems.iter().any(|problem| problem.could_be(&account.profile.id()));
            match on_disk {
                Some(profile) => profile.is_same_link(&account.profile),
                None => account.vault.kind() == StoreKind::Memory || unreadable(),
            }
        };
        known.accounts.retain(stays);
        known.problems = problems;
        for profile in profiles {
            if !known.accounts.iter().any(|account| account.profile.id() == profile.id()) {
                let (vault, lid) = (self.vault(profile.store), self.lid(&profile.instance));
                known.accounts.push(Account::run(Arc::new(profile), vault, self.places.clone(), lid));
            }
        }
        known.accounts.sort_by_key(|account| account.profile.rank());
    }
}
