//! A setting's value and where it came from.

use std::fmt;

use camino::Utf8PathBuf;

use super::vars::Var;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
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

/// What the command line overrides: for each environment name, the flag and its value.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<(&'static str, &'static str, String)>);

impl Overrides {
    /// Lets `value`, set by `flag` (with its dashes), override the variable `var`.
    pub fn set(&mut self, var: &Var, flag: &'static str, value: impl Into<String>) {
        self.0.push((var.name, flag, value.into()));
    }

    /// Returns the flag and the value that override a variable; the last one counts.
    pub(super) fn get(&self, var: &Var) -> Option<(&'static str, &str)> {
        let last = self.0.iter().rev().find(|(name, ..)| *name == var.name);
        last.map(|(_, flag, value)| (*flag, value.as_str()))
    }
}
