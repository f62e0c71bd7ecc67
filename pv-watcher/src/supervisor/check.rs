//! The phase `checking`: the repository's checks on the saved work, and what leads to a further attempt.

use pv_lib::{
    Error,
    fs::{durable, durable::Durability},
    job::{AfterAttempt, AttemptState, CheckResult, FailReason, Outcome, Phase},
};
use tracing::warn;

use super::job_prompt::JobPrompt;
use crate::{
    agent::{self, Turn},
    git::{self, Checkout, CheckoutState, changed_paths},
    process::Interruptible,
    session::{NotDone, Patience, Session, Unfinished},
    verification::{changes_of_checks, repair_prompt, run_checks},
};

/// How often checks that failed while a disk was full are run again when there is room.
const RUN_AGAIN_MAX: u32 = 5;

/// What the checks said, and what is needed to go on.
pub(super) struct Checked {
    /// What they said.
    pub(super) results: Vec<CheckResult>,
    /// How the job ends where it was stopped meanwhile.
    pub(super) stopped: Option<Outcome>,
    /// What the checkout was before they ran, where a further attempt may follow.
    before: Option<Result<CheckoutState, String>>,
}

/// Why an attempt did not begin.
pub(super) enum NoTurn {
    /// It cannot, for this reason: the job ends red.
    Cannot(String),
    /// Somebody asked for the job to be stopped.
    Stopped,
    /// The supervisor was told to end.
    Unfinished,
}

impl NoTurn {
    /// Returns how the job ends.
    pub(super) fn end(self, session: &Session<'_>, results: &[CheckResult]) -> Result<Outcome, Unfinished> {
        match self {
            Self::Cannot(why) => Ok(end_red(session, results, Some(&why))),
            Self::Stopped => {
                Ok(Outcome::Aborted { message: Some("stopped on request before its next attempt began".to_owned()) })
            }
            Self::Unfinished => Err(Unfinished),
        }
    }

    fn of<E>(failed: NotDone<E>, say: impl FnOnce(E) -> String) -> Self {
        match failed {
            NotDone::Failed(error) => Self::Cannot(say(error)),
            NotDone::Aborted(_) => Self::Stopped,
            NotDone::Terminated => Self::Unfinished,
        }
    }
}

/// Runs the checks on the work in the checkout, which is saved as `commit`; `staged` is all that was in it. What they say is
/// in the record when this returns, and what the next attempt would be told is in the run folder. Where a disk is full, they
/// wait.
pub(super) fn check(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    commit: &str,
    staged: Option<&str>,
) -> Result<Checked, Unfinished> {
    let stopped_early = |outcome| Checked { results: Vec::new(), stopped: Some(outcome), before: None };
    // In the phase before: a supervisor that takes over meanwhile runs them for the first time.
    if let Some(outcome) = wait_for_room(session)? {
        return Ok(stopped_early(outcome));
    }
    session.update_record(|patch| patch.phase = Some(Phase::Checking));
    note_changes_of_checks(session, checkout, commit);
    let number = session.attempt_number();
    let may_repair = staged.filter(|_| number < prompt.attempts);
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let before = may_repair.map(|staged| git::note_state(&mut session.git(Interruptible::No), &spec, checkout, staged));
    let mut runs = 0;
    let (run, is_red) = loop {
        let run = run_checks(session, &prompt.checks);
        let is_red = run.stopped.is_none() && run.results.iter().any(|result| !result.is_green());
        runs += 1;
        // What fails on a full disk says nothing of the work.
        if !is_red || runs > RUN_AGAIN_MAX || session.store.full_disks().is_empty() {
            break (run, is_red);
        }
        session.note_in_log("a check failed while a disk was full: the checks are run again when there is room");
        if let Some(outcome) = wait_for_room(session)? {
            return Ok(stopped_early(outcome));
        }
        if let Some(Ok(state)) = &before
            && let Err(why) = git::set_back(&mut session.git(Interruptible::No), &spec, checkout, state)
        {
            warn!(job = %id, "the checks run again in the checkout as they left it: {why}");
        }
    };
    if before.is_some() && is_red {
        // Before the record has the results: a supervisor that goes on from there finds it.
        let text = told(session, prompt, &repair_prompt(&run.results, &run.tails));
        if let Err(error) = write_prompt(session, number + 1, &text) {
            warn!(job = %id, "what the checks said cannot be kept for the next attempt: {error}");
        }
    }
    session.note_checks(&run.results, run.stopped.is_none());
    Ok(Checked { results: run.results, stopped: run.stopped, before })
}

/// Waits until checks have room, and returns how the job ends where somebody asks for it to be stopped meanwhile.
pub(super) fn wait_for_room(session: &mut Session<'_>) -> Result<Option<Outcome>, Unfinished> {
    match session.wait_for_room("for its checks") {
        Ok(()) | Err(NotDone::Failed(_)) => {
            session.write_waiting();
            Ok(None)
        }
        Err(NotDone::Aborted(_)) => {
            Ok(Some(Outcome::Aborted { message: Some("stopped on request before its checks ran".to_owned()) }))
        }
        Err(NotDone::Terminated) => Err(Unfinished),
    }
}

/// Sets the checkout back to what was saved, and begins the attempt that is to mend what the checks found.
///
/// # Errors
/// Why it does not begin.
pub(super) fn begin_repair(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
    checked: Checked,
) -> Result<Turn, NoTurn> {
    let state = match checked.before {
        Some(Ok(state)) => state,
        Some(Err(why)) => return Err(NoTurn::Cannot(why)),
        None => return Err(NoTurn::Cannot("what the checkout was before the checks is not known".to_owned())),
    };
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let set_back = session.with_room("for its agent", Patience::Endless, |session| {
        git::set_back(&mut session.git(Interruptible::No), &spec, checkout, &state)
    });
    set_back.map_err(|failed| NoTurn::of(failed, |why| why))?;
    begin_next(session, prompt, &checked.results)
}

