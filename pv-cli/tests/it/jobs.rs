//! The job commands on the files of this host.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use insta::{assert_snapshot, with_settings};
use serde_json::json;

use super::fixture::{CliFixture, append, finish};

const RUNNING: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const FAILED: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f102";
const ABORTED: &str = "0290f5c2a7b97c31b1c5b1d1a1e1f103";

/// A root with a job of every kind.
fn with_jobs() -> CliFixture {
    let fixture = CliFixture::new();
    let running = json!({ "state": "running", "phase": "agent", "agent": "codex", "title": "Evil \u{1b}[2J title\nof two lines",
        "created_at": "2026-01-31T12:00:01Z", "started_at": "2026-01-31T12:00:02Z", "heartbeat_at": "2026-01-31T12:00:03Z" });
    let run = fixture.put_record(RUNNING, &running);
    fs::write(run.join("ABORT"), "2026-01-31T12:00:04Z\n").unwrap();
    let failed = json!({ "state": "failed", "reason": "exit", "message": "the agent ended with exit code 3", "exit_code": 3,
        "agent": "codex", "title": "Fails", "finished_at": "2026-01-31T12:00:09Z", "created_at": "2026-01-31T12:00:02Z",
        "delivery": { "branch": "codex/x", "error": "the remote refused" },
        "usage": { "input_tokens": 1200, "output_tokens": 40, "cost_usd": 0.25 } });
    fs::write(fixture.put_record(FAILED, &failed).join("job.log"), "one\ntwo\x1b[2J\nthree\n").unwrap();
    fixture.put_record(ABORTED, &json!({ "state": "aborted", "branch_name": "feature/x", "git_owner": null }));
    fixture.put_record("20251205-1216-32", &json!({ "state": "succeeded", "created_at": "2023-12-05T12:16:00" }));
    fs::create_dir_all(fixture.path("runs/broken")).unwrap();
    fs::write(fixture.path("runs/broken/job.json"), "{").unwrap();
    fixture
}

macro_rules! assert_output {
    ($name:literal, $fixture:expr, $text:expr) => {
        with_settings!({ filters => vec![
            (r"\b[0-9a-f]{32}\b(\.prompt)?", "[id]$1"),
            (r"\d{4}-\d\d-\d\dT[\d:]+Z", "[time]"),
            (r"\d+[smhd] ago", "[age] ago"),
            (r"[\d.]+ [TGMK]iB", "[size]"),
            (r"(host +).+", "${1}[host]"),
        ]}, { assert_snapshot!($name, $fixture.redact(&$text)) });
    };
}

#[test]
fn help_lists_commands_and_options() {
    let fixture = CliFixture::new();
    assert_output!("help", fixture, fixture.output(&["--help"], 0));
    assert_output!("help_submit", fixture, fixture.output(&["submit", "--help"], 0));
}

#[test]
fn lists_show_every_job_on_its_line() {
    let fixture = with_jobs();
    // Ages grow with the calendar: they are days by now.
    let list = fixture.output(&["list"], 0);
    let days = list.lines().map(|line| line.split("  ").collect::<Vec<_>>().join("  "));
    let text: Vec<String> = days.map(|line| line.trim_end().to_owned()).collect();
    with_settings!({ filters => vec![(r"\b\d+d\b *", "[age]  ")] }, { assert_snapshot!("list", text.join("\n")) });
}

