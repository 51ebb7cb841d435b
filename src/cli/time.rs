//! Times for people and for programs.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The moment that a person's view is drawn at.
#[derive(Debug, Clone)]
pub(super) struct Now {
    seconds: i64,
    zone: TimeZone,
}

impl Now {
    /// This moment, in the person's time zone.
    pub(super) fn here() -> Self {
        Self { seconds: Timestamp::now().as_second(), zone: TimeZone::system() }
    }

    /// `14:32 (in 1 h 52 min)`; with the date, if it is another day's.
    pub(super) fn show(&self, seconds: i64) -> String {
        let (Ok(then), Ok(now)) = (Timestamp::from_second(seconds), Timestamp::from_second(self.seconds)) else {
            return "a time out of range".into();
        };
        let (then, now) = (then.to_zoned(self.zone.clone()), now.to_zoned(self.zone.clone()));
        let format = if then.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        let distance = match seconds - self.seconds {
            0 => "now".into(),
            ahead @ 1.. => format!("in {}", span(ahead.unsigned_abs())),
            behind => format!("{} ago", span(behind.unsigned_abs())),
        };
        format!("{} ({distance})", then.strftime(format))
    }

    /// The same for so many seconds from now.
    pub(super) fn show_in(&self, seconds: u64) -> String {
        self.show(self.seconds.saturating_add_unsigned(seconds))
    }

    /// How long ago a moment was, in one unit: at most nine characters.
    pub(super) fn age(&self, moment: &str) -> Option<String> {
        let then: Timestamp = moment.parse().ok()?;
        let seconds = self.seconds.saturating_sub(then.as_second()).max(0); // a server's clock may be ahead
        Some(match (seconds / 60, seconds / 3600, seconds / 86_400) {
            (0, _, _) => "now".into(),
            (minutes, 0, _) => format!("{minutes} min"),
            (_, hours, 0) => format!("{hours} h"),
            (_, _, 1) => "1 day".into(),
            (_, _, days @ ..60) => format!("{days} days"),
            (_, _, days @ ..730) => format!("{} months", days / 30),
            (_, _, days) => format!("{} years", days / 365),
        })
    }

    /// When it was so long before this moment; `None`: before any time that there is.
    pub(super) fn before(&self, span: &Ago) -> Option<i64> {
        let now = Timestamp::from_second(self.seconds).ok()?.to_zoned(self.zone.clone());
        now.checked_sub(span.0).ok().map(|then| then.timestamp().as_second())
    }

    /// `2026-11-22 22:04:03`, for columns.
    pub(super) fn clock(&self, seconds: i64) -> String {
        let then = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(self.zone.clone());
        then.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Whether a time has passed.
    pub(super) fn is_past(&self, seconds: i64) -> bool {
        seconds <= self.seconds
    }

    #[cfg(test)]
    pub(super) fn at(seconds: i64) -> Self {
        Self { seconds, zone: TimeZone::UTC }
    }
}

/// How long ago, as a person types it: `30min`, `2h`, `7d`.
#[derive(Debug, Clone)]
pub(super) struct Ago(Span);

impl FromStr for Ago {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let span = typed.trim().parse::<Span>().ok().filter(|span| span.is_positive());
        span.map(Self).ok_or("give a length of time, such as 30min, 2h, 1d or 7d")
    }
}

/// The seconds of a time in RFC 3339.
pub(super) fn seconds(rfc3339: &str) -> Option<i64> {
    rfc3339.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// RFC 3339 in UTC; `None` for a time that no calendar has.
pub(super) fn rfc3339(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

/// A span as a person says it: at most two units.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (1, hours, _) => format!("1 day {} h", hours % 24),
        (days, _, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_with_its_distance() {
        let now = Now::at(1_700_000_000); // 2023-11-14 22:13:20
        assert_eq!(now.show(1_700_006_000), "23:53 (in 1 h 40 min)");
        assert_eq!(now.show(1_699_999_990), "22:13 (10 s ago)");
        assert_eq!(now.show(1_700_100_000), "2023-11-16 02:00 (in 1 day 3 h)");
        assert_eq!(now.show(1_699_000_000), "2023-11-03 08:26 (11 days ago)");
        assert_eq!(now.show(1_700_000_000), "22:13 (now)");
        assert_eq!(now.show(i64::MAX), "a time out of range");
    }

    #[test]
    fn an_age_has_one_unit_and_fits_its_column() {
        let now = Now::at(1_700_000_000); // 2023-11-14T22:13:20Z
        for (moment, age) in [
            ("2023-11-14T22:13:01Z", "now"),
            ("2024-01-01T00:00:00Z", "now"),
            ("2023-11-14T21:13:21Z", "59 min"),
            ("2023-11-14T21:13:20Z", "1 h"),
            ("2023-11-13T22:13:20Z", "1 day"),
            ("2023-11-04T22:13:20Z", "10 days"),
            ("2023-09-14T22:13:20Z", "2 months"),
            ("2021-11-20T00:00:00Z", "24 months"),
            ("1969-01-01T00:00:00Z", "54 years"),
        ] {
            assert_eq!(now.age(moment).as_deref(), Some(age), "{moment}");
            assert!(age.len() <= 9);
        }
        assert_eq!(now.age("soon"), None);
    }

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        let now = Now::at(1_700_000_000);
        let before = |typed: &str| now.before(&typed.parse().expect(typed)).map(|then| 1_700_000_000 - then);
        for (typed, ago) in [("30min", 1800), ("2h", 7200), ("1d", 86_400), ("7d", 604_800), ("1h 30m", 5400)] {
            assert_eq!(before(typed), Some(ago), "{typed}");
        }
        assert_eq!(before("19000y"), None, "before all times");
        for typed in ["", "yesterday", "0s", "-2h", "2h ago", "2", "99999999999999999999h", "2h\u{1b}[2J"] {
            assert!(typed.parse::<Ago>().is_err(), "{typed:?}");
        }
    }

    #[test]
    fn programs_get_utc() {
        assert_eq!(seconds("2023-11-14T22:13:20Z"), Some(1_700_000_000));
        assert_eq!(rfc3339(1_700_000_000).as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(rfc3339(i64::MIN), None);
    }
}
