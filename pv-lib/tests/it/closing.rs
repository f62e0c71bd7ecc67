//! The end of what a launcher started elsewhere, in simulated time: nothing here waits.

use std::{collections::VecDeque, time::Duration};

use pv_lib::supervise::{Closed, Closer, Closing, ClosingLimits, Found, close, closing_pause};

/// What the looks and sweeps say, one after the other, and how long each command takes; then nothing is left.
#[derive(Default)]
struct Simulation {
    looks: VecDeque<Found>,
    sweeps: VecDeque<Option<String>>,
    command_ms: u64,
    now: Duration,
    done: Vec<String>,
}

impl Simulation {
    fn with(looks: &[Found]) -> Self {
        Self { looks: looks.to_vec().into(), ..Self::default() }
    }

    fn command(&mut self, what: &str) {
        self.now += Duration::from_millis(self.command_ms);
        self.done.push(what.to_owned());
        assert!(self.done.len() < 10_000, "it does not end");
    }

    /// Ends it, and returns what was done, in short, and how it came out.
    fn run(&mut self, closing: Closing) -> (String, Closed) {
        let closed = close(self, closing, &ClosingLimits::default());
        (self.done.join(" "), closed)
    }
}

impl Closer for Simulation {
    fn elapsed(&self) -> Duration {
        self.now
    }

    fn stop(&mut self) {
        self.command("stop");
    }

    fn sweep(&mut self) -> Option<String> {
        self.command("sweep");
        self.sweeps.pop_front().flatten()
    }

    fn look(&mut self) -> Found {
        self.command("look");
        self.looks.pop_front().unwrap_or(Found::Nothing)
    }

    fn wait(&mut self, time: Duration) {
        assert!(!time.is_zero() && time <= Duration::from_secs(2), "{time:?}");
        self.now += time;
        self.done.push(format!("wait{}", time.as_millis()));
    }
}

fn left() -> Found {
    Found::Something("COMPLETING".into())
}

fn unknown() -> Found {
    Found::Unknown("squeue: no answer".into())
}

#[test]
fn it_is_over_when_two_looks_in_a_row_find_nothing() {
    use Found::Nothing;
    let check = |looks: &[Found], closing: fn() -> Closing, expected: &str| {
        let found = Simulation::with(looks).run(closing());
        assert_eq!(found, (expected.to_owned(), Closed::Gone), "{looks:?}");
    };
    check(&[], Closing::after_client, "stop look look");
    check(&[], Closing::after_crash, "stop sweep stop look look");
    check(&[left()], Closing::after_client, "stop look stop wait50 look look");
    check(&[left(), left()], Closing::after_client, "stop look stop wait50 look stop wait100 look look");
    // One that finds nothing, and then something, is no proof, and neither is one that cannot tell.
    check(&[Nothing, left()], Closing::after_client, "stop look look stop wait50 look look");
    check(&[Nothing, unknown()], Closing::after_crash, "stop sweep stop look look stop wait50 look look");
}

#[test]
fn what_cannot_be_told_is_never_gone_and_the_limit_holds() {
    for (found, expected) in [
        (unknown(), "whether it is still there cannot be told: squeue: no answer"),
        (left(), "it is still there: COMPLETING"),
    ] {
        for command_ms in [0, 10, 9_000, 20_000] {
            for closing in [Closing::after_client, Closing::after_crash] {
                let mut simulation = Simulation { command_ms, ..Simulation::with(&vec![found.clone(); 1_000]) };
                let (_, closed) = simulation.run(closing());
                assert_eq!(closed, Closed::Unproven(expected.into()));
                let most = Duration::from_secs(60) + Duration::from_millis(2 * command_ms) + Duration::from_secs(2);
                let most = most.max(Duration::from_millis(4 * command_ms));
                assert!(simulation.now <= most, "{command_ms}: {:?}", simulation.now);
                assert!(simulation.now >= Duration::from_secs(60), "it was given up on early: {:?}", simulation.now);
            }
        }
    }
}

#[test]
fn it_is_looked_at_least_once_however_slow_the_commands_are() {
    let mut simulation = Simulation { command_ms: 45_000, ..Simulation::default() };
    assert_eq!(simulation.run(Closing::after_crash()), ("stop sweep stop look look".into(), Closed::Gone));
}

#[test]
fn what_is_left_on_this_host_is_swept_again() {
    let mut simulation = Simulation { sweeps: vec![Some("2 processes".into())].into(), ..Simulation::default() };
    let expected = "stop sweep stop sweep stop wait50 look look";
    assert_eq!(simulation.run(Closing::after_crash()), (expected.into(), Closed::Gone));
    let mut simulation =
        Simulation { sweeps: vec![Some("2 processes".into()); 100].into(), command_ms: 1_000, ..Simulation::default() };
    assert_eq!(simulation.run(Closing::after_crash()).1, Closed::Unproven("2 processes".into()));
}

#[test]
fn what_is_not_proven_is_tried_again_at_a_slow_pace() {
    assert_eq!([0, 1, 2, 3, 4, 40].map(|tries| closing_pause(tries).as_secs()), [5, 10, 20, 40, 60, 60]);
}
