//! Accounts that open more than a model: their variables are given only to an agent that uses them.

use std::ffi::{OsStr, OsString};

use pv_lib::config::Agent;

/// Values of a switch that is off, in lower case.
const OFF: [&str; 5] = ["", "0", "false", "no", "off"];

/// The variables of an account that opens more than a model, which an agent is given where it uses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cloud {
    /// When it is used.
    pub(super) used_when: UsedWhen,
    /// Their names; `*` stands for any ending.
    pub(super) variables: &'static [&'static str],
}

/// When an agent uses an account.
#[derive(Debug, Clone, Copy)]
pub(super) enum UsedWhen {
    /// A variable that is set, and not to a word for "off".
    Switch(&'static str),
    /// A model whose name begins so.
    Model(&'static str),
    /// A configured argument that has this in it.
    Argument(&'static str),
}

impl Cloud {
    /// Tells whether a variable of this name switches it on or off.
    pub(crate) fn is_switch(&self, name: &OsStr) -> bool {
        matches!(self.used_when, UsedWhen::Switch(switch) if name == switch)
    }

    /// Tells whether an agent uses it, by its plan, its job's model, or its environment.
    pub(super) fn is_used(&self, plan: &Agent, model: Option<&str>, environment: &[(OsString, OsString)]) -> bool {
        match self.used_when {
            UsedWhen::Model(prefix) => model.or(plan.model.as_deref()).is_some_and(|model| model.starts_with(prefix)),
            UsedWhen::Argument(part) => plan.args.iter().any(|argument| argument.contains(part)),
            UsedWhen::Switch(switch) => environment.iter().any(|(name, value)| {
                name == switch && !OFF.contains(&value.to_string_lossy().trim().to_lowercase().as_str())
            }),
        }
    }
}
