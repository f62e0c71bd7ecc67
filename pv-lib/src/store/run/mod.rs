//! Runs: reading and listing them, writing their records, and what else is in their folders.

mod abort;
mod kept;
mod last_message;
mod log;
mod patch;
mod publish;
mod read;
mod select;
mod texts;
mod writer;

pub use abort::AbortReceipt;
pub use kept::KeptCheckout;
pub use log::parse_log_offset;
pub use read::{Run, RunView};
pub use writer::RunWriter;
