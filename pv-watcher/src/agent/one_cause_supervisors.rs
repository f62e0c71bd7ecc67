//! Supervisors for the tests of one cause: they do at once what the real ones do, with a recorded agent's events.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    io,
    process::Command,
    rc::Rc,
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    job::{FailReason, HoldKind, JobId, Outcome, Phase, Started},
    store::{RunWriter, Store},
    time::Timestamp,
};

use super::{
    hold_writer::{HoldWriter, LiftingOutput},
    known::adapter,
    log::AgentLog,
    log_sink::LogSink,
};
use crate::{
    process::{LockHolder, OutputSink, Source},
    watch::Launcher,
};

pub(super) const AGENT: &str = "codex";

/// How long a job works whose agent works, in minutes.
pub(super) const WORK_MINUTES: u64 = 3;

/// What becomes of every job at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    /// The agent writes these events within its first minute, and ends with exit code 1.
    Fails(&'static [u8]),
    /// Its program is not there.
    NoProgram,
    /// It writes these events at once, works for a while, and ends well.
    Works(&'static [u8]),
    /// It ends without a word: nothing is proved, and nothing asked for.
    Crashes,
}

/// A job that is worked on.
pub(super) struct Running {
    pub(super) writer: RunWriter,
    pub(super) log: AgentLog<Vec<u8>>,
    pub(super) ends_at: Timestamp,
    pub(super) code: i32,
}

#[derive(Default)]
pub(super) struct Jobs {
    pub(super) running: BTreeMap<JobId, Running>,
    pub(super) started: Vec<JobId>,
}

/// Starts supervisors that do at once what the real ones do until the agent's first events.
pub(super) struct Supervisors {
    pub(super) store: Store,
    pub(super) jobs: Rc<RefCell<Jobs>>,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) now: Rc<RefCell<Timestamp>>,
}

impl Supervisors {
    fn run(&self, id: &JobId) -> pv_lib::Result<()> {
        let now = *self.now.borrow();
        let mut writer = self.store.writer(id)?;
        writer.write_prompt()?;
        writer.start(Started {
            now,
            boot_id: None,
            agent: AGENT.into(),
            model: None,
            title: None,
            log_path: "job.log".into(),
            phase: Phase::Preparing,
        })?;
        self.jobs.borrow_mut().started.push(id.clone());
        let mut holds = HoldWriter::new(&self.store, AGENT, id.clone(), writer.record().started_at);
        let (events, minutes, code) = match *self.world.borrow() {
            World::NoProgram => {
                let program = "/nowhere/codex".to_owned();
                let error = Command::new(&program).current_dir("/").spawn().expect_err("it is not there");
                holds.put_if_of_program(&error, &[program], Utf8Path::new("/"), now);
                writer.finish(Outcome::failed(FailReason::Start, error.to_string()), now)?;
                return writer.archive();
            }
            World::Fails(events) => (events, 1, 1),
            World::Works(events) => (events, WORK_MINUTES, 0),
            World::Crashes => (&b""[..], 1, 1),
        };
        holds.lift(&[HoldKind::Start]);
        let sink = || LogSink::new(Vec::new(), 1 << 20);
        let mut log = AgentLog::of_events(sink(), sink(), adapter(AGENT).reader().expect("it speaks in events"));
        LiftingOutput { log: &mut log, holds: &mut holds, proves_start: true }.append(Source::Output, events);
        let ends_at = now.after(Duration::from_secs(60 * minutes));
        self.jobs.borrow_mut().running.insert(id.clone(), Running { writer, log, ends_at, code });
        Ok(())
    }
}

impl Launcher for Supervisors {
    fn launch(&mut self, id: &JobId) -> io::Result<()> {
        self.run(id).map_err(io::Error::other)
    }

    fn active(&mut self) -> HashSet<JobId> {
        // As after a restart of the watcher: who lives is known by the disk alone.
        HashSet::new()
    }

    fn kill_orphans(&mut self, _id: &JobId) -> io::Result<usize> {
        Ok(0)
    }

    fn kill_hung(&mut self, _lock: &Utf8Path) -> io::Result<LockHolder> {
        Ok(LockHolder::Nobody)
    }

    fn remove_empty_cgroups(&mut self, _is_over: &mut dyn FnMut(&JobId) -> bool) -> usize {
        0
    }

    fn remove_checkout(&mut self, _dir: &Utf8Path) -> io::Result<()> {
        Ok(())
    }
}
