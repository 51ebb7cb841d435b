//! The account against a model of GitLab: whatever happens, in whatever order, the promises hold.
//!
//! The model is the part of the contract that hurts: a refresh token works once, a renewal kills
//! the old access token at the moment it is committed, and an answer can be lost after that.

use proptest::prelude::*;

use super::turns::{self, Turn};
use super::*;

const START: Timestamp = Timestamp(1_000_000);

/// What the network does to the next request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weather {
    Fine,
    /// The request does not arrive.
    Down,
    /// The server commits, and its answer is lost.
    AnswerLost,
    /// A lagging replica does not know the refresh token yet.
    Lag,
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
    /// The server ends the access token in use before its time, and git is refused with it.
    Killed,
}

/// One login at both ends. A pair is a number; the next pair is the next number.
#[derive(Debug, Clone)]
struct Login {
    schedule: Schedule,
    /// Ours: the pair we hold, when it came and ends by our clock, and the mark in the store.
    held: u32,
    received_at: Timestamp,
    expires_at: Timestamp,
    mark: Option<Timestamp>,
    /// The server's: the pair that lives there, and when its access token ends by true time.
    living: u32,
    ends: i64,
    /// The access token was handed out, and may be in use until its end.
    in_use: bool,
    /// How often the refresh token held was sent.
    sent: u32,
    /// How often this daemon has sent it to the server after that had spent it.
    sent_spent: u32,
    /// A lagging replica has ever answered: four such answers look like an end.
    lagged: bool,
}

struct World {
    life: i64,
    /// True time, and how far our clock is off.
    time: i64,
    off: i64,
    /// Our clock was set, or a daemon has forgotten that a token was killed: then the two may end
    /// closer together than they should, and the one in use may not be known.
    muddled: bool,
    weather: Weather,
    logins: Vec<Login>,
    in_use: usize,
}

impl World {
    fn new(logins: usize, life: i64) -> Self {
        let login = Login {
            schedule: Schedule::new(MIN_LIFE, START, Some(START.plus(life)), Successor::Refreshed),
            held: 0,
            received_at: START,
            expires_at: START.plus(life),
            mark: None,
            living: 0,
            ends: START.0 + life,
            in_use: false,
            sent: 0,
            sent_spent: 0,
            lagged: false,
        };
        Self {
            life,
            time: START.0,
            off: 0,
            muddled: false,
            weather: Weather::Fine,
            logins: vec![login; logins],
            in_use: 0,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.time + self.off)
    }

    fn index(&self, turn: Turn) -> usize {
        match turn {
            Turn::InUse => self.in_use,
            Turn::Spare => 1 - self.in_use,
        }
    }

    fn schedules(&self) -> (&Schedule, Option<&Schedule>) {
        let spare = (self.logins.len() > 1).then(|| &self.logins[1 - self.in_use].schedule);
        (&self.logins[self.in_use].schedule, spare)
    }

    /// The server's answer about an access token.
    fn lives(&self, login: &Login) -> bool {
        login.held == login.living && self.time < login.ends
    }

    /// A get, to its answer.
    fn get(&mut self, min_life: Option<i64>) -> Result<bool, TestCaseError> {
        for _ in 0..10 {
            let (now, (in_use, spare)) = (self.now(), self.schedules());
            match turns::on_get(in_use, spare, now, min_life) {
                (_, Step::Refuse(_)) => return Ok(false),
                (turn, Step::Serve) => {
                    self.in_use = self.index(turn);
                    return self.serve().map(|()| true);
                }
                (turn, step) => self.work(turn, &step)?,
            }
        }
        Err(TestCaseError::fail("a get without an end"))
    }

    fn serve(&mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        let login = &mut self.logins[self.in_use];
        login.schedule.on_served(now);
        login.in_use = true;
        prop_assert!(now < login.expires_at, "an expired token was served");
        prop_assert!(login.held == login.living, "a token that our own renewal killed was served");
        Ok(())
    }

    /// The timer rings, if it does.
    fn timer(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..10 {
            let (now, (in_use, spare)) = (self.now(), self.schedules());
            match turns::on_timer(in_use, spare, now) {
                None => {
                    let at = turns::wake_at(in_use, spare, now);
                    prop_assert!(at.is_none_or(|at| at > now), "the timer rings for nothing");
                    return Ok(());
                }
                Some((Turn::Spare, Step::Serve)) => self.in_use = 1 - self.in_use,
                Some((turn, step)) => {
                    prop_assert!(matches!(step, Step::Verify | Step::Renew));
                    self.work(turn, &step)?;
                }
            }
        }
        Err(TestCaseError::fail("a timer without an end"))
    }

    fn work(&mut self, turn: Turn, step: &Step) -> Result<(), TestCaseError> {
        let (now, index) = (self.now(), self.index(turn));
        let lives = self.lives(&self.logins[index]);
        if *step == Step::Verify {
            let schedule = &mut self.logins[index].schedule;
            match self.weather {
                Weather::Fine | Weather::Lag => schedule.on_verified(now, lives),
                _ => schedule.on_unanswered(now, "silence".into(), None, 0.5),
            }
            return Ok(());
        }
        self.renew(index, lives)
    }

