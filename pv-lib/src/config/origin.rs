//! A setting's value and where it came from.

use std::fmt;

use camino::Utf8PathBuf;

use super::{root::DefaultRoot, vars::Var};

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Nobody set it, and what it is depends on this user.
    Chosen {
        /// Why it is this, in a few words.
        why: String,
    },
    /// The YAML file.
    File {
        /// The file.
        path: Utf8PathBuf,
        /// The line in it, from 1, where it is known.
        line: Option<u64>,
    },
    /// An environment variable.
    Env {
        /// Its name.
        name: &'static str,
    },
    /// A flag of the command line.
    Flag {
        /// Its name, with the dashes.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Chosen { why } => write!(f, "default: {why}"),
            Self::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Self::File { path, line: None } => write!(f, "{path}"),
            Self::Env { name } | Self::Flag { name } => f.write_str(name),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithOrigin<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// One setting as `pv config` shows it. A secret's value is never in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingRow {
    /// Its YAML key; its environment name where it has no key.
    pub name: String,
    /// The environment variable that overrides it, if there is one.
    pub var: Option<&'static str>,
    /// Its value; `null` where it is not set.
    pub value: serde_json::Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Origin {
    /// Tells whether nobody set it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        matches!(self, Self::Default | Self::Chosen { .. })
    }
}

/// What the shell adds to file and environment: what the command line overrides, and where an installation is that nobody
/// named.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// For each environment name, the flag and its value.
    flags: Vec<(&'static str, &'static str, String)>,
    default_root: Option<DefaultRoot>,
}

impl Overrides {
    /// Lets `value`, set by `flag` (with its dashes), override the variable `var`.
    pub fn set(&mut self, var: &Var, flag: &'static str, value: impl Into<String>) {
        self.flags.push((var.name, flag, value.into()));
    }

    /// Lets the installation that nobody named be this one; without it, it is the services'.
    pub fn set_default_root(&mut self, root: DefaultRoot) {
        self.default_root = Some(root);
    }

    /// Returns where the installation is that nobody named, where the shell knows.
    pub(super) fn default_root(&self) -> Option<&DefaultRoot> {
        self.default_root.as_ref()
    }

    /// Returns the flag and the value that override a variable; the last one counts.
    pub(super) fn get(&self, var: &Var) -> Option<(&'static str, &str)> {
        let last = self.flags.iter().rev().find(|(name, ..)| *name == var.name);
        last.map(|(_, flag, value)| (*flag, value.as_str()))
    }
}
