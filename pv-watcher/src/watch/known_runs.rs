//! Which runs there are and which of them are over, so that a round costs what lives and not what there was.
//!
//! A submission is found by its prompt in the inbox, whose name has the id. The runs folder tells what else there is: a run
//! whose prompt is gone, or that somebody put there. It is listed at a pace at which that takes little time.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use pv_lib::{
    Result,
    job::{JobId, RecordHead},
    store::Store,
};

/// Up to how many runs every round lists them.
const FEW: usize = 256;
/// How much later they are listed again for each of them, where there are more: listing takes well below a thousandth of it.
const PAUSE_PER_RUN: Duration = Duration::from_micros(250);

/// From how many new runs on their records are read in threads, and in how many.
const PARALLEL_MIN: usize = 4096;
const THREADS: usize = 2;

/// The runs, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct KnownRuns {
    over: HashSet<JobId>,
    not_over: BTreeSet<JobId>,
    /// When the runs folder is to be listed again.
    next_listing: Duration,
}

impl KnownRuns {
    /// Looks what is new in the runs folder, if that is due. Of a new run the record is read: most are over.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder; what was known stays.
    pub(crate) fn look(&mut self, store: &Store, uptime: Duration) -> Result<()> {
        if uptime < self.next_listing {
            return Ok(());
        }
        let ids = store.run_ids()?;
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let pause = if ids.len() <= FEW { Duration::ZERO } else { PAUSE_PER_RUN.saturating_mul(count) };
        self.next_listing = uptime + pause;
        let (new, known): (Vec<JobId>, Vec<JobId>) =
            ids.into_iter().partition(|id| !self.over.contains(id) && !self.not_over.contains(id));
        let is_over = have_ended(store, &new);
        let known = known.into_iter().map(|id| (self.over.contains(&id), id));
        let (mut over, mut not_over) = (HashSet::with_capacity(count as usize), BTreeSet::new());
        for (is_over, id) in is_over.into_iter().zip(new).chain(known) {
            if is_over {
                over.insert(id);
            } else {
                not_over.insert(id);
            }
        }
        (self.over, self.not_over) = (over, not_over);
        Ok(())
    }

    /// Notes jobs that have a prompt in the inbox: that may go before the runs folder is listed again.
    pub(crate) fn note<'a>(&mut self, ids: impl Iterator<Item = &'a JobId>) {
        for id in ids {
            if !self.over.contains(id) && !self.not_over.contains(id) {
                self.not_over.insert(id.clone());
            }
        }
    }

    /// Notes that a job is over.
    pub(crate) fn end(&mut self, id: &JobId) {
        self.not_over.remove(id);
        self.over.insert(id.clone());
    }

    /// Tells whether a job is known to be over.
    pub(crate) fn has_ended(&self, id: &JobId) -> bool {
        self.over.contains(id)
    }

    /// Returns those that are not over, as far as is known.
    pub(crate) fn not_over(&self) -> impl Iterator<Item = &JobId> {
        self.not_over.iter()
    }
}

/// Tells of each job whether its record says that it is over; of many, in threads, as when a watcher starts.
fn have_ended(store: &Store, ids: &[JobId]) -> Vec<bool> {
    if ids.len() < PARALLEL_MIN {
        return ids.iter().map(|id| has_ended(store, id)).collect();
    }
    let part = ids.len().div_ceil(THREADS);
    std::thread::scope(|scope| {
        let read = |part: &[JobId]| part.iter().map(|id| has_ended(store, id)).collect::<Vec<_>>();
        let threads: Vec<_> = ids.chunks(part).map(|part| (part.len(), scope.spawn(move || read(part)))).collect();
        // A thread that panicked says of none that it is over, so that each is looked at.
        threads.into_iter().flat_map(|(len, thread)| thread.join().unwrap_or_else(|_| vec![false; len])).collect()
    })
}

/// Tells whether the record says that a job is over. One that cannot be read says nothing.
fn has_ended(store: &Store, id: &JobId) -> bool {
    let bytes = store.read_record_bytes(id).ok().and_then(std::result::Result::ok);
    bytes.as_deref().and_then(RecordHead::read).is_some_and(|head| head.job_id == id.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pv_lib::{
        fs::{FaultFs, MemFs, Verb},
        layout::{InboxMode, Layout},
        store::StoreLimits,
    };

    use super::*;

    fn id(number: usize) -> JobId {
        format!("{number:032x}").parse().unwrap()
    }

    #[test]
    fn a_long_history_is_read_once_and_listed_now_and_then() {
        let (disk, layout) = (Arc::new(FaultFs::new(MemFs::new())), Layout::under("/pv".into(), InboxMode::MultiOwner));
        let put = |number: usize, state: &str| {
            let record = format!(
                "{{\"job_id\":\"{}\",\"state\":\"{state}\",\"schema_version\":1,\"created_at\":\"2026-01-01T00:00:00Z\"}}",
                id(number)
            );
            disk.inner().put(layout.record_path(&id(number)), record);
        };
        for number in 0..1000 {
            put(number, if number % 500 == 7 { "running" } else { "failed" });
        }
        let store = Store::new(disk.clone(), layout.clone(), StoreLimits::default(), "host");
        let mut runs = KnownRuns::default();
        let look = |runs: &mut KnownRuns, milliseconds: u64| -> (Vec<JobId>, usize, usize) {
            let before = (disk.calls(Verb::ReadAt), disk.calls(Verb::List));
            runs.look(&store, Duration::from_millis(milliseconds)).unwrap();
            let live = runs.not_over().cloned().collect();
            (live, disk.calls(Verb::ReadAt) - before.0, disk.calls(Verb::List) - before.1)
        };
        let live = vec![id(7), id(507)];
        assert_eq!(look(&mut runs, 0), (live.clone(), 1000, 1));
        assert_eq!(look(&mut runs, 249), (live, 0, 0), "the pause is 1000 times 250 µs");
        put(7, "aborted");
        runs.end(&id(7));
        put(2000, "created");
        runs.note([id(2000), id(1)].iter());
        assert_eq!(look(&mut runs, 249), (vec![id(507), id(2000)], 0, 0), "its prompt was seen");
        put(2001, "created");
        put(2002, "failed");
        let live = vec![id(507), id(2000), id(2001)];
        assert_eq!(look(&mut runs, 250), (live, 2, 1), "what is new is read, and nothing else");
        assert!(runs.has_ended(&id(7)) && !runs.has_ended(&id(2001)));
    }
}
