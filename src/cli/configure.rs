//! `configure` and `unconfigure`: the verbs for our entry in git's config.

use super::accounts::Accounts;
use super::arguments::{Configure, Host, Unconfigure};
use super::entry::Entry;
use super::error::Error;
use super::git_config::Scope;
use super::terminal::Terminal;
use crate::client::Start;
use crate::instance::Instance;

/// `configure [HOST]`.
pub(super) fn configure(wanted: &Configure, terminal: Terminal) -> Result<u8, Error> {
    let entry = entry(wanted.host.as_ref(), wanted.system, terminal);
    entry.add()?;
    if let Some(id) = &wanted.client_id {
        entry.set_client_id(id)?;
    }
    Ok(0)
}

/// `unconfigure [HOST]`.
pub(super) fn unconfigure(wanted: &Unconfigure, terminal: Terminal) -> Result<u8, Error> {
    let entry = entry(wanted.host.as_ref(), wanted.system, terminal);
    let removed = entry.remove()?;
    let forgotten = match &wanted.client_id {
        Some(id) => entry.forget_client_id(id)?,
        None => false,
    };
    if !removed && !forgotten {
        terminal.note(&format!("{entry} has no value of ours; nothing was changed"));
    }
    Ok(0)
}

fn entry(host: Option<&Host>, system: bool, terminal: Terminal) -> Entry {
    let scope = if system { Scope::System } else { Scope::Global };
    Entry::new(instance(host, terminal), scope, terminal)
}

/// The GitLab that is meant, also where the daemon can't be asked.
fn instance(host: Option<&Host>, terminal: Terminal) -> Instance {
    if let Some(host) = host {
        return host.instance.clone();
    }
    match Accounts::ask(None, false, Start::IfAbsent) {
        Ok(found) => found.usual_instance(),
        Err(why) => {
            terminal.detail(&format!("which GitLab is linked is not known: {why}"));
            Instance::parse("gitlab.com").expect("a host name")
        }
    }
}
