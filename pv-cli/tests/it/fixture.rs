//! An installation in a temporary folder, and the real `pv` on it.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long anything may take before its test fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a condition is checked.
const POLL: Duration = Duration::from_millis(10);

/// An installation with a port for its API. Nothing of this process's environment reaches it but the `PATH`.
pub(crate) struct CliFixture {
    dir: tempfile::TempDir,
    pub(crate) port: u16,
}

impl CliFixture {
    /// Makes a root with the target `nova/example@main`, and a prompt in `task.md`; it has no agent.
    pub(crate) fn new() -> Self {
        Self::make("nova/example", "inbox_mode: multi_owner\n")
    }

    /// Makes a root with the target `o/r@main`, a clone of that repository with one commit, and this shell script as the
    /// only agent.
    pub(crate) fn with_agent(script: &str) -> Self {
        Self::with_agent_in(&std::env::temp_dir(), script)
    }

    /// Makes the same on another file system.
    pub(crate) fn with_agent_in(parent: &Path, script: &str) -> Self {
        let fixture = Self::make_in(parent, "o/r", "");
        let agent = fixture.path("agent.sh");
        let settings = format!(
            "inbox_mode: multi_owner\ndefault_agent: scripted\nagents:\n  scripted:\n    command: {}\n\
             watcher:\n  max_concurrent: 20\n  max_per_repo: 20\n  abort_grace_seconds: 1\n  settle_seconds: 0.2\n\
             delivery:\n  mode: branch\n",
            agent.display()
        );
        fs::write(fixture.config(), settings).unwrap();
        fs::write(&agent, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        let clone = fixture.path("repos/o/r");
        fs::create_dir_all(&clone).unwrap();
        fs::write(clone.join("README.md"), "hello\n").unwrap();
        git(&clone, &["init", "-q", "-b", "main"]);
        git(&clone, &["add", "-A"]);
        git(&clone, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "begin"]);
        fixture
    }

    fn make(repo: &str, settings: &str) -> Self {
        Self::make_in(&std::env::temp_dir(), repo, settings)
    }

    fn make_in(parent: &Path, repo: &str, settings: &str) -> Self {
        let fixture = Self { dir: tempfile::tempdir_in(parent).unwrap(), port: free_port() };
        fs::create_dir_all(fixture.path("inbox").join(repo).join("main")).unwrap();
        fs::create_dir(fixture.path("config")).unwrap();
        fs::write(fixture.config(), settings).unwrap();
        fs::write(fixture.path("task.md"), "# Do a thing\n\nPlease.\n").unwrap();
        fixture
    }

