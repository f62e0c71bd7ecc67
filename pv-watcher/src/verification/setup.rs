//! The commands that prepare a checkout before its agent starts.

use std::time::Instant;

use pv_lib::{
    config::Command,
    job::{FailReason, Outcome},
    supervise::Cause,
    text::one_line,
};

use super::{
    command::{NotRun, run_command},
    command_log::CommandLog,
};
use crate::session::Session;

/// Runs the commands in their order, each to its end, all of them within one time limit.
///
/// # Errors
/// How the job ends: one failed, took too long, or the job was stopped.
pub(crate) fn run_setup(session: &mut Session<'_>, commands: &[Command]) -> Result<(), Outcome> {
    if commands.is_empty() {
        return Ok(());
    }
    let open = CommandLog::open(session);
    let mut log = open.map_err(|error| Outcome::failed(FailReason::Setup, format!("cannot open the log: {error}")))?;
    let done = run_all(session, commands, &mut log);
    log.finish(session);
    done
}

fn run_all(session: &mut Session<'_>, commands: &[Command], log: &mut CommandLog) -> Result<(), Outcome> {
    let (begun, timeout) = (Instant::now(), session.plan.verification.setup_timeout);
    for command in commands {
        let shown = one_line(&command.to_string());
        log.say(&format!("setup: {shown}"));
        let what = format!("setup: `{shown}`");
        let left = timeout.saturating_sub(begun.elapsed());
        let run = run_command(session, command, left, log).map_err(|not_run| match not_run {
            NotRun::NotStarted(why) => {
                Outcome::failed(FailReason::Setup, format!("{what} could not be started: {why}"))
            }
            NotRun::Unfinished => NotRun::interrupted(),
        })?;
        let refuted =
            || Some(Outcome::failed(FailReason::Setup, format!("{what} did not end well: {}", run.refuted.as_ref()?)));
        let Some(failure) = run.ending.failure(&what, &run.limits).or_else(refuted) else { continue };
        log.say(&format!("setup failed: {shown}"));
        return Err(match (run.ending.cause, failure) {
            (Some(Cause::Timeout), _) => Outcome::failed(
                FailReason::Setup,
                format!("{what} was ended: setup may take {} s in all (setup_timeout)", timeout.as_secs()),
            ),
            (None, Outcome::Failed { message, .. }) => Outcome::failed(
                FailReason::Setup,
                format!("{message}; its output is in the log; the agent was not started"),
            ),
            (_, stopped) => stopped,
        });
    }
    Ok(())
}
