//! Where the output of a process goes.

use super::Source;

/// Takes the output of a process as it arrives.
pub(crate) trait OutputSink {
    /// Takes the next bytes; none is a chance to write what could not be written before.
    fn append(&mut self, source: Source, bytes: &[u8]);

    /// Tells whether what it took says that the work is over.
    fn is_done(&self) -> bool;
}
