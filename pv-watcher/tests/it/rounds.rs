//! What the watcher does in its rounds, on the in-memory file system, with supervisors that tests hold in their launcher.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap, HashSet},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    fs::{Fs, Kind, MemFs, durable::Durability},
    job::{FailReason, JobId, JobRecord, JobState, Outcome},
    store::{RunWriter, Store},
};
use pv_watcher::{Launcher, LockHolder, Reconciler, TickReport};

use crate::machine::{TEXT, copies, disk, id, now, reconciler, started, store, submit, tuning};

pub(crate) const INBOX: &str = "/pv/inbox/o/r/main";

/// Supervisors that hold their run's lock until the test lets them go.
#[derive(Clone, Default)]
pub(crate) struct FakeLauncher(pub(crate) Rc<RefCell<InHands>>);

#[derive(Default)]
pub(crate) struct InHands {
    pub(crate) held: HashMap<JobId, RunWriter>,
    pub(crate) refuse: bool,
    pub(crate) die_at_once: bool,
    pub(crate) launched: usize,
    pub(crate) executed: Vec<JobId>,
    pub(crate) leftovers_ended: Vec<JobId>,
    pub(crate) hung_ended: usize,
    pub(crate) dies_when_killed: bool,
    /// The jobs that an empty cgroup is left of.
    pub(crate) cgroups: Vec<JobId>,
}

pub(crate) struct HeldBy {
    pub(crate) store: Store,
    pub(crate) launcher: FakeLauncher,
}

impl Launcher for HeldBy {
    fn launch(&mut self, id: &JobId) -> io::Result<()> {
        let mut launcher = self.launcher.0.borrow_mut();
        launcher.launched += 1;
        if launcher.refuse {
            return Err(io::ErrorKind::WouldBlock.into());
        } else if launcher.die_at_once {
            return Ok(());
        }
        let mut writer = self.store.writer(id).map_err(io::Error::other)?;
        if writer.record().state() == JobState::Created {
            writer.write_prompt().map_err(io::Error::other)?;
            writer.start(started()).map_err(io::Error::other)?;
            launcher.executed.push(id.clone());
        }
        launcher.held.insert(id.clone(), writer);
        Ok(())
    }

    fn active(&mut self) -> HashSet<JobId> {
        self.launcher.0.borrow().held.keys().cloned().collect()
    }

    fn kill_orphans(&mut self, id: &JobId) -> io::Result<usize> {
        self.launcher.0.borrow_mut().leftovers_ended.push(id.clone());
        Ok(0)
    }

    fn kill_hung(&mut self, lock: &Utf8Path) -> io::Result<LockHolder> {
        let mut launcher = self.launcher.0.borrow_mut();
        launcher.hung_ended += 1;
        if !launcher.dies_when_killed {
            return Ok(LockHolder::Remains);
        }
        let id = lock.file_name().and_then(JobId::minted).expect("a lock is named after its job");
        Ok(launcher.held.remove(&id).map_or(LockHolder::Nobody, |_| LockHolder::Gone))
    }

    fn remove_empty_cgroups(&mut self, is_over: &mut dyn FnMut(&JobId) -> bool) -> usize {
        let cgroups = std::mem::take(&mut self.launcher.0.borrow_mut().cgroups);
        let (needless, left): (Vec<_>, Vec<_>) = cgroups.into_iter().partition(|id| is_over(id));
        self.launcher.0.borrow_mut().cgroups = left;
        needless.len()
    }

    fn remove_checkout(&mut self, _dir: &Utf8Path) -> io::Result<()> {
        Ok(())
    }
}

impl FakeLauncher {
    fn reconciler(&self, store: &Store) -> Reconciler<HeldBy> {
        reconciler(store, HeldBy { store: store.clone(), launcher: self.clone() })
    }

