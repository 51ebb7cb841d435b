//! Which account a request of git is for.
//!
//! Whoever is named answers, or nobody does: never another account, which may be able to do more.
//! The one exception is the user name of an address: it may be anybody's (`git@`, an old name).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Accounts;
use super::choices::Choices;
use crate::absent;
use crate::credential::Attributes;
use crate::daemon::account::Account;
use crate::daemon::config::ConfigError;
use crate::daemon::profile::{Profile, ProfileError};
use crate::idn;
use crate::instance::Instance;
use crate::label;
use crate::place::Place;
use crate::protocol::{Code, Failure, key};

/// A git config that can't be read is not asked again by every command: each would wait for it.
const FAILURE_LASTS: Duration = Duration::from_secs(10);

/// Git's question, as far as it decides about the account.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    scheme: &'a [u8],
    host: Cow<'a, [u8]>,
    path: Option<&'a [u8]>,
    username: Option<&'a [u8]>,
    /// Named by the environment of the command.
    account: Option<&'a [u8]>,
}

/// The GitLab that a request of a person names, if it names one.
pub fn instance_in(request: &Attributes) -> Result<Option<Instance>, Failure> {
    let parse = |typed| idn::parse(typed).map_err(|why| Failure::new(Code::Usage, format!("{typed}: {why}")));
    request.text("host").map(parse).transpose()
}

impl<'a> Question<'a> {
    /// The question in a request; `None` if it names no scheme or no host.
    pub fn in_request(request: &'a Attributes) -> Option<Self> {
        Some(Self {
            scheme: request.get("protocol")?,
            host: idn::to_ascii(request.get("host")?),
            path: request.get("path"),
            username: request.get("username"),
            account: request.get(key::ACCOUNT),
        })
    }

    /// Whether the request is for this instance.
    pub fn is_for(&self, instance: &Instance) -> bool {
        instance.covers(self.scheme, &self.host, self.path)
    }
}

impl Accounts {
    /// The account that answers a question: of the instance with the longest base path, the one
    /// that the environment names, else the one that the address names, else the one that git
    /// config names for the nearest place, else the first one.
    pub async fn find(&self, question: &Question<'_>) -> Result<Option<Account>, Failure> {
        let nearest = self.nearest(question);
        let Some(first) = first(&nearest) else { return Ok(None) };
        let instance = &first.profile.instance;
        let called = |label: &str| nearest.iter().find(|account| account.profile.is_called(label)).cloned();
        let missing = |label: &str, why: &str| not_linked(instance, label, why, &nearest);
        if let Some(name) = question.account {
            let label = String::from_utf8_lossy(name);
            return called(&label).map(Some).ok_or_else(|| missing(&label, "the environment asks for"));
        }
        if let Some(name) = question.username.and_then(|name| str::from_utf8(name).ok()) {
            let same_person = || nearest.iter().find(|it| it.profile.username.eq_ignore_ascii_case(name)).cloned();
            match called(name).or_else(same_person) {
                Some(account) => return Ok(Some(account)),
                None if label::parts(name).1 => return Err(missing(name, "the address asks for")),
                None => {}
            }
        }
        let choices = match self.choices().await {
            Ok(choices) => choices,
            Err(_) if nearest.len() == 1 => return Ok(Some(first)),
            Err(why) => {
                let text =
                    format!("no token for {instance}: which of its accounts answers is not known, because {why}");
                return Err(Failure::new(Code::Failed, text));
            }
        };
        let repository = question.path.and_then(|path| instance.below_base(path));
        match choices.name_for(instance, repository) {
            None => Ok(Some(first)),
            Some((place, label)) => called(label).map(Some).ok_or_else(|| {
                let place = place.url(instance);
                missing(label, &format!("git's config (credential.{place}.gitlabAccount) asks for"))
            }),
        }
    }

    /// The instance that a question is for, if it is one of ours.
    pub fn instance_for(&self, question: &Question) -> Option<Instance> {
        self.nearest(question).first().map(|account| account.profile.instance.clone())
    }

    /// The account that answers at an instance where nothing else decides, if it is linked.
    pub async fn default_of(&self, instance: &Instance) -> Option<Account> {
        self.meant(instance, None).await.ok()
    }

    /// The account that a person's command means, who names it or not.
    pub async fn meant(&self, instance: &Instance, named: Option<&str>) -> Result<Account, Failure> {
        let choices = match named {
            Some(_) => Arc::default(),
            None => self.choices().await.unwrap_or_default(),
        };
        let label = named.or_else(|| choices.name_for(instance, None).map(|(_, label)| label));
        let found = match label {
            Some(label) => self.list(Some(instance), Some(label)).into_iter().next(),
            None => self.first_of(instance),
        };
        found.ok_or_else(|| {
            if let Some(problem) = self.problem_at(instance) {
                return Failure::new(Code::Store, problem);
            }
            let there = names(&self.list(Some(instance), None));
            Failure::new(Code::NotLinked, absent::from(instance, label, &there))
        })
    }

