//! What the supervisor does while a process of its job runs: output moved on, heartbeats, a look for an abort.

use pv_lib::{
    fs::durable::Durability,
    host,
    store::{RunWriter, Store},
    time::Timestamp,
};

use super::{
    abort_grace::{AbortGrace, abort_requested},
    heartbeats::Heartbeats,
    record_patch::RecordPatch,
};
use crate::process::{Hooks, Interruptible, OutputSink, Source};

/// The hooks of one process.
pub(super) struct SupervisorHooks<'a> {
    pub(super) store: &'a Store,
    pub(super) writer: &'a mut RunWriter,
    pub(super) patch: &'a RecordPatch,
    pub(super) heartbeats: &'a mut Heartbeats,
    /// Where its output goes.
    pub(super) output: &'a mut dyn OutputSink,
    /// Whether that counts as the agent's.
    pub(super) is_agent: bool,
    pub(super) interruptible: Interruptible,
    pub(super) abort_grace: &'a mut AbortGrace,
}

impl Hooks for SupervisorHooks<'_> {
    fn output(&mut self, source: Source, bytes: &[u8]) {
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
}
