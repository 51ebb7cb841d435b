//! What a person is told once an account is linked: what its token may do, and, where it is not the
//! only one, how to choose between them.

use super::accounts::Accounts;
use super::terminal::Terminal;
use crate::client::Start;
use crate::instance::Instance;
use crate::label;
use crate::rights::{self, Rights};

/// Tells it.
pub(super) fn explain(instance: &Instance, label: &str, scopes: &str, terminal: Terminal) {
    let rights = Rights::of(scopes.split_whitespace());
    let may = format!("{label} may {}", rights.phrase());
    match rights.git() {
        _ if scopes.is_empty() => {} // the server did not tell
        true => terminal.note(&may),
        false => terminal.say(&format!(
            "warning: {may} ({scopes}); to ask for more: {}",
            rights::link_with_scopes(
                &format!("{} --account {}", instance.link_command(), label::parts(label).0),
                false
            )
        )),
    }
    match Accounts::ask(Some(instance), false, Start::Never) {
        Ok(found) => hint(&found, instance, label).into_iter().for_each(|hint| terminal.note(&hint)),
        Err(why) => terminal.detail(&format!("whether other accounts are linked there is not known: {why}")),
    }
}

/// How to choose this account where another one answers.
fn hint(found: &Accounts, instance: &Instance, label: &str) -> Option<String> {
    let default = found.of(instance).find(|account| account.default && account.label != label)?;
    if found.of(instance).any(|account| account.label == label && !account.paths.is_empty()) {
        return None;
    }
    let answers = &default.label;
    let host = instance.short();
    Some(format!(
        "{answers} goes on answering for {instance}; to let {label} answer for a group: \
         git credential-gitlab use {label} {host} --for group/sub"
    ))
}
