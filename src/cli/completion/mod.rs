//! Completions: scripts that ask this program what could come next, so that they never disagree
//! with it, and know the hosts and accounts that are linked.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{self, ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::accounts::Accounts;
use super::arguments::{Arguments, Shell};
use super::call::{Reply, text};
use super::error::Error;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::printable;
use crate::protocol::{self, action};

/// One page of a server's answer; nobody reads more proposals.
const MOST_PROJECTS: &str = "100";

/// Longer, and a person types on by themselves.
const WHILE_TYPING: Duration = Duration::from_secs(2);

/// A proposal and its explanation fit a line.
const LONGEST: usize = 200;

/// `completion SHELL`: the script to load.
pub(super) fn script(shell: Shell, terminal: Terminal) -> Result<u8, Error> {
    terminal.print(match shell {
        Shell::Bash => include_str!("git-credential-gitlab.bash"),
        Shell::Zsh => include_str!("git-credential-gitlab.zsh"),
        Shell::Fish => include_str!("git-credential-gitlab.fish"),
        Shell::Powershell => include_str!("git-credential-gitlab.ps1"),
    })?;
    Ok(0)
}

/// `complete INDEX WORD...`: what could stand at that place, a line each, with a tab before what
/// it means. Anything unexpected is nothing: a person is typing.
pub(super) fn propose(index: usize, words: Vec<OsString>, terminal: Terminal) -> Result<u8, Error> {
    let mut command = with_candidates(Arguments::command());
    for candidate in engine::complete(&mut command, words, index, None).unwrap_or_default() {
        let value = printable(&candidate.get_value().to_string_lossy(), LONGEST);
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = printable(help.lines().next().unwrap_or_default(), LONGEST);
        terminal.print_line(&if help.is_empty() { value } else { format!("{value}\t{help}") })?;
    }
    Ok(0)
}

/// The command line, which knows what is linked.
fn with_candidates(command: Command) -> Command {
    command.mut_subcommands(|verb| {
        verb.mut_args(|argument: Arg| match argument.get_id().as_str() {
            "host" => argument.add(ArgValueCandidates::new(hosts)),
            "account" | "name" => argument.add(ArgValueCandidates::new(accounts)),
            "projects" => argument.add(ArgValueCompleter::new(projects)),
            _ => argument,
        })
    })
}

fn hosts() -> Vec<CompletionCandidate> {
    let mut hosts: Vec<_> = linked().iter().map(|(host, _)| host.clone()).collect();
    hosts.dedup();
    hosts.into_iter().map(|host| CompletionCandidate::new(host).help(Some("linked".into()))).collect()
}

fn accounts() -> Vec<CompletionCandidate> {
    let accounts = linked().into_iter();
    accounts.map(|(host, label)| CompletionCandidate::new(label).help(Some(format!("at {host}").into()))).collect()
}

/// Paths of projects that begin so, as far as the server finds them while a person waits.
fn projects(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let search = typed.rsplit('/').next().unwrap_or_default();
    let request = protocol::request(action::REPOS).with("limit", MOST_PROJECTS).with("search", search);
    let Ok(mut reply) = Reply::to(&request, Start::Never, WHILE_TYPING) else { return Vec::new() };
    let mut found = Vec::new();
    while let Ok(Some(block)) = reply.good_block() {
        let path = text(&block, "path");
        if !path.is_empty() && path.starts_with(typed) {
            found.push(CompletionCandidate::new(path).help(Some(text(&block, "name").into())));
        }
    }
    found
}

/// Hosts and account names. No daemon is started for a keystroke.
fn linked() -> Vec<(String, String)> {
    let found = Accounts::ask(None, false, Start::Never);
    let accounts = found.map(|found| found.accounts).unwrap_or_default();
    accounts.into_iter().map(|account| (account.short_host(), account.label)).collect()
}
