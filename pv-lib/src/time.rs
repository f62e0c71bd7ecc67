//! Points in time as job records write them (RFC 3339, UTC, whole seconds), and durations as people write them.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{SignedDuration, civil};
use serde::{Deserialize, Serialize, de};

/// A point in time, in whole seconds since the Unix epoch.
///
/// Written as `2026-01-31T12:00:00Z`. Reads every RFC 3339 form, with fractions (dropped) and offsets
/// (converted); a time without a zone counts as UTC, since the earlier service wrote such times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// A text that is no time in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-01-31T12:00:00Z")]
pub struct ParseTimestampError(String);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: a number of seconds, or a number with a unit, such as 90s, 30m or 2h")]
pub struct ParseDurationError(String);

/// The longest duration that can be written, in seconds: ten years.
const LONGEST_DURATION_SECONDS: f64 = 10.0 * 366.0 * 24.0 * 3600.0;

/// Reads a duration: a number of seconds (`90`, `2.5`), or a number with the unit `s`, `m` or `h`.
///
/// # Errors
/// [`ParseDurationError`] for anything else, for a negative one, and for one of more than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let refuse = || ParseDurationError(text.chars().take(80).collect());
    let (number, unit_seconds) = match text.trim() {
        t if t.ends_with('s') => (&t[..t.len() - 1], 1.0),
        t if t.ends_with('m') => (&t[..t.len() - 1], 60.0),
        t if t.ends_with('h') => (&t[..t.len() - 1], 3600.0),
        t => (t, 1.0),
    };
    let number = number.trim_end();
    // Stricter than `f64`, which also reads signs, exponents, `inf` and `nan`.
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(refuse());
    }
    let seconds = number.parse::<f64>().map_err(|_| refuse())? * unit_seconds;
    if seconds > LONGEST_DURATION_SECONDS {
        return Err(refuse());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| refuse())
}

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// Returns the time that lies `seconds` after the Unix epoch, clamped to the years -9999 to 9999.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let range = jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second();
        let seconds = seconds.clamp(*range.start(), *range.end());
        Self(jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// Returns the seconds since the Unix epoch.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Returns how long ago `earlier` was; zero if it lies in the future, so that an age is never negative.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.unix_seconds().saturating_sub(earlier.unix_seconds());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Returns the time `later` after this one, clamped to the largest representable time.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        let seconds = i64::try_from(later.as_secs()).unwrap_or(i64::MAX);
        Self::from_unix_seconds(self.unix_seconds().saturating_add(seconds))
    }

    /// Returns the compact form `20260131120000` that names files of prompts submitted without a name.
    #[must_use]
    pub fn compact(self) -> String {
        self.0.strftime("%Y%m%d%H%M%S").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let zoned = text.parse::<jiff::Timestamp>();
        let parsed = zoned.or_else(|_| {
            let naive = text.parse::<civil::DateTime>()?;
            jiff::tz::TimeZone::UTC.to_timestamp(naive)
        });
        let whole = parsed.and_then(|t| t.round(floor_to_seconds()));
        whole.map(Self).map_err(|_| ParseTimestampError(text.into()))
    }
}

fn floor_to_seconds() -> jiff::TimestampRound {
    jiff::TimestampRound::new().smallest(jiff::Unit::Second).mode(jiff::RoundMode::Floor)
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// Converts, dropping the fraction of a second; a time outside the range becomes the epoch.
    fn from(time: std::time::SystemTime) -> Self {
        let since = SignedDuration::system_until(std::time::UNIX_EPOCH, time);
        Self::from_unix_seconds(since.map_or(0, |d| d.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), expected, "{text}");
    }

    #[test]
    fn reads_every_form_that_records_hold() {
        check("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z");
        check("2026-01-31T12:00:00.999999Z", "2026-01-31T12:00:00Z");
        check("2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00Z");
        check("2026-01-31T12:00:00", "2026-01-31T12:00:00Z");
        check("2026-01-31T12:00:00.123456", "2026-01-31T12:00:00Z");
        check("2026-01-31 12:00:00Z", "2026-01-31T12:00:00Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "soon", "2026-13-01T00:00:00Z", "1769860800"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_is_never_negative() {
        let (early, late) = (Timestamp::from_unix_seconds(10), Timestamp::from_unix_seconds(70));
        assert_eq!(late.since(early), Duration::from_secs(60));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn compact_form_sorts_by_time() {
        assert_eq!(Timestamp::from_unix_seconds(1_769_860_800).compact(), "20260131120000");
    }

    #[test]
    fn reads_durations_as_people_write_them() {
        for (text, seconds) in
            [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), ("5.0", 5.0), ("0", 0.0), (" 1.5 m ", 90.0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["", "s", "-1", "+1", "1e3", "inf", "nan", "1d", "1h30m", "1.2.3", ".", "soon", "99999999h", "1ä"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
