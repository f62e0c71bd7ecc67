//! `pv down`: stops the watcher of an installation, and what it serves.

use pv_lib::host;
use serde_json::json;

use crate::{
    background::{self, running},
    context::{Context, store},
    exit::{Exit, Outcome},
    render::Out,
};

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
    let stopped = background::stop(&store, &found)?;
    if context.json {
        out.json(&json!({ "stopped": stopped }))?;
        return Ok(Exit::Done);
    }
    // Counted now: what the watcher wrote of itself is some seconds old.
    let counts = store.counts(host::now(), config.thresholds()).unwrap_or_default();
    let jobs = match counts.by_state.get("running").copied().unwrap_or(0) {
        0 => String::new(),
        1 => "; 1 job goes on under its supervisor".to_owned(),
        jobs => format!("; {jobs} jobs go on under their supervisors"),
    };
    out.line(&format!("stopped{}{jobs}", stopped.map(|pid| format!(" (pid {pid})")).unwrap_or_default()))?;
    out.flush()?;
    Ok(Exit::Done)
}
