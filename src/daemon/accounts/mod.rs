//! Which accounts there are, and which one a request of git is for.

mod changes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::account::Account;
use super::lid::Lid;
use super::places::Places;
use super::profile::{Profile, ProfileError};
use super::store::{StoreKind, Vault};
use crate::credential::Attributes;
use crate::instance::Instance;

/// The accounts of this state directory. Another daemon may add and remove some (a container on
/// the same home directory), so the directory is looked at again whenever it has changed.
#[derive(Debug)]
pub struct Accounts {
    places: Places,
    vaults: Mutex<HashMap<&'static str, Vault>>,
    /// One per server, by its host and port: every account there shares it.
    lids: Mutex<HashMap<String, Arc<Lid>>>,
    known: Mutex<Known>,
    /// Held while an account is linked or unlinked: one after the other.
    changing: tokio::sync::Mutex<()>,
    /// What has to be done to its end although nobody waits for it.
    errands: Mutex<JoinSet<()>>,
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
        Self {
            places,
            vaults: Mutex::default(),
            lids: Mutex::default(),
            known: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            errands: Mutex::default(),
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

    /// The account that answers a question: of the instance with the longest base path, the one
    /// whose name the URL has, else the one that was linked first. A name that is none of ours
    /// (`git@`, an old name) is no reason to fail.
    pub fn find(&self, question: &Question) -> Option<Account> {
        let known = self.known();
        let covering = known.accounts.iter().filter(|account| question.is_for(&account.profile.instance));
        let longest = covering.clone().map(|account| account.profile.instance.base_path().len()).max()?;
        let mut nearest = covering.filter(|account| account.profile.instance.base_path().len() == longest);
        let named = |account: &&Account| {
            question.username.is_some_and(|name| name.eq_ignore_ascii_case(account.profile.username.as_bytes()))
        };
        nearest.clone().find(named).or_else(|| nearest.next()).cloned()
    }

    /// A state file that can't be read and, by its name, could be about this host.
    pub fn problem_for(&self, question: &Question) -> Option<String> {
        let (scheme, host) = (str::from_utf8(question.scheme).ok()?, str::from_utf8(question.host).ok()?);
        let slug = Instance::parse(&format!("{scheme}://{host}")).ok()?.slug();
        let about = |problem: &&ProfileError| {
            let below = problem.id().strip_prefix(&slug);
            below.is_some_and(|below| below.starts_with([Instance::SLUG_SEPARATOR, Profile::ID_SEPARATOR]))
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

    /// Does something to its end although whoever asked for it may go.
    pub fn run_errand(&self, errand: impl Future<Output = ()> + Send + 'static) {
        let mut errands = self.errands.lock().expect("nobody panics while holding it");
        while errands.try_join_next().is_some() {} // forget those that are done
        errands.spawn(errand);
    }

    /// Lets errands, and then every account, finish and save what they do.
    pub async fn retire_all(&self) {
        let mut errands = std::mem::take(&mut *self.errands.lock().expect("nobody panics while holding it"));
        while errands.join_next().await.is_some() {}
        let mut retiring = JoinSet::new();
        for account in self.list(None, None) {
            retiring.spawn(async move { account.retire().await });
        }
        while retiring.join_next().await.is_some() {}
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
        if changed_at != known.directory_changed_at || !known.problems.is_empty() {
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
        known.accounts.sort_by_key(|account| account.profile.first_linked_at);
    }
}
