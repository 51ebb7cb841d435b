//! `link`: the daemon does the linking; here the person is shown where to give consent.

use std::time::Duration;

use super::accounts::label;
use super::arguments::Link;
use super::browser::{self, Opened};
use super::call::{Reply, needed, text};
use super::consent::{Consent, Waiting, Wishes};
use super::entry::Entry;
use super::environment;
use super::error::Error;
use super::git_config::Scope;
use super::keyboard;
use super::linked;
use super::patience::Patience;
use super::registration::{self, Registration};
use super::terminal::Terminal;
use crate::again;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, Failure, action, key};

/// Names the store where no flag does.
const STORE_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_STORE";

/// The daemon always ends a link, and says how. Besides the wait for consent it may take this
/// long: the keyring's prompt before and after (60 s each), and a slow server (four answers of
/// 40 s at the most).
const GRACE: Duration = Duration::from_secs(300);

/// How often an Application ID that the server does not know is asked for again.
const TRIES: u32 = 3;

/// What came of asking the daemon to link.
enum Outcome {
    Linked(Linked),
    /// The GitLab has no application of ours.
    Unregistered(Failure, Registration),
}

struct Linked {
    host: String,
    /// The account's name.
    label: String,
    scopes: String,
    /// Whether there is the spare login that was wanted; if not, why.
    spare: Option<Result<(), String>>,
}

