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
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use pv_lib::{
    Result,
    job::{Counts, JobFilter, JobId},
    store::Store,
};

use super::{
    cached_jobs::{CachedJobs, Changes, Found},
    cursor::SortKey,
    entries::Entry,
    first_load::Chunk,
    read_job::Stamp,
    record::{ReadRecord, stamp_of},
};
use crate::context::RequestTime;

/// How often all records are looked at, at most: for a request, and for the stream of changes.
const SCAN_INTERVAL: Duration = Duration::from_secs(3);
const SCAN_INTERVAL_FOR_CHANGES: Duration = Duration::from_secs(60);
/// How much later such a scan comes for each record, so that scans never take a large part of the time.
const SCAN_INTERVAL_PER_JOB: Duration = Duration::from_micros(20);
/// How many rows are made between two looks at the lock.
const ROWS_AT_ONCE: usize = 512;
/// How many records are looked at between two looks at the lock.
const SCANNED_AT_ONCE: usize = 1024;
/// From how many records on a scan looks at them with a second thread.
const PARALLEL_SCAN_MIN: usize = 4096;

/// The jobs in memory.
#[derive(Debug, Default)]
pub(crate) struct JobIndex {
    cached: Mutex<CachedJobs>,
    /// Notified when a chunk of the first load has been taken in.
    loaded: Condvar,
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
        let known = self.lock().matching(&listing.filter, time, listing.after.as_ref(), listing.left.min(ROWS_AT_ONCE));
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
            let job = record.job();
            if listing.filter.matches(&job.listed(time)) {
                let row = Arc::new(record.row(store, time));
                rows.push((job.key(), row.clone()));
                read.push((key.1, Some((job, Some(row)))));
            } else {
                read.push((key.1, Some((job, None))));
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
            cached.look_at_unsettled(store, time)?;
        }
        self.load(store, time, enough)
    }

    /// Reads jobs of the first load until enough of the newest are known, or all.
    fn load(&self, store: &Store, time: RequestTime, enough: usize) -> Result<()> {
        loop {
            let mut cached = self.lock();
            if cached.first_load.has_newest(enough) {
                return Ok(());
            }
            let Some(chunk) = cached.first_load.take() else {
                // Others read what is left.
                self.loaded.wait(&mut cached);
                continue;
            };
            drop(cached);
            let reading = Reading { index: self, chunk, read: None };
            reading.read(store, time)?;
        }
    }

    /// Looks at the records of all jobs, if `interval` has passed since then, and reads those again that changed.
    fn scan(&self, store: &Store, time: RequestTime, interval: Duration) -> Result<()> {
        let jobs = {
            let mut cached = self.lock();
            let jobs = cached.entries.len();
            let pause = SCAN_INTERVAL_PER_JOB.saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX));
            if time.uptime < cached.scanned_at + interval.max(pause) {
                return Ok(());
            }
            cached.scanned_at = time.uptime;
            jobs
        };
        let next = AtomicUsize::new(0);
        let changed = || std::iter::from_fn(|| self.changed_in_next(&next, store, time)).flatten().collect();
        let changed: Vec<JobId> = if jobs < PARALLEL_SCAN_MIN {
            changed()
        } else {
            std::thread::scope(|scope| {
                let other = scope.spawn(changed);
                let mut all: Vec<JobId> = changed();
                // A panic of the other thread leaves what it would have found for the next scan.
                all.extend(other.join().unwrap_or_default());
                all
            })
        };
        let mut cached = self.lock();
        for id in changed {
            cached.refresh_entry(store, id, time)?;
        }
        Ok(())
    }

    /// Looks at the records of the next jobs that nobody looks at in this scan, and returns those that changed; `None` where none
    /// is left.
    fn changed_in_next(&self, next: &AtomicUsize, store: &Store, time: RequestTime) -> Option<Vec<JobId>> {
        let from = next.fetch_add(SCANNED_AT_ONCE, Ordering::Relaxed);
        let stamped = |entry: &Entry| (entry.id.clone(), entry.stamp);
        let jobs: Vec<(JobId, Option<Stamp>)> =
            self.lock().entries.in_slots(from..from.saturating_add(SCANNED_AT_ONCE))?.map(stamped).collect();
        let is_changed =
            |(id, stamp): &(JobId, Option<Stamp>)| stamp.is_none() || stamp_of(store, id, time.now) != *stamp;
        Some(jobs.into_iter().filter(is_changed).map(|(id, _)| id).collect())
    }

    /// A panic while it was locked cannot leave half a change that matters: every job is looked at when it is returned.
    fn lock(&self) -> MutexGuard<'_, CachedJobs> {
        self.cached.lock()
    }
}

/// A chunk of the first load that is being read. One that could not be read is left for whoever needs it.
struct Reading<'a> {
    index: &'a JobIndex,
    chunk: Chunk,
    read: Option<Vec<Found>>,
}

impl Reading<'_> {
    fn read(mut self, store: &Store, time: RequestTime) -> Result<()> {
        let read = |id: &JobId| {
            let record = ReadRecord::read(store, id, time.now)?;
            Ok((id.clone(), record.map(|record| (record.job(), None))))
        };
        let read = self.chunk.ids.iter().map(read).collect::<Result<Vec<_>>>()?;
        self.read = Some(read);
        Ok(())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut cached = self.index.lock();
        match self.read.take() {
            Some(read) => {
                cached.take_in(read);
                cached.first_load.done(&self.chunk);
            }
            None => cached.first_load.put_back(&mut self.chunk),
        }
        self.index.loaded.notify_all();
    }
}
