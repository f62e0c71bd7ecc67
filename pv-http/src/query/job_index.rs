//! The jobs in memory, so that a list costs what changed and not what there is.
//!
//! The truth is on disk: the index only says which records to look at, and in which order. The row of a job is kept, and
//! sent only if the stat of its record is that of the file that it was made from, whose times were settled then; else the
//! record is read again. So a change by anyone shows in the very next answer that returns its row. What a filter or a
//! count finds is looked at in the same way: at once what is not over or changed just now, all the rest every few seconds,
//! which is how late a hand edit of a job that is over may show there.
//!
//! New folders are known by the kernel's events, where it tells them, and else by listing the runs folder when its stat
//! changed. The first load goes from the newest job to the oldest, so that a first page need not wait for its end.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
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
    entries::{Entries, Entry, Liveness, Names, Stamp, is_settled},
    folder_events::FolderEvents,
    kept_rows::KeptRows,
    record::{ReadRecord, stamp_of},
};
use crate::context::RequestTime;

/// How often all records are looked at, at most: for a request, and for the stream of changes.
const SCAN_INTERVAL: Duration = Duration::from_secs(3);
const SCAN_INTERVAL_FOR_CHANGES: Duration = Duration::from_secs(60);
/// How much later such a scan comes for each record, so that scans never take a large part of the time.
const SCAN_INTERVAL_PER_JOB: Duration = Duration::from_micros(20);
/// How much later the jobs that wait are looked at again for each of them, but for a few that each request looks at.
const WAITING_INTERVAL_PER_JOB: Duration = Duration::from_micros(200);
const WAITING_INTERVAL_MAX: Duration = Duration::from_secs(3);
const WAITING_FEW: usize = 50;
/// How many records are read between two looks at the lock, and how many rows are made at once.
const CHUNK: usize = 512;
/// From how many records on a scan looks at them with a second thread.
const PARALLEL_SCAN_MIN: usize = 4096;

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

/// The jobs in memory.
#[derive(Debug, Default)]
pub(crate) struct JobIndex {
    cached: Mutex<CachedJobs>,
    /// Notified when a chunk of the first load has been taken in.
    loaded: Condvar,
    names: Names,
}

/// A list that is being sent: where it is.
#[derive(Debug)]
pub(crate) struct Listing {
    filter: JobFilter,
    /// The last job that was considered.
    after: Option<SortKey>,
    /// How many rows it may still have.
    left: usize,
    has_rows: bool,
}

#[derive(Debug, Default)]
struct CachedJobs {
    entries: Entries,
    kept: KeptRows,
    /// Jobs that every request looks at: those that run, without a record, or changed just now.
    unsettled: BTreeSet<JobId>,
    /// Jobs that wait to be started, looked at by every request where they are few.
    waiting: BTreeSet<JobId>,
    waiting_seen_at: Duration,
    /// Jobs of the first load that are not read yet, those that are read next at the end.
    unread: Vec<JobId>,
    /// How many chunks of the first load are being read.
    reading: usize,
    /// The stat of the runs folder when it was last listed, unless it had changed just then and nothing tells of changes.
    folder: Option<Stat>,
    events: Option<FolderEvents>,
    /// When all records were last looked at.
    scanned_at: Duration,
    /// What has changed, while changes are tracked.
    changes: Option<Changes>,
}

