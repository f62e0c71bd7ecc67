//! The real services on a real disk that becomes full: before each step of a job, what is refused, what waits, what gets
//! through, and how it goes on. Only root can mount such a disk; without that nothing is shown here.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use pv_watcher::{TestFs, TestMount};
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{CliFixture, Service, add_remote, git, processes_of, wait_for_port, wait_until};

/// What stops at a step until it is let go, by a file that says so.
const STOPS: &str = r#"#!/bin/sh
stop() { if [ -e OUT/stop-$1 ]; then : > OUT/at-$1; while [ -e OUT/stop-$1 ]; do sleep 0.02; done; fi; }
case "$*" in
    *" read-tree -u --reset "*) stop checkout;;
    *" --git-dir "*"/work/"*" add "*) stop save;;
    *" push --porcelain "*) stop push;;
esac
exec GIT "$@"
"#;

const AGENT: &str = r"cat > /dev/null
echo begun
while [ -e OUT/stop-agent ]; do sleep 0.02; done
head -c 100000 /dev/zero | tr '\0' x; echo
echo work >> README.md
echo ended
";

/// An installation on a disk of its own, and what is beside it on another one.
struct World {
    fixture: CliFixture,
    out: TempDir,
    mount: TestMount,
    watcher: Option<Service>,
    api: Option<Service>,
    jobs: Vec<String>,
    rows: Vec<String>,
}

impl World {
    fn new(what: TestFs) -> Option<Self> {
        let mount = TestMount::new(what)?;
        let out = tempfile::tempdir().expect("a folder");
        let place = |text: &str| text.replace("OUT", out.path().to_str().expect("text"));
        let fixture = CliFixture::with_agent_in(mount.path(), &place(AGENT));
        let settings = fs::read_to_string(fixture.config()).expect("settings");
        let settings = settings.replace("watcher:\n", "watcher:\n  heartbeat_seconds: 1\n");
        fs::write(fixture.config(), settings).expect("writes");
        let wrapper = out.path().join("bin/git");
        fs::create_dir(out.path().join("bin")).expect("makes");
        let found = Command::new("sh").args(["-c", "command -v git"]).output().expect("there is one");
        let real = String::from_utf8(found.stdout).expect("text");
        fs::write(&wrapper, place(STOPS).replace("GIT", real.trim())).expect("writes");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("executable");
        // Templates without effect, as those are that git brings: the checkout is made without `git init`.
        let templates = out.path().join("share/git-core/templates");
        fs::create_dir_all(&templates).expect("makes");
        fs::write(templates.join("description"), "Unnamed repository\n").expect("writes");
        // The remote is elsewhere, as a remote is.
        let remote = add_remote(&fixture);
        let elsewhere = out.path().join("remote.git");
        git(&remote, &["clone", "-q", "--bare", ".", elsewhere.to_str().expect("text")]);
        git(&fixture.path("repos/o/r"), &["remote", "set-url", "origin", elsewhere.to_str().expect("text")]);
        fs::remove_dir_all(remote).expect("removes");
        let mut world = Self { fixture, out, mount, watcher: None, api: None, jobs: Vec::new(), rows: Vec::new() };
        world.start();
        Some(world)
    }

