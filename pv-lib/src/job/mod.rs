//! The job: its id, its states, its record, and what is derived from the record.

mod after_crash;
mod attempt;
mod check;
mod counts;
mod delivery;
mod filter;
mod hold_kind;
mod id;
mod listed_state;
mod outcome;
mod record;
mod record_head;
mod stall;
mod state;
mod undelivered;
mod view;

pub use after_crash::AfterCrash;
pub use attempt::{AfterAttempt, Attempt, AttemptState};
pub use check::{CheckResult, verified};
pub use counts::Counts;
pub use delivery::{Delivery, IgnoredWork, PushState, branch_name, is_object_name, with_prefix};
pub use filter::{JobFilter, ListedJob};
pub use hold_kind::{HoldKind, ParseHoldKindError};
pub use id::{JobId, ParseJobIdError};
pub use listed_state::{ListedState, ParseListedStateError};
pub use outcome::{Outcome, PendingOutcome};
pub use record::{DamagedRecord, JobRecord, NewJob, SCHEMA_VERSION, Started};
pub use record_head::RecordHead;
pub use stall::{Thresholds, is_quiet, is_stalled};
pub use state::{FailReason, IllegalTransition, JobEvent, JobState, Phase, state_matrix};
pub use undelivered::{KeptWork, Undelivered};
pub use view::JobView;
