//! When a usage or rate limit ends, as agents and models say it.

use std::time::Duration;

use jiff::{civil, tz::TimeZone};
use pv_lib::time::Timestamp;

/// What a message about a limit says, in lower case.
const LIMIT_WORDS: [&str; 8] = [
    "usage limit",
    "rate limit",
    "rate_limit",
    "429 too many requests",
    "quota exceeded",
    "insufficient_quota",
    "hit your limit",
    "exceeded your current quota",
];

/// What comes before the time, in lower case.
const BEFORE_TIME: [&str; 3] = ["try again in ", "try again at ", "resets "];

/// The longest wait that is believed, in seconds: a month, which is how often quotas begin anew.
const LONGEST_SECONDS: u64 = 31 * 24 * 3600;

/// How much of a message is looked at for a time, in characters.
const PHRASE_CHARS: usize = 60;

/// When a limit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    /// At this moment.
    At(Timestamp),
    /// After so long.
    In(Duration),
    /// When clocks here show this next.
    Clock(civil::Time),
    /// When calendars and clocks here show this.
    Date(civil::DateTime),
}

impl Reset {
    /// Tells whether a message says that a limit is reached.
    pub(super) fn is_limit(message: &str) -> bool {
        let message = message.to_lowercase();
        LIMIT_WORDS.iter().any(|words| message.contains(words))
    }

    /// Finds the time in a message; `None` where there is none that is understood.
    ///
    /// Known are `try again in 11.054s`, `… in 3 days 20 hours 17 minutes`, `try again at 4:41 PM`,
    /// `… at Nov 29th, 2026 10:26 PM`, `resets 3pm`, and `…|1771000000`.
    pub(super) fn read(message: &str) -> Option<Self> {
        let lower = message.to_lowercase();
        let phrase = BEFORE_TIME.iter().find_map(|before| lower.split_once(before).map(|(_, phrase)| phrase));
        let phrase: String = phrase.unwrap_or_default().chars().take(PHRASE_CHARS).collect();
        let phrase = phrase.trim_start_matches("at ").trim_start_matches("in ");
        span(phrase).map(Self::In).or_else(|| date(phrase)).or_else(|| clock(phrase)).or_else(|| epoch(&lower))
    }

    /// Returns the moment, seen from `now` in the zone of this host's clock; `None` where there is none.
    pub(super) fn at(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let latest = now.after(Duration::from_secs(LONGEST_SECONDS));
        let at = match self {
            Self::At(at) => *at,
            Self::In(span) => now.after(*span),
            Self::Clock(time) => {
                let here = jiff::Timestamp::from_second(now.unix_seconds()).ok()?.to_zoned(zone.clone());
                let today = local(here.date().to_datetime(*time), zone)?;
                if today > now { today } else { local(here.date().tomorrow().ok()?.to_datetime(*time), zone)? }
            }
            Self::Date(date) => local(*date, zone)?,
        };
        Some(at.min(latest))
    }
}

fn local(date: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = zone.to_timestamp(date).ok()?;
    Some(Timestamp::from_unix_seconds(at.as_second()))
}

/// Reads `3 days 20 hours 17 minutes`, `1m30s`, `11.054s`: as many numbers with units as there are.
fn span(phrase: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (phrase.trim_start(), None);
    while let Some((number, unit, after)) = number_with_unit(rest) {
        let unit_seconds = match unit {
            "ms" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86400.0,
            _ => break,
        };
        seconds = Some(seconds.unwrap_or(0.0) + number * unit_seconds);
        rest = after.trim_start_matches([' ', ',']);
    }
    // Rounded up, so that the wait is never too short.
    seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.ceil()).ok())
}

fn number_with_unit(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    Some((number.parse().ok()?, &rest[..end], &rest[end..]))
}

