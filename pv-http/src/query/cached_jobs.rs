//! What the index holds, behind its lock, and how it is brought up to date.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use pv_lib::{
    Result,
    api::JobRow,
    fs::{FsExt, Stat},
    job::{Counts, JobFilter, JobId, JobState, ListedState},
    limits::UNUSABLE_MAX,
    store::Store,
};

use super::{
    cursor::SortKey,
    entries::{Entries, Entry},
    first_load::FirstLoad,
    folder_events::FolderEvents,
    kept_rows::KeptRows,
    read_job::{Liveness, ReadJob, Stamp, is_settled},
    record::{ReadRecord, stamp_of},
};
use crate::context::RequestTime;

/// How much later the jobs that wait are looked at again for each of them, but for a few that each request looks at.
const WAITING_INTERVAL_PER_JOB: Duration = Duration::from_micros(200);
const WAITING_INTERVAL_MAX: Duration = Duration::from_secs(3);
const WAITING_FEW: usize = 50;
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

/// What is known of all jobs.
#[derive(Debug, Default)]
pub(super) struct CachedJobs {
    pub(super) entries: Entries,
    kept: KeptRows,
    /// Jobs that every request looks at: those that run, without a record, or changed just now.
    pub(super) unsettled: BTreeSet<JobId>,
    /// Jobs that wait to be started, looked at by every request where they are few.
    pub(super) waiting: BTreeSet<JobId>,
    waiting_seen_at: Duration,
    pub(super) first_load: FirstLoad,
    /// The stat of the runs folder when it was last listed, unless it had changed just then and nothing tells of changes.
    folder: Option<Stat>,
    events: Option<FolderEvents>,
    /// When all records were last looked at.
    pub(super) scanned_at: Duration,
    /// What has changed, while changes are tracked.
    pub(super) changes: Option<Changes>,
}

/// What was read of a job, and its row; or that it has no record.
pub(super) type Found = (JobId, Option<(ReadJob, Option<Arc<JobRow>>)>);

impl CachedJobs {
    /// Finds new and removed folders.
    pub(super) fn look_at_folder(&mut self, store: &Store, time: RequestTime) -> Result<()> {
        let mut names = self.events.as_ref().and_then(FolderEvents::names);
        let stat = store.fs().stat_opt(&store.layout().runs)?;
        let is_same = stat.is_some() && stat == self.folder;
        if !is_same && names.as_ref().is_some_and(Vec::is_empty) {
            // What changed it between the two looks has its event by now.
            names = self.events.as_ref().and_then(FolderEvents::names);
        }
        let is_same_folder = stat.zip(self.folder).is_some_and(|(now, then)| now.inode == then.inode);
        match names {
            Some(names) if is_same_folder && (is_same || !names.is_empty()) => {
                self.unsettled.extend(names.iter().filter_map(|name| name.parse().ok()));
                self.folder = stat;
                Ok(())
            }
            None if self.events.is_none() && is_same => Ok(()),
            _ => self.list_folder(store, stat, time),
        }
    }

    /// Lists the runs folder, whose stat was `stat` before that.
    fn list_folder(&mut self, store: &Store, stat: Option<Stat>, time: RequestTime) -> Result<()> {
        // Before it is listed, so that nothing is missed.
        self.events = FolderEvents::of(&store.layout().runs);
        let ids = store.unsorted_run_ids()?;
        let is_first = self.folder.is_none() && self.entries.len() == 0 && self.first_load.is_over();
        self.folder = stat.filter(|stat| self.events.is_some() || is_settled(stat, time.now));
        if is_first {
            self.entries.reserve(ids.len());
            self.first_load = FirstLoad::begin(ids);
            return Ok(());
        }
        let listed: HashSet<&JobId> = ids.iter().collect();
        let is_gone = |entry: &&Entry| !listed.contains(&entry.id);
        let removed: Vec<JobId> = self.entries.iter().filter(is_gone).map(|entry| entry.id.clone()).collect();
        for id in removed {
            self.remove(&id);
        }
        self.unsettled.retain(|id| listed.contains(id));
        self.waiting.retain(|id| listed.contains(id));
        let unread: HashSet<&JobId> = self.first_load.unread().iter().collect();
        let is_new = |id: &&JobId| !self.entries.contains(id) && !unread.contains(id);
        self.unsettled.extend(ids.iter().filter(is_new).cloned());
        Ok(())
    }

