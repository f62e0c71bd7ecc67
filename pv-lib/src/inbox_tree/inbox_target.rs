//! A branch folder of the inbox, as a value.

use camino::Utf8PathBuf;

use crate::target::Target;

/// A branch folder of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxTarget {
    /// What prompts in it are for.
    pub target: Target,
    /// The folder, absolute.
    pub dir: Utf8PathBuf,
}