    fn pv(&self, args: &[&str]) -> Command {
        let mut pv = self.fixture.pv(args);
        let mut path = OsString::from(self.out.path().join("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        pv.env("PATH", path).env("PV_STALL_THRESHOLD_SECONDS", "10");
        pv
    }

    fn start(&mut self) {
        self.start_watcher();
        self.api = Some(self.fixture.start_as("api", &mut self.pv(&["api"])));
        wait_for_port(self.fixture.port);
        wait_until("the watcher lives, and says so", || (self.status()["watcher"]["alive"] == true).then_some(()));
    }

    fn start_watcher(&mut self) {
        self.watcher = Some(self.fixture.start_as("watcher", &mut self.pv(&["watcher"])));
    }

    /// Takes all of the disk that is left.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("opens");
        for chunk in [1 << 20, 4096, 512, 1] {
            loop {
                match file.write_all(&vec![b'x'; chunk]).and_then(|()| file.sync_data()) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(self.free() < 4096, "{} are free", self.free());
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).expect("removes");
    }

    fn filler(&self) -> PathBuf {
        self.mount.path().join("filler")
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.mount.path()).expect("measures");
        stat.f_bavail * stat.f_frsize
    }

    fn stop_at(&self, step: &str) {
        fs::write(self.out.path().join(format!("stop-{step}")), "").expect("writes");
    }

    fn let_go(&self, step: &str) {
        let _ = fs::remove_file(self.out.path().join(format!("at-{step}")));
        fs::remove_file(self.out.path().join(format!("stop-{step}"))).expect("removes");
    }

    fn wait_at(&self, step: &str) {
        let at = self.out.path().join(format!("at-{step}"));
        wait_until(&format!("it is at {step}"), || at.exists().then_some(()));
    }

    fn submit(&mut self) -> String {
        let id = self.fixture.post("# Do it\n\nPlease.\n");
        self.jobs.push(id.clone());
        id
    }

    fn wait_for_log(&self, id: &str, text: &str) {
        wait_until(&format!("`{text}` in the log"), || self.fixture.log(id).contains(text).then_some(()));
    }

    /// Waits until a job waits for room, and returns its record as the API shows it.
    fn wait_until_it_waits(&self, id: &str, what: &str) -> Value {
        wait_until(&format!("{id} waits {what}"), || {
            let (_, job) = self.fixture.request("GET", &format!("/jobs/{id}"), "");
            job["waiting_for"].as_str().is_some_and(|waiting| waiting.contains(what)).then_some(job)
        })
    }

    /// Checks that all of a job's work is delivered, and its log whole.
    fn is_delivered(&self, id: &str) {
        let record = self.fixture.wait_for_state(id, "succeeded");
        let branch = record["delivery"]["branch"].as_str().expect("a branch");
        let shown = git(&self.out.path().join("remote.git"), &["show", &format!("{branch}:README.md")]);
        assert_eq!(shown, "hello\nwork", "{record}");
        let log = self.fixture.log(id);
        assert_eq!((log.len(), log.ends_with("\nended\n")), (6 + 100_001 + 6, true), "its log is whole");
        let patch = fs::read_to_string(self.fixture.run_file(id, "changes.patch")).expect("a patch");
        assert!(patch.contains("+work"), "{patch}");
        assert!(record["waiting_for"].is_null() && record["pending_outcome"].is_null(), "{record}");
    }

    fn status(&self) -> Value {
        let (code, status) = self.fixture.request("GET", "/status", "");
        assert_eq!(code, 200, "{status}");
        status
    }

    fn row(&mut self, step: &str, refused: &str, recovered: &str) {
        self.rows.push(format!("| {step} | {refused} | nothing | {recovered} |"));
    }
}

fn before_submit(world: &mut World) {
    world.fill();
    let body = r##"{"repo":"o/r","branch":"main","markdown_text":"# Do it\n"}"##;
    let (code, answer) = world.fixture.request("POST", "/jobs", body);
    assert_eq!(code, 507, "{answer}");
    assert!(answer["detail"].as_str().expect("a sentence").contains("make room"), "{answer}");
    let said = world.fixture.output(&["submit", "task.md", "--repo", "o/r", "--branch", "main"], 5);
    assert!(said.contains("make room"), "{said}");
    // Every door says it.
    let status = world.status();
    assert_eq!(status["disk"]["full"].as_array().map(Vec::len), Some(1), "{status}");
    assert!(
        status["unusable"]["entries"][0]["remedy"].as_str().expect("one").contains("goes on by itself"),
        "{status}"
    );
    assert!(world.fixture.output(&["status"], 0).contains("must stay free"));
    let doctor = world.fixture.run(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.lines().any(|line| line.starts_with("problem") && line.contains("disk")), "{doctor}");
    wait_until("the watcher lives, and says so", || (world.status()["watcher"]["alive"] == true).then_some(()));
    world.clear();
    let id = world.submit();
    world.is_delivered(&id);
    world.row("submit", "507, and exit 5: nothing is written", "the next submission is taken");
}

fn before_claim(world: &mut World) {
    drop(world.watcher.take());
    let id = world.submit();
    fs::write(world.fixture.path("inbox/o/r/main/dropped.prompt.md"), "# Dropped\n").expect("writes");
    world.fill();
    world.start_watcher();
    wait_until("both wait", || (world.status()["watcher"]["waiting_for_room"] == 2).then_some(()));
    assert_eq!(world.fixture.record(&id)["state"], "created");
    assert!(world.fixture.path("inbox/o/r/main/dropped.prompt.md").exists());
    world.clear();
    world.is_delivered(&id);
    wait_until("the dropped one ran", || {
        world.fixture.path("finished/o/r/main/dropped.done.md").exists().then_some(())
    });
    world.row("claim", "nothing starts, and dropped prompts are not touched", "both run within 10 s of room");
}

fn before_checkout(world: &mut World) {
    world.stop_at("checkout");
    let id = world.submit();
    world.wait_at("checkout");
    world.fill();
    world.let_go("checkout");
    let job = world.wait_until_it_waits(&id, "room for its checkout");
    assert_eq!((&job["state"], &job["phase"]), (&"running".into(), &"preparing".into()), "{job}");
    world.clear();
    world.is_delivered(&id);
    world.row("checkout", "it cannot be made; the job waits, `preparing`", "the checkout is made");
}

fn during_agent(world: &mut World) {
    world.stop_at("agent");
    let id = world.submit();
    world.wait_for_log(&id, "begun");
    world.fill();
    let beat = |world: &World| world.fixture.record(&id)["heartbeat_at"].as_str().map(str::to_owned);
    let mut seen = vec![beat(world)];
    while seen.len() < 4 {
        let next = wait_until("another heartbeat", || Some(beat(world)).filter(|next| Some(next) != seen.last()));
        seen.push(next);
    }
    let (_, job) = world.fixture.request("GET", &format!("/jobs/{id}"), "");
    assert_eq!((&job["stalled"], &job["phase"]), (&false.into(), &"agent".into()), "{job}");
    world.let_go("agent");
    let job = world.wait_until_it_waits(&id, "room to save its work");
    assert_eq!((&job["state"], &job["phase"]), (&"running".into(), &"saving".into()), "{job}");
    assert_eq!(job["pending_outcome"]["state"], "succeeded", "{job}");
    assert_eq!(job["stalled"], false, "{job}");
    let checkout = world.fixture.path(format!("work/{id}/README.md"));
    assert_eq!(fs::read_to_string(checkout).expect("its work stays"), "hello\nwork\n");
    wait_until("the watcher counts it", || (world.status()["watcher"]["blocked_for_room"] == 1).then_some(()));
    world.clear();
    world.is_delivered(&id);
    world.row(
        "agent",
        "its log waits in memory, heartbeats go on, it ends by itself; its work waits, `saving`",
        "log, patch and branch are whole",
    );
}

fn before_save(world: &mut World) {
    world.stop_at("save");
    let id = world.submit();
    world.wait_at("save");
    world.fill();
    world.let_go("save");
    world.wait_until_it_waits(&id, "room to save its work");
    world.clear();
    world.is_delivered(&id);
    world.row("save", "git cannot write; the work waits in its checkout, `saving`", "saved, pushed, succeeded");
}

fn before_delivery_and_finish(world: &mut World) {
    world.stop_at("push");
    let id = world.submit();
    world.wait_at("push");
    world.fill();
    world.let_go("push");
    let record = world.fixture.wait_for_state(&id, "succeeded");
    assert!(world.filler().exists(), "it is still full: {record}");
    world.clear();
    world.is_delivered(&id);
    world.row(
        "deliver, finish",
        "nothing: the remote is elsewhere, and the record has its spare",
        "succeeded while full",
    );
}

fn abort_while_full(world: &mut World) {
    world.stop_at("agent");
    let (by_cli, by_api) = (world.submit(), world.submit());
    for id in [&by_cli, &by_api] {
        world.wait_for_log(id, "begun");
    }
    drop(world.watcher.take());
    let waiting = world.submit();
    world.fill();
    world.fixture.output(&["abort", &by_cli], 0);
    for id in [&by_api, &waiting] {
        let (code, receipt) = world.fixture.request("POST", &format!("/jobs/{id}/abort"), "");
        assert_eq!(code, 200, "{receipt}");
    }
    world.start_watcher();
    for id in [&by_cli, &by_api, &waiting] {
        let record = world.fixture.wait_for_state(id, "aborted");
        assert!(world.filler().exists(), "it is still full: {record}");
        assert_eq!(processes_of(id), Vec::<String>::new());
    }
    world.let_go("agent");
    world.clear();
    world.row("abort", "nothing: by command line and API, of jobs that run and that wait", "`aborted` while full");
}

fn abort_while_saving(world: &mut World) {
    world.stop_at("save");
    let id = world.submit();
    world.wait_at("save");
    world.fill();
    world.let_go("save");
    world.wait_until_it_waits(&id, "room to save its work");
    world.fixture.output(&["abort", &id], 0);
    let record = world.fixture.wait_for_state(&id, "aborted");
    assert!(world.filler().exists(), "it is still full: {record}");
    let kept = record["delivery"]["checkout_path"].as_str().expect("its checkout is kept");
    assert_eq!(fs::read_to_string(Path::new(kept).join("README.md")).expect("it is there"), "hello\nwork\n");
    world.clear();
    let message = record["message"].as_str().expect("a sentence");
    assert!(
        message.contains("stopped on request while its work waited for room") && message.contains(kept),
        "{message}"
    );
    world.row(
        "abort of what waits to be saved",
        "nothing",
        "`aborted` while full; its work stays in its checkout, named",
    );
}

fn restart_while_full(world: &mut World) {
    world.stop_at("agent");
    let id = world.submit();
    world.wait_for_log(&id, "begun");
    let pid = wait_until("its pid is known", || world.fixture.record(&id)["pid"].as_i64());
    world.fill();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the agent lives");
    let supervisor = stat.split(' ').nth(3).expect("its parent");
    (world.watcher, world.api) = (None, None);
    assert!(Command::new("kill").args(["-9", supervisor]).status().expect("kills").success());
    world.start();
    let job = world.wait_until_it_waits(&id, "room to save its work");
    assert_eq!((&job["phase"], &job["pending_outcome"]["reason"]), (&"saving".into(), &"interrupted".into()), "{job}");
    assert_eq!(processes_of(&id), Vec::<String>::new(), "its agent was ended");
    wait_until("the watcher lives, and says so", || (world.status()["watcher"]["alive"] == true).then_some(()));
    world.let_go("agent");
    world.clear();
    let record = world.fixture.wait_for_state(&id, "failed");
    assert_eq!(record["reason"], "interrupted", "{record}");
    assert_eq!(world.fixture.log(&id), "begun\n", "it was not run again");
    world.row(
        "restart (all killed by SIGKILL)",
        "nothing: services start, the job is taken over, `saving`",
        "`failed (interrupted)`",
    );
}

fn scenario(what: TestFs) {
    let Some(mut world) = World::new(what) else { return };
    let steps: [fn(&mut World); 9] = [
        before_submit,
        before_claim,
        before_checkout,
        during_agent,
        before_save,
        before_delivery_and_finish,
        abort_while_full,
        abort_while_saving,
        restart_while_full,
    ];
    wait_until("a reserve is there", || (world.status()["disk"]["reserve"] == "ready").then_some(()));
    for step in steps {
        step(&mut world);
        wait_until("the reserve is there again", || (world.status()["disk"]["reserve"] == "ready").then_some(()));
    }
    // Nothing is lost, and nothing left over: every prompt is archived once.
    for id in &world.jobs {
        world.fixture.wait_for_end(id);
    }
    let archived = || fs::read_dir(world.fixture.path("finished/o/r/main")).expect("there").count();
    wait_until("all prompts are archived", || (archived() == world.jobs.len() + 1).then_some(()));
    wait_until("nothing is unusable", || world.status()["unusable"]["entries"].as_array()?.is_empty().then_some(()));
    eprintln!("{what:?}\n| filled before | refused | lost | recovered |\n|---|---|---|---|\n{}", world.rows.join("\n"));
}

#[test]
fn g22_full_disk_on_tmpfs_before_each_step_of_a_job() {
    scenario(TestFs::Tmpfs(24 << 20));
}

#[test]
fn g22_full_disk_on_ext4_before_each_step_of_a_job() {
    scenario(TestFs::Ext4(64 << 20));
}
