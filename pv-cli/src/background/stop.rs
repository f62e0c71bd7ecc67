//! Stopping the watcher of an installation.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use pv_lib::store::Store;
use pv_watcher::stop_lock_holder;

use super::{
    running::{Running, running},
    systemd::unit_of,
};
use crate::exit::{Exit, Failure};

/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Asks a watcher to end and waits until it has; returns its process. Its jobs go on.
///
/// # Errors
/// One that is the system's service, another user's, or does not end in 30 s: exit code 5.
pub(crate) fn stop(store: &Store, found: &Running) -> Result<Option<i32>, Failure> {
    if let Some(unit) = found.pid.and_then(unit_of) {
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
    while running(store)?.is_some_and(|now| now.pid == found.pid) {
        if begun.elapsed() > END_LIMIT {
            let seconds = END_LIMIT.as_secs();
            let why = format!("it has not ended within {seconds} s ({})", found.describe());
            return Err(Failure::new(Exit::Refused, why));
        }
        thread::sleep(POLL);
    }
    Ok(stopped)
}
