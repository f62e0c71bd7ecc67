//! What every operation answers when all is well.

use poem::http::StatusCode;
use pv_lib::store::Limits;
use serde_json::json;

use crate::harness::{World, answer};

#[tokio::test]
async fn health_is_two_words() {
    let world = World::new();
    assert_eq!(world.get("/api/v1/healthz").await.text(), r#"{"status":"ok","version":"1.2.3"}"#);
}

#[tokio::test]
async fn status_tells_what_the_service_sees() {
    let world = World::new();
    world.put_job("a", &json!({}));
    world.put_job("b", &json!({ "heartbeat_at": "2026-01-31T11:00:00Z" }));
    world.put_job("c", &json!({ "state": "failed" }));
    world.fs.put("/pv/runs/d/job.json", "{");
    let status = world.get("/api/v1/status").await.json();
    assert_eq!(
        status["jobs"],
        json!({ "counts": { "running": 2, "failed": 1, "unknown": 1 }, "total": 4, "stalled_running": 1 })
    );
    assert_eq!(
        status["config"],
        json!({
            "tree_builder_root": "/pv/inbox", "runs_root": "/pv/runs", "stall_threshold_seconds": 60,
            "bind_host": "127.0.0.1", "bind_port": 8888,
        })
    );
    assert_eq!(status["targets"], json!({ "count": 5 }));
    assert_eq!(status["roots"], json!({ "tree_builder_root_exists": true, "runs_root_exists": true }));
    assert_eq!(status["watcher"], json!({ "alive": null, "holds": [] }));
    assert!(status["disk"]["available_bytes"].is_u64() && status["disk"]["floor_bytes"].is_u64(), "{status}");
}

#[tokio::test]
async fn status_tells_of_the_watcher() {
    for (beat_at, alive) in [("2026-01-31T11:59:45Z", true), ("2026-01-31T11:59:00Z", false)] {
        let world = World::new();
        let facts = json!({
            "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T11:00:00Z", "beat_at": beat_at,
            "max_concurrent": 2, "running": 1, "waiting": 0,
        });
        world.fs.put("/pv/runs/.locks/.watcher.json", facts.to_string());
        let status = world.get("/api/v1/status").await.json();
        assert_eq!((&status["watcher"]["alive"], &status["watcher"]["pid"]), (&json!(alive), &json!(7)));
    }
}

#[tokio::test]
async fn status_tells_which_agents_are_held_until_they_are_not() {
    let world = World::new();
    let hold = |until: &str| json!({ "agent": "codex", "until": until, "message": "enough", "job_id": "a".repeat(32) });
    for (until, held) in [("2026-01-31T12:00:01Z", true), ("2026-01-31T12:00:00Z", false)] {
        world.fs.put("/pv/runs/.holds/codex.json", hold(until).to_string());
        let status = world.get("/api/v1/status").await.json();
        let expected = if held { json!([hold(until)]) } else { json!([]) };
        assert_eq!(status["watcher"]["holds"], expected, "{until}");
    }
}

#[tokio::test]
async fn targets_are_sorted() {
    let targets = World::new().get("/api/v1/targets").await.json();
    assert_eq!(
        targets[0],
        json!({
            "repo": "other", "branch": "main", "inbox_path": "/pv/inbox/o/other/main", "owner": "o", "full_repo": "o/other",
        })
    );
    let names: Vec<_> =
        targets.as_array().unwrap().iter().map(|target| target["full_repo"].as_str().unwrap()).collect();
    assert_eq!(names, ["o/other", "o/r", "o/twin", "p/r", "p/twin"]);
}

#[tokio::test]
async fn g11_the_id_that_post_returns_is_the_jobs_and_the_files() {
    let world = World::new();
    let posted = world
        .submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "# Do it\n", "filename": "do.md" }))
        .await;
    assert_eq!(posted.status, StatusCode::CREATED);
    let taken = posted.json();
    let id = taken["job_id"].as_str().unwrap();
    assert_eq!(posted.location.as_deref(), Some(&*format!("/api/v1/jobs/{id}")));
    assert_eq!(taken["inbox_path"], format!("/pv/inbox/o/r/main/do-{id}.prompt.md"));
    assert_eq!(taken["created_at"], "2026-01-31T12:00:00Z");
    let job = world.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&job["state"], &job["title"], &job["stalled"]), (&json!("created"), &json!("Do it"), &json!(false)));
    let listed = world.get("/api/v1/jobs").await.json();
    assert_eq!(listed["jobs"][0]["job_id"], id);
    let prompt = world.get(&format!("/api/v1/jobs/{id}/prompt")).await;
    assert!(prompt.text().ends_with("# Do it\n") && prompt.content_type.starts_with("text/plain"), "{prompt:?}");
}

