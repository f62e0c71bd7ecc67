//! `/metrics`, as Prometheus reads it.

use pv_lib::fs::Space;
use serde_json::json;

use crate::fixture::Fixture;

/// Everything that is measured where a watcher is alive.
const EXPECTED: &str = r#"# HELP pv_build_info The version of the service, and its commit.
# TYPE pv_build_info gauge
pv_build_info{version="1.2.3",commit="abcdef1"} 1
# HELP pv_uptime_seconds For how long the service has run.
# TYPE pv_uptime_seconds gauge
pv_uptime_seconds 0
# HELP pv_http_answers_total Requests that were answered.
# TYPE pv_http_answers_total counter
pv_http_answers_total{status="1xx"} 0
pv_http_answers_total{status="2xx"} 1
pv_http_answers_total{status="3xx"} 0
pv_http_answers_total{status="4xx"} 2
pv_http_answers_total{status="5xx"} 0
# HELP pv_streams_open Streams of logs and changes that are open.
# TYPE pv_streams_open gauge
pv_streams_open 0
# HELP pv_jobs Jobs by state.
# TYPE pv_jobs gauge
pv_jobs{state="failed"} 2
pv_jobs{state="running"} 1
# HELP pv_jobs_stalled Running jobs whose supervisor is silent.
# TYPE pv_jobs_stalled gauge
pv_jobs_stalled 0
# HELP pv_jobs_verified Jobs with checks, by whether all of them were green.
# TYPE pv_jobs_verified gauge
pv_jobs_verified{verified="true"} 0
pv_jobs_verified{verified="false"} 0
# HELP pv_targets Repositories and branches that take prompts.
# TYPE pv_targets gauge
pv_targets 5
# HELP pv_watcher_alive Whether the watcher gave a sign of life lately.
# TYPE pv_watcher_alive gauge
pv_watcher_alive 1
# HELP pv_watcher_running Jobs that the watcher runs.
# TYPE pv_watcher_running gauge
pv_watcher_running 1
# HELP pv_watcher_waiting Jobs that wait for others to end, for an agent that is held, or for room on a disk.
# TYPE pv_watcher_waiting gauge
pv_watcher_waiting 0
# HELP pv_watcher_waiting_for_room Prompts and jobs that wait because a disk has too little room.
# TYPE pv_watcher_waiting_for_room gauge
pv_watcher_waiting_for_room 0
# HELP pv_watcher_blocked_for_room Jobs under way that wait for room to begin, to save their work, or to deliver it.
# TYPE pv_watcher_blocked_for_room gauge
pv_watcher_blocked_for_room 0
# HELP pv_watcher_blocked_by_launcher Jobs under way that their launcher lets wait, or cannot prove to have ended.
# TYPE pv_watcher_blocked_by_launcher gauge
pv_watcher_blocked_by_launcher 0
# HELP pv_watcher_max_concurrent Jobs that may run at once.
# TYPE pv_watcher_max_concurrent gauge
pv_watcher_max_concurrent 2
# HELP pv_unusable Files and folders that cannot be used, or with which something fails.
# TYPE pv_unusable gauge
pv_unusable 0
# HELP pv_kept_checkouts Checkouts of jobs that are over and that are still there.
# TYPE pv_kept_checkouts gauge
pv_kept_checkouts 1
# HELP pv_mirrors Mirrors of repositories.
# TYPE pv_mirrors gauge
pv_mirrors 3
# HELP pv_mirrors_bytes What the mirrors of repositories take of the disk.
# TYPE pv_mirrors_bytes gauge
pv_mirrors_bytes 70000
# HELP pv_mirror_bytes What the largest mirrors take of the disk, by repository.
# TYPE pv_mirror_bytes gauge
pv_mirror_bytes{repo="o/r"} 65536
# HELP pv_disk_available_bytes What may still be used of the disk with the runs.
# TYPE pv_disk_available_bytes gauge
pv_disk_available_bytes 549755813888
# HELP pv_disk_total_bytes The size of that disk.
# TYPE pv_disk_total_bytes gauge
pv_disk_total_bytes 1099511627776
# HELP pv_disk_floor_bytes What must stay free of it.
# TYPE pv_disk_floor_bytes gauge
pv_disk_floor_bytes 67108864
# HELP pv_disks_full Disks with too little room for a job: that of the runs, and those of checkouts, mirrors and prompts.
# TYPE pv_disks_full gauge
pv_disks_full 0
# HELP pv_disk_reserve_ready Whether the reserve for the ends of jobs is there.
# TYPE pv_disk_reserve_ready gauge
pv_disk_reserve_ready 0
"#;

#[tokio::test]
async fn everything_known_is_written_in_the_text_format() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_job("b", &json!({ "state": "failed" }));
    fixture.put_job("c", &json!({ "state": "failed" }));
    let watcher = json!({
        "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T11:00:00Z", "beat_at": "2026-01-31T11:59:45Z",
        "max_concurrent": 2, "running": 1, "waiting": 0,
        "mirrors": {
            "measured_at": "2026-01-31T11:00:00Z", "count": 3, "bytes": 70000,
            "largest": [{ "repo": "o/r", "bytes": 65536, "loose_objects": 0, "packs": 2 }],
        },
    });
    fixture.fs.put("/pv/runs/.locks/.watcher.json", watcher.to_string());
    let kept = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    fixture.fs.put(format!("/pv/work/{kept}/file"), "x");
    fixture.get("/api/v1/jobs/none").await;
    fixture.get("/api/v1/jobs?limit=0").await;
    fixture.get("/api/v1/jobs").await;
    let answer = fixture.get("/metrics").await;
    assert_eq!(
        (answer.status.as_u16(), answer.content_type.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    let without_uptime = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("pv_uptime_seconds ")).map(str::to_owned).collect()
    };
    assert_eq!(without_uptime(answer.text()), without_uptime(EXPECTED));
    assert!(answer.text().ends_with('\n') && answer.text().contains("\npv_uptime_seconds "));
}

#[tokio::test]
async fn numbers_of_any_size_are_written() {
    let fixture = Fixture::new();
    fixture.fs.set_space(Space::of_bytes(u64::MAX, u64::MAX));
    let watcher = json!({
        "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T11:00:00Z", "beat_at": "2026-01-31T11:59:45Z",
        "max_concurrent": u64::MAX, "running": 1, "waiting": 0,
    });
    fixture.fs.put("/pv/runs/.locks/.watcher.json", watcher.to_string());
    let answer = fixture.get("/metrics").await;
    for name in ["pv_disk_total_bytes", "pv_watcher_max_concurrent"] {
        assert!(answer.text().contains(&format!("\n{name} 18446744073709551615\n")), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_not_known_is_left_out() {
    let answer = Fixture::new().get("/metrics").await;
    for name in ["pv_watcher_alive", "pv_watcher_running", "pv_jobs{", "# TYPE pv_jobs "] {
        assert!(!answer.text().contains(name), "{name} in {}", answer.text());
    }
    assert!(answer.text().contains("pv_jobs_stalled 0\n"), "{}", answer.text());
}
