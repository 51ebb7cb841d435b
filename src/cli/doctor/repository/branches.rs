//! The branches that a person wants to push to: protected ones let fewer people push.

use super::View;
use super::role::phrase;
use crate::cli::call::text;
use crate::cli::doctor::finding::Finding;
use crate::shell::quoted;

/// `default-branch`
pub(in crate::cli::doctor) fn default_branch(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let branch = text(facts, "default_branch");
    if branch.is_empty() {
        return Finding::skip("there is none, or GitLab does not say");
    }
    if facts.flag("archived") {
        return Finding::skip("the project is archived");
    }
    match facts.text("branch_push") {
        Some("yes") => Finding::ok(format!("{} may push to {branch}", view.who())),
        Some(_) if facts.text("push") == Some("open") => {
            let text = format!("{}, {}, may push, but not to {branch}, which is protected", view.who(), phrase(facts));
            Finding::warn(text).fix(another(view))
        }
        Some(_) => Finding::skip(format!("{} may not push at all", view.who())),
        None => Finding::skip(format!("GitLab does not say who may push to {branch}")),
    }
}

/// `current-branch`
pub(in crate::cli::doctor) fn current_branch(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let Some(branch) = &view.branch else { return Finding::skip("none of this remote is checked out here") };
    if *branch == text(facts, "default_branch") {
        return Finding::skip("it is the default one");
    }
    match facts.text("current_push") {
        Some("yes") => Finding::ok(format!("{} may push to {branch}", view.who())),
        Some(_) if facts.text("push") == Some("open") => {
            let text = format!("{}, {}, may push, but not to {branch}, which is protected", view.who(), phrase(facts));
            Finding::warn(text).fix(another(view))
        }
        Some(_) => Finding::skip(format!("{} may not push at all", view.who())),
        None => Finding::skip(format!("GitLab says nothing of {branch}, which it may not have yet")),
    }
}

/// What mends it for one who may push to another branch.
fn another(view: &View) -> String {
    let remote = view.name.as_ref().map_or("origin", |remote| remote.name.as_str());
    format!("git switch --create my-change && git push --set-upstream {} my-change", quoted(remote))
}
