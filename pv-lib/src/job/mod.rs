//! The job: its id, its states, its record, and what is derived from the record.

mod delivery;
mod hold_kind;
mod id;
mod outcome;
mod record;
mod stall;
mod state;
mod view;

pub use delivery::{Delivery, IgnoredWork, Undelivered, branch_name, is_object_name};
pub use hold_kind::{HoldKind, ParseHoldKindError};
pub use id::{JobId, ParseJobIdError};
pub use outcome::Outcome;
pub use record::{DamagedRecord, JobRecord, NewJob, SCHEMA_VERSION, Started};
pub use stall::{Thresholds, is_quiet, is_stalled};
pub use state::{FailReason, IllegalTransition, JobEvent, JobState, Phase, state_matrix};
pub use view::JobView;
