//! The JSON of the commands is that of the API: on the files, through an API, and as the API sends it.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::fs;

use serde_json::{Value, json};

use super::fixture::CliFixture;

const OVER: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const RUNNING: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f102";

/// A root with something of everything that a status names.
fn with_everything() -> CliFixture {
    let fixture = CliFixture::new();
    let delivery = json!({ "checkout_path": "/x", "checkout_bytes": 7, "checkout_reason": "it holds x" });
    fixture.put_record(OVER, &json!({ "state": "failed", "message": "no", "exit_code": 3, "delivery": delivery }));
    fixture.put_record(RUNNING, &json!({ "state": "running", "heartbeat_at": "2026-01-31T12:00:00Z" }));
    fs::create_dir_all(fixture.path("runs/damaged")).unwrap();
    fs::write(fixture.path("runs/damaged/job.json"), "{").unwrap();
    fs::create_dir_all(fixture.path("work").join(OVER)).unwrap();
    let watcher = json!({
        "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T12:00:00Z", "beat_at": "2999-01-31T12:00:00Z",
        "max_concurrent": 2, "running": 1, "waiting": 3,
        "unusable": { "entries": [{ "path": "/p", "level": "problem", "why": "w", "remedy": "r" }], "more": 1 },
    });
    let hold = json!({ "agent": "codex", "until": "2999-01-01T00:00:00Z", "message": "enough", "job_id": OVER });
    for (file, value) in [(".locks/.watcher.json", watcher), (".holds/codex.json", hold)] {
        let file = fixture.path("runs").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, value.to_string()).unwrap();
    }
    fixture
}

/// Returns JSON as commands print it, but for what differs from one call to the next.
fn printed(mut value: Value) -> String {
    if let Some(free) = value.pointer_mut("/disk/available_bytes") {
        assert!(free.is_u64());
        *free = json!(0);
    }
    let jobs = value.get_mut("jobs").and_then(Value::as_array_mut);
    for job in jobs.into_iter().flatten() {
        if let Some(age) = job.get_mut("age_seconds") {
            *age = json!(0);
        }
    }
    format!("{value:#}\n")
}

#[test]
fn what_is_read_has_one_shape() {
    let fixture = with_everything();
    let (_api, url) = (fixture.start_api(), fixture.url());
    for (args, path) in [
        (&["status"][..], "/status"),
        (&["targets"], "/targets"),
        (&["list"], "/jobs"),
        (&["list", "--state", "unknown"], "/jobs?state=unknown"),
        (&["list", "--state", "running,failed"], "/jobs?limit=2"),
        (&["show", "damaged"], "/jobs/damaged"),
    ] {
        let run = |more: &[&str]| fixture.output(&[args, &["--json"], more].concat(), 0);
        let (local, remote) = (run(&[]), run(&["--api", &url]));
        let (status, mut sent) = fixture.request("GET", path, "");
        assert_eq!(status, 200, "{path}");
        // Pages are of the API alone.
        sent.as_object_mut().map(|sent| sent.remove("next_cursor"));
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(local, format!("{:#}\n", parsed(&local)), "sorted keys, two blanks");
        assert_eq!(printed(parsed(&local)), printed(sent.clone()), "{args:?}: on the files, and the API");
        assert_eq!(printed(parsed(&remote)), printed(sent), "{args:?}: through the API, and the API");
    }
    let status = fixture.json(&["status"]);
    assert_eq!(
        status["kept_checkouts"],
        json!([{ "job_id": OVER, "path": fixture.path("work").join(OVER), "bytes": 7, "reason": "it holds x" }])
    );
    let text = fixture.output(&["status", "--api", &url], 0);
    assert!(text.contains(&format!("work/{OVER} (7 B): it holds x")) && text.contains("pv discard ID"), "{text}");
}

#[test]
fn what_is_written_has_one_shape() {
    let fixture = with_everything();
    let (_api, url) = (fixture.start_api(), fixture.url());
    // Each call makes a job of its own: ids and times differ.
    let shape = |value: &Value| -> Vec<String> {
        let one = value.get("jobs").map_or(value, |jobs| &jobs[0]);
        assert!(value.get("jobs").is_none_or(|jobs| jobs.as_array().unwrap().len() == 2), "{value}");
        one.as_object().unwrap().keys().cloned().collect()
    };
    let receipt = ["created_at", "inbox_path", "job_id"];
    let submit = ["--repo", "example", "--branch", "main"];
    for more in [&[][..], &["--api", &url]] {
        let one = fixture.json(&[&["submit", "task.md"], &submit[..], more].concat());
        assert_eq!(shape(&one), receipt);
        let many = fixture.json(&[&["submit", "task.md", "task.md"], &submit[..], more].concat());
        assert_eq!(shape(&many), receipt);
        let id = one["job_id"].as_str().unwrap();
        let aborted = fixture.json(&[&["abort", id], more].concat());
        assert_eq!(shape(&aborted), ["abort_requested_at", "job_id", "previous_state"]);
        assert_eq!((&aborted["job_id"], &aborted["previous_state"]), (&json!(id), &json!("created")));
        fs::write(fixture.path("runs").join(OVER).join("prompt.md"), "# Again\n").unwrap();
        assert_eq!(shape(&fixture.json(&[&["retry", OVER], more].concat())), receipt);
    }
}
