//! The promises about time, as tables.

use super::super::trouble::REFUSED_WAITS;
use super::*;

const START: Timestamp = Timestamp(1_000_000);

/// A token of two hours that came at [`START`].
fn two_hours() -> Schedule {
    Schedule::new(MIN_LIFE, START, Some(START.plus(7200)), Successor::Refreshed)
}

fn at(seconds: i64) -> Timestamp {
    START.plus(seconds)
}

#[test]
fn a_token_is_served_until_too_little_life_is_left() {
    let schedule = two_hours();
    for (now, asked, step) in [
        (0, None, Step::Serve),
        (6600, None, Step::Serve),
        (6601, None, Step::Renew),
        (7200, None, Step::Renew),
        (1_000_000, None, Step::Renew),
        (0, Some(3600), Step::Serve),
        (3601, Some(3600), Step::Renew),
        (3600, Some(5400), Step::Serve), // never more than half of what is granted
        (7199, Some(0), Step::Serve),
        (7200, Some(0), Step::Renew),
        (7200, Some(-5), Step::Renew),
    ] {
        assert_eq!(schedule.on_get(at(now), asked), step, "at {now} for {asked:?}");
    }
}

#[test]
fn a_token_of_three_seconds_and_one_of_ten_years_are_served() {
    let short = Schedule::new(MIN_LIFE, START, Some(at(3)), Successor::Refreshed);
    assert_eq!(short.on_get(at(0), None), Step::Serve);
    assert_eq!(short.on_get(at(2), None), Step::Serve);
    assert_eq!(short.on_get(at(3), None), Step::Renew);
    let long = Schedule::new(MIN_LIFE, START, Some(at(315_360_000)), Successor::Refreshed);
    assert_eq!(long.on_get(at(315_000_000), None), Step::Serve);
    let endless = Schedule::new(MIN_LIFE, START, None, Successor::Refreshed);
    assert_eq!(endless.on_get(at(i64::MAX / 2), None), Step::Serve);
}

#[test]
fn a_living_token_is_served_while_renewing_fails() {
    let mut schedule = two_hours();
    schedule.on_failed(at(6700), "503".into(), None, 0.0);
    assert_eq!(schedule.on_get(at(6700), None), Step::Serve);
    assert_eq!(schedule.on_get(at(6702), None), Step::Renew);
    schedule.on_failed(at(7200), "503".into(), None, 0.0);
    assert!(matches!(schedule.on_get(at(7200), None), Step::Refuse(Reason::Failed(..))));
}

#[test]
fn a_server_that_names_a_time_is_believed() {
    let mut schedule = two_hours();
    schedule.on_failed(at(7200), "429".into(), Some(120), 0.5);
    assert!(matches!(schedule.on_get(at(7319), None), Step::Refuse(Reason::Failed(..))));
    assert_eq!(schedule.on_get(at(7320), None), Step::Renew);
    assert_eq!(schedule.wake_at(at(7319)), Some(at(7320)));
}

#[test]
fn retries_back_off_and_are_spread() {
    let mut schedule = two_hours();
    let mut waits = Vec::new();
    for _ in 0..10 {
        schedule.on_failed(at(8000), "refused".into(), None, 0.0);
        waits.push(schedule.wake_at(at(8000)).expect("a time").since(at(8000)));
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]);
    schedule.on_failed(at(8000), "refused".into(), None, 1.0);
    assert_eq!(schedule.wake_at(at(8000)), Some(at(8150)));
}

#[test]
fn one_invalid_grant_is_no_proof_of_death() {
    let mut schedule = two_hours();
    let mut now = 7200;
    for wait in REFUSED_WAITS {
        schedule.on_refused_renewal(at(now), "invalid_grant".into());
        assert!(matches!(schedule.on_get(at(now + wait - 1), None), Step::Refuse(Reason::Disbelieved(..))));
        now += wait;
        assert_eq!(schedule.on_get(at(now), None), Step::Renew);
    }
    let mut healed = schedule.clone();
    healed.on_renewed(at(now), Some(at(now + 7200)), Successor::Refreshed);
    assert_eq!(healed.on_get(at(now), None), Step::Serve);
    schedule.on_refused_renewal(at(now), "invalid_grant".into());
    assert!(matches!(schedule.on_get(at(now + 100_000), None), Step::Refuse(Reason::Relink(_))));
    // The pair is kept, and tried once an hour: the server may take it after all.
    for _ in 0..3 {
        assert_eq!((schedule.wake_at(at(now)), schedule.on_timer(at(now + 3599))), (Some(at(now + 3600)), None));
        now += 3600;
        assert_eq!(schedule.on_timer(at(now)), Some(Step::Renew));
        schedule.on_refused_renewal(at(now), "invalid_grant".into());
    }
    // Whatever else it meets, it goes on so, for the same reason.
    schedule.on_lost(at(now));
    schedule.on_failed(at(now), "502".into(), None, 0.5);
    schedule.on_refused_renewal(at(now), "invalid_grant".into());
    assert!(matches!(schedule.ended(at(now)), Some(Ended::Refused(_))));
    assert_eq!(schedule.wake_at(at(now)), Some(at(now + 3600)));
    schedule.on_renewed(at(now), Some(at(now + 7200)), Successor::Refreshed);
    assert_eq!((schedule.on_get(at(now), None), schedule.ended(at(now))), (Step::Serve, None));
}

