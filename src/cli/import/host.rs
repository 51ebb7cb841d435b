//! What is needed to know of a GitLab before something is cloned from it.

use std::sync::{Mutex, MutexGuard};

use super::git::Git;
use super::streak::Streak;
use crate::absent;
use crate::cli::accounts::{Account, Accounts};
use crate::cli::chain::Chain;
use crate::cli::error::Error;
use crate::cli::git_config;
use crate::cli::helper_path;
use crate::cli::terminal::Terminal;
use crate::helper::ACCOUNT_VARIABLE;
use crate::instance::Instance;
use crate::label;
use crate::place::Place;
use crate::protocol::{Code, Failure, State};

/// Seconds without a byte after which git gives up, unless git config says something else. A
/// GitLab that is at work says so every few seconds.
const SILENCE: &str = "60";

/// One GitLab.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) instance: Instance,
    pub(super) git: Git,
    /// git does not ask us yet, unless it is told so for each command.
    pub(super) unconfigured: bool,
    accounts: Vec<Account>,
    streak: Mutex<Streak>,
}

impl Host {
    /// A GitLab that is linked, as this account if one is named.
    pub(super) fn new(
        instance: &Instance,
        found: &Accounts,
        account: Option<&str>,
        git: Git,
        terminal: Terminal,
    ) -> Result<Self, Error> {
        let accounts: Vec<Account> = found.of(instance).cloned().collect();
        let mut host =
            Self { instance: instance.clone(), git, unconfigured: false, accounts, streak: Mutex::default() };
        host.check(account)?;
        if account.is_some() {
            host.git.without.push(ACCOUNT_VARIABLE); // the command line goes before the environment
        }
        let config = git_config::Git::new(terminal);
        host.unconfigured = !Chain::of(&config.helpers()?, instance).asks_us();
        if host.unconfigured {
            let key = format!("credential.{instance}.helper");
            host.git.settings.extend([(key.clone(), String::new()), (key, helper_path::value()?)]);
        }
        if config.value_for("http.lowSpeedTime", &instance.to_string(), None)?.is_none() {
            let limits = [("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", SILENCE)];
            host.git.settings.extend(limits.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        Ok(host)
    }

    /// Whether the account that is meant can do anything.
    fn check(&self, account: Option<&str>) -> Result<(), Failure> {
        let meant = match account {
            Some(name) => self.called(name),
            None if self.accounts.len() == 1 => self.accounts.first(),
            None => None,
        };
        if let Some(account) = meant.filter(|account| account.state == State::Relink) {
            let Account { label, detail, .. } = account;
            let (instance, link) = (&self.instance, self.instance.link_command());
            let text = format!(
                "the login of {label} at {instance} has ended: {detail}; to link it again: {link} --account {label}"
            );
            return Err(Failure::new(Code::Relink, text));
        }
        if let Some(account) = meant.filter(|account| account.state == State::Locked) {
            let (label, instance) = (&account.label, &self.instance);
            let text = format!(
                "the tokens of {label} at {instance} are locked; to unlock them: git credential-gitlab vault unlock"
            );
            return Err(Failure::new(Code::Locked, text));
        }
        if meant.is_none() && (account.is_some() || self.accounts.is_empty()) {
            let labels: Vec<&str> = self.accounts.iter().map(|account| account.label.as_str()).collect();
            return Err(Failure::new(Code::NotLinked, absent::from(&self.instance, account, &labels)));
        }
        Ok(())
    }

    fn called(&self, name: &str) -> Option<&Account> {
        let labelled = self.accounts.iter().find(|account| account.label.eq_ignore_ascii_case(name));
        labelled.or_else(|| self.accounts.iter().find(|account| account.username.eq_ignore_ascii_case(name)))
    }

    /// Where a project is cloned from. The account's name stands in the address, where the clone
    /// finds it again, only if another account would answer without it. The address is ours: one
    /// from the server could lead anywhere.
    pub(super) fn url(&self, path: &str, account: Option<&str>) -> String {
        let url = format!("{}/{path}.git", self.instance);
        let answers = self.answering(path).map(|account| &account.label);
        let wanted = account.and_then(|name| self.called(name)).map(|account| &account.label);
        match wanted.filter(|wanted| Some(*wanted) != answers && label::is_plain(wanted)) {
            Some(wanted) => url.replacen("://", &format!("://{wanted}@"), 1),
            None => url,
        }
    }

    /// The name of the account that a project is cloned as: whoever is named, else who answers.
    pub(super) fn label(&self, path: &str, account: Option<&str>) -> Option<String> {
        let named = account.and_then(|name| self.called(name));
        named.or_else(|| self.answering(path)).map(|account| account.label.clone())
    }

    /// The account that answers where nobody is named: that of the nearest place, or the default.
    fn answering(&self, path: &str) -> Option<&Account> {
        let places = self.accounts.iter().flat_map(|account| {
            account.paths.iter().filter_map(|place| place.parse::<Place>().ok()).map(move |place| (account, place))
        });
        let holding = places.filter(|(_, place)| place.holds(path.as_bytes()));
        let nearest = holding.max_by_key(|(_, place)| place.to_string().len()).map(|(account, _)| account);
        nearest.or_else(|| self.accounts.iter().find(|account| account.default))
    }

    /// How the last projects fared.
    pub(super) fn streak(&self) -> MutexGuard<'_, Streak> {
        self.streak.lock().expect("nobody panics here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::accounts::example;

    #[test]
    fn a_name_stands_in_the_address_only_where_another_account_would_answer() {
        let alice = Account { paths: vec!["work/sub".into()], default: true, ..example() };
        let bob = Account {
            label: "bob".into(),
            username: "bob".into(),
            paths: vec!["work".into()],
            default: false,
            ..example()
        };
        let evil = Account { label: "x@evil.example/".into(), paths: Vec::new(), default: false, ..example() };
        let instance = Instance::parse("gitlab.example").expect("a host");
        let accounts = vec![alice, bob, evil];
        let host = Host { instance, git: Git::default(), unconfigured: false, accounts, streak: Mutex::default() };
        for (path, account, url) in [
            ("group/app", None, "https://gitlab.example/group/app.git"),
            ("group/app", Some("alice"), "https://gitlab.example/group/app.git"),
            ("group/app", Some("BOB"), "https://bob@gitlab.example/group/app.git"),
            ("work/app", Some("bob"), "https://gitlab.example/work/app.git"),
            ("work/app", Some("alice"), "https://alice@gitlab.example/work/app.git"),
            ("work/sub/app", Some("alice"), "https://gitlab.example/work/sub/app.git"),
            ("work/sub/app", Some("bob"), "https://bob@gitlab.example/work/sub/app.git"),
            ("group/app", Some("x@evil.example/"), "https://gitlab.example/group/app.git"),
            ("group/app", Some("carol"), "https://gitlab.example/group/app.git"),
        ] {
            assert_eq!(host.url(path, account), url, "{account:?}");
        }
    }
}
