//! The programs that jobs need, and this one, as this user would start them.

use std::path::PathBuf;

use pv_lib::{
    config::{Agent, Config},
    host,
};

use super::{Finding, Level};

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

/// Whether an agent's program is there.
pub(super) fn agent(config: &Config, name: &str, settings: &Agent) -> Finding {
    let is_default = *name == config.default_agent.value;
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
