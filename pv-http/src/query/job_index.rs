//! The jobs in memory, so that a list costs what changed and not what there is.
//!
//! The truth is on disk: the index only says which records to read, and in which order. Every job that is returned is
//! read again, so a change by anyone shows in the very next response that returns it. Each request also checks the stat
//! of the runs folder and the jobs that are not over. All records of jobs that are over are scanned every few seconds,
//! which is how late a hand edit of one may show in counts and filters.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Bound,
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use pv_lib::{
    Error, Result,
    fs::{FsExt, Stat},
    job::{Counts, JobFilter, JobId, JobRecord, JobState, ListedJob, is_quiet, is_stalled},
    store::{Run, RunView, Store},
    time::Timestamp,
};

use super::cursor::SortKey;
use crate::context::RequestTime;

/// How old the times of a stat must be before it counts as settled: a change within the same tick of the disk's clock
/// leaves them as they are.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// How often all records are scanned at most: for a request, and for the stream of changes.
const SCAN_INTERVAL: Duration = Duration::from_secs(3);
const SCAN_INTERVAL_FOR_CHANGES: Duration = Duration::from_secs(60);
/// How much later a scan comes for each record, so that scans never take a large part of the time.
const SCAN_INTERVAL_PER_JOB: Duration = Duration::from_micros(40);

/// A part of the list of jobs.
#[derive(Debug)]
pub(crate) struct Page {
    /// The jobs, newest first.
    pub(crate) jobs: Vec<RunView>,
    /// The key after which the next part begins, if more jobs match the filter.
    pub(crate) next: Option<SortKey>,
}

/// What may have changed since changes were last asked for.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Jobs whose record was read again.
    pub(crate) updated: BTreeSet<JobId>,
    /// Jobs that do not exist any more.
    pub(crate) removed: BTreeSet<JobId>,
    /// All jobs that are not over; their liveness changes with time alone.
    pub(crate) live: Vec<(JobId, Liveness)>,
}

/// Whether a job's supervisor and agent give signs of life.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Liveness {
    pub(crate) stalled: bool,
    pub(crate) quiet: bool,
}

/// The jobs in memory.
#[derive(Debug, Default)]
pub(crate) struct JobIndex(Mutex<CachedJobs>);

#[derive(Debug, Default)]
struct CachedJobs {
    entries: HashMap<JobId, Entry>,
    order: BTreeSet<SortKey>,
    /// Folders that every request checks: of jobs that are not over, without a record, or changed just now.
    unsettled: BTreeSet<JobId>,
    /// The stat of the runs folder when it was last listed, unless it had changed just then.
    folder: Option<Stat>,
    /// When all records were last scanned.
    scanned_at: Duration,
    /// What has changed, while changes are tracked.
    changes: Option<Changes>,
}

#[derive(Debug)]
struct Entry {
    stat: Option<Stat>,
    created_at: Option<Timestamp>,
    state: Option<JobState>,
    owner: Option<Box<str>>,
    repo: Option<Box<str>>,
    branch: Option<Box<str>>,
    verified: Option<bool>,
    /// The record, while the job runs.
    running: Option<Box<JobRecord>>,
}