impl JobIndex {
    /// Begins a list of the jobs that match `filter` and come after `after`, newest first.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn listing(
        &self,
        store: &Store,
        filter: JobFilter,
        after: Option<SortKey>,
        time: RequestTime,
    ) -> Result<Listing> {
        let is_filtered = JobFilter { limit: None, ..filter.clone() } != JobFilter::default();
        let left = filter.limit.unwrap_or(usize::MAX);
        // The first load goes from the newest to the oldest, so that what a page needs is there early.
        let enough = if is_filtered || after.is_some() { usize::MAX } else { left };
        self.refresh(store, time, enough)?;
        if is_filtered {
            self.scan(store, time, SCAN_INTERVAL)?;
        }
        Ok(Listing { filter, after, left, has_rows: false })
    }

    /// Appends the next rows of a list to `out`, a comma before each but the first of the list, each as it is on disk now;
    /// returns whether there may be more.
    ///
    /// # Errors
    /// Those of the disk, but of the records themselves, which are shown as damaged.
    pub(crate) fn next_rows(
        &self,
        store: &Store,
        listing: &mut Listing,
        time: RequestTime,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let known = self.lock().matching(&listing.filter, time, listing.after.as_ref(), listing.left.min(CHUNK));
        let Some((last, ..)) = known.last() else { return Ok(false) };
        listing.after = Some(last.clone());
        let (mut rows, mut read) = (Vec::with_capacity(known.len()), Vec::new());
        for (key, stamp, kept) in known {
            if let Some(row) = kept
                && stamp.is_some()
                && stamp_of(store, &key.1, time.now) == stamp
            {
                rows.push((key, row));
                continue;
            }
            let Some(record) = ReadRecord::read(store, &key.1, time.now)? else {
                read.push((key.1, None));
                continue;
            };
            let entry = record.entry(&self.names);
            if listing.filter.matches(&entry.listed(time)) {
                let row = Arc::new(record.row(store, time));
                rows.push((entry.key(), row.clone()));
                read.push((key.1, Some((entry, Some(row)))));
            } else {
                read.push((key.1, Some((entry, None))));
            }
        }
        self.lock().take_in(read);
        rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (_, row) in &rows {
            if std::mem::replace(&mut listing.has_rows, true) {
                out.push(b',');
            }
            row.write_to(out, time.now);
        }
        listing.left -= rows.len();
        Ok(listing.left > 0)
    }

    /// Returns the key after which the next page begins, if more jobs match the filter.
    pub(crate) fn next_page(&self, listing: Listing, time: RequestTime) -> Option<SortKey> {
        let is_full = listing.left == 0;
        let after = listing.after.filter(|_| is_full)?;
        let more = self.lock().matching(&listing.filter, time, Some(&after), 1);
        (!more.is_empty()).then_some(after)
    }

    /// Returns how many jobs there are.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn counts(&self, store: &Store, time: RequestTime) -> Result<Counts> {
        self.refresh(store, time, usize::MAX)?;
        self.scan(store, time, SCAN_INTERVAL)?;
        Ok(self.lock().counts(time))
    }

    /// Returns what may have changed since the last call, and tracks changes from now on; the first call returns none.
    /// A hand edit of a job that is over is found within a minute.
    ///
    /// # Errors
    /// Those of the disk, from the runs folder.
    pub(crate) fn changes(&self, store: &Store, time: RequestTime) -> Result<Changes> {
        self.refresh(store, time, usize::MAX)?;
        self.scan(store, time, SCAN_INTERVAL_FOR_CHANGES)?;
        let mut cached = self.lock();
        let live = cached.unsettled.iter().chain(&cached.waiting).filter_map(|id| {
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

    /// Brings up to date what every request looks at; reads at least the newest `enough` jobs, or all where there are
    /// fewer.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn refresh(&self, store: &Store, time: RequestTime, enough: usize) -> Result<()> {
        {
            let mut cached = self.lock();
            cached.look_at_folder(store, time)?;
            cached.look_at_unsettled(store, time, &self.names)?;
        }
        self.load(store, time, enough)
    }

    /// Reads jobs of the first load until enough of the newest are known, or all.
    fn load(&self, store: &Store, time: RequestTime, enough: usize) -> Result<()> {
        loop {
            let mut cached = self.lock();
            if cached.entries.len() >= enough || (cached.unread.is_empty() && cached.reading == 0) {
                return Ok(());
            }
            if cached.unread.is_empty() {
                self.loaded.wait(&mut cached);
                continue;
            }
            let from = cached.unread.len().saturating_sub(CHUNK);
            let chunk = cached.unread.split_off(from);
            cached.reading += 1;
            drop(cached);
            let reading = Reading { index: self, chunk };
            let read = self.read_all(store, &reading.chunk, time)?;
            reading.take_in(read);
        }
    }

    fn read_all(&self, store: &Store, ids: &[JobId], time: RequestTime) -> Result<Vec<Found>> {
        let read = |id: &JobId| {
            let record = ReadRecord::read(store, id, time.now)?;
            Ok((id.clone(), record.map(|record| (record.entry(&self.names), None))))
        };
        ids.iter().rev().map(read).collect()
    }

    /// Looks at the records of all jobs, if `interval` has passed since then, and reads those again that changed.
    fn scan(&self, store: &Store, time: RequestTime, interval: Duration) -> Result<()> {
        let stamps: Vec<(JobId, Option<Stamp>)> = {
            let mut cached = self.lock();
            let jobs = u32::try_from(cached.entries.len()).unwrap_or(u32::MAX);
            if time.uptime < cached.scanned_at + interval.max(SCAN_INTERVAL_PER_JOB.saturating_mul(jobs)) {
                return Ok(());
            }
            cached.scanned_at = time.uptime;
            self.names.forget_unused();
            cached.entries.ids().filter_map(|id| Some((id.clone(), cached.entries.get(id)?.stamp))).collect()
        };
        let changed = |part: &[(JobId, Option<Stamp>)]| -> Vec<JobId> {
            let is_changed =
                |(id, stamp): &&(JobId, Option<Stamp>)| stamp.is_none() || stamp_of(store, id, time.now) != *stamp;
            part.iter().filter(is_changed).map(|(id, _)| id.clone()).collect()
        };
        let changed = if stamps.len() < PARALLEL_SCAN_MIN {
            changed(&stamps)
        } else {
            let (one, other) = stamps.split_at(stamps.len() / 2);
            std::thread::scope(|scope| {
                let other = scope.spawn(|| changed(other));
                let mut all = changed(one);
                // A panic of the other half leaves what it would have found for the next scan.
                all.extend(other.join().unwrap_or_default());
                all
            })
        };
        let mut cached = self.lock();
        for id in changed {
            cached.refresh_entry(store, id, time, &self.names)?;
        }
        Ok(())
    }

    /// A panic while it was locked cannot leave half a change that matters: every job is looked at when it is returned.
    fn lock(&self) -> MutexGuard<'_, CachedJobs> {
        self.cached.lock()
    }
}