    fn renew(&mut self, index: usize, lives: bool) -> Result<(), TestCaseError> {
        let now = self.now();
        let other_refused = self.logins.len() < 2 || self.logins[1 - index].schedule.is_refused();
        let login = &mut self.logins[index];
        // With a spare nothing is renewed that somebody may be using, as long as our clock is right.
        let kills = lives && login.in_use && login.held == login.living;
        prop_assert!(other_refused || !kills || self.muddled, "a token in use was killed by a renewal");
        // A mark that was there before stays until the next pair (see renewal.rs).
        let before = login.mark;
        login.mark = before.or(Some(now));
        login.sent += 1;
        // A lost answer is followed by one more try, and then it is known. (One that has ended otherwise
        // is tried once an hour.)
        let is_spent = login.held != login.living && login.schedule.ended(now).is_none();
        login.sent_spent += u32::from(is_spent && self.weather != Weather::Down);
        prop_assert!(login.sent_spent <= 1, "a spent refresh token was sent again and again");
        // Fine answers make a new pair; all others are a handful at the most.
        prop_assert!(self.weather == Weather::Down || login.sent < 40, "a storm");
        match self.weather {
            Weather::Down => {
                login.mark = before;
                login.schedule.on_failed(now, "down".into(), None, 0.5);
            }
            Weather::Lag => {
                login.lagged = true;
                login.mark = before;
                login.schedule.on_refused_renewal(now, "invalid_grant".into());
            }
            _ if login.held != login.living => {
                login.schedule.on_refused_renewal(now, "invalid_grant".into());
            }
            Weather::Fine | Weather::AnswerLost => {
                login.living += 1;
                login.ends = self.time + self.life;
                if self.weather == Weather::AnswerLost {
                    login.schedule.on_lost(now);
                    login.schedule.on_failed(now, "reset".into(), None, 0.5);
                    return Ok(());
                }
                (login.held, login.received_at, login.expires_at) = (login.living, now, now.plus(self.life));
                (login.mark, login.in_use, login.sent, login.sent_spent) = (None, false, 0, 0);
                login.schedule.on_renewed(now, Some(login.expires_at), Successor::Refreshed);
                self.in_use = index; // whoever was renewed last is in use
            }
        }
        Ok(())
    }

    fn restart(&mut self) {
        let now = self.now();
        self.muddled |= self.logins.iter().any(|login| login.ends < login.received_at.0 + self.life);
        for login in &mut self.logins {
            login.schedule = Schedule::new(MIN_LIFE, login.received_at, Some(login.expires_at), Successor::Refreshed);
            login.schedule.on_served(now);
            login.sent_spent = 0;
            login.mark.into_iter().for_each(|at| login.schedule.on_lost(at));
        }
        if let [first, second] = &self.logins[..] {
            let rank = |login: &Login| (login.mark.is_none(), login.received_at);
            self.in_use = usize::from(rank(second) > rank(first));
        }
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Get(min_life) => drop(self.get(*min_life)?),
            Event::Wait(seconds) => self.time += seconds,
            Event::SetClock(off) => (self.off, self.muddled) = (*off, true),
            Event::Weather(weather) => self.weather = *weather,
            Event::Restart => self.restart(),
            Event::Killed => {
                let login = &mut self.logins[self.in_use];
                login.ends = login.ends.min(self.time);
                login.schedule.on_refused_token();
            }
        }
        self.timer()
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    use Weather::{AnswerLost, Down, Fine, Lag};
    let weather = prop::sample::select(vec![Fine, Fine, Down, AnswerLost, Lag]);
    let event = prop_oneof![
        4 => prop::option::of(0_i64..8000).prop_map(Event::Get),
        4 => prop::sample::select(vec![1, 3, 10, 60, 200, 600, 3000, 8000]).prop_map(Event::Wait),
        2 => weather.prop_map(Event::Weather),
        1 => prop::sample::select(vec![0, 0, -7200, 7200, -100_000, 100_000]).prop_map(Event::SetClock),
        1 => Just(Event::Restart),
        1 => Just(Event::Killed),
    ];
    prop::collection::vec(event, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn whatever_happens_a_living_login_serves(events in events(), logins in 1_usize..=2, life in prop::sample::select(vec![3, 60, 7200])) {
        let mut world = World::new(logins, life);
        for event in &events {
            world.happens(event)?;
        }
        // Then all is well again, and whoever asks for a while gets a token, if the server knows
        // one login of ours; unless a replica has lied to the end.
        (world.weather, world.off) = (Weather::Fine, 0);
        let known = world.logins.iter().any(|login| login.held == login.living && !login.lagged);
        let mut served = false;
        for _ in 0..20 {
            world.happens(&Event::Wait(100))?;
            served |= world.get(None)?;
        }
        prop_assert!(served || !known);
    }
}
