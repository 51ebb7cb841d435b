//! Dates, as GitLab writes the ends of tokens.

use std::time::Duration;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The midnight (UTC) before a moment.
pub(crate) fn midnight(moment: Duration) -> Duration {
    Duration::from_secs(moment.as_secs() / DAY.as_secs() * DAY.as_secs())
}

/// `YYYY-MM-DD` of a moment (the civil calendar from day numbers, after Howard Hinnant).
pub(crate) fn date(moment: Duration) -> String {
    let days = moment.as_secs() / DAY.as_secs() + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The same with the time of day, as GitLab's API writes it.
pub(crate) fn date_and_time(moment: Duration) -> String {
    let seconds = moment.as_secs() % DAY.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", date(moment), moment.subsec_millis())
}

/// The midnight at which `YYYY-MM-DD` begins.
pub(crate) fn day(text: &str) -> Option<Duration> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..3000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    let days = year / 400 * 146_097 + of_era - 719_468;
    Some(Duration::from_secs(days * DAY.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_the_round_trip() {
        for text in ["1970-01-01", "2000-02-29", "2026-11-22", "2100-03-01"] {
            assert_eq!(day(text).map(date).as_deref(), Some(text));
        }
        assert_eq!(day("2026-13-01"), None);
        assert_eq!(day("soon"), None);
    }

    #[test]
    fn a_moment_has_its_time_of_day() {
        let moment = day("2026-11-22").expect("a date") + Duration::from_millis(3_661_007);
        assert_eq!(date_and_time(moment), "2026-11-22T01:01:01.007Z");
    }
}
