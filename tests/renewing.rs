//! Tokens renew themselves: once each, in time, and never at the cost of the link.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, What, When};

use crate::support::second::Second;
use crate::support::{PATIENCE, Sandbox, eventually, run};

/// A sandbox whose daemon has renewed the pair and can't save it: what is in the way, and the new
/// token.
pub fn unsaved() -> (Sandbox, PathBuf, String) {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(2))));
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    // The mark is written, the answer is on its way, and from now on nothing can be written.
    fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    let token = asking.finish().token();
    (sandbox, in_the_way, token)
}

/// How often the server was asked about a token. (Before linking it is asked without one.)
fn questions(sandbox: &Sandbox) -> usize {
    let requests = sandbox.gitlab.requests();
    requests.iter().filter(|it| it.endpoint == Endpoint::TokenInfo && !it.credentials.is_empty()).count()
}

#[test]
fn fifty_gets_with_an_expired_token_cause_one_token_request() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.expire_access_tokens("alice");
    let asking: Vec<_> = (0..50).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
    let tokens: Vec<_> = asking.into_iter().map(|asking| asking.finish().succeeded().token()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old));
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_eq!(sandbox.account()["renewals"], 1);
}

#[test]
fn a_token_is_renewed_before_git_asks() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7198, 2);
    sandbox.verb(["daemon", "start"]).succeeded();
    let renewed = sandbox.gitlab.wait_until(PATIENCE, |requests| requests.iter().any(|request| request.is_refresh()));
    assert!(renewed, "nobody asked, and it was renewed");
}

#[test]
fn a_renewal_does_not_come_earlier_than_it_must() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(6000, 1200);
    sandbox.token();
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    // But a caller who needs more gets more.
    let asked = format!("{}min_life=3600\n", sandbox.question());
    sandbox.helper("get", asked).succeeded().token();
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn a_host_whose_jobs_take_long_gets_tokens_that_live_long_enough() {
    for by_flag in [true, false] {
        let sandbox = Sandbox::new();
        let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
        match by_flag {
            true => sandbox.link_as("alice", [&url, "--client-id", &id, "--yes", "--min-life", "3000"]).succeeded(),
            false => {
                let key = format!("credential.{url}.gitlabMinLife");
                sandbox.git(["config", "--global", &key, "3000"]).succeeded();
                sandbox.link()
            }
        };
        for (left, requests) in [(3100, 0), (2900, 1)] {
            sandbox.age_token(7200 - left, left);
            sandbox.token();
            assert_eq!(sandbox.gitlab.token_requests(), requests, "{left} s left");
        }
    }
}

#[test]
fn a_link_runs_its_account_once() {
    // A second task would renew on its own, under the feet of git.
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_CREDENTIAL_GITLAB_LOG", "debug");
    sandbox.link();
    sandbox.token();
    assert_eq!(sandbox.log().matches("an account runs").count(), 1, "{}", sandbox.log());
}

#[test]
fn git_fails_once_at_most_after_the_server_kills_a_token() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    for _ in 0..3 {
        let dead = sandbox.token();
        sandbox.gitlab.expire_access_tokens("alice");
        sandbox.git_in(&clone, ["fetch", "--quiet"]).ended_with(128);
        assert_ne!(sandbox.token(), dead, "a dead token is never handed out again");
        sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
        sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    }
    assert_eq!(sandbox.gitlab.token_requests(), 3);
}

#[test]
fn a_living_token_that_git_was_refused_with_is_checked_and_kept() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token);
    assert_eq!(questions(&sandbox), 1);
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn an_erase_of_another_password_costs_nothing() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.erase("wrong");
    sandbox.helper("erase", "protocol=https\nhost=gitlab.com\npassword=x\n").succeeded();
    sandbox.helper("erase", format!("{}username=oauth2\n", sandbox.question())).succeeded();
    sandbox.helper("store", format!("{}username=x\npassword=y\n", sandbox.question())).succeeded();
    assert_eq!(sandbox.token(), token);
    assert_eq!(questions(&sandbox), 0);
}

/// Row H76.
#[test]
fn an_erase_of_yesterdays_token_leaves_todays_alone() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&old);
    let new = sandbox.token();
    for _ in 0..3 {
        sandbox.erase(&old);
    }
    assert_eq!(sandbox.token(), new);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn a_server_that_refuses_good_tokens_meets_a_lid() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    for _ in 0..3 {
        assert_eq!(sandbox.token(), token);
        sandbox.erase(&token);
    }
    let paused = sandbox.get().succeeded();
    assert_eq!(paused.stdout, "quit=1\n");
    assert!(paused.stderr.contains("pausing for") && paused.stderr.lines().count() == 1, "{paused:?}");
    assert!(questions(&sandbox) <= 3);
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn hundreds_of_erases_in_a_row_cause_a_handful_of_requests() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let before = sandbox.gitlab.requests().len();
    for _ in 0..60 {
        let refused = format!("{}password={token}\n", sandbox.question());
        let erasing: Vec<_> = (0..5).map(|_| sandbox.start_helper("erase", &refused)).collect();
        erasing.into_iter().for_each(|erase| drop(erase.finish().succeeded()));
    }
    let caused = sandbox.gitlab.requests().len() - before;
    assert!(caused <= 6, "{caused} requests");
}

