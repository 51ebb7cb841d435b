//! `use`: which of several accounts answers where.

use super::accounts::Accounts;
use super::arguments::Use;
use super::choices::{Choices, tell_daemon};
use super::error::Error;
use super::seen;
use super::terminal::Terminal;
use crate::absent;
use crate::client::Start;
use crate::instance::Instance;
use crate::place::Place;
use crate::protocol::{Code, Failure};

/// Lets an account answer for places, or no longer.
pub(super) fn run(wanted: &Use, terminal: Terminal) -> Result<u8, Error> {
    let host = wanted.host.as_ref().map(|host| &host.instance);
    let found = Accounts::ask(host, false, Start::IfAbsent)?;
    let instance = found.meant(host)?;
    let choices = Choices::on(&instance, terminal);
    let mut places = wanted.places.clone();
    if wanted.default || places.is_empty() {
        places.push(Place::everywhere());
    }
    match wanted.remove {
        true => take_back(&wanted.name, &places, &instance, &choices, terminal)?,
        false => {
            let label = linked(&found, &instance, &wanted.name)?;
            choose(&label, &places, &instance, &choices, terminal)?;
        }
    }
    Ok(0)
}

/// The account's name as it is linked.
fn linked(found: &Accounts, instance: &Instance, name: &str) -> Result<String, Failure> {
    let labels = found.labels(instance);
    let label = labels.iter().find(|label| label.eq_ignore_ascii_case(name));
    let missing = || Failure::new(Code::NotLinked, absent::from(instance, Some(name), &labels));
    label.map(|label| (*label).to_owned()).ok_or_else(missing)
}

fn choose(
    label: &str,
    places: &[Place],
    instance: &Instance,
    choices: &Choices,
    terminal: Terminal,
) -> Result<(), Error> {
    for place in places {
        choices.set(place, label)?;
    }
    tell_daemon(terminal)?;
    for place in places {
        let url = place.url(instance);
        let unless = if place.is_everywhere() { ", unless something else is said for a path" } else { "" };
        terminal.print(&format!("{label} answers for {url}{unless}"))?;
        if let Some(username) = choices.username_in_the_way(place)?.filter(|name| !name.eq_ignore_ascii_case(label)) {
            terminal.say(&format!(
                "warning: credential.username in git's config is {username} for {url}, and goes before it; \
                 to find that line: git config --show-origin --get-regexp '^credential.*username$'"
            ));
        }
    }
    warn_of_unseen(label, places, instance, terminal);
    Ok(())
}

/// A slip in a name would go unnoticed: another account would answer, and push. It is kept all the
/// same, because a group may be made, or opened to the account, later.
fn warn_of_unseen(label: &str, places: &[Place], instance: &Instance, terminal: Terminal) {
    for place in places.iter().filter(|place| !place.is_everywhere()) {
        let path = place.to_string();
        let sees = match seen::group(instance, Some(label), &path) {
            Some(false) => seen::project(instance, label, &path),
            known => known,
        };
        match sees {
            Some(true) => {}
            Some(false) => terminal.say(&format!(
                "warning: {label} sees no group or project {path} at {instance}; if that is a slip: \
                 git credential-gitlab use {label} {} --for {path} --remove",
                instance.short()
            )),
            None => return, // the server is not there, or does not say: no use to ask on
        }
    }
}

fn take_back(
    name: &str,
    places: &[Place],
    instance: &Instance,
    choices: &Choices,
    terminal: Terminal,
) -> Result<(), Error> {
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for place in places {
        let list = if choices.remove(place, name)? { &mut taken } else { &mut others };
        list.push(place.url(instance));
    }
    tell_daemon(terminal)?;
    for url in taken {
        terminal.print(&format!("{name} is no longer chosen for {url}"))?;
    }
    if others.is_empty() {
        return Ok(());
    }
    let urls = others.join(" and ");
    let text =
        format!("your git config does not choose {name} for {urls}; to see who answers: git credential-gitlab status");
    Err(Failure::new(Code::Failed, text).into())
}
