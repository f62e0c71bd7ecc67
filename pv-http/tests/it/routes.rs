//! What every operation answers to a request that can be served.

use poem::http::StatusCode;
use pv_lib::store::StoreLimits;
use serde_json::json;

use crate::fixture::{Fixture, answer};

#[tokio::test]
async fn health_is_a_status_and_a_version() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get("/api/v1/healthz").await.text(), r#"{"status":"ok","version":"1.2.3","commit":"abcdef1"}"#);
}

#[tokio::test]
async fn status_holds_settings_counts_folders_and_disk() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_job("b", &json!({ "heartbeat_at": "2026-01-31T11:00:00Z" }));
    fixture.put_job("c", &json!({ "state": "failed" }));
    fixture.fs.put("/pv/runs/d/job.json", "{");
    let status = fixture.get("/api/v1/status").await.json();
    assert_eq!(
        status["jobs"],
        json!({ "counts": { "running": 2, "failed": 1, "unknown": 1 }, "total": 4, "stalled_running": 1, "verified": 0, "checks_failed": 0 })
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
async fn status_holds_the_watchers_last_heartbeat() {
    for (beat_at, alive) in [("2026-01-31T11:59:45Z", true), ("2026-01-31T11:59:00Z", false)] {
        let fixture = Fixture::new();
        let facts = json!({
            "pid": 7, "host": "h", "version": "1", "started_at": "2026-01-31T11:00:00Z", "beat_at": beat_at,
            "max_concurrent": 2, "running": 1, "waiting": 0,
        });
        fixture.fs.put("/pv/runs/.locks/.watcher.json", facts.to_string());
        let status = fixture.get("/api/v1/status").await.json();
        assert_eq!((&status["watcher"]["alive"], &status["watcher"]["pid"]), (&json!(alive), &json!(7)));
    }
}

#[tokio::test]
async fn status_holds_the_agents_at_a_limit_until_it_ends_and_then_that_they_are_probed() {
    let fixture = Fixture::new();
    let hold = |until: &str| json!({ "agent": "codex", "until": until, "message": "enough", "job_id": "a".repeat(32) });
    for (until, state) in [("2026-01-31T12:00:01Z", "held"), ("2026-01-31T12:00:00Z", "probing")] {
        fixture.fs.put("/pv/runs/.holds/codex.json", hold(until).to_string());
        let status = fixture.get("/api/v1/status").await.json();
        let found = status["watcher"]["holds"].as_array().unwrap();
        assert_eq!(
            (found.len(), &found[0]["state"], &found[0]["kind"]),
            (1, &json!(state), &json!("quota")),
            "{until}"
        );
    }
}

#[tokio::test]
async fn targets_are_sorted() {
    let targets = Fixture::new().get("/api/v1/targets").await.json();
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
    let fixture = Fixture::new();
    let posted = fixture
        .submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "# Do it\n", "filename": "do.md" }))
        .await;
    assert_eq!(posted.status, StatusCode::CREATED);
    let receipt = posted.json();
    let id = receipt["job_id"].as_str().unwrap();
    assert_eq!(posted.location.as_deref(), Some(&*format!("/api/v1/jobs/{id}")));
    assert_eq!(receipt["inbox_path"], format!("/pv/inbox/o/r/main/do-{id}.prompt.md"));
    assert_eq!(receipt["created_at"], "2026-01-31T12:00:00Z");
    let job = fixture.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&job["state"], &job["title"], &job["stalled"]), (&json!("created"), &json!("Do it"), &json!(false)));
    let listed = fixture.get("/api/v1/jobs").await.json();
    assert_eq!(listed["jobs"][0]["job_id"], id);
    let prompt = fixture.get(&format!("/api/v1/jobs/{id}/prompt")).await;
    assert!(prompt.text().ends_with("# Do it\n") && prompt.content_type.starts_with("text/plain"), "{prompt:?}");
}

#[tokio::test]
async fn no_filename_or_a_blank_one_names_the_file_after_the_time() {
    let fixture = Fixture::new();
    for filename in [json!(null), json!("")] {
        let receipt = fixture
            .submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "x", "filename": filename }))
            .await
            .json();
        let id = receipt["job_id"].as_str().unwrap();
        assert_eq!(receipt["inbox_path"], format!("/pv/inbox/o/r/main/20260131120000-{id}.prompt.md"));
    }
}

