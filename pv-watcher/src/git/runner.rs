//! Git as it is called here: with nobody to ask, none of the repository's hooks, and a limit on its time.
//!
//! Every call names its repository in its arguments. It is given the watcher's environment without what is ours, so that a
//! person's own settings (credential helpers, proxies, ssh keys) count. What waits for the process is the [`Attendant`]: the runner knows no job.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek},
    process::{Command, Stdio},
    rc::Rc,
    sync::mpsc::sync_channel,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use pv_lib::{
    job::is_object_name,
    supervise::{Cause, Ending, TimeLimits},
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    environment::{CEILING, git_environment},
    failure::GitFailure,
};
use crate::{
    environment::Environment,
    process::{Interruptible, KILL_LIMIT, OutputSink, OutputTail, Spawned, WithoutProgress, spawn},
};

/// The arguments of every call: none of our hooks, nobody is asked, nothing is tidied up, files are where we read them, and
/// neither a person's ignore file nor a check of line ends keeps any of them out of a commit.
pub(super) const BASE_CONFIG: [&str; 26] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.excludesFile=/dev/null",
    "-c",
    "core.safecrlf=false",
    "-c",
    "core.splitIndex=false",
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "core.trustctime=true",
    "-c",
    "core.checkStat=default",
    "-c",
    "core.askPass=",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "init.defaultRefFormat=files",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
];

/// Further arguments of a call that writes what must not be lost.
pub(crate) const FSYNC_CONFIG: [&str; 4] = ["-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync"];

/// How git exits where what it was asked for is not there, as `git config` does for a key.
const NOTHING_THERE: i32 = 1;

/// The longest answer of git that is read as a value, in bytes.
const VALUE_BYTES_MAX: u64 = 64 << 20;

/// What every git call of one job is given.
#[derive(Debug)]
pub(crate) struct GitSettings {
    /// The environment of this process, of which git is given what is not ours.
    pub(crate) environment: Environment,
    /// The variable by which processes are found that a call leaves, and its value.
    pub(crate) marker: (&'static str, String),
    /// How long a call that is stopped has to end by itself.
    pub(crate) grace: Duration,
    /// How long one call may take.
    pub(crate) timeout: Duration,
    /// How long one call may neither say that something arrives, nor compute, nor change files of the checkout.
    pub(crate) idle_timeout: Duration,
    /// The pauses before each further try where a network failed; none for one try.
    pub(crate) retry_pauses: Vec<Duration>,
    /// The time between two heartbeats.
    pub(crate) heartbeat: Duration,
}

/// What waits for the processes of a [`Runner`] and for other work, and keeps heartbeats going meanwhile.
pub(crate) trait Attendant {
    /// Waits until a process and what it started are gone, and returns how it ended.
    fn wait_for(
        &mut self,
        process: Spawned,
        output: &mut dyn OutputSink,
        interruptible: Interruptible,
        limits: &TimeLimits,
    ) -> Ending;

    /// Waits.
    ///
    /// # Errors
    /// The cause, at once, where an abort or a signal that may interrupt arrives.
    fn pause(&mut self, time: Duration, interruptible: Interruptible) -> Result<(), Cause>;

    /// Does something in a thread of its own, and tells whether it ended within `limit`. The thread goes on otherwise, and
    /// ends with this process.
    fn run_blocking(&mut self, limit: Duration, work: Box<dyn FnOnce() + Send>) -> bool;
}

/// Runs git for one job.
pub(crate) struct Runner<'a> {
    settings: Rc<GitSettings>,
    interruptible: Interruptible,
    attendant: &'a mut dyn Attendant,
    deadline: Option<Instant>,
}

/// How a call ended that nobody stopped, with git's last words.
enum Ended {
    Well(String),
    Badly { code: Option<i32>, words: String },
}

impl Ended {
    fn well(self) -> Result<String, GitFailure> {
        match self {
            Self::Well(words) => Ok(words),
            Self::Badly { words, .. } => Err(GitFailure::Failed(words)),
        }
    }
}

impl<'a> Runner<'a> {
    /// Makes a runner; `interruptible` says whether an abort, or a signal to the supervisor, stops its calls.
    pub(crate) fn new(
        settings: Rc<GitSettings>,
        interruptible: Interruptible,
        attendant: &'a mut dyn Attendant,
    ) -> Self {
        Self { settings, interruptible, attendant, deadline: None }
    }

