//! A file that comes back as it was runs again, and somebody is told: a synchronizer may have brought it.

use std::{sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    fs::{Fs, MemFs},
    job::{JobId, JobRecord, JobState},
    store::Store,
};
use pv_watcher::{Reconciler, TickReport};

use crate::{
    machine::{TEXT, disk, id, now, reconciler, store},
    rounds::{FakeLauncher, HeldBy, INBOX},
};

const DROPPED: &str = "/pv/inbox/o/r/main/a.prompt.md";

struct Fixture {
    fs: Arc<MemFs>,
    store: Store,
    launcher: FakeLauncher,
    reconciler: Reconciler<HeldBy>,
    at: Duration,
}

impl Fixture {
    /// The first job has run, or still runs.
    fn new(is_over: bool) -> Self {
        let fs = Arc::new(disk());
        let store = store(&fs);
        let launcher = FakeLauncher::default();
        let reconciler = reconciler(&store, HeldBy { store: store.clone(), launcher: launcher.clone() });
        let mut fixture = Self { fs, store, launcher, reconciler, at: Duration::ZERO };
        fixture.drop_at(DROPPED, TEXT, 0);
        fixture.rounds();
        assert_eq!(fixture.record(0).same_file_as, None);
        if is_over {
            fixture.launcher.finish(&id(1000));
        }
        fixture
    }

    /// Puts a file into the inbox whose contents are from so many seconds after the first one's.
    fn drop_at(&self, path: &str, text: &str, seconds: u64) {
        let time = self.fs.now();
        self.fs.set_now(now().after(Duration::from_secs(seconds)));
        self.fs.put(path, text);
        self.fs.set_now(time.after(Duration::from_secs(60)));
    }

    fn rounds(&mut self) -> TickReport {
        let mut last = TickReport::default();
        for _ in 0..4 {
            self.at += Duration::from_secs(1);
            last = self.reconciler.round(self.at, now());
        }
        last
    }

    /// Returns the record of the nth job that was taken in.
    fn record(&self, nth: u64) -> JobRecord {
        self.store.read_run(&id(1000 + nth)).expect("there").into_record().expect("readable")
    }
}

fn said(round: &TickReport, job: &JobId) -> Option<String> {
    let of = round.unusable.entries.iter().find(|entry| entry.path.as_str().contains(job.as_str()));
    of.map(ToString::to_string)
}

#[test]
fn c27_a_file_that_comes_back_as_it_was_runs_again_and_is_named() {
    for is_over in [false, true] {
        let mut fixture = Fixture::new(is_over);
        let before = fixture.record(0).inbox_file.expect("is named");
        fixture.drop_at(DROPPED, TEXT, 0);
        let round = fixture.rounds();
        let record = fixture.record(1);
        assert_eq!(record.state(), JobState::Running, "whether it was meant to run again is not known");
        assert_eq!(record.same_file_as.as_deref(), Some(&*before), "over: {is_over}");
        let entry = said(&round, &record.job_id).expect("is named");
        assert!(
            entry.contains(&before) && entry.contains("synchronizer") && entry.contains("abort the job"),
            "{entry}"
        );
        assert!(!round.unusable.has_problem());
        fixture.launcher.finish(&record.job_id);
        assert_eq!(said(&fixture.rounds(), &record.job_id), None, "when it is over, its record says so");
        assert_eq!(fixture.record(1).same_file_as.as_deref(), Some(&*before));
    }
}

#[test]
fn c27_another_name_text_time_or_folder_is_another_file() {
    let other = TEXT.replace("please", "thanks");
    for (what, path, text, seconds) in [
        ("name", "/pv/inbox/o/r/main/b.prompt.md", TEXT, 0),
        ("text", DROPPED, &*other, 0),
        ("length", DROPPED, "# Do it\n", 0),
        ("time", DROPPED, TEXT, 5),
        ("folder", "/pv/inbox/o/r/main/sub/a.prompt.md", TEXT, 0),
        ("branch", "/pv/inbox/o/r/dev/a.prompt.md", TEXT, 0),
    ] {
        for is_over in [false, true] {
            let mut fixture = Fixture::new(is_over);
            fixture.drop_at(path, text, seconds);
            let round = fixture.rounds();
            assert_eq!(fixture.record(1).same_file_as, None, "{what}, over: {is_over}");
            assert!(round.unusable.is_empty(), "{what}: {:?}", round.unusable);
        }
    }
}

#[test]
fn c27_it_is_found_among_several_of_its_name_and_under_the_id_of_a_submitted_one() {
    let mut fixture = Fixture::new(true);
    // Another one of the same name, which is archived with its id.
    fixture.drop_at(DROPPED, "# Another\n", 50);
    fixture.rounds();
    fixture.launcher.finish(&id(1001));
    let archived = format!("/pv/finished/o/r/main/a-{}.done.md", id(1001));
    assert!(fixture.fs.stat(Utf8Path::new(&archived)).is_ok());
    fixture.drop_at(DROPPED, "# Another\n", 50);
    fixture.rounds();
    assert_eq!(fixture.record(2).same_file_as.as_deref(), Some(&*archived));
    // The synchronizer knows it under the name that it had while it waited.
    fixture.drop_at(&format!("{INBOX}/a-{}.prompt.md", id(1000)), TEXT, 1);
    fixture.rounds();
    let record = fixture.record(3);
    assert_eq!(record.same_file_as.as_deref(), Some("/pv/finished/o/r/main/a.done.md"));
    assert_eq!(record.inbox_rel, Some(format!("o/r/main/a-{}.prompt.md", id(1000))));
}
