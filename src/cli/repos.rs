//! `repos`: what an account may reach, shown as it comes.

use super::arguments::Repos;
use super::call::{self, Reply, needed, number, text};
use super::error::Error;
use super::patience::Patience;
use super::project::Project;
use super::project_table::Table;
use super::terminal::Terminal;
use super::time::Now;
use super::whose;
use crate::client::Start;
use crate::credential::Attributes;
use crate::protocol::{self, action, key};

/// How the projects are shown.
enum Shape {
    /// For people.
    Table(Table),
    /// For scripts that read lines: a tab between the values, nothing cut.
    Lines,
    Json,
}

/// Lists projects until the last one, or until nobody reads any more.
pub(super) fn run(wanted: &Repos, terminal: Terminal) -> Result<u8, Error> {
    let shape = match (wanted.json, terminal.width()) {
        (true, _) => Shape::Json,
        (false, Some(width)) => Shape::Table(Table::new(width, Now::here())),
        (false, None) => Shape::Lines,
    };
    let patience = Patience::with_server(wanted.host.as_ref(), terminal);
    let mut reply = Reply::to(&request(wanted), Start::IfAbsent, call::A_PART)?;
    drop(patience);
    let mut shown = 0_u64;
    while let Some(block) = reply.next_part()? {
        if block.flag(key::DONE) {
            if let Shape::Json = shape {
                terminal.print(if shown == 0 { "[]" } else { "]" })?;
            }
            say_what_is_missing(&block, shown, terminal)?;
            break;
        }
        if !show(&Project::in_block(&block)?, &shape, shown == 0, terminal)? {
            break; // `| head` has what it wanted; the daemon notices that we are gone
        }
        shown += 1;
    }
    Ok(0)
}

fn request(wanted: &Repos) -> Attributes {
    let Repos { host, account, search, group, min_access, archived, limit, json: _ } = wanted;
    let mut request = protocol::request(action::REPOS);
    let given = [
        ("host", &host.as_ref().map(|host| host.instance.to_string())),
        (key::ACCOUNT, &whose::account(account.as_deref())),
        ("search", search),
        ("group", group),
        ("min_access", min_access),
        ("limit", &limit.map(|limit| limit.to_string())),
    ];
    for (key, value) in given {
        value.iter().for_each(|value| request.push(key, value));
    }
    if *archived {
        request.push("archived", "1");
    }
    request
}

/// Shows one project; false once nobody reads any more.
fn show(project: &Project, shape: &Shape, is_first: bool, terminal: Terminal) -> Result<bool, Error> {
    match shape {
        Shape::Table(table) => {
            Ok((!is_first || terminal.offer(&table.head())?) && terminal.offer(&table.row(project))?)
        }
        Shape::Lines => terminal.offer_row(&project.cells()),
        // A comma in front, because nobody knows yet whether another one follows.
        Shape::Json => terminal.offer(&format!("{}{}", if is_first { '[' } else { ',' }, project.json())),
    }
}

/// What is no data: that there is none, or that some could not be shown.
fn say_what_is_missing(last: &Attributes, shown: u64, terminal: Terminal) -> Result<(), Error> {
    let (host, label) = (needed(last, "host")?, text(last, "label"));
    match number::<u64>(last, "left_out") {
        None | Some(0) if shown == 0 => terminal.note(&format!("{label} reaches no such project at {host}")),
        None | Some(0) => {}
        Some(count) => terminal.say(&format!(
            "warning: {count} of the projects at {host} are left out: what the server says of them makes no sense"
        )),
    }
    Ok(())
}
