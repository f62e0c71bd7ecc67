//! The response of `/config`, only for its description, since the program around the service makes it.

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::Value;

/// The installation that the service is part of.
#[derive(Debug, Object)]
pub(crate) struct Installation {
    /// Every setting, in the order of the documentation.
    pub(crate) settings: Vec<Setting>,
    /// The agents that prompts may name, sorted; the setting `default_agent` is the one for prompts that name none.
    pub(crate) agents: Vec<String>,
    /// Keys of the settings file that are accepted and change nothing.
    pub(crate) without_effect: Vec<WithoutEffect>,
    /// What was looked at just now, and found.
    pub(crate) checks: Vec<Check>,
    /// How many of the checks are problems.
    pub(crate) problems: u64,
}

/// A setting.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Setting {
    /// Its key in the settings file; its variable where it has no key.
    pub(crate) name: String,
    /// The environment variable that overrides it, if there is one.
    #[oai(nullable)]
    pub(crate) variable: Option<String>,
    /// Its value; null where it is not set. A secret is `(set)`.
    pub(crate) value: Any<Value>,
    /// Where it came from, in words.
    pub(crate) origin: String,
}

impl Example for Setting {
    fn example() -> Self {
        Self {
            name: "PV_BIND_PORT".into(),
            variable: Some("PV_BIND_PORT".into()),
            value: Any(Value::from(8888)),
            origin: "default".into(),
        }
    }
}

/// A key of the settings file that is accepted and changes nothing.
#[derive(Debug, Object)]
pub(crate) struct WithoutEffect {
    /// The key, with those above it.
    pub(crate) key: String,
    /// The file.
    pub(crate) path: String,
    /// The line in it, from 1.
    pub(crate) line: u64,
    /// Why it changes nothing.
    pub(crate) why: String,
}

/// What one check found.
#[derive(Debug, Object)]
pub(crate) struct Check {
    /// `ok`, `warning` or `problem`.
    pub(crate) level: String,
    /// What was looked at.
    pub(crate) check: String,
    /// What was seen.
    pub(crate) message: String,
    /// What to do about it.
    #[oai(nullable)]
    pub(crate) remedy: Option<String>,
}
