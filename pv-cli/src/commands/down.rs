//! `pv down`: stops the watcher of an installation, and what it serves.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use pv_watcher::stop_lock_holder;
use serde_json::json;

use crate::{
    background::{self, running},
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    render::Out,
};

/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Arguments of `pv down`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Asks it to end, waits until it has, and says what goes on. It is no error if none runs.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    let (store, mut out) = (store(&config), Out::new());
    let Some(found) = running(&store)? else {
        if context.json {
            out.json(&json!({ "stopped": null }))?;
        } else {
            out.line(&format!("no watcher runs on {}", config.folders.root.value))?;
            out.flush()?;
        }
        return Ok(Exit::Done);
    };
    if let Some(unit) = found.pid.and_then(background::unit_of) {
        let why = format!("it is the system's service {unit}: `systemctl stop {unit}` stops it");
        return Err(Failure::new(Exit::Refused, why));
    }
    let lock = store.layout().runs_watcher_lock_path();
    let stopped = stop_lock_holder(&lock).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::new(Exit::Refused, format!("it is another user's ({}): stop it as that user", found.describe()))
        }
        _ => error.into(),
    })?;
    let begun = Instant::now();
    while running(&store)?.is_some_and(|now| now.pid == found.pid) {
        if begun.elapsed() > END_LIMIT {
            let seconds = END_LIMIT.as_secs();
            let why = format!("it has not ended within {seconds} s ({})", found.describe());
            return Err(Failure::new(Exit::Refused, why));
        }
        thread::sleep(POLL);
    }
    if context.json {
        out.json(&json!({ "stopped": stopped }))?;
        return Ok(Exit::Done);
    }
    let jobs = match found.status.map_or(0, |status| status.running) {
        0 => String::new(),
        1 => "; 1 job goes on under its supervisor".to_owned(),
        jobs => format!("; {jobs} jobs go on under their supervisors"),
    };
    out.line(&format!("stopped{}{jobs}", stopped.map(|pid| format!(" (pid {pid})")).unwrap_or_default()))?;
    out.flush()?;
    Ok(Exit::Done)
}
