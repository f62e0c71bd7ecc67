//! The operations on jobs that both kinds of backends have.

use std::{io, time::Duration};

use pv_lib::{
    api::JobList,
    job::{HoldKind, JobFilter, JobId},
};
use serde_json::Value;

use crate::exit::Failure;

/// A prompt to be submitted.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// The name that its file should have; `None` for one made of time and id.
    pub(crate) name: Option<String>,
    /// Its text.
    pub(crate) bytes: Vec<u8>,
}

/// What a sync of the targets did.
#[derive(Debug)]
pub(crate) struct SyncedTargets {
    /// The targets that were made, or would be.
    pub(crate) made: Vec<Value>,
    /// How many are left for the next sync.
    pub(crate) left_out: usize,
    /// What went wrong, in sentences.
    pub(crate) problems: Vec<String>,
}

/// Receives the bytes of a log or a patch as they come.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>;

/// The operations on jobs. Ids are whole here: [`Backend::resolve`] makes them so.
pub(crate) trait Backend {
    /// Submits prompts, all or none, and returns the receipt of each.
    fn submit(&self, repo: &str, branch: &str, prompts: Vec<Prompt>) -> Result<Vec<Value>, Failure>;
    /// Returns the jobs that match, newest first.
    fn list(&self, filter: &JobFilter) -> Result<JobList, Failure>;
    /// Writes the jobs that match, newest first, as one JSON document for people and programs.
    fn write_list(&self, filter: &JobFilter, sink: Sink<'_>) -> Result<(), Failure> {
        let list = serde_json::to_vec_pretty(&self.list(filter)?).map_err(io::Error::from)?;
        sink(&list)
    }
    /// Returns the jobs that match, as [`Backend::list`] does, and the ids of all jobs, in any order.
    fn list_with_ids(&self, filter: &JobFilter) -> Result<(JobList, Vec<JobId>), Failure>;
    /// Returns the id that is `prefix`, or the only one that begins with it.
    fn resolve(&self, prefix: &str) -> Result<String, Failure>;
    /// Returns a job.
    fn job(&self, id: &str) -> Result<Value, Failure>;
    /// Returns the last `lines` lines of a job's log.
    fn log(&self, id: &str, lines: usize) -> Result<Vec<u8>, Failure>;
    /// Passes a job's log on, from its last `lines` lines or its first byte on, until the job is over.
    fn follow(&self, id: &str, lines: Option<usize>, sink: Sink<'_>) -> Result<(), Failure>;
    /// Returns what was said about a push of a job's branch that failed.
    fn push_log(&self, id: &str) -> Result<Vec<u8>, Failure>;
    /// Returns the last that a job's agent said; `None` where it said nothing.
    fn last_message(&self, id: &str) -> Result<Option<Vec<u8>>, Failure>;
    /// Passes on what a job changed, as a patch.
    fn patch(&self, id: &str, sink: Sink<'_>) -> Result<(), Failure>;
    /// Asks for a job to be stopped.
    fn abort(&self, id: &str, forget: bool) -> Result<Value, Failure>;
    /// Repeats a job that is over; or only runs the checks on what it left.
    fn retry(&self, id: &str, checks_only: bool) -> Result<Value, Failure>;
    /// Returns the holds, as `GET /holds` lists them.
    fn holds(&self) -> Result<Vec<Value>, Failure>;
    /// Lifts the hold of this kind on an agent; tells whether there was one.
    fn lift_hold(&self, agent: &str, kind: HoldKind) -> Result<bool, Failure>;
    /// Returns the status of the installation.
    fn status(&self) -> Result<Value, Failure>;
    /// Returns the targets, sorted.
    fn targets(&self) -> Result<Vec<Value>, Failure>;
    /// Makes a target, and returns it; it is no error if it is there. Without a branch it is for the one that the
    /// repository's clone names as its own, or for `main` where there is no clone.
    fn add_target(&self, repo: &str, branch: Option<&str>) -> Result<Value, Failure>;
    /// Makes the inbox folders of the clones' branches, or only returns which it would make.
    fn sync_targets(&self, is_trial: bool) -> Result<SyncedTargets, Failure>;
    /// Returns how long to wait before a job is read again.
    fn poll_interval(&self) -> Duration;
}
