//! Aborts while a branch is pushed: to a remote of its own processes, as a host is one, that is fast, slow or hangs.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use pv_lib::{
    host,
    job::{JobRecord, JobState, PushState},
};
use pv_watcher::pull_request::fake::{FakeGitHub, Mood};
use rustix::process::Signal;

use super::{
    deliver::{fixture as with_remote, refuse_with, remote, with_host},
    fixture::{self, Fixture, git, wait_until},
};

/// The grace of an abort, which the push has to end by itself.
const GRACE: Duration = Duration::from_millis(1000);

/// How long an abort may take: its grace, the 10 s for asking, and what this host needs to start and end processes.
const LIMIT: Duration = Duration::from_secs(1 + 10 + 4);

/// How many aborts there are of each kind; 34 of three kinds are the 100 that are looked at by hand.
const ABORTS: &str = "PV_TEST_ABORTS";

/// A server of git's own protocol over the fixture's bare remote. It ends when it is dropped.
struct Daemon(Child);

impl Daemon {
    /// Serves the remote, and lets the person's clone name it.
    fn serve(fixture: &Fixture) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let hook = fixture.root.join("access");
        // Questions hang where this file is there.
        fs::write(
            &hook,
            format!(
                "#!/bin/sh\n[ $1 = upload-pack ] || exit 0\nwhile [ -e {}/mute ]; do sleep 0.05; done\n",
                fixture.root
            ),
        )
        .unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let base = format!("--base-path={}", fixture.root);
        let mut command = Command::new("git");
        command.args(["daemon", "--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"]);
        command.args([&base, &format!("--port={port}"), &format!("--access-hook={hook}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let daemon = command.spawn().unwrap();
        let daemon = Self(daemon);
        wait_until("the remote can be reached", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        git(
            &fixture.root.join("repos/o/r"),
            &["remote", "set-url", "origin", &format!("git://127.0.0.1:{port}/remote.git")],
        );
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // `git daemon` serves each client by a child of its group, which does not end by itself where its client was killed.
        let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

fn fixture() -> Fixture {
    with_remote("echo ran >> ../../witness; echo more >> README.md")
        .set(fixture::DELIVER, "branch")
        .set(fixture::GRACE_MS, &GRACE.as_millis().to_string())
}

/// A hook that says that it began, waits for a file of this name, and says that it is over.
fn wait_for(name: &str) -> String {
    format!("cat > /dev/null; echo $$ > ../pushing; until [ -e ../{name} ]; do sleep 0.02; done; echo x > ../received")
}

fn put(fixture: &Fixture, name: &str) {
    fs::write(fixture.root.join(name), "").unwrap();
}

fn is_there(fixture: &Fixture, name: &str) -> bool {
    fixture.root.join(name).exists()
}

/// Returns which commit the remote has under the branch of the job.
fn tip(fixture: &Fixture, record: &JobRecord) -> Option<String> {
    let branch = record.delivery.as_ref()?.branch.clone()?;
    let listed = git(&remote(fixture), &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")]);
    Some(listed).filter(|listed| !listed.is_empty())
}

fn commit(record: &JobRecord) -> Option<String> {
    record.delivery.as_ref()?.commit.clone()
}

/// Starts the job, aborts it when its push has begun, and returns its record and how long that took.
fn abort_at_push(fixture: &Fixture, then: impl FnOnce()) -> (JobRecord, Duration) {
    let mut supervisor = fixture.start();
    wait_until("the push has begun", || is_there(fixture, "pushing"));
    let begun = Instant::now();
    fixture.abort();
    then();
    assert!(supervisor.wait(), "{}", fixture.errors());
    let took = begun.elapsed();
    assert_eq!(fixture.alive(), Vec::<String>::new());
    assert!(took < LIMIT, "{took:?}");
    (fixture.record(), took)
}

/// Waits until nothing of the job is left of the push, whose remote goes on.
fn wait_for_the_end_of_the_push(fixture: &Fixture) {
    let pushes = || {
        fixture.alive().iter().any(|dir| {
            let arguments = fs::read(format!("{dir}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|argument| argument == b"push")
        })
    };
    wait_until("the push is ended", || !pushes());
}

#[test]
fn abort_while_pushing_what_arrives_within_the_grace_is_delivered() {
    let fixture = fixture().set(fixture::GRACE_MS, "20000");
    refuse_with(&fixture, &wait_for("go"));
    let _daemon = Daemon::serve(&fixture);
    let (record, took) = abort_at_push(&fixture, || put(&fixture, "go"));
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(tip(&fixture, &record), commit(&record));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn abort_while_pushing_what_arrives_after_the_push_was_ended_is_delivered() {
    let fixture = fixture();
    refuse_with(&fixture, &wait_for("go"));
    let _daemon = Daemon::serve(&fixture);
    let (record, _) = abort_at_push(&fixture, || {
        wait_for_the_end_of_the_push(&fixture);
        assert!(!is_there(&fixture, "received"));
        put(&fixture, "go");
    });
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(tip(&fixture, &record), commit(&record));
    assert_eq!(record.delivery.unwrap().push, Some(PushState::Pushed));
}

#[test]
fn abort_while_pushing_what_does_not_arrive_is_aborted_and_a_retry_delivers_it() {
    let mut fixture = fixture();
    let hook = refuse_with(&fixture, &wait_for("never"));
    let daemon = Daemon::serve(&fixture);
    let (record, _) = abort_at_push(&fixture, || ());
    assert_eq!(record.state(), JobState::Aborted, "{record:?}");
    assert_eq!(tip(&fixture, &record), None);
    let message = record.message.clone().unwrap();
    assert!(message.contains("does not have codex/") && message.contains("pv retry"), "{message}");
    assert_eq!(fixture.kept(), commit(&record).unwrap());
    let patch = fs::read_to_string(record.delivery.as_ref().unwrap().patch_path.clone().unwrap()).unwrap();
    assert!(patch.contains("+more"), "{patch}");

    fs::remove_file(hook).unwrap();
    fixture.retry();
    let again = fixture.run();
    assert_eq!(again.state(), JobState::Succeeded, "{again:?}");
    assert_eq!(again.delivery.unwrap().branch, record.delivery.unwrap().branch);
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
    put(&fixture, "never");
    drop(daemon);
}

#[test]
fn abort_while_pushing_where_the_remote_cannot_be_asked_says_so_and_a_retry_finds_out() {
    for arrives in [true, false] {
        let mut fixture = fixture();
        refuse_with(&fixture, &wait_for("go"));
        let _daemon = Daemon::serve(&fixture);
        let (record, _) = abort_at_push(&fixture, || {
            put(&fixture, "mute");
            wait_for_the_end_of_the_push(&fixture);
            if arrives {
                put(&fixture, "go");
                wait_until("it arrives", || tip(&fixture, &fixture.record()).is_some());
            }
        });
        assert_eq!(record.state(), JobState::Aborted, "{record:?}");
        let message = record.message.clone().unwrap();
        assert!(message.contains("is not known") && message.contains("finds out"), "{message}");
        assert_eq!(record.delivery.as_ref().unwrap().push, Some(PushState::Begun));
        assert_eq!(fixture.kept(), commit(&record).unwrap());

        fs::remove_file(fixture.root.join("mute")).unwrap();
        put(&fixture, "go");
        fixture.retry();
        // Another beginning would be a second branch of the same work.
        let fixture = fixture.set(fixture::PREFIX, "agents/");
        let again = fixture.run();
        assert_eq!(again.state(), JobState::Succeeded, "{again:?} {}", fixture.errors());
        assert_eq!(git(&remote(&fixture), &["for-each-ref", "--format=x", "refs/heads"]).lines().count(), 2);
        assert_eq!(tip(&fixture, &record), commit(&record), "{arrives}");
    }
}

#[test]
fn abort_while_pushing_ends_what_the_push_started() {
    // ssh that heeds nothing and leaves others behind, and hangs when it asks, too.
    let fixture = fixture().set(
        "GIT_SSH_COMMAND",
        "trap '' TERM HUP; setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM; sleep 1000' &) ; echo $$ > $HOME/pushing; sleep 1000; :",
    );
    let fixture = {
        let home = fixture.root.clone();
        fixture.set("HOME", home.as_str())
    };
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "--push", "origin", "ssh://h.example/o/r.git"]);
    let (record, _) = abort_at_push(&fixture, || ());
    assert_eq!(record.state(), JobState::Aborted, "{record:?}");
    assert!(record.message.unwrap().contains("is not known"));
}

#[test]
fn abort_while_pushing_does_not_wait_for_another_try() {
    let fixture = fixture().set(fixture::PAUSE_MS, "600000");
    let clone = fixture.root.join("repos/o/r");
    // It closes every connection without an answer, so that git fails as it does where a network does.
    let host = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/o/r.git", host.local_addr().unwrap());
    git(&clone, &["remote", "set-url", "--push", "origin", &url]);
    let mut supervisor = fixture.start();
    drop(host.accept().unwrap());
    thread::spawn(move || host.incoming().for_each(drop));
    fixture.abort();
    assert!(supervisor.wait());
    let record = fixture.record();
    assert_eq!(record.state(), JobState::Aborted, "{record:?}");
    assert!(record.message.unwrap().contains("is not known"), "nobody has seen what it has");
}

#[test]
fn abort_while_pushing_is_decided_by_the_next_supervisor_where_the_first_is_killed() {
    for arrives in [true, false] {
        let fixture = fixture();
        refuse_with(&fixture, &wait_for("go"));
        let _daemon = Daemon::serve(&fixture);
        let mut first = fixture.start();
        wait_until("the push has begun", || is_there(&fixture, "pushing"));
        first.signal(Signal::KILL);
        assert!(!first.wait());
        fixture.abort();
        if arrives {
            put(&fixture, "go");
        }
        let record = fixture.run();
        let expected = if arrives { JobState::Succeeded } else { JobState::Aborted };
        assert_eq!(record.state(), expected, "{record:?} {}", fixture.errors());
        assert_eq!(tip(&fixture, &record).is_some(), arrives);
        assert_eq!(fixture.alive(), Vec::<String>::new());
        put(&fixture, "go");
    }
}

#[test]
fn abort_while_a_pull_request_is_opened_does_not_wait_for_the_host() {
    let host = FakeGitHub::start().unwrap();
    host.next(Mood::Sleeps);
    let fixture = with_host(fixture().set(fixture::DELIVER, "pr"), &host);
    let mut supervisor = fixture.start();
    wait_until("the host is asked", || !host.seen().is_empty());
    let begun = Instant::now();
    fixture.abort();
    assert!(supervisor.wait());
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    let record = fixture.record();
    assert_eq!((record.state(), tip(&fixture, &record)), (JobState::Succeeded, commit(&record)), "{record:?}");
    assert!(record.message.unwrap().contains("whether its pull request is open is not known"));
}

/// How the remote is.
#[derive(Debug, Clone, Copy)]
enum Remote {
    Fast,
    Slow,
    Hanging,
}

/// Aborts at a random moment of a delivery, and returns what the record says and the remote has, where they differ.
fn abort_at_random(remote: Remote, random: &mut impl FnMut(u64) -> u64) -> Option<String> {
    let fixture = fixture();
    let (hook, delivery_ms) = match remote {
        Remote::Fast => ("cat > /dev/null".to_owned(), 400),
        Remote::Slow => {
            (format!("cat > /dev/null; echo $$ > ../pushing; sleep 0.{}; echo x > ../received", random(9)), 1500)
        }
        Remote::Hanging => (wait_for("go"), 1500),
    };
    refuse_with(&fixture, &hook);
    let daemon = Daemon::serve(&fixture);
    if matches!(remote, Remote::Hanging) && random(2) == 0 {
        put(&fixture, "mute-later");
    }
    let mut supervisor = fixture.start();
    wait_until("the delivery has begun", || {
        fixture.record().delivery.is_some_and(|delivery| delivery.branch.is_some())
    });
    thread::sleep(Duration::from_millis(random(delivery_ms)));
    if is_there(&fixture, "mute-later") {
        put(&fixture, "mute");
    }
    let begun = Instant::now();
    // It may be over by now.
    let _ = fixture.store.request_abort(&fixture.id, host::now());
    let ended = supervisor.wait();
    let took = begun.elapsed();
    let record = fixture.record();
    // Whatever the remote was doing is over then, but for one that hangs for ever.
    if is_there(&fixture, "pushing") && matches!(remote, Remote::Slow) {
        wait_until("the remote is done", || is_there(&fixture, "received"));
        thread::sleep(Duration::from_millis(200));
    }
    let (has, message) = (tip(&fixture, &record), record.message.clone().unwrap_or_default());
    let agrees = match record.state() {
        JobState::Succeeded => has == commit(&record),
        JobState::Aborted => has.is_none() || message.contains("is not known"),
        _ => false,
    };
    let alive = fixture.alive();
    put(&fixture, "go");
    drop(daemon);
    let is_right = ended && agrees && alive.is_empty() && took < LIMIT;
    eprintln!("{remote:?}: {} after {took:?}: {message}", record.state());
    (!is_right).then(|| format!("{remote:?}: {record:?}, the remote has {has:?}, alive {alive:?}, took {took:?}"))
}

#[test]
fn abort_while_pushing_at_random_moments_the_record_says_what_the_remote_has() {
    let count = std::env::var(ABORTS).map_or(2, |count| count.parse().unwrap());
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    eprintln!("seed {seed}");
    let kinds = [Remote::Fast, Remote::Slow, Remote::Hanging];
    let different: Vec<String> = thread::scope(|scope| {
        let threads = kinds.map(|kind| {
            scope.spawn(move || {
                let mut state = seed ^ (kind as u64 + 1);
                let mut random = move |below: u64| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) % below
                };
                (0..count).filter_map(|_| abort_at_random(kind, &mut random)).collect::<Vec<_>>()
            })
        });
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(different, Vec::<String>::new(), "seed {seed}");
}
