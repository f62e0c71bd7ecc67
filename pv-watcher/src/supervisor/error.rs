//! Why a job could not be supervised.

use std::io;

use pv_lib::{
    Error,
    job::{JobId, JobState},
};

/// Why a job could not be supervised. Its record then says as much as was true before.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The record or the run folder does not allow it, or they could not be read or written.
    #[error(transparent)]
    Job(#[from] Error),
    /// The job is over.
    #[error("job {id} is {state}: a job that is over is not run again; `pv retry` makes a new one")]
    Over {
        /// The job.
        id: JobId,
        /// The state that it is in.
        state: JobState,
    },
    /// It waits, for room on a full disk or for proof that what its launcher started has ended, and its supervisor was told
    /// to end.
    #[error("job {id} waits, and its supervisor was stopped: the next one goes on with it")]
    Unfinished {
        /// The job.
        id: JobId,
    },
    /// The kernel refused what a supervisor needs.
    #[error("cannot prepare to supervise job {id}: {source}")]
    Prepare {
        /// The job.
        id: JobId,
        /// What it said.
        source: io::Error,
    },
}
