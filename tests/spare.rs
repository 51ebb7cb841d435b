//! A spare login: two that take turns, and one that is left when the other is lost.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, What};
use serde_json::Value;

use crate::support::{Sandbox, age_token_in, eventually, now, run};

/// The words of `link --spare`.
fn words(sandbox: &Sandbox) -> [&str; 5] {
    [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--spare"]
}

/// A sandbox with a spare login.
fn linked() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.link_as("alice", words(&sandbox)).succeeded();
    sandbox
}

/// The files of the first and of the second login.
fn files(sandbox: &Sandbox) -> [PathBuf; 2] {
    let second = sandbox.state_files("~second.tokens").pop().expect("a second login");
    let first = sandbox.state_files(".tokens").into_iter().find(|file| *file != second).expect("a first login");
    [first, second]
}

fn read(file: &PathBuf) -> Value {
    serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON")
}

/// The token of the first login has this many seconds to live, that of the second is long dead, as
/// it is when they have taken turns for a while.
fn first_has(sandbox: &Sandbox, left: i64) {
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [first, second] = files(sandbox);
    age_token_in(&first, 7200 - left, left);
    age_token_in(&second, 14_000, -6800);
}

#[test]
fn one_sitting_gives_two_logins() {
    let sandbox = Sandbox::new();
    let (started, address) = sandbox.begin_link(words(&sandbox));
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    assert!(visit.title.starts_with("Linked") && visit.text.contains("A spare login is ready"), "{visit:?}");
    let finished = started.finish().succeeded();
    assert_eq!(finished.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
    assert!(finished.stderr.contains("twice"), "{finished:?}");
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 2);
    assert_eq!(sandbox.account()["spare"], "ready");
    let shown = sandbox.verb(["status"]).succeeded();
    assert!(shown.stdout.contains("a spare login is ready"), "{shown:?}");
    // Without one, nothing is said of it.
    let plain = Sandbox::linked();
    assert_eq!(plain.account()["spare"], Value::Null);
    assert!(!plain.verb(["status"]).succeeded().stdout.contains("spare"));
}

#[test]
fn the_two_take_turns_and_no_token_dies_in_use() {
    let sandbox = linked();
    first_has(&sandbox, 300);
    let old = read(&files(&sandbox)[0])["access_token"].as_str().expect("text").to_owned();
    let new = sandbox.token();
    assert_ne!(new, old);
    assert!(sandbox.lives(&old), "whoever uses it goes on");
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_eq!(sandbox.token(), new);
    // And back again: the second is short, the first has come to its end.
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [first, second] = files(&sandbox);
    age_token_in(&first, 14_000, -6800);
    age_token_in(&second, 6900, 300);
    assert_ne!(sandbox.token(), new);
    assert!(sandbox.lives(&new));
    assert_eq!(sandbox.account()["renewals"], 2);
    assert_eq!(sandbox.account()["spare"], "ready");
}

#[test]
fn a_long_job_keeps_its_token_whatever_is_fetched_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(6));
    sandbox.link_as("alice", words(&sandbox)).succeeded();
    let (started, renewals) = (std::time::Instant::now(), 3);
    // Every token works from the moment it is handed out for as long as it was said to.
    while sandbox.gitlab.token_requests() < renewals {
        let answer = sandbox.get().succeeded();
        let (token, end) = (answer.token(), answer.attribute("password_expiry_utc").expect("an end").to_owned());
        sandbox.get().succeeded();
        let asked = now();
        assert!(end.parse::<i64>().expect("a number") <= asked + 1 || sandbox.lives(&token), "{token} until {end}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_lost_answer_costs_nothing_but_the_spare() {
    let sandbox = linked();
    first_has(&sandbox, 0);
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Reset));
    eventually("git gets a token, without the person", || sandbox.get().attribute("password").is_some());
    let account = sandbox.account();
    assert_eq!((&account["state"], &account["spare"]), (&"ok".into(), &"ended".into()), "{account}");
    let shown = sandbox.verb(["status"]).succeeded();
    assert!(shown.stdout.contains("one of its two logins has ended"), "{shown:?}");
    assert!(shown.stdout.contains("its answer was lost at"), "{shown:?}");
    assert!(shown.stdout.contains("--account alice --spare"), "{shown:?}");
    // One command makes two of it again. The pair in the lost answer nobody can revoke.
    sandbox.link_as("alice", words(&sandbox)).succeeded();
    assert_eq!(sandbox.account()["spare"], "ready");
    eventually("the old one is revoked", || sandbox.gitlab.live_pairs("alice") == 3);
    assert!(sandbox.lives(&sandbox.token()));
}

