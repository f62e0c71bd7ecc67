//! The types of settings: how each is read from text, and how it is shown again.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde_json::Value as Json;

use super::{
    AgentEvents, CheckoutMode, EmptyWork, GitProtocol, InboxStyle, PullRequest, Secret, SubmoduleMode,
    command_line::split_command_line,
};
use crate::{inbox_tree::BranchMode, prompt::Deliver, target::Target, time::parse_duration};

/// A type of settings: how a value is read from text, and how it is shown.
pub(super) struct SettingType<T> {
    /// What would be right, for people: the end of "use …".
    pub(super) wanted: &'static str,
    /// Reads it; `None` where the text is not right.
    pub(super) parse: fn(&str) -> Option<T>,
    /// Reads it from a YAML list, where that makes sense.
    pub(super) parse_list: fn(Vec<String>) -> Option<T>,
    /// Reads it from a YAML list with lists in it, where that makes sense.
    pub(super) parse_items: fn(Vec<Item>) -> Option<T>,
    /// Shows it.
    pub(super) show: fn(&T) -> Json,
    /// Whether a value that is not right may be a secret, and is not shown.
    pub(super) hides_invalid: bool,
}

/// An entry of a list that may have lists in it.
pub(super) enum Item {
    Text(String),
    List(Vec<String>),
}

impl<T> SettingType<T> {
    const fn new(wanted: &'static str, parse: fn(&str) -> Option<T>, show: fn(&T) -> Json) -> Self {
        Self { wanted, parse, parse_list: |_| None, parse_items: |_| None, show, hides_invalid: false }
    }

    /// Hides a value that is not right.
    const fn hiding(self) -> Self {
        Self { hides_invalid: true, ..self }
    }
}

pub(super) const FOLDER: SettingType<Utf8PathBuf> =
    SettingType::new("an absolute path, such as /srv/prompt-valet", absolute, |path| path.as_str().into());

pub(super) const FILE: SettingType<Utf8PathBuf> =
    SettingType::new("an absolute path, such as /etc/prompt-valet/token", absolute, |path| path.as_str().into());

/// The file of a secret: people put the secret itself there by mistake.
pub(super) const SECRET_FILE: SettingType<Utf8PathBuf> = FILE.hiding();

pub(super) const TEXT: SettingType<String> = SettingType::new("one line of text", one_line, text_json);

pub(super) const WORD: SettingType<String> = SettingType::new("one word, without blanks", word, text_json);

pub(super) const OWNER: SettingType<String> = SettingType::new(
    "an owner's name as it stands in the repository's address, without slashes",
    |text| Target::new(Some(text), "r", "b").is_ok().then(|| text.to_owned()),
    text_json,
);

pub(super) const BRANCH_PREFIX: SettingType<String> = SettingType::new(
    "the beginning of a branch name, such as codex/",
    |text| Target::new(None, "r", &format!("{text}x")).is_ok().then(|| text.to_owned()),
    text_json,
);

pub(super) const USER: SettingType<String> = SettingType::new("the name of a user of this host", word, text_json);

pub(super) const HOST: SettingType<String> = SettingType::new(
    "an address or a host name without a port, such as 127.0.0.1 (the port is a setting of its own)",
    host,
    text_json,
);

pub(super) const SECRET: SettingType<Secret> = SettingType::new(
    "a secret without spaces, of printable ASCII characters",
    |text| Secret::read(text.as_bytes()).ok().flatten(),
    |_| "(set)".into(),
)
.hiding();

pub(super) const BASE_URL: SettingType<String> = SettingType::new(
    "an address such as http://127.0.0.1:8888/api/v1, or https://valet.example/api/v1 for another host",
    base_url,
    text_json,
);

pub(super) const HTTP_URL: SettingType<String> = SettingType::new(
    "an address such as https://api.github.com, without a user, a password, `?` or `#` (a token belongs into the file that \
     delivery.token_file names)",
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let is_plain = !rest.is_empty() && !rest.contains(['@', '?', '#']);
        is_plain.then(|| word(text.trim_end_matches('/'))).flatten()
    },
    text_json,
);

