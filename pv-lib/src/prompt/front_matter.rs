//! Front matter: the YAML between `---` lines at the top of a prompt.
//!
//! The key `pv` is ours, everything else is the user's. [`merge`] changes nothing but our own keys: it splices text, so
//! that comments, quotes and order stay, and compares what a reader sees before and after.

use std::{borrow::Cow, time::Duration};

use super::{
    front_matter_error::{FrontMatterError, MAX_FRONT_MATTER_BYTES},
    outline::{Node, Outline},
    service_fields::{ParsedServiceFields, ServiceFields, has_retry_of, is_checks_only, parse_service_fields},
    splice,
    title::one_line,
    verification::{parse_attempts, parse_checks},
};
use crate::time::parse_duration;

/// The most bytes that our keys add: a prompt may use its limits to the full before it gets them.
pub const SERVICE_FIELDS_BYTES_MAX: usize = 16 << 10;

const MAX_SETTING_BYTES: usize = 200;

/// A prompt, split at its front matter. Joined again, the parts are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The byte order mark, or nothing.
    pub bom: &'a str,
    /// The opening line, with its line end; empty without front matter.
    pub open: &'a str,
    /// The YAML, with its last line end; empty without front matter.
    pub yaml: &'a str,
    /// The closing line, with its line end; empty without front matter.
    pub close: &'a str,
    /// The text.
    pub body: &'a str,
}

/// What a person may set for one job, under `pv:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The agent that is to run it.
    pub agent: Option<String>,
    /// The model that the agent is to use.
    pub model: Option<String>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How long it may be silent.
    pub idle_timeout: Option<Duration>,
    /// How its result is delivered.
    pub deliver: Option<Deliver>,
    /// What it is about, in a line.
    pub title: Option<String>,
    /// The names of the checks that run on its work, instead of the repository's own.
    pub checks: Option<Vec<String>>,
    /// How often its agent may be run, the first included.
    pub attempts: Option<u32>,
}

/// What a person chose for one job beside its prompt, such as by flags; each as it is written in front matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices<'a> {
    /// The agent that is to run it.
    pub agent: Option<&'a str>,
    /// The model that the agent is to use.
    pub model: Option<&'a str>,
    /// How long it may run: seconds, or such as `90s`, `30m`, `2h`.
    pub timeout: Option<&'a str>,
    /// How long it may be silent.
    pub idle_timeout: Option<&'a str>,
    /// How its result is delivered.
    pub deliver: Option<Deliver>,
    /// What it is about, in a line.
    pub title: Option<&'a str>,
}

impl Choices<'_> {
    fn pairs(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let all = [
            ("agent", self.agent),
            ("model", self.model),
            ("timeout", self.timeout),
            ("idle_timeout", self.idle_timeout),
            ("deliver", self.deliver.map(Deliver::as_str)),
            ("title", self.title),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?.into()))).collect()
    }
}

/// How a result is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deliver {
    /// As a pull request.
    PullRequest,
    /// As a pushed branch.
    Branch,
    /// Not at all.
    Nothing,
}

impl Deliver {
    /// Reads the name that front matter and settings use: `pr`, `branch` or `none`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "pr" => Some(Self::PullRequest),
            "branch" => Some(Self::Branch),
            "none" => Some(Self::Nothing),
            _ => None,
        }
    }

    /// Returns the name that front matter and settings use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PullRequest => "pr",
            Self::Branch => "branch",
            Self::Nothing => "none",
        }
    }
}

/// Splits a prompt at its front matter, which begins where the very first line is `---`.
///
/// # Errors
/// [`FrontMatterError::Unterminated`] without a closing line; [`FrontMatterError::TooLarge`] when there is more than
/// even our keys explain.
pub fn split(text: &str) -> Result<Parts<'_>, FrontMatterError> {
    let (bom, rest) = text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 });
    let (open, rest) = first_line(rest);
    if !is_fence(open) {
        return Ok(Parts { bom, open: "", yaml: "", close: "", body: &text[bom.len()..] });
    }
    let mut yaml_len = 0;
    for line in rest.split_inclusive('\n') {
        if is_fence(line) {
            if yaml_len > MAX_FRONT_MATTER_BYTES + SERVICE_FIELDS_BYTES_MAX {
                return Err(FrontMatterError::TooLarge(yaml_len));
            }
            let (yaml, tail) = rest.split_at(yaml_len);
            let (close, body) = tail.split_at(line.len());
            return Ok(Parts { bom, open, yaml, close, body });
        }
        yaml_len += line.len();
    }
    Err(FrontMatterError::Unterminated)
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_at(text.find('\n').map_or(text.len(), |end| end + 1))
}

fn is_fence(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_whitespace()))
}

/// Reads what a person set under `pv:`; keys that are not known there are ignored.
///
/// # Errors
/// [`FrontMatterError`] when the front matter is no mapping, cannot be read, or sets a key to something unusable.
pub fn settings(parts: &Parts<'_>) -> Result<Settings, FrontMatterError> {
    settings_in(&Outline::read(parts.yaml)?)
}

