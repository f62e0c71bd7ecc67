//! What readers are told of the jobs: each as it is now, whenever it is not as it was last told.

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

use crate::index::{Index, Moment};

/// How often a job is told of that only gives signs of life.
const SIGNS_OF_LIFE_EVERY: Duration = Duration::from_secs(5);
/// What changes with every moment, and is no change.
const AGE: &str = "age_seconds";
/// What is only a sign of life.
const SIGNS_OF_LIFE: [&str; 3] = ["heartbeat_at", "last_output_at", "updated_at"];

/// One change, as readers are told it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// `job` for one that is new or another now, `gone` for one that is not there any more.
    pub(crate) name: &'static str,
    /// The job as a row of the list of jobs; of one that is gone, its id.
    pub(crate) data: String,
}

/// Remembers what was told of the jobs that are not over, or changed just now.
#[derive(Debug, Default)]
pub(crate) struct Teller(HashMap<JobId, Told>);

#[derive(Debug)]
struct Told {
    signs: Signs,
    /// The row without its age, and that without signs of life, as numbers to compare.
    row: Option<(u64, u64)>,
    at: Duration,
    /// Whether a sign of life was held back.
    is_behind: bool,
}

/// What may become of a job though its record stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    stalled: bool,
    quiet: bool,
    asked_to_stop: bool,
}

