//! The job commands on the files of this host.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use insta::{assert_snapshot, with_settings};
use serde_json::json;

use super::desk::{Desk, append, finish};

const RUNNING: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const FAILED: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f102";
const ABORTED: &str = "0290f5c2a7b97c31b1c5b1d1a1e1f103";

/// A desk with a job of every kind.
fn furnished() -> Desk {
    let desk = Desk::new();
    let running = json!({ "state": "running", "phase": "agent", "agent": "codex", "title": "Evil \u{1b}[2J title\nof two lines",
        "created_at": "2026-01-31T12:00:01Z", "started_at": "2026-01-31T12:00:02Z", "heartbeat_at": "2026-01-31T12:00:03Z" });
    let run = desk.record(RUNNING, &running);
    fs::write(run.join("ABORT"), "2026-01-31T12:00:04Z\n").unwrap();
    let failed = json!({ "state": "failed", "reason": "exit", "message": "the agent ended with exit code 3", "exit_code": 3,
        "agent": "codex", "title": "Fails", "finished_at": "2026-01-31T12:00:09Z", "created_at": "2026-01-31T12:00:02Z",
        "delivery": { "branch": "codex/x", "error": "the remote refused" },
        "usage": { "input_tokens": 1200, "output_tokens": 40, "cost_usd": 0.25 } });
    fs::write(desk.record(FAILED, &failed).join("job.log"), "one\ntwo\x1b[2J\nthree\n").unwrap();
    desk.record(ABORTED, &json!({ "state": "aborted", "branch_name": "feature/x", "git_owner": null }));
    desk.record("20251205-1216-32", &json!({ "state": "succeeded", "created_at": "2025-12-05T12:16:00" }));
    fs::create_dir_all(desk.path("root/runs/broken")).unwrap();
    fs::write(desk.path("root/runs/broken/job.json"), "{").unwrap();
    desk
}

macro_rules! shown {
    ($name:literal, $desk:expr, $text:expr) => {
        with_settings!({ filters => vec![
            (r"\b[0-9a-f]{32}\b(\.prompt)?", "[id]$1"),
            (r"\d{4}-\d\d-\d\dT[\d:]+Z", "[time]"),
            (r"\d+[smhd] ago", "[age] ago"),
            (r"[\d.]+ [TGMK]iB", "[size]"),
            (r"(host +).+", "${1}[host]"),
        ]}, { assert_snapshot!($name, $desk.settle(&$text)) });
    };
}

#[test]
fn help_says_what_there_is() {
    let desk = Desk::new();
    shown!("help", desk, desk.said(&["--help"], 0));
    shown!("help_submit", desk, desk.said(&["submit", "--help"], 0));
}

#[test]
fn lists_show_every_job_on_its_line() {
    let desk = furnished();
    // Ages grow with the calendar: they are days by now.
    let list = desk.said(&["list"], 0);
    let days = list.lines().map(|line| line.split("  ").collect::<Vec<_>>().join("  "));
    let text: Vec<String> = days.map(|line| line.trim_end().to_owned()).collect();
    with_settings!({ filters => vec![(r"\b\d+d\b *", "[age]  ")] }, { assert_snapshot!("list", text.join("\n")) });
}

