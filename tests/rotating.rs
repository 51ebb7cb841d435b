//! A token that a person made is exchanged for its successor in time, in the order that loses nothing,
//! and never once more than GitLab allows.

use std::time::Duration;

use gitlab_stand_in::http::Client;
use gitlab_stand_in::{Endpoint, Fault, Request, Role, What};

use crate::support::clock::Clock;
use crate::support::tokens::{DAY, days, link_with_token as link, linked_with_token as linked, rotations};
use crate::support::{HELPER, PATIENCE, Sandbox, Started, eventually, now, run};

/// A sandbox whose token has half a day left: it is exchanged for whoever asks.
fn nearly_ended(scopes: &str) -> (Sandbox, String) {
    let (sandbox, token) = linked(scopes);
    sandbox.age_token(30 * DAY - DAY / 2, DAY / 2);
    (sandbox, token)
}

fn is_rotation(request: &Request) -> bool {
    request.endpoint == Endpoint::Rotate
}

#[test]
fn a_token_in_its_last_day_is_renewed_once_however_many_ask() {
    for scopes in ["api", "self_rotate write_repository"] {
        let (sandbox, old) = nearly_ended(scopes);
        let asking: Vec<_> = (0..20).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
        let tokens: Vec<_> = asking.into_iter().map(|asking| asking.finish().succeeded().token()).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old), "{scopes}");
        assert!(sandbox.lives(&tokens[0]) && !sandbox.lives(&old));
        assert_eq!(rotations(&sandbox), 1);
        let account = sandbox.account();
        assert_eq!((&account["renewals"], &account["kind"]), (&1.into(), &"token".into()));
        // As many days as before, from today.
        let asked = sandbox.gitlab.requests().into_iter().find(is_rotation).expect("one");
        assert_eq!(
            account["expires_at"].as_str().map(|end| &end[..10]),
            asked.form.get("expires_at").map(String::as_str)
        );
        let end: i64 = sandbox.get().attribute("password_expiry_utc").expect("an end").parse().expect("a number");
        assert!((29 * DAY..=31 * DAY).contains(&(end - now())), "{account}");
        let shown = sandbox.verb(["status"]).succeeded().stdout;
        assert!(shown.contains("renewed by itself") && shown.contains("renewed once"), "{shown}");
        // It survives the daemon.
        sandbox.verb(["daemon", "stop"]).succeeded();
        assert_eq!(sandbox.token(), tokens[0]);
    }
}

#[test]
fn a_token_is_renewed_without_being_asked_and_not_too_early() {
    let (sandbox, old) = linked("api");
    sandbox.age_token(22 * DAY, 8 * DAY);
    assert_eq!(sandbox.token(), old);
    sandbox.age_token(24 * DAY, 6 * DAY);
    assert_eq!(sandbox.token(), old, "there is time for a quiet moment");
    assert_eq!(rotations(&sandbox), 0);
    sandbox.age_token(30 * DAY - 3600, 3600);
    sandbox.verb(["daemon", "start"]).succeeded();
    let renewed = |requests: &[Request]| requests.iter().any(is_rotation);
    assert!(sandbox.gitlab.wait_until(PATIENCE, renewed), "{}", sandbox.log());
}

#[test]
fn tokens_of_projects_renew_themselves_too() {
    let sandbox = Sandbox::new();
    let made = sandbox.gitlab.add_access_token("group/app", "self_rotate write_repository", Role::Developer, days(30));
    link(&sandbox, &made.token, &["--account", &made.username]).succeeded();
    sandbox.age_token(30 * DAY - 3600, 3600);
    assert_ne!(sandbox.token(), made.token);
    sandbox.clone("group/app", "app");
}

#[test]
fn a_lost_rotation_is_never_tried_again() {
    let bad_gateway = What::Status { code: 502, headers: Vec::new(), body: "no".into() };
    let faults = [What::Reset, What::Close, What::Truncate, What::Html, What::Empty, What::BrokenJson, bad_gateway];
    std::thread::scope(|scope| {
        for what in faults {
            scope.spawn(move || {
                let (sandbox, old) = nearly_ended("api");
                let shown = format!("{what:?}");
                sandbox.gitlab.fault(Fault::once_after(Endpoint::Rotate, what));
                let first = sandbox.get().succeeded();
                assert_ne!(first.attribute("password"), Some(old), "the old token is dead: {shown}");
                eventually("the login has ended", || sandbox.account()["state"] == "relink");
                for _ in 0..3 {
                    let told = sandbox.get().succeeded();
                    assert_eq!(told.stdout, "quit=1\n", "{shown}");
                    assert!(told.stderr.contains("the server renewed it, but its answer was lost at"), "{told:?}");
                    assert!(told.stderr.contains("--account alice --token-stdin"), "{told:?}");
                }
                sandbox.verb(["status", "--check"]).ended_with(4);
                sandbox.verb(["daemon", "stop"]).succeeded();
                assert!(sandbox.get().stderr.contains("its answer was lost at"), "also after a restart: {shown}");
                assert_eq!(rotations(&sandbox), 1, "{shown}");
                assert_eq!(sandbox.gitlab.living_personal_tokens("alice"), 1, "its family lives: {shown}");
            });
        }
    });
}

