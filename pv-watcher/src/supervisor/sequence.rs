//! One job from its claim to its end: a call for each phase, in their order.
//!
//! The order is what makes it safe to be killed between any two: the prompt is copied before the start, the durable
//! `running` comes before anything is executed, an abort is looked for after it once more, the entry of each attempt is in
//! the record before its agent is executed, the agent and all that it started are gone before its work is saved, the work is
//! saved before checks run on it, the record has what those said before anything follows from it, and it says that the job
//! is over only at the very end. A job that is found `running` is never run again: [`resume`] brings it to its end.

use pv_lib::{
    Error, host,
    job::{FailReason, JobId, JobState, KeptWork, Outcome, Phase, Started},
    store::Store,
};

use super::{
    SuperviseError,
    attempts::{check_kept, run_attempts},
    finish::{clean_up, finish},
    job_prompt::JobPrompt,
    prepare::prepare,
    process::{acquire_run_lock, become_supervisor},
    repeated::undelivered,
    resume::resume,
};
use crate::{
    agent::Turn,
    delivery,
    plan::Plan,
    session::{NotDone, Patience, Session, Unfinished},
};

/// Brings a job to its end, and returns the state in which it ended: a created one by running it, a running one, whose
/// supervisor is gone, by delivering what that was delivering, or by saving what its agent left.
///
/// Takes this process over: its signals, its session, and every process that descends from it, which are all ended.
/// Call it in a process that does nothing else, from the thread that lives longest. Returns when the job is over, its
/// record written durably, its prompt archived and its checkout gone, unless that holds what is saved nowhere else.
///
/// # Errors
/// [`SuperviseError`]; the job is then what it was, or `running` with nobody at its lock, which the next call ends.
pub fn supervise(store: &Store, plan: &Plan, id: &JobId) -> Result<JobState, SuperviseError> {
    let refused = |source| SuperviseError::Prepare { id: id.clone(), source };
    let poller = become_supervisor(store, id).map_err(refused)?;
    let writer = acquire_run_lock(store, id)?;
    let state = writer.record().state();
    let mut session = Session::new(store, plan, writer, poller);
    let unfinished = |Unfinished| SuperviseError::Unfinished { id: id.clone() };
    let outcome = match state {
        JobState::Created => run(&mut session)?,
        JobState::Running => {
            session.end_left_behind().map_err(refused)?.map_err(unfinished)?;
            resume(&mut session).map_err(unfinished)?
        }
        JobState::Succeeded | JobState::Failed | JobState::Aborted => {
            return Err(SuperviseError::Over { id: id.clone(), state });
        }
    };
    if session.is_unfinished() {
        return Err(unfinished(Unfinished));
    }
    let outcome = session.end_all(outcome);
    let outcome = session.settle(outcome.heeding(session.abort_requested()));
    let end = finish(&mut session, &outcome)?;
    clean_up(&mut session);
    Ok(end)
}

fn run(session: &mut Session<'_>) -> Result<Outcome, SuperviseError> {
    let id = session.id().clone();
    let unfinished = || SuperviseError::Unfinished { id: id.clone() };
    let prompt = match session.with_room("to begin", Patience::Endless, |session| JobPrompt::read(session)) {
        Ok(prompt) => prompt,
        Err(NotDone::Failed(Error::InvalidPrompt(message))) => return Ok(Outcome::failed(FailReason::Prompt, message)),
        Err(NotDone::Failed(error @ Error::TooLarge { .. })) => {
            return Ok(Outcome::failed(FailReason::Prompt, error.to_string()));
        }
        Err(NotDone::Failed(error)) => return Err(error.into()),
        Err(NotDone::Aborted(_)) => return Ok(aborted_early()),
        Err(NotDone::Terminated) => return Err(unfinished()),
    };
    if session.abort_requested() {
        return Ok(aborted_early());
    }
    let kept = match kept_work(session, &prompt)? {
        Ok(kept) => kept,
        Err(outcome) => return Ok(outcome),
    };
    // Where that is not known, the job is not started: its agent must not do again what is saved.
    let repeated = session.writer.record().retry_of.clone().filter(|_| kept.is_none());
    let work = repeated.map_or(Ok(None), |id| undelivered(session.store, id))?;
    let started = Started {
        now: host::now(),
        boot_id: host::boot_id(),
        agent: prompt.spec.agent.clone(),
        model: prompt.spec.model.clone(),
        title: prompt.title.clone(),
        log_path: session.store.layout().log_path(session.id()).into_string(),
        phase: if work.is_some() { Phase::Delivering } else { Phase::Preparing },
    };
    let start = |session: &mut Session<'_>| session.writer.start(Started { now: host::now(), ..started.clone() });
    match session.with_room("to begin", Patience::Endless, start) {
        Ok(()) => {}
        Err(NotDone::Failed(error)) => return Err(error.into()),
        Err(NotDone::Aborted(_)) => return Ok(aborted_early()),
        Err(NotDone::Terminated) => return Err(unfinished()),
    }
    if session.abort_requested() {
        return Ok(Outcome::Aborted { message: Some("aborted before its agent started".into()) });
    }
    if let Some(work) = work {
        return delivery::deliver_again(session, &work, prompt.deliver).map_err(|Unfinished| unfinished());
    }
    if let Some(kept) = kept {
        return check_kept(session, &prompt, &kept).map_err(|Unfinished| unfinished());
    }
    let (checkout, missing) = match prepare(session, &prompt) {
        Ok(made) => made,
        Err(outcome) => return Ok(outcome),
    };
    // Without that a crash would leave work that nobody knows of.
    if let Err(error) = session.begin_attempt() {
        let message = format!("the record could not be written before the agent's start: {error}");
        return Ok(Outcome::failed(FailReason::Start, message));
    }
    let turn = Turn { prompt_file: session.store.layout().prompt_path(session.id()), session: None };
    let outcome = run_attempts(session, &prompt, &checkout, turn).map_err(|Unfinished| unfinished())?;
    Ok(missing.iter().fold(outcome, |outcome, what| outcome.adding(what)))
}

fn aborted_early() -> Outcome {
    Outcome::Aborted { message: Some("aborted before it started".into()) }
}

/// Returns the work that a job is to run the checks on, where it runs nothing else; or how it ends where it cannot.
fn kept_work(session: &Session<'_>, prompt: &JobPrompt<'_>) -> Result<Result<Option<KeptWork>, Outcome>, Error> {
    let record = session.writer.record();
    let Some(repeated) = record.retry_of.clone().filter(|_| record.checks_only == Some(true)) else {
        return Ok(Ok(None));
    };
    let refused = |why: String| Ok(Err(Outcome::failed(FailReason::Prompt, why)));
    if prompt.checks.is_empty() {
        let repo = record.full_repo();
        return refused(format!(
            "no checks are configured for {repo}: set repos.{repo}.checks, or name some by `pv.checks`"
        ));
    }
    let earlier = match session.store.read_run(&repeated).and_then(pv_lib::store::Run::into_record) {
        Err(Error::JobNotFound(_)) => {
            return refused(format!("job {repeated} is gone, and its work cannot be checked"));
        }
        read => read?,
    };
    match KeptWork::of(&earlier) {
        Ok(work) => Ok(Ok(Some(work))),
        Err(why) => refused(format!("checks cannot run on what job {repeated} left: {why}")),
    }
}
