//! Running one command in a checkout.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use pv_lib::{
    config,
    job::{FailReason, Outcome},
    supervise::{Ending, Exit, TimeLimits},
};
use rustix::process::Signal;

use super::command_log::CommandLog;
use crate::{
    agent,
    launcher::{AgentPlaces, Launched},
    process::{Cgroup, KILL_LIMIT, TOOL_LIMIT},
    session::{CommandStart, NotStarted, Session, StartedCommand, Unfinished},
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
    /// What speaks against an exit code of 0, by the word of its launcher.
    pub(super) refuted: Option<String>,
}

/// Why a command did not run to its end.
pub(super) enum NotRun {
    /// It was not started, and why.
    NotStarted(String),
    /// It was, and it is not proved that nothing of it is left; this process was told to end meanwhile.
    Unfinished,
}

impl NotRun {
    /// Returns what is to be returned of a job that is not over, and goes on with the next supervisor.
    pub(super) fn interrupted() -> Outcome {
        Outcome::failed(FailReason::Interrupted, "its supervisor was stopped before its launcher had ended all of it")
    }
}

/// Runs a command until it and all that it started are gone.
///
/// # Errors
/// [`NotRun`].
pub(super) fn run_command(
    session: &mut Session<'_>,
    command: &config::Command,
    timeout: Duration,
    log: &mut CommandLog,
) -> Result<CommandRun, NotRun> {
    let is_local = session.launcher().is_local();
    let limits = TimeLimits {
        timeout: Some(timeout),
        idle_timeout: None,
        heartbeat: session.plan.heartbeat,
        grace: session.plan.abort_grace,
        kill: if is_local { KILL_LIMIT } else { KILL_LIMIT + TOOL_LIMIT },
        clean_scans: CLEAN_LOOKS,
        settle: None,
    };
    let begun = Instant::now();
    let mut cgroup = session.plan.use_cgroup.then(|| Cgroup::create(session.id())).flatten();
    let (process, mut launched) = match session.start_in_checkout(prepare(session, command), cgroup.as_ref()) {
        Ok(started) => started,
        Err(why) => {
            cgroup.iter().for_each(Cgroup::remove);
            return Err(NotRun::NotStarted(match why {
                NotStarted::Program(error) => error.to_string(),
                NotStarted::Launcher(why) | NotStarted::Record(why) => why,
            }));
        }
    };
    if let Some(outside) = cgroup.take_if(|cgroup| !cgroup.holds(process.pid())) {
        outside.remove();
    }
    let started = StartedCommand { process, stop_signal: Signal::TERM, launched: Some(&mut launched), phase: None };
    let (ending, last_output_at) = session.run_in_checkout(started, cgroup.as_ref(), log, &limits);
    cgroup.iter().for_each(Cgroup::remove);
    session.update_unflushed(|patch| patch.last_output_at = last_output_at.or(patch.last_output_at));
    let took = begun.elapsed();
    session.end_launch(&launched, ending.clean && ending.exit.is_some()).map_err(|Unfinished| NotRun::Unfinished)?;
    if let Some(why) = why_not_started(&ending, &launched) {
        return Err(NotRun::NotStarted(why));
    }
    let refuted = launched.why_not_succeeded().filter(|_| ending.cause.is_none() && ending.exit == Some(Exit::Code(0)));
    Ok(CommandRun { ending, limits, took, refuted })
}

fn why_not_started(ending: &Ending, launched: &Launched<'_>) -> Option<String> {
    launched.why_not_started(ending.exit.filter(|_| ending.cause.is_none())?)
}

fn prepare(session: &Session<'_>, command: &config::Command) -> CommandStart {
    CommandStart {
        words: Some(command.words()).filter(|words| !words.is_empty()).unwrap_or_else(|| vec!["true".to_owned()]),
        variables: agent::basic(&session.plan.environment),
        agent: AgentPlaces::default(),
        stdin: Stdio::null(),
        is_apart: false,
    }
}