#[test]
fn a_server_that_does_not_tell_whether_a_token_lives_locks_nobody_out() {
    // A token that git was refused with: asked about three times, and then renewed.
    let mut schedule = two_hours();
    schedule.on_refused_token();
    for second in [2, 4] {
        schedule.on_unanswered(at(second), "silence".into(), None, 0.0); // that is another matter
    }
    for second in [10, 12, 14] {
        assert_eq!(schedule.on_get(at(second), None), Step::Verify);
        schedule.on_not_told(at(second), "403".into(), 0.0);
    }
    assert_eq!(schedule.on_get(at(14), None), Step::Renew);
    // One that has come to its end meanwhile is not asked about at all.
    for lost in [false, true] {
        let mut schedule = two_hours();
        schedule.on_refused_token();
        if lost {
            schedule.on_lost(at(7000));
        }
        schedule.on_unanswered(at(7199), "silence".into(), None, 0.0);
        assert_eq!(schedule.on_get(at(7201), None), Step::Renew);
        assert_eq!(schedule.on_timer(at(7204)), Some(Step::Renew));
    }
}

#[test]
fn a_login_that_has_ended_serves_what_is_left_of_its_token() {
    let mut schedule = two_hours();
    for _ in 0..=REFUSED_WAITS.len() {
        schedule.on_refused_renewal(at(6700), "invalid_grant".into());
    }
    assert!(schedule.ended(at(6700)).is_some());
    assert_eq!(schedule.on_get(at(7199), None), Step::Serve);
    assert!(matches!(schedule.on_get(at(7200), None), Step::Refuse(Reason::Relink(_))));
    schedule.on_refused_token();
    assert!(matches!(schedule.on_get(at(6800), None), Step::Refuse(Reason::Relink(_))), "but not one that was refused");
}

#[test]
fn a_lost_answer_is_followed_by_one_more_try_and_an_honest_end() {
    let mut schedule = two_hours();
    schedule.on_lost(at(7000));
    schedule.on_failed(at(7000), "reset".into(), None, 0.0);
    assert_eq!(schedule.on_get(at(7000), None), Step::Verify, "the token may be dead");
    // The server had not begun: the token lives, is served, and nothing is lost.
    let mut alive = schedule.clone();
    alive.on_verified(at(7000), true);
    assert_eq!(alive.on_get(at(7000), None), Step::Serve);
    alive.on_refused_renewal(at(7010), "invalid_grant".into());
    assert_eq!(alive.ended(at(7010)), None, "and one refusal is no proof, as ever");
    // The server had renewed.
    schedule.on_verified(at(7000), false);
    assert!(matches!(schedule.on_get(at(7001), None), Step::Refuse(Reason::Failed(..))));
    assert_eq!(schedule.on_get(at(7002), None), Step::Renew);
    schedule.on_refused_renewal(at(7002), "invalid_grant".into());
    assert_eq!(schedule.on_get(at(7003), None), Step::Refuse(Reason::Relink(Ended::AnswerLost(at(7000)))));
    assert_eq!(schedule.wake_at(at(7003)), None);
}

#[test]
fn a_refused_token_is_checked_before_it_is_served_again() {
    let mut schedule = two_hours();
    assert!(schedule.on_refused_token());
    assert!(!schedule.on_refused_token(), "a second command with the same token");
    assert_eq!(schedule.on_get(at(10), None), Step::Verify);
    let mut alive = schedule.clone();
    alive.on_verified(at(10), true);
    assert_eq!(alive.on_get(at(11), None), Step::Serve);
    schedule.on_verified(at(10), false);
    assert_eq!(schedule.on_get(at(11), None), Step::Renew);
    schedule.on_failed(at(11), "503".into(), None, 0.0);
    assert!(matches!(schedule.on_get(at(11), None), Step::Refuse(Reason::Failed(..))), "a dead token is never served");
}

#[test]
fn a_token_that_can_not_be_checked_is_not_served() {
    let mut schedule = two_hours();
    schedule.on_refused_token();
    schedule.on_unanswered(at(10), "unreachable".into(), None, 0.0);
    assert!(matches!(schedule.on_get(at(10), None), Step::Refuse(Reason::Failed(..))));
}

