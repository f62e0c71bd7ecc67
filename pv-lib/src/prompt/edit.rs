//! Setting keys of a prompt's front matter that are not our service fields; every other byte stays as it is.

use std::borrow::Cow;

use super::{
    front_matter::{line_end, split},
    front_matter_error::FrontMatterError,
    outline::Outline,
    service_fields::{CHECKS_ONLY, is_checks_only},
    splice,
    verification::{VerificationChoice, attempts_of, check_names},
};
use crate::error::{Error, Result};

impl VerificationChoice {
    /// Writes the choice into a prompt's front matter, in place of what stands there; every other byte stays as it is.
    /// What is not chosen is left as the prompt has it.
    ///
    /// # Errors
    /// [`Error::InvalidPrompt`] where a name or a number cannot be one, or the front matter cannot be changed.
    pub fn write_into(&self, markdown: Vec<u8>) -> Result<Vec<u8>> {
        let mut pairs: Vec<(&'static str, Cow<'_, str>)> = Vec::new();
        if !self.checks.is_empty() {
            check_names(&self.checks).map_err(invalid)?;
            pairs.push(("checks", self.checks.join(", ").into()));
        }
        if let Some(attempts) = self.attempts {
            let attempts = attempts_of(&attempts.to_string()).map_err(invalid)?;
            pairs.push(("attempts", attempts.to_string().into()));
        }
        // A text that is none is refused by whoever reads it.
        match std::str::from_utf8(&markdown) {
            Ok(text) if !pairs.is_empty() => set_keys(text, &pairs).map(String::into_bytes).map_err(invalid),
            _ => Ok(markdown),
        }
    }
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::InvalidPrompt(error.to_string())
}

/// Returns the text with keys set under `pv`.
pub(super) fn set_keys(
    text: &str,
    pairs: &[(&'static str, Cow<'_, str>)],
) -> std::result::Result<String, FrontMatterError> {
    let parts = split(text)?;
    if parts.open.is_empty() {
        let first = parts.body.find('\n').map_or(parts.body, |end| &parts.body[..=end]);
        let newline = line_end(first);
        let yaml = splice::fresh(pairs, newline);
        return Ok([parts.bom, "---", newline, &yaml, "---", newline, parts.body].concat());
    }
    let yaml = splice::set(parts.yaml, pairs, line_end(parts.open))?;
    Ok([parts.bom, parts.open, &yaml, parts.close, parts.body].concat())
}

/// Returns a prompt that says that it is to run only the checks; or one that does not say so any more, where it did.
///
/// # Errors
/// [`Error::InvalidPrompt`] where its front matter cannot be read or changed.
pub(crate) fn set_checks_only(markdown: Vec<u8>, checks_only: bool) -> Result<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(&markdown) else { return Ok(markdown) };
    let outline = split(text).and_then(|parts| Outline::read(parts.yaml)).map_err(invalid)?;
    let says = is_checks_only(&outline);
    if says == checks_only {
        return Ok(markdown);
    }
    let value = if checks_only { "true" } else { "" };
    set_keys(text, &[(CHECKS_ONLY, value.into())]).map(String::into_bytes).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::settings;

    #[test]
    fn a_choice_replaces_what_the_prompt_says_and_touches_nothing_else() {
        let choice = VerificationChoice { checks: vec!["test".into(), "lint".into()], attempts: Some(3) };
        let check = |text: &str, expected: &str| {
            let written = String::from_utf8(choice.write_into(text.into()).unwrap()).unwrap();
            assert_eq!(written, expected);
            let read = settings(&split(&written).unwrap()).unwrap();
            assert_eq!((read.checks.as_ref(), read.attempts), (Some(&choice.checks), Some(3)));
        };
        let ours = "  checks: \"test, lint\"\n  attempts: \"3\"\n";
        check("do it\n", &format!("---\npv:\n{ours}---\ndo it\n"));
        check(
            "---\na: 1 # mine\npv:\n  checks:\n    - x\n  model: m\n---\ndo\n",
            &format!("---\na: 1 # mine\npv:\n{ours}  model: m\n---\ndo\n"),
        );
        assert_eq!(VerificationChoice::default().write_into(b"do\xff".to_vec()).unwrap(), b"do\xff");
        for bad in [
            VerificationChoice { checks: vec!["a b".into()], attempts: None },
            VerificationChoice { checks: vec![], attempts: Some(0) },
        ] {
            assert!(matches!(bad.write_into(b"do".to_vec()), Err(Error::InvalidPrompt(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_prompt_says_that_it_runs_only_the_checks_until_it_is_repeated_as_a_whole() {
        let set = |text: &str, only| String::from_utf8(set_checks_only(text.into(), only).unwrap()).unwrap();
        let once = set("---\na: 1\n---\ndo\n", true);
        assert_eq!(once, "---\na: 1\npv:\n  checks_only: \"true\"\n---\ndo\n");
        assert_eq!(set(&once, true), once);
        let back = set(&once, false);
        assert_eq!(back, "---\na: 1\npv:\n  checks_only: \"\"\n---\ndo\n");
        assert_eq!((set(&back, false), set("do\n", false)), (back, "do\n".to_owned()));
    }
}
