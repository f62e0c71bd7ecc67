//! The checkouts of jobs that are over, and why they are still there.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::Run;
use crate::{
    Error, Result,
    fs::FsExt,
    job::{JobId, JobRecord},
    store::Store,
    time::Timestamp,
};

/// How many are listed.
const KEPT_MAX: usize = 1000;

/// How long a job must be over before its checkout counts as one that could not be removed.
const REMOVAL_TIME: Duration = Duration::from_secs(60);

/// The checkout of a job that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptCheckout {
    /// The job.
    pub job_id: JobId,
    /// Where the checkout is.
    pub path: Utf8PathBuf,
    /// How large it was when it was kept, in bytes; `None` where that was not measured.
    pub bytes: Option<u64>,
    /// Why it is still there, in a sentence for people.
    pub reason: String,
}

impl Store {
    /// Returns the checkouts of jobs that are over, the oldest first, 1,000 at most: those that are kept because they
    /// hold what is saved nowhere else, and those that could not be removed.
    ///
    /// # Errors
    /// Any error of the file system on the folder of checkouts; one job that cannot be read is an entry that says so.
    pub fn kept_checkouts(&self, now: Timestamp) -> Result<Vec<KeptCheckout>> {
        let mut kept = Vec::new();
        for entry in self.fs().list_or_empty(&self.layout().work)? {
            let Some(id) = JobId::minted(&entry.name) else { continue };
            let found = match self.read_run(&id).and_then(Run::into_record) {
                Ok(record) => why_kept(&record, now).map(|why| (record.delivery.and_then(|d| d.checkout_bytes), why)),
                Err(Error::JobNotFound(_)) => Some((None, "its job is gone from the runs folder".to_owned())),
                Err(error) => Some((None, error.to_string())),
            };
            if let Some((bytes, reason)) = found {
                kept.push(KeptCheckout { path: self.layout().checkout_path(&id), job_id: id, bytes, reason });
            }
            if kept.len() == KEPT_MAX {
                break;
            }
        }
        Ok(kept)
    }
}

/// Returns why a job's checkout, which is there, is kept; `None` while the job or its removal is under way.
fn why_kept(record: &JobRecord, now: Timestamp) -> Option<String> {
    if !record.state().is_terminal() {
        return None;
    }
    if record.may_hold_unsaved_work() {
        let said = record.delivery.as_ref().and_then(|delivery| delivery.checkout_reason.clone());
        return Some(said.unwrap_or_else(|| "it may hold work that is saved nowhere else".to_owned()));
    }
    let is_due = record.finished_at.is_none_or(|at| now.since(at) > REMOVAL_TIME);
    is_due.then(|| "nothing in it is needed, and it is still there: the watcher's log, or supervisor.log in the job's run folder, may say why".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

    #[test]
    fn a_checkout_is_kept_for_a_reason() {
        let check = |keys: &str, expected: Option<&str>| {
            let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{ID}",{keys}}}"#).as_bytes()).unwrap();
            let why = why_kept(&record, "2026-01-31T12:10:00Z".parse().unwrap());
            assert_eq!(why.is_some(), expected.is_some(), "{keys}: {why:?}");
            assert!(expected.is_none_or(|expected| why.unwrap().contains(expected)), "{keys}");
        };
        let over = r#""finished_at":"2026-01-31T12:00:00Z""#;
        check(r#""state":"running","phase":"agent""#, None);
        check(r#""state":"created""#, None);
        check(
            r#""state":"succeeded","phase":"agent","delivery":{"checkout_path":"c","checkout_reason":"it lacks x"}"#,
            Some("it lacks x"),
        );
        check(r#""state":"succeeded","phase":"agent","delivery":{"checkout_path":"c"}"#, Some("saved nowhere else"));
        check(r#""state":"failed","phase":"agent""#, Some("saved nowhere else"));
        check(&format!(r#""state":"succeeded","phase":"agent",{over}"#), Some("still there"));
        check(r#""state":"succeeded","phase":"agent","finished_at":"2026-01-31T12:09:30Z""#, None);
    }
}