    pub(crate) fn running(&self) -> Vec<JobId> {
        let mut ids: Vec<JobId> = self.0.borrow().held.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Lets a supervisor finish its job and go.
    pub(crate) fn finish(&self, id: &JobId) {
        self.finish_as(id, Outcome::Succeeded { message: None });
    }

    pub(crate) fn finish_as(&self, id: &JobId, outcome: Outcome) {
        let mut writer = self.0.borrow_mut().held.remove(id).expect("it is running");
        writer.finish(outcome, now()).expect("finishes");
        writer.archive().expect("archives");
    }

    pub(crate) fn update(&self, id: &JobId, change: impl FnOnce(&mut JobRecord)) {
        let mut launcher = self.0.borrow_mut();
        launcher.held.get_mut(id).expect("it is running").update(Durability::Full, change).expect("writes");
    }

    /// Lets a supervisor die.
    pub(crate) fn kill(&self, id: &JobId) {
        self.0.borrow_mut().held.remove(id).expect("it is running");
    }
}

pub(crate) struct Fixture {
    pub(crate) fs: Arc<MemFs>,
    pub(crate) store: Store,
    pub(crate) launcher: FakeLauncher,
    pub(crate) reconciler: Reconciler<HeldBy>,
    pub(crate) at: Duration,
}

pub(crate) fn fixture() -> Fixture {
    let fs = Arc::new(disk());
    let store = store(&fs);
    let launcher = FakeLauncher::default();
    let reconciler = launcher.reconciler(&store);
    Fixture { fs, store, launcher, reconciler, at: Duration::ZERO }
}

impl Fixture {
    /// Does rounds, a second apart, until one has nothing new to look at.
    pub(crate) fn settle(&mut self) -> TickReport {
        for _ in 0..20 {
            self.at += Duration::from_secs(1);
            let round = self.reconciler.round(self.at, now());
            if !round.again {
                return round;
            }
        }
        panic!("the rounds never settle");
    }

    pub(crate) fn state(&self, id: &JobId) -> JobState {
        self.store.read_run(id).expect("there").state().expect("readable")
    }

    fn only(&self) -> JobId {
        let mut ids = self.store.run_ids().expect("lists");
        assert_eq!(ids.len(), 1, "{ids:?}");
        ids.remove(0)
    }
}

#[test]
fn a_submitted_prompt_is_started_in_the_first_round_and_archived_when_it_is_over() {
    let mut fixture = fixture();
    let receipt = submit(&fixture.store, 1).expect("submits").remove(0);
    assert_eq!(fixture.settle().running, 1);
    assert_eq!(fixture.state(&receipt.job_id), JobState::Running);
    fixture.launcher.finish(&receipt.job_id);
    assert_eq!(fixture.settle(), TickReport::default());
    assert_eq!(fixture.state(&receipt.job_id), JobState::Succeeded);
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.done.md"]);
    let record = fixture.store.read_run(&receipt.job_id).expect("there").into_record().expect("readable");
    assert_eq!(record.inbox_file.as_deref(), Some("/pv/finished/o/r/main/demo1.done.md"));
    assert_eq!(record.inbox_rel.as_deref(), Some(format!("o/r/main/demo1-{}.prompt.md", id(1)).as_str()));
}

#[test]
fn b02_a_job_that_is_over_is_waited_for_until_its_supervisor_is_gone() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    let launcher = Rc::clone(&fixture.launcher.0);
    let finish = |writer: &mut RunWriter| writer.finish(Outcome::Succeeded { message: None }, now());
    finish(launcher.borrow_mut().held.get_mut(&id(1)).expect("it runs")).expect("finishes");
    let round = fixture.settle();
    assert_eq!((round.running, round.finishing, round.goes_on()), (0, 1, true), "its prompt is still in the inbox");
    launcher.borrow_mut().held.remove(&id(1));
    assert_eq!(fixture.settle(), TickReport::default());
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.done.md"]);
}

#[test]
fn no_more_run_than_there_is_room_for_and_the_oldest_first() {
    let mut fixture = fixture();
    submit(&fixture.store, 5).expect("submits");
    let two = pv_watcher::Tuning { max_concurrent: 2, ..tuning() };
    fixture.reconciler = Reconciler::new(
        fixture.store.clone(),
        two,
        HeldBy { store: fixture.store.clone(), launcher: fixture.launcher.clone() },
        Box::new(|| id(99)),
    );
    let round = fixture.settle();
    assert_eq!((round.running, round.waiting), (2, 3));
    assert_eq!(fixture.launcher.running(), [id(1), id(2)]);
    fixture.launcher.finish(&id(2));
    fixture.settle();
    assert_eq!(fixture.launcher.running(), [id(1), id(3)]);
}

#[test]
fn no_more_of_one_repository_than_configured() {
    let mut fixture = fixture();
    fixture.fs.put_dir("/pv/inbox/o/other/main");
    submit(&fixture.store, 2).expect("submits");
    fixture.fs.put("/pv/inbox/o/other/main/x.prompt.md", "other");
    let one = pv_watcher::Tuning { max_per_repo: Some(1), ..tuning() };
    fixture.reconciler = Reconciler::new(
        fixture.store.clone(),
        one,
        HeldBy { store: fixture.store.clone(), launcher: fixture.launcher.clone() },
        Box::new(|| id(99)),
    );
    let round = fixture.settle();
    assert_eq!((round.running, round.waiting), (2, 1));
    assert_eq!(fixture.launcher.running(), [id(1), id(99)]);
}

