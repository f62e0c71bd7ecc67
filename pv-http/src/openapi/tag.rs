//! How the description groups operations.

use poem_openapi::Tags;

/// How the documentation groups operations.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Jobs: list them, look at one, stop or repeat it.
    Jobs,
    /// Submitting prompts.
    Submit,
    /// What the agents write.
    Logs,
    /// Why jobs of an agent wait.
    Holds,
    /// Where prompts can be submitted for.
    Targets,
    /// The service itself.
    Service,
}