#[test]
fn lists_hold_what_is_asked_for() {
    let fixture = with_jobs();
    let ids = |args: &[&str]| -> Vec<String> {
        let list = fixture.json(&[&["list"], args].concat());
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
fn show_and_status_print_what_is_known() {
    let fixture = with_jobs();
    assert_output!("show_failed", fixture, fixture.output(&["show", FAILED], 0));
    assert_output!("show_running", fixture, fixture.output(&["show", RUNNING], 0));
    assert_output!("status", fixture, fixture.output(&["status"], 0));
    let watcher = json!({ "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T12:00:00Z",
        "beat_at": "2026-01-31T12:00:00Z", "max_concurrent": 2, "running": 1, "waiting": 3 });
    fs::create_dir_all(fixture.path("runs/.locks")).unwrap();
    fs::write(fixture.path("runs/.locks/.watcher.json"), watcher.to_string()).unwrap();
    fs::create_dir_all(fixture.path("runs/.holds")).unwrap();
    let hold = json!({ "agent": "codex", "until": "2999-01-01T00:00:00Z", "message": "enough", "job_id": FAILED });
    fs::write(fixture.path("runs/.holds/codex.json"), hold.to_string()).unwrap();
    let shown = &fixture.json(&["status"])["watcher"]["holds"][0];
    for (key, value) in hold.as_object().unwrap() {
        assert_eq!(&shown[key], value, "{key}");
    }
    assert_eq!((&shown["kind"], &shown["state"]), (&json!("quota"), &json!("held")), "of a file of 0.1.0");
    assert!(shown["remedy"].as_str().unwrap().contains("pv resume --agent codex --all"), "{shown}");
    assert!(fixture.output(&["status"], 0).contains("codex (quota) until 2999-01-01T00:00:00Z: enough"));
    assert_eq!(fixture.json(&["status"])["watcher"]["alive"], false);
    assert!(fixture.output(&["status"], 0).contains("silent since 2026-01-31T12:00:00Z, was pid 7 on h"));
}

#[test]
fn submitting_prints_the_id_and_the_file() {
    let fixture = CliFixture::new();
    assert_output!(
        "submit",
        fixture,
        fixture.output(&["submit", "task.md", "--repo", "example", "--branch", "main"], 0)
    );
    let many = fixture.json(&["submit", "task.md", "task.md", "--repo", "nova/example", "--branch", "main"]);
    assert_eq!(many["jobs"].as_array().unwrap().len(), 2);

    let mut child = fixture.pv(&["submit", "-", "--repo", "example", "--branch", "main", "--name", "x.md", "--json"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("# From a pipe\n".as_bytes()).unwrap();
    let receipt: serde_json::Value = serde_json::from_slice(&finish(child).stdout).unwrap();
    let path = receipt["inbox_path"].as_str().unwrap();
    assert!(path.contains("/x-") && fs::read_to_string(path).unwrap().contains(r#"source: "cli""#), "{path}");
}

#[test]
fn exit_codes_are_a_promise() {
    let fixture = with_jobs();
    let submit =
        |file: &str, repo: &str, code| fixture.output(&["submit", file, "--repo", repo, "--branch", "main"], code);
    submit("task.md", "example", 0);
    fixture.output(&["wait", "20251205"], 0);
    fixture.output(&["wait", FAILED], 1);
    fixture.output(&["wait", ABORTED, FAILED, "20251205-1216-32"], 1);
    fixture.output(&["log", "-f", FAILED], 1);
    fixture.output(&["submit"], 2);
    fixture.output(&["list", "-n", "0"], 2);
    fixture.output(&["list", "--state", "done"], 2);
    fixture.output(&["submit", "task.md", "task.md", "--name", "x.md", "--repo", "example", "--branch", "main"], 2);
    fixture.output(&["log", "-f", "--json", FAILED], 2);
    fixture.output(&["show", "nothing"], 3);
    fixture.output(&["log", ABORTED], 3);
    submit("missing.md", "example", 3);
    assert!(submit("task.md", "other", 3).contains("pv targets add"));
    fixture.output(&["abort", FAILED], 4);
    fixture.output(&["retry", RUNNING], 4);
    fixture.output(&["wait", "broken"], 4);
    fs::write(fixture.path("bytes.md"), b"\xff").unwrap();
    submit("bytes.md", "example", 5);
    fixture.output(&["show", "0190f5c2"], 5);
    assert!(fixture.output(&["wait", RUNNING, "--timeout", "0.1s"], 5).contains("still running"));
    fixture.output(&["wait", ABORTED], 7);
}

#[test]
fn aborts_and_retries() {
    let fixture = with_jobs();
    let id = fixture.submit("example");
    let first = fixture.json(&["abort", &id[..30]]);
    assert_eq!(first["previous_state"], "created");
    assert_eq!(fixture.json(&["abort", &id]), first, "asking again returns the first time");
    assert_eq!(fixture.json(&["show", &id])["abort_requested"], true);
    fixture.output(&["abort", &id, "nothing"], 3);

    fixture.put_record(&id, &json!({ "state": "failed" }));
    fs::write(fixture.path("runs").join(&id).join("prompt.md"), "# Again\n").unwrap();
    let new = fixture.json(&["retry", &id])["job_id"].as_str().unwrap().to_owned();
    assert_eq!(fixture.json(&["show", &new])["retry_of"], id.as_str());
}

#[test]
fn targets_are_listed_and_made() {
    let fixture = CliFixture::new();
    assert_output!("targets_add", fixture, fixture.output(&["targets", "add", "nova/more", "main", "feature/x"], 0));
    fixture.output(&["targets", "add", "nova/more"], 0);
    assert_output!("targets", fixture, fixture.output(&["targets"], 0));
    assert_eq!(fixture.output(&["targets", "list"], 0), fixture.output(&["targets"], 0));
    fixture.output(&["targets", "add", "nova/../x"], 2);
    fixture.output(&["targets", "add", "lonely"], 2);
}

#[test]
fn a_piped_log_is_the_bytes_of_the_log() {
    let fixture = with_jobs();
    assert_eq!(fixture.run(&["log", FAILED]).stdout, b"one\ntwo\x1b[2J\nthree\n");
    assert_eq!(fixture.run(&["log", FAILED, "-n", "1"]).stdout, b"three\n");
    assert_eq!(fixture.json(&["log", FAILED, "-n", "1"]), json!({ "job_id": FAILED, "log": "three\n" }));
}

#[test]
fn following_prints_lines_as_they_come_and_ends_with_the_job() {
    let fixture = with_jobs();
    let log = fixture.path("runs").join(RUNNING).join("job.log");
    append(&log, "zero\none\n");
    let mut child = fixture.pv(&["log", "-f", RUNNING, "-n", "1"]).spawn().unwrap();
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
    fixture.put_record(RUNNING, &json!({ "state": "aborted" }));
    assert_eq!(next(), "three, without an end");
    assert_eq!(finish(child).status.code(), Some(7));
}

#[test]
fn submit_f_ends_as_the_job_ends() {
    let fixture = CliFixture::new();
    let mut child = fixture.pv(&["submit", "-f", "task.md", "--repo", "example", "--branch", "main"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    fixture.put_record(&line[..32], &json!({ "state": "failed", "message": "no such agent" }));
    let ended = finish(child);
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("no such agent"));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let fixture = with_jobs();
    for args in [&["list"][..], &["list", "--json"], &["show", FAILED], &["log", FAILED], &["status"], &["targets"]] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let output = finish(fixture.pv(args).stdout(writer).spawn().unwrap());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn an_agent_that_changed_nothing_is_shown_with_its_last_message() {
    let fixture = CliFixture::with_agent(
        "printf 'I did nothing yet.\\n\\nWhich parser do you mean, the old one or the new one?\\n' > \"$PV_RUN_ROOT/last_message.md\"",
    );
    let _api = fixture.start_api();
    let id = fixture.submit("o/r");
    fixture.output(&["watcher", "--once"], 0);
    let record = fixture.record(&id);
    assert_eq!((&record["state"], &record["changed"]), (&json!("succeeded"), &json!(false)), "{record:#}");
    assert!(record.get("last_message").is_none(), "it is in its file, not in the record");
    let question = "Which parser do you mean, the old one or the new one?";
    for through in [&[][..], &["--api", &fixture.url()]] {
        let shown = fixture.output(&[through, &["show", &id]].concat(), 0);
        let end = format!("\nThe last that its agent said:\n\nI did nothing yet.\n\n{question}\n");
        assert!(shown.ends_with(&end), "{shown}");
        let job = fixture.json(&[through, &["show", &id]].concat());
        assert_eq!(job["last_message"], format!("I did nothing yet.\n\n{question}"));
        let list = fixture.json(&[through, &["list"]].concat());
        assert!(list["jobs"][0].get("last_message").is_none(), "{list:#}");
        assert!(fixture.output(&[through, &["list"]].concat(), 0).contains("succeeded, no changes"));
    }
}
