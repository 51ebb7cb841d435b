//! What a server, or whatever stands before it, says of a login is not always so. A login ends when it
//! must, a token is doubted when there is reason to, and nobody is locked out by a doubt.

use std::fs;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, What, When};

use crate::renewing::unsaved;
use crate::support::second::Second;
use crate::support::{PATIENCE, Sandbox, eventually, now};

fn answer(code: u16, body: &str) -> What {
    What::Status { code, headers: vec![("Content-Type".into(), "application/json".into())], body: body.into() }
}

fn always(on: Endpoint, what: What) -> Fault {
    Fault { on, when: When::Before, what, times: None }
}

#[test]
fn a_firewall_that_hides_whether_a_token_lives_locks_nobody_out() {
    for what in [answer(403, "{}"), answer(404, "{}"), What::Status { code: 403, headers: vec![], body: "no".into() }] {
        // git was refused with it.
        let sandbox = Sandbox::linked();
        let token = sandbox.token();
        sandbox.gitlab.fault(always(Endpoint::TokenInfo, what.clone()));
        sandbox.erase(&token);
        eventually("another one is handed out", || sandbox.get().attribute("password").is_some_and(|it| it != token));
        assert_eq!(sandbox.account()["state"], "ok");
        // Its renewal failed in a way that may have hidden the answer, and then it came to its end.
        let sandbox = Sandbox::linked();
        sandbox.age_token(7200, 0);
        sandbox.gitlab.fault(always(Endpoint::TokenInfo, what));
        sandbox.gitlab.fault(Fault::once(Endpoint::Token, answer(502, "")));
        sandbox.get().succeeded();
        eventually("it is renewed", || sandbox.get().attribute("password").is_some());
        assert_eq!(sandbox.account()["state"], "ok");
    }
}

#[test]
fn an_error_that_is_not_about_the_login_does_not_end_it() {
    for what in [
        answer(403, r#"{"error":"forbidden"}"#),
        answer(400, r#"{"error":"server_error"}"#),
        answer(503, r#"{"error":"temporarily_unavailable"}"#),
        answer(422, "<html>"),
    ] {
        let sandbox = Sandbox::linked();
        let token = sandbox.token();
        sandbox.age_token(6900, 300);
        sandbox.gitlab.fault(always(Endpoint::Token, what.clone()));
        assert_eq!(sandbox.token(), token, "{what:?}");
        let account = sandbox.account();
        assert_eq!(account["state"], "unreachable", "{what:?}: {account}");
        assert!(!sandbox.log().contains("a login has ended"), "{}", sandbox.log());
        // What would be a refusal is tried again after ten seconds at the soonest; this, at the next get.
        sandbox.gitlab.clear_faults();
        eventually("it is renewed", || sandbox.token() != token);
    }
}

/// A replica of GitLab's database does not know for a moment what has just been done (gitlab!257390).
#[test]
fn a_new_token_that_a_replica_does_not_know_yet_is_not_thrown_away() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, answer(401, r#"{"error":"invalid_token"}"#)));
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token);
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn a_replica_that_does_not_know_of_a_renewal_yet_does_not_bring_a_dead_token_back() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(6900, 300);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Reset));
    let alive = r#"{"resource_owner_id":1,"expires_in":300,"scope":["read_api"]}"#;
    sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, answer(200, alive)));
    let first = sandbox.get().succeeded();
    assert_ne!(first.attribute("password"), Some(old), "{first:?}");
    eventually("the cause is told", || sandbox.get().stderr.contains("its answer was lost at"));
}

#[test]
fn an_answer_that_was_long_on_its_way_gives_no_longer_life() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(20));
    sandbox.link();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.age_token(20, 0);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(4))));
    let asked = now();
    let end: i64 = sandbox.get().attribute("password_expiry_utc").expect("an end").parse().expect("a number");
    assert!(end <= asked + 20 + 1, "{} s after the question", end - asked);
}

#[test]
fn two_daemons_and_many_expiries_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(2));
    sandbox.link();
    let second = Second::start(&sandbox);
    let enough = |requests: &[gitlab_stand_in::Request]| requests.iter().filter(|it| it.is_refresh()).count() >= 10;
    let (asker, is_enough) = (&second.asker, || sandbox.gitlab.wait_until(Duration::ZERO, enough));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_enough() {
                sandbox.token();
            }
        });
        scope.spawn(|| {
            while !is_enough() {
                asker.token();
            }
        });
        assert!(sandbox.gitlab.wait_until(PATIENCE, enough));
    });
    let refused = |request: &&gitlab_stand_in::Request| request.is_refresh() && request.status != Some(200);
    assert_eq!(sandbox.gitlab.requests().iter().filter(refused).count(), 0, "no refresh token was spent twice");
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 1);
    second.stop();
}

#[test]
fn what_a_newer_version_has_written_meanwhile_is_left_as_it_is() {
    let (sandbox, in_the_way, _) = unsaved();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let newer = br#"{"version":99}"#;
    fs::write(tokens, newer).expect("written");
    fs::remove_dir_all(&in_the_way).expect("removed");
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(fs::read(tokens).expect("readable"), newer);
}

#[test]
fn an_older_pair_that_comes_back_into_the_store_is_not_taken_for_a_newer_one() {
    let sandbox = Sandbox::linked();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let older = fs::read(tokens).expect("readable");
    assert!(sandbox.lives(&sandbox.renewed()));
    // A backup that is played back, or a tool that keeps directories alike.
    fs::write(tokens, older).expect("written");
    assert!(sandbox.lives(&sandbox.renewed()));
    sandbox.kill_daemon();
    assert!(sandbox.lives(&sandbox.token()), "and the store has the newest");
}
