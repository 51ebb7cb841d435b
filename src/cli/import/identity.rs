//! Who the commits in new clones are by: offered as the GitLab has it, where git does not know.
//!
//! Nothing is written unless the person agrees, and then into the config of the clones alone.
//! Whatever goes wrong here leaves the clones as git made them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::git::OF_A_REPOSITORY;
use crate::cli::call::{Reply, SOON, text};
use crate::cli::error::Error;
use crate::cli::terminal::Terminal;
use crate::cli::whose;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{self, action, key};
use crate::shell::quoted;

/// A clone that is in its place.
pub(super) struct Clone {
    pub(super) instance: Instance,
    pub(super) account: Option<String>,
    pub(super) directory: PathBuf,
}

/// How a person is named in commits.
#[derive(Debug)]
struct Author {
    name: String,
    email: String,
}

/// Sets the author where git has none, if the person agrees; with `wanted`, in all of them.
pub(super) fn offer(clones: Vec<Clone>, wanted: bool, terminal: Terminal) {
    let mut nameless: BTreeMap<(Instance, Option<String>), Vec<PathBuf>> = BTreeMap::new();
    for Clone { instance, account, directory } in clones {
        if wanted || !has_author(&directory) {
            nameless.entry((instance, account)).or_default().push(directory);
        }
    }
    for ((instance, account), directories) in nameless {
        let unknown = match author(&instance, account.as_deref()) {
            Ok(Some(author)) => {
                settle(&author, &instance, &directories, wanted, terminal);
                continue;
            }
            Ok(None) => format!("{instance} does not say who your commits are by"),
            Err(why) => format!("who your commits at {instance} are by is not known: {why}"),
        };
        match wanted {
            true => terminal.say(&unknown),
            false => terminal.detail(&unknown),
        }
    }
}

fn settle(author: &Author, instance: &Instance, directories: &[PathBuf], wanted: bool, terminal: Terminal) {
    let Author { name, email } = author;
    let several = directories.len();
    let clones = if several == 1 { "this clone".into() } else { format!("these {several} clones") };
    let asked = || {
        let question = format!("git does not know your name. Let commits in {clones} be by {name} <{email}>?");
        terminal.agrees(&question).unwrap_or(false)
    };
    if wanted || (terminal.can_ask() && asked()) {
        let failed = directories.iter().filter(|directory| !set(directory, author)).count();
        match failed {
            0 => terminal.note(&format!("commits in {clones} are by {name} <{email}>")),
            _ => terminal.say(&format!("git could not set user.name and user.email in {failed} of {several} clones")),
        }
    } else {
        terminal.note(&format!(
            "git does not know your name for commits; {instance} has {name} <{email}>. For all repositories: \
             git config --global user.name {} && git config --global user.email {}",
            quoted(name),
            quoted(email),
        ));
    }
}

/// Asks the GitLab, which knows the address that the person wants in commits.
fn author(instance: &Instance, account: Option<&str>) -> Result<Option<Author>, Error> {
    let mut request = protocol::request(action::AUTHOR).with("host", instance.to_string());
    if let Some(account) = whose::account(account) {
        request.push(key::ACCOUNT, account);
    }
    let answer = Reply::to(&request, Start::IfAbsent, SOON)?.good_block()?;
    let of = |key| answer.as_ref().map(|answer| text(answer, key)).filter(|text| !text.is_empty());
    Ok(of("name").zip(of("email")).map(|(name, email)| Author { name, email }))
}

/// Whether git knows who commits in this clone are by, from wherever.
fn has_author(directory: &Path) -> bool {
    let in_environment = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    in_environment("GIT_AUTHOR_EMAIL") || in_environment("EMAIL") || config(directory, &["--get", "user.email"])
}

fn set(directory: &Path, author: &Author) -> bool {
    let pairs = [("user.name", &author.name), ("user.email", &author.email)];
    pairs.iter().all(|(key, value)| config(directory, &["--local", "--replace-all", key, value]))
}

fn config(directory: &Path, words: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).arg("config").args(words);
    for name in OF_A_REPOSITORY {
        git.env_remove(name);
    }
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}
