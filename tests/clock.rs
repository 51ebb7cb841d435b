//! Clocks go wrong: machines sleep, are set forward and back, and servers have clocks of their own.

use std::fs;
use std::time::{Duration, Instant};

use gitlab_stand_in::{Endpoint, Fault, What, When};

use crate::support::clock::Clock;
use crate::support::{Finished, PATIENCE, Sandbox, eventually, now};

const HOUR: i64 = 3600;

/// What GitLab grants.
const LIFE: i64 = 2 * HOUR;

/// A sandbox without a link, whose daemon has a clock of its own.
fn clocked(ahead: i64) -> (Sandbox, Clock) {
    let sandbox = Sandbox::new();
    let clock = Clock::start(&sandbox, ahead);
    (sandbox, clock)
}

/// The same, linked.
fn linked() -> (Sandbox, Clock) {
    let (sandbox, clock) = clocked(0);
    sandbox.link();
    (sandbox, clock)
}

/// The same, with a spare login.
fn linked_with_spare() -> (Sandbox, Clock) {
    let (sandbox, clock) = clocked(0);
    sandbox.link_as("alice", [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--spare"]).succeeded();
    (sandbox, clock)
}

fn hours(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs() * HOUR.unsigned_abs())
}

/// The machine sleeps for so many hours: its clock and the server's go on, its timers don't.
fn sleep(sandbox: &Sandbox, clock: &Clock, by: i64) {
    sandbox.gitlab.advance_clock(hours(by));
    clock.set(clock.ahead() + by * HOUR);
}

/// A get that is answered without a wait, with a token that the server takes.
#[track_caller]
fn served(sandbox: &Sandbox) -> Finished {
    let answer = sandbox.get().succeeded();
    assert!(answer.took < Duration::from_secs(5), "{answer:?}");
    assert!(sandbox.lives(&answer.token()), "{answer:?}");
    answer
}

/// The end that git was told.
fn told_end(answer: &Finished) -> Option<i64> {
    answer.attribute("password_expiry_utc").map(|end| end.parse().expect("a number"))
}

/// The end that `status` shows.
fn shown_end(sandbox: &Sandbox) -> i64 {
    let account = sandbox.account();
    let shown = account["expires_at"].as_str().unwrap_or_else(|| panic!("no end: {account}"));
    shown.parse::<jiff::Timestamp>().expect("a time").as_second()
}

/// Moments of which one was read a little later than the other.
#[track_caller]
fn assert_near(one: i64, other: i64) {
    assert!((one - other).abs() <= 10, "{one} and {other}");
}

/// Every request at this endpoint fails so, until the test clears it.
fn fails(sandbox: &Sandbox, headers: Vec<(String, String)>) {
    let what = What::Status { code: 503, headers, body: "down".into() };
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what, times: None });
}

/// A linked sandbox with a token that has ended, and a server that renews none for now: it was
/// tried. The clock is five hours ahead, so that it can be set back and the token is still dead.
fn failing(headers: Vec<(String, String)>) -> (Sandbox, Clock) {
    let (sandbox, clock) = linked();
    fails(&sandbox, headers);
    sleep(&sandbox, &clock, 5);
    assert_eq!(sandbox.get().succeeded().stdout, "quit=1\n");
    assert_eq!(sandbox.account()["state"], "unreachable");
    (sandbox, clock)
}

#[test]
fn a_machine_that_slept_for_hours_hands_out_no_dead_token() {
    let (sandbox, clock) = linked();
    let old = served(&sandbox).token();
    sleep(&sandbox, &clock, 3);
    assert!(!sandbox.lives(&old));
    let answer = served(&sandbox);
    assert_ne!(answer.token(), old);
    assert_near(told_end(&answer).expect("an end"), clock.now() + LIFE);
    assert_eq!(served(&sandbox).token(), answer.token());
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_eq!(sandbox.account()["state"], "ok");
}

#[test]
fn many_commands_after_a_long_sleep_cause_one_token_request() {
    let (sandbox, clock) = linked();
    let old = served(&sandbox).token();
    sleep(&sandbox, &clock, 3);
    let asking: Vec<_> = (0..20).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
    let tokens: Vec<_> = asking.into_iter().map(|asking| asking.finish().succeeded().token()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old));
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn a_machine_that_sleeps_every_night_keeps_both_its_logins() {
    let (sandbox, clock) = linked_with_spare();
    let mut old = served(&sandbox).token();
    for night in 1..=3 {
        sleep(&sandbox, &clock, 10);
        assert!(!sandbox.lives(&old));
        let new = served(&sandbox).token();
        assert_ne!(new, old);
        assert_eq!(sandbox.gitlab.token_requests(), night);
        let account = sandbox.account();
        assert_eq!((&account["state"], &account["spare"]), (&"ok".into(), &"ready".into()), "{account}");
        assert_eq!(sandbox.gitlab.live_pairs("alice"), 2);
        old = new;
    }
}

