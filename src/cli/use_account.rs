//! `use`: which of several accounts answers where.

use super::accounts::Accounts;
use super::arguments::Use;
use super::choices::{Choices, tell_daemon};
use super::error::Error;
use super::terminal::Terminal;
use crate::client::Start;
use crate::instance::Instance;
use crate::place::Place;
use crate::protocol::{Code, Failure};

/// Lets an account answer for places, or no longer.
pub(super) fn run(wanted: &Use, terminal: Terminal) -> Result<u8, Error> {
    let host = wanted.host.as_ref().map(|host| &host.instance);
    let found = Accounts::ask(host, false, Start::IfAbsent)?;
    let instance = host.cloned().unwrap_or_else(|| found.usual_instance());
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
    let labels: Vec<&str> = found.of(instance).map(|account| account.label.as_str()).collect();
    if let Some(label) = labels.iter().find(|label| label.eq_ignore_ascii_case(name)) {
        return Ok((*label).to_owned());
    }
    let there = match labels.is_empty() {
        true => "is not linked".into(),
        false => format!("is linked as {}, not as {name}", labels.join(" and ")),
    };
    let text =
        format!("{instance} {there}; to link it: git credential-gitlab link {} --account {name}", instance.short());
    Err(Failure::new(Code::NotLinked, text))
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
    Ok(())
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