#[test]
fn a_living_token_is_served_while_the_server_is_down() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.age_token(6900, 300);
    let down = What::Status { code: 503, headers: Vec::new(), body: "down".into() };
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: down, times: None });
    assert_eq!(sandbox.token(), token);
    let account = sandbox.account();
    assert_eq!(account["state"], "unreachable");
    assert!(account["detail"].as_str().is_some_and(|detail| detail.contains("503")), "{account}");
    sandbox.gitlab.clear_faults();
    eventually("it is renewed", || sandbox.token() != token);
    assert_eq!(sandbox.account()["state"], "ok");
}

/// Row N03.
#[test]
fn an_expired_token_is_not_served_when_renewing_fails() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    for what in [What::Reset, What::Html, What::BrokenJson, What::Empty] {
        sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what, times: None });
        let refused = sandbox.get().succeeded();
        assert_eq!(refused.stdout, "quit=1\n", "{refused:?}");
        assert!(refused.stderr.contains("alice at http://127.0.0.1"), "{refused:?}");
        sandbox.gitlab.clear_faults();
        // The link survived, and the next one who asks gets a token.
        eventually("it is renewed", || sandbox.get().attribute("password").is_some());
        sandbox.age_token(7200, 0);
    }
}

#[test]
fn a_server_that_never_answers_does_not_hang_git() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: What::Silence, times: Some(1) });
    let refused = sandbox.get().succeeded();
    assert!(refused.took < Duration::from_secs(10), "{refused:?}");
    assert_eq!((refused.stdout.as_str(), refused.stderr.lines().count()), ("quit=1\n", 1), "{refused:?}");
    assert_eq!(sandbox.account()["state"], "renewing", "whoever stops waiting cancels nothing");
    run::kill(sandbox.daemon_pid());
    assert!(sandbox.get().attribute("password").is_some());
}

#[test]
fn one_invalid_grant_does_not_end_the_link() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(6900, 300);
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::TransientInvalidGrant));
    let old = sandbox.token();
    assert_eq!(sandbox.account()["state"], "unreachable");
    // Ten seconds later it is tried again.
    eventually("it is renewed", || sandbox.account()["renewals"] == 1);
    assert_ne!(sandbox.token(), old);
}

#[test]
fn two_daemons_on_one_home_take_turns() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    let second = Second::start(&sandbox);
    let asker = &second.asker;
    std::thread::scope(|scope| {
        let one = scope.spawn(|| sandbox.token());
        let two = scope.spawn(|| asker.token());
        assert_eq!(one.join().expect("answered"), two.join().expect("answered"));
    });
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    second.stop();
}

#[test]
fn a_full_or_read_only_store_does_not_cost_the_refresh_token() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    // Where the record's new version would be written there is a directory, so no write succeeds,
    // also not as root.
    let [record] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let blocked = record.with_extension("tokens.new");
    fs::create_dir_all(blocked.join("x")).expect("a directory");
    let refused = sandbox.get().succeeded();
    assert_eq!(refused.stdout, "quit=1\n");
    assert!(refused.stderr.contains(".tokens"), "{refused:?}");
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    fs::remove_dir_all(&blocked).expect("removed");
    eventually("it is renewed", || sandbox.get().attribute("password").is_some());
}

#[test]
fn a_pair_that_can_not_be_saved_is_served_and_saved_later() {
    let (sandbox, in_the_way, token) = unsaved();
    let account = sandbox.account();
    assert_eq!(account["state"], "unsaved", "{account}");
    assert_eq!(sandbox.token(), token);
    fs::remove_dir_all(&in_the_way).expect("removed");
    // The daemon's end is one more chance to save it.
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(sandbox.token(), token);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_eq!(sandbox.account()["state"], "ok");
}

#[test]
fn a_pair_that_could_not_be_saved_is_the_one_that_unlink_revokes() {
    let (sandbox, in_the_way, _) = unsaved();
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 1);
    // It can't be forgotten while the disk is so, but what GitLab has is revoked all the same.
    sandbox.verb(["unlink"]);
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 0);
    fs::remove_dir_all(&in_the_way).expect("removed");
    sandbox.verb(["unlink", "--local"]).succeeded();
}

#[test]
fn a_server_that_repeats_what_it_was_sent_is_not_quoted() {
    let sandbox = Sandbox::linked();
    let secret = sandbox.refresh_token();
    for (code, headers, body) in [
        (400, vec![], format!(r#"{{"error":"invalid_grant","error_description":"bad token {secret}"}}"#)),
        (400, vec![], format!(r#"{{"error":"{secret}"}}"#)),
        (302, vec![("Location".to_owned(), format!("http://evil.example/{secret}?t={secret}"))], String::new()),
    ] {
        sandbox.age_token(7200, 0);
        let what = What::Status { code, headers, body: body.clone() };
        sandbox.gitlab.fault(Fault::once(Endpoint::Token, what));
        let refused = sandbox.get().succeeded();
        let shown = sandbox.verb(["status", "--json"]);
        assert_eq!(refused.stdout, "quit=1\n", "{body}");
        for text in [&refused.stderr, &shown.stdout, &sandbox.log()] {
            assert!(!text.contains(&secret), "{body}: {text}");
        }
    }
}

#[test]
fn a_lost_answer_is_not_followed_by_a_token_that_may_be_dead() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(6900, 300);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Close));
    // The server has renewed, which killed the token that we still count as living.
    let answer = sandbox.get().succeeded();
    assert_ne!(answer.attribute("password"), Some(old), "{answer:?}");
}
