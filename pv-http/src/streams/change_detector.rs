//! The change detector: finds which jobs are not as they were last sent to subscribers.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Duration,
};

use pv_lib::{
    Error, Result,
    job::JobId,
    store::{RunView, Store},
};
use serde_json::{Map, Value, json};

use crate::{
    context::RequestTime,
    query::{JobIndex, Liveness},
};

/// How often a job is sent of which only a heartbeat changed.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The key whose value grows with time, which is no change.
const AGE_KEY: &str = "age_seconds";
/// The keys that each heartbeat or output changes.
const HEARTBEAT_KEYS: [&str; 3] = ["heartbeat_at", "last_output_at", "updated_at"];

/// One change, as it is sent to subscribers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// `job` for one that is new or has changed, `gone` for one that does not exist any more.
    pub(crate) name: &'static str,
    /// The job as `/jobs` lists it; of one that is gone, its id.
    pub(crate) data: String,
}

/// Remembers what was last sent of the jobs that are not over, or changed just now.
#[derive(Debug, Default)]
pub(crate) struct ChangeDetector(HashMap<JobId, LastSent>);

#[derive(Debug)]
struct LastSent {
    derived: Derived,
    /// `None` while nothing of the job was sent.
    hashes: Option<Hashes>,
    at: Duration,
    /// Whether a heartbeat was not sent because another was sent shortly before.
    is_behind: bool,
}

/// What may change of a job though its record stays as it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Derived {
    liveness: Liveness,
    abort_requested: bool,
}

/// What was sent of a job, as numbers to compare.
#[derive(Debug, Clone, Copy)]
struct Hashes {
    /// Of everything but its age.
    whole: u64,
    /// And without heartbeats.
    without_heartbeats: u64,
}

