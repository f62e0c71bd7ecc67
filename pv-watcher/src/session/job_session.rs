//! A job while its supervisor works on it: its run lock, its record, its heartbeat, and the processes that are run for it
//! one after the other.

use std::{
    rc::Rc,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use pv_lib::{
    Error,
    fs::durable::Durability,
    host,
    job::{JobId, JobState, Outcome, Phase},
    store::{RunWriter, Store},
    supervise::{Cause, Ending, OBSERVE_INTERVAL, TimeLimits, drive},
    text::without_host_actions,
    time::Timestamp,
};
use rustix::process::Signal;
use tracing::warn;

use super::{
    abort_grace::{AbortGrace, abort_requested},
    command_start::StartedCommand,
    heartbeats::Heartbeats,
    hooks::SupervisorHooks,
    record_patch::RecordPatch,
    unwritten::Unwritten,
};
use crate::{
    git::{Attendant, GitFailure, GitSettings, LocalStart, Mirror, Runner, SnapshotSpec},
    launcher::LaunchFile,
    plan::Plan,
    process::{
        Cgroup, Interruptible, JOB_ID_VARIABLE, KILL_LIMIT, OutputSink, Poller, Spawned, SupervisedProcess, end_all,
    },
};

/// How many retries of retries are gone back over.
const RETRIES_MAX: usize = 64;

/// How long a git call of ours has to end by itself.
const GIT_GRACE: Duration = Duration::from_secs(2);

/// A job that is worked on.
pub(crate) struct Session<'a> {
    pub(crate) store: &'a Store,
    pub(crate) plan: &'a Plan,
    pub(crate) writer: RunWriter,
    pub(crate) poller: Poller,
    git_settings: Rc<GitSettings>,
    last_heartbeat: Instant,
    abort_grace: AbortGrace,
    pub(super) patch: RecordPatch,
    /// Whether the record lacks some of it, because it could not be written.
    has_unflushed: bool,
    heartbeats: Heartbeats,
    pub(super) unwritten: Vec<Unwritten>,
    /// What could not be written and will not be, in sentences for the record.
    pub(super) missing: Vec<String>,
    /// What is noted of a start by a launcher whose end is not proved yet.
    pub(super) launch: Option<LaunchFile>,
    /// Whether this process was told to end before that was proved: the job is not over.
    pub(super) is_unfinished: bool,
}

impl<'a> Session<'a> {
    /// Begins to work on a job.
    pub(crate) fn new(store: &'a Store, plan: &'a Plan, writer: RunWriter, poller: Poller) -> Self {
        let (delivery, attempts) = (writer.record().delivery.clone(), writer.record().attempts.clone());
        let patch = RecordPatch { delivery, attempts, ..RecordPatch::default() };
        let git_settings = Rc::new(GitSettings {
            environment: plan.environment.clone(),
            marker: (JOB_ID_VARIABLE, writer.id().to_string()),
            grace: git_grace(plan.abort_grace),
            timeout: plan.git_timeout,
            idle_timeout: plan.git_idle_timeout,
            retry_pauses: plan.git_retry_pauses.clone(),
            heartbeat: plan.heartbeat,
        });
        let last_heartbeat = Instant::now();
        // A job that an earlier version started has none. Without it a full disk keeps the record as it is.
        if writer.record().state() == JobState::Running
            && let Err(error) = writer.make_spares()
        {
            warn!(job = %writer.id(), "cannot prepare for a full disk: {error}");
        }
        // What is asked to end when it is over ends within it, too.
        let abort_grace = AbortGrace::new(plan.abort_grace.saturating_sub(git_grace(plan.abort_grace)));
        let (heartbeats, unwritten, missing, has_unflushed) = (Heartbeats::default(), Vec::new(), Vec::new(), false);
        Self {
            store,
            plan,
            writer,
            poller,
            git_settings,
            last_heartbeat,
            abort_grace,
            patch,
            has_unflushed,
            heartbeats,
            unwritten,
            missing,
            launch: None,
            is_unfinished: false,
        }
    }

    /// Returns the job's id.
    pub(crate) fn id(&self) -> &JobId {
        self.writer.id()
    }

