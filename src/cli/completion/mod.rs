//! Completions: scripts that ask this program what could come next, so that they never disagree
//! with it, and know the hosts and accounts that are linked.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{self, ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::arguments::{Arguments, Shell};
use super::error::Error;
use super::terminal::Terminal;
use crate::credential::printable;
use known::{At, Project};

mod known;

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
    let at = At::in_words(&words[..index.min(words.len())]);
    let mut command = with_candidates(Arguments::command(), &at);
    for candidate in engine::complete(&mut command, words, index, None).unwrap_or_default() {
        let value = printable(&candidate.get_value().to_string_lossy(), LONGEST);
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = printable(help.lines().next().unwrap_or_default(), LONGEST);
        terminal.print_line(&if help.is_empty() { value } else { format!("{value}\t{help}") })?;
    }
    Ok(0)
}

/// The command line, which knows what is linked.
fn with_candidates(command: Command, at: &At) -> Command {
    command.mut_subcommands(|verb| {
        let is_doctor = verb.get_name() == "doctor";
        verb.mut_args(|argument: Arg| {
            let at = at.clone();
            match argument.get_id().as_str() {
                "host" => argument.add(ArgValueCandidates::new(hosts)),
                "account" | "name" => argument.add(ArgValueCandidates::new(move || accounts(&at))),
                "projects" => argument.add(completer(move |typed| projects(typed, &at, ""))),
                "group" => argument.add(completer(move |typed| groups(typed, &at))),
                "places" => argument.add(completer(move |typed| {
                    groups(typed, &at).into_iter().chain(projects(typed, &at, "")).collect()
                })),
                "remote" if is_doctor => argument.add(completer(move |typed| {
                    let hosts = hosts().into_iter();
                    let hosts = hosts.filter(|host| host.get_value().to_string_lossy().starts_with(typed));
                    let begun = known::address(typed).is_some();
                    hosts.chain(begun.then(|| projects(typed, &at, ".git")).into_iter().flatten()).collect()
                })),
                _ => argument,
            }
        })
    })
}

fn completer(propose: impl Fn(&str) -> Vec<CompletionCandidate> + Send + Sync + 'static) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| typed.to_str().map(&propose).unwrap_or_default())
}

fn hosts() -> Vec<CompletionCandidate> {
    let mut hosts: Vec<_> = At::default().accounts().iter().map(|account| account.short_host()).collect();
    hosts.dedup();
    hosts.into_iter().map(|host| CompletionCandidate::new(host).help(Some("linked".into()))).collect()
}

fn accounts(at: &At) -> Vec<CompletionCandidate> {
    let described = |host: String| Some(format!("at {host}").into());
    let accounts = at.accounts().into_iter();
    accounts.map(|it| CompletionCandidate::new(&it.label).help(described(it.short_host()))).collect()
}

/// Projects that begin so, by path or, where an address is begun, with it and this ending.
fn projects(typed: &str, at: &At, ending: &str) -> Vec<CompletionCandidate> {
    let (begin, at, typed) = known::address(typed).unwrap_or_else(|| (String::new(), at.clone(), typed.into()));
    let candidate = |Project { path, name }: Project| {
        CompletionCandidate::new(format!("{begin}{path}{ending}")).help(Some(name.into()))
    };
    at.projects(&typed).into_iter().map(candidate).collect()
}

fn groups(typed: &str, at: &At) -> Vec<CompletionCandidate> {
    let candidate = |group: String| CompletionCandidate::new(group).help(Some("group".into()));
    at.groups(typed).into_iter().map(candidate).collect()
}
