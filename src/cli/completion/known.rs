//! What is linked, and what can be reached there, while a person types. No daemon is started for
//! a keystroke, and anything unexpected is nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use clap::CommandFactory;

use super::super::accounts::{Account, Accounts};
use super::super::arguments::{Arguments, Host};
use super::super::call::{Reply, text};
use super::super::whose;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{self, action, key};

/// One page of a server's answer; nobody reads more proposals.
const MOST_PROJECTS: &str = "100";

/// Longer, and a person types on by themselves.
const WHILE_TYPING: Duration = Duration::from_secs(2);

/// Of a shorter text GitLab finds only what is named exactly so.
const SHORTEST_SEARCH: usize = 3;

/// A project that is proposed.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) path: String,
    pub(super) name: String,
}

/// The GitLab and the account that the words before name, as far as they do.
#[derive(Debug, Clone, Default)]
pub(super) struct At {
    host: Option<Instance>,
    account: Option<String>,
}

impl At {
    /// Reads them as the command line would, whatever is missing or wrong.
    pub(super) fn in_words(words: &[OsString]) -> Self {
        let read = Arguments::command().ignore_errors(true).try_get_matches_from(words);
        let Ok(matches) = read else { return Self::default() };
        let Some((_, verb)) = matches.subcommand() else { return Self::default() };
        let host = verb.try_get_one::<Host>("host").ok().flatten();
        let account = verb.try_get_one::<String>("account").ok().flatten();
        Self { host: host.map(|host| host.instance.clone()), account: account.cloned() }
    }

    /// The accounts there, or everywhere.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let mut accounts = linked();
        accounts.retain(|account| self.host.is_none() || account.instance() == self.host);
        accounts
    }

    /// Projects whose paths begin so, as far as the server finds them while a person waits.
    pub(super) fn projects(&self, typed: &str) -> Vec<Project> {
        let (group, name) = typed.rsplit_once('/').unwrap_or(("", typed));
        let everywhere = |text: &str| self.ask(&[("search", text), ("search_paths", "1")]);
        let mut found = match group {
            "" => everywhere(name),
            // A person's own projects are in no group.
            _ => self.ask(&[("group", group), ("search", name)]).or_else(|| everywhere(group)),
        }
        .unwrap_or_default();
        found.retain(|project| project.path.starts_with(typed));
        found
    }

    /// Groups whose paths begin so: those that were chosen with `use --for`, and those around such
    /// projects.
    pub(super) fn groups(&self, typed: &str) -> BTreeSet<String> {
        let mut groups: BTreeSet<String> = self.accounts().into_iter().flat_map(|account| account.paths).collect();
        for Project { path, .. } in self.projects(typed) {
            groups.extend(path.match_indices('/').map(|(slash, _)| path[..slash].to_owned()));
        }
        groups.retain(|group| group.starts_with(typed));
        groups
    }

    /// None if the server refuses to look.
    fn ask(&self, wanted: &[(&str, &str)]) -> Option<Vec<Project>> {
        let mut request = protocol::request(action::REPOS).with("limit", MOST_PROJECTS);
        let host = self.host.as_ref().map(Instance::to_string);
        let account = whose::account(self.account.as_deref());
        for (key, value) in [("host", host), (key::ACCOUNT, account)] {
            value.iter().for_each(|value| request.push(key, value));
        }
        for (key, value) in wanted {
            if *key != "search" || value.len() >= SHORTEST_SEARCH {
                request.push(key, value);
            }
        }
        let mut reply = Reply::to(&request, Start::Never, WHILE_TYPING).ok()?;
        let mut found = Vec::new();
        loop {
            match reply.good_block() {
                Ok(Some(block)) if !block.flag(key::DONE) => {
                    let [path, name] = ["path", "name"].map(|key| text(&block, key));
                    found.push(Project { path, name });
                }
                Err(_) if found.is_empty() => return None,
                _ => return Some(found), // the time may be over
            }
        }
    }
}

/// An address that begins with a GitLab that is linked: so much of it, which one, and the rest.
pub(super) fn address(typed: &str) -> Option<(String, At, String)> {
    let rest_of = |begin: String| {
        let rest = typed.strip_prefix(&begin)?.strip_prefix('/')?;
        Some((format!("{begin}/"), rest.to_owned()))
    };
    linked().into_iter().find_map(|account| {
        let (begin, rest) = rest_of(account.short_host()).or_else(|| rest_of(account.host.clone()))?;
        Some((begin, At { host: account.instance(), account: None }, rest))
    })
}

fn linked() -> Vec<Account> {
    Accounts::ask_within(None, false, Start::Never, WHILE_TYPING).map(|found| found.accounts).unwrap_or_default()
}