/// The application to link with, as far as the person names it, or a token that needs none.
#[derive(Default)]
struct Application {
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

/// Links an account, then lets git use it.
pub(super) fn run(wanted: &Link, terminal: Terminal) -> Result<u8, Error> {
    let given = |flag: bool, what| if flag { secret(what, terminal).map(Some) } else { Ok(None) };
    let (secret, token) =
        (given(wanted.client_secret_stdin, "secret of the application")?, given(wanted.token_stdin, "access token")?);
    let mut application = Application { id: wanted.client_id.clone(), secret, token };
    let mut guided = false;
    let linked = match attempt(wanted, &application, terminal)? {
        Outcome::Linked(linked) => linked,
        Outcome::Unregistered(_, registration) => {
            terminal.say(&registration.instructions());
            guided = true;
            let linked = guide(wanted, &mut application, &registration, terminal)?;
            let Some(linked) = linked else {
                terminal.say(&registration.next_step(&with_an_id(wanted, &registration)));
                return Ok(Code::Usage.exit_code());
            };
            linked
        }
    };
    terminal.print(&format!("linked {} as {}", linked.host, linked.label))?;
    let instance = Instance::parse(&linked.host).map_err(|_| Error::Incomplete("host"))?;
    linked::explain(&instance, &linked.label, &linked.scopes, terminal);
    if let Some(kept) = environment::kept() {
        terminal.note(&format!("{instance}: {kept}"));
    }
    let mut code = 0;
    match &linked.spare {
        None => {}
        Some(Ok(())) => terminal.note("a spare login is ready"),
        Some(Err(why)) => {
            let again = format!("{} --account {} --spare", instance.link_command(), linked.label);
            terminal.say(&format!("there is no spare login: {why}; to try again: {again}"));
            code = Code::Relink.exit_code();
        }
    }
    let configured = match wanted.no_configure {
        true => Ok(()),
        false => offer_to_configure(wanted.yes, &instance, terminal),
    };
    // The last thing that is read, because it is for others too.
    if let Some(id) = application.id.filter(|_| guided) {
        terminal.note(&registration::for_colleagues(&instance, &id, application.secret.is_some()));
    }
    configured.map(|()| code)
}

/// A secret of the person's that a flag promises. An empty line is none.
fn secret(what: &str, terminal: Terminal) -> Result<String, Error> {
    let given = terminal.take_secret(&format!("The {what} (it is not shown):"))?;
    match given.is_empty() {
        true => {
            Err(Failure::new(Code::Usage, format!("no {what} was given: its place is the first line of stdin")).into())
        }
        false => Ok(given),
    }
}

/// Makes an application with the person, and links with it; `None` if nobody can be asked, or
/// they have none.
fn guide(
    wanted: &Link,
    application: &mut Application,
    registration: &Registration,
    terminal: Terminal,
) -> Result<Option<Linked>, Error> {
    if !terminal.can_ask() {
        return Ok(None);
    }
    if matches!(browser::open(registration.page()), Ok(Opened::Yes)) {
        terminal.note("A browser was asked to open that page.");
    }
    let mut left = TRIES;
    loop {
        left -= 1;
        let Some(id) = terminal.ask("Application ID:")?.filter(|id| !id.is_empty()) else { return Ok(None) };
        let secret = terminal.ask_secret("Secret (only if \"Confidential\" is ticked; else press Enter):")?;
        let Some(secret) = secret else { return Ok(None) };
        (application.id, application.secret) = (Some(id), Some(secret).filter(|secret| !secret.is_empty()));
        match attempt(wanted, application, terminal) {
            Ok(Outcome::Linked(linked)) => return Ok(Some(linked)),
            Ok(Outcome::Unregistered(failure, _)) => return Err(failure.into()),
            // Before anybody was sent to a browser: the server does not know the application. After
            // that the keyboard is read already, which no secret may meet.
            Err(Error::Refused(failure)) if failure.code == Code::Refused && left > 0 && !keyboard::is_being_read() => {
                terminal.say(&failure.to_string());
            }
            Err(why) => return Err(why),
        }
    }
}

/// The command for the same link with an application, whose id is for the person to put in.
fn with_an_id(wanted: &Link, registration: &Registration) -> String {
    let application = Application { id: Some("ID".into()), ..Application::default() };
    let mut request = request(wanted, &application, wanted.device);
    if wanted.host.is_none() {
        request.push("host", registration.short());
    }
    again::command(&request)
}

/// Asks the daemon to link, and goes through the consent with the person.
fn attempt(wanted: &Link, application: &Application, terminal: Terminal) -> Result<Outcome, Error> {
    let begin = |device| begin(wanted, application, device, terminal);
    let mut waiting = begin(wanted.device)?;
    loop {
        match waiting.go_on()? {
            Consent::Done(block) => return outcome(&block),
            Consent::OnAnotherDevice => {
                let mut other = begin(true)?;
                match other.show_code()? {
                    // The daemon forgets the first attempt as soon as nobody waits for it.
                    None => waiting = other,
                    Some(failure) => terminal.say(&format!(
                        "There is no code: {}\nThe address above is still good, and waited for.",
                        reason(&failure)
                    )),
                }
            }
        }
    }
}

/// Why something failed, without the part that says what: here it is not over.
fn reason(failure: &Failure) -> &str {
    let (_, why) = failure.message.split_once(" was not linked").unwrap_or_default();
    why.split_once(": ").map_or(&failure.message, |(_, why)| why)
}

fn begin(wanted: &Link, application: &Application, device: bool, terminal: Terminal) -> Result<Waiting, Error> {
    // Whether there is a second consent, for a spare login, the daemon may know from before.
    let within = Duration::from_secs(wanted.timeout) * 2 + GRACE;
    let mut request = request(wanted, application, device);
    let by_code = format!("{} --device", again::command(&request));
    environment::add_to(&mut request);
    let patience = Patience::with_server(wanted.host.as_ref(), terminal);
    let reply = Reply::to(&request, Start::IfAbsent, within)?;
    drop(patience);
    Ok(Waiting::new(reply, Wishes { timeout: wanted.timeout, paste: wanted.paste, by_code }, terminal))
}

fn outcome(block: &Attributes) -> Result<Outcome, Error> {
    if let Some(failure) = Failure::in_block(block) {
        return match block.flag("register") {
            true => Ok(Outcome::Unregistered(failure, Registration::in_block(block)?)),
            false => Err(failure.into()),
        };
    }
    let (host, label, scopes) = (needed(block, "host")?, label(block)?, text(block, "scope"));
    let spare = match text(block, "spare").as_str() {
        "ready" => Some(Ok(())),
        "failed" => Some(Err(text(block, "spare_detail"))),
        _ => None,
    };
    Ok(Outcome::Linked(Linked { host, label, scopes, spare }))
}

fn request(wanted: &Link, application: &Application, on_another_device: bool) -> Attributes {
    // Named one by one, so that a new flag is not forgotten here.
    let Link {
        host,
        web,
        device: _, // or the person has changed their mind
        paste,
        client_id: _,
        client_secret_stdin: _,
        token_stdin: _,
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
    let flow = match (on_another_device, *paste, *web) {
        (true, _, _) => Some("device"),
        (_, true, _) => Some("paste"),
        (_, _, true) => Some("web"),
        _ => None,
    };
    let given = [
        ("host", host.as_ref().map(|host| host.typed.as_str())),
        ("flow", flow),
        ("has_browser", browser::is_here().then_some("1")),
        ("client_id", application.id.as_deref()),
        ("client_secret", application.secret.as_deref()),
        ("token", application.token.as_deref()),
        ("scopes", scopes.as_deref()),
        ("account", account.as_deref()),
        ("store", store.map(|store| store.word()).or(store_of_environment.as_deref())),
        ("allow_http", allow_http.then_some("1")),
        ("spare", spare.then_some("1")),
        ("read_only", read_only.then_some("1")),
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

/// A link is of no use until git asks us, so that is the default.
fn offer_to_configure(yes: bool, instance: &Instance, terminal: Terminal) -> Result<(), Error> {
    let (entry, short) = (Entry::new(instance.clone(), Scope::Global, terminal), instance.short());
    let add = || {
        let must_ask = !yes && terminal.can_ask() && !entry.is_in_place()?;
        if must_ask && !terminal.agrees(&format!("Let git use it for {instance}?"))? {
            terminal.say(&format!("git does not use it; to change that: git credential-gitlab configure {short}"));
            return Ok(());
        }
        entry.add()
    };
    add().inspect_err(|_| {
        terminal.say(&format!(
            "{instance} is linked, but git is not set up for it: git credential-gitlab configure {short}"
        ));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Arguments, Verb};
    use clap::Parser;

    fn request_of(words: &[&str]) -> String {
        let arguments = Arguments::try_parse_from([&["x", "link"], words].concat()).expect("understood");
        let Verb::Link(wanted) = arguments.verb else { panic!("link is link") };
        let application = Application { id: wanted.client_id.clone(), ..Application::default() };
        let text = String::from_utf8(request(&wanted, &application, wanted.device).to_bytes()).expect("text");
        text.replace("has_browser=1\n", "") // that is the machine's affair
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
        let expected = "action=link\ntimeout=9\nhost=GitLab.example/\nflow=web\nclient_id=1a\naccount=alice\nstore=file\n\
                        allow_http=1\nspare=1\nread_only=1\nmin_life=60\n";
        assert_eq!(request_of(&words), expected);
    }
}
