//! The words by which agents and models tell when a limit ends.
//!
//! Known are, after words such as `resets` and `try again`: `in 3 days 20 hours 17 minutes`, `in 11.054s`, `3pm`,
//! `at 4:41 PM`, `3:30am (America/New_York)`, `Nov 30, 9pm (UTC)`, `Nov 29th, 2026 10:26 PM`, `Mon 12:00am`,
//! `2026-11-30T10:00:00Z`, `2026-11-30 03:44:23`, seconds since 1970; and without them `…|1771000000`.

use std::time::Duration;

use jiff::{civil, tz::Offset};
use pv_lib::time::Timestamp;

use super::reset::{Day, LocalTime, Reset, Zone};

/// What comes before the time, in lower case.
const LEADS: [&str; 9] = [
    "try again",
    "trying again",
    "retry after",
    "retry in",
    "retry at",
    "reset",
    "available again",
    "available in",
    "please wait",
];

/// Words between these and the time.
const FILLERS: [&str; 9] = ["s", "at", "in", "on", "after", "until", "is", "for", "about"];

/// How much after such words is looked at, in characters.
const PHRASE_CHARS: usize = 80;

/// How much of a message is looked at, in bytes.
const MESSAGE_BYTES: usize = 8 * 1024;

/// Short names of zones that are none by themselves: `CST` is three different ones, and `PT` changes twice a year.
const AMBIGUOUS_ZONES: [&str; 24] = [
    "pst", "pdt", "pt", "mst", "mdt", "mt", "cst", "cdt", "ct", "est", "edt", "et", "akst", "hst", "bst", "wet", "cet",
    "cest", "eet", "msk", "ist", "jst", "kst", "aest",
];

/// Finds the end of a limit in a message.
pub(super) fn find_reset(message: &str) -> Option<Reset> {
    let text: String = message.chars().take(MESSAGE_BYTES).map(plain_space).collect::<String>().to_lowercase();
    let mut starts: Vec<usize> =
        LEADS.iter().flat_map(|lead| text.match_indices(lead)).map(|(at, lead)| at + lead.len()).collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|start| phrase(&text[start..])).or_else(|| after_bar(&text))
}

/// Between a time and `PM` some write spaces of other kinds.
fn plain_space(c: char) -> char {
    if c.is_whitespace() { ' ' } else { c }
}

fn phrase(text: &str) -> Option<Reset> {
    let end = text.char_indices().nth(PHRASE_CHARS).map_or(text.len(), |(at, _)| at);
    let mut rest = text[..end].trim_start_matches([' ', ':', '~']);
    while let Some(after) = FILLERS.iter().find_map(|filler| rest.strip_prefix(filler)?.strip_prefix([' ', ':'])) {
        rest = after.trim_start_matches([' ', ':', '~']);
    }
    span(rest).map(Reset::In).or_else(|| epoch(rest)).or_else(|| local(rest).map(Reset::Local))
}

/// Reads `3 days 20 hours and 17 minutes`, `1m30s`, `11.054s`, `an hour`: as many numbers with units as there are.
fn span(phrase: &str) -> Option<Duration> {
    let one = ["an ", "a "].iter().find_map(|article| phrase.strip_prefix(article));
    let (mut rest, mut seconds) = (one.unwrap_or(phrase), None);
    let mut number = one.map_or_else(|| leading_number(&mut rest), |_| Some(1.0));
    while let Some(count) = number {
        let (unit, after) = word(rest);
        let unit_seconds = match unit {
            "ms" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => break,
        };
        seconds = Some(seconds.unwrap_or(0.0) + count * unit_seconds);
        rest = after.trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
        number = leading_number(&mut rest);
    }
    // Rounded up, so that the wait is never too short.
    seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.ceil()).ok())
}

/// Takes a number, and the space after it, from the beginning of a text.
fn leading_number(text: &mut &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number = text[..digits].parse().ok()?;
    *text = text[digits..].trim_start();
    Some(number)
}

