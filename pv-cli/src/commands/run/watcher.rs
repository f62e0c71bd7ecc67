//! The watcher that starts the job: the one that runs, or one that is started in the background.

use std::ffi::OsString;

use pv_lib::{
    config::{Agent, Config},
    host,
    store::Store,
};
use pv_watcher::{differing_variables, is_of_this_user};

use crate::{
    background::{self, Running, Service, environment_of},
    context::Context,
    exit::{Exit, Failure},
    version::{VERSION, with_commit},
};

/// Finds the watcher, or starts one; returns what there is to say of it.
///
/// One in the background has the program and the environment of the command that started it. Where that would give the agent
/// another login than this one, or is another version, it is started anew: jobs that run do not mind.
///
/// # Errors
/// Where none can be started; and with `is_local` where one runs that is another version and not in the background: it may
/// not know where such a job is delivered. Exit code 5.
pub(super) fn watcher(
    store: &Store,
    config: &Config,
    agent: &str,
    environment: &[(OsString, OsString)],
    is_local: bool,
    context: &Context,
) -> Result<String, Failure> {
    let start = || background::start(Service::Watcher, store, &config.folders.root.value, context, &[]);
    let Some(running) = background::running(store)? else {
        if !is_of_this_user(store) {
            let why = "no watcher runs on this installation, which is another user's: start it as that user, such as by \
                       `systemctl start prompt-valet-watcher`";
            return Err(Failure::new(Exit::Refused, why));
        }
        let started = start()?;
        let (who, pv) = (started.running.who(), context.command());
        if started.is_of_another {
            return Ok(format!("runs ({who})"));
        }
        return Ok(format!("started in the background ({who}); `{pv} down` stops it"));
    };
    let other_program = other_program(&running);
    if is_local && let Some(why) = other_program.as_ref().filter(|_| !running.is_in_background()) {
        let why =
            format!("the watcher ({}) may not know where a local job goes, since {why}: start it anew", running.who());
        return Err(Failure::new(Exit::Refused, why));
    }
    let of_agent = || config.agent(agent).and_then(|plan| difference(&running, agent, plan, environment));
    let differs = other_program.or_else(of_agent);
    match differs {
        None => Ok(format!("runs ({})", running.who())),
        Some(why) if running.is_in_background() => {
            background::stop(store, &running)?;
            Ok(format!("started anew ({}), since {why}", start()?.running.who()))
        }
        Some(why) => Ok(format!("runs ({}), but {why}: start it anew where {agent} needs that", running.who())),
    }
}

/// Returns why a watcher is another program than this one.
fn other_program(running: &Running) -> Option<String> {
    let theirs = running.status.as_ref().map(|status| with_commit(&status.version, status.commit.as_deref()));
    if let Some(theirs) = theirs.filter(|theirs| theirs != VERSION) {
        return Some(format!("it is version {theirs}, and this is {VERSION}"));
    }
    let program = std::fs::read_link(format!("/proc/{}/exe", running.pid?)).ok()?;
    program.to_str()?.ends_with(" (deleted)").then(|| "its program was replaced".to_owned())
}

/// Returns what a watcher would give an agent otherwise than this command would.
fn difference(running: &Running, name: &str, agent: &Agent, environment: &[(OsString, OsString)]) -> Option<String> {
    let theirs = environment_of(running.pid?.try_into().ok()?)?;
    let path = theirs.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
    let program = agent.command.first()?;
    if host::find_programs(program, &path).is_empty() {
        return Some(format!("it did not find {program} on its PATH"));
    }
    let names = differing_variables(name, agent, environment, &theirs);
    (!names.is_empty()).then(|| format!("it had not the same {}", names.join(", ")))
}
