//! Running the agent of a job: started, supervised, its output read, and what came of it.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, process::Stdio, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    config::AgentEvents,
    fs::{FsExt, FsResult, Kind, durable, durable::Durability},
    host,
    job::{FailReason, HoldKind, Outcome, Phase},
    supervise::{Cause, Ending, Exit, TimeLimits},
};
use tracing::warn;

use super::{
    RunSpec, Turn,
    adapter::{Adapter, Placeholders, Sessions},
    env::given,
    hold_when::HoldWhen,
    hold_writer::{HoldWriter, LiftingOutput},
    judgement::judge,
    known::adapter,
    log::AgentLog,
    log_sink::{LogSink, keep_log},
    report::Report,
    usage::{own_usage, total_usage},
};
use crate::{
    launcher::{AgentPlaces, Launched},
    process::{Cgroup, KILL_LIMIT, OomKills, TOOL_LIMIT},
    session::{CommandStart, NotDone, NotStarted, Patience, Session, StartedCommand, Unfinished},
};

/// How many looks in a row must find nothing of an agent.
const AGENT_CLEAN_LOOKS: u32 = 2;

/// How long after an agent that ended as if by a signal that of its supervisor is waited for.
const INTERRUPT_WINDOW: Duration = Duration::from_secs(1);

/// Runs the agent until it and all that it started are gone, and returns what that means for the job.
///
/// Its attempt's entry is in the record already. Afterwards its log is flushed, and its last message is in
/// `last_message.md`, where it left one.
///
/// # Errors
/// Where this process was told to end before it was proved that nothing is left of what a launcher started.
pub(crate) fn run(session: &mut Session<'_>, spec: &RunSpec<'_>, turn: &Turn) -> Result<Outcome, Unfinished> {
    let what = format!("the agent `{}`", spec.agent);
    let adapter = adapter(&spec.agent);
    let reader = adapter.reader().filter(|_| spec.plan.events == AgentEvents::Auto);
    let speaks_in_events = reader.is_some();
    let launcher = session.launcher();
    let limits = TimeLimits {
        timeout: spec.timeout,
        idle_timeout: spec.idle_timeout,
        heartbeat: session.plan.heartbeat,
        grace: session.plan.abort_grace,
        // What a launcher started is ended by name before that.
        kill: if launcher.is_local() { KILL_LIMIT } else { KILL_LIMIT + TOOL_LIMIT },
        clean_scans: AGENT_CLEAN_LOOKS,
        settle: speaks_in_events.then_some(spec.plan.settle_after_done),
    };
    let opened =
        session.with_room("to begin its log", Patience::Endless, |session| open_logs(session, speaks_in_events));
    let (log, events) = match opened {
        Ok(files) => files,
        Err(NotDone::Failed(error)) => {
            return Ok(Outcome::failed(FailReason::Start, format!("cannot open the log: {error}")));
        }
        Err(NotDone::Aborted(_)) => {
            return Ok(Outcome::Aborted { message: Some("stopped on request before its agent started".to_owned()) });
        }
        Err(NotDone::Terminated) => {
            let message = "its supervisor was stopped before the agent started";
            return Ok(Outcome::failed(FailReason::Interrupted, message));
        }
    };
    let mut log = match reader.zip(events) {
        Some((reader, events)) => AgentLog::of_events(log, events, reader),
        None => AgentLog::plain(log, HoldWhen::new(&spec.plan.hold_when)),
    };
    let mut cgroup = session.plan.use_cgroup.then(|| Cgroup::create(session.id())).flatten();
    let oom_kills = OomKills::begin(cgroup.as_ref());
    let started_at = session.writer.record().started_at;
    let mut holds = HoldWriter::new(session.store, &spec.agent, session.id().clone(), started_at);
    let started = agent_start(session, adapter, spec, turn, speaks_in_events).map_err(NotStarted::Record);
    let started = started.and_then(|start| session.start_in_checkout(start, cgroup.as_ref()));
    let (process, mut launched) = match started {
        Ok(started) => started,
        Err(why) => {
            cgroup.iter().for_each(Cgroup::remove);
            remove_empty(session);
            let workdir = session.checkout_path();
            return Ok(Outcome::failed(FailReason::Start, not_started(&what, spec, &why, &holds, &workdir)));
        }
    };
    if launcher.is_local() {
        holds.lift(&[HoldKind::Start]);
    }
    if let Some(outside) = cgroup.take_if(|cgroup| !cgroup.holds(process.pid())) {
        outside.remove();
    }
    let pid = process.pid().as_raw_nonzero().get();
    let containment = if cgroup.is_some() { "cgroup" } else { "sweep" };
    session.update_record(|patch| {
        patch.phase = Some(Phase::Agent);
        patch.pid = Some(pid);
        // Of another launcher nothing is known until it has ended what it started.
        patch.containment = launcher.is_local().then(|| containment.to_owned());
        patch.launcher = (!launcher.is_local()).then(|| launcher.name.clone());
    });
    let mut output = LiftingOutput { log: &mut log, holds: &mut holds, proves_start: speaks_in_events };
    let (phase, stop_signal) = (Some(Phase::Agent), adapter.stop_signal());
    let started = StartedCommand { process, stop_signal, launched: Some(&mut launched), phase };
    let (mut ending, last_output_at) = session.run_in_checkout(started, cgroup.as_ref(), &mut output, &limits);
    // Whoever ends a whole service signals its agents and their supervisors in any order.
    let is_stopped = ending.looks_interrupted() && session.is_terminated_within(INTERRUPT_WINDOW);
    let is_out_of_memory = oom_kills.explain(ending.exit);
    cgroup.iter().for_each(Cgroup::remove);
    let (files, report) = log.finish(ending.exit_code() == Some(0));
    // What catches the signal ends as it likes. By its word it was done, or it was not.
    let has_word = report.as_ref().is_some_and(Report::has_verdict);
    if is_stopped || (ending.cause.is_none() && !has_word && session.poller.terminated()) {
        ending.cause = Some(Cause::Interrupt);
    }
    let (layout, id) = (session.store.layout(), session.id());
    let paths = [layout.log_path(id), layout.events_path(id)];
    paths.into_iter().zip(files).for_each(|(path, file)| keep_log(session, path, file));
    let usage = report.as_ref().and_then(|report| report.usage).and_then(|usage| serde_json::to_value(usage).ok());
    let own_session = report.as_ref().and_then(|report| report.session.clone());
    session.update_unflushed(|patch| {
        patch.exit_code = ending.exit_code();
        patch.last_output_at = last_output_at;
        let Some((last, earlier)) = patch.attempts.as_mut().and_then(|attempts| attempts.split_last_mut()) else {
            return;
        };
        let is_sum = adapter.sessions() == Sessions::UsageOfSession;
        let own = |usage| if is_sum { own_usage(usage, own_session.as_deref(), earlier) } else { usage };
        last.usage = usage.map(own);
        (last.finished_at, last.exit_code, last.session) = (Some(host::now()), ending.exit_code(), own_session.clone());
        patch.usage = patch.attempts.as_deref().and_then(total_usage);
    });
    if !launcher.is_local() {
        remove_empty(session);
    }
    let proved = session.end_launch(&launched, ending.clean && ending.exit.is_some())?;
    session.update_unflushed(|patch| patch.containment = proved.or(patch.containment.take()));
    let outcome = judge(&what, &ending, report.as_ref(), is_out_of_memory, &limits);
    let outcome = match by_launcher(&what, &ending, &launched, outcome) {
        Judged::Ran(outcome) => outcome,
        Judged::NotStarted(why) => {
            let why = NotStarted::Launcher(why);
            let workdir = session.checkout_path();
            return Ok(Outcome::failed(FailReason::Start, not_started(&what, spec, &why, &holds, &workdir)));
        }
    };
    if !launcher.is_local() && ending.cause.is_none() {
        holds.lift(&[HoldKind::Start]);
    }
    let outcome = in_session(outcome, turn.session.as_deref(), own_session.as_deref(), &spec.agent);
    holds.settle(&outcome, speaks_in_events, report.as_ref(), host::now());
    let Some(report) = report else { return Ok(outcome) };
    if let Err(error) = keep_last_message(session, report.last_message.as_deref()) {
        session.note_missing(format!("its last message could not be written: {error}: {}", error.source));
    }
    Ok(outcome)
}

