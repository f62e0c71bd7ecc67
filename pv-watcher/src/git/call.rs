//! Git beside the jobs: the watcher's own looks at clones, and the maintenance of mirrors.
//!
//! A call has a limit on its time and on its output. It is ended with all that it started where its time is over, and where
//! nobody waits for it any more.

use std::{
    fs::File,
    io::{self, Seek, Write},
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Pid, Signal, kill_process_group, setpriority_process},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time,
};

use super::{
    environment::{CEILING, git_environment},
    runner::BASE_CONFIG,
};
use crate::process::OutputTail;

/// How much of git's complaints is read, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

/// The priority of a call that nobody waits for: the lowest.
const BACKGROUND: i32 = 19;

/// A call of git beside the jobs.
pub(crate) struct GitCall<'a> {
    /// Its arguments, which name its repository.
    pub(crate) args: &'a [&'a str],
    /// What it reads.
    pub(crate) input: &'a [u8],
    /// How long it may take.
    pub(crate) limit: Duration,
    /// How much it may print, in bytes.
    pub(crate) output_bytes_max: u64,
    /// Whether everything else comes first.
    pub(crate) is_background: bool,
}

impl GitCall<'_> {
    /// Runs git with the environment of this process, as far as git is given that, and returns what it printed.
    ///
    /// # Errors
    /// Its complaint, or what kept it from running.
    pub(crate) async fn run(self) -> Result<Vec<u8>, String> {
        let seconds = self.limit.as_secs();
        let limit = self.limit;
        time::timeout(limit, self.run_without_limit())
            .await
            .unwrap_or_else(|_| Err(format!("git took longer than {seconds} s")))
    }

    async fn run_without_limit(self) -> Result<Vec<u8>, String> {
        let own: Vec<_> = std::env::vars_os().collect();
        let mut command = Command::new("git");
        command.args(BASE_CONFIG).args(self.args).current_dir("/").env_clear().envs(git_environment(&own));
        command.env("GIT_OPTIONAL_LOCKS", "0").env(CEILING.0, CEILING.1);
        command.stdin(input(self.input).map_err(|error| error.to_string())?);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("cannot run git: {error} (is it installed?)"))?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        if let Some(pid) = group.0.filter(|_| self.is_background) {
            // What it starts inherits that. A refusal costs nothing but that.
            let _ = setpriority_process(Some(pid), BACKGROUND);
        }
        let (printed, complaint) = (child.stdout.take(), child.stderr.take());
        let (printed, complaint) =
            tokio::join!(read(printed, self.output_bytes_max + 1), read(complaint, COMPLAINT_BYTES_MAX));
        let printed = printed.map_err(|error| error.to_string())?;
        if printed.len() as u64 > self.output_bytes_max {
            return Err(format!("git prints more than {} bytes", self.output_bytes_max));
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        // What it left, such as a cache of credentials, is somebody's who wants it.
        group.let_go();
        if status.success() {
            return Ok(printed);
        }
        let mut words = OutputTail::default();
        words.add(&complaint.unwrap_or_default());
        Err(match words.into_string() {
            words if words.is_empty() => format!("git ended with {status}"),
            words => words,
        })
    }
}

/// The group of a process that is not reaped yet: it goes with this.
struct Group(Option<Pid>);

impl Group {
    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Whoever is gone already needs no signal.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn input(bytes: &[u8]) -> io::Result<Stdio> {
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = File::from(memfd_create("git-input", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
