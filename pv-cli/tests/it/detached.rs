//! What is started from a shell holds nothing of it: its pipes end with the services, and jobs go on.

use std::{
    fs::{self, File},
    io::{Read, pipe},
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::fixture::{CliFixture, TIMEOUT, processes_of, wait_until};

/// An agent that goes on until it is let go.
const AGENT: &str = "echo begun\nuntil [ -e \"$PV_RUN_ROOT/../go\" ]; do sleep 0.05; done\necho ended\n";

/// Waits for the job's agent, and returns it and its supervisor.
fn agent_and_supervisor(fixture: &CliFixture, id: &str) -> [String; 2] {
    wait_until("its agent has begun", || fixture.log(id).contains("begun").then_some(()));
    let pid = wait_until("its pid is in the record", || fixture.record(id)["pid"].as_i64());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the agent lives");
    [pid.to_string(), stat.split(' ').nth(3).expect("its parent").to_owned()]
}

fn interrupt(child: &mut Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("runs kill").success());
    wait_until("the service ends", || child.try_wait().expect("waits"));
}

/// Reads to the end in a thread, and fails where that does not come.
fn ends(what: &str, mut reader: impl Read + Send + 'static) -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("somebody still holds {what}"))
}

/// What a process has open, as far as it can be told apart.
fn open_files(pid: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").flatten();
    let target = |entry: fs::DirEntry| {
        Some((entry.file_name().to_string_lossy().into_owned(), fs::read_link(entry.path()).ok()?))
    };
    entries.filter_map(target).collect()
}

fn ends_well(fixture: &CliFixture, id: &str) {
    fs::write(fixture.path("runs/go"), "").expect("writes");
    let record = fixture.wait_for_state(id, "succeeded");
    assert_eq!(fixture.log(id), "begun\nended\n", "{record}");
    wait_until("nothing of it lives", || processes_of(id).is_empty().then_some(()));
}

#[test]
fn c19_the_pipe_of_a_shell_ends_with_the_services_and_the_agent_goes_on() {
    let fixture = CliFixture::with_agent(AGENT);
    let (reader, writer) = pipe().expect("a pipe");
    let mut up = fixture.pv(&["up"]);
    up.stdout(writer.try_clone().expect("duplicates")).stderr(writer);
    let mut services = up.spawn().expect("starts");
    drop(up);
    let id = fixture.submit("o/r");
    let alive = agent_and_supervisor(&fixture, &id);
    interrupt(&mut services);
    let said = String::from_utf8(ends("the pipe", reader)).expect("text");
    assert!(said.contains("running jobs go on"), "{said}");
    for pid in &alive {
        assert!(fs::exists(format!("/proc/{pid}")).expect("looks"), "{pid} goes on");
    }
    ends_well(&fixture, &id);
}

#[test]
fn c19_descriptors_that_a_shell_passes_on_are_nobodys_but_the_services() {
    // As `make` and `>(tee …)` give them: by a number, to whatever is started.
    let fixture = CliFixture::with_agent(AGENT);
    let (reader, writer) = pipe().expect("a pipe");
    let (out_reader, out) = pipe().expect("a pipe");
    let number = OwnedFd::from(writer.try_clone().expect("duplicates"));
    let of_shell = fs::read_link(format!("/proc/self/fd/{}", number.as_raw_fd())).expect("it is open");
    let mut watcher = Command::new("/bin/sh");
    let pv = fixture.pv(&["watcher"]);
    watcher.args(["-c", "exec 9>&0 0</dev/null; exec \"$0\" watcher"]).arg(pv.get_program());
    watcher.env_clear().envs(pv.get_envs().filter_map(|(name, value)| Some((name, value?))));
    watcher.stdin(Stdio::from(number)).stdout(out.try_clone().expect("duplicates")).stderr(out);
    let mut service = watcher.spawn().expect("starts");
    drop((watcher, writer));
    let id = fixture.submit("o/r");
    let alive = agent_and_supervisor(&fixture, &id);
    for pid in &alive {
        let files = open_files(pid);
        assert!(!files.iter().any(|(_, path)| *path == of_shell), "{of_shell:?}: {files:?}");
    }
    interrupt(&mut service);
    ends("the descriptor of the shell", reader);
    ends("the pipe", out_reader);
    ends_well(&fixture, &id);
}