    /// Returns a path below the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Returns the path of the settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("config/pv.yaml")
    }

    /// Returns a file of a job's run folder.
    pub(crate) fn run_file(&self, id: &str, name: &str) -> PathBuf {
        self.path("runs").join(id).join(name)
    }

    /// Returns the address of the API, which need not run.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1", self.port)
    }

    /// Prepares `pv` with these arguments, in the root.
    pub(crate) fn pv(&self, args: &[&str]) -> Command {
        let mut pv = Command::new(env!("CARGO_BIN_EXE_pv"));
        pv.args(args).env_clear().current_dir(self.dir.path());
        pv.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        pv.env("HOME", self.dir.path()).env("NO_COLOR", "1");
        pv.env("PV_ROOT", self.dir.path()).env("PV_CONFIG_PATH", self.config());
        pv.env("PV_BIND_PORT", self.port.to_string());
        pv.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pv
    }

    /// Runs `pv` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        finish(self.pv(args).spawn().unwrap())
    }

    /// Runs `pv`, which must end with `code`; returns what it prints, errors last.
    pub(crate) fn output(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "pv {args:?}: {text}");
        text
    }

    /// Runs `pv … --json`, which must end with 0.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.output(&[args, &["--json"]].concat(), 0)).unwrap()
    }

    /// Submits `task.md` for a repository, and returns its job's id.
    pub(crate) fn submit(&self, repo: &str) -> String {
        let receipt = self.json(&["submit", "task.md", "--repo", repo, "--branch", "main"]);
        receipt["job_id"].as_str().unwrap().to_owned()
    }

    /// Writes a record by hand, as a watcher would leave it, and returns the run folder.
    pub(crate) fn put_record(&self, id: &str, fields: &Value) -> PathBuf {
        let run = self.path("runs").join(id);
        fs::create_dir_all(&run).unwrap();
        let mut record = json!({
            "schema_version": 1, "job_id": id, "git_owner": "nova", "repo_name": "example", "branch_name": "main",
            "created_at": "2026-01-31T12:00:00Z",
        });
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        fs::write(run.join("next"), record.to_string()).unwrap();
        fs::rename(run.join("next"), run.join("job.json")).unwrap();
        run
    }

    /// Reads a job's record; null where there is none yet.
    pub(crate) fn record(&self, id: &str) -> Value {
        let bytes = fs::read(self.run_file(id, "job.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    /// Reads a job's log; empty where there is none yet.
    pub(crate) fn log(&self, id: &str) -> String {
        fs::read_to_string(self.run_file(id, "job.log")).unwrap_or_default()
    }

    /// Waits until a job is in this state, and returns its record.
    pub(crate) fn wait_for_state(&self, id: &str, state: &str) -> Value {
        wait_until(&format!("{id} is {state}"), || Some(self.record(id)).filter(|record| record["state"] == state))
    }

    /// Waits until a job is over, and returns its record.
    pub(crate) fn wait_for_end(&self, id: &str) -> Value {
        let is_over = |record: &Value| ["succeeded", "failed", "aborted"].iter().any(|state| record["state"] == *state);
        wait_until(&format!("{id} is over"), || Some(self.record(id)).filter(is_over))
    }

    /// Starts a service.
    pub(crate) fn start(&self, service: &str) -> Service {
        self.start_as(service, &mut self.pv(&[service]))
    }

    /// Starts a service by a command that was prepared, with its log in a file of this name.
    pub(crate) fn start_as(&self, name: &str, pv: &mut Command) -> Service {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.service_log_path(name)).unwrap();
        Service(pv.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Reads what a service has logged.
    pub(crate) fn service_log(&self, name: &str) -> String {
        fs::read_to_string(self.service_log_path(name)).unwrap_or_default()
    }

    fn service_log_path(&self, name: &str) -> PathBuf {
        self.path(format!("{name}.log"))
    }

    /// Starts the API, and waits until it takes connections.
    pub(crate) fn start_api(&self) -> Service {
        let service = self.start("api");
        wait_for_port(self.port);
        service
    }

    /// Sends a request to the API; returns status and body.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        request_at(self.port, method, path, body)
    }

    /// Submits a prompt over HTTP for `o/r`, and returns its job's id.
    pub(crate) fn post(&self, markdown: &str) -> String {
        let body = json!({ "repo": "o/r", "branch": "main", "markdown_text": markdown });
        let (status, receipt) = self.request("POST", "/jobs", &body.to_string());
        assert_eq!(status, 201, "{receipt}");
        receipt["job_id"].as_str().unwrap().to_owned()
    }

    /// Returns `text` with the root's path replaced, which differs from run to run.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(self.dir.path().to_str().unwrap(), "[dir]")
    }
}

/// A service; killed, by its process id, when it is dropped.
pub(crate) struct Service(Child);

impl Service {
    /// Ends it as `kill -9` does.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a `pv` to end; one that does not is ended, and the test fails.
pub(crate) fn finish(mut child: Child) -> Output {
    let until = Instant::now() + TIMEOUT;
    // What it prints fits into a pipe, so that it can end before anyone reads.
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("pv did not end: {:?}", child.wait_with_output());
        }
        thread::sleep(POLL);
    }
    child.wait_with_output().unwrap()
}

/// Returns what a program printed, errors last.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Checks a condition again and again until it holds, for [`TIMEOUT`] at most.
pub(crate) fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + TIMEOUT;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < until, "not within {TIMEOUT:?}: {what}");
        thread::sleep(POLL);
    }
}

/// Waits until something listens on a port of loopback.
pub(crate) fn wait_for_port(port: u16) {
    wait_until("it takes connections", || TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()));
}

/// Returns a port of loopback on which nothing listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends a request to the API, or to what forwards to it, on that port; returns status and body.
pub(crate) fn request_at(port: u16, method: &str, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    let response = send_at(port, method, path, &head, body);
    let response = String::from_utf8(response).unwrap();
    let status = response.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Sends a request with these header lines; returns the response as it comes.
pub(crate) fn send_at(port: u16, method: &str, path: &str, head: &str, body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let request =
        format!("{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    response
}

/// Returns the processes whose environment carries the job's id.
pub(crate) fn processes_of(id: &str) -> Vec<String> {
    let marker = format!("PV_JOB_ID={id}");
    let carries = |dir: &Path| {
        let environment = fs::read(dir.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let found = entries.map(|entry| entry.path()).filter(|dir| carries(dir));
    found.map(|dir| dir.display().to_string()).collect()
}

/// Runs git in a folder, without a person's settings, and returns what it prints.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Gives the clone of `o/r` an origin: the bare repository `remote.git`, which is returned.
pub(crate) fn add_remote(fixture: &CliFixture) -> PathBuf {
    let (clone, remote) = (fixture.path("repos/o/r"), fixture.path("remote.git"));
    git(&clone, &["clone", "-q", "--bare", ".", remote.to_str().unwrap()]);
    git(&clone, &["remote", "add", "origin", remote.to_str().unwrap()]);
    remote
}

/// Appends to a file.
pub(crate) fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
