//! Thousands of schedules of a supervised process, in simulated time: nothing here waits.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::time::Duration;

use proptest::prelude::*;
use pv_lib::{
    job::{FailReason, Outcome},
    supervise::{Cause, Ending, Exit, OBSERVE_INTERVAL, Observation, Proc, TimeLimits, drive},
};

/// What the simulated process will do, and when. Milliseconds from the start.
#[derive(Debug, Clone)]
struct Script {
    exits_at: Option<u64>,
    /// How long it takes to exit after the termination signal; `None` if it ignores it.
    ends_after: Option<u64>,
    /// How many live processes the rounds of killing find, one after the other; then none.
    leftovers: Vec<usize>,
    outputs: Vec<u64>,
    abort_at: Option<u64>,
    interrupt_at: Option<u64>,
    timeout: Option<u64>,
    idle_timeout: Option<u64>,
    /// When it says that its work is over.
    done_at: Option<u64>,
    settle: Option<u64>,
    /// Until when a closer look shows that it works without a word.
    active_until: u64,
    /// Until when a launcher says that it waits.
    waits_until: u64,
    /// How late each observation comes after it was due, in turn.
    late: Vec<u64>,
}

const HEARTBEAT: u64 = 5_000;
const GRACE: u64 = 10_000;
const KILL: u64 = 20_000;
const MAX_LATE: u64 = 40;

impl Script {
    fn limits(&self) -> TimeLimits {
        TimeLimits {
            timeout: self.timeout.map(Duration::from_millis),
            idle_timeout: self.idle_timeout.map(Duration::from_millis),
            settle: self.settle.map(Duration::from_millis),
            heartbeat: Duration::from_millis(HEARTBEAT),
            grace: Duration::from_millis(GRACE),
            kill: Duration::from_millis(KILL),
            clean_scans: 2,
        }
    }
}

#[derive(Debug)]
struct Simulation {
    script: Script,
    now: u64,
    observations: usize,
    terminated_at: Vec<u64>,
    stopped_at: Vec<u64>,
    killed_at: Vec<u64>,
    heartbeats: Vec<u64>,
    closer_looks: Vec<u64>,
}

impl Simulation {
    fn new(script: Script) -> Self {
        Self {
            script,
            now: 0,
            observations: 0,
            terminated_at: vec![],
            stopped_at: vec![],
            killed_at: vec![],
            heartbeats: vec![],
            closer_looks: vec![],
        }
    }

    fn exit(&self) -> Option<(u64, Exit)> {
        let by_itself = self.script.exits_at.map(|at| (at, Exit::Code(0)));
        let ended = self.terminated_at.first().zip(self.script.ends_after);
        let ended = ended.map(|(asked, after)| (asked + after, Exit::Signal(15)));
        let killed = self.killed_at.first().map(|at| (*at, Exit::Signal(9)));
        [by_itself, ended, killed].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn next_event(&self) -> Option<u64> {
        let script = &self.script;
        let single = [script.abort_at, script.interrupt_at, script.done_at, self.exit().map(|(at, _)| at)];
        let all = single.into_iter().flatten().chain(script.outputs.iter().copied());
        all.filter(|at| *at > self.now).min()
    }
}

impl Proc for Simulation {
    fn observe(&mut self, up_to: Duration) -> Observation {
        assert!(up_to <= OBSERVE_INTERVAL, "an observation was put off for {up_to:?}");
        assert!(up_to > Duration::ZERO || self.observations == 0, "an observation that does not wait");
        let due = self.now + u64::try_from(up_to.as_millis()).unwrap();
        let late = self.script.late[self.observations % self.script.late.len()];
        self.now =
            self.next_event().map_or(due, |event| due.min(event)) + if self.observations == 0 { 0 } else { late };
        self.observations += 1;
        assert!(self.observations < 100_000, "it does not end");
        let past = |at: Option<u64>| at.is_some_and(|at| at <= self.now);
        let output = self.script.outputs.iter().filter(|at| **at <= self.now).max();
        Observation {
            at: Duration::from_millis(self.now),
            started: Duration::from_millis(self.script.waits_until.min(self.now)),
            exit: self.exit().filter(|(at, _)| *at <= self.now).map(|(_, exit)| exit),
            last_output: Duration::from_millis(output.copied().unwrap_or(0)),
            done: self.script.done_at.filter(|at| *at <= self.now).map(|at| {
                let later = self.script.outputs.iter().filter(|output| **output >= at && **output <= self.now).max();
                Duration::from_millis(later.copied().unwrap_or(at))
            }),
            abort: past(self.script.abort_at),
            interrupt: past(self.script.interrupt_at),
        }
    }

    fn was_active(&mut self) -> bool {
        self.closer_looks.push(self.now);
        self.now < self.script.active_until
    }

    fn heartbeat(&mut self) {
        self.heartbeats.push(self.now);
    }

    fn terminate(&mut self) {
        self.terminated_at.push(self.now);
    }

    fn stop(&mut self) {
        assert!(self.killed_at.is_empty(), "stopped after something was killed");
        self.stopped_at.push(self.now);
    }

