//! Which jobs a list is to hold, for the command line, the API and its index alike.

use super::{JobRecord, ListedState, Thresholds, is_stalled};
use crate::time::Timestamp;

/// Which jobs a list is to hold; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only jobs in one of these states; empty means any.
    pub states: Vec<ListedState>,
    /// Only those of this repository, by name or `owner/name`.
    pub repo: Option<String>,
    /// Only those for this branch.
    pub branch: Option<String>,
    /// Only those that are stalled, or only those that are not.
    pub stalled: Option<bool>,
    /// Only jobs whose work is verified, or only those whose checks failed; a job without checks is neither.
    pub verified: Option<bool>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

/// What a filter looks at of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedJob<'a> {
    /// Its state.
    pub state: ListedState,
    /// The repository's owner.
    pub owner: Option<&'a str>,
    /// The repository, without its owner.
    pub repo: Option<&'a str>,
    /// The branch.
    pub branch: Option<&'a str>,
    /// Whether its supervisor has been silent for too long.
    pub stalled: bool,
    /// Whether its work is verified; `None` without checks.
    pub verified: Option<bool>,
}

impl<'a> ListedJob<'a> {
    /// Returns what a filter looks at of a record at `now`, `None` standing for a damaged one.
    #[must_use]
    pub fn new(record: Option<&'a JobRecord>, now: Timestamp, thresholds: Thresholds) -> Self {
        Self {
            state: record.map(JobRecord::state).into(),
            owner: record.and_then(|record| record.git_owner.as_deref()),
            repo: record.and_then(|record| record.repo_name.as_deref()),
            branch: record.and_then(|record| record.branch_name.as_deref()),
            stalled: record.is_some_and(|record| is_stalled(record, now, thresholds)),
            verified: record.and_then(|record| record.verified),
        }
    }

    /// Tells whether `repo`, a bare name or `owner/name`, means the job's repository.
    fn is_of(&self, repo: &str) -> bool {
        let is_full = |(owner, name)| Some(owner) == self.owner && Some(name) == self.repo;
        self.repo == Some(repo) || repo.split_once('/').is_some_and(is_full)
    }
}

impl JobFilter {
    /// Tells whether a job matches. The limit is not looked at: it is for the list as a whole.
    #[must_use]
    pub fn matches(&self, job: &ListedJob<'_>) -> bool {
        (self.states.is_empty() || self.states.contains(&job.state))
            && self.repo.as_deref().is_none_or(|repo| job.is_of(repo))
            && self.branch.as_deref().is_none_or(|branch| job.branch == Some(branch))
            && self.stalled.is_none_or(|stalled| job.stalled == stalled)
            && self.verified.is_none_or(|verified| job.verified == Some(verified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobState;

    const NOW: i64 = 10_000;

    #[test]
    fn a_job_matches_where_all_that_is_asked_for_holds() {
        let records = [
            r#"{"job_id":"a","state":"running","verified":true,"git_owner":"o","repo_name":"r","branch_name":"main","heartbeat_at":"1970-01-01T00:00:00Z"}"#,
            r#"{"job_id":"b","state":"failed","verified":false,"repo_name":"r","branch_name":"dev"}"#,
            "{",
        ]
        .map(|json| JobRecord::from_bytes(json.as_bytes()).ok());
        let check = |filter: JobFilter, expected: [bool; 3]| {
            let now = Timestamp::from_unix_seconds(NOW);
            let matches = |record: &Option<JobRecord>| {
                filter.matches(&ListedJob::new(record.as_ref(), now, Thresholds::default()))
            };
            assert_eq!(records.each_ref().map(matches), expected, "{filter:?}");
        };
        let all = JobFilter::default;
        let some = |text: &str| Some(text.to_owned());
        let (running, failed) = (ListedState::Known(JobState::Running), ListedState::Known(JobState::Failed));
        check(all(), [true, true, true]);
        check(JobFilter { states: vec![running], ..all() }, [true, false, false]);
        check(JobFilter { states: vec![ListedState::Unknown, failed], ..all() }, [false, true, true]);
        check(JobFilter { repo: some("r"), ..all() }, [true, true, false]);
        check(JobFilter { repo: some("o/r"), ..all() }, [true, false, false]);
        check(JobFilter { repo: some("R"), ..all() }, [false, false, false]);
        check(JobFilter { repo: some("/r"), ..all() }, [false, false, false]);
        check(JobFilter { repo: some("o/r/"), ..all() }, [false, false, false]);
        check(JobFilter { branch: some("dev"), ..all() }, [false, true, false]);
        check(JobFilter { stalled: Some(true), ..all() }, [true, false, false]);
        check(JobFilter { stalled: Some(false), ..all() }, [false, true, true]);
        check(JobFilter { verified: Some(true), ..all() }, [true, false, false]);
        check(JobFilter { verified: Some(false), ..all() }, [false, true, false]);
        check(JobFilter { repo: some("r"), branch: some("main"), ..all() }, [true, false, false]);
        check(JobFilter { limit: Some(0), ..all() }, [true, true, true]);
    }
}