/// Begins the next attempt, in the checkout as it is: its entry is in the record when this returns. Where a disk is full, it
/// waits.
///
/// # Errors
/// Why it does not begin.
pub(super) fn begin_next(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    results: &[CheckResult],
) -> Result<Turn, NoTurn> {
    let waited = session.wait_for_room("for its agent");
    waited.map_err(|failed| NoTurn::of(failed, |full| format!("{} has {}", full.path, full.shortage)))?;
    let number = session.attempt_number() + 1;
    let (layout, disk) = (session.store.layout(), session.store.fs());
    let prompt_file = layout.attempt_prompt_path(session.id(), number);
    if !prompt_file.exists() {
        let text = told(session, prompt, &repair_prompt(results, &[]));
        let write = |session: &mut Session<'_>| write_prompt(session, number, &text);
        let written = session.with_room("for its agent", Patience::Endless, write);
        written.map_err(|failed| NoTurn::of(failed, |error| error.to_string()))?;
    }
    // It is the last message of this attempt that counts.
    let last_message = layout.last_message_path(session.id());
    let removed = durable::remove(disk, &last_message);
    removed.map_err(|error| NoTurn::Cannot(format!("{error}: {}", error.source)))?;
    let turn = Turn { prompt_file, session: session_to_resume(session, prompt) };
    let how = turn.session.as_ref().map_or_else(|| "in a new session".to_owned(), |id| format!("in session {id}"));
    let line = format!("attempt {number} of {}: the agent is told what the checks found, {how}", prompt.attempts);
    session.note_in_log(&line);
    let begun = session.begin_attempt();
    begun.map_err(|error| NoTurn::Cannot(format!("the record could not be written before it: {error}")))?;
    Ok(turn)
}

/// Returns how a job ends whose checks are red and that has no attempt left.
pub(super) fn end_red(session: &Session<'_>, results: &[CheckResult], why_no_more: Option<&str>) -> Outcome {
    let red = results.iter().filter(|result| !result.is_green());
    let named: Vec<String> = red.map(|result| format!("`{}` ({})", result.name, result.ending())).collect();
    let (noun, verb) = if named.len() == 1 { ("check", "failed") } else { ("checks", "failed") };
    let after = match session.attempt_number() {
        0 | 1 => String::new(),
        number => format!(" after {number} attempts"),
    };
    let no_more = why_no_more.map(|why| format!("; no further attempt could begin: {why}")).unwrap_or_default();
    let id = session.id();
    Outcome::failed(
        FailReason::Check,
        format!(
            "the {noun} {} {verb}{after}{no_more}; the work is kept, and not delivered: `pv diff {id}` shows it, `pv retry \
             --checks {id}` runs the checks again and delivers it where they are green",
            named.join(", ")
        ),
    )
}

/// Returns how a job ends whose later attempt took back what the first one did.
pub(super) fn end_taken_back(session: &Session<'_>) -> Outcome {
    let number = session.attempt_number();
    let message = format!("attempt {number} left no changes at all; the work of the attempt before it is kept");
    Outcome::failed(FailReason::Check, message)
}

/// Returns what is to be said of work that changes what the checks run from.
pub(super) fn note_on_checks(session: &Session<'_>) -> Option<String> {
    let changed = session.writer.record().checks_changed.as_deref().filter(|changed| !changed.is_empty())?;
    Some(format!("the work changes what its checks run from: {}", changed.join(", ")))
}

/// Returns what comes after the checks of work that is saved.
pub(super) fn after_checks(session: &Session<'_>, prompt: &JobPrompt<'_>, results: &[CheckResult]) -> AfterAttempt {
    let (number, allowed) = (session.attempt_number(), prompt.attempts);
    AttemptState { number, allowed, completed: true, changed: true, has_checks: true, results: Some(results) }.next()
}

fn session_to_resume(session: &Session<'_>, prompt: &JobPrompt<'_>) -> Option<String> {
    let last = session.attempts().last().and_then(|attempt| attempt.session.clone());
    last.filter(|_| agent::can_resume(&prompt.spec.agent))
}

/// Returns what an agent is told: what the checks found, and all that came before it where it has no session to go on
/// with.
fn told(session: &Session<'_>, prompt: &JobPrompt<'_>, found: &str) -> String {
    if session_to_resume(session, prompt).is_some() {
        return found.to_owned();
    }
    let before = session.writer.write_prompt().unwrap_or_default();
    let before = String::from_utf8_lossy(&before);
    format!("{found}\nYou worked on this before, and the files are as you left them. This was the task:\n\n{before}")
}

fn write_prompt(session: &Session<'_>, number: u32, text: &str) -> Result<(), Error> {
    let path = session.store.layout().attempt_prompt_path(session.id(), number);
    Ok(durable::replace(session.store.fs(), &path, text.as_bytes(), Durability::Full)?)
}

fn note_changes_of_checks(session: &mut Session<'_>, checkout: &Checkout, commit: &str) {
    let patterns = session.plan.verification.checks_paths.clone();
    if patterns.is_empty() {
        return;
    }
    let changed = changed_paths(&mut session.git(Interruptible::No), &checkout.mirror, &checkout.start, commit);
    match changed {
        Ok(changed) => {
            let changed = changes_of_checks(&changed, &patterns);
            let was_said = session.writer.record().checks_changed.is_some();
            let changed = Some(changed).filter(|changed| was_said || !changed.is_empty());
            session.update_unflushed(|patch| patch.checks_changed = changed);
        }
        Err(failure) => warn!(job = %session.id(), "cannot tell what changed: {}", failure.into_message()),
    }
}
