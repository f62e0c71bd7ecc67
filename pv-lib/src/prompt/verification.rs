//! What a prompt may say of how its work is verified: `pv.checks` and `pv.attempts`.

use super::{
    front_matter_error::FrontMatterError,
    outline::{Kind, Node},
};

/// How many checks a job may have.
pub const CHECKS_MAX: usize = 20;

/// How many attempts a job may have.
pub const ATTEMPTS_MAX: u32 = 10;

/// The longest name of a check, in bytes.
const CHECK_NAME_BYTES_MAX: usize = 64;

/// Which checks run on a job's work, and how many attempts it has, as far as whoever submits it says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerificationChoice {
    /// The names of configured checks; empty for those of the repository.
    pub checks: Vec<String>,
    /// How many attempts; at most the configured number.
    pub attempts: Option<u32>,
}

/// Tells whether a text can be the name of a check: letters, digits, `-` and `_`, up to 64.
#[must_use]
pub fn is_check_name(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=CHECK_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Reads the names of checks: a list, or a text with commas; `None` where there are none.
pub(super) fn parse_checks(node: Option<&Node>) -> Result<Option<Vec<String>>, FrontMatterError> {
    let bad = |why: String| FrontMatterError::BadSetting { key: "checks", why };
    let names: Vec<String> = match node {
        None => return Ok(None),
        Some(node) if node.is_null() => return Ok(None),
        Some(Node { kind: Kind::Scalar { text, .. }, .. }) => text.split(',').map(|name| name.trim().into()).collect(),
        Some(Node { kind: Kind::Sequence { items, .. }, .. }) => {
            let names = items.iter().map(|item| item.text().map(str::to_owned)).collect::<Option<_>>();
            names.ok_or_else(|| bad("it must be a list of names, such as [test, lint]".into()))?
        }
        Some(_) => return Err(bad("it must be a list of names, such as [test, lint]".into())),
    };
    check_names(&names).map_err(bad)?;
    Ok(Some(names))
}

/// Reads the number of attempts; `None` where there is none.
pub(super) fn parse_attempts(node: Option<&Node>) -> Result<Option<u32>, FrontMatterError> {
    let bad = |why: String| FrontMatterError::BadSetting { key: "attempts", why };
    match node {
        None => Ok(None),
        Some(node) if node.is_null() => Ok(None),
        Some(node) => attempts_of(node.text().unwrap_or_default()).map(Some).map_err(bad),
    }
}

pub(super) fn check_names(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("it is empty: name a check that is configured under `checks`, or leave it out".into());
    }
    if names.len() > CHECKS_MAX {
        return Err(format!("it names {} checks, and {CHECKS_MAX} are allowed", names.len()));
    }
    if let Some(bad) = names.iter().find(|name| !is_check_name(name)) {
        let shown: String = bad.chars().take(40).collect();
        return Err(format!("`{}` is no name of a check: use letters, digits, `-` and `_`", shown.escape_debug()));
    }
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, twice)) => Err(format!("it names `{twice}` twice")),
        None => Ok(()),
    }
}

pub(super) fn attempts_of(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number));
    number.ok_or_else(|| format!("it must be a whole number from 1 to {ATTEMPTS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{settings, split};

    fn read(text: &str) -> Result<(Option<Vec<String>>, Option<u32>), String> {
        let settings = split(text).and_then(|parts| settings(&parts)).map_err(|error| error.to_string())?;
        Ok((settings.checks, settings.attempts))
    }

    #[test]
    fn checks_and_attempts_are_read_as_people_write_them() {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        for (pv, expected) in [
            ("{checks: [test, lint], attempts: 2}", (names(&["test", "lint"]), Some(2))),
            ("{checks: \"test, lint\"}", (names(&["test", "lint"]), None)),
            ("{checks: test, attempts: \"10\"}", (names(&["test"]), Some(10))),
            ("\n  checks:\n    - a-b_9\n  attempts:", (names(&["a-b_9"]), None)),
            ("{checks: ~}", (None, None)),
        ] {
            assert_eq!(read(&format!("---\npv: {pv}\n---\nx")), Ok(expected), "{pv}");
        }
        let many = vec!["a"; CHECKS_MAX + 1].join(",");
        for (pv, why) in [
            ("{checks: []}", "pv.checks: it is empty"),
            ("{checks: [a, a]}", "names `a` twice"),
            ("{checks: [\"rm -rf /\"]}", "`rm -rf /` is no name"),
            ("{checks: [{a: b}]}", "must be a list of names"),
            ("{checks: {a: b}}", "must be a list of names"),
            (&format!("{{checks: [{many}]}}"), "names 21 checks"),
            ("{attempts: 0}", "pv.attempts: it must be a whole number from 1 to 10"),
            ("{attempts: 11}", "from 1 to 10"),
            ("{attempts: -1}", "from 1 to 10"),
            ("{attempts: [2]}", "from 1 to 10"),
            ("{attempts: 99999999999999999999}", "from 1 to 10"),
        ] {
            let error = read(&format!("---\npv: {pv}\n---\nx")).unwrap_err();
            assert!(error.contains(why), "{pv}: {error}");
        }
    }
}
