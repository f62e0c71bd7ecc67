//! A job in the hands of its supervisor: the pen, the wakes, and the processes that are run for it one after the other.

use std::{
    fs::File,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use pv_lib::{
    Error,
    fs::durable::Durability,
    host,
    job::{Delivery, JobId, JobRecord, Phase},
    store::{RunWriter, Store},
    supervise::{Cause, Ending, OBSERVE_INTERVAL, TimeLimits, drive},
    time::Timestamp,
};
use rustix::process::Signal;
use serde_json::Value;
use tracing::warn;

use crate::{
    agent_log::AgentLog,
    folder_walk::measure,
    git::{GitFailure, Interruptible},
    output_tail::OutputTail,
    plan::Plan,
    process::{Cgroup, Hooks, Poller, Source, Spawned, SupervisedProcess},
    save::{Saved, archived_note},
};

/// How long killing may take before what is left is given up on.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(20);

/// How long measuring a checkout that stays may take, and how many entries of it are measured.
const MEASURE_LIMIT: Duration = Duration::from_secs(10);
const MEASURED_ENTRIES_MAX: u64 = 1_000_000;

/// A job in hand.
pub(crate) struct Session<'a> {
    pub(crate) store: &'a Store,
    pub(crate) plan: &'a Plan,
    pub(crate) writer: RunWriter,
    pub(crate) poller: Poller,
    last_heartbeat: Instant,
    patch: RecordPatch,
    /// Whether the record lacks some of them, because the disk refused.
    has_unflushed: bool,
}

impl<'a> Session<'a> {
    /// Takes a job in hand.
    pub(crate) fn new(store: &'a Store, plan: &'a Plan, writer: RunWriter, poller: Poller) -> Self {
        let patch = RecordPatch { delivery: writer.record().delivery.clone(), ..RecordPatch::default() };
        let last_heartbeat = Instant::now();
        Self { store, plan, writer, poller, last_heartbeat, patch, has_unflushed: false }
    }

    /// Returns the job's id.
    pub(crate) fn id(&self) -> &JobId {
        self.writer.id()
    }

    /// Returns where the mirror of the job's repository is, if the record names a usable one.
    pub(crate) fn mirror(&self) -> Option<Utf8PathBuf> {
        self.writer.record().target().map(|target| self.store.layout().mirror_path(&target))
    }

    /// Notes the commit of the mirror that holds the work; the patch holds it, too.
    pub(crate) fn note_commit(&mut self, commit: &str) {
        let patch_path = self.store.layout().patch_path(self.id()).into_string();
        self.update_record(|patch| {
            let delivery = patch.delivery.get_or_insert_default();
            (delivery.commit, delivery.patch_path) = (Some(commit.to_owned()), Some(patch_path));
        });
    }

    /// Notes that the checkout stays, why, and how large it is.
    pub(crate) fn note_kept(&mut self, why: String) {
        let dir = self.checkout_dir();
        let measured = dir.clone();
        let size =
            self.run_with_heartbeat(MEASURE_LIMIT, move || measure(measured.as_std_path(), MEASURED_ENTRIES_MAX));
        self.update_record(|patch| {
            let delivery = patch.delivery.get_or_insert_default();
            delivery.checkout_path = Some(dir.into_string());
            delivery.checkout_reason = Some(why);
            delivery.checkout_bytes = size.map(|size| size.bytes);
        });
    }

    /// Notes where the work is: in a commit, in the archive of ignored files, in the checkout, or in several of them.
    pub(crate) fn note_saved(&mut self, saved: &Saved) {
        if let Some(commit) = &saved.commit {
            self.note_commit(commit);
        }
        if let Some(ignored) = saved.ignored.clone() {
            self.update_record(|patch| patch.delivery.get_or_insert_default().ignored = Some(ignored));
        }
        if let Some(why) = saved.why_kept() {
            self.note_kept(why);
        }
    }

    /// Returns what there is to say of work that is in no commit, of a job that was saved by an earlier supervisor.
    pub(crate) fn kept_notes(&self) -> Vec<String> {
        let Some(delivery) = &self.patch.delivery else { return Vec::new() };
        let archived = delivery.ignored.as_ref().filter(|ignored| ignored.archive_path.is_some());
        let kept = delivery.checkout_path.as_ref().map(|dir| {
            let why = delivery.checkout_reason.as_deref().unwrap_or("the saved work lacks some of it");
            format!("{dir} is kept, because {why}")
        });
        archived.map(|ignored| archived_note(ignored.files)).into_iter().chain(kept).collect()
    }

    /// Returns the checkout, where it stays because it holds what is saved nowhere else.
    pub(crate) fn kept_checkout(&self) -> Option<&str> {
        self.patch.delivery.as_ref()?.checkout_path.as_deref()
    }

    /// Returns the folders that go when the job is over.
    pub(crate) fn folders_to_remove(&self) -> Vec<Utf8PathBuf> {
        let mut folders = vec![self.snapshot_repository()];
        folders.extend(self.kept_checkout().is_none().then(|| self.checkout_dir()));
        folders
    }

    /// Looks whether somebody asked for the job to be stopped.
    pub(crate) fn abort_requested(&self) -> bool {
        abort_requested(self.store, self.id())
    }

