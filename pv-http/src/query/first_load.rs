//! The order in which the first load reads jobs: those first whose id does not tell when they were made, then from the
//! newest to the oldest, so that the newest are known before the rest.

use std::collections::BTreeSet;

use pv_lib::job::JobId;

/// How many records are read at once.
pub(super) const CHUNK: usize = 512;

/// What is left of the first load, and who reads what.
#[derive(Debug, Default)]
pub(super) struct FirstLoad {
    /// The jobs that nobody reads yet, those that are next at the end.
    unread: Vec<JobId>,
    /// The number of the chunk that is next.
    next: usize,
    /// The numbers of the chunks that are being read.
    reading: BTreeSet<usize>,
    /// How many jobs have an id that does not tell when they were made.
    undated: usize,
    /// Whether a chunk had to be read again, so that the numbers tell no order any more.
    is_out_of_order: bool,
}

/// Some jobs that one thread reads.
#[derive(Debug)]
pub(super) struct Chunk {
    number: usize,
    /// The jobs, in the order in which they are to be read.
    pub(super) ids: Vec<JobId>,
}

impl FirstLoad {
    /// Begins to load these jobs.
    pub(super) fn begin(ids: Vec<JobId>) -> Self {
        // Those that are read first are at the end.
        let (mut unread, mut undated): (Vec<JobId>, Vec<JobId>) = ids.into_iter().partition(JobId::is_dated);
        unread.sort_unstable();
        undated.sort_unstable();
        let count = undated.len();
        unread.append(&mut undated);
        Self { unread, undated: count, ..Self::default() }
    }

    /// Returns the jobs that nobody reads yet.
    pub(super) fn unread(&self) -> &[JobId] {
        &self.unread
    }

    /// Returns whether all has been read.
    pub(super) fn is_over(&self) -> bool {
        self.unread.is_empty() && self.reading.is_empty()
    }

    /// Returns whether all jobs have been read that can be among the newest `jobs`: an id is not minted in the very second
    /// that its record tells, for which a chunk more is read.
    pub(super) fn has_newest(&self, jobs: usize) -> bool {
        let chunks = self.undated.saturating_add(jobs).div_ceil(CHUNK).saturating_add(1);
        let first_open = self.reading.first().copied().unwrap_or(self.next);
        self.is_over() || (!self.is_out_of_order && first_open >= chunks)
    }

    /// Takes the next chunk, which is then to be given to [`FirstLoad::done`] or [`FirstLoad::put_back`].
    pub(super) fn take(&mut self) -> Option<Chunk> {
        let from = self.unread.len().checked_sub(1)?.saturating_sub(CHUNK - 1);
        let ids = self.unread.split_off(from).into_iter().rev().collect();
        if self.unread.is_empty() {
            // What held all of them is needed no more.
            self.unread = Vec::new();
        }
        let number = self.next;
        self.next += 1;
        self.reading.insert(number);
        Some(Chunk { number, ids })
    }

    /// Notes that a chunk has been read.
    pub(super) fn done(&mut self, chunk: &Chunk) {
        self.reading.remove(&chunk.number);
    }

    /// Lets a chunk that could not be read be read again, by whoever takes it.
    pub(super) fn put_back(&mut self, chunk: &mut Chunk) {
        self.reading.remove(&chunk.number);
        self.is_out_of_order = true;
        self.unread.extend(chunk.ids.drain(..).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(dated: usize, undated: usize) -> Vec<JobId> {
        let dated = (0..dated).map(|number| format!("{number:012x}70008000000000000000"));
        let undated = (0..undated).map(|number| format!("20251205-1216-{number:04}"));
        dated.chain(undated).map(|id| id.parse().unwrap()).collect()
    }

    #[test]
    fn undated_jobs_are_read_first_then_the_newest() {
        let mut load = FirstLoad::begin(ids(3 * CHUNK, 2));
        let first = load.take().unwrap();
        assert_eq!(first.ids.len(), CHUNK);
        assert_eq!(
            [0, 1, 2].map(|at| first.ids[at].as_str()),
            ["20251205-1216-0001", "20251205-1216-0000", "0000000005ff70008000000000000000"]
        );
        let mut rest: Vec<JobId> = std::iter::from_fn(|| load.take()).flat_map(|chunk| chunk.ids).collect();
        assert!(rest.is_sorted_by(|newer, older| newer > older));
        rest.extend(first.ids);
        assert_eq!(rest.len(), 3 * CHUNK + 2);
    }

    #[test]
    fn the_newest_are_known_once_every_chunk_that_may_hold_them_is_read() {
        let mut load = FirstLoad::begin(ids(5 * CHUNK, 0));
        assert!(!load.has_newest(1));
        let chunks: Vec<Chunk> = std::iter::from_fn(|| load.take()).collect();
        assert_eq!(chunks.len(), 5);
        for (number, expected) in
            [(1, [false; 3]), (0, [true, false, false]), (3, [true, false, false]), (2, [true, true, false])]
        {
            load.done(&chunks[number]);
            assert_eq!([1, CHUNK + 1, 5 * CHUNK].map(|jobs| load.has_newest(jobs)), expected, "after {number}");
        }
        load.done(&chunks[4]);
        assert!(load.is_over() && load.has_newest(usize::MAX));
    }

    #[test]
    fn what_could_not_be_read_is_read_again_and_nothing_counts_as_known_before() {
        let mut load = FirstLoad::begin(ids(2 * CHUNK, 0));
        let (mut one, other) = (load.take().unwrap(), load.take().unwrap());
        let wanted = one.ids.clone();
        load.put_back(&mut one);
        load.done(&other);
        assert!(!load.has_newest(1) && !load.is_over());
        let again = load.take().unwrap();
        assert_eq!(again.ids, wanted);
        assert!(!load.has_newest(1));
        load.done(&again);
        assert!(load.has_newest(1) && load.is_over());
    }

    #[test]
    fn nothing_to_load_is_over() {
        let mut load = FirstLoad::begin(Vec::new());
        assert!(load.is_over() && load.has_newest(7) && load.take().is_none());
    }
}