/// What an attempt comes to by what its launcher knows, too.
enum Judged {
    /// The agent ran.
    Ran(Outcome),
    /// It never did, and why.
    NotStarted(String),
}

/// Adds what the launcher knows to what an attempt comes to: exit code 0 of a client is not the agent's where the launcher
/// says otherwise.
fn by_launcher(what: &str, ending: &Ending, launched: &Launched<'_>, outcome: Outcome) -> Judged {
    let (None, Some(exit)) = (ending.cause, ending.exit) else { return Judged::Ran(outcome) };
    if let Some(why) = launched.why_not_started(exit) {
        return Judged::NotStarted(why);
    }
    let (refused, reason) = (launched.why_not_succeeded(), launched.reason());
    Judged::Ran(match (refused, outcome) {
        (Some(why), Outcome::Succeeded { .. }) if exit == Exit::Code(0) => Outcome::failed(
            reason.unwrap_or(FailReason::Exit),
            format!("{what} did not end well, though its client exited with 0: {why}"),
        ),
        // The exit code alone does not say why it was ended.
        (Some(why), Outcome::Failed { reason: FailReason::Exit | FailReason::Signal, message }) if reason.is_some() => {
            Outcome::failed(reason.unwrap_or(FailReason::Exit), format!("{message}: {why}"))
        }
        (Some(why), failed) if exit == Exit::Code(0) => failed.adding(&why),
        (_, outcome) => outcome,
    })
}