    /// Returns what runs git for this job; `interruptible` says whether an abort, or a signal to the supervisor, stops it.
    pub(crate) fn git(&mut self, interruptible: Interruptible) -> Runner<'_> {
        Runner::new(Rc::clone(&self.git_settings), interruptible, self)
    }

    /// Returns where the job's checkout is, whether it is there or not.
    pub(crate) fn checkout_path(&self) -> Utf8PathBuf {
        self.store.layout().checkout_path(self.id())
    }

    /// Returns where the job starts and is delivered where a person asked for their own clone: what is noted of it, or of
    /// the job that it repeats.
    ///
    /// # Errors
    /// Where that cannot be read: the work must not go elsewhere then.
    pub(crate) fn local_start(&self) -> Result<Option<LocalStart>, GitFailure> {
        let (fs, layout) = (self.store.fs(), self.store.layout());
        let (mut id, mut repeated) = (self.id().clone(), self.writer.record().retry_of.clone());
        for _ in 0..RETRIES_MAX {
            if let Some(start) = LocalStart::read(fs, layout, &id)? {
                return Ok(Some(start));
            }
            let Some(earlier) = repeated else { return Ok(None) };
            repeated = match self.store.read_run(&earlier).and_then(pv_lib::store::Run::into_record) {
                Ok(record) => record.retry_of,
                // Its own note is what counts, and that is there without its run.
                Err(Error::JobNotFound(_) | Error::Damaged { .. }) => None,
                Err(error) => return Err(GitFailure::Failed(error.to_string())),
            };
            id = earlier;
        }
        Ok(None)
    }

    /// Returns the mirror of the job's repository, if the record names a usable one.
    pub(crate) fn mirror(&self) -> Option<Mirror> {
        self.writer.record().target().map(|target| Mirror::at(self.store.layout().mirror_path(&target)))
    }

    /// Returns what a snapshot of this job's work needs to know; `id` is this job's.
    pub(crate) fn snapshot_spec<'s>(&self, id: &'s JobId) -> SnapshotSpec<'s>
    where
        'a: 's,
    {
        let (record, delivery) = (self.writer.record(), &self.plan.delivery);
        let of_agent = || format!("Work of {}", record.agent.as_deref().unwrap_or("an agent"));
        SnapshotSpec {
            fs: self.store.fs(),
            layout: self.store.layout(),
            id,
            // A host acts on what commits say, too.
            subject: record.title.as_deref().map_or_else(of_agent, without_host_actions),
            body: format!("Prompt Valet job {id}"),
            author_name: &delivery.author_name,
            author_email: &delivery.author_email,
            ignored_bytes: self.plan.ignored_bytes,
            known_caches: &self.plan.known_caches,
        }
    }

    /// Ends what still runs of the job, wherever that is, and returns how the job ends then: with a word on what does not go.
    pub(crate) fn end_all(&self, outcome: Outcome) -> Outcome {
        if end_all(self.id(), KILL_LIMIT) { outcome } else { outcome.adding(Ending::LEFT) }
    }

    /// Looks whether somebody asked for the job to be stopped.
    pub(crate) fn abort_requested(&self) -> bool {
        abort_requested(self.store, self.id())
    }

    /// Waits for this process to be signalled to end, for at most `limit`, and returns whether it was.
    pub(crate) fn is_terminated_within(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        while !self.poller.terminated() {
            let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { return false };
            self.poller.wait(left);
        }
        true
    }

    /// Runs the agent's process, or that of a check, to its end, and returns when it last wrote.
    pub(crate) fn run_in_checkout(
        &mut self,
        started: StartedCommand<'_, '_>,
        cgroup: Option<&Cgroup>,
        output: &mut dyn OutputSink,
        limits: &TimeLimits,
    ) -> (Ending, Option<Timestamp>) {
        let phase = started.phase;
        let ended = self.supervise_process(started, cgroup, (output, true), Interruptible::Yes, limits);
        // One that was stopped while it waited waits no more.
        if matches!(self.patch.waiting_for, Some(Some(_))) {
            self.update_unflushed(|patch| {
                patch.waiting_for = Some(None);
                patch.phase = phase.or(patch.phase);
            });
        }
        ended
    }

    fn supervise_process(
        &mut self,
        started: StartedCommand<'_, '_>,
        cgroup: Option<&Cgroup>,
        (output, is_agent): (&mut dyn OutputSink, bool),
        interruptible: Interruptible,
        limits: &TimeLimits,
    ) -> (Ending, Option<Timestamp>) {
        let StartedCommand { process, stop_signal, launched, phase } = started;
        let id = self.id().clone();
        let mut hooks = SupervisorHooks {
            store: self.store,
            writer: &mut self.writer,
            patch: &mut self.patch,
            heartbeats: &mut self.heartbeats,
            output,
            is_agent,
            interruptible,
            abort_grace: &mut self.abort_grace,
            launched,
            phase,
            heartbeat: self.plan.heartbeat,
            waits: None,
        };
        let folder = self.store.layout().checkout_path(&id);
        let mut supervised =
            SupervisedProcess::new(process, stop_signal, &id, cgroup, &mut self.poller, &mut hooks, &folder)
                .own_call(!is_agent);
        let ending = drive(&mut supervised, limits);
        (ending, supervised.finish())
    }

    /// Does something in a thread of its own, heartbeats meanwhile, and returns its result; `None` where that takes longer
    /// than `limit`. The thread goes on then, and ends with this process.
    pub(crate) fn blocking<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.blocking_as(limit, Interruptible::No, work)
    }

    /// Does what [`Session::blocking`] does; an abort ends the wait for it when its grace is over.
    pub(crate) fn blocking_until_abort<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.blocking_as(limit, Interruptible::AfterGrace, work)
    }

    fn blocking_as<T: Send + 'static>(
        &mut self,
        limit: Duration,
        interruptible: Interruptible,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        // Nobody receives any more where the limit was reached.
        thread::spawn(move || drop(sender.send(work())));
        let begun = Instant::now();
        loop {
            match receiver.recv_timeout(OBSERVE_INTERVAL.min(self.plan.heartbeat)) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < limit => self.heartbeat_if_due(),
                Err(_) => return None,
            }
            let is_stopped =
                interruptible == Interruptible::AfterGrace && self.abort_grace.is_over(self.store, self.writer.id());
            if is_stopped {
                return None;
            }
        }
    }

    /// Says that the supervisor lives, where it did not for a while. Not of a job that it has not started yet.
    pub(crate) fn heartbeat_if_due(&mut self) {
        if self.last_heartbeat.elapsed() >= self.plan.heartbeat && self.writer.record().state() == JobState::Running {
            self.last_heartbeat = Instant::now();
            let now = host::now();
            let written = self.writer.update(Durability::OldOrNew, |record| record.record_heartbeat(now));
            self.heartbeats.note(self.writer.id(), written, now);
        }
    }

    /// Notes facts in the record. That they cannot be written does not end the job: every later write carries them too.
    pub(crate) fn update_record(&mut self, change: impl FnOnce(&mut RecordPatch)) {
        self.update_unflushed(change);
        if let Err(error) = self.flush() {
            warn!(job = %self.id(), "cannot write the record: {error}");
        }
    }

    /// Notes facts that the next write carries.
    pub(crate) fn update_unflushed(&mut self, change: impl FnOnce(&mut RecordPatch)) {
        change(&mut self.patch);
        self.has_unflushed = true;
    }

    /// Returns the phase that the job is in.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.patch.phase.or(self.writer.record().phase)
    }

    /// Returns what there is to say of heartbeats that could not be written.
    pub(super) fn missed_heartbeats(&self) -> Option<String> {
        self.heartbeats.missed()
    }

    /// Writes how the job ended, durably, with the facts that the record lacks.
    ///
    /// # Errors
    /// As [`RunWriter::finish_with`].
    pub(crate) fn finish(&mut self, outcome: Outcome) -> Result<(), Error> {
        let patch = &self.patch;
        self.writer.finish_with(|record| patch.apply_to(record), outcome, host::now())?;
        self.has_unflushed = false;
        Ok(())
    }

    /// Writes the facts that the record lacks, if any.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if self.has_unflushed {
            let patch = &self.patch;
            self.writer.update(Durability::Full, |record| patch.apply_to(record))?;
            self.has_unflushed = false;
        }
        Ok(())
    }
}

