//! A token that is exchanged for its successor, against a model of GitLab: whatever happens, in
//! whatever order, it is exchanged in time, and never once more than it may be.

use proptest::prelude::*;

use super::rotation::{DAY, late};
use super::*;

/// A midnight.
const START: Timestamp = Timestamp(20_000 * DAY);

/// What the network does to the next exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weather {
    Fine,
    /// Nothing arrives.
    Down,
    /// The server exchanges it, and its answer is lost.
    AnswerLost,
    /// It looks the same, and the server did nothing.
    RequestLost,
    /// The server does not exchange tokens.
    TooOld,
}

#[derive(Debug, Clone)]
enum Event {
    Get(Option<i64>),
    /// Time passes for everybody.
    Wait(i64),
    /// Somebody sets our clock.
    SetClock(i64),
    Weather(Weather),
    /// The daemon is killed, and another one starts.
    Restart,
    /// The person revokes the token, and git is refused with it. (A daemon that starts later does not
    /// know, until git is refused again.)
    Revoked,
}

/// The token at both ends. It is a number, and its successor is the next number.
struct World {
    /// True time, and how far our clock is off.
    time: i64,
    off: i64,
    weather: Weather,
    schedule: Schedule,
    held: u32,
    received_at: Timestamp,
    expires_at: Timestamp,
    successor: Successor,
    mark: Option<Timestamp>,
    /// The server's: which one lives, if any does.
    living: Option<u32>,
    /// An answer was lost, and the server was not asked since.
    in_the_dark: bool,
    exchanges: u32,
}

impl World {
    fn new(days: i64) -> Self {
        let expires_at = START.plus(days * DAY);
        Self {
            time: START.0,
            off: 0,
            weather: Weather::Fine,
            schedule: Schedule::new(MIN_LIFE, START, Some(expires_at), Successor::Rotated),
            held: 0,
            received_at: START,
            expires_at,
            successor: Successor::Rotated,
            mark: None,
            living: Some(0),
            in_the_dark: false,
            exchanges: 0,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.time + self.off)
    }

    /// The server's answer about the token that we hold.
    fn lives(&self) -> bool {
        self.living == Some(self.held) && self.time < self.expires_at.0
    }

    /// A get, to its answer: whether there was a token.
    fn get(&mut self, min_life: Option<i64>) -> Result<bool, TestCaseError> {
        for _ in 0..10 {
            let now = self.now();
            match self.schedule.on_get(now, min_life) {
                Step::Refuse(_) => return Ok(false),
                Step::Serve => {
                    self.schedule.on_served(now);
                    prop_assert!(now < self.expires_at, "an expired token was served");
                    prop_assert!(self.living != Some(self.held + 1), "a token that our exchange killed was served");
                    return Ok(true);
                }
                step => self.work(&step)?,
            }
        }
        Err(TestCaseError::fail("a get without an end"))
    }

    /// The timer rings, if it does.
    fn timer(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..10 {
            let now = self.now();
            match self.schedule.on_timer(now) {
                Some(step) => self.work(&step)?,
                None => {
                    let at = self.schedule.wake_at(now);
                    prop_assert!(at.is_none_or(|at| at > now), "the timer rings for nothing");
                    return Ok(());
                }
            }
        }
        Err(TestCaseError::fail("a timer without an end"))
    }

    fn work(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (now, lives, down) = (self.now(), self.lives(), self.weather == Weather::Down);
        match step {
            Step::Verify if down => self.schedule.on_unanswered(now, "silence".into(), None, 0.5),
            Step::Verify => {
                self.in_the_dark = false;
                self.schedule.on_verified(now, lives);
            }
            Step::Renew => {
                prop_assert!(!self.in_the_dark, "it was tried again without asking");
                prop_assert!(self.successor == Successor::Rotated && now < self.expires_at);
                match (down, lives) {
                    (true, _) => self.schedule.on_failed(now, "down".into(), None, 0.5),
                    (_, false) => self.schedule.on_refused_renewal(now, "401".into()),
                    _ => self.exchange(),
                }
            }
            step => prop_assert!(false, "{step:?} is no work"),
        }
        Ok(())
    }

    fn exchange(&mut self) {
        let now = self.now();
        self.exchanges += 1;
        self.mark = Some(now);
        if self.weather == Weather::TooOld {
            (self.mark, self.successor) = (None, Successor::None);
            self.schedule.on_renewed(self.received_at, Some(self.expires_at), self.successor);
            return;
        }
        if self.weather != Weather::RequestLost {
            self.living = Some(self.held + 1);
        }
        if self.weather != Weather::Fine {
            self.in_the_dark = true;
            self.schedule.on_lost(now);
            self.schedule.on_failed(now, "reset".into(), None, 0.5);
            return;
        }
        let expires_at = next_end(now, self.received_at, self.expires_at);
        (self.held, self.received_at, self.expires_at, self.mark) = (self.held + 1, now, expires_at, None);
        self.schedule.on_renewed(now, Some(expires_at), self.successor);
    }