    fn kill(&mut self) -> usize {
        self.killed_at.push(self.now);
        if self.script.leftovers.is_empty() { 0 } else { self.script.leftovers.remove(0) }
    }
}

prop_compose! {
    fn any_script()(
        exits_at in prop::option::of(0..120_000_u64),
        ends_after in prop::option::of(0..GRACE * 2),
        leftovers in prop::collection::vec(0..4_usize, 0..6),
        mut outputs in prop::collection::vec(0..120_000_u64, 0..20),
        abort_at in prop::option::of(0..120_000_u64),
        interrupt_at in prop::option::of(0..120_000_u64),
        timeout in 1..120_000_u64,
        idle_timeout in prop::option::of(1..60_000_u64),
        done_at in prop::option::of(0..120_000_u64),
        settle in prop::option::of(0..60_000_u64),
        active_until in 0..120_000_u64,
        late in prop::collection::vec(0..MAX_LATE, 1..8),
    ) -> Script {
        outputs.sort_unstable();
        let timeout = Some(timeout);
        Script {
            exits_at, ends_after, leftovers, outputs, abort_at, interrupt_at, timeout, idle_timeout, done_at, settle,
            active_until, late, waits_until: 0,
        }
    }
}

/// The first moment at which something of the script ends the process, idleness aside.
fn first_reason(script: &Script) -> u64 {
    let all = [script.exits_at, script.abort_at, script.interrupt_at, script.timeout];
    all.into_iter().flatten().min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn it_ends_within_the_grace_and_the_time_for_killing(script in any_script()) {
        let mut simulation = Simulation::new(script.clone());
        let ending = drive(&mut simulation, &script.limits());
        let slack = 20 * MAX_LATE + 1_000;
        prop_assert!(simulation.now <= first_reason(&script) + GRACE + slack, "ended at {}", simulation.now);
        prop_assert!(ending.clean && ending.exit.is_some());
        prop_assert!(simulation.observations as u64 <= simulation.now + 20);
    }

    #[test]
    fn nothing_is_killed_before_it_exited_or_had_its_grace(script in any_script()) {
        let mut simulation = Simulation::new(script.clone());
        drive(&mut simulation, &script.limits());
        let first_kill = *simulation.killed_at.first().unwrap();
        let exited = [script.exits_at, simulation.terminated_at.first().zip(script.ends_after).map(|(at, after)| at + after)];
        let exited = exited.into_iter().flatten().min().is_some_and(|at| at <= first_kill);
        let had_grace = simulation.terminated_at.first().is_some_and(|at| first_kill >= at + GRACE);
        prop_assert!(exited || had_grace);
        prop_assert!(simulation.terminated_at.len() <= 1);
        prop_assert!(simulation.killed_at.len() >= 2, "gone only after two rounds that find nothing");
        prop_assert_eq!(&simulation.stopped_at, &simulation.killed_at[..1], "ended by name once, before anything is killed");
    }

    #[test]
    fn the_heart_beats_once_an_interval(script in any_script()) {
        let limits = script.limits();
        let mut simulation = Simulation::new(script);
        drive(&mut simulation, &limits);
        let mut last = 0;
        for heartbeat in simulation.heartbeats.iter().copied().chain([simulation.now]) {
            prop_assert!(heartbeat - last <= HEARTBEAT + MAX_LATE, "{last} to {heartbeat}");
            last = heartbeat;
        }
        prop_assert!(simulation.heartbeats.windows(2).all(|pair| pair[1] - pair[0] >= HEARTBEAT));
    }

    #[test]
    fn the_cause_is_the_first_reason_and_an_abort_always_wins(script in any_script()) {
        let mut simulation = Simulation::new(script.clone());
        let ending = drive(&mut simulation, &script.limits());
        let first_kill = *simulation.killed_at.first().unwrap();
        if script.abort_at.is_some_and(|at| at <= first_kill) {
            prop_assert_eq!(ending.cause, Some(Cause::Abort));
        }
        match ending.cause {
            Some(Cause::Abort) => prop_assert!(script.abort_at.unwrap() <= simulation.now),
            Some(Cause::Interrupt) => prop_assert!(script.interrupt_at.unwrap() <= simulation.terminated_at[0]),
            Some(Cause::Timeout) => {
                let late_by = simulation.terminated_at[0] - script.timeout.unwrap();
                prop_assert!(late_by <= MAX_LATE + 1, "{late_by} ms late");
            }
            Some(Cause::Idle) => {
                let asked = simulation.terminated_at[0];
                let spoke = script.outputs.iter().copied().filter(|at| *at <= asked).max().unwrap_or(0);
                prop_assert!(asked - spoke >= script.idle_timeout.unwrap());
                prop_assert!(asked >= script.active_until, "it worked without a word");
                prop_assert!(simulation.closer_looks.contains(&asked));
            }
            Some(Cause::Settled) => {
                let asked = simulation.terminated_at[0];
                let done = script.done_at.unwrap();
                let last = script.outputs.iter().copied().filter(|at| *at >= done && *at <= asked).max();
                let quiet_for = asked - last.unwrap_or(done);
                prop_assert!(quiet_for >= script.settle.unwrap(), "ended after {quiet_for} ms");
                prop_assert!(quiet_for <= script.settle.unwrap() + MAX_LATE + 1, "ended after {quiet_for} ms");
            }
            None => prop_assert!(simulation.terminated_at.is_empty() && ending.exit == Some(Exit::Code(0))),
        }
    }
}

#[test]
fn a_closer_look_is_taken_only_where_a_silence_has_lasted_too_long() {
    let script = Script { idle_timeout: Some(8_000), active_until: 30_000, outputs: vec![500], ..quiet() };
    let mut simulation = Simulation::new(Script { timeout: Some(100_000), ..script });
    let limits = simulation.script.limits();
    assert_eq!(drive(&mut simulation, &limits).cause, Some(Cause::Idle));
    assert_eq!(simulation.closer_looks, [8_500, 16_500, 24_500, 32_500]);
    assert_eq!(simulation.terminated_at, [32_500]);
}

#[test]
fn the_clocks_of_the_time_limits_stand_still_while_a_launcher_lets_it_wait() {
    let waits = Script { waits_until: 600_000, timeout: Some(30_000), ..quiet() };
    let mut simulation = Simulation::new(waits.clone());
    let limits = simulation.script.limits();
    assert_eq!(drive(&mut simulation, &limits).cause, Some(Cause::Timeout));
    assert_eq!(simulation.terminated_at, [630_000]);
    let silent = Script { idle_timeout: Some(8_000), timeout: Some(100_000), ..waits };
    let mut simulation = Simulation::new(silent.clone());
    let limits = simulation.script.limits();
    assert_eq!(drive(&mut simulation, &limits).cause, Some(Cause::Idle));
    assert_eq!(simulation.terminated_at, [608_000]);
    // An abort does not wait.
    let mut simulation = Simulation::new(Script { abort_at: Some(5_000), ends_after: Some(10), ..silent });
    assert_eq!(drive(&mut simulation, &limits).cause, Some(Cause::Abort));
    assert_eq!((simulation.terminated_at, simulation.stopped_at), (vec![5_000], vec![5_010]));
}

#[test]
fn what_cannot_be_killed_is_given_up_on_and_said_so() {
    let mut simulation = Simulation::new(Script { exits_at: Some(10), leftovers: vec![1; 100_000], ..quiet() });
    let limits = simulation.script.limits();
    let ending = drive(&mut simulation, &limits);
    assert_eq!(ending, Ending { cause: None, exit: Some(Exit::Code(0)), clean: false });
    assert!((KILL..KILL + 1_000).contains(&simulation.now), "{}", simulation.now);
    assert_eq!(ending.failure("the agent", &limits), None);
}

#[test]
fn an_ending_means_an_outcome() {
    let limits = Script { timeout: Some(90_000), idle_timeout: Some(30_000), ..quiet() }.limits();
    let check = |cause, exit, expected: Option<(Option<FailReason>, &str)>| {
        let outcome = Ending { cause, exit: Some(exit), clean: true }.failure("the agent", &limits);
        let found = outcome.map(|outcome| match outcome {
            Outcome::Failed { reason, message } => (Some(reason), message),
            Outcome::Aborted { message } => (None, message.unwrap_or_default()),
            Outcome::Succeeded { .. } => panic!("a failure that succeeds"),
        });
        assert_eq!(found, expected.map(|(reason, message)| (reason, message.to_owned())));
    };
    check(None, Exit::Code(0), None);
    check(None, Exit::Code(3), Some((Some(FailReason::Exit), "the agent exited with code 3")));
    let by_signal = "the agent was ended by signal 11, which was not sent from here";
    check(None, Exit::Signal(11), Some((Some(FailReason::Signal), by_signal)));
    check(Some(Cause::Abort), Exit::Code(0), Some((None, "stopped on request")));
    let timeout = "the agent ran longer than its timeout of 90 s";
    check(Some(Cause::Timeout), Exit::Signal(15), Some((Some(FailReason::Timeout), timeout)));
    let idle = "the agent wrote nothing for 30 s, its idle timeout";
    check(Some(Cause::Idle), Exit::Signal(9), Some((Some(FailReason::Idle), idle)));
    let interrupted = "the agent was stopped because its supervisor was";
    check(Some(Cause::Interrupt), Exit::Code(0), Some((Some(FailReason::Interrupted), interrupted)));
    check(Some(Cause::Settled), Exit::Signal(15), None);
    assert_eq!(Exit::Signal(15).code(), -15);
}

fn quiet() -> Script {
    Script {
        exits_at: None,
        ends_after: None,
        leftovers: vec![],
        outputs: vec![],
        abort_at: None,
        interrupt_at: None,
        timeout: None,
        idle_timeout: None,
        done_at: None,
        settle: None,
        active_until: 0,
        waits_until: 0,
        late: vec![0],
    }
}
