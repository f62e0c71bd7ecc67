//! Running the agent of a job: started, supervised, its output read, and what came of it.

use std::{
    fs::File,
    io,
    process::{Command, Stdio},
    time::Duration,
};

use pv_lib::{
    config::AgentEvents,
    fs::{FsExt, FsResult, Kind, durable, durable::Durability},
    host,
    job::{FailReason, HoldKind, Outcome, Phase},
    supervise::{Cause, TimeLimits},
};

use super::{
    RunSpec,
    adapter::{Adapter, Placeholders},
    env::given,
    hold_when::HoldWhen,
    hold_writer::{HoldWriter, LiftingOutput},
    judgement::judge,
    known::adapter,
    log::AgentLog,
    log_sink::{FinishedLog, LogSink},
    report::Report,
};
use crate::{
    process::{Cgroup, JOB_ID_VARIABLE, KILL_LIMIT, OomKills, spawn, spawn_apart},
    session::{NotDone, Patience, Session, open_log},
};

/// How many looks in a row must find nothing of an agent.
const AGENT_CLEAN_LOOKS: u32 = 2;

/// How long after an agent that ended as if by a signal that of its supervisor is waited for.
const INTERRUPT_WINDOW: Duration = Duration::from_secs(1);

/// Runs the agent until it and all that it started are gone, and returns what that means for the job.
///
/// Afterwards its log is flushed, and its last message is in `last_message.md`, where it left one.
pub(crate) fn run(session: &mut Session<'_>, spec: &RunSpec<'_>) -> Outcome {
    let what = format!("the agent `{}`", spec.agent);
    let adapter = adapter(&spec.agent);
    let reader = adapter.reader().filter(|_| spec.plan.events == AgentEvents::Auto);
    let speaks_in_events = reader.is_some();
    let limits = TimeLimits {
        timeout: spec.timeout,
        idle_timeout: spec.idle_timeout,
        heartbeat: session.plan.heartbeat,
        grace: session.plan.abort_grace,
        kill: KILL_LIMIT,
        clean_scans: AGENT_CLEAN_LOOKS,
        settle: speaks_in_events.then_some(spec.plan.settle_after_done),
    };
    let opened =
        session.with_room("to begin its log", Patience::Endless, |session| open_logs(session, speaks_in_events));
    let (log, events) = match opened {
        Ok(files) => files,
        Err(NotDone::Failed(error)) => {
            return Outcome::failed(FailReason::Start, format!("cannot open the log: {error}"));
        }
        Err(NotDone::Aborted(_)) => {
            return Outcome::Aborted { message: Some("stopped on request before its agent started".to_owned()) };
        }
        Err(NotDone::Terminated) => {
            return Outcome::failed(FailReason::Interrupted, "its supervisor was stopped before the agent started");
        }
    };
    let sink = |file| LogSink::new(file, session.plan.log_bytes);
    let mut log = match reader.zip(events) {
        Some((reader, events)) => AgentLog::of_events(sink(log), sink(events), reader),
        None => AgentLog::plain(sink(log), HoldWhen::new(&spec.plan.hold_when)),
    };
    let mut cgroup = session.plan.use_cgroup.then(|| Cgroup::create(session.id())).flatten();
    let oom_kills = OomKills::begin(cgroup.as_ref());
    let started_at = session.writer.record().started_at;
    let mut holds = HoldWriter::new(session.store, &spec.agent, session.id().clone(), started_at);
    let spawned = agent_command(session, adapter, spec).and_then(|command| {
        let cgroup = cgroup.as_ref();
        let spawned = if speaks_in_events { spawn_apart(command, cgroup) } else { spawn(command, None, cgroup) };
        spawned.inspect_err(|error| {
            holds.put_if_of_program(error, &spec.plan.command, &session.checkout_path(), host::now());
        })
    });
    let process = match spawned {
        Ok(process) => process,
        Err(error) => {
            cgroup.iter().for_each(Cgroup::remove);
            return Outcome::failed(FailReason::Start, start_failure(&what, spec, &error));
        }
    };
    holds.lift(&[HoldKind::Start]);
    if let Some(outside) = cgroup.take_if(|cgroup| !cgroup.holds(process.pid())) {
        outside.remove();
    }
    let pid = process.pid().as_raw_nonzero().get();
    let containment = if cgroup.is_some() { "cgroup" } else { "sweep" };
    session.update_record(|patch| {
        patch.phase = Some(Phase::Agent);
        patch.pid = Some(pid);
        patch.containment = Some(containment);
    });
    let mut output = LiftingOutput { log: &mut log, holds: &mut holds };
    let (mut ending, last_output_at) =
        session.run_agent_process(process, adapter.stop_signal(), cgroup.as_ref(), &mut output, &limits);
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
    keep_logs(session, files);
    let usage = report.as_ref().and_then(|report| report.usage);
    session.note_facts(|patch| {
        patch.exit_code = ending.exit_code();
        patch.last_output_at = last_output_at;
        patch.usage = usage.and_then(|usage| serde_json::to_value(usage).ok());
    });
    let outcome = judge(&what, &ending, report.as_ref(), is_out_of_memory, &limits);
    holds.settle(&outcome, speaks_in_events, report.as_ref(), host::now());
    let Some(report) = report else { return outcome };
    if let Err(error) = keep_last_message(session, report.last_message.as_deref()) {
        session.note_missing(format!("its last message could not be written: {error}: {}", error.source));
    }
    outcome
}

