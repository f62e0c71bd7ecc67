//! Starting supervisors, and ending what is left where one is gone.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
};

use camino::Utf8Path;
use parking_lot::Mutex;
use pv_lib::{fs::OsFs, job::JobId, layout::Layout, text::one_line};
use rustix::fs::OFlags;
use tokio::{process::Command, runtime::Handle, sync::Notify};
use tracing::warn;

use crate::{
    launcher,
    process::{self, LockHolder, OutputTail},
};

/// How much of the end of what a supervisor said is read for the watcher's own log, in bytes.
const LAST_WORDS_BYTES: u64 = 2048;

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

    /// Ends a supervisor that does not answer: the process that holds this very lock, found by that proof. Returns what was
    /// seen of its end.
    ///
    /// # Errors
    /// Where it is not to be found, or may not be ended.
    fn kill_hung(&mut self, lock: &Utf8Path) -> io::Result<LockHolder>;

    /// Removes cgroups of jobs that are over and that have no process any more, and returns how many.
    fn remove_empty_cgroups(&mut self, is_over: &mut dyn FnMut(&JobId) -> bool) -> usize;

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
    layout: Layout,
    alive: Arc<Mutex<HashSet<JobId>>>,
    notify: Arc<Notify>,
    runtime: Handle,
}

impl Supervisors {
    /// Makes a launcher that has started nothing yet, and notifies `ended` when a supervisor ends. What each of them says
    /// goes to a file in its job's run folder.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(command: SupervisorCommand, layout: Layout, notify: Arc<Notify>) -> Self {
        Self { command, layout, alive: Arc::default(), notify, runtime: Handle::current() }
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
        let log = self.layout.supervisor_log_path(id);
        let output = open_log(&log).inspect_err(|error| {
            warn!(job = %id, "what its supervisor says is not kept, since {log} cannot be opened: {error}");
        });
        let mut command = std::process::Command::new(&self.command.program);
        command.args(&self.command.args).arg(id.as_str());
        process::detach(&mut command, output.ok())?;
        let mut supervisor = Command::from(command).kill_on_drop(false).spawn()?;
        self.alive.lock().insert(id.clone());
        let (alive, notify, id) = (Arc::clone(&self.alive), Arc::clone(&self.notify), id.clone());
        self.runtime.spawn(async move {
            match supervisor.wait().await {
                Ok(status) if !status.success() => {
                    warn!(job = %id, "its supervisor ended with {status}; {}", last_words(&log));
                }
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
        launcher::close_left(&OsFs, &self.layout, id)
    }

    fn kill_hung(&mut self, lock: &Utf8Path) -> io::Result<LockHolder> {
        process::end_lock_holder(lock)
    }

    fn remove_empty_cgroups(&mut self, is_over: &mut dyn FnMut(&JobId) -> bool) -> usize {
        process::remove_empty_cgroups(is_over)
    }

    fn remove_checkout(&mut self, dir: &Utf8Path) -> io::Result<()> {
        crate::git::remove_folder(dir)
    }
}

/// Opens the file with what the supervisors of a job say, to add to it.
fn open_log(path: &Utf8Path) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    File::options().append(true).create(true).custom_flags(no_link).open(path)
}

/// Returns the last of what a supervisor said, in a line.
fn last_words(log: &Utf8Path) -> String {
    let read = || {
        let mut file = File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LAST_WORDS_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS_BYTES).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let mut tail = OutputTail::default();
    read().into_iter().for_each(|bytes| tail.add(&bytes));
    match tail.into_string().lines().last() {
        Some(line) => format!("the last line of {log}: {}", one_line(line)),
        None => format!("{log} holds nothing"),
    }
}
