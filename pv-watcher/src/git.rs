//! Git as it is called here: with nobody to ask, none of the repository's hooks, and a limit on its time.
//!
//! Every call names its repository in its arguments and is attended like any process, heartbeats included. It is given
//! the watcher's environment, so that a person's own settings (credential helpers, proxies, ssh keys) count; nothing in
//! it may point git at another repository, or make another author of our commits.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek},
    process::{Command, Stdio},
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::supervise::{Cause, Ending, TimeLimits};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::Signal,
};

use crate::{
    output_tail::OutputTail,
    process::{JOB_ID_VARIABLE, spawn},
    session::{KILL_LIMIT, Output, Session},
};

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

/// What every call is told: none of our hooks, nobody is asked, nothing is tidied up, files are where we read them, and
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

/// What a call is told besides that writes what must not be lost.
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

/// What git says when a network failed that may work again in a moment.
const TRANSIENT: [&str; 14] = [
    "could not resolve host",
    "temporary failure in name resolution",
    "connection refused",
    "connection timed out",
    "connection reset",
    "connection closed",
    "failed to connect",
    "couldn't connect",
    "network is unreachable",
    "operation timed out",
    "early eof",
    "unexpected disconnect",
    "empty reply from server",
    "returned error: 5",
];

/// Whether an abort, or a signal to the supervisor, stops a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruptible {
    /// It stops the call.
    Yes,
    /// The call goes on to its end, or to its time limit.
    No,
}

/// Why a git call did not do what it was to.
#[derive(Debug)]
pub(crate) enum GitFailure {
    /// It was stopped.
    Stopped(Ending),
    /// It failed, with these words.
    Failed(String),
}

impl GitFailure {
    /// Returns the failure of something that was waited for and stopped.
    pub(crate) fn stopped(cause: Cause) -> Self {
        Self::Stopped(Ending { cause: Some(cause), exit: None, clean: true })
    }

    /// Returns it as words, where nobody can have stopped the call but its time limit.
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Stopped(_) => "git took too long and was stopped".to_owned(),
            Self::Failed(words) if words.is_empty() => "git failed without a word".to_owned(),
            Self::Failed(words) => words,
        }
    }

    /// Tells whether the same call may work in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Failed(words) if is_transient(words))
    }
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

impl Session<'_> {
    /// Runs git and returns its last words, standard output and errors in one.
    pub(crate) fn git(&mut self, args: &[&str], stop: Interruptible) -> Result<String, GitFailure> {
        self.run_git(args, None, stop)
    }

    /// Runs git, and returns its exit code and its last words: what a failure means is for the caller to say.
    pub(crate) fn git_exit(&mut self, args: &[&str], stop: Interruptible) -> Result<(Option<i32>, String), GitFailure> {
        let command = self.git_command(args);
        Ok(match self.run(command, None, stop)? {
            Ended::Well(words) => (Some(0), words),
            Ended::Badly { code, words } => (code, words),
        })
    }

    /// Runs git with arguments that need not be UTF-8, and returns its last words.
    pub(crate) fn git_with(&mut self, args: &[&OsStr], stop: Interruptible) -> Result<String, GitFailure> {
        self.run_git(args, None, stop)
    }

    /// Runs git with its standard output into a file; nothing stops it but its time limit.
    pub(crate) fn git_into(&mut self, args: &[&str], stdout: File) -> Result<(), GitFailure> {
        self.run_git(args, Some(stdout), Interruptible::No).map(drop)
    }

    /// Runs git and returns what it printed, whole and without its complaints.
    pub(crate) fn git_value(&mut self, args: &[&str], stop: Interruptible) -> Result<Vec<u8>, GitFailure> {
        let command = self.git_command(args);
        let (ended, printed) = self.capture(command, stop)?;
        ended.well().map(|_| printed)
    }

    /// Runs git in a folder that is to be a repository itself, and returns what it printed; `None` where it says, by its
    /// exit code, that what it was asked for is not there.
    pub(crate) fn git_in(
        &mut self,
        dir: &Utf8Path,
        args: &[&str],
        stop: Interruptible,
    ) -> Result<Option<Vec<u8>>, GitFailure> {
        let mut command = self.git_command(&[&["-C", dir.as_str()], args].concat());
        command.env(CEILING.0, CEILING.1);
        match self.capture(command, stop)? {
            (Ended::Badly { code: Some(NOTHING_THERE), .. }, _) => Ok(None),
            (ended, printed) => ended.well().map(|_| Some(printed)),
        }
    }

    /// Runs git to its end, and returns how it ended and what it printed.
    fn capture(&mut self, command: Command, stop: Interruptible) -> Result<(Ended, Vec<u8>), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        let mut printed = File::from(memfd_create("git", MemfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?);
        let stdout = printed.try_clone().map_err(failed)?;
        let ended = self.run(command, Some(stdout), stop)?;
        let mut value = Vec::new();
        printed.rewind().map_err(failed)?;
        printed.take(VALUE_BYTES_MAX + 1).read_to_end(&mut value).map_err(failed)?;
        if value.len() as u64 > VALUE_BYTES_MAX {
            return Err(GitFailure::Failed(format!("git printed more than {VALUE_BYTES_MAX} bytes")));
        }
        Ok((ended, value))
    }

    /// Runs git again, after a pause each time, while a network fails that may work again in a moment.
    pub(crate) fn git_with_retry(&mut self, args: &[&str], stop: Interruptible) -> Result<String, GitFailure> {
        for pause in self.plan.git_retry_pauses.clone() {
            match self.git(args, stop) {
                Err(failure) if failure.is_transient() => self.pause(pause, stop)?,
                done => return done,
            }
        }
        self.git(args, stop)
    }

    /// Runs git and returns the object name that it printed.
    pub(crate) fn git_object(&mut self, args: &[&str], stop: Interruptible) -> Result<String, GitFailure> {
        let printed = self.git_value(args, stop)?;
        let printed = String::from_utf8_lossy(&printed);
        let name = printed.trim_end();
        if pv_lib::job::is_object_name(name) {
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
        stop: Interruptible,
    ) -> Result<Option<String>, GitFailure> {
        let args = [settings, &["ls-remote", "--quiet", "--", url, reference]].concat();
        let mut listed = self.git_value(&args, stop);
        for pause in self.plan.git_retry_pauses.clone() {
            match &listed {
                Err(failure) if failure.is_transient() => self.pause(pause, stop)?,
                _ => break,
            }
            listed = self.git_value(&args, stop);
        }
        let listed = listed?;
        let listed = String::from_utf8_lossy(&listed);
        let tip = listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == reference);
        Ok(tip.map(|(commit, _)| commit.to_owned()).filter(|commit| pv_lib::job::is_object_name(commit)))
    }

    fn run_git<S: AsRef<OsStr>>(
        &mut self,
        args: &[S],
        stdout: Option<File>,
        stop: Interruptible,
    ) -> Result<String, GitFailure> {
        let command = self.git_command(args);
        self.run(command, stdout, stop)?.well()
    }

    /// Runs git to its end, whatever that is.
    fn run(&mut self, command: Command, stdout: Option<File>, stop: Interruptible) -> Result<Ended, GitFailure> {
        let process = spawn(command, stdout, None)
            .map_err(|error| GitFailure::Failed(format!("cannot run git: {error} (is it installed?)")))?;
        let limits = self.helper_limits();
        let mut words = OutputTail::default();
        let is_interruptible = stop == Interruptible::Yes;
        let (ending, _) = self.attend(process, Signal::TERM, None, Output::Tail(&mut words), is_interruptible, &limits);
        match ending.failure("git", &limits) {
            None => Ok(Ended::Well(words.into_string())),
            Some(_) if ending.cause.is_some() => Err(GitFailure::Stopped(ending)),
            Some(_) => Ok(Ended::Badly { code: ending.exit_code(), words: words.into_string() }),
        }
    }

    /// Returns the time limits of a program that helps: git, or the one that opens pull requests.
    pub(crate) fn helper_limits(&self) -> TimeLimits {
        TimeLimits {
            timeout: Some(self.plan.git_timeout),
            idle_timeout: None,
            heartbeat: self.plan.heartbeat,
            grace: GIT_GRACE,
            kill: KILL_LIMIT,
            clean_scans: 1,
        }
    }

    fn git_command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut git = Command::new("git");
        let environment = &self.plan.environment;
        git.env_clear().envs(environment.iter().filter(|(name, _)| !is_scrubbed(name)).cloned());
        git.env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS_REQUIRE", "never").env("LC_ALL", "C");
        git.env(JOB_ID_VARIABLE, self.id().as_str());
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
}