impl JobIndex {
    /// Returns the jobs that match `filter` and come after `after`, newest first, each as it is on disk now.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn list(
        &self,
        store: &Store,
        filter: &JobFilter,
        mut after: Option<SortKey>,
        time: RequestTime,
    ) -> Result<Page> {
        self.lock().refresh(store, time, SCAN_INTERVAL)?;
        let limit = filter.limit.unwrap_or(usize::MAX);
        let (mut runs, mut changed) = (Vec::new(), Vec::new());
        while runs.len() < limit {
            let batch = self.lock().matching(filter, time, after.as_ref(), limit - runs.len());
            let Some(last) = batch.last() else { break };
            after = Some(last.clone());
            for (created_at, id) in batch {
                match store.read_run(&id) {
                    Ok(run) if !filter.matches(&ListedJob::new(run.record(), time.now, time.thresholds)) => {
                        changed.push(id);
                    }
                    Ok(run) => {
                        if run.record().is_some_and(|record| record.created_at != created_at) {
                            changed.push(id);
                        }
                        runs.push(run);
                    }
                    Err(Error::JobNotFound(_)) => changed.push(id),
                    Err(error) => return Err(error),
                }
            }
        }
        let next = {
            let mut cached = self.lock();
            cached.unsettled.extend(changed);
            after.filter(|after| runs.len() == limit && !cached.matching(filter, time, Some(after), 1).is_empty())
        };
        runs.sort_by_cached_key(Run::age_key);
        let jobs = runs.into_iter().map(|run| store.view(run, time.now, time.thresholds)).collect();
        Ok(Page { jobs, next })
    }

    /// Returns how many jobs there are.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn counts(&self, store: &Store, time: RequestTime) -> Result<Counts> {
        let mut cached = self.lock();
        cached.refresh(store, time, SCAN_INTERVAL)?;
        let mut counts = Counts::default();
        for (id, entry) in &cached.entries {
            let job = entry.listed(time);
            counts.add(id, job.state, job.stalled);
            counts.add_verified(job.verified);
        }
        Ok(counts)
    }

    /// Returns what may have changed since the last call, and tracks changes from now on; the first call returns none.
    /// A hand edit of a job that is over is found within a minute.
    ///
    /// # Errors
    /// Those of the disk, from the runs folder.
    pub(crate) fn changes(&self, store: &Store, time: RequestTime) -> Result<Changes> {
        let mut cached = self.lock();
        cached.refresh(store, time, SCAN_INTERVAL_FOR_CHANGES)?;
        let live = cached.unsettled.iter().filter_map(|id| {
            let entry = cached.entries.get(id).filter(|entry| entry.is_live())?;
            Some((id.clone(), entry.liveness(time)))
        });
        let live = live.collect();
        let changes = cached.changes.replace(Changes::default()).unwrap_or_default();
        Ok(Changes { live, ..changes })
    }

    /// Stops tracking changes.
    pub(crate) fn stop_tracking(&self) {
        self.lock().changes = None;
    }

    /// A panic while it was locked cannot leave half a change that matters: every job is read again when it is
    /// returned.
    fn lock(&self) -> MutexGuard<'_, CachedJobs> {
        self.0.lock()
    }
}

impl CachedJobs {
    /// Brings the entries up to date that may have changed, and scans all records if `interval` has passed since then.
    fn refresh(&mut self, store: &Store, time: RequestTime, interval: Duration) -> Result<()> {
        self.list_folder(store, time.now)?;
        let jobs = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let interval = interval.max(SCAN_INTERVAL_PER_JOB.saturating_mul(jobs));
        let ids: Vec<JobId> = if time.uptime >= self.scanned_at + interval {
            self.scanned_at = time.uptime;
            self.entries.keys().chain(&self.unsettled).cloned().collect()
        } else {
            self.unsettled.iter().cloned().collect()
        };
        for id in ids {
            self.refresh_entry(store, id, time.now)?;
        }
        Ok(())
    }

    /// Finds new and removed folders, unless the stat of the runs folder shows that there are none.
    fn list_folder(&mut self, store: &Store, now: Timestamp) -> Result<()> {
        let stat = store.fs().stat_opt(&store.layout().runs)?;
        if stat.is_some() && stat == self.folder {
            return Ok(());
        }
        let ids = store.run_ids()?;
        self.folder = stat.filter(|stat| is_settled(stat, now));
        let listed: HashSet<&JobId> = ids.iter().collect();
        let removed: Vec<JobId> = self.entries.keys().filter(|id| !listed.contains(id)).cloned().collect();
        for id in removed {
            self.remove(id);
        }
        self.unsettled.retain(|id| listed.contains(id));
        self.unsettled.extend(ids.iter().filter(|id| !self.entries.contains_key(*id)).cloned());
        Ok(())
    }

