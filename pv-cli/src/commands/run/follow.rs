//! Following a job: its log as it comes, and on a terminal what it does while there is none.

use std::{
    thread,
    time::{Duration, Instant},
};

use pv_lib::{
    Error, host,
    job::{JobId, JobRecord, JobState},
    store::Store,
    text::one_line,
};
use pv_watcher::lock_holder;
use serde_json::Value;

use super::super::{job_words::doing, progress::Leaving};
use crate::{background, exit::Failure, render::LogOut, terminal::StatusLine};

/// How often the job is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How much of a log is read at once, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// How often it is looked why a job does not start, or does not go on.
const EXPLAIN_AFTER: Duration = Duration::from_secs(2);

/// How following ended.
#[derive(Debug)]
pub(super) enum Followed {
    /// The job is over.
    Over(Box<JobRecord>),
    /// The person left, by this signal; the job goes on.
    Left(i32),
}

/// Follows a job to its end, or until the person leaves.
pub(super) fn follow(store: &Store, id: &JobId, agent: &str, leaving: &Leaving) -> Result<Followed, Failure> {
    let (begun, mut at, mut out) = (Instant::now(), 0, LogOut::new());
    let mut line = StatusLine::default();
    let (mut explained, mut looked) = (None, Duration::ZERO);
    loop {
        // Asked before reading: what was written before the end is read after it.
        let record = store.read_run(id)?.into_record()?;
        loop {
            let block = match store.read_log(id, at, BLOCK_BYTES) {
                Err(Error::LogNotFound(_)) => Vec::new(),
                read => read?,
            };
            if block.is_empty() {
                break;
            }
            at += block.len() as u64;
            line.clear();
            out.take(&block)?;
        }
        if record.state().is_terminal() {
            line.clear();
            out.finish()?;
            return Ok(Followed::Over(Box::new(record)));
        } else if let Some(signal) = leaving.signal() {
            line.clear();
            out.finish()?;
            return Ok(Followed::Left(signal));
        }
        if begun.elapsed() >= looked + EXPLAIN_AFTER {
            looked = begun.elapsed();
            let why = why_it_waits(store, id, record.state(), agent);
            if why.is_some() && why != explained {
                line.clear();
                eprintln!("  waits: {}", why.as_deref().unwrap_or_default());
                explained = why;
            }
        }
        line.show(doing(&Value::Object(record.to_json()), host::now()).as_deref());
        thread::sleep(POLL);
    }
}

/// Returns why a job does not start, or does not go on, as far as that is known.
fn why_it_waits(store: &Store, id: &JobId, state: JobState, agent: &str) -> Option<String> {
    let is_watched = background::running(store).ok()?.is_some();
    if !is_watched && (state == JobState::Created || lock_holder(&store.layout().lock_path(id)).ok()?.is_none()) {
        return Some("no watcher runs any more: `pv up`, or the next `pv run`, starts one".to_owned());
    } else if state != JobState::Created {
        return None;
    }
    let now = host::now();
    let held = store.holds(now).ok()?.active.into_iter().find(|hold| hold.agent == agent);
    if let Some(hold) = held {
        let message = one_line(&hold.message);
        return Some(format!(
            "{agent} is held until {}: {message}; `pv resume --agent {agent} --all` ends that",
            hold.until
        ));
    }
    let watcher = store.watcher_status().ok()??;
    let is_full = watcher.is_alive(now) && watcher.running >= watcher.max_concurrent;
    is_full.then(|| format!("{} jobs run, as many as may at once (watcher.max_concurrent)", watcher.running))
}
