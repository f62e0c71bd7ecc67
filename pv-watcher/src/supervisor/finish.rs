//! The end of a job: its record, then its prompt and its folders.

use std::{
    thread,
    time::{Duration, Instant},
};

use pv_lib::{
    Error,
    job::{JobState, Outcome},
};
use tracing::warn;

use crate::{git::remove_folder, session::Session};

/// How long the end of a job is tried to be written where that fails. Afterwards the next supervisor writes it.
const FINISH_WAIT: Duration = Duration::from_secs(3600);

/// The pause between two tries to write it.
const FINISH_PAUSE: Duration = Duration::from_secs(1);

/// Writes the end, again and again where that fails, until it is durable.
pub(super) fn finish(session: &mut Session<'_>, outcome: &Outcome) -> Result<JobState, Error> {
    let begun = Instant::now();
    loop {
        let written = session.finish(outcome.clone());
        match written {
            Ok(()) => return Ok(session.writer.record().state()),
            Err(error @ Error::Fs { .. }) if begun.elapsed() < FINISH_WAIT && !session.poller.terminated() => {
                warn!(job = %session.id(), "cannot write how the job ended, trying again: {error}");
                thread::sleep(FINISH_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Tidies up after a job that is over. What fails here, recovery does later.
pub(super) fn clean_up(session: &mut Session<'_>) {
    if let Err(error) = session.writer.archive() {
        warn!(job = %session.id(), "cannot archive the prompt yet: {error}");
    }
    if session.writer.record().prompt_changed == Some(true) {
        warn!(job = %session.id(), "its prompt was changed after it had been read: what was added was not run");
    }
    let log = session.store.layout().supervisor_log_path(session.id());
    if log.symlink_metadata().is_ok_and(|stat| stat.is_file() && stat.len() == 0) {
        // Nothing was said.
        let _ = std::fs::remove_file(&log);
    }
    for dir in session.folders_to_remove() {
        if let Err(error) = remove_folder(&dir) {
            warn!(job = %session.id(), "cannot remove {dir}: {error}");
        }
    }
}
