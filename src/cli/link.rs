//! `link`: the daemon does the linking; here the person is shown where to give consent.

use std::time::Duration;

use super::arguments::Link;
use super::browser;
use super::call::{Reply, needed, text};
use super::entry::Entry;
use super::error::Error;
use super::git_config::Scope;
use super::registration::Registration;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, Failure, action, key};

/// Enough for clone and fetch, and for `status` to know who you are.
const READ_ONLY: &str = "read_api read_repository";

/// Names the store where no flag does.
const STORE_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_STORE";

/// The daemon always ends a link, and says how. Besides the wait for consent it may take this
/// long: the keyring's prompt before and after (60 s each), and a slow server (four answers of
/// 40 s at the most).
const GRACE: Duration = Duration::from_secs(300);

/// What came of asking the daemon to link.
enum Outcome {
    Linked(Linked),
    /// The GitLab has no application of ours.
    Unregistered(Failure, Registration),
}

struct Linked {
    host: String,
    username: String,
    /// A spare login was wanted and is not there: why.
    no_spare: Option<String>,
}

/// Links an account, then lets git use it.
pub(super) fn run(wanted: &Link, terminal: Terminal) -> Result<u8, Error> {
    let linked = match attempt(wanted, wanted.client_id.as_deref(), terminal)? {
        Outcome::Linked(linked) => linked,
        Outcome::Unregistered(failure, registration) => {
            terminal.say(&format!("{failure}\n{}", registration.instructions()));
            let Some(id) = ask_for_id(terminal)? else {
                terminal.say(&registration.next_step());
                return Ok(Code::Usage.exit_code());
            };
            match attempt(wanted, Some(&id), terminal)? {
                Outcome::Linked(linked) => linked,
                Outcome::Unregistered(failure, _) => return Err(failure.into()),
            }
        }
    };
    terminal.print(&format!("linked {} as {}", linked.host, linked.username))?;
    let instance = Instance::parse(&linked.host).map_err(|_| Error::Incomplete("host"))?;
    let mut code = 0;
    if let Some(why) = &linked.no_spare {
        let again = format!("git credential-gitlab link {} --account {} --spare", instance.short(), linked.username);
        terminal.say(&format!("there is no spare login: {why}; to try again: {again}"));
        code = Code::Relink.exit_code();
    }
    if wanted.no_configure {
        return Ok(code);
    }
    offer_to_configure(wanted.yes, &instance, terminal).inspect_err(|_| {
        let short = instance.short();
        terminal.say(&format!(
            "{instance} is linked, but git is not set up for it: git credential-gitlab configure {short}"
        ));
    })?;
    Ok(code)
}

/// The Application ID, if there is a person to ask and they have one.
fn ask_for_id(terminal: Terminal) -> Result<Option<String>, Error> {
    if !terminal.can_ask() {
        return Ok(None);
    }
    Ok(Some(terminal.ask("Application ID:")?).filter(|id| !id.is_empty()))
}

/// Asks the daemon to link, and goes through the consent with the person.
fn attempt(wanted: &Link, client_id: Option<&str>, terminal: Terminal) -> Result<Outcome, Error> {
    let within = Duration::from_secs(wanted.timeout) + GRACE;
    let mut reply = Reply::to(&request(wanted, client_id), Start::IfAbsent, within)?;
    while let Some(block) = reply.block()? {
        if let Some(failure) = Failure::in_block(&block) {
            return match block.flag("register") {
                true => Ok(Outcome::Unregistered(failure, Registration::in_block(&block)?)),
                false => Err(failure.into()),
            };
        }
        if let Some(url) = block.text("url") {
            show(url, &block, wanted, terminal);
        }
        if block.flag(key::DONE) {
            let (host, username) = (needed(&block, "host")?, needed(&block, "username")?);
            let no_spare = (text(&block, "spare") == "failed").then(|| text(&block, "spare_detail"));
            return Ok(Outcome::Linked(Linked { host, username, no_spare }));
        }
    }
    Err(Error::Incomplete(key::DONE))
}