impl Teller {
    /// Looks for changes since the last look; the first one finds none.
    ///
    /// # Errors
    /// Whatever the disk says. What changed may then never be told.
    pub(crate) fn look(&mut self, store: &Store, index: &Index, moment: Moment) -> Result<Vec<Change>> {
        let news = index.news(store, moment)?;
        let mut changes = Vec::new();
        for id in news.gone {
            self.0.remove(&id);
            changes.push(Change { name: "gone", data: json!({ "job_id": id }).to_string() });
        }
        let mut due = news.touched;
        let mut kept: HashSet<JobId> = due.iter().cloned().collect();
        for (id, silence) in news.live {
            // Of one that cannot be looked at, its record tells that.
            let asked_to_stop = store.abort_requested(&id).unwrap_or(false);
            let signs = Signs { stalled: silence.stalled, quiet: silence.quiet, asked_to_stop };
            kept.insert(id.clone());
            match self.0.get_mut(&id) {
                Some(told) if told.signs == signs && !told.is_behind => {}
                Some(told) => {
                    told.signs = signs;
                    due.insert(id);
                }
                // Nothing says that it changed.
                None => drop(self.0.insert(id, Told { signs, row: None, at: Duration::ZERO, is_behind: false })),
            }
        }
        for id in due {
            match store.read_run(&id) {
                Ok(run) => {
                    let view = store.view(run, moment.now, moment.thresholds);
                    changes.extend(self.tell(id, &view, moment.uptime));
                }
                // The next look will find it gone.
                Err(Error::JobNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.0.retain(|id, _| kept.contains(id));
        Ok(changes)
    }

    /// Returns what is to be told of a job that may have changed, if anything.
    fn tell(&mut self, id: JobId, view: &RunView, uptime: Duration) -> Option<Change> {
        let mut row = view.to_json();
        let numbers = numbers(&mut row);
        let told = self.0.get_mut(&id);
        if let Some(told) = told
            && let Some((whole, essence)) = told.row
        {
            told.is_behind = whole != numbers.0;
            if !told.is_behind || (essence == numbers.1 && uptime < told.at + SIGNS_OF_LIFE_EVERY) {
                return None;
            }
        }
        let signs = view.job().map_or(Signs { stalled: false, quiet: false, asked_to_stop: false }, |job| Signs {
            stalled: job.stalled,
            quiet: job.quiet,
            asked_to_stop: job.abort_requested,
        });
        self.0.insert(id, Told { signs, row: Some(numbers), at: uptime, is_behind: false });
        Some(Change { name: "job", data: Value::Object(view.to_json()).to_string() })
    }
}

/// Returns a row's two numbers.
fn numbers(row: &mut Map<String, Value>) -> (u64, u64) {
    let number = |row: &Map<String, Value>| {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        hasher.finish()
    };
    row.remove(AGE);
    let whole = number(row);
    SIGNS_OF_LIFE.iter().for_each(|key| drop(row.remove(*key)));
    (whole, number(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pv_lib::{
        fs::{Fs, MemFs},
        job::Thresholds,
        layout::{InboxMode, Layout},
        store::Limits,
        time::Timestamp,
    };

    use super::*;

    const START: i64 = 1_769_860_800;

    struct Bed {
        fs: Arc<MemFs>,
        store: Store,
        index: Index,
        teller: Teller,
        seconds: u64,
    }

    impl Bed {
        fn new() -> Self {
            let fs = Arc::new(MemFs::new());
            fs.set_now(Timestamp::from_unix_seconds(START - 1000));
            let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
            fs.put_dir(&layout.runs);
            let store = Store::new(fs.clone(), layout, Limits::default(), "host");
            Self { fs, store, index: Index::default(), teller: Teller::default(), seconds: 0 }
        }

        fn put(&self, id: &str, fields: &Value) {
            let mut record = json!({
                "schema_version": 1, "job_id": id, "state": "running", "created_at": "2026-01-31T11:59:00Z",
                "heartbeat_at": "2026-01-31T12:00:00Z",
            });
            record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            self.fs.put(self.store.layout().runs.join(id).join("job.json"), record.to_string());
        }

        /// Looks after so many more seconds, and returns what is told: name, id, and the value of one key.
        fn told(&mut self, later: u64, key: &str) -> Vec<(&'static str, String, Value)> {
            self.seconds += later;
            let moment = Moment {
                now: Timestamp::from_unix_seconds(START + i64::try_from(self.seconds).unwrap()),
                uptime: Duration::from_secs(self.seconds),
                thresholds: Thresholds::default(),
            };
            let changes = self.teller.look(&self.store, &self.index, moment).unwrap();
            let read = |change: Change| {
                let row: Value = serde_json::from_str(&change.data).unwrap();
                (change.name, row["job_id"].as_str().unwrap().to_owned(), row[key].clone())
            };
            changes.into_iter().map(read).collect()
        }
    }

    fn job(id: &str, value: impl Into<Value>) -> Vec<(&'static str, String, Value)> {
        vec![("job", id.to_owned(), value.into())]
    }

    #[test]
    fn every_change_is_told_once() {
        let mut bed = Bed::new();
        bed.put("a", &json!({ "heartbeat_at": "2026-01-31T13:00:00Z" }));
        bed.put("old", &json!({ "state": "failed" }));
        assert_eq!(bed.told(0, "state"), [], "what was there before anybody listened");
        assert_eq!(bed.told(1, "state"), []);
        bed.put("b", &json!({ "state": "created" }));
        assert_eq!(bed.told(1, "state"), job("b", "created"));
        assert_eq!(bed.told(1, "state"), []);
        bed.put("b", &json!({ "state": "running" }));
        assert_eq!(bed.told(0, "state"), job("b", "running"));
        bed.put("b", &json!({ "state": "succeeded" }));
        assert_eq!(bed.told(0, "state"), job("b", "succeeded"), "though it is the same second");
        assert_eq!(bed.told(9, "state"), []);
        bed.put("old", &json!({ "state": "failed", "message": "by hand" }));
        assert_eq!(bed.told(60, "message"), job("old", "by hand"));
        bed.fs.put("/pv/runs/a/job.json", "{");
        assert_eq!(bed.told(1, "state"), job("a", "unknown"));
        bed.fs.remove_file("/pv/runs/a/job.json".into()).unwrap();
        bed.fs.remove_dir("/pv/runs/a".into()).unwrap();
        assert_eq!(bed.told(1, "state"), [("gone", "a".to_owned(), Value::Null)]);
        assert_eq!(bed.told(9, "state"), []);
        assert!(bed.teller.0.is_empty(), "nothing is remembered of what is over: {:?}", bed.teller.0);
    }

    #[test]
    fn what_follows_from_time_or_a_marker_is_told_too() {
        let mut bed = Bed::new();
        bed.put("a", &json!({}));
        assert_eq!(bed.told(0, "stalled"), []);
        assert_eq!(bed.told(60, "stalled"), []);
        assert_eq!(bed.told(1, "stalled"), job("a", true));
        assert_eq!(bed.told(1, "stalled"), []);
        bed.fs.put("/pv/runs/a/ABORT", "");
        assert_eq!(bed.told(1, "abort_requested"), job("a", true));
        assert_eq!(bed.told(1, "abort_requested"), []);
    }

    #[test]
    fn signs_of_life_are_told_now_and_then_and_changes_at_once() {
        let mut bed = Bed::new();
        bed.put("a", &json!({}));
        assert_eq!(bed.told(0, "heartbeat_at"), []);
        let beat = |second: u64| format!("2026-01-31T12:00:{second:02}Z");
        let mut told = Vec::new();
        for second in 1..=20 {
            bed.put("a", &json!({ "heartbeat_at": beat(second) }));
            told.extend(bed.told(1, "heartbeat_at").into_iter().map(|(.., at)| at));
        }
        assert_eq!(told, [1, 6, 11, 16].map(beat));
        bed.put("a", &json!({ "heartbeat_at": beat(21), "phase": "agent" }));
        assert_eq!(bed.told(0, "phase"), job("a", "agent"));
        bed.put("a", &json!({ "heartbeat_at": beat(22), "phase": "agent" }));
        assert_eq!(bed.told(1, "heartbeat_at"), []);
        assert_eq!(bed.told(3, "heartbeat_at"), []);
        assert_eq!(bed.told(1, "heartbeat_at"), job("a", beat(22)), "the last one is not lost");
    }
}
