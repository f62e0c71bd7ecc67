//! One cause costs one job, not the queue: twenty jobs, a watcher, and supervisors that take a recorded agent's events the
//! way the real ones do, minute by minute, on the in-memory file system.

use std::{cell::RefCell, fmt::Write, rc::Rc, sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    fs::{Fs, MemFs},
    job::{HoldKind, JobId, JobState},
    layout::{InboxMode, Layout},
    prompt::{Source as PromptSource, Submission},
    store::{Store, StoreLimits},
    supervise::{Ending, Exit, TimeLimits},
    time::Timestamp,
};

use super::{
    hold_writer::HoldWriter,
    judgement::judge,
    one_cause_supervisors::{AGENT, Jobs, Running, Supervisors, WORK_MINUTES, World},
};
use crate::watch::{Reconciler, TickReport, Tuning};

const JOBS: u64 = 20;

/// How many rounds the watcher does in a minute.
const ROUNDS_PER_MINUTE: usize = 3;

const EXPIRED: &[u8] = include_bytes!("recorded/codex-401.jsonl");
const LIMIT_WITHOUT_END: &[u8] = include_bytes!("recorded/codex-429.jsonl");
const WORKS: &[u8] = include_bytes!("recorded/codex-writes.jsonl");
const MENTIONS: &[u8] = include_bytes!("recorded/codex-mentions.jsonl");

struct Scene {
    store: Store,
    tuning: Tuning,
    jobs: Rc<RefCell<Jobs>>,
    world: Rc<RefCell<World>>,
    now: Rc<RefCell<Timestamp>>,
    minute: u64,
    table: String,
    last: Vec<u64>,
}

fn begin() -> Timestamp {
    Timestamp::from_unix_seconds(1_767_225_600)
}

impl Scene {
    fn new(what: &str, world: World, max_concurrent: usize) -> Self {
        let fs = Arc::new(MemFs::new());
        for dir in ["/pv/inbox/o/r/main", "/pv/runs/.locks", "/pv/finished/o/r/main", "/pv/work"] {
            fs.put_dir(dir);
        }
        let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
        let store = Store::new(fs as Arc<dyn Fs>, layout, StoreLimits::default(), "host");
        let submission = |n| Submission {
            repo: "o/r".into(),
            branch: "main".into(),
            markdown: "# Do it\n".into(),
            filename: Some(format!("job{n}.md")),
            source: PromptSource::Api,
            retry_of: None,
        };
        let mut next = 0;
        let mut mint = || {
            next += 1;
            JobId::minted(&format!("{next:032x}")).expect("32 digits")
        };
        store.submit(&(1..=JOBS).map(submission).collect::<Vec<_>>(), &mut mint, begin()).expect("submits");
        let tuning = Tuning {
            max_concurrent,
            max_per_repo: None,
            settle: Duration::ZERO,
            retry_pause: Duration::ZERO,
            hung_after: Duration::from_secs(40),
            default_agent: AGENT.into(),
            repos: pv_lib::config::Repos::default(),
        };
        let table =
            format!("\n{what}, {max_concurrent} at once\nminute  started  running  failed  succeeded  waiting\n");
        Self {
            store,
            tuning,
            jobs: Rc::default(),
            world: Rc::new(RefCell::new(world)),
            now: Rc::new(RefCell::new(begin())),
            minute: 0,
            table,
            last: vec![],
        }
    }

    /// Lets time pass until this minute is over. At the end of each, jobs that are due end, and a watcher does its
    /// rounds: a new one each time, which knows nothing but the disk.
    fn until_minute(&mut self, minute: u64) {
        while self.minute <= minute {
            *self.now.borrow_mut() = self.time();
            self.end_what_is_due();
            let launcher = Supervisors {
                store: self.store.clone(),
                jobs: Rc::clone(&self.jobs),
                world: Rc::clone(&self.world),
                now: Rc::clone(&self.now),
            };
            let mint = Box::new(|| panic!("nothing is adopted"));
            let mut reconciler = Reconciler::new(self.store.clone(), self.tuning.clone(), launcher, mint);
            let (uptime, now) = (Duration::from_secs(60 * self.minute), self.time());
            let mut round = TickReport::default();
            // A job that ends at once makes room for the next in the round after.
            for _ in 0..ROUNDS_PER_MINUTE {
                round = reconciler.round(uptime, now);
            }
            assert!(round.unusable.is_empty(), "{:?}", round.unusable);
            self.write_row();
            self.minute += 1;
        }
    }

    fn time(&self) -> Timestamp {
        begin().after(Duration::from_secs(60 * self.minute))
    }

