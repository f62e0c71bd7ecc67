//! What is left to do for the work of a job that is over: to deliver it, or to keep its checkout.

use super::{CheckResult, IgnoredWork, JobId, JobRecord, JobState, Phase, PushState, is_object_name};

/// Work that was saved and could not be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Undelivered {
    /// The job that did the work.
    pub job_id: JobId,
    /// The branch that it is to be.
    pub branch: String,
    /// How far its push got, where the record says that.
    pub push: Option<PushState>,
    /// What the work is about.
    pub title: Option<String>,
    /// The commit that holds it.
    pub commit: String,
    /// The commit that it began with.
    pub base_commit: String,
    /// What the checks said of it.
    pub checks: Option<Vec<CheckResult>>,
    /// Whether it is verified.
    pub verified: Option<bool>,
    /// The files that the checks run from and that it changes.
    pub checks_changed: Option<Vec<String>>,
}

impl Undelivered {
    /// Returns what is left to deliver of a job that did not succeed and whose delivery had begun, whatever stopped it.
    ///
    /// `None` where its record does not name a branch and two commits that could be.
    #[must_use]
    pub fn of(record: &JobRecord) -> Option<Self> {
        let delivery = record.delivery.as_ref()?;
        let is_left = record.state() != JobState::Succeeded && record.phase == Some(Phase::Delivering);
        let found = Self {
            job_id: record.job_id.clone(),
            branch: delivery.branch.clone()?,
            push: delivery.push,
            title: record.title.clone(),
            commit: delivery.commit.clone()?,
            base_commit: record.base_commit.clone()?,
            checks: record.checks.clone(),
            verified: record.verified,
            checks_changed: record.checks_changed.clone(),
        };
        let usable = is_object_name(&found.commit) && is_object_name(&found.base_commit) && is_branch(&found.branch);
        (is_left && usable).then_some(found)
    }
}

/// Work that a job left, and that is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWork {
    /// The job that did the work.
    pub job_id: JobId,
    /// The commit that holds it.
    pub commit: String,
    /// The commit that it began with.
    pub base_commit: String,
    /// What is kept of the files that git ignores.
    pub ignored: Option<IgnoredWork>,
}

impl KeptWork {
    /// Returns the saved work of a job that is over and did not succeed, whatever became of its agent.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub fn of(record: &JobRecord) -> Result<Self, &'static str> {
        if record.state() == JobState::Succeeded {
            return Err("it succeeded, so that its work is delivered already");
        }
        let commit = record.delivery.as_ref().and_then(|delivery| delivery.commit.clone());
        match (commit, record.base_commit.clone()) {
            (Some(commit), Some(base_commit)) if is_object_name(&commit) && is_object_name(&base_commit) => {
                let ignored = record.delivery.as_ref().and_then(|delivery| delivery.ignored.clone());
                Ok(Self { job_id: record.job_id.clone(), commit, base_commit, ignored })
            }
            _ => Err("no commit of it is saved; `pv retry` without --checks runs its agent again"),
        }
    }
}

impl From<&Undelivered> for KeptWork {
    fn from(work: &Undelivered) -> Self {
        Self {
            job_id: work.job_id.clone(),
            commit: work.commit.clone(),
            base_commit: work.base_commit.clone(),
            ignored: None,
        }
    }
}

impl JobRecord {
    /// Tells whether the checkout of a job that is over may hold work that is saved nowhere else: the record says so;
    /// or the agent was started, the job did not succeed, and nothing was saved.
    #[must_use]
    pub fn may_hold_unsaved_work(&self) -> bool {
        let delivery = self.delivery.as_ref();
        let is_kept = delivery.is_some_and(|delivery| delivery.checkout_path.is_some());
        if delivery.is_some_and(|delivery| delivery.checkout_discarded_at.is_some()) {
            return false;
        }
        let is_saved = delivery.is_some_and(|delivery| delivery.patch_path.is_some());
        let agent_started = !matches!(self.phase, None | Some(Phase::Preparing));
        is_kept || (agent_started && self.state() != JobState::Succeeded && !is_saved)
    }
}

