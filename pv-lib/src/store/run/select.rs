//! Lists and counts of runs, read afresh.

use std::collections::BTreeMap;

use super::{Run, RunView};
use crate::{
    Result,
    job::{JobId, JobRecord, JobState, Thresholds, is_stalled},
    store::Store,
    time::Timestamp,
    unusable::UNUSABLE_MAX,
};

/// Which runs a list is to hold; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only runs in one of these states, `None` standing for damaged ones; empty means any.
    pub states: Vec<Option<JobState>>,
    /// Only those of this repository, by name or `owner/name`.
    pub repo: Option<String>,
    /// Only those for this branch.
    pub branch: Option<String>,
    /// Only those that are stalled, or only those that are not.
    pub stalled: Option<bool>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// How many runs there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By the state's name; damaged ones as `unknown`, states without any left out.
    pub by_state: BTreeMap<&'static str, u64>,
    /// All of them.
    pub total: u64,
    /// Running ones whose supervisor is silent.
    pub stalled_running: u64,
    /// The newest of the damaged ones, at most [`UNUSABLE_MAX`].
    pub damaged: Vec<JobId>,
}

impl JobFilter {
    /// Tells whether a run is among those wanted.
    #[must_use]
    pub fn wants(&self, run: &Run, now: Timestamp, thresholds: Thresholds) -> bool {
        let record = run.record();
        let is = |wanted: &Option<String>, has: &dyn Fn(&JobRecord, &str) -> bool| {
            wanted.as_deref().is_none_or(|wanted| record.is_some_and(|record| has(record, wanted)))
        };
        let stalled = record.is_some_and(|record| is_stalled(record, now, thresholds));
        (self.states.is_empty() || self.states.contains(&run.state()))
            && is(&self.repo, &|record, repo| {
                record.repo_name.as_deref() == Some(repo) || (repo.contains('/') && record.full_repo() == repo)
            })
            && is(&self.branch, &|record, branch| record.branch_name.as_deref() == Some(branch))
            && self.stalled.is_none_or(|wanted| wanted == stalled)
    }
}

impl Store {
    /// Returns the runs that `filter` wants, newest first, as they are shown at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn select(&self, filter: &JobFilter, now: Timestamp, thresholds: Thresholds) -> Result<Vec<RunView>> {
        let wanted = self.runs()?.into_iter().filter(|run| filter.wants(run, now, thresholds));
        let limit = filter.limit.unwrap_or(usize::MAX);
        Ok(wanted.take(limit).map(|run| self.view(run, now, thresholds)).collect())
    }

    /// Returns how many runs there are at `now`.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder.
    pub fn counts(&self, now: Timestamp, thresholds: Thresholds) -> Result<Counts> {
        let mut counts = Counts::default();
        for run in self.runs()? {
            counts.total += 1;
            *counts.by_state.entry(run.state().map_or("unknown", JobState::as_str)).or_default() += 1;
            counts.stalled_running += u64::from(run.record().is_some_and(|record| is_stalled(record, now, thresholds)));
            if run.record().is_none() && counts.damaged.len() < UNUSABLE_MAX {
                counts.damaged.push(run.id().clone());
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 10_000;

    fn run(json: &str) -> Run {
        match JobRecord::from_bytes(json.as_bytes()) {
            Ok(record) => Run::Job(Box::new(record)),
            Err(damage) => Run::Damaged { id: "x".parse().unwrap(), damage },
        }
    }

    fn check(filter: &JobFilter, expected: [bool; 3]) {
        let runs = [
            r#"{"job_id":"a","state":"running","git_owner":"o","repo_name":"r","branch_name":"main","heartbeat_at":"1970-01-01T00:00:00Z"}"#,
            r#"{"job_id":"b","state":"failed","repo_name":"r","branch_name":"dev"}"#,
            "{",
        ];
        let now = Timestamp::from_unix_seconds(NOW);
        let wanted = runs.map(|json| filter.wants(&run(json), now, Thresholds::default()));
        assert_eq!(wanted, expected, "{filter:?}");
    }

    #[test]
    fn a_filter_wants_what_it_names() {
        let some = |text: &str| Some(text.to_owned());
        check(&JobFilter::default(), [true, true, true]);
        check(&JobFilter { states: vec![Some(JobState::Running)], ..JobFilter::default() }, [true, false, false]);
        check(&JobFilter { states: vec![None, Some(JobState::Failed)], ..JobFilter::default() }, [false, true, true]);
        check(&JobFilter { repo: some("r"), ..JobFilter::default() }, [true, true, false]);
        check(&JobFilter { repo: some("o/r"), ..JobFilter::default() }, [true, false, false]);
        check(&JobFilter { repo: some("R"), ..JobFilter::default() }, [false, false, false]);
        check(&JobFilter { branch: some("dev"), ..JobFilter::default() }, [false, true, false]);
        check(&JobFilter { stalled: Some(true), ..JobFilter::default() }, [true, false, false]);
        check(&JobFilter { stalled: Some(false), ..JobFilter::default() }, [false, true, true]);
    }
}
