//! Agents in the sandbox of a real `bwrap`; `.ci/run bubblewrap` runs these. A program that is not there is a failure.

use std::{fs, io::Read, net::TcpListener, thread};

use pv_lib::job::{FailReason, HoldKind, JobState};
use rustix::process::Signal;

use super::fixture::{AGENT, CHECKS, COMMAND, Fixture, GRACE_MS, LAUNCHER, SETUP, TIMEOUT_MS, is_alive, wait_until};

/// The agent is a file of the installation, which is hidden with it below /tmp.
fn sandboxed(script: &str, more: &str) -> Fixture {
    let fixture = Fixture::new(script);
    let launcher = format!("{{kind: bubblewrap, read: [{}/agent.sh]{more}}}", fixture.root);
    fixture.set(LAUNCHER, &launcher)
}

#[test]
fn an_agent_works_inside_with_git_and_its_work_is_delivered() {
    let fixture = sandboxed(
        "cat > prompt.txt\necho more >> file.txt\ngit add -A && git -c user.name=a -c user.email=a@b commit -qm work && \
         git status --short\ngit log --oneline | wc -l\necho kept > \"$PWD/new.txt\"\necho thrown > /tmp/x\n",
        "",
    );
    let fixture =
        fixture.set(SETUP, "touch set-up").set(CHECKS, "inside=test -e set-up && ! test -e /proc/1/root/home/x");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {} {}", fixture.log_text(), fixture.errors());
    assert_eq!(record.launcher.as_deref(), Some("box"));
    assert_eq!(record.containment.as_deref(), Some("box (its process namespace ended)"));
    assert_eq!(record.verified, Some(true), "{}", fixture.run_file("checks.log"));
    assert_eq!(fixture.kept_file("new.txt").as_deref(), Some("kept\n"));
    assert!(fixture.kept_file("prompt.txt").unwrap().contains("do the work"));
}

