//! One job to its end: the sequence, and nothing else.
//!
//! The order of steps is what makes it safe to be killed between any two: the prompt is copied before the start, the
//! durable `running` comes before anything is executed, an abort is looked for after it once more, the agent and all
//! that it started are gone before its work is saved, the work is saved before it is handed over, and the record says
//! that the job is over only then. A job that is found `running` is never run again: it is brought to its end.

use std::{
    io,
    time::{Duration, Instant},
};

use pv_lib::{
    Error, host,
    job::{FailReason, JobId, JobState, Outcome, Phase, Started, Undelivered},
    prompt::{self, Deliver, ParsedPrompt},
    store::{RunWriter, Store},
};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid};
use tracing::warn;

use crate::{
    git::checkout::{self, Checkout},
    git::unsaved::Unsaved,
    plan::{AgentPlan, Plan},
    process::{Poller, sweep_leftovers},
    session::session::Session,
};

/// How long to wait for the run's lock: a look takes it for an instant.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The pause between two tries for it.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How long the end of a job is tried to be written, on a disk that refuses. Afterwards recovery writes `interrupted`.
const FINISH_WAIT: Duration = Duration::from_secs(3600);

/// The pause between two tries to write it.
const FINISH_PAUSE: Duration = Duration::from_secs(1);

/// How many retries of retries are gone back over in search of saved work.
const RETRIES_MAX: usize = 64;

/// Why a job could not be supervised. Its record then says as much as was true before.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The record or the run folder does not allow it, or the disk refused.
    #[error(transparent)]
    Job(#[from] Error),
    /// The job is over.
    #[error("job {id} is {state}: a job that is over is not run again; `pv retry` makes a new one")]
    Over {
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
pub(crate) struct RunSpec<'a> {
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
    /// As what its work is handed over.
    deliver: Deliver,
    title: Option<String>,
}

/// Brings a job to its end, and returns the state in which it ended: a created one by running it, a running one, whose
/// supervisor is gone, by handing over what that was handing over, or by saving what its agent left.
///
/// Takes this process over: its signals, its session, and every process that descends from it, which are all ended.
/// Call it in a process that does nothing else, from the thread that lives longest. Returns when the job is over, its
/// record written durably, its prompt archived and its checkout gone, unless that holds what is saved nowhere else.
///
/// # Errors
/// [`SuperviseError`]; the job is then what it was, or `running` with nobody at its lock, which the next call ends.
pub fn supervise(store: &Store, plan: &Plan, id: &JobId) -> Result<JobState, SuperviseError> {
    let prepare = |source| SuperviseError::Prepare { id: id.clone(), source };
    let poller = own_this_process(store, id).map_err(prepare)?;
    let writer = acquire_run_lock(store, id)?;
    let state = writer.record().state();
    let mut session = Session::new(store, plan, writer, poller);
    let outcome = match state {
        JobState::Created => run(&mut session)?,
        JobState::Running => {
            sweep_leftovers(id).map_err(prepare)?;
            resume(&mut session)
        }
        JobState::Succeeded | JobState::Failed | JobState::Aborted => {
            return Err(SuperviseError::Over { id: id.clone(), state });
        }
    };
    let end = finish(&mut session, &outcome)?;
    clean_up(&mut session);
    Ok(end)
}

fn own_this_process(store: &Store, id: &JobId) -> io::Result<Poller> {
    // Already the leader of its group: whoever started us meant that.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Poller::new(&store.layout().run_path(id))
}

fn acquire_run_lock(store: &Store, id: &JobId) -> Result<RunWriter, Error> {
    let begun = Instant::now();
    loop {
        match store.writer(id) {
            Err(Error::Locked(_)) if begun.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_PAUSE),
            taken => return taken,
        }
    }
}

fn run(session: &mut Session<'_>) -> Result<Outcome, Error> {
    let spec = match read_prompt(session) {
        Ok(spec) => spec,
        Err(Error::InvalidPrompt(message)) => return Ok(Outcome::failed(FailReason::Prompt, message)),
        Err(error @ Error::TooLarge { .. }) => return Ok(Outcome::failed(FailReason::Prompt, error.to_string())),
        Err(error) => return Err(error),
    };
    if session.abort_requested() {
        return Ok(Outcome::Aborted { message: Some("aborted before it started".into()) });
    }
    let undelivered = session.writer.record().retry_of.clone().and_then(|id| undelivered(session.store, id));
    let started = Started {
        now: host::now(),
        boot_id: host::boot_id(),
        agent: spec.agent.clone(),
        model: spec.model.clone(),
        title: spec.title.clone(),
        log_path: session.store.layout().log_path(session.id()).into_string(),
        phase: if undelivered.is_some() { Phase::Delivering } else { Phase::Preparing },
    };
    session.writer.start(started)?;
    if session.abort_requested() {
        return Ok(Outcome::Aborted { message: Some("aborted before its agent started".into()) });
    }
    if let Some(work) = undelivered {
        return Ok(session.deliver_again(&work, spec.deliver));
    }
    let checkout = match session.check_out() {
        Ok(checkout) => checkout,
        Err(outcome) => return Ok(outcome),
    };
    session.update_record(|patch| {
        patch.phase = Some(Phase::Agent);
        patch.base_commit = Some(checkout.start.clone());
    });
    // Without these a crash would leave work that nobody knows of.
    if let Err(error) = session.flush() {
        let message = format!("the record could not be written before the agent's start: {error}");
        return Ok(Outcome::failed(FailReason::Start, message));
    }
    if session.poller.terminated() {
        let message = "its supervisor was told to end before the agent started";
        return Ok(Outcome::failed(FailReason::Interrupted, message));
    }
    let outcome = session.run_agent(&spec);
    Ok(save_and_deliver(session, &checkout, outcome, spec.deliver))
}

