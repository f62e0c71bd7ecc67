//! Lists and counts of runs, read afresh.

use std::{collections::BinaryHeap, ops::ControlFlow};

use super::RunView;
use crate::{
    Error, Result,
    job::{Counts, JobFilter, JobId, JobRecord, ListedJob, ListedState, RecordHead, Thresholds},
    store::{Run, Store},
    time::Timestamp,
};

/// How far the time in a job's id and that in its record may be apart, in seconds, for a list of the newest ones to be
/// right without reading all records: they are drawn one after the other.
const MINTED_SECONDS_APART_MAX: i64 = 300;

/// What a list is sorted by, backwards.
type SortKey<'a> = (Option<Timestamp>, &'a JobId);

impl Store {
    /// Returns the runs that match `filter`, newest first, as they are shown at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn select(&self, filter: &JobFilter, now: Timestamp, thresholds: Thresholds) -> Result<Vec<RunView>> {
        self.select_among(&self.unsorted_run_ids()?, filter, now, thresholds)
    }

    /// Returns the runs that match `filter`, as [`Store::select`], of those with these ids: for whoever needs the ids of all
    /// runs besides, so that the runs folder is listed once.
    ///
    /// # Errors
    /// Those of reading a record, but for one that is damaged or gone.
    pub fn select_among(
        &self,
        ids: &[JobId],
        filter: &JobFilter,
        now: Timestamp,
        thresholds: Thresholds,
    ) -> Result<Vec<RunView>> {
        let mut views = Vec::new();
        self.each_selected(ids, filter, now, thresholds, |view| {
            views.push(view);
            ControlFlow::Continue(())
        })?;
        Ok(views)
    }

    /// Passes the runs that match `filter` on one by one, newest first, as they are shown at `now`: only their keys are all
    /// in memory. With a limit, of the ids that tell when they were minted no more are read than the newest. Ends early where
    /// `each` breaks.
    ///
    /// # Errors
    /// As [`Store::select`].
    pub fn select_each(
        &self,
        filter: &JobFilter,
        now: Timestamp,
        thresholds: Thresholds,
        each: impl FnMut(RunView) -> ControlFlow<()>,
    ) -> Result<()> {
        self.each_selected(&self.unsorted_run_ids()?, filter, now, thresholds, each)
    }

    fn each_selected(
        &self,
        ids: &[JobId],
        filter: &JobFilter,
        now: Timestamp,
        thresholds: Thresholds,
        mut each: impl FnMut(RunView) -> ControlFlow<()>,
    ) -> Result<()> {
        for id in self.matching_ids(ids, filter, now, thresholds)? {
            match self.read_run(id) {
                // It may have changed in between: what is passed on matches, too.
                Ok(run) if filter.matches(&ListedJob::new(run.record(), now, thresholds)) => {
                    if each(self.view(run, now, thresholds)).is_break() {
                        return Ok(());
                    }
                }
                Ok(_) | Err(Error::JobNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns how many runs there are at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn counts(&self, now: Timestamp, thresholds: Thresholds) -> Result<Counts> {
        let mut counts = Counts::default();
        for id in self.run_ids()? {
            let count = |job: &ListedJob<'_>, _| {
                counts.add(&id, job.state, job.stalled);
                counts.add_verified(job.verified);
            };
            self.with_listed(&id, now, thresholds, count)?;
        }
        Ok(counts)
    }

    /// Returns those of the ids whose runs match, newest first, as many as the filter's limit allows.
    fn matching_ids<'a>(
        &self,
        ids: &'a [JobId],
        filter: &JobFilter,
        now: Timestamp,
        thresholds: Thresholds,
    ) -> Result<Vec<&'a JobId>> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut found: Vec<SortKey<'_>> = Vec::new();
        // Those that tell when they were minted come from the newest to the oldest; of the others all are read.
        let (dated, undated): (Vec<&JobId>, Vec<&JobId>) = ids.iter().partition(|id| id.is_dated());
        for id in undated.into_iter().chain(newest_first(dated, filter.limit.is_some())) {
            if found.len() >= limit && id.minted_at().is_some_and(|minted_at| is_older(&mut found, limit, minted_at)) {
                break;
            }
            let matches = |job: &ListedJob<'_>, created_at| filter.matches(job).then_some(created_at);
            if let Some(Some(created_at)) = self.with_listed(id, now, thresholds, matches)? {
                found.push((created_at, id));
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Passes on what lists look at of a run, and when it was made; `None` where there is no run.
    fn with_listed<T>(
        &self,
        id: &JobId,
        now: Timestamp,
        thresholds: Thresholds,
        look: impl FnOnce(&ListedJob<'_>, Option<Timestamp>) -> T,
    ) -> Result<Option<T>> {
        let bytes = match self.read_record_bytes(id) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(Error::JobNotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What cannot be read counts as damaged, as nothing that can be understood does.
        if let Some(head) = RecordHead::read(&bytes).filter(|head| head.job_id == id.as_str()) {
            let job = ListedJob {
                state: ListedState::Known(head.state),
                owner: head.owner.as_deref(),
                repo: head.repo.as_deref(),
                branch: head.branch.as_deref(),
                stalled: false,
                verified: head.verified,
            };
            return Ok(Some(look(&job, Some(head.created_at))));
        }
        let run = Run::from_bytes(id, &bytes);
        let created_at = run.record().and_then(JobRecord::known_since);
        Ok(Some(look(&ListedJob::new(run.record(), now, thresholds), created_at)))
    }
}

/// Returns ids from the greatest to the least; those of which only `few` are wanted are sorted no further than they are
/// taken.
fn newest_first<'a>(mut ids: Vec<&'a JobId>, few: bool) -> Box<dyn Iterator<Item = &'a JobId> + 'a> {
    if few {
        let mut ids = BinaryHeap::from(ids);
        return Box::new(std::iter::from_fn(move || ids.pop()));
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    Box::new(ids.into_iter())
}

/// Tells whether a run that was minted at that time, and all that were minted before, are older than the newest `limit` of
/// those that were found. Keeps of these only the newest, now and then.
fn is_older(found: &mut Vec<SortKey<'_>>, limit: usize, minted_at: Timestamp) -> bool {
    if found.len() >= limit.saturating_mul(2).max(limit.saturating_add(64)) {
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(limit);
    }
    let Some((Some(oldest), _)) = found.iter().take(limit).min() else { return false };
    minted_at.unix_seconds().saturating_add(MINTED_SECONDS_APART_MAX) < oldest.unix_seconds()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        fs::{FaultFs, Fs, MemFs, Verb},
        layout::{InboxMode, Layout},
        store::StoreLimits,
    };

    const NOW: i64 = 1_790_000_000;

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }

    fn store(runs: &[(bool, u16, i8, u8)]) -> Store {
        store_on(runs, |fs| Arc::new(fs))
    }

    fn store_on(runs: &[(bool, u16, i8, u8)], on: impl FnOnce(MemFs) -> Arc<dyn Fs>) -> Store {
        let (fs, layout) = (MemFs::new(), Layout::under("/pv".into(), InboxMode::MultiOwner));
        fs.put_dir(&layout.runs);
        for (number, (is_dated, minutes, apart, kind)) in runs.iter().enumerate() {
            let minted = NOW - i64::from(*minutes) * 60;
            let id = if *is_dated {
                format!("{:012x}70008000{number:012x}", minted * 1000)
            } else {
                format!("20251205-{number:04}")
            };
            let created_at = Timestamp::from_unix_seconds(minted + i64::from(*apart));
            let (state, repo) = (["succeeded", "failed", "created", "running"][usize::from(kind % 4)], kind % 3);
            let version = kind % 2;
            let record = match kind {
                9 => "{".to_owned(),
                10 => format!("{{\"job_id\":\"{id}\",\"state\":\"failed\"}}"),
                _ => format!(
                    "{{\"job_id\":\"{id}\",\"state\":\"{state}\",\"schema_version\":{version},\"created_at\":\"{created_at}\",\"repo_name\":\"r{repo}\"}}"
                ),
            };
            let id: JobId = id.parse().unwrap();
            fs.put_dir(layout.run_path(&id));
            if *kind != 11 {
                fs.put(layout.record_path(&id), record);
            }
        }
        Store::new(on(fs), layout, StoreLimits::default(), "host")
    }

    proptest! {
        #[test]
        fn a_list_is_what_reading_every_record_finds(
            runs in proptest::collection::vec((any::<bool>(), 0..400_u16, -100..100_i8, 0..12_u8), 0..150),
            limit in proptest::option::of(0..20_usize),
            state in proptest::option::of(0..6_usize),
            repo in proptest::option::of(0..3_u8),
        ) {
            let store = store(&runs);
            let filter = JobFilter {
                states: state.map(|state| ListedState::ALL[state]).into_iter().collect(),
                repo: repo.map(|repo| format!("r{repo}")),
                limit,
                ..JobFilter::default()
            };
            let thresholds = Thresholds::default();
            let all = store.runs().unwrap();
            let matches = |run: &&Run| filter.matches(&ListedJob::new(run.record(), now(), thresholds));
            let expected: Vec<&JobId> =
                all.iter().filter(matches).take(limit.unwrap_or(usize::MAX)).map(Run::id).collect();
            let found = store.select(&filter, now(), thresholds).unwrap();
            prop_assert_eq!(found.iter().map(RunView::id).collect::<Vec<_>>(), expected);
            let mut counts = Counts::default();
            for run in &all {
                let job = ListedJob::new(run.record(), now(), thresholds);
                counts.add(run.id(), job.state, job.stalled);
            }
            counts.damaged.sort();
            let mut found = store.counts(now(), thresholds).unwrap();
            found.damaged.sort();
            prop_assert_eq!(found, counts);
        }
    }

    #[test]
    fn a_short_list_reads_only_the_newest_of_many() {
        let runs: Vec<_> = (0..2000).map(|number| (true, number, 0, 1)).collect();
        let disk = std::cell::OnceCell::new();
        let store = store_on(&runs, |fs| disk.get_or_init(|| Arc::new(FaultFs::new(fs))).clone());
        let filter = JobFilter { limit: Some(3), ..JobFilter::default() };
        let found = store.select(&filter, now(), Thresholds::default()).unwrap();
        assert_eq!(found.len(), 3);
        let read = disk.get().unwrap().calls(Verb::ReadAt);
        assert!(read < 20, "{read} records were read");
    }
}
