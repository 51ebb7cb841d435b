//! Gone means gone.

use std::fs;

use gitlab_stand_in::{Endpoint, Fault, What, When};

use crate::support::Sandbox;

#[test]
fn unlink_revokes_at_the_server_and_forgets_here() {
    let sandbox = Sandbox::linked();
    let before = fs::read_to_string(sandbox.home().join(".gitconfig")).expect("it exists");
    assert!(before.contains("helper"));
    let finished = sandbox.verb(["unlink"]).succeeded();
    assert_eq!(finished.stdout, format!("unlinked {} (alice)\n", sandbox.gitlab.url()));
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 0);
    assert_eq!(sandbox.state_files("").len(), 0, "{:?}", sandbox.state_files(""));
    let after = fs::read_to_string(sandbox.home().join(".gitconfig")).expect("it exists");
    assert!(!after.contains("helper"), "{after}");
    assert_eq!(sandbox.get().stdout, "");
    let status = sandbox.verb(["status", sandbox.gitlab.url()]).ended_with(3);
    assert!(
        status.stderr.contains("is not linked") && status.stderr.contains("git credential-gitlab link"),
        "{status:?}"
    );
}

#[test]
fn an_expired_token_is_revoked_as_well() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 0, "GitLab answers 200 to the expired token and does nothing");
}

#[test]
fn a_server_that_is_down_keeps_the_link_until_the_person_decides() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.gitlab.fault(Fault { on: Endpoint::Revoke, when: When::Before, what: What::Reset, times: None });
    let kept = sandbox.verb(["unlink"]).ended_with(5);
    assert!(kept.stderr.contains("still linked") && kept.stderr.contains("--local"), "{kept:?}");
    assert_eq!(sandbox.token(), token);
    let forgotten = sandbox.verb(["unlink", "--local"]).succeeded();
    assert!(forgotten.stderr.contains("not revoked"), "{forgotten:?}");
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn a_server_that_only_says_it_revoked_is_found_out() {
    let sandbox = Sandbox::linked();
    let lie = What::Body(b"{}".to_vec());
    sandbox.gitlab.fault(Fault { on: Endpoint::Revoke, when: When::Before, what: lie, times: Some(1) });
    let kept = sandbox.verb(["unlink"]).ended_with(6);
    assert!(kept.stderr.contains("still work"), "{kept:?}");
    sandbox.verb(["unlink"]).succeeded();
}

#[test]
fn unlinking_what_is_not_linked_says_so() {
    let sandbox = Sandbox::new();
    let told = sandbox.verb(["unlink", "gitlab.example.com"]).ended_with(3);
    assert!(told.stderr.contains("https://gitlab.example.com is not linked"), "{told:?}");
    sandbox.verb(["unlink", "--all"]).ended_with(3);
}

#[test]
fn one_of_two_accounts_is_unlinked_by_name_and_git_config_stays() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("bob", [url.as_str(), "--client-id", &id, "--yes"]).succeeded();
    let which = sandbox.verb(["unlink"]).ended_with(2);
    assert!(which.stderr.contains("alice and bob") && which.stderr.contains("--account"), "{which:?}");
    let nobody = sandbox.verb(["unlink", "--account", "carol"]).ended_with(3);
    assert!(nobody.stderr.contains("alice and bob"), "{nobody:?}");
    sandbox.verb(["unlink", "--account", "alice"]).succeeded();
    assert_eq!(sandbox.account()["username"], "bob");
    assert!(fs::read_to_string(sandbox.home().join(".gitconfig")).expect("it exists").contains("helper"));
    sandbox.verb(["unlink", "--all"]).succeeded();
    assert_eq!(sandbox.gitlab.live_pairs("bob"), 0);
}

