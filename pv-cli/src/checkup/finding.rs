//! What one check found.

use std::fmt;

use pv_lib::text::is_invisible;
use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but perhaps not as it was meant.
    Warning,
    /// Jobs cannot run, or not all of them.
    Problem,
}

/// What one check found. Its JSON is what `pv doctor --json` prints and the API returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// How much it matters.
    pub(crate) level: Level,
    /// What was checked.
    pub(crate) check: String,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    /// Makes a finding that all is as it should be.
    pub(crate) fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, message)
    }

    /// Makes a warning without a remedy.
    pub(crate) fn warning(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, message)
    }

    /// Makes a problem without a remedy.
    pub(crate) fn problem(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Problem, check, message)
    }

    /// Makes a finding without a remedy.
    pub(crate) fn new(level: Level, check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, check: check.into(), message: message.into(), remedy: None }
    }

    /// Adds what to do about it.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

impl fmt::Display for Finding {
    /// Writes it on one line, with nothing in it that a terminal would obey.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, check, message, remedy } = self;
        let remedy = remedy.as_ref().map_or(String::new(), |remedy| format!(": {remedy}"));
        let line = format!("{level:<8} {check}: {message}{remedy}");
        f.write_str(&line.replace(is_invisible, " "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finding_is_one_line_with_its_remedy() {
        let finding = Finding::warning("agent x", "`a\nb\u{202e}` is not there").with_remedy("install it");
        assert_eq!(finding.to_string(), "warning  agent x: `a b ` is not there: install it");
        assert_eq!(Finding::ok("git", "/usr/bin/git").to_string(), "ok       git: /usr/bin/git");
    }

    #[test]
    fn a_finding_without_a_remedy_has_null() {
        let expected = json!({ "level": "problem", "check": "git", "message": "not there", "remedy": null });
        assert_eq!(json!(Finding::problem("git", "not there")), expected);
    }
}
