//! `status`: who is linked, until when, what is wrong and what to do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::accounts::{Account, Accounts};
use super::arguments::{Host, Status};
use super::chain::Chain;
use super::error::Error;
use super::git_config::Git;
use super::patience::Patience;
use super::terminal::Terminal;
use super::time::Now;
use super::wrap::wrapped;
use super::{git_login, json, report, short};
use crate::absent;
use crate::client::Start;
use crate::instance::Instance;
use crate::protocol::{Code, State};

/// A person who presses Enter does not notice it; the daemon needs a hundredth.
const PROMPT_WITHIN: Duration = Duration::from_millis(200);

/// Shows the accounts; the exit code tells a script how they are.
pub(super) fn run(wanted: &Status, terminal: Terminal) -> Result<u8, Error> {
    let instance = wanted.host.as_ref().map(|host| &host.instance);
    if wanted.short {
        return short(instance, terminal);
    }
    let patience = wanted.check.then(|| Patience::with_server(wanted.host.as_ref(), terminal));
    let mut found = Accounts::ask(instance, wanted.check, Start::IfAbsent)?;
    if wanted.check {
        git_login::check(&mut found.accounts);
    }
    drop(patience);
    for problem in &found.problems {
        terminal.say(&format!("warning: {problem}"));
    }
    match wanted.json {
        true => terminal.print(&json::render(&found))?,
        false => {
            let report = report::render(&found.accounts, &Now::here());
            terminal.print(&wrapped(&report, terminal.width(), 0))?;
            say_who_is_not_asked(&found.accounts, terminal);
        }
    }
    if found.accounts.is_empty() && found.problems.is_empty() {
        terminal.say(&not_linked(wanted.host.as_ref()));
    }
    Ok(exit_code(&found.accounts, !found.problems.is_empty()))
}

/// A login is of no use where git asks somebody else.
fn say_who_is_not_asked(accounts: &[Account], terminal: Terminal) {
    let helpers = match Git::new(terminal).helpers() {
        Ok(helpers) => helpers,
        Err(why) => return terminal.detail(&format!("whether git asks us is not known: {why}")),
    };
    let instances: BTreeSet<Instance> = accounts.iter().filter_map(Account::instance).collect();
    let is_asked = |instance: &Instance| {
        let chain = Chain::of(&helpers, instance);
        chain.asks_us() || chain.by_name().is_some()
    };
    for instance in instances.iter().filter(|instance| !is_asked(instance)) {
        let short = instance.short();
        terminal.say(&format!(
            "git does not ask git-credential-gitlab for {instance}; to let it: git credential-gitlab configure {short}"
        ));
    }
}

/// For a prompt: a daemon that does not run is not started, one that is slow is not waited for,
/// and what goes wrong is not said in the middle of what a person types.
fn short(instance: Option<&Instance>, terminal: Terminal) -> Result<u8, Error> {
    let Ok(found) = Accounts::ask_within(instance, false, Start::Never, PROMPT_WITHIN) else { return Ok(0) };
    let line = short::render(&found.accounts);
    if !line.is_empty() {
        terminal.print(&line)?;
    }
    Ok(exit_code(&found.accounts, !found.problems.is_empty()))
}

/// That nothing is linked, and the command that mends it.
pub(super) fn not_linked(host: Option<&Host>) -> String {
    match host {
        Some(host) => absent::from(&host.instance, None, &[""; 0]),
        None => absent::NOTHING.into(),
    }
}

/// What the person must do comes before what they can wait for.
fn exit_code(accounts: &[Account], has_problems: bool) -> u8 {
    let some = |state: State| accounts.iter().any(|account| account.state == state);
    match () {
        // Only a person can mend a state file, or unlock one.
        () if has_problems || some(State::Relink) || some(State::Locked) => Code::Relink.exit_code(),
        () if accounts.is_empty() => Code::NotLinked.exit_code(),
        () if some(State::Refused) => Code::Refused.exit_code(),
        () if some(State::Unreachable) => Code::Unreachable.exit_code(),
        () => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::example;
    use super::*;

    #[test]
    fn the_worst_account_decides_the_exit_code() {
        let with = |states: &[State]| -> Vec<Account> {
            states.iter().map(|state| Account { state: state.clone(), ..example() }).collect()
        };
        assert_eq!(exit_code(&[], false), 3);
        assert_eq!(exit_code(&[], true), 4);
        assert_eq!(exit_code(&with(&[State::Ok, State::Renewing, State::Unsaved]), false), 0);
        assert_eq!(exit_code(&with(&[State::Ok]), true), 4);
        assert_eq!(exit_code(&with(&[State::Ok, State::Locked]), false), 4);
        assert_eq!(exit_code(&with(&[State::Unreachable, State::Ok]), false), 5);
        assert_eq!(exit_code(&with(&[State::Unreachable, State::Relink]), false), 4);
    }
}
