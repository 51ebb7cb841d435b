//! The times of tokens that people make: they live for months, and end at a midnight.

use crate::daemon::clock::Timestamp;

/// Seconds.
pub(super) const DAY: i64 = 24 * 3600;

/// GitLab's own warnings begin a week before a token's end, and so do the quiet moments in which it
/// is renewed: enough for a server that is down, or a machine that is off, for some days.
const WEEK: i64 = 7 * DAY;

/// In the last seventh of that time (a day of a week) nobody waits for a quiet moment any more.
const LATE: i64 = 7;

/// How many days before its end it is told that a token ends and nothing renews it.
const WARNINGS: [i64; 3] = [1, 7, 30];

/// GitLab grants no more.
const LONGEST_LIFE: i64 = 365;

/// How long before the end of a token with so much life a quiet moment is taken to renew it: a week,
/// but no more than a third of a shorter life.
pub(super) fn window(life: i64) -> i64 {
    WEEK.min(life / 3)
}

/// How long before its end it is renewed for whoever asks, and in the end for nobody.
pub(super) fn late(life: i64) -> i64 {
    window(life) / LATE
}

/// Within how many days something ends that has so many seconds left, as far as that is worth a
/// warning.
pub fn warning(left: i64) -> Option<i64> {
    WARNINGS.into_iter().find(|days| left <= days * DAY)
}

/// The end to ask for when a token is exchanged: as many days from today as were granted, and a day
/// more at least than the old one has (a token of one day would otherwise win nothing).
pub fn next_end(now: Timestamp, received_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    // The day on which it was made was not a whole one.
    let days = expires_at.since(received_at).max(0).saturating_add(DAY - 1) / DAY;
    let today = now.plus(-now.0.rem_euclid(DAY));
    today.plus(days.clamp(1, LONGEST_LIFE) * DAY).max(expires_at.plus(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A midnight.
    const TODAY: Timestamp = Timestamp(20_000 * DAY);

    #[test]
    fn a_year_is_renewed_in_its_last_week_and_a_day_in_its_last_third() {
        assert_eq!((window(365 * DAY), late(365 * DAY)), (WEEK, DAY));
        assert_eq!((window(30 * DAY), late(30 * DAY)), (WEEK, DAY));
        assert_eq!((window(DAY), late(DAY)), (8 * 3600, 8 * 3600 / 7));
        assert_eq!((window(0), late(0)), (0, 0));
    }

    #[test]
    fn warnings_come_30_7_and_1_days_before() {
        for (left, days) in [(31, None), (30, Some(30)), (8, Some(30)), (7, Some(7)), (2, Some(7)), (1, Some(1))] {
            assert_eq!(warning(left * DAY), days, "{left} days");
        }
        assert_eq!(warning(30 * DAY + 1), None);
        assert_eq!(warning(0), Some(1));
    }

    #[test]
    fn the_next_token_lives_as_many_days_as_the_one_before() {
        for days in [2, 30, 365] {
            // Made at any time of its first day, exchanged at any time of a later one.
            for (made, exchanged) in [(0, 0), (1, DAY - 1), (DAY - 1, 1), (40_000, 40_000)] {
                let (made, end) = (TODAY.plus(made), TODAY.plus(days * DAY));
                let now = TODAY.plus((days - 1) * DAY + exchanged);
                let next = next_end(now, made, end);
                assert_eq!(next, TODAY.plus((days - 1 + days) * DAY), "{days} days");
                // And so on, for ever.
                assert_eq!(next_end(next.plus(-1), now, next), next.plus((days - 1) * DAY));
            }
        }
        let longer = next_end(TODAY.plus(9_999 * DAY), TODAY, TODAY.plus(10_000 * DAY));
        assert_eq!(longer, TODAY.plus((9_999 + 365) * DAY));
        // Made today and ending with it.
        let short = next_end(TODAY.plus(80_000), TODAY.plus(1), TODAY.plus(DAY));
        assert_eq!(short, TODAY.plus(2 * DAY));
    }
}
