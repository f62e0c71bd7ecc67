//! When a usage or rate limit ends, and which moment that is.
//!
//! Agents tell it as a span, as a moment, or as what a calendar and a clock somewhere will show. What they show is a
//! moment only together with a time zone: the one that the words name, else the one of this host. A zone that the host's
//! tz database does not have gives no moment at all, since an end that is not known does less harm than a wrong one.

use std::time::Duration;

use jiff::{
    civil,
    tz::{Offset, TimeZone},
};
use pv_lib::time::Timestamp;

/// The longest wait that is believed, in seconds: a month, which is how often quotas begin anew.
const LONGEST_SECONDS: u64 = 31 * 24 * 3600;

/// For how long a clock time counts as just over, in seconds, and not as tomorrow's: agents tell no seconds, and what
/// they say takes a while to arrive.
const JUST_OVER_SECONDS: u64 = 5 * 60;

/// When a limit ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// At this moment.
    At(Timestamp),
    /// After so long.
    In(Duration),
    /// When a calendar and a clock show this.
    Local(LocalTime),
}

/// What a calendar and a clock show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalTime {
    pub(super) day: Day,
    pub(super) time: civil::Time,
    pub(super) zone: Zone,
}

/// What a calendar shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// Any day: the next time that the clock shows it.
    Any,
    /// The day after today.
    Tomorrow,
    /// The next such day of the week.
    Weekday(civil::Weekday),
    /// The next such day of the year.
    Month { month: i8, day: i8 },
    /// That day.
    Date(civil::Date),
}

/// Where calendar and clock hang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Zone {
    /// On this host.
    Host,
    /// At a place with this offset to UTC.
    Offset(Offset),
    /// In the zone of this name, such as `america/new_york`; it may be none.
    Named(String),
}

impl Reset {
    /// Returns the moment, seen from `now`, where clocks without a zone are those of `host`; `None` where there is none.
    /// It may be over already. Zones are looked up in the tz database of this host.
    pub(super) fn at(&self, now: Timestamp, host: &TimeZone) -> Option<Timestamp> {
        let latest = now.after(Duration::from_secs(LONGEST_SECONDS));
        let at = match self {
            Self::At(at) => *at,
            Self::In(span) => now.after(*span),
            Self::Local(local) => local.at(now, host, latest)?,
        };
        Some(at.min(latest))
    }
}

impl LocalTime {
    fn at(&self, now: Timestamp, host: &TimeZone, latest: Timestamp) -> Option<Timestamp> {
        let zone = match &self.zone {
            Zone::Host => host.clone(),
            Zone::Offset(offset) => TimeZone::fixed(*offset),
            Zone::Named(name) => TimeZone::get(name).ok()?,
        };
        let on = |date: civil::Date| moment(date.to_datetime(self.time), &zone);
        let is_ahead = |at: &Timestamp| at.after(Duration::from_secs(JUST_OVER_SECONDS)) > now;
        let today = jiff::Timestamp::from_second(now.unix_seconds()).ok()?.to_zoned(zone.clone()).date();
        match self.day {
            Day::Any => on(today).filter(is_ahead).or_else(|| on(today.tomorrow().ok()?)),
            Day::Tomorrow => on(today.tomorrow().ok()?),
            Day::Weekday(weekday) => {
                let first = today.yesterday().ok()?.nth_weekday(1, weekday).ok()?;
                on(first).filter(is_ahead).or_else(|| on(first.nth_weekday(1, weekday).ok()?))
            }
            Day::Month { month, day } => {
                let in_year = |year: i16| on(civil::Date::new(year, month, day).ok()?);
                // A day of next year that is further off than any wait was misread, or is long over.
                let next = || in_year(today.year().checked_add(1)?).filter(|at| *at <= latest);
                in_year(today.year()).filter(is_ahead).or_else(next)
            }
            Day::Date(date) => on(date),
        }
    }
}

