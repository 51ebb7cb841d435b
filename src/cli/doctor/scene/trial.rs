//! Whether git itself is tried, which is only worth it where it gets a token that GitLab takes:
//! GitLab counts the others, and whoever else is asked before us or told after us is not ours to try.

use std::path::Path;

use crate::cli::chain::Chain;
use crate::cli::doctor::finding::Outcome;
use crate::cli::doctor::git::{self, nowhere};
use crate::cli::doctor::remote::{Purpose, Remote, rewritten};
use crate::cli::doctor::{repository, server};
use crate::cli::helper_path::to_path;

/// Why a login that GitLab would count is not tried.
const NO_TOKEN: &str = "no token is known to work there";

/// What GitLab's door says to somebody whom it knows.
const LET_IN: [&str; 6] = ["open", "missing", "no-repository", "role", "archived", "moved"];

/// What git is to reach, or why it is not tried.
pub(super) fn target(
    view: &git::View,
    accounts: &[server::AccountView],
    repositories: &[repository::View],
) -> Result<String, &'static str> {
    let settings = match &view.settings {
        Ok(settings) => settings,
        Err(_) => return Err("git's config can't be read"),
    };
    let helpers = settings.helpers();
    let chain = Chain::of(&helpers, &view.instance);
    match chain.ours() {
        None => return Err("git does not ask us"),
        Some(ours) if !git::is_program(Path::new(&to_path(&ours.value))) => return Err("git's helper is no program"),
        Some(_) => {}
    }
    if git::extra_header(view).outcome == Outcome::Fail {
        return Err("http.extraHeader logs it in, or fails to");
    }
    if view.proxy_refusal.is_some() {
        return Err("its proxy does not answer");
    }
    if chain.strangers().next().is_some() {
        return Err("another helper would be told the token");
    }
    if view.name.as_ref().is_some_and(|remote| remote.purpose == Purpose::Push) {
        return Err("git only pushes there");
    }
    let Some(url) = &view.remote else {
        // Where no project is named, git gets the default account, or the only one.
        let own = || accounts.iter().filter(|it| it.account.instance().as_ref() == Some(&view.instance));
        let asked = own().find(|it| it.account.default).or_else(|| own().next());
        let verdict = asked.and_then(|account| account.facts.as_ref().ok()?.text("git"));
        return verdict.filter(|verdict| is_let_in(verdict)).map(|_| nowhere(view)).ok_or(NO_TOKEN);
    };
    if !matches!(Remote::parse(&rewritten(url, &settings.lines, false).0), Remote::Web { .. }) {
        return Err("git does not ask us");
    }
    let remote = Remote::parse(url);
    let found = repositories.iter().find(|repository| repository.name == view.name && repository.remote == remote);
    match found.and_then(|repository| repository.facts.as_ref().ok()?.text("fetch")) {
        Some("open") => Ok(git::target(view)),
        // The way there is the same.
        Some(verdict) if is_let_in(verdict) => Ok(nowhere(view)),
        _ => Err(NO_TOKEN),
    }
}

fn is_let_in(verdict: &str) -> bool {
    LET_IN.contains(&verdict)
}