#[test]
fn g12_same_name_again_loses_nothing() {
    let mut fixture = fixture();
    for n in 0..6 {
        fixture.fs.put(format!("{INBOX}/demo.prompt.md"), format!("text {n}"));
        fixture.settle();
    }
    assert_eq!(fixture.launcher.running().len(), 6);
    for id in fixture.launcher.running() {
        fixture.launcher.finish(&id);
    }
    fixture.settle();
    let mut over = copies(&fixture.fs, "/pv/finished", "text");
    over.sort();
    assert_eq!(over.len(), 6, "{over:?}");
    for n in 0..6 {
        assert_eq!(copies(&fixture.fs, "/pv/finished", &format!("text {n}")).len(), 1, "text {n}");
    }
    assert!(over.contains(&"/pv/finished/o/r/main/demo.done.md".to_owned()), "{over:?}");
}

#[test]
fn g13_what_is_no_prompt_never_runs() {
    let mut fixture = fixture();
    for name in [
        ".hidden.prompt.md",
        ".syncthing.x.prompt.md.tmp",
        "x.sync-conflict-20260101-120000-ABC.prompt.md",
        "x.prompt.md~",
        ".#x.prompt.md",
        "#x.prompt.md#",
        "x.prompt.md.swp",
        "x.prompt.md.part",
        ".nfs0000",
        "notes.md",
        "x.prompt.txt",
        "over.done.md",
    ] {
        fixture.fs.put(format!("{INBOX}/{name}"), TEXT);
    }
    fixture.fs.put(format!("{INBOX}/empty.prompt.md"), "");
    fixture.fs.put_link(format!("{INBOX}/link.prompt.md"), "/etc/passwd");
    fixture.fs.put_special(format!("{INBOX}/pipe.prompt.md"), Kind::Other);
    fixture.fs.put_special(format!("{INBOX}/latin1.prompt.md"), Kind::NotUtf8);
    fixture.fs.put_dir(format!("{INBOX}/folder.prompt.md"));
    for _ in 0..3 {
        fixture.settle();
    }
    assert_eq!(fixture.store.run_ids().expect("lists"), []);
    let named = |seconds: u64| {
        let unusable = fixture.store.scan_inbox(now().after(Duration::from_secs(seconds))).unusable;
        let names = unusable.entries.iter().filter_map(|entry| entry.path.file_name().map(str::to_owned));
        names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let at_once = [
        "folder.prompt.md",
        "latin1.prompt.md",
        "link.prompt.md",
        "notes.md",
        "over.done.md",
        "pipe.prompt.md",
        "x.prompt.txt",
        "x.sync-conflict-20260101-120000-ABC.prompt.md",
    ];
    assert_eq!(named(4), at_once);
    let mut later = [&at_once[..], &["empty.prompt.md"]].concat();
    later.sort_unstable();
    assert_eq!(named(70), later);
    later.extend([".hidden.prompt.md", ".syncthing.x.prompt.md.tmp", "x.prompt.md.part"]);
    later.sort_unstable();
    assert_eq!(named(3700), later, "what goes by itself is named when it stays");
}

#[test]
fn g02_a_file_is_adopted_only_when_it_has_stopped_changing() {
    let mut fixture = fixture();
    let slow = pv_watcher::Tuning { settle: Duration::from_secs(2), ..tuning() };
    fixture.reconciler = Reconciler::new(
        fixture.store.clone(),
        slow,
        HeldBy { store: fixture.store.clone(), launcher: fixture.launcher.clone() },
        Box::new(|| id(99)),
    );
    let path = format!("{INBOX}/demo.prompt.md");
    for n in 1..8 {
        fixture.fs.write(&path, "x".repeat(n));
        assert_eq!(fixture.settle().settling, 1, "still written to, byte {n}");
        assert!(fixture.store.run_ids().expect("lists").is_empty());
    }
    assert_eq!(fixture.settle().settling, 1, "unchanged for a second");
    let round = fixture.settle();
    assert_eq!((round.settling, round.running), (0, 1), "unchanged for two seconds");
    assert_eq!(fixture.store.prompt(&id(99)).expect("there"), b"xxxxxxx");
}

#[test]
fn a_removed_prompt_is_withdrawn_but_an_unmounted_inbox_withdraws_nothing() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().refuse = true;
    let receipt = submit(&fixture.store, 1).expect("submits").remove(0);
    let claimed = format!("{INBOX}/demo1-{}.running.md", id(1));
    fixture.settle();
    // The launcher refused, so the prompt is claimed and waits for the next try.
    assert_eq!(fixture.state(&receipt.job_id), JobState::Created);
    let away = |from: &str, to: &str| {
        let bytes = fixture.fs.read_at(Utf8Path::new(from), 0, 1000).expect("reads");
        fixture.fs.remove_file(Utf8Path::new(from)).expect("removes");
        if !to.is_empty() {
            fixture.fs.put(to, bytes);
        }
    };
    away(&claimed, "/elsewhere/x");
    fixture.fs.remove_dir(Utf8Path::new(INBOX)).expect("removes");
    for _ in 0..4 {
        fixture.at += Duration::from_secs(1);
        fixture.reconciler.round(fixture.at, now());
    }
    assert_eq!(fixture.state(&receipt.job_id), JobState::Created, "its branch folder is not there");
    fixture.fs.put_dir(INBOX);
    fixture.settle();
    fixture.settle();
    assert_eq!(fixture.state(&receipt.job_id), JobState::Aborted);
    let message = fixture.store.read_run(&receipt.job_id).expect("there").into_record().expect("readable").message;
    assert!(message.expect("says why").contains("withdrawn"));
}

