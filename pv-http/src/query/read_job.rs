//! What was read of a job, as the index takes it in: what lists look at, and what shows that it is still so.

use std::num::NonZeroU64;

use pv_lib::{
    fs::{Kind, Stat},
    job::{JobId, JobRecord, JobState, ListedJob, ListedState, RecordHead, is_quiet, is_stalled},
    store::Run,
    time::Timestamp,
};

use super::cursor::SortKey;
use crate::context::RequestTime;

/// How old the times of a stat must be before it counts as settled, in seconds: a change within the same tick of the
/// disk's clock leaves them as they are.
const SETTLE_SECONDS: i128 = 2;

/// What shows that a file has not changed since it was read: the stat of a file whose times were settled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: NonZeroU64,
    len: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    /// Returns the stamp of a file that was looked at `now`; `None` where a later change might leave it the same.
    pub(super) fn of(stat: &Stat, now: Timestamp) -> Option<Self> {
        (stat.kind == Kind::File && is_settled(stat, now)).then_some(())?;
        Some(Self {
            inode: NonZeroU64::new(stat.inode)?,
            len: stat.len,
            modified_ns: i64::try_from(stat.modified_ns).ok()?,
            changed_ns: i64::try_from(stat.changed_ns).ok()?,
        })
    }
}

/// Tells whether a later change must have given a file or folder another stat than this one, taken at `now`.
pub(super) fn is_settled(stat: &Stat, now: Timestamp) -> bool {
    let changed_seconds = stat.changed_ns.max(stat.modified_ns).div_euclid(1_000_000_000);
    // `now` has no fraction: a second is added for what it leaves out.
    i128::from(now.unix_seconds()) > changed_seconds + SETTLE_SECONDS
}

/// Whether a job's supervisor and agent give signs of life.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Liveness {
    pub(crate) stalled: bool,
    pub(crate) quiet: bool,
}

/// What was read of a job.
#[derive(Debug)]
pub(super) struct ReadJob {
    pub(super) id: JobId,
    /// That of its record when it was read, where that was settled.
    pub(super) stamp: Option<Stamp>,
    /// Since when it is known: what lists are sorted by.
    pub(super) created_at: Option<Timestamp>,
    pub(super) state: ListedState,
    pub(super) owner: Option<String>,
    pub(super) repo: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) verified: Option<bool>,
    /// The record, while the job runs.
    pub(super) running: Option<Box<JobRecord>>,
}

impl ReadJob {
    pub(super) fn of_run(run: &Run, stamp: Option<Stamp>) -> Self {
        let record = run.record();
        Self {
            id: run.id().clone(),
            stamp,
            created_at: record.and_then(JobRecord::known_since),
            state: run.state().into(),
            owner: record.and_then(|record| record.git_owner.clone()),
            repo: record.and_then(|record| record.repo_name.clone()),
            branch: record.and_then(|record| record.branch_name.clone()),
            verified: record.and_then(|record| record.verified),
            running: record.filter(|record| record.state() == JobState::Running).cloned().map(Box::new),
        }
    }

    pub(super) fn of_head(id: JobId, head: &RecordHead<'_>, stamp: Option<Stamp>) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            id,
            stamp,
            created_at: Some(head.created_at),
            state: ListedState::Known(head.state),
            owner: text(head.owner.as_deref()),
            repo: text(head.repo.as_deref()),
            branch: text(head.branch.as_deref()),
            verified: head.verified,
            running: None,
        }
    }

    /// Returns what lists are sorted by, newest first.
    pub(super) fn key(&self) -> SortKey {
        (self.created_at, self.id.clone())
    }

    /// Tells whether the job is not over.
    pub(super) fn is_live(&self) -> bool {
        is_live(self.state)
    }

    /// Returns what filters and counts look at.
    pub(super) fn listed(&self, time: RequestTime) -> ListedJob<'_> {
        ListedJob {
            state: self.state,
            owner: self.owner.as_deref(),
            repo: self.repo.as_deref(),
            branch: self.branch.as_deref(),
            stalled: liveness(self.running.as_deref(), time).stalled,
            verified: self.verified,
        }
    }
}

/// Tells whether a job in that state is not over.
pub(super) fn is_live(state: ListedState) -> bool {
    matches!(state, ListedState::Known(state) if !state.is_terminal())
}

/// Returns the signs of life of a job, whose record is given while it runs.
pub(super) fn liveness(running: Option<&JobRecord>, time: RequestTime) -> Liveness {
    running.map_or(Liveness::default(), |record| Liveness {
        stalled: is_stalled(record, time.now, time.thresholds),
        quiet: is_quiet(record, time.now, time.thresholds),
    })
}