#[tokio::test]
async fn no_filename_or_a_blank_one_names_the_file_after_the_time() {
    let world = World::new();
    for filename in [json!(null), json!("")] {
        let taken = world
            .submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "x", "filename": filename }))
            .await
            .json();
        let id = taken["job_id"].as_str().unwrap();
        assert_eq!(taken["inbox_path"], format!("/pv/inbox/o/r/main/20260131120000-{id}.prompt.md"));
    }
}

fn form(fields: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, filename, bytes) in fields {
        let filename = filename.map_or_else(String::new, |filename| format!("; filename=\"{filename}\""));
        body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n").bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    ("multipart/form-data; boundary=XX".into(), body)
}

async fn upload(world: &World, fields: &[(&str, Option<&str>, &[u8])]) -> crate::harness::Answer {
    let (content_type, body) = form(fields);
    answer(world.client().post("/api/v1/jobs/upload").content_type(content_type).body(body)).await
}

#[tokio::test]
async fn an_upload_is_one_job_for_each_file() {
    let world = World::new();
    let fields: &[(&str, Option<&str>, &[u8])] = &[
        ("repo", None, b"r"),
        ("branch", None, b"dev"),
        ("note", None, b"passed over"),
        ("files", Some("a.md"), b"# A\n"),
        ("files", Some("b.md"), "# B: \u{e4}\n".as_bytes()),
    ];
    let taken = upload(&world, fields).await;
    assert_eq!(taken.status, StatusCode::CREATED);
    let jobs = taken.json()["jobs"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    let path = jobs[1]["inbox_path"].as_str().unwrap();
    assert!(path.starts_with("/pv/inbox/p/r/dev/b-"), "{path}");
}

#[tokio::test]
async fn an_upload_is_all_or_none() {
    type Fields<'a> = &'a [(&'a str, Option<&'a str>, &'a [u8])];
    const REPO: (&str, Option<&str>, &[u8]) = ("repo", None, b"o/r");
    const BRANCH: (&str, Option<&str>, &[u8]) = ("branch", None, b"main");
    const GOOD: (&str, Option<&str>, &[u8]) = ("files", Some("a.md"), b"# A\n");
    let cases: &[(Fields<'_>, u16, &str)] = &[
        (&[REPO, BRANCH, GOOD, ("files", Some("b.txt"), b"x")], 400, "Filename must end with '.md'."),
        (&[REPO, BRANCH, GOOD, ("files", Some("b.md"), b"\xff")], 400, "UTF-8"),
        (&[REPO, BRANCH, GOOD, ("files", Some("../b.md"), b"x")], 400, "directory segments"),
        (&[REPO, BRANCH, GOOD, ("files", None, b"x")], 400, "Filename cannot be empty."),
        (&[REPO, BRANCH], 422, r#""loc":["body","files"],"msg":"Field required","type":"missing""#),
        (&[BRANCH, GOOD], 422, r#""loc":["body","repo"]"#),
        (&[REPO, ("branch", None, b"\xff"), GOOD], 422, r#""loc":["body","branch"]"#),
        (&[("repo", None, b"nope"), BRANCH, GOOD], 404, "nope"),
        (&[REPO, BRANCH, GOOD, ("files", Some("b.md"), &[b'x'; 10_001])], 413, "limits.prompt_bytes"),
    ];
    for (fields, status, part) in cases {
        let world = World::new();
        let before = world.everything();
        let refused = upload(&world, fields).await;
        assert_eq!(refused.status.as_u16(), *status, "{}", refused.text());
        assert!(refused.text().contains(part), "{}", refused.text());
        assert_eq!(world.everything(), before, "nothing is written: {part}");
    }
}

#[tokio::test]
async fn an_abort_answers_the_first_time_again() {
    let world = World::new();
    world.put_job("a", &json!({}));
    let first = world.post("/api/v1/jobs/a/abort").await;
    assert_eq!(
        first.text(),
        r#"{"job_id":"a","previous_state":"running","abort_requested_at":"2026-01-31T12:00:00Z"}"#
    );
    world.fs.write("/pv/runs/a/ABORT", "2026-01-31T11:00:00Z");
    let again = world.post("/api/v1/jobs/a/abort").await;
    assert_eq!((again.status, &again.json()["abort_requested_at"]), (StatusCode::OK, &json!("2026-01-31T11:00:00Z")));
    assert_eq!(world.get("/api/v1/jobs/a").await.json()["abort_requested"], json!(true));
}

#[tokio::test]
async fn a_retry_is_a_new_job() {
    let world = World::new();
    world.put_job("a", &json!({ "state": "failed", "inbox_rel": "o/r/main/do.prompt.md" }));
    world.fs.put("/pv/runs/a/prompt.md", "# Again\n");
    let retried = world.post("/api/v1/jobs/a/retry").await;
    assert_eq!(retried.status, StatusCode::CREATED, "{}", retried.text());
    let job = world.get(retried.location.as_deref().unwrap()).await.json();
    assert_eq!((&job["retry_of"], &job["state"]), (&json!("a"), &json!("created")));
}

#[tokio::test]
async fn a_log_is_its_last_lines() {
    let world = World::new();
    world.put_job("a", &json!({}));
    world.put_log("a", (1..=300).map(|n| format!("line {n}\n")).collect::<String>());
    let log = world.get("/api/v1/jobs/a/log").await;
    assert!(log.text().starts_with("line 101\n") && log.text().ends_with("line 300\n"), "{}", log.text());
    assert_eq!(log.content_type, "text/plain; charset=utf-8");
    assert_eq!(world.get("/api/v1/jobs/a/log?lines=1").await.text(), "line 300\n");
    assert_eq!(world.get("/api/v1/jobs/a/log?lines=").await.text().lines().count(), 200);
    world.put_log("a", b"\xffbinary\n");
    assert_eq!(world.get("/api/v1/jobs/a/log").await.text(), "\u{fffd}binary\n");
}

#[tokio::test]
async fn earlier_and_damaged_runs_can_be_looked_at() {
    let world = World::new();
    world.fs.put("/pv/runs/20251205-1216-32/job.json", r#"{"job_id":"20251205-1216-32","state":"succeeded"}"#);
    world.fs.put("/pv/runs/broken/job.json", "[]");
    assert_eq!(world.get("/api/v1/jobs/20251205-1216-32").await.json()["state"], "succeeded");
    let broken = world.get("/api/v1/jobs/broken").await.json();
    assert_eq!((&broken["state"], &broken["message"]), (&json!("unknown"), &json!("job.json is not an object")));
}

#[tokio::test]
async fn head_is_answered_where_get_is() {
    let world = World::new();
    for path in ["/api/v1/healthz", "/api/v1/jobs", "/docs", "/"] {
        assert_eq!(answer(world.client().head(path)).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_need_nothing_from_elsewhere() {
    let world = World::new();
    for path in ["/", "/docs", "/docs/"] {
        let page = world.get(path).await;
        assert_eq!(page.content_type, "text/html; charset=utf-8", "{path}");
        assert!(!page.text().contains("src=\"http"), "{path}");
    }
}

#[tokio::test]
async fn prompts_of_three_megabytes_are_normal() {
    let world = World::with_limits(Limits::default());
    let text = "one line of the prompt\n".repeat(3 << 20 >> 4);
    let posted = world.submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": text })).await;
    assert_eq!(posted.status, StatusCode::CREATED, "{}", posted.text());
}