/// Reads what a person set under `pv:`, our own fields where there are any, and whether only checks are to run.
///
/// # Errors
/// As [`settings`].
pub(super) fn read(parts: &Parts<'_>) -> Result<(Settings, Option<ParsedServiceFields>, bool), FrontMatterError> {
    let outline = Outline::read(parts.yaml)?;
    Ok((settings_in(&outline)?, parse_service_fields(&outline), is_checks_only(&outline)))
}

fn settings_in(outline: &Outline) -> Result<Settings, FrontMatterError> {
    let Some(pv) = outline.pv()? else {
        return Ok(Settings::default());
    };
    let text = |key| text_of(pv.get(key), key);
    let duration = |key| {
        let Some(text) = text(key)? else { return Ok(None) };
        let bad = |why: String| FrontMatterError::BadSetting { key, why };
        match parse_duration(&text) {
            Ok(Duration::ZERO) => Err(bad("it must be more than nothing: `90s`, `30m`, `2h`".into())),
            Ok(duration) => Ok(Some(duration)),
            Err(error) => Err(bad(error.to_string())),
        }
    };
    let deliver = match text("deliver")? {
        None => None,
        Some(name) => Some(Deliver::named(&name).ok_or_else(|| FrontMatterError::BadSetting {
            key: "deliver",
            why: format!("`{}` is none of `pr`, `branch`, `none`", name.escape_debug()),
        })?),
    };
    Ok(Settings {
        agent: text("agent")?,
        model: text("model")?,
        timeout: duration("timeout")?,
        idle_timeout: duration("idle_timeout")?,
        deliver,
        title: text("title")?.map(|title| one_line(&title)).filter(|title| !title.is_empty()),
        checks: parse_checks(pv.get("checks"))?,
        attempts: parse_attempts(pv.get("attempts"))?,
    })
}

/// Returns the text that was set, exactly as it is written; nothing where there is none.
fn text_of(node: Option<&Node>, key: &'static str) -> Result<Option<String>, FrontMatterError> {
    let bad = |why: &str| FrontMatterError::BadSetting { key, why: why.into() };
    match node {
        None => Ok(None),
        Some(node) if node.is_null() => Ok(None),
        Some(node) => {
            let text = node.text().ok_or_else(|| bad("it must be a text, written out"))?;
            if key != "title" && text.trim().is_empty() {
                Err(bad("it is blank: give it a value, or leave it out"))
            } else if key != "title" && (text.len() > MAX_SETTING_BYTES || text.chars().any(char::is_control)) {
                Err(bad("it is too long, or has control characters"))
            } else {
                Ok(Some(text.to_owned()))
            }
        }
    }
}

/// Returns the prompt with our keys set under `pv:`; every other byte of it stays as it is.
///
/// A prompt without front matter gets some. Merging again replaces our keys. Our values are quoted, so that they read
/// the same in YAML 1.1 and 1.2.
///
/// # Errors
/// [`FrontMatterError`] when the front matter cannot be used, or cannot be changed without touching what is the user's.
pub fn merge(text: &str, fields: &ServiceFields<'_>) -> Result<String, FrontMatterError> {
    let parts = split(text)?;
    let pairs = fields.pairs(has_retry_of(&Outline::read(parts.yaml)?));
    set(&parts, &pairs)
}

/// Returns the prompt with what a person chose beside it set under `pv:`, which wins over what the prompt says itself;
/// every other byte of it stays as it is.
///
/// # Errors
/// [`FrontMatterError`] when the front matter cannot be used, or cannot be changed without touching what is the user's. What
/// a choice says is not checked here.
pub fn choose(text: &str, choices: &Choices<'_>) -> Result<String, FrontMatterError> {
    let pairs = choices.pairs();
    if pairs.is_empty() { Ok(text.to_owned()) } else { set(&split(text)?, &pairs) }
}

fn set(parts: &Parts<'_>, pairs: &[(&'static str, Cow<'_, str>)]) -> Result<String, FrontMatterError> {
    if parts.open.is_empty() {
        let newline = line_end(first_line(parts.body).0);
        let yaml = splice::fresh(pairs, newline);
        return Ok([parts.bom, "---", newline, &yaml, "---", newline, parts.body].concat());
    }
    let newline = line_end(parts.open);
    let yaml = splice::set(parts.yaml, pairs, newline)?;
    let not_ours = yaml.len().saturating_sub(splice::fresh(pairs, newline).len());
    if not_ours > MAX_FRONT_MATTER_BYTES {
        return Err(FrontMatterError::TooLarge(not_ours));
    }
    Ok([parts.bom, parts.open, &yaml, parts.close, parts.body].concat())
}

pub(super) fn line_end(line: &str) -> &'static str {
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}
