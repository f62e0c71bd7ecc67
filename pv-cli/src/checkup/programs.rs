//! The programs that jobs need, as jobs would find them, and this one.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use pv_lib::{
    config::{Agent, Config, KNOWN_AGENTS, Launcher},
    host,
};
use pv_watcher::{Plan, withheld_variables};

use super::{
    Finding, Level,
    identity::{Permission, Want},
    job_side::{JobSide, Program},
    shebang::{FIRST_LINE_BYTES_MAX, Interpreter},
};
use crate::version::VERSION;

/// How many interpreters of interpreters are looked at, as the kernel does.
const INTERPRETERS_MAX: usize = 4;

/// Returns the files that run as `program` in this shell, the first one by default.
fn find_here(program: &str) -> Vec<PathBuf> {
    host::find_programs(program, &std::env::var_os("PATH").unwrap_or_default())
}

/// Whether there is a git.
pub(super) fn git(side: &JobSide) -> Finding {
    match side.find_program("git") {
        Program::At(path) => Finding::ok("git", path.display().to_string()),
        Program::None => {
            Finding::problem("git", format!("no git that {} can run", side.who())).with_remedy("install git")
        }
        Program::Unknown(path) => unseen("git", &path, side),
    }
}

/// What `sudo` and the like are worth in jobs, where the watcher says that.
pub(super) fn privileges(side: &JobSide) -> Option<Finding> {
    let is_limited = side.watcher.is_some() && side.runs_as.no_new_privs;
    let message =
        "the watcher has no_new_privs: in its jobs sudo, su, ping and setuid sandboxes get no other privileges";
    is_limited.then(|| Finding::ok("privileges", message))
}

/// Whether each agent can be started, and which can.
pub(super) fn agents(config: &Config, side: &JobSide) -> Vec<Finding> {
    // Of those that a launcher runs, that tells.
    let is_local = |agent: &Agent| config.launchers.get(&agent.launcher).is_none_or(Launcher::is_local);
    let (here, elsewhere): (Vec<_>, Vec<_>) = config.agents.iter().partition(|(_, settings)| is_local(settings));
    let judged = here.into_iter().filter_map(|(name, settings)| Some((name, agent(config, name, settings, side)?)));
    let judged: Vec<(&String, Finding)> = judged.collect();
    if judged.is_empty() && !elsewhere.is_empty() {
        return Vec::new();
    }
    let names = |is_ok: bool| -> Vec<&str> {
        let of = judged.iter().filter(|(_, finding)| (finding.level == Level::Ok) == is_ok);
        of.map(|(name, _)| name.as_str()).collect()
    };
    let (can, cannot) = (names(true), names(false));
    let also = if cannot.is_empty() { String::new() } else { format!("; not {}", cannot.join(", ")) };
    let all = if can.is_empty() && elsewhere.is_empty() {
        Finding::problem("agents", format!("none can be started by {}", side.who()))
            .with_remedy("install one, or set agents.NAME.command")
    } else {
        let run = elsewhere.iter().map(|(name, settings)| format!("{name} by `{}`", settings.launcher));
        let run: Vec<String> = can.iter().map(|name| (*name).to_owned()).chain(run).collect();
        Finding::ok("agents", format!("can be started: {}{also}", run.join(", ")))
    };
    judged.into_iter().map(|(_, finding)| finding).chain([all]).collect()
}

/// Whether an agent's program is there, and what runs it where it is a script; `None` for one that nobody configured and
/// that is not there.
fn agent(config: &Config, name: &str, settings: &Agent, side: &JobSide) -> Option<Finding> {
    let is_default = *name == config.default_agent.value;
    let of_agent = format!("agents.{name}.");
    let is_set = config.rows.iter().any(|row| row.name.starts_with(&of_agent) && !row.origin.is_default());
    let is_configured = is_set || !KNOWN_AGENTS.contains(&name);
    let is_there = settings.command.first().is_some_and(|program| side.find_program(program) != Program::None);
    (is_default || is_configured || is_there).then(|| program(name, settings, is_default, side))
}

