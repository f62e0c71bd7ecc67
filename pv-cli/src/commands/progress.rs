//! What goes on while a command waits for jobs, as a line on a terminal; and leaving by Ctrl-C without a trace of it.
//!
//! Two threads beside the command: one looks at the jobs, which may take long over a network, and one draws and notes
//! signals. In a pipe there is neither, and signals do what they always do.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use pv_lib::{host, job::JobState, time::Timestamp};
use serde_json::Value;
use signal_hook::{consts, flag, low_level::emulate_default_handler};

use super::job_words::doing;
use crate::{
    backend::{self, state},
    context::Context,
    terminal::StatusLine,
};

/// How often the line is drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// How often jobs are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a signal waits for what is being printed.
const PRINTING_MAX: Duration = Duration::from_millis(500);

/// Notes when this process is asked to end.
pub(super) struct Leaving {
    signals: Vec<(i32, Arc<AtomicBool>)>,
}

impl Leaving {
    /// Begins to note it. The signals do nothing else from here on, until `over` is true.
    pub(super) fn new(over: &Arc<AtomicBool>) -> io::Result<Self> {
        let mut signals = Vec::new();
        for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
            let noted = Arc::new(AtomicBool::new(false));
            flag::register_conditional_default(signal, Arc::clone(over))?;
            flag::register(signal, Arc::clone(&noted))?;
            signals.push((signal, noted));
        }
        Ok(Self { signals })
    }

    /// Returns the signal that came.
    pub(super) fn signal(&self) -> Option<i32> {
        self.signals.iter().find(|(_, noted)| noted.load(Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}

/// A line that says what jobs do, for as long as this is there.
pub(super) struct Progress {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    line: Mutex<StatusLine>,
    /// The jobs, as they were looked at last.
    jobs: Mutex<Vec<Value>>,
    over: Arc<AtomicBool>,
}

impl Progress {
    /// Begins, where standard error is a terminal on which a line can be drawn again. `leave` is printed where the person
    /// leaves by a signal.
    ///
    /// # Errors
    /// Signals that cannot be noted.
    pub(super) fn begin(context: &Context, ids: &[String], leave: String) -> io::Result<Self> {
        if !StatusLine::is_possible() {
            return Ok(Self { shared: None });
        }
        let over = Arc::new(AtomicBool::new(false));
        let leaving = Leaving::new(&over)?;
        let shared = Arc::new(Shared { line: Mutex::default(), jobs: Mutex::default(), over });
        let (looker, drawer) = (Arc::clone(&shared), Arc::clone(&shared));
        let (context, ids) = (context.clone(), ids.to_vec());
        thread::spawn(move || look(&looker, &context, &ids));
        thread::spawn(move || draw(&drawer, &leaving, &leave));
        Ok(Self { shared: Some(shared) })
    }

    /// Prints something while the line is away.
    pub(super) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.shared {
            None => print(),
            Some(shared) => {
                let mut line = shared.line.lock();
                line.clear();
                print()
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            let mut line = shared.line.lock();
            shared.over.store(true, Ordering::Relaxed);
            line.clear();
        }
    }
}

/// Looks at the jobs until all is over. What cannot be read is what the command itself reports.
fn look(shared: &Shared, context: &Context, ids: &[String]) {
    let Ok(backend) = backend::open_again(context) else { return };
    while !shared.over.load(Ordering::Relaxed) {
        let jobs: Vec<Value> = ids.iter().filter_map(|id| backend.job(id).ok()).collect();
        let is_live = jobs.iter().any(|job| state(job).is_some_and(|state| !JobState::is_terminal(state)));
        *shared.jobs.lock() = jobs;
        if !is_live {
            return;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn draw(shared: &Shared, leaving: &Leaving, leave: &str) {
    loop {
        if let Some(signal) = leaving.signal() {
            // A terminal that takes nothing more must not keep anybody.
            let line = shared.line.try_lock_for(PRINTING_MAX);
            if !shared.over.load(Ordering::Relaxed) {
                line.map(|mut line| line.clear()).unwrap_or_default();
                eprintln!("pv: {leave}");
            }
            // A shell that runs a script stops where a command ended by Ctrl-C.
            let _ = emulate_default_handler(signal);
            return;
        }
        {
            let mut line = shared.line.lock();
            if shared.over.load(Ordering::Relaxed) {
                return;
            }
            line.show(words(&shared.jobs.lock(), host::now()).as_deref());
        }
        thread::sleep(DRAW_INTERVAL);
    }
}

/// Returns what goes on: what the one job does, or how many of several are not over, and what the first of them does.
fn words(jobs: &[Value], now: Timestamp) -> Option<String> {
    let live: Vec<String> = jobs.iter().filter_map(|job| doing(job, now)).collect();
    let first = live.first()?;
    Some(match jobs.len() {
        1 => first.clone(),
        all => format!("{} of {all} jobs are not over; {first}", live.len()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn several_jobs_are_counted_and_the_first_is_described() {
        let now = "2026-01-31T12:00:05Z".parse().unwrap();
        let check = |jobs: Value, expected: Option<&str>| {
            assert_eq!(words(jobs.as_array().unwrap(), now).as_deref(), expected, "{jobs}");
        };
        let live = json!({ "state": "running", "started_at": "2026-01-31T12:00:00Z" });
        let over = json!({ "state": "failed" });
        check(json!([]), None);
        check(json!([over]), None);
        check(json!([live]), Some("the agent works  5s"));
        check(json!([over, live, live]), Some("2 of 3 jobs are not over; the agent works  5s"));
    }
}
