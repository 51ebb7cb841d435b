//! Each check of this machine, once where it is well and once where it is not.

use super::super::finding::Outcome;
use super::*;
use crate::cli::accounts::{Daemon, example};

fn machine() -> Machine {
    let daemon = Daemon { pid: 1, version: env!("CARGO_PKG_VERSION").into(), socket: "/s".into() };
    Machine {
        git: Some("git version 2.47.3".into()),
        programs: PROGRAMS.map(|name| Some(PathBuf::from("/opt").join(name))),
        daemon_program: Some(format!("x {}", env!("CARGO_PKG_VERSION"))),
        endpoint: Ok(Endpoint { path: "/nowhere/socket".into(), explicit: false }),
        directories: Vec::new(),
        abandoned: false,
        daemon: Ok(Accounts { accounts: vec![example()], daemon, problems: Vec::new() }),
    }
}

fn outcome(check: fn(&Machine) -> Finding, change: impl FnOnce(&mut Machine)) -> Outcome {
    let mut machine = machine();
    change(&mut machine);
    check(&machine).outcome
}

fn found(machine: &mut Machine) -> &mut Accounts {
    machine.daemon.as_mut().expect("it answers")
}

#[test]
fn all_is_well_where_all_is_well() {
    for check in [git_version, programs, daemon, daemon_version, socket, state_files, token_store] {
        assert_eq!(outcome(check, |_| ()), Outcome::Ok);
    }
}

#[test]
fn an_old_git_or_none_is_told() {
    assert_eq!(outcome(git_version, |it| it.git = None), Outcome::Fail);
    for (said, meant) in [
        ("git version 2.38.1", Outcome::Warn),
        ("git version 1.8.3.1", Outcome::Warn),
        ("git version 2.39.5", Outcome::Ok),
        ("git version 2.39.5 (Apple Git-154)", Outcome::Ok),
        ("git version 3.0.0.windows.1", Outcome::Ok),
        ("hub", Outcome::Warn),
    ] {
        assert_eq!(outcome(git_version, |it| it.git = Some(said.into())), meant, "{said}");
    }
}

#[test]
fn programs_that_do_not_belong_together_are_told() {
    assert_eq!(outcome(programs, |it| it.programs[1] = None), Outcome::Fail);
    assert_eq!(outcome(programs, |it| it.programs[2] = Some("/usr/bin/x".into())), Outcome::Warn);
    assert_eq!(outcome(programs, |it| it.daemon_program = Some("x 0.0.9".into())), Outcome::Warn);
    assert_eq!(outcome(programs, |it| it.daemon_program = None), Outcome::Warn);
}

#[test]
fn a_daemon_of_another_version_is_restarted_by_fix() {
    let mut machine = machine();
    found(&mut machine).daemon.version = "0.0.9".into();
    let finding = daemon_version(&machine);
    assert_eq!((finding.outcome, finding.mend), (Outcome::Warn, Some(Mend::RestartDaemon)));
}

#[test]
fn a_state_file_that_cannot_be_read_is_put_aside() {
    let mut machine = machine();
    found(&mut machine).problems.push("/s/it's.json: no JSON".into());
    let finding = state_files(&machine);
    assert_eq!(finding.fix.as_deref(), Some(r"mv '/s/it'\''s.json' '/s/it'\''s.json.broken'"));
}

#[test]
fn a_store_that_is_locked_or_forgetful_is_told() {
    let with = |state: State, detail: &str, store: &str| {
        let (detail, store) = (detail.to_owned(), store.to_owned());
        outcome(token_store, |it| found(it).accounts[0] = Account { state, detail, store, ..example() })
    };
    assert_eq!(with(State::Unreachable, "its tokens are in the keyring, but it is locked", "keyring"), Outcome::Fail);
    assert_eq!(with(State::Unsaved, "could not be saved", "file"), Outcome::Fail);
    assert_eq!(with(State::Locked, "its tokens are in an encrypted file", "file"), Outcome::Fail);
    assert_eq!(with(State::Ok, "", "memory"), Outcome::Warn);
    assert_eq!(with(State::Unreachable, "the server answered 503", "keyring"), Outcome::Ok);
}
