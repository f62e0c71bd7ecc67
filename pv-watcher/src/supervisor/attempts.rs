//! From the start of an agent to the end of its job: agent → snapshot → checks, again while the checks are red and attempts
//! are left, then the delivery. What comes after an attempt is decided in [`AttemptState::next`].

use pv_lib::{
    config::EmptyWork,
    job::{AfterAttempt, AttemptState, FailReason, KeptWork, Outcome, Phase},
    prompt::Deliver,
};

use super::{
    check::{after_checks, begin_repair, check, end_red, end_taken_back, note_on_checks},
    job_prompt::JobPrompt,
    prepare::prepare_saved,
    save::{AfterSaving, obstacle, save},
};
use crate::{
    agent::{self, Turn},
    delivery,
    git::{Checkout, Saved, take_over},
    process::Interruptible,
    session::{NotDone, Patience, Session, Unfinished},
};

/// Runs the agent, whose attempt's entry is in the record, until its work is delivered or the job ends otherwise.
pub(super) fn run_attempts(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    mut turn: Turn,
) -> Result<Outcome, Unfinished> {
    loop {
        let outcome = agent::run(session, &prompt.spec, &turn)?;
        match end_attempt(session, prompt, checkout, outcome)? {
            Next::Attempt(next) => turn = next,
            Next::End(end) => return Ok(end),
        }
    }
}

/// Goes on from the end of an agent that an earlier supervisor ran.
pub(super) fn go_on_after_agent(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    outcome: Outcome,
) -> Result<Outcome, Unfinished> {
    match end_attempt(session, prompt, checkout, outcome)? {
        Next::Attempt(turn) => run_attempts(session, prompt, checkout, turn),
        Next::End(end) => Ok(end),
    }
}

/// Saves what the agent left, and does what comes after that.
fn end_attempt(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    outcome: Outcome,
) -> Result<Next, Unfinished> {
    let (saved, outcome) = match save(session, checkout, outcome)? {
        AfterSaving::Saved(saved, outcome) => (saved, outcome),
        AfterSaving::InCheckout(end) => return Ok(Next::End(end)),
    };
    let end = match after_agent(session, prompt, checkout, &saved, &outcome)? {
        Next::Attempt(next) => return Ok(Next::Attempt(next)),
        Next::End(end) => end,
    };
    let end = match outcome {
        Outcome::Succeeded { message: Some(message) } => end.adding(&message),
        _ => end,
    };
    let end = note_on_checks(session).iter().fold(end, |end, note| end.adding(note));
    Ok(Next::End(with_saved_notes(&saved, checkout, end)))
}

/// What follows the snapshot of an attempt.
enum Next {
    /// Another one, which has begun.
    Attempt(Turn),
    /// The end of the job.
    End(Outcome),
}

fn after_agent(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    saved: &Saved,
    outcome: &Outcome,
) -> Result<Next, Unfinished> {
    let state = AttemptState {
        number: session.attempt_number(),
        allowed: prompt.attempts,
        completed: matches!(outcome, Outcome::Succeeded { .. }),
        changed: saved.commit.is_some(),
        has_checks: !prompt.checks.is_empty(),
        results: None,
    };
    let (next, commit) = (state.next(), saved.commit.as_deref().unwrap_or_default());
    if next == AfterAttempt::EndAsItDid {
        return Ok(Next::End(outcome.clone()));
    }
    if let Some(end) = obstacle(session, saved, prompt.deliver) {
        return Ok(Next::End(end));
    }
    Ok(Next::End(match next {
        AfterAttempt::EndUnchanged => match session.plan.delivery.empty {
            EmptyWork::Ok => Outcome::Succeeded { message: Some(saved.why_no_commit()) },
            EmptyWork::Fail => Outcome::failed(FailReason::Empty, saved.why_no_commit()),
        },
        AfterAttempt::Check => {
            let checked = check(session, prompt, checkout, commit, Some(&saved.staged))?;
            if let Some(stopped) = checked.stopped {
                return Ok(Next::End(stopped));
            }
            match after_checks(session, prompt, &checked.results) {
                AfterAttempt::Repair => {
                    let results = checked.results.clone();
                    match begin_repair(session, prompt, checkout, checked) {
                        Ok(turn) => return Ok(Next::Attempt(turn)),
                        Err(why) => why.end(session, &results)?,
                    }
                }
                AfterAttempt::Deliver => deliver_saved(session, commit, &checkout.start, prompt.deliver)?,
                _ => end_red(session, &checked.results, None),
            }
        }
        AfterAttempt::Deliver => deliver_saved(session, commit, &checkout.start, prompt.deliver)?,
        AfterAttempt::EndRed => end_taken_back(session),
        AfterAttempt::Repair | AfterAttempt::EndAsItDid => outcome.clone(),
    }))
}

/// Runs the checks on the work that another job left, and delivers it where they are green. No agent is run.
pub(super) fn check_kept(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    work: &KeptWork,
) -> Result<Outcome, Unfinished> {
    let cannot = |why: &str| {
        Outcome::failed(FailReason::Checkout, format!("cannot take over the work of job {}: {why}", work.job_id))
    };
    let Some(mirror) = session.mirror() else { return Ok(cannot("the record names no usable repository")) };
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let taken = session.with_room("to take its work over", Patience::Endless, |session| {
        take_over(&mut session.git(Interruptible::No), &spec, &mirror, work)
    });
    match taken {
        Ok(()) => {}
        Err(NotDone::Failed(why)) => return Ok(cannot(&why)),
        Err(NotDone::Aborted(_)) => {
            return Ok(Outcome::Aborted { message: Some("stopped on request before its checks ran".to_owned()) });
        }
        Err(NotDone::Terminated) => return Err(Unfinished),
    }
    let base_commit = work.base_commit.clone();
    session.update_unflushed(|patch| patch.base_commit = Some(base_commit));
    let ignored = work.ignored.clone().map(|ignored| session.with_own_archive(ignored));
    session.update_unflushed(|patch| patch.delivery.get_or_insert_default().ignored = ignored);
    session.note_commit(&work.commit);
    let checkout = match prepare_saved(session, prompt, work) {
        Ok(checkout) => checkout,
        Err(outcome) => return Ok(outcome),
    };
    let checked = check(session, prompt, &checkout, &work.commit, None)?;
    let end = match (checked.stopped, after_checks(session, prompt, &checked.results)) {
        (Some(stopped), _) => stopped,
        (None, AfterAttempt::Deliver) => deliver_saved(session, &work.commit, &work.base_commit, prompt.deliver)?,
        (None, _) => end_red(session, &checked.results, None),
    };
    Ok(note_on_checks(session).iter().fold(end, |end, note| end.adding(note)))
}

/// Delivers work that is saved, unless somebody asked for the job to be stopped.
pub(super) fn deliver_saved(
    session: &mut Session<'_>,
    commit: &str,
    start: &str,
    deliver: Deliver,
) -> Result<Outcome, Unfinished> {
    if session.abort_requested() {
        let message = match session.writer.record().phase {
            Some(Phase::Checking) => "stopped on request when its checks had ended",
            _ => "stopped on request when its agent had ended",
        };
        return Ok(Outcome::Aborted { message: Some(message.into()) });
    }
    delivery::deliver_work(session, commit, start, deliver)
}

/// Returns the end with what there is to say of the work that no commit holds.
pub(super) fn with_saved_notes(saved: &Saved, checkout: &Checkout, end: Outcome) -> Outcome {
    saved.notes(&checkout.dir).iter().fold(end, |end, note| end.adding(note))
}
