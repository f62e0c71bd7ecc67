//! What the supervisor does while a process of its job runs: output moved on, heartbeats, a look for an abort.

use std::time::{Duration, Instant};

use pv_lib::{
    fs::durable::Durability,
    host,
    job::Phase,
    store::{RunWriter, Store},
    supervise::Exit,
    time::Timestamp,
};
use rustix::process::Signal;

use super::{
    abort_grace::{AbortGrace, abort_requested},
    heartbeats::Heartbeats,
    record_patch::RecordPatch,
};
use crate::{
    launcher::Launched,
    process::{Hooks, Interruptible, OutputSink, Source},
};

/// The hooks of one process.
pub(super) struct SupervisorHooks<'a, 'l> {
    pub(super) store: &'a Store,
    pub(super) writer: &'a mut RunWriter,
    pub(super) patch: &'a mut RecordPatch,
    pub(super) heartbeats: &'a mut Heartbeats,
    /// Where its output goes.
    pub(super) output: &'a mut dyn OutputSink,
    /// Whether that counts as the agent's.
    pub(super) is_agent: bool,
    pub(super) interruptible: Interruptible,
    pub(super) abort_grace: &'a mut AbortGrace,
    /// What it was started by, where that is a launcher.
    pub(super) launched: Option<&'a mut Launched<'l>>,
    /// The phase of the job while it works, where it is another one while it waits.
    pub(super) phase: Option<Phase>,
    /// The time between two heartbeats.
    pub(super) heartbeat: Duration,
    /// Why it waits.
    pub(super) waits: Option<String>,
}

impl Hooks for SupervisorHooks<'_, '_> {
    fn output(&mut self, source: Source, bytes: &[u8]) {
        if let Some(launched) = &mut self.launched {
            launched.note_output(source, bytes);
        }
        self.output.append(source, bytes);
    }

    fn is_done(&self) -> bool {
        self.output.is_done()
    }

    fn heartbeat(&mut self, last_output_at: Option<Timestamp>) {
        let last_output_at = last_output_at.filter(|_| self.is_agent);
        let now = host::now();
        let written = self.writer.update(Durability::OldOrNew, |record| {
            self.patch.apply_to(record);
            record.record_heartbeat(now);
            record.last_output_at = last_output_at.or(record.last_output_at);
        });
        self.heartbeats.note(self.writer.id(), written, now);
    }

    fn abort_requested(&mut self) -> bool {
        match self.interruptible {
            Interruptible::Yes => abort_requested(self.store, self.writer.id()),
            Interruptible::AfterGrace => self.abort_grace.is_over(self.store, self.writer.id()),
            Interruptible::No => false,
        }
    }

    fn is_interruptible(&self) -> bool {
        self.interruptible == Interruptible::Yes
    }

    fn ask(&mut self, signal: Signal) -> Option<Signal> {
        self.launched.as_ref().map_or(Some(signal), |launched| launched.ask(signal))
    }

    fn stop(&mut self, exit: Option<Exit>) {
        let Some(launched) = self.launched.take() else { return };
        let mut last = Instant::now();
        launched.stop(exit, &mut || {
            if last.elapsed() >= self.heartbeat {
                last = Instant::now();
                self.heartbeat(None);
            }
        });
        self.launched = Some(launched);
    }

    fn is_waiting(&mut self, at: Duration) -> bool {
        let Some(launched) = &mut self.launched else { return false };
        let waits = launched.waits(at);
        if waits != self.waits {
            self.waits.clone_from(&waits);
            if let Some(phase) = self.phase {
                self.patch.phase = Some(if waits.is_some() { Phase::Preparing } else { phase });
            }
            self.patch.waiting_for = Some(waits);
            self.heartbeat(None);
        }
        self.waits.is_some()
    }
}