    fn end_what_is_due(&self) {
        let now = self.time();
        let due: Vec<(JobId, Running)> =
            self.jobs.borrow_mut().running.extract_if(.., |_, job| job.ends_at <= now).collect();
        for (id, Running { mut writer, log, code, .. }) in due {
            let mut holds = HoldWriter::new(&self.store, AGENT, id, writer.record().started_at);
            let (_, report) = log.finish(true);
            let second = Duration::from_secs(1);
            let limits = TimeLimits {
                timeout: None,
                idle_timeout: None,
                heartbeat: second,
                grace: second,
                kill: second,
                clean_scans: 1,
                settle: None,
            };
            let ending = Ending { cause: None, exit: Some(Exit::Code(code)), clean: true };
            let outcome = judge("the agent", &ending, report.as_ref(), false, &limits);
            holds.settle(&outcome, true, report.as_ref(), now);
            writer.finish(outcome, now).expect("finishes");
            writer.archive().expect("archives");
        }
    }

    fn count(&self, state: JobState) -> u64 {
        let runs = self.store.runs().expect("lists");
        runs.iter().filter(|run| run.state() == Some(state)).count() as u64
    }

    /// Returns how many jobs were started, run, failed, succeeded and wait.
    fn counts(&self) -> [u64; 5] {
        let of = |state| self.count(state);
        let started = self.jobs.borrow().started.len() as u64;
        [started, of(JobState::Running), of(JobState::Failed), of(JobState::Succeeded), of(JobState::Created)]
    }

    /// Adds the minute to the table where it changed anything.
    fn write_row(&mut self) {
        let counts = self.counts().to_vec();
        if counts != self.last {
            let [started, running, failed, succeeded, waiting] = self.counts();
            let minute = self.minute;
            writeln!(self.table, "{minute:>6}  {started:>7}  {running:>7}  {failed:>6}  {succeeded:>9}  {waiting:>7}")
                .expect("writes");
            self.last = counts;
        }
    }

    fn becomes(&mut self, world: World) {
        *self.world.borrow_mut() = world;
        writeln!(
            self.table,
            "        (before minute {}: {})",
            self.minute,
            match world {
                World::Fails(_) => "it fails",
                World::NoProgram => "its program is gone",
                World::Works(_) => "its cause is gone",
                World::Crashes => "it ends without a word",
            }
        )
        .expect("writes");
    }

    /// Returns the kinds of the holds with their ends in minutes.
    fn holds(&self) -> Vec<(HoldKind, u64)> {
        let holds = self.store.holds(self.time()).expect("reads").all();
        holds.iter().map(|hold| (hold.kind, hold.until.since(begin()).as_secs() / 60)).collect()
    }

    /// Lets so many jobs run at once from now on.
    fn allow(&mut self, max_concurrent: usize) {
        self.tuning.max_concurrent = max_concurrent;
        writeln!(self.table, "        (before minute {}: {max_concurrent} at once)", self.minute).expect("writes");
    }

    fn lift(&mut self, kind: HoldKind) {
        assert!(self.store.lift_hold(AGENT, kind).expect("lifts"));
        writeln!(self.table, "        (before minute {}: pv resume --agent {AGENT} --all)", self.minute)
            .expect("writes");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        println!("{}", self.table);
    }
}

/// One cause that a person has to end: one job finds it out, one is tried at each end of the hold, and all the others run
/// when it is gone.
fn a_cause_that_stays(what: &str, world: World, kind: HoldKind) {
    let mut scene = Scene::new(what, world, 1);
    scene.until_minute(1);
    assert_eq!(scene.counts(), [1, 0, 1, 0, 19], "one failed, 19 wait");
    let found_out_at = if world == World::NoProgram { 0 } else { 1 };
    let first = found_out_at + 15;
    assert_eq!(scene.holds(), [(kind, first)]);
    scene.allow(4);
    scene.until_minute(first - 1);
    assert_eq!(scene.counts(), [1, 0, 1, 0, 19]);
    // At its end one is tried, though there is room for four, and fails like the first: twice as long.
    scene.until_minute(first);
    assert_eq!(scene.counts()[0], 2, "one was tried");
    scene.until_minute(first + 1);
    assert_eq!(scene.counts(), [2, 0, 2, 0, 18]);
    let second = first + found_out_at + 30;
    assert_eq!(scene.holds(), [(kind, second)]);
    // The cause goes: at the end one is tried, and lifts the hold.
    scene.becomes(World::Works(WORKS));
    scene.until_minute(second - 1);
    assert_eq!(scene.counts(), [2, 0, 2, 0, 18]);
    scene.until_minute(second);
    assert_eq!((scene.counts(), scene.holds()), ([6, 4, 2, 0, 14], vec![]), "it has answered: all start that fit");
    scene.until_minute(second + 5 * WORK_MINUTES);
    assert_eq!(scene.counts(), [20, 0, 2, 18, 0]);
}