/// A chunk of the first load that is being read. One that is not taken in is read again by whoever needs it.
struct Reading<'a> {
    index: &'a JobIndex,
    chunk: Vec<JobId>,
}

impl Reading<'_> {
    fn take_in(mut self, read: Vec<Found>) {
        self.chunk.clear();
        self.index.lock().take_in(read);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut cached = self.index.lock();
        cached.unread.append(&mut self.chunk);
        cached.reading -= 1;
        self.index.loaded.notify_all();
    }
}

/// A job that was read: what is known of it and its row, or that it has no record.
type Found = (JobId, Option<(Entry, Option<Arc<JobRow>>)>);

impl CachedJobs {
    /// Finds new and removed folders.
    fn look_at_folder(&mut self, store: &Store, time: RequestTime) -> Result<()> {
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
        let ids = store.run_ids()?;
        let is_first = self.folder.is_none() && self.entries.len() == 0 && self.unread.is_empty() && self.reading == 0;
        self.folder = stat.filter(|stat| self.events.is_some() || is_settled(stat, time.now));
        let listed: HashSet<&JobId> = ids.iter().collect();
        let removed: Vec<JobId> = self.entries.ids().filter(|id| !listed.contains(id)).cloned().collect();
        for id in removed {
            self.remove(&id);
        }
        self.unsettled.retain(|id| listed.contains(id));
        self.waiting.retain(|id| listed.contains(id));
        if is_first {
            // The newest are read first; but first those whose id does not tell when they were made.
            self.unread = ids;
            self.unread
                .sort_unstable_by(|one, other| (!one.is_time_ordered(), one).cmp(&(!other.is_time_ordered(), other)));
            return Ok(());
        }
        let unread: HashSet<&JobId> = self.unread.iter().collect();
        let is_new = |id: &&JobId| !self.entries.contains(id) && !unread.contains(id);
        self.unsettled.extend(ids.iter().filter(is_new).cloned());
        Ok(())
    }

    /// Looks at the jobs again that may have changed without anything telling.
    fn look_at_unsettled(&mut self, store: &Store, time: RequestTime, names: &Names) -> Result<()> {
        let mut ids: Vec<JobId> = self.unsettled.iter().cloned().collect();
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let pause = WAITING_INTERVAL_PER_JOB.saturating_mul(waiting).min(WAITING_INTERVAL_MAX);
        if self.waiting.len() <= WAITING_FEW || time.uptime >= self.waiting_seen_at + pause {
            self.waiting_seen_at = time.uptime;
            ids.extend(self.waiting.iter().cloned());
        }
        ids.into_iter().try_for_each(|id| self.refresh_entry(store, id, time, names))
    }

    /// Reads one record again if it may have changed.
    fn refresh_entry(&mut self, store: &Store, id: JobId, time: RequestTime, names: &Names) -> Result<()> {
        let stamp = stamp_of(store, &id, time.now);
        if stamp.is_some() && self.entries.get(&id).is_some_and(|entry| entry.stamp == stamp) {
            return Ok(());
        }
        match ReadRecord::read(store, &id, time.now)? {
            Some(record) => self.put(record.entry(names), None),
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
    fn take_in(&mut self, found: Vec<Found>) {
        for (id, found) in found {
            match found {
                Some((entry, row)) => self.put(entry, row),
                None => {
                    self.remove(&id);
                    self.unsettled.insert(id);
                }
            }
        }
    }

    /// Puts in what was read of a job, and keeps its row if the job is over and its record settled.
    fn put(&mut self, entry: Entry, row: Option<Arc<JobRow>>) {
        let (id, key, is_live, is_settled) = (entry.id.clone(), entry.key(), entry.is_live(), entry.stamp.is_some());
        let is_running = is_live && entry.state != ListedState::Known(JobState::Created);
        self.take(&id);
        self.entries.insert(entry);
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
        if let Some(key) = self.entries.get(id).map(Entry::key) {
            self.kept.forget(&mut self.entries, &key);
        }
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
    fn matching(&self, filter: &JobFilter, time: RequestTime, after: Option<&SortKey>, limit: usize) -> Vec<Known> {
        let matches = |entry: &&Entry| filter.matches(&entry.listed(time));
        let known = |entry: &Entry| (entry.key(), entry.stamp, entry.row.clone());
        self.entries.candidates(filter, after).filter(matches).take(limit).map(known).collect()
    }

    fn counts(&self, time: RequestTime) -> Counts {
        let running = ListedState::Known(JobState::Running);
        let stalled = self.entries.in_state(running).filter(|entry| entry.liveness(time).stalled);
        let of_state = |state: ListedState| (state.as_str(), self.entries.count(state) as u64);
        Counts {
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
type Known = (SortKey, Option<Stamp>, Option<Arc<JobRow>>);
