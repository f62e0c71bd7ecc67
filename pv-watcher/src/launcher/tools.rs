//! The commands that look after what a launcher started, filled in for one start.

use std::ffi::OsString;

use pv_lib::config::AskSignal;
use rustix::process::Signal;

/// How what was started is looked after.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    /// How it is asked to end.
    pub(crate) ask: AskBy,
    /// Ends it by name.
    pub(crate) stop: Option<Vec<String>>,
    /// Prints what is left of it.
    pub(crate) alive: Option<Vec<String>>,
    /// Prints what came of it.
    pub(crate) outcome: Option<Vec<String>>,
    /// What that prints of one that succeeded.
    pub(crate) succeeds: String,
    /// Prints why it has not started yet.
    pub(crate) waiting: Option<Vec<String>>,
    /// The variables that these commands are given.
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// How what was started is asked to end.
#[derive(Debug, Clone, Default)]
pub(crate) enum AskBy {
    /// By its own signal to the client's group.
    #[default]
    OwnSignal,
    /// By this signal to the client's group.
    Signal(Signal),
    /// By a command, for each signal by its name.
    Command(Vec<(&'static str, Vec<String>)>),
}

/// The signals that an agent may be asked by, for which a command is filled in.
pub(super) const ASKED_BY: [AskSignal; 3] = [AskSignal::Term, AskSignal::Int, AskSignal::Hup];

/// Returns a signal of the settings as the system's.
pub(super) fn signal(signal: AskSignal) -> Signal {
    match signal {
        AskSignal::Hup => Signal::HUP,
        AskSignal::Int => Signal::INT,
        AskSignal::Quit => Signal::QUIT,
        AskSignal::Term => Signal::TERM,
        AskSignal::Usr1 => Signal::USR1,
        AskSignal::Usr2 => Signal::USR2,
    }
}

/// What the programs of every launcher are given of the supervisor's environment.
const BASIC: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"];

/// Returns the variables for the programs of a launcher: a few that each needs, and those that are configured.
pub(super) fn variables_of(environment: &[(OsString, OsString)], names: &[String]) -> Vec<(OsString, OsString)> {
    let is_named =
        |name: &str, known: &str| known.strip_suffix('*').map_or(name == known, |begin| name.starts_with(begin));
    let is_given = |name: &OsString| {
        name.to_str().is_some_and(|name| {
            BASIC.contains(&name) || (!name.starts_with("PV_") && names.iter().any(|known| is_named(name, known)))
        })
    };
    environment.iter().filter(|(name, _)| is_given(name)).cloned().collect()
}

/// Adds to the variables of what is to be started those that its client needs.
pub(super) fn with_variables_of_client(
    variables: &[(OsString, OsString)],
    of_client: &[(OsString, OsString)],
) -> Vec<(OsString, OsString)> {
    let is_new = |(name, _): &&(OsString, OsString)| !variables.iter().any(|(known, _)| known == name);
    variables.iter().chain(of_client.iter().filter(is_new)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_a_launcher_get_little_and_nothing_of_ours() {
        let environment: Vec<_> = ["PATH", "HOME", "SLURM_CONF", "SLURM_JOB_ID", "PV_API_TOKEN", "OPENAI_API_KEY"]
            .map(|name| (OsString::from(name), OsString::from("x")))
            .into();
        let check = |names: &[&str], expected: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let given = variables_of(&environment, &names);
            let given: Vec<_> = given.iter().filter_map(|(name, _)| name.to_str()).collect();
            assert_eq!(given.join(" "), expected, "{names:?}");
        };
        check(&[], "PATH HOME");
        check(&["SLURM_CONF"], "PATH HOME SLURM_CONF");
        check(&["SLURM_*", "PV_*"], "PATH HOME SLURM_CONF SLURM_JOB_ID");
    }
}