/// Row N04.
#[test]
fn a_clock_set_back_by_hours_changes_no_token_and_tells_git_no_wrong_end() {
    let (sandbox, clock) = linked();
    let before = served(&sandbox);
    clock.set(-5 * HOUR);
    for _ in 0..10 {
        let answer = served(&sandbox);
        assert_eq!((answer.token(), told_end(&answer)), (before.token(), None));
    }
    assert_eq!(sandbox.account()["state"], "ok");
    clock.set(0);
    let after = served(&sandbox);
    assert_eq!((after.token(), told_end(&after)), (before.token(), told_end(&before)));
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn a_renewal_while_the_clock_is_set_back_is_one_and_so_is_the_one_after() {
    let (sandbox, clock) = linked();
    let old = served(&sandbox).token();
    clock.set(-5 * HOUR);
    // The server ends the token, of which the daemon can't know: git is refused, once.
    sandbox.gitlab.expire_access_tokens("alice");
    assert_eq!(sandbox.token(), old);
    sandbox.erase(&old);
    for _ in 0..10 {
        let answer = served(&sandbox);
        assert_ne!(answer.token(), old);
        assert_near(told_end(&answer).expect("an end"), clock.now() + LIFE);
    }
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    // To the clock that is right again it is a token of five hours ago.
    clock.set(0);
    for _ in 0..10 {
        assert_near(told_end(&served(&sandbox)).expect("an end"), now() + LIFE);
    }
    assert_eq!(sandbox.gitlab.token_requests(), 2);
    assert_eq!(sandbox.account()["state"], "ok");
}

#[test]
fn a_clock_set_forward_by_mistake_and_back_costs_one_renewal() {
    for link in [linked, linked_with_spare] {
        let (sandbox, clock) = link();
        let (first, pairs) = (served(&sandbox).token(), sandbox.gitlab.live_pairs("alice"));
        clock.set(10 * HOUR);
        let second = served(&sandbox);
        assert_ne!(second.token(), first);
        assert_near(told_end(&second).expect("an end"), clock.now() + LIFE);
        (0..10).for_each(|_| assert_eq!(served(&sandbox).token(), second.token()));
        clock.set(0);
        for _ in 0..10 {
            let answer = served(&sandbox);
            assert_eq!((answer.token(), told_end(&answer)), (second.token(), None));
        }
        assert_eq!(sandbox.gitlab.token_requests(), 1);
        assert_eq!(sandbox.gitlab.live_pairs("alice"), pairs);
        assert_eq!(sandbox.account()["state"], "ok");
    }
}

/// A token that came while the clock was hours ahead: now that the clock is right again, only the
/// server knows that it is dead.
fn hidden_end(link: fn() -> (Sandbox, Clock)) -> (Sandbox, Clock, String) {
    let (sandbox, clock) = link();
    clock.set(10 * HOUR);
    let token = served(&sandbox).token();
    clock.set(0);
    sleep(&sandbox, &clock, 3);
    assert!(!sandbox.lives(&token));
    (sandbox, clock, token)
}

#[test]
fn an_end_that_a_wrong_clock_hid_costs_git_one_command() {
    for link in [linked, linked_with_spare] {
        let (sandbox, clock, dead) = hidden_end(link);
        assert_eq!(sandbox.token(), dead);
        sandbox.erase(&dead); // which is what git does when it was refused
        assert_near(told_end(&served(&sandbox)).expect("an end"), clock.now() + LIFE);
        // Each login at most once more: a dead one that has become the spare is renewed by itself.
        assert!(sandbox.gitlab.token_requests() <= 1 + sandbox.gitlab.live_pairs("alice"));
        assert_eq!(sandbox.account()["state"], "ok");
    }
}

#[test]
fn an_end_that_a_wrong_clock_hid_is_found_by_a_check() {
    let (sandbox, _clock, dead) = hidden_end(linked);
    sandbox.verb(["status", "--check"]).succeeded();
    assert_eq!(sandbox.gitlab.token_requests(), 2);
    assert_ne!(served(&sandbox).token(), dead);
}

#[test]
fn a_server_whose_clock_is_hours_ahead_shortens_no_life() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.advance_clock(hours(5));
    sandbox.link();
    let answer = served(&sandbox);
    assert_near(told_end(&answer).expect("an end"), now() + LIFE);
    assert_near(shown_end(&sandbox), now() + LIFE);
    assert_eq!(served(&sandbox).token(), answer.token());
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    // The life of what it renews counts from our receipt as well.
    sandbox.age_token(7200, 0);
    assert_near(told_end(&served(&sandbox)).expect("an end"), now() + LIFE);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn a_server_whose_clock_is_hours_behind_lengthens_no_life() {
    let (sandbox, clock) = clocked(5 * HOUR);
    sandbox.link();
    let answer = served(&sandbox);
    assert_near(told_end(&answer).expect("an end"), clock.now() + LIFE);
    assert_near(shown_end(&sandbox), clock.now() + LIFE);
    assert_eq!(served(&sandbox).token(), answer.token());
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    sleep(&sandbox, &clock, 2);
    assert_ne!(served(&sandbox).token(), answer.token());
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn tokens_of_three_seconds_work_and_are_renewed_when_they_must() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(3));
    sandbox.link();
    let started = Instant::now();
    while sandbox.gitlab.token_requests() < 2 {
        let asked = now();
        let answer = sandbox.get().succeeded();
        let end = told_end(&answer).expect("an end");
        assert!(end > asked, "{end} at {asked}: {answer:?}");
        // Both clocks count in whole seconds, so near its end it may be dead a moment too early.
        assert!(sandbox.lives(&answer.token()) || now() >= end - 1, "{answer:?} at {}", now());
        assert!(started.elapsed() < PATIENCE, "{} requests", sandbox.gitlab.token_requests());
    }
    // Each lived for two seconds or almost, however many asked.
    assert!(started.elapsed() > Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(sandbox.account()["state"], "ok");
}

#[test]
fn a_token_of_ten_years_is_used_for_ten_years() {
    const YEAR: i64 = 365 * 24 * HOUR;
    let (sandbox, clock) = clocked(0);
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(10 * YEAR.unsigned_abs()));
    sandbox.link();
    let token = served(&sandbox).token();
    let end = shown_end(&sandbox);
    assert_near(end, now() + 10 * YEAR);
    for year in 1..=9 {
        sleep(&sandbox, &clock, 365 * 24);
        let answer = served(&sandbox);
        assert_eq!((answer.token(), told_end(&answer)), (token.clone(), Some(end)), "in year {year}");
    }
    assert_eq!(sandbox.gitlab.token_requests(), 0);
    sleep(&sandbox, &clock, 365 * 24);
    assert_near(told_end(&served(&sandbox)).expect("an end"), clock.now() + 10 * YEAR);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn a_clock_set_back_makes_nobody_who_asks_wait_longer_after_a_failure() {
    // The server names a time or not: a wait that began in the future is over.
    for headers in [Vec::new(), vec![("Retry-After".to_owned(), "3600".to_owned())]] {
        let (sandbox, clock) = failing(headers);
        clock.set(3 * HOUR);
        sandbox.gitlab.clear_faults();
        served(&sandbox);
        assert_eq!(sandbox.account()["state"], "ok");
    }
}

#[test]
fn a_clock_set_back_puts_off_no_retry_that_nobody_asks_for() {
    let (sandbox, clock) = failing(Vec::new());
    clock.set(3 * HOUR);
    sandbox.gitlab.clear_faults();
    eventually("it is renewed", || sandbox.account()["state"] == "ok");
    assert_eq!(sandbox.account()["renewals"], 1);
}

#[test]
fn a_clock_set_back_does_not_put_off_saving_the_only_copy_of_a_pair() {
    let (sandbox, clock) = linked();
    sleep(&sandbox, &clock, 5);
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(1))));
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    let token = asking.finish().token();
    assert_eq!(sandbox.account()["state"], "unsaved");
    let spent = sandbox.refresh_token();
    clock.set(3 * HOUR);
    fs::remove_dir_all(&in_the_way).expect("removed");
    eventually("it is saved", || sandbox.account()["state"] == "ok");
    assert_ne!(sandbox.refresh_token(), spent);
    assert_eq!(sandbox.token(), token);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn the_only_copy_of_a_pair_is_saved_although_the_clock_was_wrong_at_link() {
    // Set right, the clock says that what is stored is newer.
    let (sandbox, clock) = clocked(5 * HOUR);
    sandbox.link();
    sandbox.gitlab.expire_access_tokens("alice");
    let dead = sandbox.token();
    clock.set(0);
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(1))));
    sandbox.erase(&dead);
    sandbox.wait_for_renewal_to_begin();
    fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    let token = served(&sandbox).token();
    assert_eq!(sandbox.account()["state"], "unsaved");
    let spent = sandbox.refresh_token();
    fs::remove_dir_all(&in_the_way).expect("removed");
    eventually("it is saved", || sandbox.account()["state"] == "ok");
    assert_ne!(sandbox.refresh_token(), spent);
    sandbox.kill_daemon();
    assert_eq!(served(&sandbox).token(), token);
}

#[test]
fn a_pause_after_refused_logins_is_not_made_longer_by_a_clock_that_is_set() {
    for ahead in [-2 * HOUR, HOUR] {
        let (sandbox, clock) = linked();
        let token = served(&sandbox).token();
        for _ in 0..3 {
            assert_eq!(sandbox.token(), token);
            sandbox.erase(&token);
        }
        assert_eq!(sandbox.get().succeeded().stdout, "quit=1\n");
        clock.set(ahead);
        assert_eq!(served(&sandbox).token(), token);
        assert_eq!(sandbox.gitlab.token_requests(), 0);
    }
}
