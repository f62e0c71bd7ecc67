//! Lists and counts of runs, read afresh.

use super::RunView;
use crate::{
    Result,
    job::{Counts, JobFilter, ListedJob, Thresholds},
    store::Store,
    time::Timestamp,
};

impl Store {
    /// Returns the runs that match `filter`, newest first, as they are shown at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn select(&self, filter: &JobFilter, now: Timestamp, thresholds: Thresholds) -> Result<Vec<RunView>> {
        let runs = self.runs()?.into_iter();
        let matching = runs.filter(|run| filter.matches(&ListedJob::new(run.record(), now, thresholds)));
        let limit = filter.limit.unwrap_or(usize::MAX);
        Ok(matching.take(limit).map(|run| self.view(run, now, thresholds)).collect())
    }

    /// Returns how many runs there are at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn counts(&self, now: Timestamp, thresholds: Thresholds) -> Result<Counts> {
        let mut counts = Counts::default();
        for run in self.runs()? {
            let job = ListedJob::new(run.record(), now, thresholds);
            counts.add(run.id(), job.state, job.stalled);
            counts.add_verified(job.verified);
        }
        Ok(counts)
    }
}