    /// Returns how long one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Returns the environment of every call.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        git_environment(&self.settings.environment)
    }

    /// Runs git and returns its last words, standard output and errors in one.
    pub(crate) fn run(&mut self, args: &[&str]) -> Result<String, GitFailure> {
        self.run_command(git_command(&self.settings, args), None)?.well()
    }

    /// Runs git, and returns its exit code and its last words: what a failure means is for the caller to say.
    pub(crate) fn exit(&mut self, args: &[&str]) -> Result<(Option<i32>, String), GitFailure> {
        Ok(match self.run_command(git_command(&self.settings, args), None)? {
            Ended::Well(words) => (Some(0), words),
            Ended::Badly { code, words } => (code, words),
        })
    }

    /// Runs git with arguments that need not be UTF-8, and returns its last words.
    pub(crate) fn run_os(&mut self, args: &[&OsStr]) -> Result<String, GitFailure> {
        self.run_command(git_command(&self.settings, args), None)?.well()
    }

    /// Runs git with its standard output into a file.
    pub(crate) fn run_into(&mut self, args: &[&str], stdout: File) -> Result<(), GitFailure> {
        self.run_command(git_command(&self.settings, args), Some(stdout))?.well().map(drop)
    }

    /// Runs git and returns what it printed, whole and without its complaints.
    pub(crate) fn value(&mut self, args: &[&str]) -> Result<Vec<u8>, GitFailure> {
        let (ended, printed) = self.capture(git_command(&self.settings, args))?;
        ended.well().map(|_| printed)
    }

    /// Runs git with further variables, which nothing of the environment overrides, and returns what it printed.
    pub(crate) fn value_with(&mut self, variables: &[(&str, &str)], args: &[&str]) -> Result<Vec<u8>, GitFailure> {
        let mut command = git_command(&self.settings, args);
        command.envs(variables.iter().copied());
        let (ended, printed) = self.capture(command)?;
        ended.well().map(|_| printed)
    }

    /// Runs git in a folder that is to be a repository itself, and returns what it printed; `None` where it says, by its
    /// exit code, that what it was asked for is not there.
    pub(crate) fn value_in(&mut self, dir: &Utf8Path, args: &[&str]) -> Result<Option<Vec<u8>>, GitFailure> {
        let mut command = git_command(&self.settings, &[&["-C", dir.as_str()], args].concat());
        command.env(CEILING.0, CEILING.1);
        self.capture_if_found(command)
    }

    /// Runs git and returns what it printed; `None` where it says, by its exit code, that what it was asked for is not there.
    pub(crate) fn value_if_found(&mut self, args: &[&str]) -> Result<Option<Vec<u8>>, GitFailure> {
        self.capture_if_found(git_command(&self.settings, args))
    }

    fn capture_if_found(&mut self, command: Command) -> Result<Option<Vec<u8>>, GitFailure> {
        match self.capture(command)? {
            (Ended::Badly { code: Some(NOTHING_THERE), .. }, _) => Ok(None),
            (ended, printed) => ended.well().map(|_| Some(printed)),
        }
    }

    /// Runs git again, after a pause each time, while a network fails that may work again in a moment.
    pub(crate) fn with_retry(&mut self, args: &[&str]) -> Result<String, GitFailure> {
        self.retry(|git| git.run(args))
    }

    /// Runs git and returns the object name that it printed.
    pub(crate) fn object(&mut self, args: &[&str]) -> Result<String, GitFailure> {
        let printed = self.value(args)?;
        let printed = String::from_utf8_lossy(&printed);
        let name = printed.trim_end();
        if is_object_name(name) {
            return Ok(name.to_owned());
        }
        Err(GitFailure::Failed(format!("git named no object: {}", printed.escape_debug())))
    }

    /// Asks a remote which commit a reference of its has, after a pause each time while a network fails.
    pub(crate) fn remote_tip(
        &mut self,
        settings: &[&str],
        url: &str,
        reference: &str,
    ) -> Result<Option<String>, GitFailure> {
        let args = [settings, &["ls-remote", "--quiet", "--", url, reference]].concat();
        let listed = self.retry(|git| git.value(&args))?;
        let listed = String::from_utf8_lossy(&listed);
        let tip = listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == reference);
        Ok(tip.map(|(commit, _)| commit.to_owned()).filter(|commit| is_object_name(commit)))
    }

    /// Lists the tags of a remote, a line of object, tab and reference for each, after a pause each time while a network fails.
    pub(super) fn remote_tags(&mut self, settings: &[&str], url: &str) -> Result<Vec<u8>, GitFailure> {
        let args = [settings, &["ls-remote", "--quiet", "--tags", "--refs", "--", url]].concat();
        self.retry(|git| git.value(&args))
    }

    /// Waits.
    ///
    /// # Errors
    /// [`GitFailure::Stopped`] at once when an abort or a signal that may interrupt arrives.
    pub(crate) fn pause(&mut self, time: Duration) -> Result<(), GitFailure> {
        self.attendant.pause(time, self.interruptible).map_err(GitFailure::stopped)
    }

    /// Does something that is no git call in a thread of its own, and returns its result; `None` where that takes longer than
    /// a git call may be silent.
    pub(crate) fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        let has_ended =
            self.attendant.run_blocking(self.settings.idle_timeout, Box::new(move || drop(sender.send(work()))));
        if has_ended { receiver.try_recv().ok() } else { None }
    }

    /// Runs another program under the limits of a git call, and returns whether it succeeded, and its last words.
    pub(crate) fn run_program(&mut self, program: &str, command: Command) -> Result<(bool, String), GitFailure> {
        match self.run_named(program, command, None)? {
            Ended::Well(words) => Ok((true, words)),
            Ended::Badly { words, .. } => Ok((false, words)),
        }
    }

    /// Calls git again, after a pause each time, while a network fails that may work again in a moment.
    pub(super) fn retry<T>(
        &mut self,
        mut call: impl FnMut(&mut Self) -> Result<T, GitFailure>,
    ) -> Result<T, GitFailure> {
        for pause in self.settings.retry_pauses.clone() {
            match call(self) {
                Err(failure) if failure.is_transient() && self.has_time_for(pause) => self.pause(pause)?,
                done => return done,
            }
        }
        call(self)
    }

    /// Runs git, which says what is for people to `said`, and returns its exit code and what it printed.
    pub(super) fn run_saying(
        &mut self,
        args: &[&str],
        said: &mut dyn OutputSink,
    ) -> Result<(Option<i32>, Vec<u8>), GitFailure> {
        let command = git_command(&self.settings, args);
        self.capture_with(|git, stdout| {
            git.run_to_end("git", command, Some(stdout), said).map(|ending| ending.exit_code())
        })
    }

    /// Runs git to its end, and returns how it ended and what it printed.
    fn capture(&mut self, command: Command) -> Result<(Ended, Vec<u8>), GitFailure> {
        self.capture_with(|git, stdout| git.run_command(command, Some(stdout)))
    }

    /// Returns what `run` returns, and what it had written to the file that it was given.
    fn capture_with<T>(
        &mut self,
        run: impl FnOnce(&mut Self, File) -> Result<T, GitFailure>,
    ) -> Result<(T, Vec<u8>), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        let mut printed = File::from(memfd_create("git", MemfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?);
        let stdout = printed.try_clone().map_err(failed)?;
        let ended = run(self, stdout)?;
        let mut value = Vec::new();
        printed.rewind().map_err(failed)?;
        printed.take(VALUE_BYTES_MAX + 1).read_to_end(&mut value).map_err(failed)?;
        if value.len() as u64 > VALUE_BYTES_MAX {
            return Err(GitFailure::Failed(format!("git printed more than {VALUE_BYTES_MAX} bytes")));
        }
        Ok((ended, value))
    }

    fn run_command(&mut self, command: Command, stdout: Option<File>) -> Result<Ended, GitFailure> {
        self.run_named("git", command, stdout)
    }

    /// Runs a program to its end, whatever that is.
    fn run_named(&mut self, name: &str, command: Command, stdout: Option<File>) -> Result<Ended, GitFailure> {
        let mut words = OutputTail::default();
        let ending = self.run_to_end(name, command, stdout, &mut words)?;
        match ending.failure(name, &self.limits()) {
            None => Ok(Ended::Well(words.into_string())),
            Some(_) => Ok(Ended::Badly { code: ending.exit_code(), words: words.into_string() }),
        }
    }

    /// Runs a program to an end that it found by itself.
    fn run_to_end(
        &mut self,
        name: &str,
        command: Command,
        stdout: Option<File>,
        said: &mut dyn OutputSink,
    ) -> Result<Ending, GitFailure> {
        let process = spawn(command, stdout, None)
            .map_err(|error| GitFailure::Failed(format!("cannot run {name}: {error} (is it installed?)")))?;
        let limits = self.limits();
        let mut said = WithoutProgress::new(said);
        let ending = self.attendant.wait_for(process, &mut said, self.interruptible, &limits);
        said.finish();
        if ending.cause.is_some() { Err(GitFailure::Stopped(ending)) } else { Ok(ending) }
    }

    /// Lets no call, and no further try of one, go on after that time.
    pub(crate) fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() + pause < deadline)
    }

    /// Returns the time limits of a call.
    pub(crate) fn limits(&self) -> TimeLimits {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        TimeLimits {
            timeout: Some(left.map_or(self.settings.timeout, |left| left.min(self.settings.timeout))),
            idle_timeout: Some(self.settings.idle_timeout),
            settle: None,
            heartbeat: self.settings.heartbeat,
            grace: self.settings.grace,
            kill: KILL_LIMIT,
            clean_scans: 1,
        }
    }
}

fn git_command<S: AsRef<OsStr>>(settings: &GitSettings, args: &[S]) -> Command {
    let mut git = Command::new("git");
    git.env_clear().envs(git_environment(&settings.environment)).env(settings.marker.0, &settings.marker.1);
    git.args(BASE_CONFIG).args(args).current_dir("/").stdin(Stdio::null());
    git
}
