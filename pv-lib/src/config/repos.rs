//! What is set for one repository: `repos.<owner/name>`, and `repos.default` for all of them.

use std::collections::BTreeMap;

use super::{CheckoutMode, Command, SubmoduleMode};
use crate::prompt::Deliver;

/// The name of the section that counts for every repository that does not say otherwise.
pub(super) const DEFAULT: &str = "default";

/// What is set for one repository. What is not set is as it is for all, then as the settings without a repository say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepoSettings {
    /// The agent of prompts that name none.
    pub agent: Option<String>,
    /// As what work is delivered where a prompt does not say.
    pub deliver: Option<Deliver>,
    /// What an agent's checkout borrows, whichever agent it is.
    pub checkout: Option<CheckoutMode>,
    /// What is run in a checkout before its agent.
    pub setup: Option<Vec<Command>>,
    /// What is copied into a checkout from the person's clone, as paths and globs.
    pub copy: Option<Vec<String>>,
    /// The names of the checks that run on an agent's work.
    pub checks: Option<Vec<String>>,
    /// How often an agent may be run for one job, the first time included.
    pub attempts: Option<u32>,
    /// What becomes of a checkout's submodules; [`SubmoduleMode::Try`] where nothing is set.
    pub submodules: Option<SubmoduleMode>,
}

/// What is set for repositories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repos {
    /// For those that do not say otherwise.
    pub default: RepoSettings,
    /// For those that have a section of their own, by `owner/name`, or `name` where there is no owner.
    pub by_name: BTreeMap<String, RepoSettings>,
}

impl Repos {
    /// Returns what counts for the repository of that name, setting by setting: its own, else that for all.
    #[must_use]
    pub fn of(&self, name: &str) -> RepoSettings {
        let default = self.default.clone();
        let Some(own) = self.by_name.get(name).cloned() else { return default };
        RepoSettings {
            agent: own.agent.or(default.agent),
            deliver: own.deliver.or(default.deliver),
            checkout: own.checkout.or(default.checkout),
            setup: own.setup.or(default.setup),
            copy: own.copy.or(default.copy),
            checks: own.checks.or(default.checks),
            attempts: own.attempts.or(default.attempts),
            submodules: own.submodules.or(default.submodules),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_the_repositorys_own_else_that_for_all() {
        let of = |agent: Option<&str>, deliver, checkout| RepoSettings {
            agent: agent.map(str::to_owned),
            deliver,
            checkout,
            checks: agent.map(|agent| vec![agent.to_owned()]),
            ..RepoSettings::default()
        };
        let repos = Repos {
            default: of(Some("claude"), Some(Deliver::Branch), None),
            by_name: BTreeMap::from([
                ("a/b".into(), of(Some("codex"), None, Some(CheckoutMode::Full))),
                ("a/empty".into(), of(None, None, None)),
            ]),
        };
        for (name, expected) in [
            ("a/b", of(Some("codex"), Some(Deliver::Branch), Some(CheckoutMode::Full))),
            ("a/empty", of(Some("claude"), Some(Deliver::Branch), None)),
            ("a/other", of(Some("claude"), Some(Deliver::Branch), None)),
            ("b", of(Some("claude"), Some(Deliver::Branch), None)),
        ] {
            assert_eq!(repos.of(name), expected, "{name}");
        }
    }
}
