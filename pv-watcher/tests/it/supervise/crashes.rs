//! Supervisors that are killed while a job is prepared, attempted, checked, mended and delivered: at each moment of the
//! table in docs/verify.md, and at random ones.
//!
//! What a supervisor runs is a child of it, and kills it: the agent, a command of setup, a check; or git, which is a script
//! here that does so before a given call.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant, SystemTime},
};

use pv_lib::job::{FailReason, JobRecord, JobState, Phase};
use rustix::process::Signal;

use super::fixture::{self, Fixture, git};

/// Kills the supervisor of a script, once for each name.
const KILL: &str =
    "kill_once() { if [ ! -e ../../killed.$1 ]; then touch ../../killed.$1; kill -9 $PPID; sleep 1000; fi; }; ";

/// An agent that notes each attempt, is wrong at first, and right once it is told. `die <number>` kills in an attempt.
const AGENT: &str = "n=$(basename \"$PV_PROMPT_FILE\" .md); echo $n begun >> ../../witness; slow; echo $n >> work.txt; slow; \
    if [ \"$n\" = prompt ]; then echo wrong > answer.txt; else echo right > answer.txt; fi; \
    [ -e ../../die.$n ] && kill_once agent.$n; slow; echo $n made >> ../../witness; slow; ";

const CHECK: &str = "answer=echo check >> ../../witness; [ -e ../../slow ] && sleep 0.2; grep -qx right answer.txt";

/// Gives kills at random moments more of them.
const SLOW: &str = "slow() { if [ -e ../../slow ]; then sleep 0.08; fi; }; ";

struct Crash {
    fixture: Fixture,
}

impl Crash {
    fn new(agent: &str, checks: &str, attempts: &str) -> Self {
        let fixture = Fixture::new(&format!("{KILL}{SLOW}{agent}"));
        let git = fixture.root.join("bin/git");
        fs::create_dir(git.parent().unwrap()).unwrap();
        let script = format!(
            "#!/bin/sh\nat=$(cat '{0}/kill-at' 2>/dev/null)\ncase \"$*\" in\n*\"${{at:-none-at-all}}\"*) rm '{0}/kill-at'; kill -9 $PPID; \
             sleep 1000;;\nesac\nPATH=${{PATH#*:}} exec git \"$@\"\n",
            fixture.root
        );
        fs::write(&git, script).unwrap();
        fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", fixture.root.join("bin"), std::env::var("PATH").unwrap());
        let fixture = fixture.set("PATH", &path).set(fixture::CHECKS, checks).set(fixture::ATTEMPTS, attempts);
        Self { fixture: fixture.set(fixture::DELIVER, "branch") }
    }

    /// Lets the supervisor be killed before the next call of git with these words in its arguments.
    fn kill_at(&self, call: &str) -> &Self {
        fs::write(self.fixture.root.join("kill-at"), call).unwrap();
        self
    }

    fn touch(&self, name: &str) -> &Self {
        fs::write(self.fixture.root.join(name), "").unwrap();
        self
    }

    /// Runs the job until it is over, and returns its record and how many supervisors were killed.
    fn run(&self) -> (JobRecord, usize) {
        let mut killed = 0;
        while !self.fixture.start().wait() {
            let record = self.fixture.record();
            assert_eq!(record.state(), JobState::Running, "{} {record:?}", self.fixture.errors());
            let is_told = matches!(record.phase, Some(Phase::Checking | Phase::Delivering));
            assert!(is_told || record.verified.is_none(), "{record:?}");
            killed += 1;
            assert!(killed < 5, "{record:?}");
        }
        assert_eq!(self.fixture.alive(), Vec::<String>::new());
        let record = self.fixture.record();
        assert_sound(&self.fixture, &record);
        (record, killed)
    }

    fn witness(&self) -> String {
        fs::read_to_string(self.fixture.root.join("witness")).unwrap_or_default().replace('\n', ", ")
    }
}

