//! Git as it is called here: with nobody to ask, none of the repository's hooks, and a limit on its time.
//!
//! Every call names its repository in its arguments. It is given the watcher's environment, so that a person's own settings
//! (credential helpers, proxies, ssh keys) count; nothing in it may point git at another repository, or make another author
//! of our commits. What waits for the process is the [`Attendant`]: the runner knows no job.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek},
    process::{Command, Stdio},
    rc::Rc,
    sync::mpsc::sync_channel,
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    job::is_object_name,
    supervise::{Cause, Ending, TimeLimits},
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::failure::GitFailure;
use crate::process::{Interruptible, KILL_LIMIT, OutputTail, Spawned, spawn};

/// How long a git call of ours has to end by itself.
const GIT_GRACE: Duration = Duration::from_secs(2);

/// Variables that would point git at another repository than the one we name, or change what we write.
pub(crate) const SCRUBBED_ENV: [&str; 20] = [
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "LANGUAGE",
];

/// The arguments of every call: none of our hooks, nobody is asked, nothing is tidied up, files are where we read them, and
/// neither a person's ignore file nor a check of line ends keeps any of them out of a commit.
const BASE_CONFIG: [&str; 26] = [
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

/// ssh as a person configured it, quotes included, and never a question.
const SSH_COMMAND: &str =
    r#"f() { eval "$(git config --get core.sshCommand || echo ssh) -oBatchMode=yes \"\$@\""; }; f"#;

/// Above which folder git looks for no repository: the one above its own, however that is spelled, links followed.
///
/// So what only looks like a repository does not make it speak of one around it.
pub(crate) const CEILING: (&str, &str) = ("GIT_CEILING_DIRECTORIES", "/proc/self/cwd/..");

/// How git exits where what it was asked for is not there, as `git config` does for a key.
const NOTHING_THERE: i32 = 1;

/// The longest answer of git that is read as a value, in bytes.
const VALUE_BYTES_MAX: u64 = 64 << 20;

/// What every git call of one job is given.
#[derive(Debug)]
pub(crate) struct GitSettings {
    /// The environment of the watcher.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The variable by which processes are found that a call leaves, and its value.
    pub(crate) marker: (&'static str, String),
    /// How long one call may take.
    pub(crate) timeout: Duration,
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
        output: &mut OutputTail,
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
        Self { settings, interruptible, attendant }
    }

    /// Returns how long one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
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

    /// Waits.
    ///
    /// # Errors
    /// [`GitFailure::Stopped`] at once when an abort or a signal that may interrupt arrives.
    pub(crate) fn pause(&mut self, time: Duration) -> Result<(), GitFailure> {
        self.attendant.pause(time, self.interruptible).map_err(GitFailure::stopped)
    }

    /// Does something that is no git call in a thread of its own, and returns its result; `None` where that takes longer than
    /// a git call may.
    pub(crate) fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        let has_ended = self.attendant.run_blocking(self.settings.timeout, Box::new(move || drop(sender.send(work()))));
        if has_ended { receiver.try_recv().ok() } else { None }
    }

    /// Runs another program under the limits of a git call, and returns whether it succeeded, and its last words.
    pub(crate) fn run_program(&mut self, program: &str, command: Command) -> Result<(bool, String), GitFailure> {
        match self.run_named(program, command, None)? {
            Ended::Well(words) => Ok((true, words)),
            Ended::Badly { words, .. } => Ok((false, words)),
        }
    }

    fn retry<T>(&mut self, mut call: impl FnMut(&mut Self) -> Result<T, GitFailure>) -> Result<T, GitFailure> {
        for pause in self.settings.retry_pauses.clone() {
            match call(self) {
                Err(failure) if failure.is_transient() => self.pause(pause)?,
                done => return done,
            }
        }
        call(self)
    }

    /// Runs git to its end, and returns how it ended and what it printed.
    fn capture(&mut self, command: Command) -> Result<(Ended, Vec<u8>), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        let mut printed = File::from(memfd_create("git", MemfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?);
        let stdout = printed.try_clone().map_err(failed)?;
        let ended = self.run_command(command, Some(stdout))?;
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
        let process = spawn(command, stdout, None)
            .map_err(|error| GitFailure::Failed(format!("cannot run {name}: {error} (is it installed?)")))?;
        let limits = self.limits();
        let mut words = OutputTail::default();
        let ending = self.attendant.wait_for(process, &mut words, self.interruptible, &limits);
        match ending.failure(name, &limits) {
            None => Ok(Ended::Well(words.into_string())),
            Some(_) if ending.cause.is_some() => Err(GitFailure::Stopped(ending)),
            Some(_) => Ok(Ended::Badly { code: ending.exit_code(), words: words.into_string() }),
        }
    }

    /// Returns the time limits of a call.
    pub(crate) fn limits(&self) -> TimeLimits {
        TimeLimits {
            timeout: Some(self.settings.timeout),
            idle_timeout: None,
            settle: None,
            heartbeat: self.settings.heartbeat,
            grace: GIT_GRACE,
            kill: KILL_LIMIT,
            clean_scans: 1,
        }
    }
}

fn git_command<S: AsRef<OsStr>>(settings: &GitSettings, args: &[S]) -> Command {
    let mut git = Command::new("git");
    let environment = &settings.environment;
    git.env_clear().envs(environment.iter().filter(|(name, _)| !is_scrubbed(name)).cloned());
    git.env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS_REQUIRE", "never").env("LC_ALL", "C");
    git.env(settings.marker.0, &settings.marker.1);
    match environment.iter().find(|(name, _)| name == "GIT_SSH_COMMAND") {
        Some((_, own)) => {
            let mut own = own.clone();
            own.push(" -oBatchMode=yes");
            git.env("GIT_SSH_COMMAND", own);
        }
        None if environment.iter().any(|(name, _)| name == "GIT_SSH") => {}
        None => drop(git.env("GIT_SSH_COMMAND", SSH_COMMAND)),
    }
    git.args(BASE_CONFIG).args(args).current_dir("/").stdin(Stdio::null());
    git
}

fn is_scrubbed(name: &OsString) -> bool {
    SCRUBBED_ENV.iter().any(|scrubbed| name == scrubbed)
}