fn is_branch(name: &str) -> bool {
    crate::target::Target::new(None, "r", name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn undelivered(json: &str) -> Option<Undelivered> {
        Undelivered::of(&JobRecord::from_bytes(json.as_bytes()).unwrap())
    }

    #[test]
    fn only_a_delivery_that_had_begun_and_did_not_succeed_is_left_to_do() {
        let record = |state: &str, branch: &str, commit: &str| {
            format!(
                r#"{{"job_id":"{ID}",{state},"base_commit":"{OID}","delivery":{{"branch":"{branch}","commit":"{commit}"}}}}"#
            )
        };
        let failed = r#""state":"failed","reason":"delivery","phase":"delivering""#;
        let found = undelivered(&record(failed, "codex/x", OID)).unwrap();
        assert_eq!((found.branch.as_str(), found.commit.as_str()), ("codex/x", OID));
        for state in [r#""state":"running""#, r#""state":"failed","reason":"interrupted""#, r#""state":"aborted""#] {
            let state = format!(r#"{state},"phase":"delivering""#);
            assert!(undelivered(&record(&state, "codex/x", OID)).is_some(), "{state}");
        }
        for (state, branch, commit) in [
            (r#""state":"failed","reason":"exit","phase":"agent""#, "codex/x", OID),
            (r#""state":"succeeded","phase":"delivering""#, "codex/x", OID),
            (failed, "../x", OID),
            (failed, "-x", OID),
            (failed, "codex/x", "HEAD"),
            (failed, "codex/x", "--upload-pack=x"),
        ] {
            assert_eq!(undelivered(&record(state, branch, commit)), None, "{state} {branch} {commit}");
        }
    }

    #[test]
    fn work_is_kept_of_whatever_did_not_succeed_and_has_a_commit() {
        let check = |keys: &str, expected: Result<&str, &str>| {
            let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{ID}",{keys}}}"#).as_bytes()).unwrap();
            let kept = KeptWork::of(&record);
            match (&kept, expected) {
                (Ok(kept), Ok(commit)) => assert_eq!(kept.commit, commit, "{keys}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{keys}: {why}"),
                _ => panic!("{keys}: {kept:?}"),
            }
        };
        let saved = format!(r#""base_commit":"{OID}","delivery":{{"commit":"{OID}"}}"#);
        check(&format!(r#""state":"failed","reason":"check",{saved}"#), Ok(OID));
        check(&format!(r#""state":"aborted",{saved}"#), Ok(OID));
        check(&format!(r#""state":"succeeded",{saved}"#), Err("it succeeded"));
        check(r#""state":"failed""#, Err("no commit of it is saved"));
        check(&format!(r#""state":"failed","base_commit":"{OID}","delivery":{{"commit":"HEAD"}}"#), Err("no commit"));
    }

    #[test]
    fn a_checkout_is_needless_only_where_all_of_its_work_is_saved() {
        let check = |keys: &str, expected: bool| {
            let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{ID}",{keys}}}"#).as_bytes()).unwrap();
            assert_eq!(record.may_hold_unsaved_work(), expected, "{keys}");
        };
        let saved = r#""delivery":{"patch_path":"p"}"#;
        let kept = r#""delivery":{"patch_path":"p","checkout_path":"c"}"#;
        check(r#""state":"failed""#, false);
        check(r#""state":"failed","phase":"preparing""#, false);
        check(r#""state":"failed","phase":"agent""#, true);
        check(r#""state":"aborted","phase":"agent""#, true);
        check(&format!(r#""state":"failed","phase":"agent",{saved}"#), false);
        check(&format!(r#""state":"failed","phase":"agent",{kept}"#), true);
        check(r#""state":"succeeded","phase":"agent""#, false);
        check(r#""state":"failed","phase":"agent","delivery":{"checkout_discarded_at":"2026-01-31T12:00:00Z"}"#, false);
        check(&format!(r#""state":"succeeded","phase":"delivering",{saved}"#), false);
        check(&format!(r#""state":"succeeded","phase":"delivering",{kept}"#), true);
    }
}