/// Reads `nov 29th, 2026 10:26 pm`.
fn date(phrase: &str) -> Option<Reset> {
    let words: Vec<&str> = phrase.split([' ', ',']).filter(|word| !word.is_empty()).take(5).collect();
    let [month, day, year, time, half] = words[..] else { return None };
    let day = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let half = half.get(..2)?;
    let text = format!("{month} {day} {year} {time} {half}");
    civil::DateTime::strptime("%b %d %Y %I:%M %p", text).ok().map(Reset::Date)
}

/// Reads `4:41 pm` and `3pm`.
fn clock(phrase: &str) -> Option<Reset> {
    let end = phrase.find(['a', 'p'])?;
    let (time, half) = (phrase[..end].trim(), phrase.get(end..end + 2)?);
    let time = if time.contains(':') { format!("{time} {half}") } else { format!("{time}:00 {half}") };
    civil::Time::strptime("%I:%M %p", time).ok().map(Reset::Clock)
}

/// Reads the seconds since 1970 after a bar.
fn epoch(message: &str) -> Option<Reset> {
    let (_, seconds) = message.rsplit_once('|')?;
    let seconds = seconds.trim().parse::<i64>().ok()?;
    Some(Reset::At(Timestamp::from_unix_seconds(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T15:39:00Z";

    fn check(message: &str, zone: &TimeZone, expected: Option<&str>) {
        let now = NOW.parse().unwrap();
        let at = Reset::read(message).and_then(|reset| reset.at(now, zone));
        assert_eq!(at.map(|at| at.to_string()).as_deref(), expected, "{message}");
    }

    #[test]
    fn reads_the_times_that_agents_are_known_to_say() {
        let utc = &TimeZone::UTC;
        check("Limit 30000. Please try again in 11.054s.", utc, Some("2026-11-25T15:39:12Z"));
        check("try again in 20s", utc, Some("2026-11-25T15:39:20Z"));
        check("Try again in 1m30s.", utc, Some("2026-11-25T15:40:30Z"));
        check("or try again in 3 days 20 hours 17 minutes.", utc, Some("2026-11-29T11:56:00Z"));
        check("You’ve hit your usage limit … or try again at 4:41 PM.", utc, Some("2026-11-25T16:41:00Z"));
        check("or try again at 3:05 PM.", utc, Some("2026-11-26T15:05:00Z"));
        check("or try again at Nov 29th, 2026 10:26 PM.", utc, Some("2026-11-29T22:26:00Z"));
        check("You've hit your limit · resets 3am (UTC)", utc, Some("2026-11-26T03:00:00Z"));
        check("Claude AI usage limit reached|1795630000", utc, Some("2026-11-25T18:06:40Z"));
        let berlin = &TimeZone::fixed(jiff::tz::offset(1));
        check("try again at 5:41 PM", berlin, Some("2026-11-25T16:41:00Z"));
        check("try again at 12:05 AM", berlin, Some("2026-11-25T23:05:00Z"));
    }

    #[test]
    fn what_it_does_not_understand_is_no_time_and_no_wait_is_longer_than_a_month() {
        let utc = &TimeZone::UTC;
        let unknown = [
            "",
            "later",
            "try again in",
            "try again in a moment",
            "try again at ",
            "try again at 25:00 PM",
            "resets p",
            "|",
        ];
        for message in unknown {
            check(message, utc, None);
        }
        check("try again in 4000 days", utc, Some("2026-12-26T15:39:00Z"));
        check("x|9223372036854775807", utc, Some("2026-12-26T15:39:00Z"));
        check("try again in 99999999999999999999999999999 days", utc, None);
    }

    #[test]
    fn tells_a_limit_from_other_failures() {
        for message in [
            "exceeded retry limit, last status: 429 Too Many Requests",
            "You’ve hit your usage limit.",
            "Quota exceeded. Check your plan and billing details.",
            "rate limit exceeded: Rate limit reached for gpt",
        ] {
            assert!(Reset::is_limit(message), "{message}");
        }
        for message in ["unexpected status 401 Unauthorized", "stream disconnected before completion", "line 429"] {
            assert!(!Reset::is_limit(message), "{message}");
        }
    }
}