#[test]
fn a_daemon_that_dies_in_a_renewal_costs_nothing_but_the_spare() {
    let sandbox = linked();
    first_has(&sandbox, 0);
    sandbox.gitlab.expire_access_tokens("alice");
    // Before there is a daemon: it renews unasked.
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(5))));
    let daemon = sandbox.daemon_pid();
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    run::kill(daemon);
    // The helper starts another daemon, and that one goes on with the other login.
    assert!(sandbox.lives(&asking.finish().succeeded().token()));
    eventually("the loss is known", || sandbox.account()["spare"] == "ended");
    assert_eq!(sandbox.account()["state"], "ok");
}

#[test]
fn a_login_that_the_server_has_revoked_leaves_the_other() {
    let sandbox = linked();
    let [first, second] = files(&sandbox);
    let token = sandbox.token();
    let holder = [first, second].into_iter().find(|file| read(file)["access_token"] == token.as_str());
    let refresh_token = read(&holder.expect("one has it"))["refresh_token"].as_str().expect("text").to_owned();
    sandbox.gitlab.revoke_pair(&refresh_token);
    sandbox.erase(&token);
    let other = sandbox.token();
    assert_ne!(other, token);
    assert!(sandbox.lives(&other));
}

#[test]
fn a_server_that_can_not_be_reached_costs_neither_login() {
    let sandbox = linked();
    first_has(&sandbox, 0);
    let lost = Fault { on: Endpoint::Token, when: gitlab_stand_in::When::Before, what: What::Close, times: None };
    sandbox.gitlab.fault(lost);
    let told = sandbox.get().succeeded();
    assert_eq!((told.stdout.as_str(), told.stderr.lines().count()), ("quit=1\n", 1), "{told:?}");
    assert_eq!(sandbox.account()["state"], "unreachable");
    sandbox.gitlab.clear_faults();
    eventually("it is renewed", || sandbox.get().attribute("password").is_some());
    assert_eq!((sandbox.account()["state"].as_str(), sandbox.account()["spare"].as_str()), (Some("ok"), Some("ready")));
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 2);
}

#[test]
fn unlink_revokes_both() {
    let sandbox = linked();
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 0);
    assert_eq!(sandbox.state_files("").len(), 0, "{:?}", sandbox.state_files(""));
}

#[test]
fn a_spare_that_is_refused_leaves_the_account_linked_and_says_so() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    for (browser, why) in [
        (sandbox.browser("alice").deny_after_first(), "the second consent was not given"),
        (sandbox.browser("alice").hand_over_after_first("bob"), "given by bob, not by alice"),
    ] {
        let told = sandbox.link_with(browser, words(&sandbox)).ended_with(4);
        assert_eq!(told.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
        assert!(told.stderr.contains(why) && told.stderr.contains("--account alice --spare"), "{told:?}");
        assert_eq!(sandbox.account()["spare"], Value::Null);
        eventually("one login is left", || sandbox.gitlab.live_pairs("alice") == 1);
        // What was refused is revoked behind the answer's back.
        eventually("and none of bob's", || sandbox.gitlab.live_pairs("bob") == 0);
        assert!(sandbox.lives(&sandbox.token()));
    }
}

#[test]
fn giving_up_before_the_second_consent_leaves_the_first() {
    let sandbox = Sandbox::new();
    let (started, address) = sandbox.begin_link(words(&sandbox));
    sandbox.browser("alice").leave_after_first().visit(&address).expect("a visit");
    run::signal(i32::try_from(started.child.id()).expect("a process id"), "INT");
    started.finish();
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 1);
    assert!(sandbox.lives(&sandbox.token()));
    assert_eq!(sandbox.account()["spare"], Value::Null);
}

#[test]
fn linking_again_keeps_the_wish_for_a_spare() {
    let sandbox = linked();
    sandbox.link();
    assert_eq!(sandbox.account()["spare"], "ready");
    eventually("the old ones are revoked", || sandbox.gitlab.live_pairs("alice") == 2);
}

#[test]
fn a_spare_that_is_gone_from_the_store_costs_nothing_but_the_spare() {
    for gone in [0, 1] {
        let sandbox = linked();
        sandbox.verb(["daemon", "stop"]).succeeded();
        fs::remove_file(&files(&sandbox)[gone]).expect("removed");
        assert!(sandbox.lives(&sandbox.token()));
        let account = sandbox.account();
        assert_eq!((&account["state"], &account["spare"]), (&"ok".into(), &"ended".into()), "{account}");
    }
}
