//! The way that a prompt came.

use std::fmt;

/// The way that a prompt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// As JSON, over HTTP.
    Api,
    /// As a file, over HTTP.
    Upload,
    /// From the command line.
    Cli,
    /// As the repetition of a job.
    Retry,
}

impl Source {
    /// Returns the name that front matter uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Upload => "upload",
            Self::Cli => "cli",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