impl ChangeDetector {
    /// Returns the changes since the last call; the first call finds none.
    ///
    /// # Errors
    /// Those of the disk. Changes may then be lost: whoever calls must let every subscriber start over.
    pub(crate) fn changes_since_last(
        &mut self,
        store: &Store,
        index: &JobIndex,
        time: RequestTime,
    ) -> Result<Vec<Change>> {
        let found = index.changes(store, time)?;
        let mut changes = Vec::new();
        for id in found.removed {
            self.0.remove(&id);
            changes.push(Change { name: "gone", data: json!({ "job_id": id }).to_string() });
        }
        let mut candidates = found.updated;
        let mut kept: HashSet<JobId> = candidates.iter().cloned().collect();
        for (id, liveness) in found.live {
            let derived = Derived { liveness, abort_requested: store.abort_requested(&id).unwrap_or(false) };
            kept.insert(id.clone());
            match self.0.get_mut(&id) {
                Some(last) if last.derived == derived && !last.is_behind => {}
                Some(last) => {
                    last.derived = derived;
                    candidates.insert(id);
                }
                // Nothing shows that it changed.
                None => {
                    self.0.insert(id, LastSent { derived, hashes: None, at: Duration::ZERO, is_behind: false });
                }
            }
        }
        for id in candidates {
            match store.read_run(&id) {
                Ok(run) => {
                    let view = store.view(run, time.now, time.thresholds);
                    changes.extend(self.change_of(id, &view, time.uptime));
                }
                // The next call will find it removed.
                Err(Error::JobNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.0.retain(|id, _| kept.contains(id));
        Ok(changes)
    }

    /// Returns what is to be sent of a job that may have changed, if anything.
    fn change_of(&mut self, id: JobId, view: &RunView, uptime: Duration) -> Option<Change> {
        let hashes = Hashes::of(view.to_json());
        if let Some(last) = self.0.get_mut(&id)
            && let Some(sent) = last.hashes
        {
            last.is_behind = sent.whole != hashes.whole;
            let is_heartbeat = sent.without_heartbeats == hashes.without_heartbeats;
            if !last.is_behind || (is_heartbeat && uptime < last.at + HEARTBEAT_INTERVAL) {
                return None;
            }
        }
        let derived = view.job().map_or_else(Derived::default, |job| Derived {
            liveness: Liveness { stalled: job.stalled, quiet: job.quiet },
            abort_requested: job.abort_requested,
        });
        self.0.insert(id, LastSent { derived, hashes: Some(hashes), at: uptime, is_behind: false });
        Some(Change { name: "job", data: Value::Object(view.to_json()).to_string() })
    }
}

impl Hashes {
    fn of(mut job: Map<String, Value>) -> Self {
        let hash = |job: &Map<String, Value>| {
            let mut hasher = DefaultHasher::new();
            job.hash(&mut hasher);
            hasher.finish()
        };
        job.remove(AGE_KEY);
        let whole = hash(&job);
        HEARTBEAT_KEYS.iter().for_each(|key| drop(job.remove(*key)));
        Self { whole, without_heartbeats: hash(&job) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pv_lib::{
        fs::{Fs, MemFs},
        job::Thresholds,
        layout::{InboxMode, Layout},
        store::StoreLimits,
        time::Timestamp,
    };

    use super::*;

    const START: i64 = 1_769_860_800;

    struct Fixture {
        fs: Arc<MemFs>,
        store: Store,
        index: JobIndex,
        detector: ChangeDetector,
        seconds: u64,
    }

    impl Fixture {
        fn new() -> Self {
            let fs = Arc::new(MemFs::new());
            fs.set_now(Timestamp::from_unix_seconds(START - 1000));
            let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
            fs.put_dir(&layout.runs);
            let store = Store::new(fs.clone(), layout, StoreLimits::default(), "host");
            Self { fs, store, index: JobIndex::default(), detector: ChangeDetector::default(), seconds: 0 }
        }

        fn put(&self, id: &str, fields: &Value) {
            let mut record = json!({
                "schema_version": 1, "job_id": id, "state": "running", "created_at": "2026-01-31T11:59:00Z",
                "heartbeat_at": "2026-01-31T12:00:00Z",
            });
            record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            self.fs.put(self.store.layout().runs.join(id).join("job.json"), record.to_string());
        }

        /// Returns the changes that are found so many seconds later: name, id, and the value of one key.
        fn changes(&mut self, later: u64, key: &str) -> Vec<(&'static str, String, Value)> {
            self.seconds += later;
            let time = RequestTime {
                now: Timestamp::from_unix_seconds(START + i64::try_from(self.seconds).unwrap()),
                uptime: Duration::from_secs(self.seconds),
                thresholds: Thresholds::default(),
            };
            let changes = self.detector.changes_since_last(&self.store, &self.index, time).unwrap();
            let read = |change: Change| {
                let job: Value = serde_json::from_str(&change.data).unwrap();
                (change.name, job["job_id"].as_str().unwrap().to_owned(), job[key].clone())
            };
            changes.into_iter().map(read).collect()
        }
    }

    fn job(id: &str, value: impl Into<Value>) -> Vec<(&'static str, String, Value)> {
        vec![("job", id.to_owned(), value.into())]
    }

    #[test]
    fn every_change_is_found_once() {
        let mut fixture = Fixture::new();
        fixture.put("a", &json!({ "heartbeat_at": "2026-01-31T13:00:00Z" }));
        fixture.put("old", &json!({ "state": "failed" }));
        assert_eq!(fixture.changes(0, "state"), [], "what existed before the first call");
        assert_eq!(fixture.changes(1, "state"), []);
        fixture.put("b", &json!({ "state": "created" }));
        assert_eq!(fixture.changes(1, "state"), job("b", "created"));
        assert_eq!(fixture.changes(1, "state"), []);
        fixture.put("b", &json!({ "state": "running" }));
        assert_eq!(fixture.changes(0, "state"), job("b", "running"));
        fixture.put("b", &json!({ "state": "succeeded" }));
        assert_eq!(fixture.changes(0, "state"), job("b", "succeeded"), "though it is the same second");
        assert_eq!(fixture.changes(9, "state"), []);
        fixture.put("old", &json!({ "state": "failed", "message": "by hand" }));
        assert_eq!(fixture.changes(60, "message"), job("old", "by hand"));
        fixture.fs.put("/pv/runs/a/job.json", "{");
        assert_eq!(fixture.changes(1, "state"), job("a", "unknown"));
        fixture.fs.remove_file("/pv/runs/a/job.json".into()).unwrap();
        fixture.fs.remove_dir("/pv/runs/a".into()).unwrap();
        assert_eq!(fixture.changes(1, "state"), [("gone", "a".to_owned(), Value::Null)]);
        assert_eq!(fixture.changes(9, "state"), []);
        assert!(fixture.detector.0.is_empty(), "nothing is remembered of what is over: {:?}", fixture.detector.0);
    }

    #[test]
    fn what_changes_with_time_or_by_a_marker_is_found_too() {
        let mut fixture = Fixture::new();
        fixture.put("a", &json!({}));
        assert_eq!(fixture.changes(0, "stalled"), []);
        assert_eq!(fixture.changes(60, "stalled"), []);
        assert_eq!(fixture.changes(1, "stalled"), job("a", true));
        assert_eq!(fixture.changes(1, "stalled"), []);
        fixture.fs.put("/pv/runs/a/ABORT", "");
        assert_eq!(fixture.changes(1, "abort_requested"), job("a", true));
        assert_eq!(fixture.changes(1, "abort_requested"), []);
    }

    #[test]
    fn heartbeats_are_found_now_and_then_and_other_changes_at_once() {
        let mut fixture = Fixture::new();
        fixture.put("a", &json!({}));
        assert_eq!(fixture.changes(0, "heartbeat_at"), []);
        let beat = |second: u64| format!("2026-01-31T12:00:{second:02}Z");
        let mut sent = Vec::new();
        for second in 1..=20 {
            fixture.put("a", &json!({ "heartbeat_at": beat(second) }));
            sent.extend(fixture.changes(1, "heartbeat_at").into_iter().map(|(.., at)| at));
        }
        assert_eq!(sent, [1, 6, 11, 16].map(beat));
        fixture.put("a", &json!({ "heartbeat_at": beat(21), "phase": "agent" }));
        assert_eq!(fixture.changes(0, "phase"), job("a", "agent"));
        fixture.put("a", &json!({ "heartbeat_at": beat(22), "phase": "agent" }));
        assert_eq!(fixture.changes(1, "heartbeat_at"), []);
        assert_eq!(fixture.changes(3, "heartbeat_at"), []);
        assert_eq!(fixture.changes(1, "heartbeat_at"), job("a", beat(22)), "the last one is found in the end");
    }
}
