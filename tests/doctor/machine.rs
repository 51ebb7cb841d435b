//! This machine: our directories, our socket, our daemon, what is stored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::{doctor, mend};
use crate::support::{Sandbox, run};

#[test]
fn directories_that_others_can_enter_are_closed_by_fix() {
    let sandbox = Sandbox::linked();
    let tokens = sandbox.state().join("tokens");
    let mode = |directory: &Path| directory.metadata().expect("there").permissions().mode() & 0o777;
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o755)).expect("opened");
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("state-directory", "fail", "755").mended_by("state-directory", "chmod 700");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("state-directory", "ok", "");
    assert_eq!(mode(&tokens), 0o700);
    let run = sandbox.socket().parent().expect("a directory").to_owned();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o711)).expect("opened");
    doctor(&sandbox, &[]).ended_with(1).expect("socket", "fail", "711");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("socket", "ok", "");
}

#[test]
fn a_state_file_that_cannot_be_read_is_told() {
    let sandbox = Sandbox::linked();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::write(profile, "{").expect("written");
    let found = doctor(&sandbox, &[]);
    found.ended_with(4).expect("state-files", "fail", ".json").mended_by("state-files", ".broken");
}

#[test]
fn tokens_that_are_gone_are_told() {
    let sandbox = Sandbox::linked();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::remove_file(tokens).expect("removed");
    doctor(&sandbox, &[]).ended_with(4).expect("token-store", "fail", "its tokens were in").mended_by("login", "link");
}

#[test]
fn a_daemon_that_cannot_be_asked_is_told() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", "/nowhere/socket");
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("daemon", "fail", "no daemon answers").expect("daemon-version", "skip", "");
    assert_eq!(found.failed(), ["daemon"]);
}

#[test]
fn a_socket_that_nobody_listens_at_is_removed_by_fix() {
    let mut sandbox = Sandbox::new();
    let socket = sandbox.path("stale");
    fs::create_dir(&socket).expect("a directory");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).expect("private");
    let socket = socket.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("bound"));
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    doctor(&sandbox, &[]).ended_with(1).expect("socket", "fail", "nobody answers");
    doctor(&sandbox, &["--fix"]).expect("socket", "ok", "");
    assert!(!socket.exists());
}

#[test]
fn the_directory_of_a_socket_that_the_person_named_is_left_as_it_is() {
    let mut sandbox = Sandbox::new();
    let public = sandbox.path("public");
    fs::create_dir(&public).expect("a directory");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o755)).expect("open to all");
    let mode = || public.metadata().expect("there").permissions().mode() & 0o777;
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", public.join("none"));
    doctor(&sandbox, &["--fix"]).expect("socket", "ok", "").expect("daemon", "fail", "no daemon answers");
    assert_eq!(mode(), 0o755);
    // As where a container's engine passes the socket on.
    let usual = Sandbox::linked();
    let passed = public.join("socket");
    fs::hard_link(usual.socket(), &passed).expect("a second name");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &passed);
    doctor(&sandbox, &["--fix"]).expect("socket", "ok", "").expect("daemon", "ok", "");
    assert_eq!(mode(), 0o755);
}

#[test]
fn a_daemon_that_is_stopped_keeps_its_socket_and_goes_on_by_the_command_that_is_named() {
    let sandbox = Sandbox::linked();
    let (pid, socket, token) = (sandbox.daemon_pid(), sandbox.socket(), sandbox.token());
    run::signal(pid, "STOP");
    let found = doctor(&sandbox, &["--fix"]);
    found.ended_with(1).expect("daemon", "fail", &format!("(pid {pid}) is stopped")).expect("socket", "ok", "");
    assert!(socket.exists() && run::is_alive(pid));
    // Another way to the same command, which does not keep the person waiting either.
    let restart = sandbox.verb(["daemon", "restart"]).ended_with(1);
    assert!(restart.took < Duration::from_secs(15), "{restart:?}");
    let command = format!("kill -CONT {pid}");
    assert!(restart.stderr.contains(&command), "{restart:?}");
    assert_eq!(found["daemon"]["fix"], command);
    mend(&sandbox, &found, "daemon");
    doctor(&sandbox, &[]).ended_with(0).expect("daemon", "ok", "");
    assert_eq!(sandbox.token(), token);
}
