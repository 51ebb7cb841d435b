//! `configure` and `unconfigure`: the verbs for our entry in git's config.

use super::accounts::Accounts;
use super::arguments::{Configure, Host, Unconfigure};
use super::entry::Entry;
use super::error::Error;
use super::everybody;
use super::git_config::{GitError, Scope};
use super::terminal::Terminal;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};
use crate::shell::quoted;

/// `configure [HOST]`.
pub(super) fn configure(wanted: &Configure, terminal: Terminal) -> Result<u8, Error> {
    let instance = instance(wanted.host.as_ref(), terminal);
    let again = || again("configure", &instance, wanted.client_id.as_deref());
    let entry = Entry::new(instance.clone(), scope(wanted.system), terminal);
    let written = entry.add().and_then(|()| wanted.client_id.as_ref().map_or(Ok(()), |id| entry.set_client_id(id)));
    written.map_err(|why| with_rights(why, wanted.system, again))?;
    if let Some(why) = wanted.system.then(|| everybody::in_the_way(&again())).flatten() {
        terminal.say(&format!("warning: {why}"));
    }
    Ok(0)
}

/// `unconfigure [HOST]`.
pub(super) fn unconfigure(wanted: &Unconfigure, terminal: Terminal) -> Result<u8, Error> {
    let instance = instance(wanted.host.as_ref(), terminal);
    let again = || again("unconfigure", &instance, wanted.client_id.as_deref());
    let entry = Entry::new(instance.clone(), scope(wanted.system), terminal);
    let forget = || wanted.client_id.as_ref().map_or(Ok(false), |id| entry.forget_client_id(id));
    let changed = entry.remove().and_then(|removed| Ok(forget()? || removed));
    if !changed.map_err(|why| with_rights(why, wanted.system, again))? {
        terminal.note(&format!("{entry} has no value of ours; nothing was changed"));
    }
    Ok(0)
}

fn scope(system: bool) -> Scope {
    if system { Scope::System } else { Scope::Global }
}

/// The words for the same once more, for whoever it may be that types them.
fn again(verb: &str, instance: &Instance, client_id: Option<&str>) -> String {
    let id = client_id.map(|id| format!(" --client-id {}", quoted(id))).unwrap_or_default();
    format!("{verb} {} --system{id}", instance.short())
}

/// Why it was not done, with the command that does it with the rights that this needs.
fn with_rights(why: Error, system: bool, again: impl Fn() -> String) -> Error {
    match why {
        Error::Git(why @ GitError::NotWritten(_)) if system && !everybody::is_root() => {
            Failure::new(Code::Failed, format!("{why}; to do it as root: {}", everybody::command(&again()))).into()
        }
        why => why,
    }
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