#[test]
fn lists_hold_what_is_asked_for() {
    let desk = furnished();
    let ids = |args: &[&str]| -> Vec<String> {
        let list = desk.json(&[&["list"], args].concat());
        list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--state", "running"]), [RUNNING]);
    assert_eq!(ids(&["--state", "FAILED,running"]), [FAILED, RUNNING]);
    assert_eq!(ids(&["--state", "failed", "--state", "unknown"]), [FAILED, "broken"]);
    assert_eq!(ids(&["--stalled"]), [RUNNING]);
    assert_eq!(ids(&["--branch", "feature/x"]), [ABORTED]);
    assert_eq!(ids(&["--repo", "nova/example", "-n", "1"]), [FAILED]);
    assert_eq!(ids(&["--repo", "Example"]).len(), 0);
}

#[test]
fn show_and_status_tell_the_facts() {
    let desk = furnished();
    shown!("show_failed", desk, desk.said(&["show", FAILED], 0));
    shown!("show_running", desk, desk.said(&["show", RUNNING], 0));
    shown!("status", desk, desk.said(&["status"], 0));
    let facts = json!({ "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T12:00:00Z",
        "beat_at": "2026-01-31T12:00:00Z", "max_concurrent": 2, "running": 1, "waiting": 3 });
    fs::create_dir_all(desk.path("root/runs/.locks")).unwrap();
    fs::write(desk.path("root/runs/.locks/.watcher.json"), facts.to_string()).unwrap();
    fs::create_dir_all(desk.path("root/runs/.holds")).unwrap();
    let hold = json!({ "agent": "codex", "until": "2999-01-01T00:00:00Z", "message": "enough", "job_id": FAILED });
    fs::write(desk.path("root/runs/.holds/codex.json"), hold.to_string()).unwrap();
    let shown = &desk.json(&["status"])["watcher"]["holds"][0];
    assert!(hold.as_object().unwrap().iter().all(|(key, value)| &shown[key] == value), "{shown}");
    assert!(desk.said(&["status"], 0).contains("codex (quota) until 2999-01-01T00:00:00Z: enough; wait, or once"));
    assert_eq!(desk.json(&["status"])["watcher"]["alive"], false);
    assert!(desk.said(&["status"], 0).contains("silent since 2026-01-31T12:00:00Z, was pid 7 on h"));
}

#[test]
fn submitting_prints_the_id_and_the_file() {
    let desk = Desk::new();
    shown!("submit", desk, desk.said(&["submit", "task.md", "--repo", "example", "--branch", "main"], 0));
    let many = desk.json(&["submit", "task.md", "task.md", "--repo", "nova/example", "--branch", "main"]);
    assert_eq!(many["jobs"].as_array().unwrap().len(), 2);

    let mut child = desk.command(&["submit", "-", "--repo", "example", "--branch", "main", "--name", "x.md", "--json"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("# From a pipe\n".as_bytes()).unwrap();
    let taken: serde_json::Value = serde_json::from_slice(&finish(child).stdout).unwrap();
    let path = taken["inbox_path"].as_str().unwrap();
    assert!(path.contains("/x-") && fs::read_to_string(path).unwrap().contains(r#"source: "cli""#), "{path}");
}

#[test]
fn exit_codes_are_a_promise() {
    let desk = furnished();
    let submit = |file: &str, repo: &str, code| desk.said(&["submit", file, "--repo", repo, "--branch", "main"], code);
    submit("task.md", "example", 0);
    desk.said(&["wait", "20251205"], 0);
    desk.said(&["wait", FAILED], 1);
    desk.said(&["wait", ABORTED, FAILED, "20251205-1216-32"], 1);
    desk.said(&["log", "-f", FAILED], 1);
    desk.said(&["submit"], 2);
    desk.said(&["list", "-n", "0"], 2);
    desk.said(&["list", "--state", "done"], 2);
    desk.said(&["submit", "task.md", "task.md", "--name", "x.md", "--repo", "example", "--branch", "main"], 2);
    desk.said(&["log", "-f", "--json", FAILED], 2);
    desk.said(&["show", "nothing"], 3);
    desk.said(&["log", ABORTED], 3);
    submit("missing.md", "example", 3);
    assert!(submit("task.md", "other", 3).contains("pv targets add"));
    desk.said(&["abort", FAILED], 4);
    desk.said(&["retry", RUNNING], 4);
    desk.said(&["wait", "broken"], 4);
    fs::write(desk.path("bytes.md"), b"\xff").unwrap();
    submit("bytes.md", "example", 5);
    desk.said(&["show", "0190f5c2"], 5);
    assert!(desk.said(&["wait", RUNNING, "--timeout", "0.1s"], 5).contains("still running"));
    desk.said(&["wait", ABORTED], 7);
}

#[test]
fn aborts_and_retries() {
    let desk = furnished();
    let id = desk.submit();
    let first = desk.json(&["abort", &id[..30]]);
    assert_eq!(first["previous_state"], "created");
    assert_eq!(desk.json(&["abort", &id]), first, "asking again answers with the first time");
    assert_eq!(desk.json(&["show", &id])["abort_requested"], true);
    desk.said(&["abort", &id, "nothing"], 3);

    desk.record(&id, &json!({ "state": "failed" }));
    fs::write(desk.path("root/runs").join(&id).join("prompt.md"), "# Again\n").unwrap();
    let new = desk.json(&["retry", &id])["job_id"].as_str().unwrap().to_owned();
    assert_eq!(desk.json(&["show", &new])["retry_of"], id.as_str());
}

#[test]
fn targets_are_listed_and_made() {
    let desk = Desk::new();
    shown!("targets_add", desk, desk.said(&["targets", "add", "nova/more", "main", "feature/x"], 0));
    desk.said(&["targets", "add", "nova/more"], 0);
    shown!("targets", desk, desk.said(&["targets"], 0));
    assert_eq!(desk.said(&["targets", "list"], 0), desk.said(&["targets"], 0));
    desk.said(&["targets", "add", "nova/../x"], 2);
    desk.said(&["targets", "add", "lonely"], 2);
}

#[test]
fn a_piped_log_is_the_bytes_of_the_log() {
    let desk = furnished();
    assert_eq!(desk.pv(&["log", FAILED]).stdout, b"one\ntwo\x1b[2J\nthree\n");
    assert_eq!(desk.pv(&["log", FAILED, "-n", "1"]).stdout, b"three\n");
    assert_eq!(desk.json(&["log", FAILED, "-n", "1"]), json!({ "job_id": FAILED, "log": "three\n" }));
}

#[test]
fn following_prints_lines_as_they_come_and_ends_with_the_job() {
    let desk = furnished();
    let log = desk.path("root/runs").join(RUNNING).join("job.log");
    append(&log, "zero\none\n");
    let mut child = desk.command(&["log", "-f", RUNNING, "-n", "1"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(next(), "one\n");
    append(&log, "two\n");
    assert_eq!(next(), "two\n");
    append(&log, "three, without an end");
    desk.record(RUNNING, &json!({ "state": "aborted" }));
    assert_eq!(next(), "three, without an end");
    assert_eq!(finish(child).status.code(), Some(7));
}

#[test]
fn submit_f_ends_as_the_job_ends() {
    let desk = Desk::new();
    let mut child =
        desk.command(&["submit", "-f", "task.md", "--repo", "example", "--branch", "main"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    desk.record(&line[..32], &json!({ "state": "failed", "message": "no such agent" }));
    let ended = finish(child);
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("no such agent"));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let desk = furnished();
    for args in [&["list"][..], &["list", "--json"], &["show", FAILED], &["log", FAILED], &["status"], &["targets"]] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let output = finish(desk.command(args).stdout(writer).spawn().unwrap());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{args:?}");
    }
}