fn is_scrubbed(name: &OsString) -> bool {
    SCRUBBED_ENV.iter().any(|misleading| name == misleading)
}

fn is_transient(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    TRANSIENT.iter().any(|known| words.contains(known))
}

/// Returns git's words with what a person can do about a repository that cannot be reached or read.
pub(crate) fn with_remedy(words: &str) -> String {
    format!("{}{}", words.trim_end_matches('.'), remedy(words))
}

fn remedy(words: &str) -> &'static str {
    let words = words.to_ascii_lowercase();
    let says = |known: &[&str]| known.iter().any(|known| words.contains(known));
    if says(&["detected dubious ownership"]) {
        "; that clone belongs to another user than the one that the watcher runs as: give it to that user (chown -R), or \
         let that user run the command"
    } else if says(&["couldn't find remote ref"]) {
        "; make the branch there, or name another"
    } else if says(&[
        "could not read username",
        "could not read password",
        "authentication failed",
        "permission denied",
    ]) {
        "; nobody is asked for a password: give this user a credential helper, or an ssh key that needs none"
    } else if says(&["not found", "does not exist", "does not appear to be a git repository"]) {
        "; check owner and name, and that this user may read the repository"
    } else if is_transient(&words) {
        "; the remote could not be reached, after several tries: `pv retry` when it can be"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failing_network_is_worth_another_try() {
        let check = |words: &str, transient: bool, expected: &str| {
            assert_eq!(is_transient(words), transient, "{words}");
            assert!(remedy(words).contains(expected), "{words}: {}", remedy(words));
        };
        check("fatal: unable to access 'http://h/': Failed to connect to h port 1: Connection refused", true, "retry");
        check("fatal: unable to access 'https://h/': Could not resolve host: h", true, "retry");
        check("fatal: unable to access 'https://h/': The requested URL returned error: 503", true, "retry");
        check("ssh: connect to host h port 22: Connection timed out", true, "retry");
        check("fatal: couldn't find remote ref refs/heads/x", false, "make the branch");
        check("fatal: could not read Username for 'https://h': terminal prompts disabled", false, "password");
        check("git@h: Permission denied (publickey).", false, "ssh key");
        check("remote: Repository not found.\nfatal: repository 'https://h/o/r/' not found", false, "check owner");
        check("fatal: '/x' does not appear to be a git repository", false, "check owner");
        check("fatal: detected dubious ownership in repository at '/x'", false, "chown -R");
        check("error: corrupt", false, "");
    }
}
