//! A secret: how it is read from what somebody set, and what it looks like where it was damaged on the way.

use std::fmt;

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why what was set cannot be the secret that was meant. Nothing of what was set is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretDamage {
    /// There is nothing but white space, or quotes around nothing.
    #[error("it is blank")]
    Blank,
    /// It is not UTF-8, or has letters beyond ASCII.
    #[error("it has characters beyond ASCII")]
    NotAscii,
    /// It looks like a value with a comment, or like a comment alone.
    #[error("it looks like a comment, or like a value with one")]
    Comment,
    /// It has white space inside.
    #[error("it has white space inside")]
    WhiteSpace,
    /// It has a control character.
    #[error("it has a control character")]
    Control,
    /// It begins or ends with a quote that the other end lacks.
    #[error("it begins or ends with a quote that has no counterpart")]
    Quote,
}

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// Reads a secret as it was set, in a variable or as the contents of a file. All of it counts, `#` and quotes
    /// included, but for white space around it. `None` where nothing was set.
    ///
    /// # Errors
    /// [`SecretDamage`] where it cannot be what was meant: to cut something off would only make another secret, or
    /// none.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, SecretDamage> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SecretDamage::NotAscii)?;
        let text = text.trim_matches(is_space);
        match damage(text) {
            Some(damage) => Err(damage),
            None => Ok(Some(Self(text.to_owned()))),
        }
    }

    /// Returns the secret itself, to be compared or sent, never to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// White space of ASCII: any other is a part of the value, and refused as such.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

fn damage(text: &str) -> Option<SecretDamage> {
    let is_quote = |c: &char| matches!(c, '"' | '\'');
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
        return Some(SecretDamage::Blank);
    };
    let has_counterpart = text.len() > 1 && first == last;
    let begins_comment =
        |(at, _): (usize, &str)| text[..at].ends_with(is_space) || text[at + 1..].starts_with(is_space);
    if text.len() == 2 && is_quote(&first) && has_counterpart {
        Some(SecretDamage::Blank)
    } else if !text.is_ascii() {
        Some(SecretDamage::NotAscii)
    } else if text.bytes().all(|b| b == b'#') || text.match_indices('#').any(begins_comment) {
        Some(SecretDamage::Comment)
    } else if text.contains(is_space) {
        Some(SecretDamage::WhiteSpace)
    } else if text.contains(char::is_control) {
        Some(SecretDamage::Control)
    } else if (is_quote(&first) || is_quote(&last)) && !has_counterpart {
        Some(SecretDamage::Quote)
    } else {
        None
    }
}
