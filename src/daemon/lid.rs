//! A lid on refused logins, per server.
//!
//! GitLab counts failed logins per address, and may ban the address for an hour. A token that is
//! refused although it lives (a blocked user, a proxy that answers for GitLab) is asked for again
//! and again: git-lfs does so in a loop, for ever. After a few refusals nothing is handed out for
//! that server for a while, to nobody: it is the address that would be banned.

use std::sync::Mutex;

use super::clock::Timestamp;

/// GitLab may ban an address after 10 failed logins in a minute, if its administrator kept the
/// defaults. git makes two for one refused token where the address names a user: the first with
/// an empty password. So these are six at the most, and eight with the one that a link allows.
const REFUSALS: usize = 3;

/// The window for counting them, and the length of the pause.
const REFUSALS_WITHIN: i64 = 60;

/// The refusals of one server, shared by its accounts.
#[derive(Debug, Default)]
pub struct Lid {
    refusals: Mutex<Vec<Timestamp>>,
}

impl Lid {
    /// The server refused a token.
    pub fn count(&self, now: Timestamp) {
        let mut refusals = self.refusals.lock().expect("nobody panics while holding it");
        refusals.retain(|at| (0..REFUSALS_WITHIN).contains(&now.since(*at)));
        refusals.push(now);
    }

    /// A login succeeded: the server forgets its count, and so do we.
    pub fn lift(&self) {
        self.refusals.lock().expect("nobody panics while holding it").clear();
    }

    /// Somebody linked: their new token gets a try, although the server has forgotten nothing.
    pub fn allow_one(&self) {
        self.refusals.lock().expect("nobody panics while holding it").pop();
    }

    /// Until when nothing is handed out, if the server refused too often.
    pub fn paused(&self, now: Timestamp) -> Option<Timestamp> {
        let refusals = self.refusals.lock().expect("nobody panics while holding it");
        let until = refusals.last().filter(|_| refusals.len() >= REFUSALS)?.plus(REFUSALS_WITHIN);
        // A clock that was set back is no reason for a longer pause.
        (1..=REFUSALS_WITHIN).contains(&until.since(now)).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    /// A lid that has just come down, at the 2nd second.
    fn closed() -> Lid {
        let lid = Lid::default();
        for second in 0..REFUSALS as i64 {
            assert_eq!(lid.paused(START.plus(second)), None);
            lid.count(START.plus(second));
        }
        lid
    }

    #[test]
    fn a_few_refusals_within_a_minute_pause_a_server_for_a_minute() {
        let lid = closed();
        assert_eq!(lid.paused(START.plus(2)), Some(START.plus(62)));
        assert_eq!(lid.paused(START.plus(61)), Some(START.plus(62)));
        assert_eq!(lid.paused(START.plus(62)), None);
    }

    #[test]
    fn after_the_pause_counting_begins_anew() {
        let lid = closed();
        lid.count(START.plus(62));
        assert_eq!(lid.paused(START.plus(62)), None);
    }

    #[test]
    fn refusals_over_a_longer_time_are_no_reason() {
        let lid = Lid::default();
        for count in 0..100 {
            lid.count(START.plus(count * 31));
            assert_eq!(lid.paused(START.plus(count * 16)), None);
        }
    }

    #[test]
    fn a_success_ends_the_pause_and_a_link_gets_one_try() {
        let lid = closed();
        lid.allow_one();
        assert_eq!(lid.paused(START.plus(3)), None);
        lid.count(START.plus(3));
        assert!(lid.paused(START.plus(3)).is_some());
        lid.lift();
        for second in 0..REFUSALS as i64 - 1 {
            lid.count(START.plus(second));
        }
        assert_eq!(lid.paused(START.plus(4)), None);
    }

    #[test]
    fn a_clock_that_is_set_does_not_lengthen_the_pause() {
        assert_eq!(closed().paused(START.plus(-7200)), None);
        assert_eq!(closed().paused(START.plus(7200)), None);
    }
}
