//! The end of what a launcher started elsewhere, after its client is gone or with nobody left who held it: it is ended by
//! name, and it is over when two looks in a row find nothing. Pure: no clock, no process, no file.

use std::time::Duration;

/// What a look at what a launcher started says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing is left.
    Nothing,
    /// This is left.
    Something(String),
    /// That cannot be told, and why. It is not the same as nothing.
    Unknown(String),
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Nothing is left, by two looks in a row.
    Gone,
    /// When the time was over something was left, or it could not be told; a sentence says what.
    Unproven(String),
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosingLimits {
    /// For all of it; a command that began before is waited for.
    pub whole: Duration,
    /// The pause after a look that did not find nothing, at first, and at most.
    pub pauses: (Duration, Duration),
}

impl Default for ClosingLimits {
    fn default() -> Self {
        Self { whole: Duration::from_secs(60), pauses: (Duration::from_millis(50), Duration::from_secs(2)) }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosingStep {
    /// End it by name.
    Stop,
    /// Kill what is left on this host, until nothing is.
    Sweep,
    /// Look what is left.
    Look,
    /// Wait for so long.
    Wait(Duration),
    /// It is over.
    Over(Closed),
}

/// How many looks in a row must find nothing.
const EMPTY_LOOKS: u32 = 2;

/// What is known between two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    stage: Stage,
    empty_looks: u32,
    /// How many looks did not find nothing.
    full_looks: u32,
    last: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    StopBeforeSweep,
    Sweep,
    Stop,
    Look,
    Wait,
}

impl Closing {
    /// Begins where the client is gone, and all that it had on this host: it was stopped by name before that.
    #[must_use]
    pub fn after_client() -> Self {
        Self::at(Stage::Stop)
    }

    /// Begins where nobody is left who held the client: the sweep would take what could still end it elsewhere, so it is
    /// stopped by name first.
    #[must_use]
    pub fn after_crash() -> Self {
        Self::at(Stage::StopBeforeSweep)
    }

    fn at(stage: Stage) -> Self {
        Self { stage, empty_looks: 0, full_looks: 0, last: "it has not been looked yet".to_owned() }
    }

    /// Returns what to do `at` so long after it began.
    #[must_use]
    pub fn next(&self, at: Duration, limits: &ClosingLimits) -> ClosingStep {
        if self.empty_looks >= EMPTY_LOOKS {
            return ClosingStep::Over(Closed::Gone);
        }
        // What was never looked at is looked at, however long it took until then.
        if at >= limits.whole && self.full_looks > 0 {
            return ClosingStep::Over(Closed::Unproven(self.last.clone()));
        }
        match self.stage {
            Stage::StopBeforeSweep | Stage::Stop => ClosingStep::Stop,
            Stage::Sweep => ClosingStep::Sweep,
            Stage::Look => ClosingStep::Look,
            Stage::Wait => ClosingStep::Wait(self.pause(limits)),
        }
    }

    fn pause(&self, limits: &ClosingLimits) -> Duration {
        let (first, most) = limits.pauses;
        first.saturating_mul(1 << self.full_looks.saturating_sub(1).min(16)).min(most)
    }

    /// Notes that it was ended by name. Whether that worked is seen by a look, and by nothing else.
    #[must_use]
    pub fn stopped(mut self) -> Self {
        self.stage = if self.stage == Stage::StopBeforeSweep { Stage::Sweep } else { Stage::Look };
        if self.full_looks > 0 && self.stage == Stage::Look {
            self.stage = Stage::Wait;
        }
        self
    }

    /// Notes that what was left on this host is killed; `left` says what could not be.
    #[must_use]
    pub fn swept(mut self, left: Option<String>) -> Self {
        match left {
            None => self.stage = Stage::Stop,
            Some(left) => {
                (self.full_looks, self.last) = (self.full_looks.saturating_add(1), left);
                self.stage = Stage::StopBeforeSweep;
            }
        }
        self
    }

    /// Notes what a look found.
    #[must_use]
    pub fn looked(mut self, found: Found) -> Self {
        match found {
            Found::Nothing => {
                self.empty_looks += 1;
                self.stage = Stage::Look;
            }
            Found::Something(what) => self.not_empty(format!("it is still there: {what}")),
            Found::Unknown(why) => self.not_empty(format!("whether it is still there cannot be told: {why}")),
        }
        self
    }

    fn not_empty(&mut self, what: String) {
        self.empty_looks = 0;
        self.full_looks = self.full_looks.saturating_add(1);
        (self.last, self.stage) = (what, Stage::Stop);
    }

    /// Notes that the pause is over.
    #[must_use]
    pub fn waited(mut self) -> Self {
        self.stage = Stage::Look;
        self
    }
}

/// The running things at the end of what a launcher started.
pub trait Closer {
    /// Returns for how long this has been going on.
    fn elapsed(&self) -> Duration;
    /// Ends it by name. Bounded in time; whether it worked is seen later.
    fn stop(&mut self);
    /// Kills what is left on this host, and returns what could not be.
    fn sweep(&mut self) -> Option<String>;
    /// Looks what is left. Bounded in time.
    fn look(&mut self) -> Found;
    /// Waits.
    fn wait(&mut self, time: Duration);
}

/// Ends what a launcher started, and returns how that came out, within the limit and the time of one command.
pub fn close(closer: &mut dyn Closer, mut closing: Closing, limits: &ClosingLimits) -> Closed {
    loop {
        closing = match closing.next(closer.elapsed(), limits) {
            ClosingStep::Stop => {
                closer.stop();
                closing.stopped()
            }
            ClosingStep::Sweep => {
                let left = closer.sweep();
                closing.swept(left)
            }
            ClosingStep::Look => closing.looked(closer.look()),
            ClosingStep::Wait(time) => {
                closer.wait(time);
                closing.waited()
            }
            ClosingStep::Over(closed) => return closed,
        };
    }
}

/// Returns how long to wait before what could not be proven is tried once more, after so many tries.
#[must_use]
pub fn closing_pause(tries: u32) -> Duration {
    Duration::from_secs(5 << tries.min(4)).min(Duration::from_secs(60))
}