fn program(name: &str, settings: &Agent, is_default: bool, side: &JobSide) -> Finding {
    let check = format!("agent {name}{}", if is_default { " (default)" } else { "" });
    let Some(program) = settings.command.first() else {
        return Finding::problem(check, "no command").with_remedy(format!("set agents.{name}.command"));
    };
    let level = if is_default { Level::Problem } else { Level::Warning };
    let path = match side.find_program(program) {
        Program::At(path) => path,
        Program::Unknown(path) => return unseen(&check, &path, side),
        Program::None => {
            let message = format!("`{program}` is no program that {} can run", side.who());
            let here = find_here(program).into_iter().next().filter(|_| side.watcher.is_some());
            let (message, remedy) = match here {
                Some(here) => {
                    let (here, user) = (here.display(), &side.runs_as.user);
                    let remedy = format!(
                        "name its whole path in agents.{name}.command where {user} may run it, or change the PATH of the \
                         service and start it anew"
                    );
                    (format!("{message}; this shell finds {here}"), remedy)
                }
                None => (message, format!("install it, or set agents.{name}.command")),
            };
            return Finding::new(level, check, message).with_remedy(remedy);
        }
    };
    match missing_interpreter(&path, side) {
        None => Finding::ok(check, path.display().to_string()),
        Some(interpreter) => {
            let message =
                format!("{} is a script for `{interpreter}`, which {} cannot run", path.display(), side.who());
            let remedy = format!("install it where that is found, or set agents.{name}.command");
            Finding::new(level, check, message).with_remedy(remedy)
        }
    }
}

/// Returns the interpreter of a script, or that one's, where jobs cannot run it.
fn missing_interpreter(program: &Path, side: &JobSide) -> Option<String> {
    let mut path = program.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        let mut start = Vec::new();
        // A program that may be executed and not read is none that this could say more of.
        File::open(&path).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut start).ok()?;
        path = match Interpreter::of(&start)? {
            Interpreter::OnPath(name) => match side.find_program(&name) {
                Program::At(path) => path,
                Program::None => return Some(name),
                Program::Unknown(_) => return None,
            },
            Interpreter::At(name) => match side.identity.may(Want::Execute, Path::new(&name)) {
                Permission::Yes => name.into(),
                Permission::No(_) => return Some(name),
                Permission::Unknown(_) => return None,
            },
        };
    }
    None
}

/// What this user cannot see of another's programs.
fn unseen(check: &str, path: &Path, side: &JobSide) -> Finding {
    let user = &side.runs_as.user;
    Finding::warning(check, format!("whether {user} can run {} cannot be seen by this user", path.display()))
        .with_remedy(format!("sudo -u {user} pv doctor"))
}

/// Credentials and locations that the watcher has and an agent that knows them will not get: a job fails for want of one
/// in a way that nobody would guess.
///
/// Without a watcher that tells, this process's own environment counts.
pub(super) fn withheld(plan: &Plan, side: &JobSide) -> Vec<Finding> {
    let whose = if side.watcher.is_some() { "the watcher" } else { "this shell" };
    let environment = side.variables();
    // Who is neither installed nor chosen runs no job.
    let runs = |(name, agent): &(&String, &Agent)| {
        let is_there = |program: &String| matches!(side.find_program(program), Program::At(_));
        **name == plan.default_agent || agent.command.first().is_some_and(is_there)
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
    let first = find_here("pv").into_iter().next();
    match (this, first) {
        (Ok(this), Some(first)) if std::fs::canonicalize(&first).is_ok_and(|first| first == this) => {
            Finding::ok("pv", format!("{}, {VERSION}", first.display()))
        }
        (Ok(this), Some(first)) => {
            let first = first.display();
            let message =
                format!("{first} comes first on the PATH; it is another program or version than this {VERSION}");
            Finding::warning("pv", message).with_remedy(format!("call {}, or change the PATH", this.display()))
        }
        (Ok(this), None) => Finding::ok("pv", format!("{}, {VERSION}, which is not on the PATH", this.display())),
        (Err(error), _) => Finding::warning("pv", format!("cannot tell which program this is: {error}")),
    }
}
