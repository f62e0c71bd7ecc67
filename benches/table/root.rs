//! Roots to measure on: with a history of many jobs, and with repositories that jobs can run on.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use camino::Utf8Path;
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
    time::Timestamp,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How far apart the jobs of a history were made.
const SECONDS_APART: i64 = 30;
/// How many jobs of a history run, the newest but one another.
const RUNNING: usize = 8;

/// A root in a folder of its own, which goes with it.
pub(crate) struct Root(TempDir);

/// What a scripted agent does.
pub(crate) enum Agent<'a> {
    Nothing,
    Script(&'a str),
}

impl Root {
    /// Makes one with the target `o/small@main`, whose jobs are run by that agent.
    pub(crate) fn new(below: &Path, agent: &Agent<'_>) -> io::Result<Self> {
        let root = Self(tempfile::Builder::new().prefix("pv-table-").tempdir_in(below)?);
        for dir in ["inbox/o/small/main", "runs"] {
            fs::create_dir_all(root.path().join(dir))?;
        }
        let command = match agent {
            Agent::Nothing => "/bin/true".into(),
            Agent::Script(script) => {
                let path = root.path().join("agent.sh");
                fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                path.display().to_string()
            }
        };
        let settings = format!(
            "inbox_mode: multi_owner\ndefault_agent: scripted\nagents:\n  scripted:\n    command: {command}\n\
             watcher:\n  max_concurrent: 8\n  max_per_repo: 0\n  abort_grace_seconds: 1\ndelivery:\n  mode: branch\n"
        );
        fs::write(root.path().join("config.yaml"), settings)?;
        Ok(root)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn store(&self) -> io::Result<Store> {
        let path = Utf8Path::from_path(self.path()).ok_or_else(|| io::Error::other("the folder's name is no UTF-8"))?;
        let layout = Layout::under(path, InboxMode::MultiOwner);
        Ok(Store::new(std::sync::Arc::new(OsFs), layout, StoreLimits::default(), "bench"))
    }

    /// Adds a history of so many jobs, and waits until it is on the disk and as old as settled records are.
    pub(crate) fn with_history(self, jobs: usize) -> io::Result<Self> {
        let now = now().unix_seconds();
        for number in 0..jobs {
            let is_running = number + RUNNING >= jobs && jobs > RUNNING;
            let made = now - 60 - SECONDS_APART * i64::try_from(jobs - number).unwrap_or(0);
            self.put_record(&id(made, number), &record(made, number, is_running))?;
        }
        sync(self.path())?;
        std::thread::sleep(Duration::from_millis(3200));
        Ok(self)
    }

    fn put_record(&self, id: &str, record: &Value) -> io::Result<PathBuf> {
        let run = self.path().join("runs").join(id);
        fs::create_dir(&run)?;
        let mut bytes = serde_json::to_vec_pretty(record)?;
        bytes.push(b'\n');
        fs::write(run.join("job.json"), bytes)?;
        Ok(run)
    }

    /// Adds a job that runs, as it seems, and returns its id and its folder.
    pub(crate) fn add_running(&self, number: usize) -> io::Result<(String, PathBuf)> {
        self.add(number, true)
    }

    /// Adds a job that is over, and returns its id and its folder.
    pub(crate) fn add_ended(&self, number: usize) -> io::Result<(String, PathBuf)> {
        self.add(number, false)
    }

    fn add(&self, number: usize, is_running: bool) -> io::Result<(String, PathBuf)> {
        let made = now().unix_seconds();
        let id = id(made, number);
        let run = self.put_record(&id, &record(made, number, is_running))?;
        Ok((id, run))
    }

    /// Gives `o/small` a bare repository with so many files, and the clone that jobs are for.
    pub(crate) fn with_repository(self, files: usize) -> io::Result<Self> {
        let (bare, clone) = (self.path().join("remote/small.git"), self.path().join("repos/o/small"));
        fs::create_dir_all(&clone)?;
        for number in 0..files {
            let dir = clone.join(format!("dir{}", number / 100));
            if number % 100 == 0 {
                fs::create_dir(&dir)?;
            }
            fs::write(dir.join(format!("file{number}.txt")), format!("line of file {number}\n").repeat(20))?;
        }
        git(&clone, &["init", "-q", "-b", "main"])?;
        git(&clone, &["add", "-A"])?;
        git(&clone, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "begin"])?;
        git(&clone, &["clone", "-q", "--bare", ".", &bare.display().to_string()])?;
        git(&clone, &["remote", "add", "origin", &bare.display().to_string()])?;
        git(&clone, &["fetch", "-q", "origin"])?;
        sync(self.path())?;
        Ok(self)
    }
}

/// Runs git, which must succeed.
pub(crate) fn git(dir: &Path, args: &[&str]) -> io::Result<()> {
    let output = Command::new("git").arg("-C").arg(dir).args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("git {args:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Waits until all that was written to the disk that holds a folder is on it.
pub(crate) fn sync(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(dir)?)?)
}

pub(crate) fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Returns an id as they are minted at that time.
fn id(made: i64, number: usize) -> String {
    format!("{:012x}7{:03x}8{number:015x}", made * 1000, number % 4096)
}

fn record(made: i64, number: usize, is_running: bool) -> Value {
    let at = |later: i64| Timestamp::from_unix_seconds(made + later).to_string();
    let (owner, repo) = (["nova", "acme", "o"][number % 3], format!("service-{}", number % 7));
    let branch = ["main", "dev", "feature/search"][number % 11 % 3];
    let id = id(made, number);
    let mut record = json!({
        "schema_version": 1, "job_id": id, "git_owner": owner, "repo_name": repo, "branch_name": branch,
        "inbox_file": format!("/srv/prompt-valet/inbox/{owner}/{repo}/{branch}/prompt-{id}.prompt.md"),
        "inbox_rel": format!("{owner}/{repo}/{branch}/prompt.prompt.md"),
        "created_at": at(0), "started_at": at(1), "updated_at": at(25), "heartbeat_at": at(25), "last_output_at": at(24),
        "host": "build-host-1", "boot_id": "6d6a1f1e-58f0-4b4b-9a51-1d1c5f3f0001",
        "log_path": format!("/srv/prompt-valet/runs/{id}/job.log"),
        "agent": "codex", "model": "a-model-of-today", "title": format!("Summarize the last {} commits", number % 90),
        "pid": 4000 + number % 20_000,
    });
    let Some(keys) = record.as_object_mut() else { return record };
    if is_running {
        keys.insert("state".into(), "running".into());
        keys.insert("phase".into(), "agent".into());
        keys.insert("heartbeat_at".into(), at(86_400).into());
        keys.insert("last_output_at".into(), at(86_400).into());
    } else {
        let state = ["succeeded", "succeeded", "succeeded", "failed", "succeeded", "aborted"][number % 6];
        keys.insert("state".into(), state.into());
        keys.insert("finished_at".into(), at(25).into());
        keys.insert("exit_code".into(), json!(i32::from(state == "failed")));
        keys.insert("changed".into(), true.into());
    }
    record
}
