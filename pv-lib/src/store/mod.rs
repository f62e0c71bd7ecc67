//! The procedures on jobs, over a file system and a layout.
//!
//! `inbox` has what is in the inbox, `run` what is in the run folders. Between them: submitting, adopting and claiming
//! prompts, the next step that is due for a job, and recovery. The order of steps inside each procedure is what makes
//! it safe against a power cut at any point; the sweeps in tests check every image that a cut can leave.
//!
//! Who may do what: anyone may publish a new run, create an abort marker, and read. Only the holder of a run's lock
//! may write its record: that is [`RunWriter`], and there is no other way.

mod adopt;
mod clones;
mod handle;
mod holds;
mod inbox;
mod intake;
mod listing;
mod mirrors;
mod next_step;
mod recover;
mod room;
mod run;
mod runs_as;
mod submit;
mod survey;
mod watcher;

#[cfg(test)]
mod holds_tests;

pub use crate::{
    inbox_tree::{BranchMode, Branches, InboxTarget, TREE_FOLDERS_MAX, TreePlan, TreeRules, plan_tree},
    limits::StoreLimits,
};
pub use clones::RepoClone;
pub use handle::Store;
pub use holds::{AgentHold, Holds};
pub use inbox::{InboxPrompt, InboxSnapshot, Ownership, Place, PromptsOfJob, StabilityTracker, Unread, ownership};
pub use listing::Listing;
pub use mirrors::{MIRRORS_NAMED_MAX, MirrorSize, MirrorsStatus};
pub use next_step::{JobObservation, PromptLocation, Step, next_step};
pub use room::{FullDisk, Reserve};
pub use run::{AbortReceipt, KeptCheckout, Run, RunView, RunWriter, parse_log_offset};
pub use runs_as::RunsAs;
pub use submit::{PreparedSubmission, Receipt};
pub use survey::{DiskSpace, Survey};
pub use watcher::{WATCHER_SILENT_AFTER, WatcherLock, WatcherStatus};
