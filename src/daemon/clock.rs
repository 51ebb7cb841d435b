//! The wall clock, in the seconds that git and OAuth count.
//!
//! Timers stand still while a machine sleeps, so every decision asks this clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Now, by the wall clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    /// The time of day where this machine is, for people: `14:02`.
    pub fn clock_time(self) -> String {
        let time = jiff::Timestamp::from_second(self.0).unwrap_or_default();
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string()
    }

    /// RFC 3339 in UTC, for programs.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_second(self.0).unwrap_or_default().to_string()
    }

    /// The time of day, with the date unless it is less than half a day from `now`.
    pub fn for_people(self, now: Self) -> String {
        if now.since(self).unsigned_abs() < 12 * 3600 { self.clock_time() } else { self.date_and_time() }
    }

    /// `2026-11-22 14:02`.
    pub fn date_and_time(self) -> String {
        let time = jiff::Timestamp::from_second(self.0).unwrap_or_default();
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// How long it is from `now` until this, for people: `6 days`.
    pub fn span_from(self, now: Self) -> String {
        match self.since(now).max(0) {
            seconds @ ..7200 => format!("{} min", seconds / 60),
            seconds @ ..172_800 => format!("{} hours", seconds / 3600),
            seconds => format!("{} days", seconds / 86_400),
        }
    }

    /// This many seconds later (earlier, if negative).
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this; negative if it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long to sleep from `now` until this.
    pub fn sleep_from(self, now: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.since(now)).unwrap_or(0))
    }
}