#[test]
fn the_timer_waits_for_a_quiet_moment_but_not_beyond_the_end() {
    let mut schedule = two_hours();
    assert_eq!(schedule.wake_at(at(0)), Some(at(6600)));
    assert_eq!(schedule.on_timer(at(6599)), None);
    assert_eq!(schedule.on_timer(at(6600)), Some(Step::Renew));
    schedule.on_served(at(6000));
    assert_eq!(schedule.wake_at(at(6000)), Some(at(6900)));
    schedule.on_served(at(6500));
    assert_eq!(schedule.wake_at(at(6500)), Some(at(7200)));
}

#[test]
fn nobody_asks_so_nothing_is_renewed_every_second() {
    let schedule = Schedule::new(MIN_LIFE, START, Some(at(1)), Successor::Refreshed);
    assert_eq!(schedule.wake_at(at(1)), Some(at(30)));
    assert_eq!(schedule.on_get(at(1), None), Step::Renew, "but whoever asks gets a token");
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_life() {
    let schedule = Schedule::new(MIN_LIFE, START, Some(at(100)), Successor::Refreshed);
    assert_eq!(schedule.left(at(-5000)), Some(100));
    assert_eq!(schedule.expiry_for_git(at(-5000)), None);
    assert_eq!(schedule.expiry_for_git(at(5)), Some(at(100)));
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_wait() {
    let mut schedule = two_hours();
    schedule.on_failed(at(8000), "429".into(), Some(3600), 0.0);
    assert_eq!((schedule.wake_at(at(8000)), schedule.on_timer(at(8000))), (Some(at(11_600)), None));
    assert_eq!((schedule.wake_at(at(7999)), schedule.on_timer(at(7999))), (Some(at(7999)), Some(Step::Renew)));
    assert_eq!(schedule.on_get(at(7999), None), Step::Renew);
    // What was found dead is renewed at once, whenever it came.
    let mut dead = two_hours();
    dead.on_verified(at(0), false);
    assert_eq!((dead.wake_at(at(-5000)), dead.on_timer(at(-5000))), (Some(at(-5000)), Some(Step::Renew)));
}

#[derive(Debug, Clone)]
enum Event {
    Get(Option<i64>),
    Refused,
    Verified(bool),
    Renewed(Option<i64>),
    Failed(Option<i64>),
    Unanswered,
    Lost,
    RefusedRenewal,
    Clock(i64),
}

fn events() -> impl proptest::strategy::Strategy<Value = Vec<Event>> {
    use proptest::prelude::*;
    let event = prop_oneof![
        proptest::option::of(-10i64..10_000).prop_map(Event::Get),
        Just(Event::Refused),
        any::<bool>().prop_map(Event::Verified),
        proptest::option::of(1i64..10_000).prop_map(Event::Renewed),
        proptest::option::of(-10i64..100_000).prop_map(Event::Failed),
        Just(Event::RefusedRenewal),
        Just(Event::Unanswered),
        Just(Event::Lost),
        (-5_000i64..10_000).prop_map(Event::Clock),
    ];
    proptest::collection::vec(event, 0..60)
}

proptest::proptest! {
    #[test]
    fn a_get_never_serves_a_token_known_dead_or_expired(events in events()) {
        let mut schedule = two_hours();
        let (mut now, mut received, mut end, mut bad) = (START, START, Some(at(7200)), false);
        for event in events {
            match event {
                Event::Clock(seconds) => now = now.plus(seconds),
                Event::Refused => { schedule.on_refused_token(); bad = true; }
                // The actor only asks about a token that was refused.
                Event::Verified(alive) if bad => { schedule.on_verified(now, alive); bad = !alive; }
                Event::Verified(_) => {}
                Event::Renewed(life) => {
                    (received, end, bad) = (now, life.map(|life| now.plus(life)), false);
                    schedule.on_renewed(received, end, Successor::Refreshed);
                }
                Event::Failed(after) => schedule.on_failed(now, "failed".into(), after, 0.3),
                Event::Unanswered => schedule.on_unanswered(now, "silent".into(), None, 0.3),
                Event::Lost => { schedule.on_lost(now); bad = true; }
                Event::RefusedRenewal => schedule.on_refused_renewal(now, "invalid_grant".into()),
                Event::Get(min_life) => if schedule.on_get(now, min_life) == Step::Serve {
                    proptest::prop_assert!(!bad);
                    proptest::prop_assert!(end.is_none_or(|end| now < end));
                    schedule.on_served(now);
                },
            }
            if let Some(Step::Serve | Step::Refuse(_)) = schedule.on_timer(now) {
                proptest::prop_assert!(false, "a timer only renews or verifies");
            }
        }
        let _ = received;
    }
}