#[test]
fn c19_a_terminal_is_nobodys_but_the_services() {
    let fixture = CliFixture::with_agent(AGENT);
    let (master, slave) = terminal();
    let mut watcher = fixture.pv(&["watcher"]);
    let dup = || Stdio::from(slave.try_clone().expect("duplicates"));
    watcher.stdin(dup()).stdout(dup()).stderr(dup());
    let service = watcher.spawn().expect("starts");
    let id = fixture.submit("o/r");
    let alive = agent_and_supervisor(&fixture, &id);
    for pid in &alive {
        let files = open_files(pid);
        assert!(
            !files.iter().any(|(_, path)| path.starts_with("/dev/pts") || path.starts_with("/dev/tty")),
            "{files:?}"
        );
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
        let fields: Vec<_> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        assert_eq!(fields[4], "0", "it has no terminal that could hang up: {stat}");
    }
    // The terminal is closed, and with it whatever it had: a watcher that cannot say anything goes on too.
    drop((master, slave, watcher));
    let second = fixture.submit("o/r");
    wait_until("another job runs", || (fixture.record(&second)["state"] == "running").then_some(()));
    ends_well(&fixture, &id);
    fixture.wait_for_state(&second, "succeeded");
    let mut service = service;
    interrupt(&mut service);
}

/// Makes a terminal, as an emulator does.
fn terminal() -> (OwnedFd, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("grants");
    unlockpt(&master).expect("unlocks");
    let name = ptsname(&master, Vec::new()).expect("a name");
    let slave = File::options().read(true).write(true).open(name.to_str().expect("text")).expect("opens");
    (master, slave)
}

#[test]
fn c19_a_watcher_whose_log_nobody_reads_any_more_goes_on() {
    let fixture = CliFixture::with_agent("echo done\n");
    let (reader, writer) = pipe().expect("a pipe");
    let mut watcher = fixture.pv(&["watcher"]);
    watcher.stdout(Stdio::null()).stderr(writer);
    let mut service = watcher.spawn().expect("starts");
    drop(watcher);
    // As `pv watcher 2>&1 | head -1` does.
    drop(reader);
    let id = fixture.submit("o/r");
    fixture.wait_for_state(&id, "succeeded");
    assert!(service.try_wait().expect("waits").is_none(), "it lives");
    interrupt(&mut service);
}

#[test]
fn what_a_supervisor_says_is_in_its_jobs_run_folder() {
    let fixture = CliFixture::with_agent("echo done\n");
    // A folder in the place of the copy of the prompt lets the supervisor fail.
    let id = fixture.submit("o/r");
    fs::create_dir(fixture.run_file(&id, "prompt.md")).expect("makes");
    let watcher = fixture.start("watcher");
    let said = || fs::read_to_string(fixture.run_file(&id, "supervisor.log")).unwrap_or_default();
    wait_until("it says why", || said().contains("prompt.md").then_some(()));
    wait_until("so does the watcher", || {
        let log = fixture.service_log("watcher");
        (log.contains("its supervisor ended with exit status: 5") && log.contains("supervisor.log: ")).then_some(())
    });
    watcher.kill();
    // One that had nothing to say leaves no file.
    fs::remove_dir(fixture.run_file(&id, "prompt.md")).expect("removes");
    let fine = fixture.submit("o/r");
    fixture.output(&["watcher", "--once"], 0);
    for id in [&id, &fine] {
        assert_eq!(fixture.record(id)["state"], "succeeded");
    }
    assert!(!fixture.run_file(&fine, "supervisor.log").exists());
}