/// Asserts what holds whenever the supervisor was killed: no attempt was executed twice, no work is lost, and what is called
/// verified is right, on the remote, and nothing else is.
fn assert_sound(fixture: &Fixture, record: &JobRecord) {
    let witness = fs::read_to_string(fixture.root.join("witness")).unwrap_or_default();
    let attempts = record.attempts.clone().unwrap_or_default();
    for attempt in ["prompt", "prompt-2", "prompt-3"] {
        let begun = witness.lines().filter(|line| *line == format!("{attempt} begun")).count();
        assert!(begun <= 1, "an attempt was executed twice: {witness} {record:?}");
        if witness.contains(&format!("{attempt} made\n")) {
            let work = fixture.kept_file("work.txt").unwrap_or_default();
            assert!(work.lines().any(|line| line == attempt), "work of {attempt} is lost: {witness} {work} {record:?}");
        }
    }
    assert!(attempts.len() >= witness.lines().filter(|line| line.ends_with(" begun")).count(), "{witness} {record:?}");
    let branch = record.delivery.as_ref().and_then(|delivery| delivery.branch.clone());
    let repository = fixture.root.join("repos/o/r");
    let delivered = branch.filter(|_| record.state() == JobState::Succeeded);
    let is_right = fixture.kept_file("answer.txt").as_deref() == Some("right\n");
    match (record.state(), record.verified) {
        (JobState::Succeeded, Some(true)) => {
            let branch = delivered.unwrap();
            assert_eq!(git(&repository, &["show", &format!("{branch}:answer.txt")]), "right", "{record:?}");
        }
        (JobState::Failed, Some(false)) => assert!(!is_right, "{record:?}"),
        (JobState::Failed, None) => {}
        other => panic!("{other:?} {record:?}"),
    }
}

fn outcome(record: &JobRecord) -> (JobState, Option<FailReason>, Option<bool>, Option<bool>, usize) {
    let attempts = record.attempts.as_ref().map_or(0, Vec::len);
    (record.state(), record.reason, record.verified, record.checks_rerun, attempts)
}

const INTERRUPTED: (JobState, Option<FailReason>, Option<bool>) =
    (JobState::Failed, Some(FailReason::Interrupted), None);

fn short(record: &JobRecord) -> (JobState, Option<FailReason>, Option<bool>) {
    (record.state(), record.reason, record.verified)
}

#[test]
fn g17_killed_while_copying_or_in_setup_nothing_was_made_by_an_agent() {
    let copying = Crash::new(AGENT, CHECK, "2");
    let copying = Crash { fixture: copying.fixture.set(fixture::COPY, ".env") };
    fs::write(copying.fixture.root.join("repos/o/r/.env"), "x").unwrap();
    copying.kill_at("hash-object -t tree");
    let setup = Crash::new(AGENT, CHECK, "2");
    let setup = Crash { fixture: setup.fixture.set(fixture::SETUP, &format!("{KILL}echo x > half; kill_once setup")) };
    for crash in [copying, setup] {
        let (record, killed) = crash.run();
        assert_eq!((short(&record), killed, crash.witness().as_str()), (INTERRUPTED, 1, ""), "{record:?}");
        assert!(record.attempts.is_none() && record.delivery.is_none(), "{record:?}");
        assert!(!crash.fixture.store.layout().checkout_path(&crash.fixture.id).exists());
    }
}

#[test]
fn g10_killed_in_an_attempts_agent_its_work_is_saved_and_that_attempt_not_executed_again() {
    let first = Crash::new(AGENT, CHECK, "2");
    first.touch("die.prompt");
    let (record, killed) = first.run();
    assert_eq!((short(&record), killed, first.witness().as_str()), (INTERRUPTED, 1, "prompt begun, "));
    assert_eq!(first.fixture.kept_file("answer.txt").as_deref(), Some("wrong\n"));

    let second = Crash::new(AGENT, CHECK, "2");
    second.touch("die.prompt-2");
    let (record, killed) = second.run();
    let witness = "prompt begun, prompt made, check, prompt-2 begun, ";
    assert_eq!((short(&record), killed, second.witness().as_str()), (INTERRUPTED, 1, witness));
    assert_eq!(second.fixture.kept_file("answer.txt").as_deref(), Some("right\n"), "the second attempt's");
    assert_eq!(record.checks, None, "what the checks said of the first attempt's work says nothing of this");
}

