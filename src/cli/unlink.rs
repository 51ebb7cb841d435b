//! `unlink`: revoke at the server, forget here, take what `use` wrote about the account out of
//! git's config, and our line once the last account of a host is gone.

use super::accounts;
use super::arguments::Unlink;
use super::call::{AFTER_ASKING_SERVERS, Reply, needed};
use super::choices::{Choices, tell_daemon};
use super::entry::Entry;
use super::error::Error;
use super::git_config::Scope;
use super::patience::Patience;
use super::status;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, action};

/// What came of unlinking, over all accounts.
#[derive(Default)]
struct Outcome {
    unlinked: usize,
    /// What they granted is still valid at the server.
    not_revoked: usize,
    /// git still asks us for their host, because its config could not be changed.
    still_configured: usize,
}

/// Unlinks. What was unlinked before a failure is printed all the same.
pub(super) fn run(wanted: &Unlink, terminal: Terminal) -> Result<u8, Error> {
    let patience = Patience::with_server(wanted.host.as_ref(), terminal);
    let mut reply = Reply::to(&request(wanted), Start::IfAbsent, AFTER_ASKING_SERVERS)?;
    drop(patience);
    let mut outcome = Outcome::default();
    while let Some(block) = reply.good_block()? {
        if let Some(why) = block.text("not_unlinked") {
            terminal.say(&format!("error: {why}"));
        }
        if block.get("username").is_some() {
            tell(&block, wanted.all, &mut outcome, terminal)?;
        }
    }
    let code = match outcome {
        Outcome { unlinked: 0, .. } => {
            terminal.say(&status::not_linked(wanted.host.as_ref()));
            Code::NotLinked
        }
        // With --local the person asked for just that.
        Outcome { not_revoked: 1.., .. } if !wanted.local => Code::Unreachable,
        Outcome { still_configured: 1.., .. } => Code::Failed,
        _ => return Ok(0),
    };
    Ok(code.exit_code())
}

fn request(wanted: &Unlink) -> Attributes {
    let Unlink { host, account, all, local } = wanted;
    let mut request = protocol::request(action::UNLINK);
    if let Some(host) = host {
        request.push("host", &host.typed);
    }
    if let Some(account) = account {
        request.push("account", account);
    }
    for (key, given) in [("all", all), ("local", local)] {
        if *given {
            request.push(key, "1");
        }
    }
    request
}

/// One account is gone.
fn tell(block: &Attributes, all: bool, outcome: &mut Outcome, terminal: Terminal) -> Result<(), Error> {
    let (host, username) = (needed(block, "host")?, accounts::label(block)?);
    outcome.unlinked += 1;
    terminal.print(&format!("unlinked {host} ({username})"))?;
    match block.text("not_revoked") {
        // That is known, and nothing to try again.
        Some(why) => terminal.say(why),
        None if block.flag("revoked") => {}
        None => {
            outcome.not_revoked += 1;
            terminal.say(&format!(
                "what {username} granted was not revoked at the server; \
                 to revoke it, open {host}/-/user_settings/applications"
            ));
        }
    }
    let was_last = block.get("remaining") == Some(b"0");
    let Ok(instance) = Instance::parse(&host) else { return Ok(()) };
    if let Err(why) = forget(&instance, &username, terminal) {
        outcome.still_configured += 1;
        terminal.say(&format!("error: {why}\nlines with gitlabAccount = {username} may be left in git's config"));
    }
    // Where all go, the next one goes too.
    if let Some(next) = block.text("answers").filter(|_| !all) {
        let short = instance.short();
        terminal.say(&format!(
            "{next} answers for {host} now; to let another account do so: git credential-gitlab use NAME {short}"
        ));
    }
    if was_last && let Err(why) = Entry::new(instance.clone(), Scope::Global, terminal).remove() {
        outcome.still_configured += 1;
        let short = instance.short();
        terminal
            .say(&format!("error: {why}\ngit still asks for {instance}: git credential-gitlab unconfigure {short}"));
    }
    Ok(())
}

/// Nobody can answer as this account any more.
fn forget(instance: &Instance, label: &str, terminal: Terminal) -> Result<(), Error> {
    if Choices::on(instance, terminal).forget(label)? {
        terminal.note(&format!("what {label} answered for at {instance} is up to the other accounts again"));
        tell_daemon(terminal)?;
    }
    Ok(())
}
