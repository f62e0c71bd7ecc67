//! What can go wrong in a procedure.

use std::{io, iter};

use camino::Utf8PathBuf;
use rustix::io::Errno;

use super::{
    FsError,
    unusable::{Access, Severity, Unusable, remedy_for},
};
use crate::{
    job::{DamagedRecord, IllegalTransition, JobId, JobState},
    limits::Shortage,
    target::InvalidName,
};

/// The result of a procedure.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A procedure that failed. [`Error::kind`] says what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no run folder of that id.
    #[error("Job not found")]
    JobNotFound(JobId),
    /// No run's id begins with that.
    #[error("no job's id begins with `{0}`: `pv list` shows what there is")]
    JobPrefixNotFound(String),
    /// Several runs' ids begin with that.
    #[error("{count} jobs have an id that begins with `{prefix}`: give more of it")]
    AmbiguousId {
        /// What was given.
        prefix: String,
        /// How many ids begin with it.
        count: usize,
    },
    /// The job has no log yet, or never had one.
    #[error("Job log not found")]
    LogNotFound(JobId),
    /// The log's file has another name too, so it may hold what is no log.
    #[error(
        "Job log not found: its file has another name too (a hard link), so it may hold anything, and is not shown: remove the other name, or look at it on the host"
    )]
    LogLinked(JobId),
    /// The job's prompt is neither in its run folder nor in the inbox.
    #[error("Job prompt not found")]
    PromptNotFound(JobId),
    /// The job's changes are not saved yet.
    #[error("Job patch not found: the job is {0}, and its changes are saved when it is over")]
    PatchNotYet(JobState),
    /// The job is over and left no patch.
    #[error("Job patch not found: no changes were saved")]
    PatchNotFound(JobId),
    /// No push of the job's branch has failed, and one still may.
    #[error("Push log not found: the job is {0}, and no push of its branch has failed yet")]
    PushLogNotYet(JobState),
    /// No push of the job's branch failed.
    #[error("Push log not found: no push of this job's branch has failed")]
    PushLogNotFound(JobId),
    /// The job's agent has said nothing yet.
    #[error("Last message not found: the job is {0}, and its agent has not said any yet")]
    LastMessageNotYet(JobState),
    /// The job's agent left no last message.
    #[error("Last message not found: its agent has not said any, or does not speak in events")]
    LastMessageNotFound(JobId),
    /// The inbox has no folder for that repository and branch.
    #[error("target {repo} @ {branch} not found: `pv targets` lists what there is; `pv targets add` makes one")]
    TargetNotFound {
        /// The repository that was asked for.
        repo: String,
        /// The branch that was asked for.
        branch: String,
    },
    /// Several owners have a repository of that name.
    #[error("repository `{repo}` is ambiguous: name one of {}", owners.join(", "))]
    AmbiguousRepo {
        /// The repository that was asked for.
        repo: String,
        /// The full names that it could mean.
        owners: Vec<String>,
    },
    /// What was submitted cannot be a prompt.
    #[error("{0}")]
    InvalidPrompt(String),
    /// What was submitted is too large.
    #[error("the prompt has {len} bytes, and {limit} are allowed (limits.prompt_bytes)")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The job is over, and what was asked for needs one that is not.
    #[error("Job already terminal (state={0})")]
    AlreadyTerminal(JobState),
    /// The job is not over, and what was asked for needs one that is.
    #[error("the job is {0}: wait until it is over, or abort it first")]
    NotTerminal(JobState),
    /// The job left nothing that checks could run on.
    #[error("checks cannot run on what job {id} left: {why}")]
    NothingToCheck {
        /// The job.
        id: JobId,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// The disk has too little room to begin.
    #[error("{path} has {shortage}: make room, then try again")]
    DiskFull {
        /// The folder on the full disk.
        path: Utf8PathBuf,
        /// Of what it has too little.
        shortage: Shortage,
    },
    /// Another process holds the lock of that run.
    #[error("job {0} is being written by another process")]
    Locked(JobId),
    /// Another process writes or lifts a hold at this moment.
    #[error("another process writes a hold on an agent just now: try again")]
    HoldsLocked,
    /// Another watcher watches that folder.
    #[error("{what} is watched already, by {holder}: stop that watcher first, or point this one elsewhere")]
    WatcherHeld {
        /// The folder.
        what: Utf8PathBuf,
        /// Who watches it, as far as is known.
        holder: String,
    },
    /// A newer program wrote the record.
    #[error("job {id} was written by a newer version (schema {schema}): use that version to change it")]
    NewerSchema {
        /// The job.
        id: JobId,
        /// Its record's schema.
        schema: u64,
    },
    /// The job's record cannot be understood.
    #[error("job {id} has a damaged record: {source}")]
    Damaged {
        /// The run folder.
        id: JobId,
        /// What is wrong with it.
        source: DamagedRecord,
    },
    /// The record's state does not allow the step.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A name that cannot be part of a target.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// A file or a folder that is needed cannot be read.
    #[error("{entry}")]
    Unusable {
        /// Which, why, and what to do.
        entry: Box<Unusable>,
        /// What kind of trouble it is.
        kind: io::ErrorKind,
    },
    /// A call of the file system failed.
    #[error("{source}: {}", source.source)]
    Fs {
        /// Which verb, on which path, and what the system said.
        #[from]
        source: FsError,
    },
}

