//! The loop: observe, decide, act.

use std::time::Duration;

use super::{Action, Ending, Proc, State, TimeLimits, decide};

/// The wait before the observation that ends the loop. Never zero: a loop that does not wait would spin.
const SHORTEST_WAIT: Duration = Duration::from_micros(50);

/// Supervises a started process until it and all that it started are gone, and returns how it ended.
///
/// Returns within [`TimeLimits::grace`] and [`TimeLimits::kill`] of the moment that ends it. A process without a
/// timeout that never exits is supervised for ever, heartbeats included.
pub fn drive(process: &mut dyn Proc, limits: &TimeLimits) -> Ending {
    let mut state = State::default();
    let (mut wait, mut is_stopped) = (Duration::ZERO, false);
    loop {
        let observed = process.observe(wait);
        let decision = decide(&state, &observed, limits);
        if decision.heartbeat {
            process.heartbeat();
        }
        state = match decision.action {
            Action::Wait => decision.next,
            Action::CheckActivity => {
                let (next, terminate) = decision.next.looked_closer(process.was_active(), observed.at);
                if terminate {
                    process.terminate();
                }
                next
            }
            Action::Terminate => {
                process.terminate();
                decision.next
            }
            Action::Kill => {
                if !is_stopped {
                    process.stop();
                    is_stopped = true;
                }
                decision.next.killed(process.kill())
            }
            Action::End(ending) => return ending,
        };
        // What was just found to be gone is observed once more, for an abort that came meanwhile, and need not wait.
        wait = if observed.exit.is_some() && state.is_clean(limits) { SHORTEST_WAIT } else { decision.wake_in };
    }
}