#[test]
fn an_abort_before_the_start_ends_the_job_and_keeps_its_prompt() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().refuse = true;
    submit(&fixture.store, 1).expect("submits");
    let receipt = fixture.store.request_abort(&id(1), now()).expect("asks");
    assert_eq!(receipt.previous_state, JobState::Created);
    assert_eq!(fixture.store.request_abort(&id(1), now().after(Duration::from_secs(9))).expect("asks"), receipt);
    fixture.settle();
    assert_eq!(fixture.state(&id(1)), JobState::Aborted);
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.aborted.md"]);
    assert!(fixture.store.prompt(&id(1)).is_ok(), "a retry needs its prompt");
}

#[test]
fn a_prompt_left_running_by_the_earlier_service_is_archived_and_never_executed() {
    let mut fixture = fixture();
    fixture.fs.put(format!("{INBOX}/old.running.md"), TEXT);
    fixture.settle();
    let record = fixture.store.read_run(&fixture.only()).expect("there").into_record().expect("readable");
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)));
    assert!(fixture.launcher.running().is_empty());
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/old.error.md"]);
}

#[test]
fn a_prompt_that_carries_the_id_of_a_job_that_is_over_gets_a_new_one() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.launcher.finish(&id(1));
    fixture.fs.put(format!("{INBOX}/again-{}.prompt.md", id(1)), TEXT);
    fixture.settle();
    assert_eq!(fixture.launcher.running(), [id(1000)]);
    assert_eq!(fixture.state(&id(1)), JobState::Succeeded, "terminal is final");
}

#[test]
fn a_copy_that_carries_the_id_of_a_waiting_job_becomes_a_job_of_its_own() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().refuse = true;
    submit(&fixture.store, 1).expect("submits");
    fixture.fs.put(format!("{INBOX}/a-copy-{}.prompt.md", id(1)), "copied");
    fixture.settle();
    fixture.launcher.0.borrow_mut().refuse = false;
    fixture.settle();
    assert_eq!(fixture.launcher.running(), [id(1), id(1000)]);
    assert_eq!(fixture.store.prompt(&id(1000)).expect("there"), b"copied");
}

#[test]
fn a_damaged_record_is_neither_started_nor_fatal() {
    let mut fixture = fixture();
    submit(&fixture.store, 2).expect("submits");
    fixture.fs.put(format!("/pv/runs/{}/job.json", id(1)), "{ torn");
    fixture.settle();
    assert_eq!(fixture.launcher.running(), [id(2)]);
    assert_eq!(fixture.store.runs().expect("lists").len(), 2);
}

#[test]
fn an_overlong_name_is_adopted_under_a_shorter_one() {
    let mut fixture = fixture();
    let stem = "é".repeat(120);
    fixture.fs.put(format!("{INBOX}/{stem}.prompt.md"), TEXT);
    fixture.settle();
    assert_eq!(fixture.launcher.running().len(), 1);
}