#[test]
fn c02_an_expired_login_costs_one_job_at_a_time() {
    a_cause_that_stays("an expired login", World::Fails(EXPIRED), HoldKind::Auth);
}

#[test]
fn c02_a_missing_program_costs_one_job_at_a_time() {
    a_cause_that_stays("a missing program", World::NoProgram, HoldKind::Start);
}

#[test]
fn c02_a_limit_without_a_known_end_is_tried_after_15_30_and_60_minutes() {
    let mut scene = Scene::new("a limit without an end", World::Fails(LIMIT_WITHOUT_END), 1);
    let mut at = 0;
    for (failed, wait) in [(1, 15), (2, 30), (3, 60), (4, 120)] {
        scene.until_minute(at + 1);
        assert_eq!(scene.counts(), [failed, 0, failed, 0, JOBS - failed]);
        assert_eq!(scene.holds(), [(HoldKind::Quota, at + 1 + wait)]);
        scene.until_minute(at + wait);
        assert_eq!(scene.counts(), [failed, 0, failed, 0, JOBS - failed], "all wait until then");
        at += 1 + wait;
    }
    // Once it was lifted the count begins anew.
    scene.becomes(World::Works(WORKS));
    scene.until_minute(at);
    assert_eq!(scene.holds(), []);
    scene.becomes(World::Fails(LIMIT_WITHOUT_END));
    scene.until_minute(at + WORK_MINUTES + 1);
    assert_eq!(scene.holds(), [(HoldKind::Quota, at + WORK_MINUTES + 1 + 15)]);
}

#[test]
fn c02_the_output_of_a_tool_that_says_401_holds_nobody() {
    let mut scene = Scene::new("a tool that says 401", World::Works(MENTIONS), 4);
    scene.until_minute(JOBS / 4 * WORK_MINUTES);
    assert_eq!((scene.counts(), scene.holds()), ([20, 0, 0, 20, 0], vec![]));
}

#[test]
fn c02_no_more_than_run_at_once_find_it_out_and_one_of_them_is_tried() {
    let mut scene = Scene::new("an expired login", World::Fails(EXPIRED), 3);
    scene.until_minute(1);
    assert_eq!(scene.counts(), [3, 0, 3, 0, 17]);
    assert_eq!(scene.holds(), [(HoldKind::Auth, 16)], "the same finding of three jobs is one");
    scene.becomes(World::Works(MENTIONS));
    scene.until_minute(15);
    assert_eq!(scene.counts(), [3, 0, 3, 0, 17]);
    // The one that is tried lifts the hold with its first event: all that fit start at once.
    scene.until_minute(16);
    assert_eq!((scene.counts(), scene.holds()), ([6, 3, 3, 0, 14], vec![]));
}

#[test]
fn c02_one_that_is_tried_and_proves_nothing_is_followed_by_the_next() {
    let mut scene = Scene::new("an expired login, then ends without a word", World::Fails(EXPIRED), 3);
    scene.until_minute(1);
    scene.becomes(World::Crashes);
    for tried in 1..=3 {
        scene.until_minute(15 + tried);
        assert_eq!(scene.counts(), [3 + tried, 1, 2 + tried, 0, 17 - tried], "one at a time");
        assert_eq!(scene.holds(), [(HoldKind::Auth, 16)]);
    }
}

#[test]
fn c02_a_hold_that_is_lifted_by_hand_lets_all_start_at_once() {
    let mut scene = Scene::new("an expired login, lifted by hand", World::Fails(EXPIRED), 2);
    scene.until_minute(3);
    assert_eq!(scene.counts(), [2, 0, 2, 0, 18]);
    scene.becomes(World::Works(WORKS));
    scene.lift(HoldKind::Auth);
    scene.until_minute(4);
    assert_eq!((scene.counts(), scene.holds()), ([4, 2, 2, 0, 16], vec![]));
}

#[test]
fn c02_a_job_that_ran_before_the_hold_was_put_does_not_lift_it() {
    let mut scene = Scene::new("one works while the login expires", World::Works(WORKS), 1);
    scene.until_minute(0);
    scene.becomes(World::Fails(EXPIRED));
    scene.allow(2);
    scene.until_minute(2);
    assert_eq!((scene.counts(), scene.holds()), ([2, 1, 1, 0, 18], vec![(HoldKind::Auth, 17)]));
    scene.until_minute(WORK_MINUTES + 1);
    assert_eq!((scene.counts(), scene.holds()), ([2, 0, 1, 1, 18], vec![(HoldKind::Auth, 17)]));
}