#[test]
fn a_rotation_that_the_server_never_began_costs_nothing_and_is_tried_again() {
    let busy = |code| What::Status { code, headers: Vec::new(), body: "no".into() };
    let faults = [What::Reset, What::Close, What::Html, busy(500), busy(503), busy(429), busy(403)];
    std::thread::scope(|scope| {
        for what in faults {
            scope.spawn(move || {
                let (sandbox, old) = nearly_ended("api");
                let shown = format!("{what:?}");
                sandbox.gitlab.fault(Fault::once(Endpoint::Rotate, what));
                assert_eq!(sandbox.token(), old, "it lives, and is served: {shown}");
                eventually("it is renewed", || sandbox.account()["renewals"] == 1);
                assert_ne!(sandbox.token(), old, "{shown}");
                assert_eq!(rotations(&sandbox), 2, "{shown}");
                assert_eq!(sandbox.account()["state"], "ok", "{shown}");
            });
        }
    });
}

#[test]
fn a_daemon_that_dies_at_any_step_of_a_rotation_loses_no_more_than_gitlab_does() {
    for (step, survives) in [("before-mark", true), ("after-mark", true), ("after-answer", false), ("after-save", true)]
    {
        let (mut sandbox, old) = nearly_ended("api");
        sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", step);
        sandbox.get().succeeded();
        sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", "nowhere");
        sandbox.verb(["daemon", "stop"]).succeeded();
        let next = sandbox.get().succeeded();
        match survives {
            true => assert!(sandbox.lives(&next.token()) && !sandbox.lives(&old), "{step}: {next:?}"),
            false => assert!(next.stderr.contains("its answer was lost at"), "{step}: {next:?}"),
        }
        assert_eq!(rotations(&sandbox), 1, "{step}");
        assert_eq!(sandbox.gitlab.living_personal_tokens("alice"), 1, "{step}");
    }
}

#[test]
fn a_token_that_another_machine_has_renewed_is_left_alone() {
    let (sandbox, old) = nearly_ended("api");
    let url = format!("{}/api/v4/personal_access_tokens/self/rotate", sandbox.gitlab.url());
    let answer = Client::default().post(&url, &[], &[("private-token", &old)]).expect("an answer");
    let theirs = answer.json()["token"].as_str().expect("a token").to_owned();
    let told = sandbox.get().succeeded();
    assert!(told.stderr.contains("has revoked the token"), "{told:?}");
    assert_eq!(rotations(&sandbox), 1, "only theirs");
    assert!(sandbox.lives(&theirs), "GitLab would have taken a second one for theft");
}

#[test]
fn what_another_daemon_on_this_home_has_renewed_is_taken_over() {
    let (sandbox, old) = linked("api");
    sandbox.age_token(20 * DAY, 10 * DAY);
    let other = sandbox.path("other");
    crate::support::make_private(&other);
    let socket = other.join("socket");
    let mut daemon = sandbox.command(crate::support::DAEMON);
    daemon.arg("--foreground").arg("--socket").arg(&socket);
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    let ask = |words: &[&str], input: String| {
        let mut command = sandbox.command(HELPER);
        command.args(words).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
        run::finish(command, input).succeeded()
    };
    assert_eq!(ask(&["get"], sandbox.question()).token(), old);
    let asked = format!("{}min_life={}\n", sandbox.question(), 12 * DAY);
    let new = sandbox.helper("get", asked).token();
    assert_ne!(new, old);
    // The other one does not know, until git is refused.
    assert_eq!(ask(&["get"], sandbox.question()).token(), old);
    ask(&["erase"], format!("{}username=oauth2\npassword={old}\n", sandbox.question()));
    assert_eq!(ask(&["get"], sandbox.question()).token(), new);
    assert_eq!(rotations(&sandbox), 1);
    ask(&["daemon", "stop"], String::new());
    daemon.finish();
}

