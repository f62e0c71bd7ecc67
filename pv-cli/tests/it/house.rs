//! A whole installation in a temporary folder, with the real binary.

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

use serde_json::Value;

/// How long anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// An installation; what was started in it is ended, by pid, when it goes.
pub(crate) struct House {
    dir: tempfile::TempDir,
    pub(crate) port: u16,
}

/// A service that is killed when it goes.
pub(crate) struct Service(pub(crate) Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    pub(crate) fn spawn(pv: &mut Command) -> Self {
        Self(pv.stdout(Stdio::null()).spawn().expect("starts"))
    }
}

impl House {
    /// Makes a root with the repository `o/r`, whose agent is this shell script.
    pub(crate) fn new(agent: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let house = Self { dir, port };
        for folder in ["inbox/o/r/main", "repos/o/r", "config"] {
            fs::create_dir_all(house.path(folder)).expect("makes folders");
        }
        let repo = house.path("repos/o/r");
        fs::write(repo.join("README.md"), "hello\n").expect("writes");
        for args in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A"],
            &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "begin"],
        ] {
            let status = Command::new("git").current_dir(&repo).args(args).status().expect("runs git");
            assert!(status.success(), "git {args:?}");
        }
        let script = house.path("agent.sh");
        fs::write(&script, format!("#!/bin/sh\n{agent}")).expect("writes");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("makes it executable");
        let settings = format!(
            "inbox_mode: multi_owner\ndefault_agent: scripted\nagents:\n  scripted:\n    command: {}\n\
             watcher:\n  max_concurrent: 20\n  max_per_repo: 20\n  abort_grace_seconds: 1\n  settle_seconds: 0.2\n\
             delivery:\n  mode: branch\n",
            script.display()
        );
        fs::write(house.path("config/pv.yaml"), settings).expect("writes");
        house
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Returns `pv` with the flags that lead here, and nothing of this process's own settings.
    pub(crate) fn pv(&self) -> Command {
        let mut pv = Command::new(env!("CARGO_BIN_EXE_pv"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PV_")) {
            pv.env_remove(name);
        }
        pv.env("PV_BIND_PORT", self.port.to_string()).env("NO_COLOR", "1");
        pv.arg("--root").arg(self.dir.path()).arg("--config").arg(self.path("config/pv.yaml"));
        pv.stdin(Stdio::null());
        pv
    }

    /// Runs `pv` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.pv().args(args).output().expect("runs pv")
    }

    pub(crate) fn start(&self, service: &str) -> Service {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("{service}.log")));
        let mut pv = self.pv();
        Service::spawn(pv.arg(service).stderr(log.expect("a log")))
    }

    /// Starts the API and waits until it answers.
    pub(crate) fn start_api(&self) -> Service {
        let service = self.start("api");
        until("the API answers", || TcpStream::connect(("127.0.0.1", self.port)).is_ok().then_some(()));
        service
    }

    /// Sends a request and returns status and body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        ask_at(self.port, method, path, body)
    }

    /// Submits a prompt over HTTP and returns its job's id.
    pub(crate) fn post(&self, text: &str) -> String {
        let body = serde_json::json!({"repo": "o/r", "branch": "main", "markdown_text": text});
        let (status, answer) = self.ask("POST", "/jobs", &body.to_string());
        assert_eq!(status, 201, "{answer}");
        answer["job_id"].as_str().expect("an id").to_owned()
    }

    /// Reads a job's record.
    pub(crate) fn record(&self, id: &str) -> Value {
        let bytes = fs::read(self.path(&format!("runs/{id}/job.json"))).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    /// Waits until a job is in this state, and returns its record.
    pub(crate) fn until_state(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} is {state}"), || Some(self.record(id)).filter(|record| record["state"] == state))
    }

    pub(crate) fn log(&self, id: &str) -> String {
        fs::read_to_string(self.path(&format!("runs/{id}/job.log"))).unwrap_or_default()
    }
}

impl Service {
    /// Ends it as `kill -9` does.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

/// Looks again and again, for as long as anything here may take.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Tells whether a process lives that this holds for: its environment carries the job's id.
pub(crate) fn processes_of(id: &str) -> Vec<String> {
    let marker = format!("PV_JOB_ID={id}");
    let carries = |dir: &Path| {
        let environment = fs::read(dir.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("lists /proc").flatten();
    let found = entries.map(|entry| entry.path()).filter(|dir| carries(dir));
    found.map(|dir| dir.display().to_string()).collect()
}

/// Sends a request to the API, or what stands in for it, on that port; returns status and body.
pub(crate) fn ask_at(port: u16, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    stream.set_read_timeout(Some(LIMIT)).expect("sets a limit");
    let length = body.len();
    write!(
        stream,
        "{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