impl Attendant for Session<'_> {
    fn wait_for(
        &mut self,
        process: Spawned,
        output: &mut dyn OutputSink,
        interruptible: Interruptible,
        limits: &TimeLimits,
    ) -> Ending {
        let started = StartedCommand { process, stop_signal: Signal::TERM, launched: None, phase: None };
        self.supervise_process(started, None, (output, false), interruptible, limits).0
    }

    fn pause(&mut self, time: Duration, interruptible: Interruptible) -> Result<(), Cause> {
        let begun = Instant::now();
        loop {
            if interruptible != Interruptible::No && self.abort_requested() {
                return Err(Cause::Abort);
            } else if interruptible == Interruptible::Yes && self.poller.terminated() {
                return Err(Cause::Interrupt);
            }
            self.heartbeat_if_due();
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            self.poller.wait(left.min(OBSERVE_INTERVAL).min(self.plan.heartbeat));
        }
    }

    fn run_blocking(&mut self, limit: Duration, work: Box<dyn FnOnce() + Send>) -> bool {
        self.blocking(limit, work).is_some()
    }
}

/// Returns how long a git call has to end by itself: of an abort's grace no more than half.
fn git_grace(abort_grace: Duration) -> Duration {
    GIT_GRACE.min(abort_grace / 2)
}