/// As the earlier service took them.
#[tokio::test]
async fn blanks_around_names_are_dropped_and_endings_count_in_any_case() {
    let fixture = Fixture::new();
    for (repo, branch, filename, stem) in [
        (" o/r ", "main", "do.md", "do"),
        ("o/r", "\tmain\n", " do.md\n", "do"),
        ("other", " main ", "Do.MD", "Do"),
        ("o/r", "main", "do.PROMPT.md", "do"),
    ] {
        let body = json!({ "repo": repo, "branch": branch, "markdown_text": "x", "filename": filename });
        let posted = fixture.submit(&body).await;
        assert_eq!(posted.status, StatusCode::CREATED, "{body}: {}", posted.text());
        let folder = format!("/pv/inbox/{}", if repo == "other" { "o/other/main" } else { "o/r/main" });
        let receipt = posted.json();
        let file = format!("{stem}-{}.prompt.md", receipt["job_id"].as_str().unwrap());
        assert_eq!(receipt["inbox_path"], format!("{folder}/{file}"), "{body}");
        let job = fixture.get(&format!("/api/v1/jobs/{}", receipt["job_id"].as_str().unwrap())).await.json();
        let expected = json!([folder.trim_start_matches("/pv/inbox/").to_owned() + "/" + &file, "main"]);
        assert_eq!(json!([job["inbox_rel"], job["branch_name"]]), expected);
    }
    let fields: &[(&str, Option<&str>, &[u8])] = &[
        ("repo", None, b" o/r "),
        ("branch", None, b"main "),
        ("files", Some("A.MD"), b"# A\n"),
        ("files", Some(" b.Prompt.md "), b"---\n~\n---\n# B\n"),
    ];
    let receipt = upload(&fixture, fields).await;
    assert_eq!(receipt.status, StatusCode::CREATED, "{}", receipt.text());
    for (job, stem) in receipt.json()["jobs"].as_array().unwrap().iter().zip(["A", "b"]) {
        let path = job["inbox_path"].as_str().unwrap();
        assert!(path.starts_with(&format!("/pv/inbox/o/r/main/{stem}-")), "{path}");
    }
    for (key, value) in [("repo", " "), ("branch", "\t"), ("repo", "o / r"), ("branch", "ma in")] {
        let mut body = json!({ "repo": "o/r", "branch": "main", "markdown_text": "x" });
        body[key] = value.into();
        let refused = fixture.submit(&body).await.status.as_u16();
        assert!(matches!(refused, 400 | 404), "{body}: {refused}");
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

async fn upload(fixture: &Fixture, fields: &[(&str, Option<&str>, &[u8])]) -> crate::fixture::Answer {
    let (content_type, body) = form(fields);
    answer(fixture.client().post("/api/v1/jobs/upload").content_type(content_type).body(body)).await
}

#[tokio::test]
async fn an_upload_is_one_job_for_each_file() {
    let fixture = Fixture::new();
    let fields: &[(&str, Option<&str>, &[u8])] = &[
        ("repo", None, b"r"),
        ("branch", None, b"dev"),
        ("note", None, b"ignored"),
        ("files", Some("a.md"), b"# A\n"),
        ("files", Some("b.md"), "# B: \u{e4}\n".as_bytes()),
    ];
    let receipt = upload(&fixture, fields).await;
    assert_eq!(receipt.status, StatusCode::CREATED);
    let jobs = receipt.json()["jobs"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    let path = jobs[1]["inbox_path"].as_str().unwrap();
    assert!(path.starts_with("/pv/inbox/p/r/dev/b-"), "{path}");
}

#[tokio::test]
async fn of_many_that_submit_at_once_each_gets_its_own_answer() {
    let fixture = Fixture::new();
    let one = |number: usize| {
        let fixture = &fixture;
        async move {
            let branch = if number % 8 == 7 { "none" } else { "main" };
            if number % 8 == 6 {
                let text = format!("# File of {number}\n");
                let file = |name| ("files", Some(name), text.as_bytes());
                let fields =
                    [("repo", None, "o/r".as_bytes()), ("branch", None, branch.as_bytes()), file("a.md"), file("b.md")];
                return upload(fixture, &fields).await;
            }
            let text = format!("# Job {number}\n");
            fixture.submit(&json!({ "repo": "o/r", "branch": branch, "markdown_text": text })).await
        }
    };
    let answers = futures_util::future::join_all((0..160).map(one)).await;
    let mut seen = std::collections::HashSet::new();
    for (number, answer) in answers.iter().enumerate() {
        let (jobs, title) = match number % 8 {
            7 => {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
                continue;
            }
            6 => (answer.json()["jobs"].as_array().unwrap().clone(), format!("File of {number}")),
            _ => (vec![answer.json()], format!("Job {number}")),
        };
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        for job in jobs {
            let id = job["job_id"].as_str().unwrap();
            let found = fixture.get(&format!("/api/v1/jobs/{id}")).await.json();
            assert_eq!(json!([found["title"], found["state"]]), json!([title, "created"]));
            assert!(seen.insert(id.to_owned()), "{id} was answered twice");
        }
    }
    assert_eq!(seen.len(), 120 + 2 * 20);
    assert_eq!(fixture.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), seen.len());
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
        let fixture = Fixture::new();
        let before = fixture.everything();
        let refused = upload(&fixture, fields).await;
        assert_eq!(refused.status.as_u16(), *status, "{}", refused.text());
        assert!(refused.text().contains(part), "{}", refused.text());
        assert_eq!(fixture.everything(), before, "nothing is written: {part}");
    }
}

#[tokio::test]
async fn an_abort_answers_the_first_time_again() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    let first = fixture.post("/api/v1/jobs/a/abort").await;
    assert_eq!(
        first.text(),
        r#"{"job_id":"a","previous_state":"running","abort_requested_at":"2026-01-31T12:00:00Z"}"#
    );
    fixture.fs.write("/pv/runs/a/ABORT", "2026-01-31T11:00:00Z");
    let again = fixture.post("/api/v1/jobs/a/abort").await;
    assert_eq!((again.status, &again.json()["abort_requested_at"]), (StatusCode::OK, &json!("2026-01-31T11:00:00Z")));
    assert_eq!(fixture.get("/api/v1/jobs/a").await.json()["abort_requested"], json!(true));
}

