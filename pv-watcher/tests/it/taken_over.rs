//! Jobs that version 0.1.0 began: this version goes on with them as with its own, and runs nothing twice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    fs::MemFs,
    job::{JobId, JobRecord, JobState},
    store::{RunWriter, Store},
    time::Timestamp,
};
use pv_watcher::{Reconciler, TickReport};

use crate::{
    machine::{TEXT, copies, disk, reconciler, store},
    rounds::{FakeLauncher, HeldBy},
};

const RECORDS: [&str; 7] = [
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/created.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/running.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/running_dropped.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/succeeded.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/failed_exit.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/failed_interrupted.json"),
    include_str!("../../../pv-lib/tests/it/recorded/0.1.0/aborted.json"),
];

/// What its watcher wrote of itself.
const STATUS: &str = r#"{"pid":25339,"host":"host","version":"0.1.0","started_at":"2026-11-27T22:16:11Z","beat_at":"2026-11-27T22:16:14Z","max_concurrent":7,"running":7,"waiting":3}"#;

/// A minute after its records were written.
fn now() -> Timestamp {
    "2026-11-27T22:17:20Z".parse().expect("is a time")
}

struct Fixture {
    fs: Arc<MemFs>,
    store: Store,
    launcher: FakeLauncher,
    reconciler: Reconciler<HeldBy>,
    before: BTreeMap<JobId, JobRecord>,
    at: Duration,
}

impl Fixture {
    /// A root as that version left it: each prompt is where its record says.
    fn new() -> Self {
        let fs = Arc::new(disk());
        fs.set_now(now());
        let mut before = BTreeMap::new();
        for text in RECORDS {
            let record = JobRecord::from_bytes(text.as_bytes()).expect("readable");
            fs.put(format!("/pv/runs/{}/job.json", record.job_id), text);
            fs.put(record.inbox_file.clone().expect("is named"), format!("{TEXT}{}", record.job_id));
            before.insert(record.job_id.clone(), record);
        }
        fs.put("/pv/runs/.locks/.watcher.json", STATUS);
        let store = store(&fs);
        let launcher = FakeLauncher::default();
        let reconciler = reconciler(&store, HeldBy { store: store.clone(), launcher: launcher.clone() });
        Self { fs, store, launcher, reconciler, before, at: Duration::ZERO }
    }

    fn of(&self, state: JobState) -> Vec<JobId> {
        self.before.values().filter(|record| record.state() == state).map(|record| record.job_id.clone()).collect()
    }

    fn rounds(&mut self) -> TickReport {
        let mut last = TickReport::default();
        for _ in 0..5 {
            self.at += Duration::from_secs(1);
            last = self.reconciler.round(self.at, now());
        }
        last
    }

    fn record(&self, id: &JobId) -> JobRecord {
        self.store.read_run(id).expect("there").into_record().expect("readable")
    }
}

#[test]
fn running_jobs_of_version_0_1_0_are_left_to_their_supervisors_and_waiting_ones_run_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.store.watcher_status().expect("reads").map(|status| status.version).as_deref(), Some("0.1.0"));
    let (running, created) = (fixture.of(JobState::Running), fixture.of(JobState::Created));
    // Their supervisors are processes of that version, which hold their locks.
    let held: Vec<RunWriter> = running.iter().map(|id| fixture.store.writer(id).expect("is free")).collect();
    let round = fixture.rounds();
    assert!(round.unusable.is_empty(), "{:?}", round.unusable);
    assert_eq!((round.running, fixture.launcher.running()), (3, created.clone()));
    assert_eq!(fixture.launcher.0.borrow().executed, created);
    for (id, before) in &fixture.before {
        if !created.contains(id) {
            assert_eq!(fixture.record(id), *before, "it is not touched");
        }
    }
    // They end, and write what that version writes.
    drop(held);
    fixture.launcher.finish(&created[0]);
    assert_eq!(fixture.record(&created[0]).state(), JobState::Succeeded);
}

#[test]
fn a_job_of_version_0_1_0_whose_supervisor_is_gone_is_brought_to_its_end_and_never_run_again() {
    let mut fixture = Fixture::new();
    let (running, created) = (fixture.of(JobState::Running), fixture.of(JobState::Created));
    fixture.rounds();
    let mut taken = [&running[..], &created].concat();
    taken.sort();
    assert_eq!(fixture.launcher.running(), taken, "each has a supervisor again");
    assert_eq!(fixture.launcher.0.borrow().executed, created, "an agent is run for the waiting one alone");
    taken.iter().for_each(|id| fixture.launcher.finish(id));
    fixture.rounds();
    for (id, before) in &fixture.before {
        let text = format!("{TEXT}{id}");
        let [archived] = &copies(&fixture.fs, "/pv/finished", &text)[..] else { panic!("{id} is archived once") };
        let record = fixture.record(id);
        assert_eq!(record.inbox_file.as_deref(), Some(archived.as_str()), "{id}");
        assert_eq!(copies(&fixture.fs, "/pv/inbox", &text), [""; 0], "{id}");
        assert!(record.state().is_terminal() && record.created_at == before.created_at, "{record:?}");
        assert_eq!(record.inbox_rel, before.inbox_rel, "what it says is kept");
    }
    assert_eq!(fixture.store.run_ids().expect("lists").len(), RECORDS.len(), "no job is made of another");
    assert!(fixture.store.fs().list(Utf8Path::new("/pv/inbox/o/r/main")).expect("lists").is_empty());
}
