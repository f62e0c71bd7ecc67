//! Running the agent of a job: started, attended, heard, and what came of it.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use jiff::tz::TimeZone;
use pv_lib::{
    fs::{FsExt, FsResult, Kind, durable, durable::Durability},
    host,
    job::{FailReason, Outcome, Phase},
    store::AgentHold,
    supervise::TimeLimits,
};
use rustix::fs::OFlags;
use tracing::warn;

use crate::{
    agent::{self, Adapter, EventReader, Report},
    agent_log::AgentLog,
    log_sink::LogSink,
    process::{Cgroup, JOB_ID_VARIABLE, spawn, spawn_apart},
    session::{KILL_LIMIT, Output, Session},
    supervisor::RunSpec,
};

/// How many looks in a row must find nothing of an agent.
const AGENT_CLEAN_LOOKS: u32 = 2;

/// How long to wait while another supervisor writes a hold.
const HOLD_WAIT: Duration = Duration::from_secs(5);

/// The pause between two tries to write one.
const HOLD_PAUSE: Duration = Duration::from_millis(20);

impl Session<'_> {
    /// Runs the agent until it and all that it started are gone, and returns what that means for the job.
    ///
    /// Afterwards its log is flushed, and its last message is in `last_message.md`, where it left one.
    pub(crate) fn run_agent(&mut self, spec: &RunSpec<'_>) -> Outcome {
        let limits = TimeLimits {
            timeout: spec.timeout,
            idle_timeout: spec.idle_timeout,
            heartbeat: self.plan.heartbeat,
            grace: self.plan.abort_grace,
            kill: KILL_LIMIT,
            clean_scans: AGENT_CLEAN_LOOKS,
        };
        let what = format!("the agent `{}`", spec.agent);
        let adapter = agent::adapter(&spec.agent);
        let reader = adapter.reader();
        let speaks_in_events = reader.is_some();
        let mut log = match self.open_logs(reader) {
            Ok(log) => log,
            Err(error) => return Outcome::failed(FailReason::Start, format!("cannot open the log: {error}")),
        };
        let mut cgroup = self.plan.use_cgroup.then(|| Cgroup::create(self.id())).flatten();
        let spawned = self.agent_command(adapter, spec).and_then(|command| {
            if speaks_in_events { spawn_apart(command, cgroup.as_ref()) } else { spawn(command, None, cgroup.as_ref()) }
        });
        let process = match spawned {
            Ok(process) => process,
            Err(error) => {
                cgroup.iter().for_each(Cgroup::remove);
                return Outcome::failed(FailReason::Start, start_failure(&what, spec, &error));
            }
        };
        if let Some(outside) = cgroup.take_if(|cgroup| !cgroup.holds(process.pid())) {
            outside.remove();
        }
        let pid = process.pid().as_raw_nonzero().get();
        let containment = if cgroup.is_some() { "cgroup" } else { "sweep" };
        self.update_record(|patch| {
            patch.phase = Some(Phase::Agent);
            patch.pid = Some(pid);
            patch.containment = Some(containment);
        });
        let gentle = agent::stop_signal_of(adapter, spec.plan);
        let (ending, last_output_at) =
            self.attend(process, gentle, cgroup.as_ref(), Output::Log(&mut log), true, &limits);
        cgroup.iter().for_each(Cgroup::remove);
        let (files, report) = log.finish();
        for flushed in files.into_iter().map(|file| file.and_then(|file| file.sync_all())) {
            if let Err(error) = flushed {
                warn!(job = %self.id(), "the log is not complete: {error}");
            }
        }
        let usage = report.as_ref().and_then(|report| report.usage);
        self.update_record(|patch| {
            patch.exit_code = ending.exit_code();
            patch.last_output_at = last_output_at;
            patch.usage = usage.and_then(|usage| serde_json::to_value(usage).ok());
        });
        let Some(report) = report else {
            return ending.failure(&what, &limits).unwrap_or(Outcome::Succeeded { message: None });
        };
        if let Err(error) = self.keep_last_message(report.last_message.as_deref()) {
            warn!(job = %self.id(), "cannot keep the agent's last message: {error}: {}", error.source);
        }
        let outcome = report.outcome(&what, &ending, &limits);
        if let Outcome::Failed { reason: FailReason::Quota, message } = &outcome {
            self.hold_agent(&spec.agent, &report, message);
        }
        outcome
    }

    fn open_logs(&self, reader: Option<EventReader>) -> io::Result<AgentLog<File>> {
        let (layout, id) = (self.store.layout(), self.id());
        let sink = |path: &Utf8Path| Ok::<_, io::Error>(LogSink::new(open_log(path)?, self.plan.log_bytes));
        let log = sink(&layout.log_path(id))?;
        Ok(match reader {
            Some(reader) => AgentLog::of_events(log, sink(&layout.events_path(id))?, reader),
            None => AgentLog::plain(log),
        })
    }

    fn agent_command(&self, adapter: &dyn Adapter, spec: &RunSpec<'_>) -> io::Result<Command> {
        let (layout, id) = (self.store.layout(), self.id());
        let (run, workdir, prompt_file) = (layout.run_path(id), layout.checkout_path(id), layout.prompt_path(id));
        let last_message_file = layout.last_message_path(id);
        let places = agent::Placeholders {
            workdir: &workdir,
            prompt_file: &prompt_file,
            last_message_file: &last_message_file,
            model: spec.model.as_deref(),
        };
        let mut words = spec.plan.command.iter();
        let program =
            words.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no command is configured"))?;
        let mut command = Command::new(program);
        command.args(words).args(adapter.arguments(spec.plan, &places));
        command.current_dir(&workdir).stdin(Stdio::from(File::open(&prompt_file)?));
        command.env_clear().envs(agent::given(adapter.variables(), &spec.plan.env, &self.plan.environment));
        command.env(JOB_ID_VARIABLE, id.as_str()).env("PV_RUN_ID", id.as_str());
        command.env("PV_RUN_ROOT", &run).env("PV_PROMPT_FILE", &prompt_file);
        Ok(command)
    }

    /// Writes the last message that the events told, where the agent did not write it itself; an empty file that it
    /// left goes.
    fn keep_last_message(&self, told: Option<&str>) -> FsResult<()> {
        let (fs, path) = (self.store.fs(), self.store.layout().last_message_path(self.id()));
        let found = fs.stat_opt(&path)?;
        if found.is_some_and(|stat| stat.kind == Kind::File && stat.len > 0) {
            return Ok(());
        }
        match told.filter(|told| !told.is_empty()) {
            Some(told) => {
                let text = format!("{}\n", told.trim_end_matches('\n'));
                durable::replace(fs, &path, text.as_bytes(), Durability::Full)
            }
            None if found.is_some_and(|stat| stat.kind == Kind::File) => durable::remove(fs, &path),
            None => Ok(()),
        }
    }

    /// Lets further jobs of the agent wait until its limit ends. Where that cannot be written, they run into it.
    fn hold_agent(&self, agent: &str, report: &Report, message: &str) {
        let Some(until) = report.held_until(host::now(), &TimeZone::system()) else { return };
        let job_id = self.id().clone();
        let hold = AgentHold { agent: agent.to_owned(), until, message: message.to_owned(), job_id };
        let begun = Instant::now();
        loop {
            match self.store.put_hold(&hold) {
                Ok(true) => return,
                Ok(false) if begun.elapsed() < HOLD_WAIT => std::thread::sleep(HOLD_PAUSE),
                Ok(false) => return warn!(job = %self.id(), "cannot hold `{agent}`: its lock is never free"),
                Err(error) => return warn!(job = %self.id(), "cannot hold `{agent}`: {error}"),
            }
        }
    }
}

fn open_log(path: &Utf8Path) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    File::options().append(true).create(true).custom_flags(no_link).open(path)
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