fn request(wanted: &Link, client_id: Option<&str>) -> Attributes {
    // Named one by one, so that a new flag is not forgotten here.
    let Link {
        host,
        web: _, // a browser on this machine is what the daemon takes by itself
        client_id: _,
        scopes,
        read_only,
        account,
        store,
        min_life,
        spare,
        allow_http,
        no_configure: _,
        yes: _,
        timeout,
    } = wanted;
    let mut request = protocol::request(action::LINK).with("timeout", timeout.to_string());
    let store_of_environment = std::env::var(STORE_VARIABLE).ok().filter(|word| !word.is_empty());
    let scopes = if *read_only { Some(READ_ONLY) } else { scopes.as_deref() };
    let given = [
        ("host", host.as_ref().map(|host| host.typed.as_str())),
        ("client_id", client_id),
        ("scopes", scopes),
        ("account", account.as_deref()),
        ("store", store.map(|store| store.word()).or(store_of_environment.as_deref())),
        ("allow_http", allow_http.then_some("1")),
        ("spare", spare.then_some("1")),
    ];
    for (key, value) in given {
        if let Some(value) = value {
            request.push(key, value);
        }
    }
    if let Some(seconds) = min_life {
        request.push(key::MIN_LIFE, seconds.to_string());
    }
    request
}

/// Shows the person where to give consent, and opens a browser there.
fn show(url: &str, block: &Attributes, wanted: &Link, terminal: Terminal) {
    let host = text(block, "host");
    terminal.say(&format!("To link {host}, open this address in a browser on this machine:\n\n  {url}\n\n"));
    let warning = text(block, "warning");
    if !warning.is_empty() {
        terminal.say(&format!("warning: {warning}"));
    }
    let place = text(block, "store_place");
    if !place.is_empty() {
        terminal.note(&format!("The tokens will be kept in {place}."));
    }
    match browser::open(url) {
        Ok(browser::Opened::Yes) => terminal.note("A browser was asked to open it."),
        Ok(browser::Opened::NoDesktop) => terminal.detail("Neither BROWSER nor a desktop is there to open it."),
        Err(why) => terminal.note(&format!("No browser could be started ({why}); open the address yourself.")),
    }
    if wanted.spare {
        terminal.note("GitLab will ask for your consent twice: the second is for the spare login.");
    }
    terminal.note(&format!("Waiting up to {} s for your consent; Ctrl-C gives up.", wanted.timeout));
}

/// A link is of no use until git asks us, so that is the default.
fn offer_to_configure(yes: bool, instance: &Instance, terminal: Terminal) -> Result<(), Error> {
    let entry = Entry::new(instance.clone(), Scope::Global, terminal);
    let must_ask = !yes && terminal.can_ask() && !entry.is_in_place()?;
    if must_ask && !is_yes(&terminal.ask(&format!("Let git use it for {instance}? [Y/n]"))?) {
        terminal
            .say(&format!("git does not use it; to change that: git credential-gitlab configure {}", instance.short()));
        return Ok(());
    }
    entry.add()
}

/// Nothing is a yes, too.
fn is_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Arguments, Verb};
    use clap::Parser;

    fn request_of(words: &[&str]) -> String {
        let arguments = Arguments::try_parse_from([&["x", "link"], words].concat()).expect("understood");
        let Verb::Link(wanted) = arguments.verb else { panic!("link is link") };
        String::from_utf8(request(&wanted, wanted.client_id.as_deref()).to_bytes()).expect("text")
    }

    #[test]
    fn what_is_not_said_is_left_to_the_daemon() {
        assert_eq!(request_of(&[]), "action=link\ntimeout=300\n");
    }

    #[test]
    fn every_flag_reaches_the_daemon() {
        let words = [
            "GitLab.example/",
            "--web",
            "--client-id",
            "1a",
            "--read-only",
            "--account",
            "alice",
            "--store",
            "file",
            "--min-life",
            "60",
            "--spare",
            "--allow-http",
            "--timeout",
            "9",
            "--yes",
        ];
        let expected = "action=link\ntimeout=9\nhost=GitLab.example/\nclient_id=1a\nscopes=read_api read_repository\n\
                        account=alice\nstore=file\nallow_http=1\nspare=1\nmin_life=60\n";
        assert_eq!(request_of(&words), expected);
    }
}