    /// The accounts that an unlink means: all, or exactly one.
    pub fn chosen(&self, request: &Attributes) -> Result<Vec<Account>, Failure> {
        let instance = instance_in(request)?;
        if request.flag("all") {
            return Ok(self.list(instance.as_ref(), None));
        }
        let instance = self.meant_instance(instance)?;
        let named = request.text("account");
        let chosen = self.list(Some(&instance), named);
        match chosen.as_slice() {
            [_] => Ok(chosen),
            [] => {
                let there = names(&self.list(Some(&instance), None));
                Err(Failure::new(Code::NotLinked, absent::from(&instance, named, &there)))
            }
            several => {
                let names = absent::list(&names(several));
                let text = format!("{instance} is linked as {names}: say which with --account NAME");
                Err(Failure::new(Code::Usage, text))
            }
        }
    }

    /// The account that answers at an instance as long as nobody has chosen: the one that was
    /// linked first, but none that can only read if there is another.
    pub fn first_of(&self, instance: &Instance) -> Option<Account> {
        first(&self.list(Some(instance), None))
    }

    /// The places that git config gives to an account.
    pub async fn places_of(&self, profile: &Profile) -> Vec<Place> {
        let choices = self.choices().await.unwrap_or_default();
        choices.places_of(&profile.label(), &profile.instance)
    }

    /// Reads again who answers where.
    pub async fn choose_again(&self) -> Result<(), ConfigError> {
        *self.choices.lock().await = None;
        self.choices().await.map(|_| ())
    }

    async fn choices(&self) -> Result<Arc<Choices>, ConfigError> {
        // Held while git is asked: whoever comes meanwhile wants the same answer.
        let mut choices = self.choices.lock().await;
        match &*choices {
            Some((_, Ok(choices))) => return Ok(choices.clone()),
            Some((at, Err(why))) if at.elapsed() < FAILURE_LASTS => return Err(why.clone()),
            _ => {}
        }
        let read = Choices::read().await.map(Arc::new).inspect_err(|why| {
            tracing::warn!(%why, "who answers where is not known");
        });
        let (_, read) = choices.insert((Instant::now(), read));
        read.clone()
    }

    /// The accounts of the instance with the longest base path that the question is for.
    fn nearest(&self, question: &Question) -> Vec<Account> {
        let mut nearest = self.list(None, None);
        nearest.retain(|account| question.is_for(&account.profile.instance));
        let base_path = |account: &Account| account.profile.instance.base_path().len();
        let longest = nearest.iter().map(base_path).max();
        nearest.retain(|account| Some(base_path(account)) == longest);
        nearest
    }

    /// A state file that can't be read and, by its name, could be about this host.
    pub fn problem_for(&self, question: &Question) -> Option<String> {
        let (scheme, host) = (str::from_utf8(question.scheme).ok()?, str::from_utf8(&question.host).ok()?);
        self.problem_at(&Instance::parse(&format!("{scheme}://{host}")).ok()?)
    }

    fn problem_at(&self, instance: &Instance) -> Option<String> {
        let slug = instance.slug();
        let about = |problem: &&ProfileError| {
            let below = problem.id().strip_prefix(&slug);
            below.is_some_and(|below| below.starts_with([Instance::SLUG_SEPARATOR, Profile::ID_SEPARATOR]))
        };
        self.known().problems.iter().find(about).map(ToString::to_string)
    }
}

/// Of accounts in their order, the one that answers as long as nobody has chosen.
fn first(accounts: &[Account]) -> Option<Account> {
    accounts.iter().find(|account| !account.profile.read_only).or(accounts.first()).cloned()
}

/// What people call these.
pub fn names(accounts: &[Account]) -> Vec<String> {
    accounts.iter().map(|account| account.profile.label()).collect()
}

/// Somebody is asked for who is not linked there.
fn not_linked(instance: &Instance, label: &str, who_asks: &str, there: &[Account]) -> Failure {
    let (link, there) = (instance.link_command(), absent::list(&names(there)));
    let text = match label::is_plain(label) {
        true => format!(
            "no token for {instance}: {who_asks} {label}, which is not linked there (linked: {there}); \
             to link it: {link} --account {label}"
        ),
        false => format!("no token for {instance}: {who_asks} an account that is not linked there (linked: {there})"),
    };
    Failure::new(Code::NotLinked, text)
}
