//! The procedures on jobs, over a file system and a layout.
//!
//! One noun, one file: reading runs ([`read`](self)), the inbox's targets, submitting, the abort marker, the log, the
//! saved work, agents that are held, taking prompts in, the pen that writes records, and recovery. The order of steps
//! inside each is what makes it safe against a power cut at any point; the sweeps in `tests/it` check every image that a
//! cut can leave.
//!
//! Who may do what: anyone may publish a new run, create an abort marker, and read. Only the holder of a run's lock
//! may write its record: that is [`RunWriter`], and there is no other way.

mod abort;
mod adopted;
mod clones;
mod hold;
mod inbox_look;
mod inbox_walk;
mod intake;
mod kept;
mod listing;
mod log;
mod ownership;
mod read;
mod recover;
mod select;
mod submit;
mod survey;
mod targets;
mod unread;
mod watch;
mod work;
mod write;

#[cfg(test)]
mod hold_tests;

use std::sync::Arc;

use crate::{fs::Fs, layout::Layout};

pub use crate::{
    inbox_tree::{BranchMode, Branches, InboxTarget, TREE_FOLDERS_MAX, TreePlan, TreeRules, plan_tree},
    limits::StoreLimits,
};
pub use abort::AbortReceipt;
pub use clones::RepoClone;
pub use hold::{AgentHold, Holds};
pub use inbox_look::{InboxPrompt, InboxSnapshot};
pub use intake::StabilityTracker;
pub use kept::KeptCheckout;
pub use listing::Listing;
pub use log::parse_log_offset;
pub use ownership::{Ownership, Place, PromptsOfJob, ownership};
pub use read::{Run, RunView};
pub use recover::{Observed, PromptLocation, Step, decide};
pub use submit::Receipt;
pub use survey::{DiskSpace, Survey};
pub use unread::Unread;
pub use watch::{WATCHER_SILENT_AFTER, WatcherLock, WatcherStatus};
pub use write::RunWriter;

/// The jobs of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    fs: Arc<dyn Fs>,
    layout: Arc<Layout>,
    limits: StoreLimits,
    host: Arc<str>,
}

impl Store {
    /// Opens the jobs that live under `layout`. Touches nothing: missing folders count as empty.
    ///
    /// `host` is the name that new records carry.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, layout: Layout, limits: StoreLimits, host: &str) -> Self {
        Self { fs, layout: Arc::new(layout), limits, host: host.into() }
    }

    /// Returns the file system.
    #[must_use]
    pub fn fs(&self) -> &dyn Fs {
        &*self.fs
    }

    /// Returns where everything lives.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns how much is accepted.
    #[must_use]
    pub fn limits(&self) -> StoreLimits {
        self.limits
    }
}
