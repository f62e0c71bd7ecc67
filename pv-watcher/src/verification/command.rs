//! Running one command in a checkout.

use std::{
    io,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use pv_lib::{
    config,
    supervise::{Ending, TimeLimits},
};
use rustix::process::Signal;

use super::command_log::CommandLog;
use crate::{
    agent,
    process::{Cgroup, JOB_ID_VARIABLE, KILL_LIMIT, spawn},
    session::Session,
};

/// How many looks in a row must find nothing of a command.
const CLEAN_LOOKS: u32 = 2;

/// How a command ended.
pub(super) struct CommandRun {
    /// How its process ended.
    pub(super) ending: Ending,
    /// What it was given.
    pub(super) limits: TimeLimits,
    /// How long it ran.
    pub(super) took: Duration,
}

/// Runs a command until it and all that it started are gone.
///
/// # Errors
/// Where it could not be started.
pub(super) fn run_command(
    session: &mut Session<'_>,
    command: &config::Command,
    timeout: Duration,
    log: &mut CommandLog,
) -> io::Result<CommandRun> {
    let limits = TimeLimits {
        timeout: Some(timeout),
        idle_timeout: None,
        heartbeat: session.plan.heartbeat,
        grace: session.plan.abort_grace,
        kill: KILL_LIMIT,
        clean_scans: CLEAN_LOOKS,
        settle: None,
    };
    let begun = Instant::now();
    let mut cgroup = session.plan.use_cgroup.then(|| Cgroup::create(session.id())).flatten();
    let process = match spawn(prepare(session, command), None, cgroup.as_ref()) {
        Ok(process) => process,
        Err(error) => {
            cgroup.iter().for_each(Cgroup::remove);
            return Err(error);
        }
    };
    if let Some(outside) = cgroup.take_if(|cgroup| !cgroup.holds(process.pid())) {
        outside.remove();
    }
    let (ending, last_output_at) = session.run_in_checkout(process, Signal::TERM, cgroup.as_ref(), log, &limits);
    cgroup.iter().for_each(Cgroup::remove);
    session.update_unflushed(|patch| patch.last_output_at = last_output_at.or(patch.last_output_at));
    Ok(CommandRun { ending, limits, took: begun.elapsed() })
}

fn prepare(session: &Session<'_>, command: &config::Command) -> Command {
    let words = command.words();
    let (program, arguments) = words.split_first().map_or(("true", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut prepared = Command::new(program);
    prepared.args(arguments).current_dir(session.checkout_path()).stdin(Stdio::null());
    prepared.env_clear().envs(agent::basic(&session.plan.environment));
    // By this what it leaves is found.
    prepared.env(JOB_ID_VARIABLE, session.id().as_str());
    prepared
}
