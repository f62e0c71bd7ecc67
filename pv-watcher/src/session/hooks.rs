//! What the supervisor does while a process of its job runs: output moved on, heartbeats, a look for an abort.

use pv_lib::{
    fs::durable::Durability,
    host,
    store::{RunWriter, Store},
    time::Timestamp,
};
use tracing::warn;

use super::{
    abort_grace::{AbortGrace, abort_requested},
    record_patch::RecordPatch,
};
use crate::process::{Hooks, Interruptible, OutputSink, Source};

/// The hooks of one process.
pub(super) struct SupervisorHooks<'a> {
    pub(super) store: &'a Store,
    pub(super) writer: &'a mut RunWriter,
    pub(super) patch: &'a RecordPatch,
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
        let written = self.writer.update(Durability::OldOrNew, |record| {
            self.patch.apply_to(record);
            record.record_heartbeat(host::now());
            record.last_output_at = last_output_at.or(record.last_output_at);
        });
        if let Err(error) = written {
            warn!(job = %self.writer.id(), "cannot write a heartbeat: {error}");
        }
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