/// Reads seconds or milliseconds since 1970, ten or thirteen digits.
fn epoch(phrase: &str) -> Option<Reset> {
    let (digits, _) = digits(phrase)?;
    let number = digits.parse::<i64>().ok()?;
    let seconds = match digits.len() {
        10 => number,
        13 => number / 1000,
        _ => return None,
    };
    Some(Reset::At(Timestamp::from_unix_seconds(seconds)))
}

/// Reads the seconds since 1970 after a bar, at the end of a message.
fn after_bar(message: &str) -> Option<Reset> {
    let (_, seconds) = message.trim_end().rsplit_once('|')?;
    Some(Reset::At(Timestamp::from_unix_seconds(seconds.trim().parse().ok()?)))
}

/// Reads a day, a time and a zone; at least one of the first two must be there.
fn local(phrase: &str) -> Option<LocalTime> {
    let dated = day(phrase);
    let (day, rest) = dated.unwrap_or((Day::Any, phrase));
    let rest = rest.trim_start_matches([' ', ',', 't']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let (time, rest) = match clock(rest) {
        Some(read) => read,
        None if dated.is_some() => (civil::Time::midnight(), rest),
        None => return None,
    };
    Some(LocalTime { day, time, zone: zone(rest)? })
}

/// Reads `2026-11-30`, `nov 29th, 2026`, `30 november`, `mon`, `wed, dec 2`, `tomorrow`.
fn day(text: &str) -> Option<(Day, &str)> {
    if let Some(rest) = text.strip_prefix("tomorrow") {
        return Some((Day::Tomorrow, rest));
    }
    if let Some(rest) = text.strip_prefix("today") {
        return Some((Day::Any, rest));
    }
    if let Some(read) = iso_date(text) {
        return Some(read);
    }
    let (name, rest) = word(text);
    if let Some(weekday) = weekday(name) {
        let rest = rest.trim_start_matches([' ', ',', '.']);
        return Some(month_and_day(rest).unwrap_or((Day::Weekday(weekday), rest)));
    }
    month_and_day(text)
}

fn iso_date(text: &str) -> Option<(Day, &str)> {
    let (year, rest) = digits(text).filter(|(year, _)| year.len() == 4)?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '-' | '/'))?;
    let (month, rest) = digits(&rest[1..])?;
    let (day, rest) = digits(rest.strip_prefix(mark)?)?;
    let date = civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((Day::Date(date), rest))
}

fn month_and_day(text: &str) -> Option<(Day, &str)> {
    let day_first = digits(text).filter(|(day, _)| day.len() <= 2);
    let (number, name, rest) = match day_first {
        Some((number, rest)) => {
            let (name, rest) = word(without_ordinal(rest).trim_start());
            (number, name, rest)
        }
        None => {
            let (name, rest) = word(text);
            let (number, rest) = digits(rest.trim_start_matches([' ', '.']))?;
            (number, name, without_ordinal(rest))
        }
    };
    let (month, day) = (month(name)?, number.parse().ok()?);
    let after = rest.trim_start_matches([' ', ',', '.']);
    match digits(after).filter(|(year, _)| year.len() == 4) {
        Some((year, rest)) => Some((Day::Date(civil::Date::new(year.parse().ok()?, month, day).ok()?), rest)),
        // A day that no year has is none. Leap years have them all.
        None => civil::Date::new(2028, month, day).is_ok().then_some((Day::Month { month, day }, rest)),
    }
}

fn without_ordinal(text: &str) -> &str {
    ["st", "nd", "rd", "th"].iter().find_map(|suffix| text.strip_prefix(suffix)).unwrap_or(text)
}

fn month(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let index = MONTHS.iter().position(|month| name.len() >= 3 && month.starts_with(name))?;
    i8::try_from(index + 1).ok()
}

fn weekday(name: &str) -> Option<civil::Weekday> {
    const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let index = WEEKDAYS.iter().position(|weekday| name.len() >= 3 && weekday.starts_with(name))?;
    civil::Weekday::from_monday_zero_offset(i8::try_from(index).ok()?).ok()
}

