//! Held agents, as a person meets them: named, with what to do, and let go again.

use std::fs;

use serde_json::{Value, json};

use crate::fixture::{CliFixture, wait_until};

/// Puts a hold as a supervisor does.
fn put(fixture: &CliFixture, agent: &str, kind: &str, until: &str) {
    let hold = json!({
        "agent": agent, "kind": kind, "until": until, "message": "401 Unauthorized", "job_id": "a".repeat(32),
        "since": "2026-01-01T00:00:00Z", "unknown_ends": 1,
    });
    fs::create_dir_all(fixture.path("runs/.holds")).expect("makes a folder");
    fs::write(fixture.path(format!("runs/.holds/{agent}.{kind}.json")), hold.to_string()).expect("writes");
}

#[test]
fn c02_a_hold_is_named_with_what_to_do_and_lifted_on_the_files_and_by_the_api() {
    let fixture = CliFixture::with_agent("exit 0");
    let _api = fixture.start_api();
    let api = fixture.url();
    for through in [&[][..], &["--api", &api]] {
        let all = |args: &[&'static str]| [through, args].concat();
        put(&fixture, "codex", "auth", "2999-01-01T00:00:00Z");
        put(&fixture, "codex", "quota", "2026-01-01T00:15:00Z");
        put(&fixture, "claude", "start", "2999-01-01T00:00:00Z");
        let status = fixture.output(&all(&["status"]), 0);
        for line in [
            "claude (start) until 2999-01-01T00:00:00Z: 401 Unauthorized; install its program, or set agents.claude.command",
            "codex (quota) over since 2026-01-01T00:15:00Z, one job at a time is tried until one works: 401 Unauthorized",
            "codex (auth) until 2999-01-01T00:00:00Z: 401 Unauthorized; log in as the user that the watcher runs as, then: \
             pv resume --agent codex --all",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
        let doctor = String::from_utf8_lossy(&fixture.run(&["doctor"]).stdout).into_owned();
        let line = "problem  holds: jobs of codex wait until 2999-01-01T00:00:00Z (auth): 401 Unauthorized: log in";
        assert!(doctor.contains(line) && doctor.contains("warning  holds: jobs of codex are tried one"), "{doctor}");
        // What is to be lifted is said in full.
        assert!(fixture.output(&all(&["resume", "--agent", "codex"]), 2).contains("--all"));
        let lifted: Value =
            serde_json::from_str(&fixture.output(&all(&["--json", "resume", "--agent", "codex", "--all"]), 0)).unwrap();
        assert_eq!(lifted, json!({ "agent": "codex", "lifted": ["quota", "auth"] }));
        let again = fixture.output(&all(&["resume", "--agent", "codex", "--all"]), 3);
        assert!(again.contains("the agent `codex` is not held"), "{again}");
        let status: Value = serde_json::from_str(&fixture.output(&all(&["--json", "status"]), 0)).unwrap();
        assert_eq!(status["watcher"]["holds"].as_array().map(Vec::len), Some(1), "{status:#}");
        let said = fixture.output(&all(&["resume", "--agent", "claude", "--all"]), 0);
        assert_eq!(said, "lifted the holds on claude (start): its jobs may start\n");
        assert_eq!(fs::read_dir(fixture.path("runs/.holds")).expect("lists").count(), 0);
    }
    assert!(
        fixture.output(&["--api", "http://127.0.0.1:1", "resume", "--agent", "x", "--all"], 6).contains("cannot reach")
    );
}

#[test]
fn c02_a_missing_program_costs_no_more_jobs_than_run_at_once_and_the_others_run_when_it_is_there() {
    const JOBS: usize = 20;
    let fixture = CliFixture::with_agent("exit 0");
    let settings = fs::read_to_string(fixture.config()).expect("reads");
    fs::write(fixture.config(), settings.replace("max_concurrent: 20", "max_concurrent: 2")).expect("writes");
    fs::rename(fixture.path("agent.sh"), fixture.path("gone.sh")).expect("moves");
    let _api = fixture.start_api();
    let ids: Vec<String> = (0..JOBS).map(|n| fixture.post(&format!("# Job {n}\n"))).collect();
    let count = |state: &str| ids.iter().filter(|id| fixture.record(id)["state"] == state).count();
    let _watcher = fixture.start("watcher");
    wait_until("the hold is there and nothing runs", || {
        let (_, holds) = fixture.request("GET", "/holds", "");
        (holds["holds"][0]["kind"] == "start" && count("running") == 0 && count("failed") > 0).then_some(())
    });
    // The watcher looks again and again: what would start has time to.
    let (_, status) = fixture.request("GET", "/status", "");
    wait_until("the watcher has looked again", || {
        let (_, later) = fixture.request("GET", "/status", "");
        (later["watcher"]["beat_at"] != status["watcher"]["beat_at"]).then_some(())
    });
    let failed = count("failed");
    assert!(failed <= 2 && count("created") == JOBS - failed, "{failed} failed, {} wait", count("created"));
    let record =
        ids.iter().map(|id| fixture.record(id)).find(|record| record["state"] == "failed").expect("one failed");
    assert_eq!(record["reason"], "start");
    let status = fixture.output(&["status"], 0);
    assert!(status.contains("scripted (start) until ") && status.contains("agent.sh` cannot be started"), "{status}");

    fs::rename(fixture.path("gone.sh"), fixture.path("agent.sh")).expect("moves");
    fixture.output(&["resume", "--agent", "scripted", "--all"], 0);
    wait_until("all others have run", || (count("succeeded") == JOBS - failed).then_some(()));
    let (_, holds) = fixture.request("GET", "/holds", "");
    assert_eq!(holds, json!({ "holds": [] }));
}