#[test]
fn g16_an_abort_ends_all_that_is_inside_and_an_agent_that_heeds_ends_by_itself() {
    let stubborn = "trap '' TERM INT HUP\n(setsid sh -c 'trap \"\" TERM INT HUP; exec sleep 301' &)\n\
         env -i setsid sleep 302 &\necho started\nsleep 303\n";
    let fixture = sandboxed(stubborn, "");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    fixture.abort();
    assert!(supervisor.wait());
    assert_eq!(fixture.record().state(), JobState::Aborted, "{:?}", fixture.record());
    for seconds in ["301", "302", "303"] {
        assert_eq!(sleepers(seconds), [""; 0]);
    }
    let heeds = "trap 'echo bye; exit 3' TERM\necho started\nwhile :; do sleep 0.05; done\n";
    let fixture = sandboxed(heeds, "").set(GRACE_MS, "20000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    fixture.abort();
    assert!(supervisor.wait());
    assert!(fixture.log_text().contains("bye"), "{}", fixture.log_text());
    assert_eq!(fixture.record().exit_code, Some(3));
}

#[test]
fn what_an_agent_leaves_ends_with_it_and_with_its_supervisor() {
    let fixture = sandboxed("env -i setsid sleep 311 & echo done\n", "");
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    assert_eq!(sleepers("311"), [""; 0]);
    let fixture = sandboxed("env -i setsid sleep 312 &\necho started\nsleep 313\n", "");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    wait_until("it runs", || !sleepers("312").is_empty());
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    wait_until("the kernel ended it", || sleepers("312").is_empty() && sleepers("313").is_empty());
}

/// Lists the live processes that sleep for so long.
fn sleepers(seconds: &str) -> Vec<String> {
    let is_it = |dir: &std::path::Path| {
        fs::read(dir.join("cmdline")).is_ok_and(|line| line == format!("sleep\0{seconds}\0").as_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(|dir| is_it(dir));
    let pids = pids.filter_map(|dir| dir.file_name()?.to_str().map(str::to_owned));
    pids.filter(|pid| is_alive(pid)).collect()
}

/// No way out: by it the test sees that it would see one.
const CONTROL: &str = "what is no escape";

/// What an agent tries, and with what it would have succeeded. `$A` is the root of the installation; a try that works prints
/// `ESCAPED`.
const ESCAPES: [(&str, &str); 25] = [
    (CONTROL, "echo ESCAPED"),
    (
        "another job's checkout",
        "cat $A/work/other/secret.txt && echo ESCAPED; ls $A/work | grep -q other && echo ESCAPED",
    ),
    ("the token", "grep -q s3cret $A/token && echo ESCAPED"),
    ("the run's record", "ls $A/runs/$PV_JOB_ID/job.json && echo ESCAPED; cat $A/runs/*/job.json && echo ESCAPED"),
    ("what is noted of launchers", "cat $A/runs/.launch/*.json && echo ESCAPED"),
    (
        "the keys of the person",
        "cat $HOME/.ssh/id_test && echo ESCAPED; cat $HOME/.config/gh/hosts.yml && echo ESCAPED",
    ),
    (
        "the mirror, to write",
        "M=$A/repos/.mirrors/o/r.git; ls $M/objects >/dev/null || exit; touch $M/objects/x && echo ESCAPED; touch $M/x; \
      git --git-dir=$M update-ref refs/heads/x HEAD && echo ESCAPED; cat $M/config $M/packed-refs && echo ESCAPED; rm -rf $M/objects && echo ESCAPED",
    ),
    ("the person's clone", "cat $A/repos/o/r/file.txt && echo ESCAPED; touch $A/repos/o/r/x && echo ESCAPED"),
    ("the sockets of services", "ls /run/* /var/run/docker.sock && echo ESCAPED"),
    (
        "the host remounted",
        "mount -o remount,rw,bind / && touch /pv-escape && echo ESCAPED; mount -t tmpfs x /mnt && echo ESCAPED",
    ),
    (
        "what is hidden unmounted",
        "umount $HOME && echo ESCAPED; umount -l /tmp && echo ESCAPED; umount $A/runs && echo ESCAPED",
    ),
    (
        "a namespace with capabilities",
        "unshare -Urm sh -c 'umount -l \"$0\" && cat \"$0\"/*/job.json' $A/runs && echo ESCAPED; \
      unshare -m sh -c 'umount -l \"$0\" && cat \"$0\"/*/job.json' $A/runs && echo ESCAPED",
    ),
    ("processes outside, to kill", "kill -0 $OUTSIDE && echo ESCAPED; kill -9 $OUTSIDE && echo ESCAPED"),
    (
        "processes outside, to trace",
        "ls /proc/$OUTSIDE && echo ESCAPED; grep -z OUTSIDER /proc/*/environ && echo ESCAPED",
    ),
    (
        "a root of another process",
        "ls /proc/1/root$A/runs/*/job.json && echo ESCAPED; cat /proc/*/root$A/token && echo ESCAPED",
    ),
    ("the API on loopback", "bash -c 'exec 3<>/dev/tcp/127.0.0.1/'$PORT && echo ESCAPED"),
    ("any other network", "cat /proc/net/route | grep -qv Iface && echo ESCAPED"),
    ("abstract sockets", "grep -q @pv-test-abstract /proc/net/unix && echo ESCAPED"),
    ("the host's settings, to write", "echo x >> /etc/hosts && echo ESCAPED; touch /etc/pv-escape && echo ESCAPED"),
    (
        "the host's programs, to replace",
        "cp /bin/true /usr/local/bin/pv-escape && echo ESCAPED; mv /bin/sh /bin/sh2 && echo ESCAPED",
    ),
    (
        "passwords of the host",
        "grep -q root /etc/shadow && echo ESCAPED; cat /etc/ssh/ssh_host_*_key | grep -q KEY && echo ESCAPED",
    ),
    (
        "a program with another user's rights",
        "cp /bin/sh s && chmod 4755 s && grep -q '^NoNewPrivs:.1' /proc/self/status || echo ESCAPED; \
      grep -q '^CapEff:.0000000000000000' /proc/self/status || echo ESCAPED",
    ),
    (
        "a link out of the checkout",
        "ln -s $A/token l && cat l && echo ESCAPED; ln -s /etc d && touch d/pv-escape && echo ESCAPED; \
      ln $A/token hard && echo ESCAPED",
    ),
    (
        "the checkout renamed",
        "mv \"$PWD\" \"$PWD.x\" && echo ESCAPED; mv \"$PWD\" $A/work/other && echo ESCAPED; rm -rf \"$PWD\"/../other; \
      mkdir $A/work/other && touch $A/work/other/planted; true",
    ),
    (
        "devices",
        "cat /dev/mem && echo ESCAPED; ls /dev/sd* /dev/vd* /dev/nvme* /dev/loop* && echo ESCAPED; mknod m c 1 1 && echo ESCAPED",
    ),
];

#[test]
fn of_more_than_twenty_ways_out_none_leads_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let reached = thread::spawn(move || listener.accept().is_ok());
    let mut outside = std::process::Command::new("sleep").arg("600").env("OUTSIDER", "1").spawn().unwrap();
    let abstract_name =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name("pv-test-abstract");
    let _socket = std::os::unix::net::UnixListener::bind_addr(&abstract_name.unwrap()).unwrap();
    let tries: String = ESCAPES
        .iter()
        .enumerate()
        .map(|(number, (_, script))| format!("echo \"try {number}\"\n(\n{script}\n) 2>/dev/null | grep -a ESCAPED\n"))
        .collect();
    let fixture = sandboxed("", ", network: off");
    let root = fixture.root.clone();
    let script = format!("A={root}\nOUTSIDE={}\nPORT={port}\n{tries}echo all tried\n", outside.id());
    fs::write(root.join("agent.sh"), script).unwrap();
    fs::create_dir_all(root.join("work/other")).unwrap();
    fs::write(root.join("work/other/secret.txt"), "secret").unwrap();
    fs::write(root.join("token"), "s3cret\n").unwrap();
    fs::create_dir_all(root.join("runs/.launch")).unwrap();
    fs::write(root.join("runs/.launch/x.json"), "{}").unwrap();
    let home = root.join("home");
    for (file, text) in [(".ssh/id_test", "key"), (".config/gh/hosts.yml", "token"), (".config/git/config", "")] {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), text).unwrap();
    }
    let fixture = fixture.set("HOME", home.as_str()).set(TIMEOUT_MS, "25000");
    let record = fixture.run();
    let log = fixture.log_text();
    assert!(log.contains("all tried"), "{record:?} {log}");
    let mut now = "";
    let mut passed = Vec::new();
    for line in log.lines() {
        match line.strip_prefix("try ") {
            Some(number) => now = ESCAPES[number.parse::<usize>().unwrap()].0,
            None if line.contains("ESCAPED") => passed.push(now),
            None => {}
        }
    }
    assert_eq!(passed, [CONTROL], "{log}");
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    // What was tried changed nothing outside.
    for path in ["/pv-escape", "/etc/pv-escape", "/usr/local/bin/pv-escape"] {
        assert!(!fs::exists(path).unwrap(), "{path}");
    }
    assert!(!root.join("work/other/planted").exists());
    assert!(!root.join("repos/.mirrors/o/r.git/x").exists(), "it is thrown away");
    assert_eq!(fs::read_to_string(root.join("work/other/secret.txt")).unwrap(), "secret");
    assert!(outside.try_wait().unwrap().is_none(), "it was killed");
    outside.kill().unwrap();
    outside.wait().unwrap();
    assert!(!reached.is_finished(), "the API was reached");
}