/// Returns the moment at which clocks of a zone show this. Where they show it twice it is the later one, and where they
/// skip it the one after: a wait that is too short costs a job.
fn moment(shown: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = zone.to_ambiguous_timestamp(shown).later().ok()?;
    Some(Timestamp::from_unix_seconds(at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::reset_phrase::find_reset;

    fn at(message: &str, now: &str, host: &TimeZone) -> String {
        let at = find_reset(message).and_then(|reset| reset.at(now.parse().unwrap(), host));
        at.map_or_else(|| "unknown".to_owned(), |at| at.to_string())
    }

    /// The zone of a host that is nowhere near any that a message names.
    fn elsewhere() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(9))
    }

    #[test]
    fn c16_the_cases_at_that_moment() {
        const NOW: &str = "2026-11-27T03:44:00Z";
        for host in [TimeZone::UTC, elsewhere(), TimeZone::fixed(jiff::tz::offset(-11))] {
            let check =
                |message: &str, expected: &str| assert_eq!(at(message, NOW, &host), expected, "{message} {host:?}");
            check("You've hit your session limit · resets 3:30am (America/New_York)", "2026-11-27T08:30:00Z");
            check("You've hit your weekly limit · resets Nov 30, 9pm (UTC)", "2026-11-30T21:00:00Z");
            check("Your limit will reset at 2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z");
        }
        let here = "Weekly limit exhausted. Your limit will reset at 2026-11-30 03:44:23";
        assert_eq!(at(here, NOW, &TimeZone::UTC), "2026-11-30T03:44:23Z");
        assert_eq!(at(here, NOW, &elsewhere()), "2026-11-29T18:44:23Z");
    }

    /// Each agent's and model provider's words.
    #[test]
    fn c16_reads_the_times_that_agents_say() {
        const NOW: &str = "2026-11-25T15:39:00Z";
        let table = [
            // codex
            ("You’ve hit your usage limit. Try again in 3 days 4 hours 5 minutes.", "2026-11-28T19:44:00Z"),
            ("or try again in 3 days 20 hours 17 minutes.", "2026-11-29T11:56:00Z"),
            ("You’ve hit your usage limit … or try again at 4:41 PM.", "2026-11-25T16:41:00Z"),
            ("or try again at 3:05 PM.", "2026-11-26T15:05:00Z"),
            ("or try again at Nov 29th, 2026 10:26 PM.", "2026-11-29T22:26:00Z"),
            ("purchase more credits or try again at Dec 2nd, 2026 8:06 AM.", "2026-12-02T08:06:00Z"),
            ("You’ve hit your usage limit. Try again later.", "unknown"),
            // claude
            ("You've hit your limit · resets 3am (UTC)", "2026-11-26T03:00:00Z"),
            ("5-hour limit reached ∙ resets 3pm", "2026-11-26T15:00:00Z"),
            ("You've hit your session limit · resets 8:30pm (Asia/Tokyo)", "2026-11-26T11:30:00Z"),
            ("You've hit your session limit · resets 3:20am (Asia/Calcutta)", "2026-11-25T21:50:00Z"),
            ("You've hit your session limit · resets 12:50am (America/Los_Angeles)", "2026-11-26T08:50:00Z"),
            ("You've hit your weekly limit · resets Dec 2, 3:06am (America/New_York)", "2026-12-02T08:06:00Z"),
            ("You've hit your weekly limit · resets Dec 6 at 1pm (Asia/Seoul) (429)", "2026-12-06T04:00:00Z"),
            ("You've hit your weekly limit · resets Mon 12:00am", "2026-11-30T00:00:00Z"),
            ("You've hit your limit · resets Wed 3pm", "2026-12-02T15:00:00Z"),
            ("You've hit your limit · resets Wed 5pm", "2026-11-25T17:00:00Z"),
            ("You've hit your limit · resets 3\u{202f}PM (Etc/UTC)", "2026-11-26T15:00:00Z"),
            (
                "You've hit your org's monthly spend limit · ask your admin · your session limit resets 5:20pm (UTC)",
                "2026-11-25T17:20:00Z",
            ),
            ("You're out of extra usage · resets 12pm (UTC)", "2026-11-26T12:00:00Z"),
            ("Claude AI usage limit reached|1795630000", "2026-11-25T18:06:40Z"),
            ("Claude AI usage limit reached|1764500000", "2025-11-30T10:53:20Z"),
            ("Fast limit reached and temporarily disabled · resets in 5m 30s", "2026-11-25T15:44:30Z"),
            // model providers, as opencode and others pass them on
            ("Limit 30000. Please try again in 11.054s.", "2026-11-25T15:39:12Z"),
            ("try again in 20s", "2026-11-25T15:39:20Z"),
            ("Try again in 1m30s.", "2026-11-25T15:40:30Z"),
            ("Please retry in 34.074824224s.", "2026-11-25T15:39:35Z"),
            ("Your quota will reset after 2h15m30s.", "2026-11-25T17:54:30Z"),
            ("please try again in an hour", "2026-11-25T16:39:00Z"),
            ("Rate limited, retry after 90 seconds", "2026-11-25T15:40:30Z"),
            ("Please wait 2 hours and 5 minutes before trying again.", "2026-11-25T17:44:00Z"),
            ("Limit resets at: 2026-11-25T18:00:00.250+02:00", "2026-11-25T16:00:00Z"),
            ("Your limit will reset at 2026-11-30 03:44:23 +0800", "2026-11-29T19:44:23Z"),
            ("will reset on 30 Nov 2026 21:00 UTC", "2026-11-30T21:00:00Z"),
            ("resets on Monday, November 30 at 9:05 p.m. (GMT+1)", "2026-11-30T20:05:00Z"),
            ("resets at 1795630000", "2026-11-25T18:06:40Z"),
            ("resets at 1795630000123", "2026-11-25T18:06:40Z"),
            ("resets tomorrow at 9am", "2026-11-26T09:00:00Z"),
            ("resets at midnight (UTC)", "2026-11-26T00:00:00Z"),
            ("resets at noon", "2026-11-26T12:00:00Z"),
            ("resets at 16:45", "2026-11-25T16:45:00Z"),
            ("Daily limit resets Dec 1", "2026-12-01T00:00:00Z"),
        ];
        for (message, expected) in table {
            assert_eq!(at(message, NOW, &TimeZone::UTC), expected, "{message}");
        }
        assert_eq!(at("try again at 5:41 PM", NOW, &TimeZone::fixed(jiff::tz::offset(1))), "2026-11-25T16:41:00Z");
        assert_eq!(at("try again at 12:05 AM", NOW, &TimeZone::fixed(jiff::tz::offset(1))), "2026-11-25T23:05:00Z");
    }

    #[test]
    fn c16_a_day_that_is_over_is_the_next_one_and_a_minute_that_is_over_is_over() {
        let table = [
            ("resets Jan 2, 9am (UTC)", "2026-12-30T00:00:00Z", "2027-01-02T09:00:00Z"),
            ("resets Jan 2, 9am (UTC)", "2027-01-02T08:00:00Z", "2027-01-02T09:00:00Z"),
            ("resets Feb 29, 9am (UTC)", "2028-02-28T00:00:00Z", "2028-02-29T09:00:00Z"),
            // Nearly a year ahead is no limit of any account.
            ("resets Nov 20, 9pm (UTC)", "2026-11-27T00:00:00Z", "unknown"),
            ("resets Feb 29, 9am (UTC)", "2026-02-28T00:00:00Z", "unknown"),
            ("resets 3am (UTC)", "2026-11-27T02:59:59Z", "2026-11-27T03:00:00Z"),
            ("resets 3am (UTC)", "2026-11-27T03:04:59Z", "2026-11-27T03:00:00Z"),
            ("resets 3am (UTC)", "2026-11-27T03:05:00Z", "2026-11-28T03:00:00Z"),
            ("resets Nov 27, 3am (UTC)", "2026-11-27T03:01:00Z", "2026-11-27T03:00:00Z"),
            ("resets Fri 3am (UTC)", "2026-11-27T03:01:00Z", "2026-11-27T03:00:00Z"),
            ("resets Fri 3am (UTC)", "2026-11-27T03:10:00Z", "2026-12-04T03:00:00Z"),
            ("resets 12am (UTC)", "2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z"),
            ("resets 11pm (America/Los_Angeles)", "2026-11-27T06:00:00Z", "2026-11-27T07:00:00Z"),
            // At a date that is over: the hold that follows has no known end.
            ("try again at Nov 20th, 2026 10:26 PM.", "2026-11-27T00:00:00Z", "2026-11-20T13:26:00Z"),
        ];
        for (message, now, expected) in table {
            assert_eq!(at(message, now, &elsewhere()), expected, "{message} at {now}");
        }
    }

    #[test]
    fn c16_where_clocks_are_changed_the_later_moment_counts() {
        let table = [
            // In New York clocks show 1:30 twice on November 1st, at 05:30Z and at 06:30Z.
            ("resets 1:30am (America/New_York)", "2026-11-01T04:00:00Z", "2026-11-01T06:30:00Z"),
            ("resets 1:30am (America/New_York)", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"),
            ("resets 1:30am (America/New_York)", "2026-11-01T07:00:00Z", "2026-11-02T06:30:00Z"),
            ("resets 3:30am (America/New_York)", "2026-11-01T04:00:00Z", "2026-11-01T08:30:00Z"),
            // They do not show 2:30 on March 14th: an hour later they show 3:30.
            ("resets 2:30am (America/New_York)", "2027-03-14T05:00:00Z", "2027-03-14T07:30:00Z"),
            ("resets Mar 14, 2:30am (America/New_York)", "2027-03-10T05:00:00Z", "2027-03-14T07:30:00Z"),
            ("resets 2:30am (Europe/Berlin)", "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"),
        ];
        for (message, now, expected) in table {
            assert_eq!(at(message, now, &elsewhere()), expected, "{message} at {now}");
        }
    }

    #[test]
    fn c16_what_is_not_understood_is_no_time_and_no_wait_is_longer_than_a_month() {
        const NOW: &str = "2026-11-25T15:39:00Z";
        for message in [
            "",
            "later",
            "try again in",
            "try again in a moment",
            "try again in a few minutes",
            "try again at ",
            "try again at 25:00 PM",
            "try again at 13pm",
            "resets p",
            "resets 3",
            "resets 24:30",
            "resets at 3 amazing places",
            "resets Nov 31, 9pm (UTC)",
            "resets 2026-13-01 10:00",
            "|",
            "a|b",
            // Zones that are none, or several.
            "resets 3am (Mars/Olympus_Mons)",
            "resets 3am (lunch)",
            "resets 3am (Pacific Time)",
            "resets 3am (PST)",
            "resets 3am CST",
            "resets 3am Moon/Base",
            "try again in 99999999999999999999999999999 days",
        ] {
            assert_eq!(at(message, NOW, &TimeZone::UTC), "unknown", "{message}");
        }
        for message in ["try again in 4000 days", "x|9223372036854775807", "resets Jan 31, 2027, 9pm (UTC)"] {
            assert_eq!(at(message, NOW, &TimeZone::UTC), "2026-12-26T15:39:00Z", "{message}");
        }
        for message in
            ["resets 3am (local time)", "resets 3am (429)", "resets 3am (in 11 hours)", "resets 3am. Upgrade"]
        {
            assert_eq!(at(message, NOW, &TimeZone::UTC), "2026-11-26T03:00:00Z", "{message}");
        }
    }
}
