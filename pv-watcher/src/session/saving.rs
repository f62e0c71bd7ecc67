//! From the end of an agent to the end of its job: what is known of it, and what could not be written.

use camino::Utf8PathBuf;
use pv_lib::job::{Outcome, PendingOutcome, Phase};

use super::{Session, unwritten::Unwritten};

/// A job that goes on when there is room: its supervisor was told to end meanwhile, and another one takes it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfinished;

impl Session<'_> {
    /// Keeps what is still to be added to a file of the run folder, which is short at its end meanwhile.
    pub(crate) fn write_later(&mut self, path: Utf8PathBuf, bytes: Vec<u8>, error: String) {
        self.unwritten.push(Unwritten { path, bytes, error });
    }

    /// Notes for the record what could not be written.
    pub(crate) fn note_missing(&mut self, what: String) {
        self.missing.push(what);
    }

    /// Begins to save what the agent left. The record has from then on how the job is to end.
    pub(crate) fn begin_saving(&mut self, outcome: &Outcome) {
        let waiting = self.unwritten.iter().map(|unwritten| unwritten.bytes.len() as u64).sum();
        let outcome = self.missing.iter().fold(outcome.clone(), |outcome, what| outcome.adding(what));
        self.update_record(|patch| {
            patch.phase = Some(Phase::Saving);
            patch.pending_outcome = Some(PendingOutcome::new(&outcome, waiting));
        });
    }

    /// Adds to the logs what could not be written when it came, as far as there is room now.
    pub(crate) fn write_waiting(&mut self) {
        let mut left: Vec<Unwritten> = Vec::new();
        for mut unwritten in std::mem::take(&mut self.unwritten) {
            // Of one file everything comes in its order.
            let comes_later = left.iter().any(|earlier| earlier.path == unwritten.path);
            if comes_later || !unwritten.write() {
                left.push(unwritten);
            }
        }
        self.unwritten = left;
    }

    /// Ends what is open before the job does: adds to the logs what could not be written before, and to the outcome what is
    /// missing. A job that was not delivered ended as its agent did.
    pub(crate) fn settle(&mut self, outcome: Outcome) -> Outcome {
        self.write_waiting();
        self.missing.extend(std::mem::take(&mut self.unwritten).into_iter().map(Unwritten::give_up));
        let phase = self.phase();
        self.update_unflushed(|patch| {
            patch.phase = if phase == Some(Phase::Saving) { Some(Phase::Agent) } else { patch.phase };
        });
        let missing = std::mem::take(&mut self.missing);
        let heartbeats = self.missed_heartbeats();
        missing.iter().chain(&heartbeats).fold(outcome, |outcome, what| outcome.adding(what))
    }
}