pub(super) const PORT: SettingType<u16> = SettingType::new(
    "a port from 1 to 65535",
    |text| text.parse().ok().filter(|port| *port > 0),
    |port| (*port).into(),
);

pub(super) const COUNT: SettingType<usize> = SettingType::new(
    "a whole number from 1 to 1000",
    |text| text.parse().ok().filter(|count| (1..=1000).contains(count)),
    |count| (*count).into(),
);

pub(super) const COUNT_OR_ZERO: SettingType<usize> = SettingType::new(
    "a whole number from 1 to 1000, or 0 for no limit",
    |text| text.parse().ok().filter(|count| *count <= 1000),
    |count| (*count).into(),
);

pub(super) const BYTES: SettingType<u64> =
    SettingType::new("a number of bytes, or a number with a unit, such as 64KiB or 16MiB", bytes, |bytes| {
        (*bytes).into()
    });

pub(super) const BYTES_ABOVE_ZERO: SettingType<u64> = SettingType::new(
    "a number of bytes above zero, or a number with a unit, such as 64KiB or 16MiB",
    |text| bytes(text).filter(|bytes| *bytes > 0),
    |bytes| (*bytes).into(),
);

pub(super) const TIME: SettingType<Duration> = SettingType::new(
    "a time in seconds, or with a unit, such as 90s, 30m or 2h",
    |text| parse_duration(text).ok(),
    seconds,
);

pub(super) const TIME_ABOVE_ZERO: SettingType<Duration> = SettingType::new(
    "a time above zero in seconds, or with a unit, such as 90s, 30m or 2h",
    |text| parse_duration(text).ok().filter(|time| !time.is_zero()),
    seconds,
);

pub(super) const TIME_OR_NONE: SettingType<Option<Duration>> = SettingType::new(
    "a time above zero, such as 90s, 30m or 2h, or `none`",
    |text| if text == "none" { Some(None) } else { (TIME_ABOVE_ZERO.parse)(text).map(Some) },
    |time| time.as_ref().map_or(Json::Null, seconds),
);

pub(super) const SWITCH: SettingType<bool> = SettingType::new(
    "true or false (or 1/0, yes/no, on/off)",
    |text| match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    },
    |on| (*on).into(),
);

pub(super) const LIST: SettingType<Vec<String>> = SettingType {
    wanted: "a list of words, in YAML `[a, b]` or separated by commas",
    parse: |text| text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(word).collect(),
    parse_list: |items| items.iter().map(|item| word(item)).collect(),
    parse_items: |_| None,
    show: |words| words.clone().into(),
    hides_invalid: false,
};

/// Names of variables: `NAME=value` is a mistake, and its value often a key.
pub(super) const VARIABLES: SettingType<Vec<String>> = SettingType {
    wanted: "names of environment variables, without their values, in YAML `[A, B]` or separated by commas",
    parse: |text| (LIST.parse)(text).filter(|names| names.iter().all(|name| !name.contains('='))),
    parse_list: |items| (LIST.parse_list)(items).filter(|names| names.iter().all(|name| !name.contains('='))),
    ..LIST.hiding()
};

pub(super) const FILE_NAMES: SettingType<Vec<String>> = SettingType {
    wanted: "a list of names of files and folders, with `*` for any text, such as [node_modules, \"*.o\"]",
    parse: |text| (LIST.parse)(text).filter(|names| names.iter().all(|name| is_name_pattern(name))),
    parse_list: |items| (LIST.parse_list)(items).filter(|names| names.iter().all(|name| is_name_pattern(name))),
    parse_items: |_| None,
    show: LIST.show,
    hides_invalid: false,
};

pub(super) const LABELS: SettingType<Vec<String>> = SettingType {
    wanted: "a list of up to 20 labels of 1 to 50 characters, in YAML such as [agent, \"help wanted\"] or with commas between them",
    parse: |text| labels(text.split(',')),
    parse_list: |items| labels(items.iter().map(String::as_str)),
    parse_items: |_| None,
    show: LIST.show,
    hides_invalid: false,
};