/// Reads `3pm`, `3:30 am`, `12:05 p.m.`, `15:30`, `03:44:23.5`, `noon`, `midnight`.
fn clock(text: &str) -> Option<(civil::Time, &str)> {
    for (name, hour) in [("noon", 12), ("midnight", 0)] {
        if let Some(rest) = text.strip_prefix(name) {
            return Some((civil::time(hour, 0, 0, 0), rest));
        }
    }
    let two_digits = |text| digits(text).filter(|(digits, _)| digits.len() == 2);
    let (hour, mut rest) = digits(text).filter(|(hour, _)| hour.len() <= 2)?;
    let mut hour: i8 = hour.parse().ok()?;
    let (mut minute, mut second) = (None, 0);
    if let Some((digits, after)) = rest.strip_prefix(':').and_then(two_digits) {
        (minute, rest) = (Some(digits.parse().ok()?), after);
        if let Some((digits, after)) = rest.strip_prefix(':').and_then(two_digits) {
            (second, rest) = (digits.parse().ok()?, after);
            rest = rest.strip_prefix('.').and_then(digits_after).unwrap_or(rest);
        }
    }
    if let Some((is_afternoon, after)) = meridiem(rest) {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if is_afternoon { 12 } else { 0 };
        rest = after;
    } else {
        minute?;
    }
    Some((civil::Time::new(hour, minute.unwrap_or(0), second, 0).ok()?, rest))
}

fn digits_after(text: &str) -> Option<&str> {
    digits(text).map(|(_, rest)| rest)
}

fn meridiem(text: &str) -> Option<(bool, &str)> {
    let text = text.trim_start();
    let spelled = [("a.m.", false), ("p.m.", true), ("am", false), ("pm", true)];
    let (is_afternoon, rest) = spelled.iter().find_map(|(word, pm)| Some((*pm, text.strip_prefix(word)?)))?;
    let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    ends.then_some((is_afternoon, rest))
}

/// Reads the zone after a time; `None` where it is a name that says no zone.
fn zone(text: &str) -> Option<Zone> {
    let text = text.trim_start();
    if let Some((inside, _)) = text.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
        return zone_in_parentheses(inside.trim());
    }
    if let Some(offset) = offset(text) {
        return Some(Zone::Offset(offset));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '/' | '_' | '-' | '+'));
    let name = &text[..end.unwrap_or(text.len())];
    match name {
        _ if AMBIGUOUS_ZONES.contains(&name) => None,
        _ if name.contains('/') && !name.starts_with('/') => Some(Zone::Named(name.to_owned())),
        _ => Some(Zone::Host),
    }
}

fn zone_in_parentheses(inside: &str) -> Option<Zone> {
    let is_no_zone = inside.bytes().all(|b| b.is_ascii_digit()) || inside.starts_with("in ");
    if is_no_zone || inside.ends_with("local time") {
        return Some(Zone::Host);
    }
    if let Some(offset) = offset(inside) {
        return Some(Zone::Offset(offset));
    }
    let is_name = !AMBIGUOUS_ZONES.contains(&inside) && !inside.contains(' ');
    is_name.then(|| Zone::Named(inside.to_owned()))
}

/// Reads `z`, `utc`, `etc/utc`, `gmt+2`, `+05:30`, `-0800`.
fn offset(text: &str) -> Option<Offset> {
    let named = ["etc/utc", "utc", "gmt", "z"].iter().find_map(|name| text.strip_prefix(name));
    let rest = named.unwrap_or(text);
    let sign = match rest.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        Some(c) if c.is_ascii_alphanumeric() || matches!(c, '/' | '_') => return None,
        _ => return named.map(|_| Offset::UTC),
    };
    let (hours, rest) = digits(&rest[1..])?;
    let (hours, minutes) = match hours.len() {
        4 => hours.split_at(2),
        1 | 2 => (hours, rest.strip_prefix(':').and_then(digits).map_or("0", |(minutes, _)| minutes)),
        _ => return None,
    };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok().filter(|m| *m < 60)? * 60;
    Offset::from_seconds(sign * seconds).ok()
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}
