//! The programs that jobs need, and this one, as this user would start them.

use std::{
    ffi::OsString,
    fs::File,
    io::Read,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use pv_lib::{
    config::{Agent, Config},
    host,
    store::Store,
};
use pv_watcher::{Plan, withheld_variables};

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

/// The longest environment of a process that is read, in bytes.
const ENVIRONMENT_BYTES_MAX: u64 = 4 << 20;

/// Credentials and locations that the watcher has and an agent that knows them will not get: a job fails for want of one
/// in a way that nobody would guess.
///
/// Where the watcher runs, and this user may read its environment, that is what counts; else this process's own.
pub(super) fn withheld(plan: &Plan, store: &Store) -> Vec<Finding> {
    let watcher = store.watcher_status().ok().flatten().filter(|watcher| watcher.is_alive(host::now()));
    let watcher = watcher.filter(|watcher| watcher.host == host::name());
    let of_watcher = watcher.and_then(|watcher| environment(Path::new(&format!("/proc/{}/environ", watcher.pid))));
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

/// Reads a file of `/proc` with the environment of a process; `None` where it cannot be read.
fn environment(path: &Path) -> Option<Vec<(OsString, OsString)>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let variable = |entry: &[u8]| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        Some((OsString::from_vec(entry[..at].into()), OsString::from_vec(entry[at + 1..].into())))
    };
    Some(bytes.split(|byte| *byte == 0).filter_map(variable).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_of_a_process_is_read_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("environ");
        std::fs::write(&path, b"A=1\0B=x=y\0\xff=\xfe\0junk\0EMPTY=\0").unwrap();
        let pair = |name: &[u8], value: &[u8]| (OsString::from_vec(name.into()), OsString::from_vec(value.into()));
        let expected = [pair(b"A", b"1"), pair(b"B", b"x=y"), pair(b"\xff", b"\xfe"), pair(b"EMPTY", b"")];
        assert_eq!(environment(&path).unwrap(), expected);
        assert_eq!(environment(&dir.path().join("none")), None);
    }
}
