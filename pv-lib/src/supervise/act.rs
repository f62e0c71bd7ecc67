//! The loop: look, decide, act.

use std::time::Duration;

use super::{Act, Ending, Limits, Proc, State, decide};

/// Attends a started process until it and all that it started are gone, and returns how it ended.
///
/// Returns within [`Limits::grace`] and [`Limits::kill`] of the moment that ends it. A process without a timeout that
/// never exits is attended for ever, heartbeats included.
pub fn attend(process: &mut dyn Proc, limits: &Limits) -> Ending {
    let mut state = State::default();
    let mut wait = Duration::ZERO;
    loop {
        let seen = process.observe(wait);
        let decision = decide(&state, &seen, limits);
        if decision.beat {
            process.beat();
        }
        state = match decision.act {
            Act::Wait => decision.next,
            Act::Ask => {
                process.ask();
                decision.next
            }
            Act::Kill => decision.next.killed(process.kill()),
            Act::End(ending) => return ending,
        };
        wait = decision.wake_in;
    }
}