/// What a caller can do about an error: front ends turn it into a status or an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was named does not exist.
    NotFound,
    /// What was submitted is wrong; sending it again will not help.
    Invalid,
    /// What was submitted is too large.
    TooLarge,
    /// The job's state does not allow it.
    Conflict,
    /// The disk is full; it will work once there is free space.
    Full,
    /// This process may not do it.
    Denied,
    /// The system has no descriptor free just now; it will work again once others are closed.
    Busy,
    /// A call of the file system failed for another reason.
    Io,
}

impl Error {
    /// Returns what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::JobNotFound(_)
            | Self::JobPrefixNotFound(_)
            | Self::LogNotFound(_)
            | Self::PromptNotFound(_)
            | Self::LogLinked(_)
            | Self::PatchNotFound(_)
            | Self::PushLogNotFound(_)
            | Self::LastMessageNotFound(_)
            | Self::TargetNotFound { .. } => ErrorKind::NotFound,
            Self::AmbiguousRepo { .. } | Self::AmbiguousId { .. } | Self::InvalidPrompt(_) | Self::InvalidName(_) => {
                ErrorKind::Invalid
            }
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::AlreadyTerminal(_)
            | Self::NotTerminal(_)
            | Self::NothingToCheck { .. }
            | Self::PatchNotYet(_)
            | Self::PushLogNotYet(_)
            | Self::LastMessageNotYet(_)
            | Self::Locked(_)
            | Self::HoldsLocked
            | Self::WatcherHeld { .. }
            | Self::NewerSchema { .. }
            | Self::Damaged { .. }
            | Self::Illegal(_) => ErrorKind::Conflict,
            Self::DiskFull { .. } => ErrorKind::Full,
            Self::Unusable { kind, .. } => kind_of(*kind),
            Self::Fs { source } if is_out_of_descriptors(&source.source) => ErrorKind::Busy,
            Self::Fs { source } => kind_of(source.kind()),
        }
    }
}

/// Tells whether the system refused because this process, or all of them, have too many files open.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    // What opened the file may have wrapped what the system said.
    let errors = iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut codes = errors.filter_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error());
    codes.any(|code| [Errno::MFILE, Errno::NFILE].iter().any(|errno| errno.raw_os_error() == code))
}

fn kind_of(kind: io::ErrorKind) -> ErrorKind {
    match kind {
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Io,
    }
}

impl Unusable {
    /// Makes the entry of a file or a folder with which something failed. `doing` follows "cannot": `start it`.
    #[must_use]
    pub fn failing(path: impl Into<Utf8PathBuf>, doing: &str, error: &Error) -> Self {
        let remedy = match error {
            Error::Fs { source } if CHANGES.contains(&source.verb) => remedy_for(&source.source, Access::Write),
            Error::Fs { source } => remedy_for(&source.source, Access::Read),
            Error::Unusable { entry, .. } => &entry.remedy,
            // It names the remedy itself.
            _ => "it is tried again by itself",
        };
        Self::new(path, Severity::Problem, &format!("cannot {doing}: {error}"), remedy)
    }
}

/// The verbs that change a folder.
const CHANGES: [&str; 7] = ["create", "create folder", "rename", "remove", "remove folder", "sync folder", "lock"];