    fn restart(&mut self) {
        let now = self.now();
        self.schedule = Schedule::new(MIN_LIFE, self.received_at, Some(self.expires_at), self.successor);
        self.schedule.on_served(now);
        self.mark.into_iter().for_each(|at| self.schedule.on_lost(at));
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Get(min_life) => drop(self.get(*min_life)?),
            Event::Wait(seconds) => self.time += seconds,
            Event::SetClock(off) => self.off = *off,
            Event::Weather(weather) => self.weather = *weather,
            Event::Restart => self.restart(),
            Event::Revoked => {
                self.living = None;
                self.schedule.on_refused_token();
            }
        }
        self.timer()
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    use Weather::{AnswerLost, Down, Fine, RequestLost, TooOld};
    let weather = prop::sample::select(vec![Fine, Fine, Fine, Down, RequestLost, AnswerLost, TooOld]);
    let event = prop_oneof![
        8 => prop::option::of(0_i64..10 * DAY).prop_map(Event::Get),
        8 => prop::sample::select(vec![1, 10, 600, 3600, 8000, DAY / 2, DAY, 5 * DAY, 30 * DAY]).prop_map(Event::Wait),
        4 => weather.prop_map(Event::Weather),
        2 => prop::sample::select(vec![0, 0, -7200, 7200, -100_000, 100_000]).prop_map(Event::SetClock),
        2 => Just(Event::Restart),
        1 => Just(Event::Revoked),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn whatever_happens_a_living_token_is_served_and_exchanged_in_time(
        events in events(),
        days in prop::sample::select(vec![1, 7, 30, 365]),
    ) {
        let mut world = World::new(days);
        for event in &events {
            world.happens(event)?;
        }
        // Then all is well again. Whoever asks gets a token, if it lives.
        (world.weather, world.off) = (Weather::Fine, 0);
        world.happens(&Event::Wait(600))?;
        let (lives, life) = (world.lives(), world.expires_at.since(world.received_at));
        prop_assert!(world.get(None)? || !lives);
        // And it never ends, for three lives and more, if it was not too late, and git is busy.
        let endless = world.lives() && world.successor == Successor::Rotated && world.expires_at.since(world.now()) > late(life);
        let step = late(days * DAY) / 2;
        for _ in 0..(3 * days * DAY / step).min(500) {
            world.happens(&Event::Wait(step))?;
            prop_assert!(!endless || world.get(None)?, "it ended");
        }
    }
}

#[test]
fn a_quiet_moment_in_the_last_week_is_taken_and_the_last_day_is_not_waited_for() {
    let at = |days: i64, seconds: i64| START.plus(days * DAY + seconds);
    let mut schedule = Schedule::new(MIN_LIFE, START, Some(at(30, 0)), Successor::Rotated);
    assert_eq!(schedule.wake_at(at(0, 0)), Some(at(23, 0)));
    schedule.on_served(at(25, 0));
    assert_eq!(schedule.wake_at(at(25, 0)), Some(at(25, 900)), "a quarter of an hour after the last command");
    assert_eq!(schedule.on_get(at(25, 1), None), Step::Serve, "whoever asks is served at once");
    schedule.on_served(at(28, DAY - 1));
    assert_eq!(schedule.wake_at(at(28, DAY - 1)), Some(at(29, 0)), "and in the last day it is done");
    assert_eq!(schedule.on_get(at(29, 1), None), Step::Renew);
    assert_eq!(schedule.on_get(at(29, 1), Some(60)), Step::Serve, "unless less is enough");
    assert_eq!(schedule.on_get(at(30, 0), None), Step::Refuse(Reason::Relink(Ended::Expired(at(30, 0)))));
    assert_eq!(schedule.wake_at(at(30, 0)), None);
}

#[test]
fn a_fixed_token_is_served_to_its_end_and_warned_of() {
    let at = |days: i64| START.plus(days * DAY);
    let schedule = Schedule::new(MIN_LIFE, START, Some(at(60)), Successor::None);
    assert_eq!((schedule.wake_at(at(59)), schedule.on_get(at(60).plus(-1), None)), (None, Step::Serve));
    for (day, within) in [(0, None), (29, None), (30, Some(30)), (53, Some(7)), (59, Some(1)), (60, None)] {
        assert_eq!(schedule.ends_within(at(day)), within, "day {day}");
    }
    let endless = Schedule::new(MIN_LIFE, START, None, Successor::None);
    assert_eq!((endless.ends_within(at(9999)), endless.on_get(at(9999), None)), (None, Step::Serve));
    let rotating = Schedule::new(MIN_LIFE, START, Some(at(60)), Successor::Rotated);
    assert_eq!(rotating.ends_within(at(59)), None, "that one does not end");
}

#[test]
fn a_lost_exchange_ends_with_the_truth_or_goes_on() {
    let at = |seconds: i64| START.plus(29 * DAY + seconds);
    let mut schedule = Schedule::new(MIN_LIFE, START, Some(START.plus(30 * DAY)), Successor::Rotated);
    schedule.on_lost(at(0));
    schedule.on_failed(at(0), "reset".into(), None, 0.0);
    assert_eq!(schedule.on_get(at(1), None), Step::Verify);
    let mut alive = schedule.clone();
    alive.on_verified(at(1), true);
    assert_eq!((alive.on_get(at(1), None), alive.wake_at(at(1))), (Step::Serve, Some(at(5))));
    schedule.on_verified(at(1), false);
    assert_eq!(schedule.on_get(at(1), None), Step::Refuse(Reason::Relink(Ended::AnswerLost(at(0)))));
    assert_eq!(schedule.wake_at(at(1)), None, "and nothing is tried any more");
    // It was a lagging replica: `status --check` finds out.
    schedule.on_verified(at(1), true);
    assert_eq!(schedule.on_get(at(1), None), Step::Serve);
}

#[test]
fn a_token_that_expired_is_not_said_to_be_revoked() {
    let end = START.plus(DAY);
    let mut schedule = Schedule::new(MIN_LIFE, START, Some(end), Successor::None);
    schedule.on_verified(START, false);
    assert_eq!(schedule.ended(end.plus(-1)), Some(Ended::Revoked));
    assert_eq!(schedule.ended(end), Some(Ended::Expired(end)));
}