    /// Looks at the jobs again that may have changed without anything telling.
    pub(super) fn look_at_unsettled(&mut self, store: &Store, time: RequestTime) -> Result<()> {
        let mut ids: Vec<JobId> = self.unsettled.iter().cloned().collect();
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let pause = WAITING_INTERVAL_PER_JOB.saturating_mul(waiting).min(WAITING_INTERVAL_MAX);
        if self.waiting.len() <= WAITING_FEW || time.uptime >= self.waiting_seen_at + pause {
            self.waiting_seen_at = time.uptime;
            ids.extend(self.waiting.iter().cloned());
        }
        ids.into_iter().try_for_each(|id| self.refresh_entry(store, id, time))
    }

    /// Reads one record again if it may have changed.
    pub(super) fn refresh_entry(&mut self, store: &Store, id: JobId, time: RequestTime) -> Result<()> {
        let stamp = stamp_of(store, &id, time.now);
        if stamp.is_some() && self.entries.get(&id).is_some_and(|entry| entry.stamp == stamp) {
            return Ok(());
        }
        match ReadRecord::read(store, &id, time.now)? {
            Some(record) => self.put(record.job(), None),
            None => {
                self.remove(&id);
                // A folder without a record may get one, which changes nothing in the runs folder.
                if store.fs().is_dir(&store.layout().run_path(&id)).unwrap_or(true) {
                    self.unsettled.insert(id);
                } else {
                    self.unsettled.remove(&id);
                }
            }
        }
        Ok(())
    }

    /// Takes in what was read of jobs.
    pub(super) fn take_in(&mut self, found: Vec<Found>) {
        for (id, found) in found {
            match found {
                Some((job, row)) => self.put(job, row),
                None => {
                    self.remove(&id);
                    self.unsettled.insert(id);
                }
            }
        }
    }

    /// Puts in what was read of a job, and keeps its row if the job is over and its record settled.
    fn put(&mut self, job: ReadJob, row: Option<Arc<JobRow>>) {
        let (id, key, is_live, is_settled) = (job.id.clone(), job.key(), job.is_live(), job.stamp.is_some());
        let is_running = is_live && job.state != ListedState::Known(JobState::Created);
        self.take(&id);
        self.entries.insert(job);
        if is_running || !is_settled {
            self.unsettled.insert(id.clone());
        } else {
            self.unsettled.remove(&id);
            if is_live {
                self.waiting.insert(id.clone());
            } else if let Some(row) = row {
                self.kept.keep(&mut self.entries, &key, row);
            }
        }
        if let Some(changes) = &mut self.changes {
            changes.removed.remove(&id);
            changes.updated.insert(id);
        }
    }

    /// Takes an entry out, and tells whether there was one.
    fn take(&mut self, id: &JobId) -> bool {
        self.waiting.remove(id);
        self.kept.forget(&mut self.entries, id);
        self.entries.remove(id).is_some()
    }

    /// Removes a job that does not exist any more.
    fn remove(&mut self, id: &JobId) {
        if self.take(id)
            && let Some(changes) = &mut self.changes
        {
            changes.updated.remove(id);
            changes.removed.insert(id.clone());
        }
    }

    /// Returns up to `limit` of the jobs that match the filter by what is known of them, newest first, older than
    /// `after`: the key of each, the stamp of its record, and its row, where that is kept.
    pub(super) fn matching(
        &self,
        filter: &JobFilter,
        time: RequestTime,
        after: Option<&SortKey>,
        limit: usize,
    ) -> Vec<Known> {
        let matches = |entry: &&Entry| filter.matches(&self.entries.listed(entry, time));
        let known = |entry: &Entry| (entry.key(), entry.stamp, entry.row().cloned());
        self.entries.candidates(filter, after).filter(matches).take(limit).map(known).collect()
    }

    pub(super) fn counts(&self, time: RequestTime) -> Counts {
        let running = ListedState::Known(JobState::Running);
        let stalled = self.entries.in_state(running).filter(|entry| entry.liveness(time).stalled);
        let of_state = |state: ListedState| (state.as_str(), self.entries.count(state) as u64);
        let [verified, checks_failed] = self.entries.verified();
        Counts {
            verified,
            checks_failed,
            by_state: ListedState::ALL.into_iter().map(of_state).filter(|(_, count)| *count > 0).collect(),
            total: self.entries.len() as u64,
            stalled_running: stalled.count() as u64,
            damaged: self
                .entries
                .in_state(ListedState::Unknown)
                .take(UNUSABLE_MAX)
                .map(|entry| entry.id.clone())
                .collect(),
        }
    }
}

/// A job that a list is to have, as far as it is known: its key, the stamp of its record, and its row.
pub(super) type Known = (SortKey, Option<Stamp>, Option<Arc<JobRow>>);
