//! Completions: scripts that ask this program what could come next, so that they never disagree
//! with it, and know the hosts and accounts that are linked.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{self, ArgValueCandidates, CompletionCandidate};

use super::accounts::Accounts;
use super::arguments::{Arguments, Shell};
use super::error::Error;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::printable;

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

/// Hosts and account names. No daemon is started for a keystroke.
fn linked() -> Vec<(String, String)> {
    let found = Accounts::ask(None, false, Start::Never);
    let accounts = found.map(|found| found.accounts).unwrap_or_default();
    accounts.into_iter().map(|account| (account.short_host(), account.label)).collect()
}
