//! A command of the settings that is run in a checkout.

use std::fmt;

/// A command that is run in a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// For `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

impl Command {
    /// Returns the program and its arguments.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Shell(text) => ["sh", "-c", text].map(str::to_owned).into(),
            Self::Words(words) => words.clone(),
        }
    }
}

/// Shows the command as one would type it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text.trim()),
            Self::Words(words) => {
                // A zero byte was refused when they were read.
                f.write_str(&shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" ")))
            }
        }
    }
}