pub(super) const REVIEWERS: SettingType<Vec<String>> = SettingType {
    wanted: "a list of up to 15 names of users, and of teams as `org/team`, such as [octocat, my-org/reviewers]",
    parse: |text| (LIST.parse)(text).and_then(reviewers),
    parse_list: reviewers,
    parse_items: |_| None,
    show: LIST.show,
    hides_invalid: false,
};

pub(super) const HOSTS: SettingType<Vec<String>> = SettingType {
    wanted: "host names with commas between them, each with or without a port, such as `valet.example, 10.0.0.7:8080`",
    parse: |text| (LIST.parse)(text).filter(|names| names.iter().all(|name| is_authority(name))),
    parse_list: |items| (LIST.parse_list)(items).filter(|names| names.iter().all(|name| is_authority(name))),
    parse_items: |_| None,
    show: LIST.show,
    hides_invalid: false,
};

pub(super) const ARGUMENTS: SettingType<Vec<String>> = SettingType {
    wanted: "a command as a list, such as [codex, --flag], or as text with its quotes closed",
    parse: split_command_line,
    parse_list: |items| (!items.iter().any(|item| item.contains('\0'))).then_some(items),
    parse_items: |_| None,
    show: |words| words.clone().into(),
    // Keys are passed to programs this way.
    hides_invalid: true,
};

pub(super) const PHRASES: SettingType<Vec<String>> = SettingType {
    wanted: "a list of up to 32 texts of 3 to 200 characters, in YAML such as [\"quota exceeded\", RateLimitError]",
    parse: |text| phrases(vec![text.to_owned()]),
    parse_list: phrases,
    parse_items: |_| None,
    show: LIST.show,
    hides_invalid: false,
};

pub(super) const INBOX_STYLE: SettingType<InboxStyle> =
    SettingType::new("legacy_single_owner or multi_owner", InboxStyle::named, |style| style.as_str().into());

pub(super) const GIT_PROTOCOL: SettingType<GitProtocol> =
    SettingType::new("https or ssh", GitProtocol::named, |protocol| protocol.as_str().into());

pub(super) const AGENT_EVENTS: SettingType<AgentEvents> = SettingType::new(
    "auto, or none for a program that writes plain text and whose exit code says how it went",
    AgentEvents::named,
    |events| events.as_str().into(),
);

pub(super) const CHECKOUT_MODE: SettingType<CheckoutMode> =
    SettingType::new("shared or full", CheckoutMode::named, |mode| mode.as_str().into());

pub(super) const SUBMODULE_MODE: SettingType<SubmoduleMode> =
    SettingType::new("must, try or none", SubmoduleMode::named, |mode| mode.as_str().into());

pub(super) const EMPTY_WORK: SettingType<EmptyWork> =
    SettingType::new("ok or fail", EmptyWork::named, |empty| empty.as_str().into());

pub(super) const DELIVER: SettingType<Deliver> =
    SettingType::new("pr, branch or none", Deliver::named, |mode| mode.as_str().into());

pub(super) const PULL_REQUEST: SettingType<PullRequest> =
    SettingType::new("auto, rest or gh", PullRequest::named, |by| by.as_str().into());

pub(super) const BRANCH_MODE: SettingType<BranchMode> =
    SettingType::new("all, whitelist, blacklist or both", BranchMode::named, |mode| mode.as_str().into());

#[expect(clippy::ptr_arg, reason = "a type shows what it parses")]
fn text_json(text: &String) -> Json {
    text.as_str().into()
}

/// Whole seconds without a fraction, so that `60` is shown as it was written.
fn seconds(time: &Duration) -> Json {
    if time.subsec_nanos() == 0 { time.as_secs().into() } else { time.as_secs_f64().into() }
}

fn absolute(text: &str) -> Option<Utf8PathBuf> {
    let path = Utf8PathBuf::from(text);
    let climbs = path.components().any(|part| part.as_str() == "..");
    // Rebuilt from its parts, so that a slash at the end or a `.` in it makes no difference later.
    (path.is_absolute() && !climbs && one_line(text).is_some()).then(|| path.components().collect())
}