#[tokio::test]
async fn a_retry_is_a_new_job() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({ "state": "failed", "inbox_rel": "o/r/main/do.prompt.md" }));
    fixture.fs.put("/pv/runs/a/prompt.md", "# Again\n");
    let retried = fixture.post("/api/v1/jobs/a/retry").await;
    assert_eq!(retried.status, StatusCode::CREATED, "{}", retried.text());
    let job = fixture.get(retried.location.as_deref().unwrap()).await.json();
    assert_eq!((&job["retry_of"], &job["state"]), (&json!("a"), &json!("created")));
}

#[tokio::test]
async fn a_log_is_its_last_lines() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_log("a", (1..=300).map(|n| format!("line {n}\n")).collect::<String>());
    let log = fixture.get("/api/v1/jobs/a/log").await;
    assert!(log.text().starts_with("line 101\n") && log.text().ends_with("line 300\n"), "{}", log.text());
    assert_eq!(log.content_type, "text/plain; charset=utf-8");
    assert_eq!(fixture.get("/api/v1/jobs/a/log?lines=1").await.text(), "line 300\n");
    assert_eq!(fixture.get("/api/v1/jobs/a/log?lines=").await.text().lines().count(), 200);
    fixture.put_log("a", b"\xffbinary\n");
    assert_eq!(fixture.get("/api/v1/jobs/a/log").await.text(), "\u{fffd}binary\n");
}

#[tokio::test]
async fn earlier_and_damaged_runs_can_be_looked_at() {
    let fixture = Fixture::new();
    fixture.fs.put("/pv/runs/20251205-1216-32/job.json", r#"{"job_id":"20251205-1216-32","state":"succeeded"}"#);
    fixture.fs.put("/pv/runs/broken/job.json", "[]");
    assert_eq!(fixture.get("/api/v1/jobs/20251205-1216-32").await.json()["state"], "succeeded");
    let broken = fixture.get("/api/v1/jobs/broken").await.json();
    assert_eq!((&broken["state"], &broken["message"]), (&json!("unknown"), &json!("job.json is not an object")));
}

#[tokio::test]
async fn head_is_answered_where_get_is() {
    let fixture = Fixture::new();
    for path in ["/api/v1/healthz", "/api/v1/jobs", "/docs", "/"] {
        assert_eq!(answer(fixture.client().head(path)).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_load_nothing_from_other_hosts() {
    let fixture = Fixture::new();
    for path in ["/", "/docs", "/docs/"] {
        let page = fixture.get(path).await;
        assert_eq!(page.content_type, "text/html; charset=utf-8", "{path}");
        assert!(!page.text().contains("src=\"http"), "{path}");
    }
}

#[tokio::test]
async fn prompts_of_three_megabytes_are_normal() {
    let fixture = Fixture::with_limits(StoreLimits::default());
    let text = "one line of the prompt\n".repeat(3 << 20 >> 4);
    let posted = fixture.submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": text })).await;
    assert_eq!(posted.status, StatusCode::CREATED, "{}", posted.text());
}