    /// Reads one record again if it may have changed.
    fn refresh_entry(&mut self, store: &Store, id: JobId, now: Timestamp) -> Result<()> {
        // Taken before the record is read: a change in between shows as another stat next time.
        let stat = store.record_stat(&id).unwrap_or_default();
        let settled = stat.filter(|stat| is_settled(stat, now));
        if settled.is_some() && self.entries.get(&id).is_some_and(|entry| entry.stat == settled) {
            return Ok(());
        }
        let entry = match store.read_run(&id) {
            Ok(run) => Entry::of(&run, settled),
            Err(Error::JobNotFound(_)) => {
                self.remove(id.clone());
                self.unsettled.insert(id);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.take(&id);
        if entry.is_live() || entry.stat.is_none() {
            self.unsettled.insert(id.clone());
        } else {
            self.unsettled.remove(&id);
        }
        if let Some(changes) = &mut self.changes {
            changes.removed.remove(&id);
            changes.updated.insert(id.clone());
        }
        self.order.insert((entry.created_at, id.clone()));
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Takes an entry out, and tells whether there was one.
    fn take(&mut self, id: &JobId) -> bool {
        let entry = self.entries.remove(id);
        entry.is_some_and(|entry| self.order.remove(&(entry.created_at, id.clone())))
    }

    /// Removes a job that does not exist any more.
    fn remove(&mut self, id: JobId) {
        if self.take(&id)
            && let Some(changes) = &mut self.changes
        {
            changes.updated.remove(&id);
            changes.removed.insert(id);
        }
    }

    /// Returns up to `limit` of the jobs that match the filter by their entries, newest first, older than `after`.
    fn matching(&self, filter: &JobFilter, time: RequestTime, after: Option<&SortKey>, limit: usize) -> Vec<SortKey> {
        let older = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.order.range((Bound::Unbounded, older)).rev();
        keys.filter(|(_, id)| self.entries.get(id).is_some_and(|entry| filter.matches(&entry.listed(time))))
            .take(limit)
            .cloned()
            .collect()
    }
}

impl Entry {
    fn of(run: &Run, stat: Option<Stat>) -> Self {
        let record = run.record();
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        Self {
            stat,
            created_at: record.and_then(|record| record.created_at),
            state: run.state(),
            owner: record.and_then(|record| boxed(&record.git_owner)),
            repo: record.and_then(|record| boxed(&record.repo_name)),
            branch: record.and_then(|record| boxed(&record.branch_name)),
            verified: record.and_then(|record| record.verified),
            running: record.filter(|record| record.state() == JobState::Running).cloned().map(Box::new),
        }
    }

    fn is_live(&self) -> bool {
        self.state.is_some_and(|state| !state.is_terminal())
    }

    fn liveness(&self, time: RequestTime) -> Liveness {
        self.running.as_ref().map_or(Liveness::default(), |record| Liveness {
            stalled: is_stalled(record, time.now, time.thresholds),
            quiet: is_quiet(record, time.now, time.thresholds),
        })
    }

    /// Returns what filters and counts look at.
    fn listed(&self, time: RequestTime) -> ListedJob<'_> {
        ListedJob {
            state: self.state.into(),
            owner: self.owner.as_deref(),
            repo: self.repo.as_deref(),
            branch: self.branch.as_deref(),
            stalled: self.liveness(time).stalled,
            verified: self.verified,
        }
    }
}

/// Tells whether a later change must have given a file or folder another stat than this one, taken at `now`.
fn is_settled(stat: &Stat, now: Timestamp) -> bool {
    let changed_seconds = stat.changed_ns.max(stat.modified_ns).div_euclid(1_000_000_000);
    // `now` has no fraction: a second is added for what it leaves out.
    i128::from(now.unix_seconds()) > changed_seconds + i128::from(SETTLE_TIME.as_secs())
}
