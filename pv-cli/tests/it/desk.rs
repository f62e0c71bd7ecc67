//! A root of its own for a test, and `pv` on it.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long a `pv` may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A throw-away root with one target, `nova/example@main`.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(desk.path("root/inbox/nova/example/main")).unwrap();
        fs::write(desk.path("task.md"), "# Do a thing\n\nPlease.\n").unwrap();
        desk
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Prepares `pv` with nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pv"));
        fs::write(self.path("pv.yaml"), "inbox_mode: multi_owner\n").unwrap();
        command.args(args).env_clear().current_dir(self.dir.path());
        command.env("PV_ROOT", self.path("root")).env("PV_CONFIG_PATH", self.path("pv.yaml"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn pv(&self, args: &[&str]) -> Output {
        finish(self.command(args).spawn().unwrap())
    }

    /// Runs `pv`, which must end with `code`; returns what it prints, errors last.
    pub(crate) fn said(&self, args: &[&str], code: i32) -> String {
        let output = self.pv(args);
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "pv {args:?}: {text}");
        text
    }

    /// Runs `pv … --json`, which must end well.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.said(&[args, &["--json"]].concat(), 0)).unwrap()
    }

    /// Submits a prompt, and returns its id.
    pub(crate) fn submit(&self) -> String {
        let taken = self.json(&["submit", "task.md", "--repo", "example", "--branch", "main"]);
        taken["job_id"].as_str().unwrap().to_owned()
    }

    /// Writes a record by hand, as a watcher would leave it.
    pub(crate) fn record(&self, id: &str, facts: &Value) -> PathBuf {
        let run = self.path("root/runs").join(id);
        fs::create_dir_all(&run).unwrap();
        let mut record = json!({
            "schema_version": 1, "job_id": id, "git_owner": "nova", "repo_name": "example", "branch_name": "main",
            "created_at": "2026-01-31T12:00:00Z",
        });
        record.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
        fs::write(run.join("next"), record.to_string()).unwrap();
        fs::rename(run.join("next"), run.join("job.json")).unwrap();
        run
    }

    /// Returns `text` with what differs from run to run replaced.
    pub(crate) fn settle(&self, text: &str) -> String {
        text.replace(self.dir.path().to_str().unwrap(), "[dir]")
    }
}

/// Waits for a `pv` to end; one that does not is ended, and the test fails.
pub(crate) fn finish(mut child: Child) -> Output {
    let until = Instant::now() + PATIENCE;
    // What it prints fits into a pipe, so that it can end before anyone reads.
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("pv did not end: {:?}", child.wait_with_output());
        }
        thread::sleep(LOOK);
    }
    child.wait_with_output().unwrap()
}

/// An API of its own on a desk; ended, by its process id, with this value.
pub(crate) struct Api {
    child: Child,
    pub(crate) url: String,
}

impl Api {
    pub(crate) fn on(desk: &Desk) -> Self {
        let port = free_port();
        let mut command = desk.command(&["api"]);
        command.env("PV_BIND_PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut api = Self { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}/api/v1") };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(api.child.try_wait().unwrap().is_none() && Instant::now() < until, "the API does not start");
            thread::sleep(LOOK);
        }
        api
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns a port of loopback that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Appends to a file.
pub(crate) fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
