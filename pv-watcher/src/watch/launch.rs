//! Starting supervisors, and ending what is left where one is gone.

use std::{collections::HashSet, ffi::OsString, io, process::Stdio, sync::Arc};

use camino::Utf8Path;
use parking_lot::Mutex;
use pv_lib::job::JobId;
use tokio::{process::Command, runtime::Handle, sync::Notify};
use tracing::warn;

use crate::process;

/// Starts and ends supervisors.
pub trait Launcher {
    /// Starts the supervisor of a job, which lives on when the watcher ends.
    ///
    /// # Errors
    /// Where the system cannot start a process.
    fn launch(&mut self, id: &JobId) -> io::Result<()>;

    /// Returns the jobs whose supervisors were started by this watcher and have not ended.
    fn active(&mut self) -> HashSet<JobId>;

    /// Ends whatever a job whose supervisor is gone left running. Returns how many processes that were.
    ///
    /// # Errors
    /// Where some are still there.
    fn kill_orphans(&mut self, id: &JobId) -> io::Result<usize>;

    /// Ends a supervisor that does not answer: the process that holds this very lock file open, found by that proof.
    ///
    /// # Errors
    /// Where there is none, or it cannot be ended.
    fn kill_hung(&mut self, lock: &Utf8Path) -> io::Result<()>;

    /// Removes a checkout of a job that is over.
    ///
    /// # Errors
    /// Where something of it is left.
    fn remove_checkout(&mut self, dir: &Utf8Path) -> io::Result<()>;
}

/// How a supervisor is started; the job's id is added as the last argument.
#[derive(Debug, Clone)]
pub struct SupervisorCommand {
    /// The program: `/proc/self/exe`, so that a binary that was replaced meanwhile does not matter.
    pub program: OsString,
    /// The arguments before the job's id.
    pub args: Vec<OsString>,
}

/// The supervisors that this watcher started.
#[derive(Debug)]
pub struct Supervisors {
    command: SupervisorCommand,
    alive: Arc<Mutex<HashSet<JobId>>>,
    notify: Arc<Notify>,
    runtime: Handle,
}

impl Supervisors {
    /// Makes a launcher that has started nothing yet, and notifies `ended` when a supervisor ends.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(command: SupervisorCommand, notify: Arc<Notify>) -> Self {
        Self { command, alive: Arc::default(), notify, runtime: Handle::current() }
    }

    /// Returns how many have not ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.alive.lock().len()
    }
}

impl Launcher for Supervisors {
    fn launch(&mut self, id: &JobId) -> io::Result<()> {
        let _runtime = self.runtime.enter();
        let mut command = Command::new(&self.command.program);
        command.args(&self.command.args).arg(id.as_str()).stdin(Stdio::null()).kill_on_drop(false);
        let mut supervisor = command.spawn()?;
        self.alive.lock().insert(id.clone());
        let (alive, notify, id) = (Arc::clone(&self.alive), Arc::clone(&self.notify), id.clone());
        self.runtime.spawn(async move {
            match supervisor.wait().await {
                Ok(status) if !status.success() => warn!(job = %id, "its supervisor ended with {status}"),
                Ok(_) => {}
                Err(error) => warn!(job = %id, "cannot wait for its supervisor: {error}"),
            }
            alive.lock().remove(&id);
            notify.notify_one();
        });
        Ok(())
    }

    fn active(&mut self) -> HashSet<JobId> {
        self.alive.lock().clone()
    }

    fn kill_orphans(&mut self, id: &JobId) -> io::Result<usize> {
        process::sweep_leftovers(id)
    }

    fn kill_hung(&mut self, lock: &Utf8Path) -> io::Result<()> {
        process::end_lock_holder(lock)
    }

    fn remove_checkout(&mut self, dir: &Utf8Path) -> io::Result<()> {
        crate::git::remove_folder(dir)
    }
}