fn one_line(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Texts to be looked for: one that is too short is found everywhere.
fn phrases(texts: Vec<String>) -> Option<Vec<String>> {
    let is_phrase = |text: &String| one_line(text).is_some() && (3..=200).contains(&text.trim().chars().count());
    (texts.len() <= 32 && texts.iter().all(is_phrase)).then_some(texts)
}

fn word(text: &str) -> Option<String> {
    let spaced = text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control());
    (!spaced).then(|| text.to_owned())
}

/// Tells whether a text has the form of a `Host` header; `*` is no name, and neither is an address with `http://`.
fn is_authority(text: &str) -> bool {
    let (name, port) = match text.rfind(':').filter(|colon| !text[*colon..].contains(']')) {
        Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
        None => (text, None),
    };
    host(name).is_some() && port.is_none_or(|port| (PORT.parse)(port).is_some())
}

fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    let is_name = bare == text && bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (is_address || (is_name && !bare.is_empty())).then(|| bare.to_owned())
}

/// Returns the address of an API without a slash at the end, `None` where the text is none of `http` or `https`.
///
/// One that names only a host, such as `http://127.0.0.1:8888`, gets the path `/api/v1`.
#[must_use]
pub fn base_url(text: &str) -> Option<String> {
    let text = word(text.trim_end_matches('/'))?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    match rest.split_once('/') {
        _ if rest.is_empty() || rest.starts_with('/') || rest.contains(['?', '#', '@']) => None,
        None => Some(format!("{text}/api/v1")),
        Some(_) => Some(text),
    }
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit: u64 = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// How many labels, and how many reviewers, a pull request gets at most.
const LABELS_MAX: usize = 20;
const REVIEWERS_MAX: usize = 15;

fn labels<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let labels: Vec<String> = texts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    let is_label = |text: &String| one_line(text).is_some() && text.chars().count() <= 50;
    (labels.len() <= LABELS_MAX && labels.iter().all(is_label)).then_some(labels)
}

fn reviewers(names: Vec<String>) -> Option<Vec<String>> {
    let is_word = |name: &str| {
        let name = name.strip_suffix("[bot]").unwrap_or(name);
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let is_reviewer = |name: &String| match name.split_once('/') {
        Some((org, team)) => is_word(org) && is_word(team),
        None => is_word(name),
    };
    (names.len() <= REVIEWERS_MAX && names.iter().all(is_reviewer)).then_some(names)
}

/// Tells whether a text is a pattern for names: one without a slash, and well formed.
fn is_name_pattern(text: &str) -> bool {
    !text.contains('/') && globset::Glob::new(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_api_get_its_path() {
        for (text, url) in [
            ("http://h:1", Some("http://h:1/api/v1")),
            ("http://h:1/", Some("http://h:1/api/v1")),
            ("http://h:1/api/v1/", Some("http://h:1/api/v1")),
            ("http://[::1]:8888/x", Some("http://[::1]:8888/x")),
            ("https://h/api/v1", Some("https://h/api/v1")),
            ("https://h", Some("https://h/api/v1")),
            ("https://h/tools/pv/api/v1/", Some("https://h/tools/pv/api/v1")),
            ("https://", None),
            ("https://u:p@h/", None),
            ("ftp://h/", None),
            ("HTTPS://h", None),
            ("http://", None),
            ("http:///x", None),
            ("http://u:p@h/", None),
            ("h:1", None),
        ] {
            assert_eq!(base_url(text).as_deref(), url, "{text}");
        }
    }

    #[test]
    fn sizes_and_hosts_are_read_as_people_write_them() {
        for (text, size) in
            [("0", Some(0)), ("16MiB", Some(16 << 20)), ("64 K", Some(65536)), ("-1", None), ("1MB", None)]
        {
            assert_eq!(bytes(text), size, "{text}");
        }
        for (text, bare) in
            [("::1", Some("::1")), ("[::1]", Some("::1")), ("a-b.c", Some("a-b.c")), ("h:80", None), ("[h]", None)]
        {
            assert_eq!(host(text).as_deref(), bare, "{text}");
        }
    }
}
