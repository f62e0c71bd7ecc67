//! What a process needs to be the supervisor of a job.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use pv_lib::{
    Error,
    job::JobId,
    store::{RunWriter, Store},
};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid};

use crate::process::Poller;

/// How long to wait for the run's lock: whoever only asks whether it is held takes it for an instant.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The pause between two tries for it.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Gives this process a session of its own, and everything to it that its descendants leave.
pub(super) fn become_supervisor(store: &Store, id: &JobId) -> io::Result<Poller> {
    // Already the leader of its group: whoever started us meant that.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Poller::new(&store.layout().run_path(id))
}

/// Takes the lock of a run: its holder alone writes the record.
pub(super) fn acquire_run_lock(store: &Store, id: &JobId) -> Result<RunWriter, Error> {
    let begun = Instant::now();
    loop {
        match store.writer(id) {
            Err(Error::Locked(_)) if begun.elapsed() < LOCK_WAIT => thread::sleep(LOCK_PAUSE),
            acquired => return acquired,
        }
    }
}
