//! The bytes of responses: keys, their order and their values are a promise to clients.

use pv_lib::fs::Space;
use serde_json::json;

use crate::fixture::Fixture;

/// The id of a job that is over.
const OVER: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

/// A service with something of everything that the status names.
pub(crate) fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.fs.set_space(Space::of_bytes(10 << 30, 40 << 30));
    fixture.put_job(
        OVER,
        &json!({ "state": "failed", "delivery": { "checkout_path": "/x", "checkout_bytes": 7, "checkout_reason": "why" } }),
    );
    fixture.put_job("silent", &json!({ "heartbeat_at": "2026-01-31T11:00:00Z", "created_at": "2026-01-31T11:58:00Z" }));
    fixture.fs.put("/pv/runs/damaged/job.json", "{");
    fixture.fs.put(format!("/pv/work/{OVER}/file"), "x");
    let watcher = json!({
        "pid": 7, "host": "h", "version": "1", "commit": "abcdef1", "started_at": "2026-01-31T11:00:00Z", "beat_at": "2026-01-31T11:59:45Z",
        "page": "http://127.0.0.1:8888/", "max_concurrent": 2, "running": 1, "waiting": 0,
        "unusable": { "entries": [{ "path": "/p", "level": "problem", "why": "w", "remedy": "r" }], "more": 3 },
        "mirrors": {
            "measured_at": "2026-01-31T11:50:00Z", "count": 1, "bytes": 4096,
            "largest": [{ "repo": "o/r", "bytes": 4096, "loose_objects": 3, "packs": 1, "problem": "no room" }],
        },
    });
    fixture.fs.put("/pv/runs/.locks/.watcher.json", watcher.to_string());
    let hold = json!({ "agent": "codex", "until": "2026-01-31T13:00:00Z", "message": "enough", "job_id": OVER });
    fixture.fs.put("/pv/runs/.holds/codex.json", hold.to_string());
    fixture
}

#[tokio::test]
async fn a_status() {
    let expected = concat!(
        r#"{"status":"ok","config":{"tree_builder_root":"/pv/inbox","runs_root":"/pv/runs","stall_threshold_seconds":60,"#,
        r#""bind_host":"127.0.0.1","bind_port":8888},"jobs":{"counts":{"failed":1,"running":1,"unknown":1},"total":3,"#,
        r#""stalled_running":1,"verified":0,"checks_failed":0},"targets":{"count":5},"roots":{"tree_builder_root_exists":true,"runs_root_exists":true},"#,
        r#""watcher":{"alive":true,"pid":7,"host":"h","version":"1","commit":"abcdef1","started_at":"2026-01-31T11:00:00Z","#,
        r#""beat_at":"2026-01-31T11:59:45Z","page":"http://127.0.0.1:8888/","max_concurrent":2,"running":1,"waiting":0,"#,
        r#""waiting_for_room":0,"blocked_for_room":0,"blocked_by_launcher":0,"holds":[{"agent":"codex","#,
        r#""kind":"quota","until":"2026-01-31T13:00:00Z","message":"enough","#,
        r#""job_id":"0190f5c2a7b97c31b1c5b1d1a1e1f101","since":"2026-01-31T13:00:00Z","state":"held","#,
        r#""remedy":"wait, or once the limit is gone: pv resume --agent codex --all"}]},"#,
        r#""disk":{"available_bytes":10737418240,"total_bytes":42949672960,"floor_bytes":67108864,"#,
        r#""full":[],"reserve":"missing"},"#,
        r#""unusable":{"entries":[{"path":"/p","level":"problem","why":"w","remedy":"r"}],"more":3},"#,
        r#""kept_checkouts":[{"job_id":"0190f5c2a7b97c31b1c5b1d1a1e1f101","#,
        r#""path":"/pv/work/0190f5c2a7b97c31b1c5b1d1a1e1f101","bytes":7,"reason":"why"}],"#,
        r#""mirrors":{"measured_at":"2026-01-31T11:50:00Z","count":1,"bytes":4096,"#,
        r#""largest":[{"repo":"o/r","bytes":4096,"loose_objects":3,"packs":1,"problem":"no room"}]}}"#,
    );
    assert_eq!(fixture().get("/api/v1/status").await.text(), expected);
}

#[tokio::test]
async fn a_status_without_a_watcher_and_a_disk() {
    let fixture = Fixture::new();
    let text = fixture.get("/api/v1/status").await.text().to_owned();
    assert!(text.contains(r#""watcher":{"alive":null,"holds":[]},"disk":{"available_bytes":"#), "{text}");
    let end = concat!(
        r#""unusable":{"entries":[],"more":0},"kept_checkouts":[],"#,
        r#""mirrors":{"measured_at":null,"count":0,"bytes":0,"largest":[]}}"#
    );
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn targets_receipts_and_lists() {
    let fixture = fixture();
    let targets = fixture.get("/api/v1/targets").await;
    let first =
        r#"[{"repo":"other","branch":"main","inbox_path":"/pv/inbox/o/other/main","owner":"o","full_repo":"o/other"},"#;
    assert!(targets.text().starts_with(first), "{}", targets.text());

    let list = fixture.get("/api/v1/jobs?limit=1").await;
    let job = concat!(
        r#"{"jobs":[{"abort_requested":false,"age_seconds":60,"branch_name":"main","created_at":"2026-01-31T11:59:00Z","#,
        r#""delivery":{"checkout_bytes":7,"checkout_path":"/x","checkout_reason":"why"},"git_owner":"o","#,
        r#""heartbeat_at":"2026-01-31T11:59:59Z","job_id":"0190f5c2a7b97c31b1c5b1d1a1e1f101","quiet":false,"#,
        r#""repo_name":"r","schema_version":1,"stalled":false,"state":"failed"}],"#,
        r#""next_cursor":"1769860740~0190f5c2a7b97c31b1c5b1d1a1e1f101"}"#,
    );
    let job: serde_json::Value = serde_json::from_str(job).expect("JSON");
    assert_eq!(list.json(), job, "the keys of a job have no order");
    let damaged = concat!(
        r#"{"jobs":[{"abort_requested":false,"job_id":"damaged","message":"job.json is not JSON: EOF while parsing an "#,
        r#"object at line 1 column 1","stalled":false,"state":"unknown"}]}"#,
    );
    assert_eq!(fixture.get("/api/v1/jobs?state=unknown").await.text(), damaged);

    let body = json!({ "repo": "o/r", "branch": "main", "markdown_text": "# x\n", "filename": "x.md" });
    let receipt = fixture.submit(&body).await;
    let id = receipt.json()["job_id"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"job_id":"{id}","inbox_path":"/pv/inbox/o/r/main/x-{id}.prompt.md","created_at":"2026-01-31T12:00:00Z"}}"#
    );
    assert_eq!(receipt.text(), expected);
    let expected =
        format!(r#"{{"job_id":"{id}","previous_state":"created","abort_requested_at":"2026-01-31T12:00:00Z"}}"#);
    assert_eq!(fixture.post(&format!("/api/v1/jobs/{id}/abort")).await.text(), expected);
}