/// Opens `job.log`, and `agent.jsonl` for an agent that speaks in events.
fn open_logs(session: &Session<'_>, speaks_in_events: bool) -> io::Result<(File, Option<File>)> {
    let (layout, id) = (session.store.layout(), session.id());
    let log = open_log(&layout.log_path(id))?;
    Ok((log, speaks_in_events.then(|| open_log(&layout.events_path(id))).transpose()?))
}

/// Makes the logs durable, and notes what of them could not be written.
fn keep_logs(session: &mut Session<'_>, files: Vec<FinishedLog<File>>) {
    let paths = [session.store.layout().log_path(session.id()), session.store.layout().events_path(session.id())];
    for (path, file) in paths.into_iter().zip(files) {
        let FinishedLog { out, unwritten, lost, error } = file;
        let name = path.file_name().unwrap_or_default().to_owned();
        let said = error.unwrap_or_else(|| "it could not be written".to_owned());
        if lost > 0 {
            session.note_missing(format!("{lost} bytes of its output are missing in {name}: {said}"));
        }
        if let Err(error) = out.sync_all() {
            session.note_missing(format!("{name} may not be whole after a power cut: {error}"));
        }
        if !unwritten.is_empty() {
            session.write_later(path, unwritten, said);
        }
    }
}

fn agent_command(session: &Session<'_>, adapter: &dyn Adapter, spec: &RunSpec<'_>) -> io::Result<Command> {
    let (layout, id) = (session.store.layout(), session.id());
    let (run, workdir, prompt_file) = (layout.run_path(id), layout.checkout_path(id), layout.prompt_path(id));
    let last_message_file = layout.last_message_path(id);
    let places = Placeholders {
        workdir: &workdir,
        prompt_file: &prompt_file,
        last_message_file: &last_message_file,
        model: spec.model.as_deref(),
    };
    let mut words = spec.plan.command.iter();
    let program = words.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no command is configured"))?;
    let mut command = Command::new(program);
    command.args(words).args(adapter.arguments(spec.plan, &places));
    command.current_dir(&workdir).stdin(Stdio::from(File::open(&prompt_file)?));
    command.env_clear().envs(given(adapter, spec.plan, spec.model.as_deref(), &session.plan.environment));
    command.env(JOB_ID_VARIABLE, id.as_str()).env("PV_RUN_ID", id.as_str());
    command.env("PV_RUN_ROOT", &run).env("PV_PROMPT_FILE", &prompt_file);
    Ok(command)
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

fn start_failure(what: &str, spec: &RunSpec<'_>, error: &io::Error) -> String {
    let command = spec.plan.command.join(" ");
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "is not there: install it, or set",
        io::ErrorKind::PermissionDenied => "is not executable: make it so, or set",
        _ => "cannot be executed: check",
    };
    format!("{what} could not be started: `{command}` {remedy} agents.{}.command ({error})", spec.agent)
}