#[test]
fn g17_killed_between_snapshot_and_checks_they_run_on_what_was_saved() {
    // The answer is right at once, and then wrong: the checks decide.
    let green = Crash::new(&AGENT.replace("echo wrong", "echo right"), CHECK, "2");
    let red = Crash::new(AGENT, CHECK, "2");
    for (crash, expected) in [
        (green, (JobState::Succeeded, None, Some(true), Some(true), 1)),
        (red, (JobState::Failed, Some(FailReason::Check), Some(false), Some(true), 1)),
    ] {
        crash.kill_at("ls-files -z --others --exclude-standard");
        let (record, killed) = crash.run();
        assert_eq!((outcome(&record), killed), (expected, 1), "{record:?}");
        assert_eq!(crash.witness(), "prompt begun, prompt made, check, ", "one check, on the saved work");
        assert!(
            record.message.unwrap().contains("its checks were run again, since a supervisor ended before they did")
        );
    }
}

#[test]
fn g17_killed_in_the_checks_they_run_once_more_and_decide() {
    // What it writes before it is killed must not be what is checked or delivered the second time.
    let check = format!("{CHECK} || exit 1; {KILL}echo spoiled > work.txt; kill_once check");
    let green = Crash::new(&AGENT.replace("echo wrong", "echo right"), &check, "2");
    let (record, killed) = green.run();
    assert_eq!((outcome(&record), killed), ((JobState::Succeeded, None, Some(true), Some(true), 1), 1), "{record:?}");
    assert_eq!(green.witness(), "prompt begun, prompt made, check, check, ");
    assert_eq!(green.fixture.kept_file("work.txt").as_deref(), Some("prompt\n"));

    // Red the second time, with an attempt left: it ends red.
    let check = format!("flaky={KILL}kill_once check; exit 1");
    let red = Crash::new(AGENT, &check, "2");
    let (record, killed) = red.run();
    let expected = (JobState::Failed, Some(FailReason::Check), Some(false), Some(true), 1);
    assert_eq!((outcome(&record), killed), (expected, 1), "{record:?}");
}

#[test]
fn g17_checks_that_cannot_be_run_again_are_never_green() {
    // Killed in the checks that run again, too.
    let check = format!("twice={KILL}kill_once a; kill_once b");
    let crash = Crash::new(&AGENT.replace("echo wrong", "echo right"), &check, "2");
    let (record, killed) = crash.run();
    assert_eq!((short(&record), killed), (INTERRUPTED, 2), "{record:?}");
    assert!(record.message.unwrap().contains("they were cut short twice; the work is kept"));

    // The checkout cannot be made: setup fails now.
    let crash = Crash::new(AGENT, &format!("once={KILL}kill_once a"), "2");
    let crash = Crash { fixture: crash.fixture.set(fixture::SETUP, "test ! -e ../../killed.a") };
    let (record, killed) = crash.run();
    assert_eq!((short(&record), killed), (INTERRUPTED, 1), "{record:?}");
    assert!(record.message.as_ref().unwrap().contains("could not be run again: setup: `test"), "{record:?}");

    // The checkout holds what is saved nowhere else, and stays.
    let nested = "git init -q inner; echo x > inner/x; ";
    let crash = Crash::new(&format!("{nested}{AGENT}"), &format!("once={KILL}kill_once a"), "2");
    let (record, killed) = crash.run();
    assert_eq!((short(&record), killed), (INTERRUPTED, 1), "{record:?}");
    assert!(crash.fixture.store.layout().checkout_path(&crash.fixture.id).join("inner/x").exists());
}