#[test]
fn with_a_network_the_hosts_own_loopback_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let fixture = sandboxed(&format!("bash -c 'echo hello > /dev/tcp/127.0.0.1/{port}'\n"), ", network: on");
    assert_eq!(fixture.run().state(), JobState::Succeeded, "{}", fixture.log_text());
    assert_eq!(heard.join().unwrap(), "hello\n");
}

#[test]
fn what_is_not_seen_inside_is_said_before_the_start() {
    let fixture = Fixture::new("echo never\n");
    let launcher = "{kind: bubblewrap}";
    let fixture = fixture.set(LAUNCHER, launcher);
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Start)), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("agent.sh` is not seen inside the sandbox of the launcher `box`"), "{message}");
    assert!(message.contains("launchers.box.read"), "{message}");
    assert!(fixture.store.hold("script", HoldKind::Start).unwrap().is_some());
    assert_eq!(fixture.log_text(), "");
    let fixture = Fixture::new("echo never\n").set(LAUNCHER, "{kind: bubblewrap, read: [/nowhere/tools]}");
    let message = fixture.run().message.unwrap();
    assert!(message.contains("launchers.box.read names `/nowhere/tools`, which is not there"), "{message}");
    let fixture = sandboxed("echo never\n", "").set(COMMAND, "no-such-agent");
    let message = fixture.run().message.unwrap();
    assert!(message.contains("`no-such-agent` is not there: install it"), "{message}");
}

#[test]
fn a_last_message_and_an_agents_own_folder_can_be_written_and_nothing_else_of_the_run() {
    let events = "echo '{\"type\":\"thread.started\",\"thread_id\":\"t-1\"}'\n\
         while [ $# -gt 1 ]; do if [ \"$1\" = --output-last-message ]; then echo said > \"$2\"; fi; shift; done\n\
         echo x > \"$CODEX_HOME/session\"; echo y > x.txt; ls \"$PV_RUN_ROOT\" >&2\n\
         echo '{\"type\":\"turn.completed\",\"usage\":{}}'\n";
    let fixture = sandboxed(events, "");
    let home = fixture.root.join("codex-home");
    fs::create_dir(&home).unwrap();
    let fixture = fixture.set(AGENT, "codex").set("CODEX_HOME", home.as_str());
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.log_text());
    assert_eq!(fixture.run_file("last_message.md"), "said\n");
    assert_eq!(fs::read_to_string(home.join("session")).unwrap(), "x\n");
    assert!(fixture.log_text().contains("last_message.md\nprompt.md\n"), "{}", fixture.log_text());
    assert!(!fixture.log_text().contains("job.json"), "{}", fixture.log_text());
}
