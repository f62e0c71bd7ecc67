//! One job from `created` to its end: the sequence, and nothing else.
//!
//! The order of steps is what makes it safe to be killed between any two: the prompt is copied before the start, the
//! durable `running` comes before anything is executed, an abort is looked for after it once more, the agent and all
//! that it started are gone before its work is saved, and the work is saved before the record says that it is over.

use std::{
    io,
    time::{Duration, Instant},
};

use pv_lib::{
    Error, host,
    job::{FailReason, JobId, JobState, Outcome, Phase, Started},
    prompt::{self, Checked},
    store::{RunWriter, Store},
};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid};
use tracing::warn;

use crate::{
    checkout,
    plan::{AgentPlan, Plan},
    proc_linux::Wakes,
    session::Session,
};

/// How long to wait for the run's lock: a look takes it for an instant.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The pause between two tries for it.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How long the end of a job is tried to be written, on a disk that refuses. Afterwards recovery writes `interrupted`.
const FINISH_WAIT: Duration = Duration::from_secs(3600);

/// The pause between two tries to write it.
const FINISH_PAUSE: Duration = Duration::from_secs(1);

/// Why a job could not be supervised. Its record then says as much as was true before.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The record or the run folder does not allow it, or the disk refused.
    #[error(transparent)]
    Job(#[from] Error),
    /// The job is not waiting to be started.
    #[error("job {id} is {state}: only a created job is started, and only once")]
    NotWaiting {
        /// The job.
        id: JobId,
        /// The state that it is in.
        state: JobState,
    },
    /// The kernel refused what a supervisor needs.
    #[error("cannot prepare to supervise job {id}: {source}")]
    Prepare {
        /// The job.
        id: JobId,
        /// What it said.
        source: io::Error,
    },
}

/// What the prompt and the plan together say about how the job is run.
pub(crate) struct Terms<'a> {
    /// The agent's name.
    pub(crate) agent: String,
    /// How it is called.
    pub(crate) plan: &'a AgentPlan,
    /// The model that it is told to use.
    pub(crate) model: Option<String>,
    /// How long it may run.
    pub(crate) timeout: Option<Duration>,
    /// How long it may be silent.
    pub(crate) idle_timeout: Option<Duration>,
    title: Option<String>,
}

/// Runs a job that waits to be started, and returns the state in which it ended.
///
/// Takes this process over: its signals, its session, and every process that descends from it, which are all ended.
/// Call it in a process that does nothing else, from the thread that lives longest. Returns when the job is over, its
/// record written durably, its prompt archived and its checkout gone.
///
/// # Errors
/// [`SuperviseError`]; the job is then what it was, or `running` with nobody at its lock, which recovery ends.
pub fn supervise(store: &Store, plan: &Plan, id: &JobId) -> Result<JobState, SuperviseError> {
    let wakes = own_this_process(store, id).map_err(|source| SuperviseError::Prepare { id: id.clone(), source })?;
    let writer = take_pen(store, id)?;
    let state = writer.record().state();
    if state != JobState::Created {
        return Err(SuperviseError::NotWaiting { id: id.clone(), state });
    }
    let mut session = Session::new(store, plan, writer, wakes);
    let outcome = run(&mut session)?;
    let end = finish(&mut session, &outcome)?;
    clean_up(&mut session);
    Ok(end)
}

fn own_this_process(store: &Store, id: &JobId) -> io::Result<Wakes> {
    // Already the leader of its group: whoever started us meant that.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Wakes::new(&store.layout().run(id))
}

fn take_pen(store: &Store, id: &JobId) -> Result<RunWriter, Error> {
    let begun = Instant::now();
    loop {
        match store.writer(id) {
            Err(Error::Locked(_)) if begun.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_PAUSE),
            taken => return taken,
        }
    }
}

