//! The arguments that name jobs.

use crate::{backend::Backend, exit::Failure};

/// The job that a command is for.
#[derive(Debug, clap::Args)]
pub(crate) struct JobArg {
    /// The job's id, or its beginning
    id: String,
}

/// The jobs that a command is for.
#[derive(Debug, clap::Args)]
pub(crate) struct JobArgs {
    /// The jobs' ids, or their beginnings
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl JobArg {
    /// Returns the argument as it was given.
    pub(super) fn as_str(&self) -> &str {
        &self.id
    }

    /// Returns the whole id.
    ///
    /// # Errors
    /// No job has it (3), or several begin so (4).
    pub(super) fn resolve(&self, backend: &dyn Backend) -> Result<String, Failure> {
        backend.resolve(&self.id)
    }
}

impl JobArgs {
    /// Returns the whole ids, before anything is done with the first.
    ///
    /// # Errors
    /// As [`JobArg::resolve`], for the first that cannot be resolved.
    pub(super) fn resolve(&self, backend: &dyn Backend) -> Result<Vec<String>, Failure> {
        self.ids.iter().map(|id| backend.resolve(id)).collect()
    }
}