#[test]
fn a_login_that_the_server_has_ended_already_is_unlinked_all_the_same() {
    let revoked = Sandbox::linked();
    revoked.gitlab.revoke_tokens("alice");
    let deleted = Sandbox::linked();
    deleted.gitlab.delete_application(&deleted.client_id);
    for sandbox in [revoked, deleted] {
        let finished = sandbox.verb(["unlink"]).succeeded();
        assert!(finished.stdout.starts_with("unlinked "), "{finished:?}");
        assert_eq!(sandbox.state_files("").len(), 0);
    }
}

#[test]
fn all_accounts_are_unlinked_at_once_and_those_that_can_not_be_stay() {
    let sandbox = Sandbox::linked();
    let elsewhere = gitlab_stand_in::StandIn::builder().start();
    elsewhere.add_user("alice", "Alice");
    let id = elsewhere.add_application(gitlab_stand_in::Application::default()).client_id;
    sandbox.link_as("alice", [elsewhere.url(), "--client-id", &id, "--yes"]).succeeded();
    sandbox.gitlab.fault(Fault { on: Endpoint::Revoke, when: When::Before, what: What::Reset, times: None });
    let told = sandbox.verb(["unlink", "--all"]).ended_with(5);
    assert!(told.stdout.contains(elsewhere.url()) && told.stderr.contains("still linked"), "{told:?}");
    assert_eq!(elsewhere.live_pairs("alice"), 0);
    assert_eq!(sandbox.account()["host"], sandbox.gitlab.url());
    sandbox.gitlab.clear_faults();
    sandbox.verb(["unlink", "--all"]).succeeded();
    assert_eq!(sandbox.status()["accounts"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_spare_that_is_damaged_does_not_keep_the_account_linked() {
    let sandbox = Sandbox::new();
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--spare"];
    sandbox.link_as("alice", words).succeeded();
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::write(&sandbox.state_files("~second.tokens")[0], "{").expect("written");
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn whoever_takes_over_from_the_default_is_named() {
    let sandbox = crate::accounts::two_accounts();
    let told = sandbox.verb(["unlink", "--account", "alice"]).succeeded();
    let url = sandbox.gitlab.url();
    let expected =
        format!("bob answers for {url} now; to let another account do so: git credential-gitlab use NAME {url}");
    assert!(told.stderr.contains(&expected), "{told:?}");
    // Where nothing changes, nothing is said.
    let sandbox = crate::accounts::two_accounts();
    let told = sandbox.verb(["unlink", "--account", "bob"]).succeeded();
    assert!(!told.stderr.contains("answers for"), "{told:?}");
}

#[test]
fn where_several_gitlabs_are_linked_none_is_guessed() {
    let sandbox = Sandbox::linked();
    let elsewhere = gitlab_stand_in::StandIn::builder().start();
    elsewhere.add_user("alice", "Alice");
    let id = elsewhere.add_application(gitlab_stand_in::Application::default()).client_id;
    sandbox.link_as("alice", [elsewhere.url(), "--client-id", &id, "--yes"]).succeeded();
    for words in [&["unlink"][..], &["token"], &["repos"], &["use", "alice"], &["import", "group/app"]] {
        let told = sandbox.verb(words.iter().copied()).ended_with(2);
        assert!(told.stderr.contains("which GitLab?") && told.stderr.contains(elsewhere.url()), "{words:?}: {told:?}");
    }
    sandbox.verb(["unlink", elsewhere.url()]).succeeded();
    sandbox.verb(["token"]).succeeded();
}

#[test]
fn of_several_accounts_each_that_can_not_be_unlinked_is_named() {
    let sandbox = Sandbox::linked();
    for (name, person) in [("bob", "Bob"), ("carol", "Carol")] {
        sandbox.gitlab.add_user(name, person);
        sandbox.link_as(name, [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"]).succeeded();
    }
    sandbox.gitlab.fault(Fault { on: Endpoint::Revoke, when: When::Before, what: What::Reset, times: None });
    let kept = sandbox.verb(["unlink", "--all"]).ended_with(5);
    for name in ["alice", "bob", "carol"] {
        assert!(kept.stderr.contains(&format!("{name} at ")) && kept.stdout.is_empty(), "{kept:?}");
    }
}
