//! Whether an account sees a group or a project of a name, as its GitLab says now.

use std::time::Duration;

use super::call::Reply;
use super::error::Error;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{self, Code, Failure, action, key};

/// It only spares the person a mistake: nobody waits longer for that.
const WITHIN: Duration = Duration::from_secs(5);

/// Whether it sees such a group; `None` if that can't be found out.
pub(super) fn group(instance: &Instance, account: Option<&str>, path: &str) -> Option<bool> {
    let mut request =
        protocol::request(action::REPOS).with("host", instance.to_string()).with("group", path).with("limit", "1");
    if let Some(account) = account {
        request.push(key::ACCOUNT, account);
    }
    match Reply::to(&request, Start::IfAbsent, WITHIN).and_then(|mut reply| reply.good_block()) {
        Ok(_) => Some(true),
        Err(Error::Refused(why)) if is_no_group(&why) => Some(false),
        Err(_) => None,
    }
}

/// Whether that is why a list was refused: a token that may not list projects is refused with the
/// same code, and that says nothing of the group.
pub(super) fn is_no_group(why: &Failure) -> bool {
    why.code == Code::Refused && why.message.contains("there is no group")
}

/// Whether it sees such a project; `None` if that can't be found out.
pub(super) fn project(instance: &Instance, account: &str, path: &str) -> Option<bool> {
    if !path.contains('/') {
        return Some(false);
    }
    let request = protocol::request(action::PROJECT)
        .with("protocol", instance.to_string().split("://").next()?)
        .with("host", instance.authority())
        .with("repository", format!("{}/{path}", instance.base_path()).trim_start_matches('/'))
        .with(key::ACCOUNT, account);
    let facts = Reply::to(&request, Start::IfAbsent, WITHIN).and_then(|mut reply| reply.good_block()).ok()??;
    match facts.text("api_status")? {
        "200" => Some(true),
        "404" => Some(false),
        _ => None,
    }
}