#[test]
fn g17_killed_between_red_checks_and_the_next_attempt_that_attempt_begins() {
    let made = "echo '*.ign' > .gitignore; echo mine > own.ign; ";
    let agent = format!(
        "if [ -e own.ign ]; then cat own.ign >> work.txt; cat made.txt >> ../../witness; else {made} fi; {AGENT}"
    );
    let crash =
        Crash::new(&agent, &format!("{CHECK}; code=$?; echo spoiled > README.md; echo new > new.txt; exit $code"), "2");
    let crash = Crash { fixture: crash.fixture.set(fixture::SETUP, "echo prepared > made.txt") };
    crash.kill_at("read-tree --reset");
    let (record, killed) = crash.run();
    assert_eq!((outcome(&record), killed), ((JobState::Succeeded, None, Some(true), None, 2), 1), "{record:?}");
    let witness = "prompt begun, prompt made, check, prepared, prompt-2 begun, prompt-2 made, check, ";
    assert_eq!(crash.witness(), witness);
    assert_eq!(crash.fixture.kept_file("work.txt").as_deref(), Some("prompt\nmine\nprompt-2\n"));
    assert_eq!(crash.fixture.kept_file("README.md").as_deref(), Some("hello\n"));
    assert_eq!((crash.fixture.kept_file("new.txt"), crash.fixture.kept_file("made.txt")), (None, None));
    assert!(crash.fixture.run_file("prompt-2.md").contains("The check `answer`"));
}

#[test]
fn g17_killed_while_delivering_verified_work_is_delivered_once() {
    let crash = Crash::new(&AGENT.replace("echo wrong", "echo right"), CHECK, "2");
    crash.kill_at(" push ");
    let (record, killed) = crash.run();
    assert_eq!((outcome(&record), killed), ((JobState::Succeeded, None, Some(true), None, 1), 1), "{record:?}");
    assert_eq!(crash.witness(), "prompt begun, prompt made, check, ");
}

/// How many kills at random moments: a few by default, `PV_TEST_KILLS` by hand.
fn kills_wanted() -> usize {
    std::env::var("PV_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4)
}

#[test]
fn g10_supervisors_killed_at_random_execute_no_attempt_twice_lose_nothing_and_call_nothing_verified_that_is_not() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    let mut random = seed;
    let mut next = move |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let (mut kills, mut ends) = (0, std::collections::BTreeMap::<String, usize>::new());
    // How long a job takes here when nobody kills its supervisor.
    let whole = Crash::new(AGENT, CHECK, "3");
    whole.touch("slow");
    let begun = Instant::now();
    let (record, _) = whole.run();
    assert_eq!(outcome(&record), (JobState::Succeeded, None, Some(true), None, 2), "{record:?}");
    let takes_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    while kills < kills_wanted() {
        let crash = Crash::new(AGENT, CHECK, "3");
        crash.touch("slow");
        let crash = Crash { fixture: crash.fixture.set(fixture::SETUP, "echo made > made.txt") };
        let mut killed_here = 0;
        loop {
            let mut supervisor = crash.fixture.start();
            // Whoever takes over has less to do.
            let limit_ms = if killed_here == 0 { takes_ms } else { takes_ms / 2 };
            let (begun, at) = (Instant::now(), Duration::from_millis(next(limit_ms.max(100))));
            while begun.elapsed() < at && !crash.fixture.record().state().is_terminal() {
                std::thread::sleep(Duration::from_millis(2));
            }
            if crash.fixture.record().state().is_terminal() || killed_here >= 6 {
                supervisor.wait();
                break;
            }
            supervisor.signal(Signal::KILL);
            if !supervisor.wait() {
                (kills, killed_here) = (kills + 1, killed_here + 1);
            }
        }
        let record = crash.fixture.record();
        assert!(record.state().is_terminal(), "seed {seed}: {record:?} {}", crash.fixture.errors());
        eprintln!("seed {seed}: {killed_here} kills, {:?}", outcome(&record));
        assert_sound(&crash.fixture, &record);
        assert_eq!(crash.fixture.alive(), Vec::<String>::new(), "seed {seed}");
        *ends.entry(format!("{:?} {:?} verified {:?}", record.state(), record.reason, record.verified)).or_default() +=
            1;
    }
    eprintln!("{kills} kills: {ends:#?}");
}
