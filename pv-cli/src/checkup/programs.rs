//! The programs that jobs need, and this one, as this user would start them.

use std::path::PathBuf;

use pv_lib::{
    config::{Agent, Config, KNOWN_AGENTS},
    host,
    store::Store,
};
use pv_watcher::{Plan, withheld_variables};

use super::{Finding, Level};
use crate::background::environment_of;

/// Returns the files that run as `program`, the first one by default.
fn find_programs(program: &str) -> Vec<PathBuf> {
    host::find_programs(program, &std::env::var_os("PATH").unwrap_or_default())
}

/// Whether there is a git.
pub(super) fn git() -> Finding {
    match find_programs("git").first() {
        Some(path) => Finding::ok("git", path.display().to_string()),
        None => Finding::problem("git", "not found on the PATH").with_remedy("install git"),
    }
}

/// Whether an agent's program is there; `None` for one that nobody configured and that is not.
pub(super) fn agent(config: &Config, name: &str, settings: &Agent) -> Option<Finding> {
    let is_default = *name == config.default_agent.value;
    let of_agent = format!("agents.{name}.");
    let is_set = config.rows.iter().any(|row| row.name.starts_with(&of_agent) && !row.origin.is_default());
    let is_configured = is_set || !KNOWN_AGENTS.contains(&name);
    let is_there = settings.command.first().is_some_and(|program| !find_programs(program).is_empty());
    (is_default || is_configured || is_there).then(|| program(name, settings, is_default))
}

fn program(name: &str, settings: &Agent, is_default: bool) -> Finding {
    let check = format!("agent {name}{}", if is_default { " (default)" } else { "" });
    let Some(program) = settings.command.first() else {
        return Finding::problem(check, "no command").with_remedy(format!("set agents.{name}.command"));
    };
    match find_programs(program).first() {
        Some(path) => Finding::ok(check, path.display().to_string()),
        None => {
            let level = if is_default { Level::Problem } else { Level::Warning };
            Finding::new(level, check, format!("`{program}` is no program that this user can run"))
                .with_remedy(format!("install it, or set agents.{name}.command"))
        }
    }
}

/// Credentials and locations that the watcher has and an agent that knows them will not get: a job fails for want of one
/// in a way that nobody would guess.
///
/// Where the watcher runs, and this user may read its environment, that is what counts; else this process's own.
pub(super) fn withheld(plan: &Plan, store: &Store) -> Vec<Finding> {
    let watcher = store.watcher_status().ok().flatten().filter(|watcher| watcher.is_alive(host::now()));
    let watcher = watcher.filter(|watcher| watcher.host == host::name());
    let of_watcher = watcher.and_then(|watcher| environment_of(watcher.pid));
    let whose = if of_watcher.is_some() { "the watcher" } else { "this shell" };
    let environment = of_watcher.unwrap_or_else(|| plan.environment.to_vec());
    // Who is neither installed nor chosen runs no job.
    let runs = |(name, agent): &(&String, &Agent)| {
        **name == plan.default_agent || agent.command.first().is_some_and(|program| !find_programs(program).is_empty())
    };
    let each = plan.agents.iter().filter(runs).filter_map(|(name, agent)| {
        let names = withheld_variables(name, agent, &environment);
        let message = format!("{whose} has {}, which {name} does not get", names.join(", "));
        let remedy = format!("name those that it needs in agents.{name}.env");
        (!names.is_empty()).then(|| Finding::warning(format!("variables for {name}"), message).with_remedy(remedy))
    });
    each.collect()
}

/// Whether this program is the one that `pv` runs: another one of this name, the pipe viewer, is common.
pub(super) fn this_program() -> Finding {
    let this = std::env::current_exe().and_then(std::fs::canonicalize);
    let first = find_programs("pv").into_iter().next();
    match (this, first) {
        (Ok(this), Some(first)) if std::fs::canonicalize(&first).is_ok_and(|first| first == this) => {
            Finding::ok("pv", first.display().to_string())
        }
        (Ok(this), Some(first)) => {
            let message = format!("{} comes first on the PATH; it is another program or version", first.display());
            Finding::warning("pv", message).with_remedy(format!("call {}, or change the PATH", this.display()))
        }
        (Ok(this), None) => Finding::ok("pv", format!("{}, which is not on the PATH", this.display())),
        (Err(error), _) => Finding::warning("pv", format!("cannot tell which program this is: {error}")),
    }
}
