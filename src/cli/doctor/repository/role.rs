//! A person's role in a project, and what it is good for.

use super::View;
use crate::cli::call::number;
use crate::cli::doctor::finding::Finding;
use crate::credential::Attributes;

/// GitLab's roles, the lowest in front; new ones may come between.
const ROLES: [(u64, &str); 8] = [
    (5, "minimal access"),
    (10, "guest"),
    (15, "planner"),
    (20, "reporter"),
    (30, "developer"),
    (40, "maintainer"),
    (50, "owner"),
    (60, "administrator"),
];

/// The name of a role.
fn role_name(level: u64) -> String {
    let known = ROLES.iter().find(|(known, _)| *known == level);
    known.map_or_else(|| format!("role {level}"), |(_, name)| (*name).to_owned())
}

/// The role that GitLab's API shows, for the end of a sentence.
pub(super) fn phrase(facts: &Attributes) -> String {
    number(facts, "access_level")
        .map_or_else(|| "whose role there is not known".into(), |level| format!("who is {} there", role_name(level)))
}

/// `role`
pub(in crate::cli::doctor) fn role(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    // That of a group which the project is shared with is not in GitLab's answer.
    let Some(level) = number::<u64>(facts, "access_level") else { return Finding::skip("GitLab does not say") };
    let allows = match level {
        40.. => "may push, also to protected branches, and set up webhooks, deploy keys and other integrations",
        30.. => {
            "may push, but not always to protected branches; webhooks, deploy keys and other integrations take maintainer"
        }
        20.. => "may fetch; to push takes developer, webhooks and deploy keys take maintainer",
        _ => "may see it; to fetch what is private takes reporter",
    };
    Finding::ok(format!("{} is {} there: {allows}", view.who(), role_name(level)))
}
