//! The checks of an agent's work, and what an agent is told of those that failed.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use pv_lib::{
    config::Command,
    job::{CheckResult, FailReason, Outcome},
    supervise::{Cause, Ending},
    text::one_line,
};

use super::{
    command::{NotRun, run_command},
    command_log::CommandLog,
};
use crate::session::Session;

/// How many paths that checks run from are named.
const CHANGED_MAX: usize = 20;

/// What the checks came to.
#[derive(Debug, Default)]
pub(crate) struct CheckRun {
    /// One for each that was to run, in their order; fewer where the job was stopped.
    pub(crate) results: Vec<CheckResult>,
    /// What the agent is told of those that failed: their output's end.
    pub(crate) tails: Vec<Tail>,
    /// How the job ends where it was stopped.
    pub(crate) stopped: Option<Outcome>,
}

/// The end of one check's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Which of the results it is of.
    pub(crate) check: usize,
    /// The text.
    pub(crate) text: String,
    /// Whether it lacks the beginning.
    pub(crate) is_cut: bool,
}

/// Runs the checks in their order, each to its end, in the checkout as it is.
pub(crate) fn run_checks(session: &mut Session<'_>, checks: &[(String, Command)]) -> CheckRun {
    let mut run = CheckRun::default();
    let mut log = match CommandLog::open(session) {
        Ok(log) => log,
        Err(error) => {
            let message = format!("the checks cannot be run, since their log cannot be opened: {error}");
            run.stopped = Some(Outcome::failed(FailReason::Interrupted, message));
            return run;
        }
    };
    for (name, command) in checks {
        run_check(session, name, command, &mut log, &mut run);
        if run.stopped.is_some() {
            break;
        }
    }
    log.finish(session);
    run
}

fn run_check(session: &mut Session<'_>, name: &str, command: &Command, log: &mut CommandLog, run: &mut CheckRun) {
    let shown = one_line(&command.to_string());
    log.say(&format!("check {name}: {shown}"));
    let mut result = CheckResult { name: name.to_owned(), command: shown, ..CheckResult::default() };
    match run_command(session, command, session.plan.verification.checks_timeout, log) {
        Err(NotRun::NotStarted(why)) => result.error = Some(format!("could not be started: {why}")),
        Err(NotRun::Unfinished) => {
            result.error = Some("it is not known whether it has ended".to_owned());
            run.stopped = Some(NotRun::interrupted());
        }
        Ok(done) => {
            result.error = done.refuted;
            // Tenths are all that people look at.
            result.seconds = (done.took.as_secs_f64() * 10.0).round() / 10.0;
            result.exit_code = done.ending.exit_code();
            result.timed_out = done.ending.cause == Some(Cause::Timeout);
            if !done.ending.clean {
                result.error = Some(Ending::LEFT.to_owned());
            }
            if matches!(done.ending.cause, Some(Cause::Abort | Cause::Interrupt)) {
                result.error = Some("stopped before its end".to_owned());
                run.stopped = done.ending.failure(&format!("the check `{name}`"), &done.limits);
            }
        }
    }
    log.say(&format!("check {name}: {}", result.ending()));
    let (text, is_cut) = log.take_tail();
    run.tails.push(Tail { check: run.results.len(), text, is_cut });
    run.results.push(result);
}

/// Returns what an agent is told of checks that failed: their names, commands, and the end of their output.
pub(crate) fn repair_prompt(results: &[CheckResult], tails: &[Tail]) -> String {
    let red: Vec<(usize, &CheckResult)> = results.iter().enumerate().filter(|(_, result)| !result.is_green()).collect();
    let (is, it) = if red.len() == 1 {
        ("A check of this repository fails", "it passes")
    } else {
        ("Checks of this repository fail", "they pass")
    };
    let mut prompt = format!("{is} on your work. Mend the work so that {it}; do not weaken what is checked.\n");
    for (at, result) in red {
        let _ = write!(prompt, "\nThe check `{}`, `{}`: {}.", result.name, result.command, result.ending());
        let tail = tails.iter().find(|tail| tail.check == at);
        match tail.map(|tail| (tail.text.trim_end(), tail.is_cut)) {
            Some(("", _)) | None => prompt += " It wrote nothing.\n",
            Some((text, is_cut)) => {
                let fence = fence_for(text);
                let what = if is_cut { "The end of its output" } else { "Its output" };
                let _ = write!(prompt, " {what}:\n\n{fence}\n{text}\n{fence}\n");
            }
        }
    }
    prompt
}

/// Returns a fence that no line of the text can close.
fn fence_for(text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().bytes().take_while(|b| *b == b'`').count()).max();
    "`".repeat(longest.unwrap_or(0).max(2) + 1)
}

/// Returns which of the changed paths are files that checks run from, the first few by name.
pub(crate) fn changes_of_checks(changed: &BTreeSet<PathBuf>, patterns: &[String]) -> Vec<String> {
    let globs = glob_set(patterns);
    let found = changed.iter().filter(|path| globs.is_match(path));
    found.take(CHANGED_MAX).map(|path| one_line(&path.to_string_lossy())).collect()
}

fn glob_set(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in patterns.iter().filter_map(|text| GlobBuilder::new(text).literal_separator(true).build().ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_default()
}