    /// Attends a started process to its end, and returns when it last wrote.
    pub(crate) fn attend(
        &mut self,
        process: Spawned,
        stop_signal: Signal,
        cgroup: Option<&Cgroup>,
        output: Output<'_>,
        is_interruptible: bool,
        limits: &TimeLimits,
    ) -> (Ending, Option<Timestamp>) {
        let id = self.id().clone();
        let mut hooks = SupervisorHooks {
            store: self.store,
            writer: &mut self.writer,
            patch: &self.patch,
            output,
            is_interruptible,
        };
        let mut supervised = SupervisedProcess::new(process, stop_signal, &id, cgroup, &mut self.poller, &mut hooks);
        let ending = drive(&mut supervised, limits);
        (ending, supervised.finish())
    }

    /// Waits, heartbeats included.
    ///
    /// # Errors
    /// [`GitFailure::Stopped`] at once when an abort or a signal that is heeded arrives.
    pub(crate) fn pause(&mut self, time: Duration, stop: Interruptible) -> Result<(), GitFailure> {
        let begun = Instant::now();
        loop {
            if stop == Interruptible::Yes && self.abort_requested() {
                return Err(GitFailure::stopped(Cause::Abort));
            } else if stop == Interruptible::Yes && self.poller.terminated() {
                return Err(GitFailure::stopped(Cause::Interrupt));
            }
            self.heartbeat_if_due();
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            self.poller.wait(left.min(OBSERVE_INTERVAL).min(self.plan.heartbeat));
        }
    }

    /// Does something in a thread of its own, so that the heart beats meanwhile, and returns what it answers; `None` where
    /// that takes longer than `limit`. The thread goes on then, and ends with this process.
    pub(crate) fn run_with_heartbeat<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (say, said) = sync_channel(1);
        // Nobody listens any more where the limit was reached.
        thread::spawn(move || drop(say.send(work())));
        let begun = Instant::now();
        loop {
            match said.recv_timeout(OBSERVE_INTERVAL.min(self.plan.heartbeat)) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < limit => self.heartbeat_if_due(),
                Err(_) => return None,
            }
        }
    }

    /// Says that the supervisor lives, where it did not for a while.
    pub(crate) fn heartbeat_if_due(&mut self) {
        if self.last_heartbeat.elapsed() >= self.plan.heartbeat {
            self.last_heartbeat = Instant::now();
            let written = self.writer.update(Durability::OldOrNew, |record| record.record_heartbeat(host::now()));
            if let Err(error) = written {
                warn!(job = %self.id(), "cannot write a heartbeat: {error}");
            }
        }
    }

    /// Notes facts in the record. A disk that refuses does not end the job: every later write carries them too.
    pub(crate) fn update_record(&mut self, change: impl FnOnce(&mut RecordPatch)) {
        change(&mut self.patch);
        self.has_unflushed = true;
        if let Err(error) = self.flush() {
            warn!(job = %self.id(), "cannot write the record: {error}");
        }
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

/// What became known of a job while it ran.
#[derive(Debug, Default)]
pub(crate) struct RecordPatch {
    pub(crate) phase: Option<Phase>,
    pub(crate) base_commit: Option<String>,
    pub(crate) pid: Option<i32>,
    pub(crate) containment: Option<&'static str>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) last_output_at: Option<Timestamp>,
    pub(crate) usage: Option<Value>,
    pub(crate) delivery: Option<Delivery>,
}

impl RecordPatch {
    fn apply_to(&self, record: &mut JobRecord) {
        record.phase = self.phase.or(record.phase);
        record.pid = self.pid.or(record.pid);
        record.containment = self.containment.map(str::to_owned).or_else(|| record.containment.take());
        record.exit_code = self.exit_code.or(record.exit_code);
        record.base_commit = self.base_commit.clone().or_else(|| record.base_commit.take());
        record.last_output_at = self.last_output_at.or(record.last_output_at);
        record.usage = self.usage.clone().or_else(|| record.usage.take());
        record.delivery = self.delivery.clone().or_else(|| record.delivery.take());
    }
}

/// Where output goes.
pub(crate) enum Output<'a> {
    /// To the job's log.
    Log(&'a mut AgentLog<File>),
    /// Nowhere but into a sentence.
    Tail(&'a mut OutputTail),
}

/// What the supervisor does while a process runs.
struct SupervisorHooks<'a> {
    store: &'a Store,
    writer: &'a mut RunWriter,
    patch: &'a RecordPatch,
    output: Output<'a>,
    is_interruptible: bool,
}

impl Hooks for SupervisorHooks<'_> {
    fn output(&mut self, source: Source, bytes: &[u8]) {
        match &mut self.output {
            Output::Log(log) => log.append(source, bytes),
            Output::Tail(words) => words.append(bytes),
        }
    }

    fn heartbeat(&mut self, last_output_at: Option<Timestamp>) {
        let spoke = last_output_at.filter(|_| matches!(self.output, Output::Log(_)));
        let written = self.writer.update(Durability::OldOrNew, |record| {
            self.patch.apply_to(record);
            record.record_heartbeat(host::now());
            record.last_output_at = spoke.or(record.last_output_at);
        });
        if let Err(error) = written {
            warn!(job = %self.writer.id(), "cannot write a heartbeat: {error}");
        }
    }

    fn abort_requested(&mut self) -> bool {
        self.is_interruptible && abort_requested(self.store, self.writer.id())
    }

    fn is_interruptible(&self) -> bool {
        self.is_interruptible
    }
}

fn abort_requested(store: &Store, id: &JobId) -> bool {
    matches!(store.abort_requested_at(id), Ok(Some(_)))
}
