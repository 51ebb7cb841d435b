//! Which projects an account reaches, as the daemon hears it from the GitLab.

use std::time::Duration;

use crate::cli::call::{Reply, text};
use crate::cli::error::Error;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{self, action, key};

/// GitLab lists a hundred projects in about a second: enough for ten thousand, and then some.
const LISTED_WITHIN: Duration = Duration::from_secs(300);

/// A project in the list.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) path: String,
    /// The role there, in a word.
    pub(super) access: String,
    pub(super) archived: bool,
}

/// Asks for the projects of a group, or for all that the account is a member of;
/// `so_far` hears how many have come.
pub(super) fn projects(
    instance: &Instance,
    account: Option<&str>,
    group: Option<&str>,
    min_access: Option<&str>,
    so_far: impl Fn(usize),
) -> Result<Vec<Project>, Error> {
    let mut request = protocol::request(action::REPOS).with("host", instance.to_string());
    for (name, value) in [(key::ACCOUNT, account), ("group", group), ("min_access", min_access)] {
        if let Some(value) = value {
            request.push(name, value);
        }
    }
    let mut reply = Reply::to(&request, Start::IfAbsent, LISTED_WITHIN)?;
    let mut projects = Vec::new();
    while let Some(block) = reply.good_block()? {
        if !block.flag(key::DONE) {
            let [path, access] = ["path", "access"].map(|key| text(&block, key));
            projects.push(Project { path, access, archived: block.flag("archived") });
            so_far(projects.len());
        }
    }
    Ok(projects)
}
