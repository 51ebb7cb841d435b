//! Tokens in a real gnome-keyring, on a D-Bus session of its own.

use std::fs;

use gitlab_stand_in::Endpoint;

use crate::support::keyring::Desktop;
use crate::support::{Sandbox, eventually};

/// Everything below the home directory that is ours, as text.
fn state_text(sandbox: &Sandbox) -> String {
    let files = sandbox.state_files("");
    files.iter().map(|file| fs::read_to_string(file).expect("readable")).collect()
}

/// A sandbox with an unlocked keyring, linked.
fn linked() -> (Sandbox, Desktop) {
    let mut sandbox = Sandbox::new();
    let desktop = Desktop::with_keyring(&mut sandbox);
    sandbox.link();
    (sandbox, desktop)
}

#[test]
fn where_there_is_a_keyring_tokens_are_kept_there() {
    let (sandbox, desktop) = linked();
    let account = sandbox.account();
    assert_eq!(account["store"], "keyring");
    let token = sandbox.token();
    assert!(!state_text(&sandbox).contains(&token), "not in a file");
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let id = profile.file_stem().expect("a name").to_str().expect("text");
    assert!(desktop.lookup(id).contains(&token), "in the keyring");
    // A new daemon reads it from there, and renewals go there too.
    sandbox.kill_daemon();
    assert_eq!(sandbox.token(), token);
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&token);
    let renewed = sandbox.token();
    assert!(renewed != token && desktop.lookup(id).contains(&renewed));
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(desktop.lookup(id), "");
}

#[test]
fn a_locked_keyring_is_named_and_opens_no_window() {
    let (sandbox, desktop) = linked();
    let token = sandbox.token();
    desktop.lock();
    assert_eq!(sandbox.token(), token, "what the daemon holds it serves");
    sandbox.kill_daemon();
    let refused = sandbox.get().succeeded();
    assert_eq!(refused.stdout, "quit=1\n");
    assert!(refused.stderr.contains("keyring") && refused.stderr.contains("locked"), "{refused:?}");
    let account = sandbox.account();
    assert_eq!(account["state"], "unreachable");
    assert!(account["detail"].as_str().is_some_and(|detail| detail.contains("locked")), "{account}");
}

#[test]
fn a_keyring_that_is_locked_between_two_renewals_does_not_cost_the_refresh_token() {
    let (sandbox, desktop) = linked();
    let token = sandbox.token();
    sandbox.gitlab.expire_access_tokens("alice");
    desktop.lock();
    sandbox.erase(&token);
    let refused = sandbox.get().succeeded();
    assert_eq!(refused.stdout, "quit=1\n", "{refused:?}");
    assert!(refused.stderr.contains("locked"), "{refused:?}");
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn a_keyring_that_hangs_hangs_nobody_and_costs_nothing() {
    let (sandbox, desktop) = linked();
    let token = sandbox.token();
    desktop.hang(true);
    assert_eq!(sandbox.token(), token, "what the daemon holds it serves");
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&token);
    let refused = sandbox.get().succeeded();
    assert!(refused.took < std::time::Duration::from_secs(10), "{refused:?}");
    assert!(refused.stdout == "quit=1\n" && refused.stderr.contains("keyring"), "{refused:?}");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    assert_eq!(sandbox.gitlab.token_requests(), 0, "the refresh token is not spent");
    desktop.hang(false);
    eventually("it is renewed", || sandbox.get().attribute("password").is_some_and(|it| it != token));
}

#[test]
fn a_keyring_that_goes_and_comes_back_is_used_again() {
    let (sandbox, mut desktop) = linked();
    let token = sandbox.token();
    desktop.stop_keyring();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&token);
    assert_eq!(sandbox.get().succeeded().stdout, "quit=1\n");
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    desktop.start_keyring(&sandbox.home());
    eventually("it is renewed", || sandbox.get().attribute("password").is_some());
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn without_a_keyring_a_file_is_used_and_that_is_said() {
    let mut sandbox = Sandbox::new();
    let _desktop = Desktop::without_keyring(&mut sandbox);
    let finished = sandbox.link();
    assert!(finished.stderr.contains("file") && finished.stderr.contains("keyring"), "{finished:?}");
    assert_eq!(sandbox.account()["store"], "file");
}

#[test]
fn a_keyring_that_was_asked_for_and_is_absent_is_an_error() {
    let mut sandbox = Sandbox::new();
    let _desktop = Desktop::without_keyring(&mut sandbox);
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--store", "keyring"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("can't be kept in"), "{refused:?}");
    assert_eq!(sandbox.gitlab.count(Endpoint::Authorize), 0, "before anybody was sent to a browser");
}