#[test]
fn a_server_that_does_not_renew_tokens_is_asked_once() {
    let (sandbox, old) = nearly_ended("api");
    sandbox.gitlab.configure(|modes| modes.version = (16, 9));
    assert_eq!(sandbox.token(), old);
    assert_eq!(rotations(&sandbox), 1);
    for _ in 0..2 {
        let shown = sandbox.verb(["status"]).succeeded().stdout;
        assert!(shown.contains("not renewed by itself: the server") && shown.contains("16.10"), "{shown}");
        assert!(shown.contains("works, but the token ends at"), "{shown}");
        sandbox.verb(["daemon", "stop"]).succeeded();
        assert_eq!(sandbox.token(), old);
    }
    assert_eq!(rotations(&sandbox), 1, "and never again");
}

#[test]
fn a_person_can_forbid_it() {
    let sandbox = Sandbox::new();
    let key = format!("credential.{}.gitlabRotate", sandbox.gitlab.url());
    let token = sandbox.gitlab.add_pat("alice", "api", Some(days(90))).token;
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(told.stderr.contains(&format!("git config --global {key} false")), "{told:?}");
    sandbox.git(["config", "--global", &key, "perhaps"]).succeeded();
    let told = link(&sandbox, &token, &[]).ended_with(2);
    assert!(told.stderr.contains("gitlabRotate"), "{told:?}");
    sandbox.git(["config", "--global", &key, "no"]).succeeded();
    link(&sandbox, &token, &[]).succeeded();
    sandbox.age_token(90 * DAY - 3600, 3600);
    assert_eq!(sandbox.token(), token);
    assert_eq!(rotations(&sandbox), 0);
    let shown = sandbox.verb(["status"]).succeeded().stdout;
    assert!(shown.contains("gitlabRotate is false"), "{shown}");
}

#[test]
fn a_renewed_token_that_can_not_be_saved_is_served_and_saved_later() {
    let (sandbox, old) = nearly_ended("api");
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Rotate, What::Delay(Duration::from_secs(2))));
    let asking = sandbox.start_helper("get", &sandbox.question());
    let begun = |requests: &[Request]| requests.iter().any(is_rotation);
    assert!(sandbox.gitlab.wait_until(PATIENCE, begun));
    // The mark is written, the answer is on its way, and from now on nothing can be written.
    std::fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    let new = asking.finish().token();
    assert_ne!(new, old);
    assert_eq!(sandbox.account()["state"], "unsaved");
    std::fs::remove_dir_all(&in_the_way).expect("removed");
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(sandbox.token(), new);
    assert_eq!((rotations(&sandbox), &sandbox.account()["state"]), (1, &"ok".into()));
}

#[test]
fn a_store_that_can_not_be_written_does_not_cost_the_token() {
    let (sandbox, old) = nearly_ended("api");
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    std::fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    assert_eq!(sandbox.token(), old);
    assert_eq!(rotations(&sandbox), 0);
    std::fs::remove_dir_all(&in_the_way).expect("removed");
    eventually("it is renewed", || sandbox.token() != old);
}

#[test]
fn a_machine_that_slept_into_the_last_week_renews_when_it_wakes_and_too_late_is_too_late() {
    for (slept, in_time) in [(25, true), (40, false)] {
        let sandbox = Sandbox::new();
        let clock = Clock::start(&sandbox, 0);
        let old = sandbox.gitlab.add_pat("alice", "api", Some(days(30))).token;
        link(&sandbox, &old, &[]).succeeded();
        sandbox.gitlab.advance_clock(days(slept));
        clock.set(slept * DAY);
        match in_time {
            true => {
                assert_eq!(sandbox.token(), old, "nobody waits for it");
                clock.set(slept * DAY + 901);
                eventually("it is renewed in a quiet moment", || sandbox.account()["renewals"] == 1);
                assert!(sandbox.lives(&sandbox.token()) && !sandbox.lives(&old));
            }
            false => {
                let told = sandbox.get().succeeded();
                assert!(told.stderr.contains("the token expired at"), "{told:?}");
            }
        }
        assert_eq!(rotations(&sandbox), usize::from(in_time));
    }
}

#[test]
fn a_clock_that_is_set_ahead_costs_no_more_than_a_renewal() {
    let sandbox = Sandbox::new();
    let clock = Clock::start(&sandbox, 0);
    let old = sandbox.gitlab.add_pat("alice", "api", Some(days(300))).token;
    link(&sandbox, &old, &[]).succeeded();
    clock.set(400 * DAY);
    assert!(sandbox.get().succeeded().stderr.contains("the token expired at"));
    clock.set(0);
    assert_eq!(sandbox.token(), old, "it had not");
    assert_eq!((rotations(&sandbox), &sandbox.account()["state"]), (0, &"ok".into()));
}