/// Tells whether an agent can go on with a session.
pub(crate) fn can_resume(agent: &str) -> bool {
    adapter(agent).sessions() != Sessions::None
}

/// Fails a run that went well in another session than the one that was asked for: agents may begin a new one without a
/// word, and know nothing of the work then.
fn in_session(outcome: Outcome, asked: Option<&str>, began: Option<&str>, agent: &str) -> Outcome {
    match (outcome, asked, began) {
        (Outcome::Succeeded { .. }, Some(asked), began) if began != Some(asked) => {
            let began = began.map_or_else(|| "without naming any".to_owned(), |began| format!("in session {began}"));
            let message = format!("the agent `{agent}` was to go on in session {asked}, and ran {began}");
            Outcome::failed(FailReason::Check, message)
        }
        (outcome, ..) => outcome,
    }
}

/// Opens `job.log`, and `agent.jsonl` for an agent that speaks in events.
fn open_logs(session: &Session<'_>, speaks_in_events: bool) -> io::Result<(LogSink<File>, Option<LogSink<File>>)> {
    let (layout, id) = (session.store.layout(), session.id());
    let sink = |path: &Utf8Path| LogSink::append_to(path, session.plan.log_bytes);
    let log = sink(&layout.log_path(id))?;
    Ok((log, speaks_in_events.then(|| sink(&layout.events_path(id))).transpose()?))
}

