//! The inbox: a walk over its folders, its targets and prompts, and which prompt belongs to which job.

mod notices;
mod ownership;
mod same_file;
mod snapshot;
mod stability;
mod targets;
mod unfit;
mod unread;
mod walk;

pub(super) use ownership::ending;
pub use ownership::{Ownership, Place, PromptsOfJob, ownership};
pub use snapshot::{InboxPrompt, InboxSnapshot};
pub use stability::StabilityTracker;
pub use unread::Unread;
