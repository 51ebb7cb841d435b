//! Whether git itself is tried, which is only worth it where it gets a token that GitLab takes:
//! GitLab counts the others, and whoever else is asked before us or told after us is not ours to try.

use std::path::Path;

use crate::cli::chain::Chain;
use crate::cli::doctor::finding::Outcome;
use crate::cli::doctor::git;
use crate::cli::doctor::remote::{Purpose, Remote, rewritten};
use crate::cli::doctor::{repository, server};
use crate::cli::helper_path::to_path;

/// What GitLab's door says to somebody whom it knows.
const LET_IN: [&str; 6] = ["open", "missing", "no-repository", "role", "archived", "moved"];

/// Why git is not tried, if so.
pub(super) fn objection(
    view: &git::View,
    accounts: &[server::AccountView],
    repositories: &[repository::View],
) -> Option<&'static str> {
    let settings = match &view.settings {
        Ok(settings) => settings,
        Err(_) => return Some("git's config can't be read"),
    };
    let helpers = settings.helpers();
    let chain = Chain::of(&helpers, &view.instance);
    match chain.ours() {
        None => return Some("git does not ask us"),
        Some(ours) if !git::is_program(Path::new(&to_path(&ours.value))) => return Some("git's helper is no program"),
        Some(_) => {}
    }
    if git::extra_header(view).outcome == Outcome::Fail {
        return Some("http.extraHeader logs it in, or fails to");
    }
    if view.proxy_refusal.is_some() {
        return Some("its proxy does not answer");
    }
    if chain.strangers().next().is_some() {
        return Some("another helper would be told the token");
    }
    if view.name.as_ref().is_some_and(|remote| remote.purpose == Purpose::Push) {
        return Some("git only pushes there");
    }
    let Some(url) = &view.remote else {
        let mut verdicts = accounts
            .iter()
            .filter(|account| account.account.instance().as_ref() == Some(&view.instance))
            .map(|account| account.facts.as_ref().ok().and_then(|facts| facts.text("git")));
        let are_let_in = verdicts.clone().count() > 0 && verdicts.all(|verdict| verdict.is_some_and(is_let_in));
        return (!are_let_in).then_some("no token is known to work there");
    };
    if !matches!(Remote::parse(&rewritten(url, &settings.lines, false).0), Remote::Web { .. }) {
        return Some("git does not ask us");
    }
    // Only what is there can tell whether git gets it.
    let remote = Remote::parse(url);
    let found = repositories.iter().find(|repository| repository.name == view.name && repository.remote == remote);
    let verdict = found.and_then(|repository| repository.facts.as_ref().ok()?.text("fetch"));
    match verdict {
        Some("open") => None,
        Some(verdict) if is_let_in(verdict) => Some("there is nothing that it may fetch"),
        _ => Some("no token is known to work there"),
    }
}

fn is_let_in(verdict: &str) -> bool {
    LET_IN.contains(&verdict)
}