/// Saves the work, whatever became of the agent, and hands it over if all went well.
fn save_and_deliver(session: &mut Session<'_>, checkout: &Checkout, outcome: Outcome, deliver: Deliver) -> Outcome {
    let saved = match session.save_work(checkout) {
        Ok(saved) => saved,
        Err(why) => {
            session.note_kept(format!("the changes could not be saved: {why}"));
            let unsaved = format!("the changes could not be saved and are still in {}: {why}", checkout.dir);
            return match outcome {
                Outcome::Succeeded { .. } => Outcome::failed(FailReason::Delivery, unsaved),
                other => other.adding(&unsaved),
            };
        }
    };
    session.note_saved(&saved);
    let outcome = match outcome {
        Outcome::Succeeded { message } => {
            // Nothing has been handed over yet, so that an abort still counts.
            let end = match &saved.commit {
                _ if session.abort_requested() => {
                    Outcome::Aborted { message: Some("stopped on request when its agent had ended".into()) }
                }
                Some(_) if saved.unsaved.contains(&Unsaved::LargeFiles) && deliver != Deliver::Nothing => {
                    let message = "the contents of files of git-lfs are not pushed from here, so nothing is";
                    Outcome::failed(FailReason::Delivery, message)
                }
                Some(commit) => session.deliver_work(commit, &checkout.start, deliver),
                None => Outcome::Succeeded { message: Some(saved.why_no_commit()) },
            };
            message.iter().fold(end, |end, message| end.adding(message))
        }
        other => other,
    };
    saved.notes(&checkout.dir).iter().fold(outcome, |outcome, note| outcome.adding(note))
}

/// Brings a job to its end whose supervisor is gone.
fn resume(session: &mut Session<'_>) -> Outcome {
    let record = session.writer.record();
    if record.phase == Some(Phase::Delivering) {
        let (own, before) = (Undelivered::of(record), record.retry_of.clone());
        let work = own.clone().or_else(|| before.and_then(|id| undelivered(session.store, id)));
        let outcome = match (delivery_mode(session), own, work) {
            (Err(error), ..) => Outcome::failed(FailReason::Delivery, error.to_string()),
            (Ok(deliver), Some(work), _) => session.deliver_on(&work, deliver),
            (Ok(deliver), None, Some(work)) => session.deliver_again(&work, deliver),
            (Ok(_), None, None) => Outcome::failed(FailReason::Delivery, "the record does not say what to deliver"),
        };
        return session.kept_notes().iter().fold(outcome, |outcome, note| outcome.adding(note));
    }
    let base_commit = record.base_commit.clone();
    let interrupted = Outcome::failed(
        FailReason::Interrupted,
        "its supervisor ended before the job did (killed, or the host went down): its agent was not started again",
    );
    let dir = session.checkout_dir();
    match (session.mirror(), base_commit) {
        (Some(mirror), Some(start)) if dir.is_dir() => {
            save_and_deliver(session, &Checkout { dir, mirror, start }, interrupted, Deliver::Nothing)
        }
        // Its agent was never started, or what it did is saved already.
        _ if session.writer.record().phase == Some(Phase::Preparing) || !dir.exists() => interrupted,
        _ => {
            session.note_kept("the record does not say from where its work can be saved".to_owned());
            interrupted.adding(&format!("what it did cannot be saved, since the record does not say from where: {dir}"))
        }
    }
}

/// Returns what a job that is repeated did and could not hand over; or, where it was itself only to hand over what an
/// earlier one did and did not get so far, what that did.
fn undelivered(store: &Store, mut id: JobId) -> Option<Undelivered> {
    for _ in 0..RETRIES_MAX {
        let record = store.read_run(&id).ok()?.into_record().ok()?;
        if let Some(work) = Undelivered::of(&record) {
            return Some(work);
        }
        let ran = !matches!(record.phase, None | Some(Phase::Delivering));
        if ran || record.state() == JobState::Succeeded {
            return None;
        }
        id = record.retry_of?;
    }
    None
}

fn delivery_mode(session: &Session<'_>) -> Result<Deliver, Error> {
    let bytes = session.writer.write_prompt()?;
    let checked = prompt::check(&bytes, session.store.limits().prompt_bytes)?;
    Ok(checked.settings.deliver.unwrap_or(session.plan.delivery.mode))
}

fn read_prompt<'a>(session: &Session<'a>) -> Result<RunSpec<'a>, Error> {
    let bytes = session.writer.write_prompt()?;
    let checked = prompt::check(&bytes, session.store.limits().prompt_bytes)?;
    spec(session.plan, checked)
}

fn spec(plan: &Plan, ParsedPrompt { settings, title, .. }: ParsedPrompt) -> Result<RunSpec<'_>, Error> {
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
    Ok(RunSpec {
        agent,
        plan: found,
        model: settings.model.or_else(|| found.model.clone()),
        timeout: settings.timeout.or(found.timeout),
        idle_timeout: settings.idle_timeout.or(found.idle_timeout),
        deliver: settings.deliver.unwrap_or(plan.delivery.mode),
        title,
    })
}

/// Writes the end, again and again on a disk that refuses, until it is durable.
fn finish(session: &mut Session<'_>, outcome: &Outcome) -> Result<JobState, Error> {
    let begun = Instant::now();
    loop {
        let written = session.flush().and_then(|()| session.writer.finish(outcome.clone(), host::now()));
        match written {
            Ok(()) => return Ok(session.writer.record().state()),
            Err(error @ Error::Fs { .. }) if begun.elapsed() < FINISH_WAIT && !session.poller.terminated() => {
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
