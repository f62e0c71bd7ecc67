//! What can be wrong with settings, and what deserves a warning.

use std::{fmt, io};

use camino::Utf8PathBuf;

use super::{Origin, SecretDamage};
use crate::fs::FsError;

/// Settings that cannot be used. Each names the place, the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that cannot be used.
    #[error("{}: use {wanted}", GivenValue { origin, key, value: value.as_deref() })]
    Unusable {
        /// Where it came from.
        origin: Origin,
        /// The setting's YAML key, where it has one.
        key: String,
        /// The value, shortened and without credentials; `None` where it may be a secret itself.
        value: Option<String>,
        /// What would be right.
        wanted: String,
    },
    /// A variable whose value is not UTF-8.
    #[error("{name} is not UTF-8 text: write it anew")]
    NotUtf8 {
        /// The variable.
        name: &'static str,
    },
    /// A secret that cannot be what was meant. Nothing of it is shown.
    #[error("{origin} cannot be used, since {damage}: write the secret alone, without a comment, quotes or blanks{}",
        file.map_or_else(String::new, |file| format!(", or put it into a file that {file} names")))]
    DamagedSecret {
        /// Where it came from.
        origin: Origin,
        /// What is wrong with it.
        damage: SecretDamage,
        /// The variable that could name a file for it.
        file: Option<&'static str>,
    },
    /// The YAML file is there and cannot be read.
    #[error("cannot read the settings in `{path}`: {}: let this user read that file, or name another one in PV_CONFIG_PATH", source.source)]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        source: FsError,
    },
    /// The YAML file is not YAML that this program takes.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// The file.
        path: Utf8PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// What is wrong there.
        message: String,
    },
    /// Two folders with different purposes are the same one.
    #[error("`{first}` and `{second}` are both `{path}`: give each a folder of its own")]
    SameFolder {
        /// One setting.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The folder that both name.
        path: Utf8PathBuf,
    },
    /// A file that is to hold a token cannot be used.
    #[error("{name} is `{path}`: {problem}: write the token as its only line, readable by this user")]
    TokenFile {
        /// The setting that names it.
        name: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What kind of fault that is: whether another token would help. Where it holds none, `InvalidData`.
        kind: io::ErrorKind,
    },
}

/// Shows where a value is: `PV_BIND_PORT is `x``, or `file:3: `watcher.max_concurrent` is `x``. A value that may be a
/// secret is not in it.
struct GivenValue<'a> {
    origin: &'a Origin,
    key: &'a str,
    value: Option<&'a str>,
}

impl fmt::Display for GivenValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, value } = self;
        match origin {
            Origin::Env { .. } | Origin::Flag { .. } => write!(f, "{origin}")?,
            Origin::File { .. } => write!(f, "{origin}: `{key}`")?,
            Origin::Default | Origin::Chosen { .. } => write!(f, "`{key}`")?,
        }
        match value {
            Some(value) => write!(f, " is `{value}`"),
            None => f.write_str(" cannot be used (what it says is not shown, since that may be a secret)"),
        }
    }
}

/// Something in the settings that works, but perhaps not as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A variable's value ended with a comment, which was dropped.
    #[error("{name}: dropped {} from its value: comments need a line of their own in an env file",
        dropped.as_ref().map_or_else(|| "a comment".to_owned(), |dropped| format!("`{dropped}`")))]
    TrailingComment {
        /// The variable.
        name: &'static str,
        /// What was dropped; `None` where that may be a part of a secret.
        dropped: Option<String>,
    },
    /// A key that means nothing here.
    #[error("{path}:{line}: unknown key `{key}`{}", nearest.as_ref().map_or(String::new(), |n| format!(": did you mean `{n}`?")))]
    UnknownKey {
        /// The file.
        path: Utf8PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// The key, with those above it.
        key: String,
        /// The most similar known key.
        nearest: Option<String>,
    },
    /// Two keys for one setting; the second is not used.
    #[error("{path}:{line}: `{key}` is not used, since `{winner}` says the same thing")]
    Overruled {
        /// The file.
        path: Utf8PathBuf,
        /// The line of the key that is not used, from 1.
        line: u64,
        /// The key that is not used.
        key: String,
        /// The key that counts.
        winner: String,
    },
    /// The settings file was named, and is not there.
    #[error("{origin} names `{path}`, which is not there: the defaults are used")]
    MissingFile {
        /// Who named it.
        origin: Origin,
        /// The file.
        path: Utf8PathBuf,
    },
}

/// A key of the earlier service that is accepted and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEffect {
    /// The file.
    pub path: Utf8PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// The key, with those above it.
    pub key: String,
    /// Why it changes nothing.
    pub why: &'static str,
}