fn run(session: &mut Session<'_>) -> Result<Outcome, Error> {
    let terms = match read_prompt(session) {
        Ok(terms) => terms,
        Err(Error::InvalidPrompt(message)) => return Ok(failed(FailReason::Prompt, message)),
        Err(error @ Error::TooLarge { .. }) => return Ok(failed(FailReason::Prompt, error.to_string())),
        Err(error) => return Err(error),
    };
    if session.abort_requested() {
        return Ok(Outcome::Aborted { message: Some("aborted before it started".into()) });
    }
    let started = Started {
        now: host::now(),
        boot_id: host::boot_id(),
        agent: terms.agent.clone(),
        model: terms.model.clone(),
        title: terms.title.clone(),
        log_path: session.store.layout().log(session.id()).into_string(),
        phase: Phase::Preparing,
    };
    session.writer.start(started)?;
    if session.abort_requested() {
        return Ok(Outcome::Aborted { message: Some("aborted before its agent started".into()) });
    }
    let start = match session.check_out() {
        Ok(start) => start,
        Err(outcome) => return Ok(outcome),
    };
    if session.wakes.terminated() {
        let message = "its supervisor was told to end before the agent started";
        return Ok(failed(FailReason::Interrupted, message));
    }
    let outcome = session.run_agent(&terms);
    let outcome = session.save_work(&start, outcome);
    // Nothing has been handed over yet, so that an abort still counts.
    if session.abort_requested() && !matches!(outcome, Outcome::Aborted { .. }) {
        return Ok(Outcome::Aborted { message: Some("aborted when its agent had ended".into()) });
    }
    Ok(outcome)
}

fn read_prompt<'a>(session: &Session<'a>) -> Result<Terms<'a>, Error> {
    let bytes = session.writer.write_prompt()?;
    let checked = prompt::check(&bytes, session.store.limits().prompt_bytes)?;
    terms(session.plan, checked)
}

fn terms(plan: &Plan, Checked { settings, title, .. }: Checked) -> Result<Terms<'_>, Error> {
    let agent = settings.agent.unwrap_or_else(|| plan.default_agent.clone());
    let is_allowed = plan.allowed_agents.is_empty() || plan.allowed_agents.contains(&agent);
    let Some(found) = plan.agents.get(&agent).filter(|_| is_allowed) else {
        let usable = |name: &&String| plan.allowed_agents.is_empty() || plan.allowed_agents.contains(name);
        let usable: Vec<&str> = plan.agents.keys().filter(usable).map(String::as_str).collect();
        return Err(Error::InvalidPrompt(format!(
            "the agent `{agent}` cannot be used here: name one of {}, or configure it under `agents`",
            usable.join(", ")
        )));
    };
    Ok(Terms {
        agent,
        plan: found,
        model: settings.model.or_else(|| found.model.clone()),
        timeout: settings.timeout.or(found.timeout),
        idle_timeout: settings.idle_timeout.or(found.idle_timeout),
        title,
    })
}

/// Writes the end, again and again on a disk that refuses, until it is durable.
fn finish(session: &mut Session<'_>, outcome: &Outcome) -> Result<JobState, Error> {
    let begun = Instant::now();
    loop {
        let written = session.settle_facts().and_then(|()| session.writer.finish(outcome.clone(), host::now()));
        match written {
            Ok(()) => return Ok(session.writer.record().state()),
            Err(error @ Error::Fs { .. }) if begun.elapsed() < FINISH_WAIT && !session.wakes.terminated() => {
                warn!(job = %session.id(), "cannot write how the job ended, trying again: {error}");
                std::thread::sleep(FINISH_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Tidies up after a job that is over. What fails here, recovery does later.
fn clean_up(session: &mut Session<'_>) {
    if let Err(error) = session.writer.archive() {
        warn!(job = %session.id(), "cannot archive the prompt yet: {error}");
    }
    for dir in session.folders_to_remove() {
        if let Err(error) = checkout::remove(&dir) {
            warn!(job = %session.id(), "cannot remove {dir}: {error}");
        }
    }
}

pub(crate) fn failed(reason: FailReason, message: impl Into<String>) -> Outcome {
    Outcome::Failed { reason, message: message.into() }
}