fn agent_start(
    session: &Session<'_>,
    adapter: &dyn Adapter,
    spec: &RunSpec<'_>,
    turn: &Turn,
    is_apart: bool,
) -> Result<CommandStart, String> {
    let (layout, id) = (session.store.layout(), session.id());
    let (run, workdir, prompt_file) = (layout.run_path(id), layout.checkout_path(id), &turn.prompt_file);
    let last_message_file = layout.last_message_path(id);
    let places = Placeholders {
        workdir: &workdir,
        prompt_file,
        last_message_file: &last_message_file,
        model: spec.model.as_deref(),
        session: turn.session.as_deref(),
    };
    let mut words = spec.plan.command.clone();
    words.extend(adapter.arguments(spec.plan, &places));
    let mut variables = given(adapter, spec.plan, spec.model.as_deref(), &session.plan.environment);
    let own = [("PV_RUN_ID", id.as_str()), ("PV_RUN_ROOT", run.as_str()), ("PV_PROMPT_FILE", prompt_file.as_str())];
    variables.extend(own.map(|(name, value)| (name.into(), value.into())));
    if !session.launcher().is_local() {
        make_empty(&last_message_file).map_err(|error| format!("the file for its last message: {error}"))?;
    }
    let agent = AgentPlaces {
        homes: adapter.homes(&variables),
        prompt_file: Some(prompt_file.clone()),
        last_message_file: Some(last_message_file),
    };
    let stdin = File::open(prompt_file).map_err(|error| format!("its prompt {prompt_file}: {error}"))?;
    Ok(CommandStart { words, variables, agent, stdin: Stdio::from(stdin), is_apart })
}

/// Makes the file that an agent may leave its last message in, which is all that one who is confined sees of its folder.
fn make_empty(path: &Utf8Path) -> io::Result<()> {
    match File::options().write(true).create_new(true).mode(0o644).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Removes that file where nothing was left in it.
fn remove_empty(session: &Session<'_>) {
    let (fs, path) = (session.store.fs(), session.store.layout().last_message_path(session.id()));
    let is_empty = matches!(fs.stat_opt(&path), Ok(Some(stat)) if stat.kind == Kind::File && stat.len == 0);
    if is_empty && let Err(error) = durable::remove(fs, &path) {
        warn!(job = %session.id(), "cannot remove an empty file: {error}: {}", error.source);
    }
}

/// Writes the last message that the events contain, where the agent did not write it itself; an empty file that it
/// left goes.
fn keep_last_message(session: &Session<'_>, text: Option<&str>) -> FsResult<()> {
    let (fs, path) = (session.store.fs(), session.store.layout().last_message_path(session.id()));
    let found = fs.stat_opt(&path)?;
    if found.is_some_and(|stat| stat.kind == Kind::File && stat.len > 0) {
        return Ok(());
    }
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            let text = format!("{}\n", text.trim_end_matches('\n'));
            durable::replace(fs, &path, text.as_bytes(), Durability::Full)
        }
        None if found.is_some_and(|stat| stat.kind == Kind::File) => durable::remove(fs, &path),
        None => Ok(()),
    }
}

/// Returns why an agent could not be started, and lets further jobs of it wait where none of them would start.
fn not_started(what: &str, spec: &RunSpec<'_>, why: &NotStarted, holds: &HoldWriter<'_>, workdir: &Utf8Path) -> String {
    match why {
        NotStarted::Program(error) => {
            holds.put_if_of_program(error, &spec.plan.command, workdir, host::now());
            start_failure(what, spec, error)
        }
        NotStarted::Launcher(why) => {
            let launcher = &spec.plan.launcher;
            holds.put_of_launcher(&format!("its launcher `{launcher}` cannot start it: {why}"), host::now());
            format!(
                "{what} could not be started by the launcher `{launcher}`: {why} (see launchers.{launcher} in the settings; \
                 `pv doctor` tries it)"
            )
        }
        NotStarted::Record(why) => format!("{what} could not be started: {why}"),
    }
}

fn start_failure(what: &str, spec: &RunSpec<'_>, error: &io::Error) -> String {
    let command = spec.plan.command.join(" ");
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "is not there: install it, or set",
        io::ErrorKind::PermissionDenied => "is not executable: make it so, or set",
        _ => "cannot be executed: check",
    };
    format!("{what} could not be started: `{command}` {remedy} agents.{}.command ({error})", spec.agent)
}
