//! Folders that cannot be read: named in the status, and fatal to nothing else.

use std::sync::Arc;

use pv_http::{AppState, app};
use pv_lib::{
    fs::{Fault, FaultCause, FaultFs, MemFs, Verb},
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::fixture::{NOW, answer, client, settings};

/// A service over a disk that can be made to fail, with three targets and two jobs.
fn world() -> (Arc<FaultFs<MemFs>>, poem::test::TestClient<poem::endpoint::BoxEndpoint<'static, poem::Response>>) {
    let mem = MemFs::new();
    mem.set_now(Timestamp::from_unix_seconds(NOW - 1000));
    for target in ["o/r/main", "o/r/dev", "p/r/main"] {
        mem.put_dir(format!("/pv/inbox/{target}"));
    }
    for id in ["a", "b"] {
        let record = json!({ "job_id": id, "state": "failed", "created_at": "2026-01-31T11:59:00Z" });
        mem.put(format!("/pv/runs/{id}/job.json"), record.to_string());
    }
    let fs = Arc::new(FaultFs::new(mem));
    let store =
        Store::new(fs.clone(), Layout::under("/pv".into(), InboxMode::MultiOwner), StoreLimits::default(), "host");
    (fs, client(app(&AppState::new(settings(), store, CancellationToken::new()))))
}

fn paths(status: &Value) -> Vec<&str> {
    let entries = status["unusable"]["entries"].as_array().expect("entries");
    entries.iter().filter_map(|entry| entry["path"].as_str()).collect()
}

#[tokio::test]
async fn b01_a_run_that_cannot_be_read_is_listed_as_unknown_and_named() {
    for verb in [Verb::Stat, Verb::List, Verb::ReadAt] {
        let (fs, client) = world();
        fs.set_at("/pv/runs/a", Fault::of(verb, 1, FaultCause::Denied).sticky());
        let jobs = answer(client.get("/api/v1/jobs")).await.json();
        assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(2), "{verb:?}: {jobs}");
        let status = answer(client.get("/api/v1/status")).await.json();
        assert_eq!(status["jobs"]["total"], 2);
        if verb != Verb::List {
            assert_eq!(answer(client.get("/api/v1/jobs/a")).await.json()["state"], "unknown", "{verb:?}");
            assert_eq!(status["jobs"]["counts"], json!({ "failed": 1, "unknown": 1 }), "{verb:?}");
            assert!(paths(&status)[0].starts_with("/pv/runs/a"), "{verb:?}: {status}");
        }
        assert_eq!(answer(client.get("/api/v1/jobs/b")).await.json()["state"], "failed");
    }
}

#[tokio::test]
async fn b01_a_target_that_cannot_be_read_refuses_with_its_path_and_others_take_prompts() {
    let (fs, client) = world();
    fs.set_at("/pv/inbox/p", Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let submit = |repo: &str| {
        let body = json!({ "repo": repo, "branch": "main", "markdown_text": "# Do it\n" }).to_string();
        client.post("/api/v1/jobs").content_type("application/json").body(body)
    };
    assert_eq!(answer(submit("o/r")).await.status.as_u16(), 201);
    let refused = answer(submit("p/r")).await;
    let detail = refused.json()["detail"].to_string();
    assert!(refused.status.as_u16() == 500 && detail.contains("/pv/inbox/p: "), "{detail}");
    assert_eq!(answer(submit("p/other")).await.status.as_u16(), 500, "what it holds is not known");
    assert_eq!(answer(submit("o/other")).await.status.as_u16(), 404);
    let targets = answer(client.get("/api/v1/targets")).await.json();
    assert_eq!(targets.as_array().map(Vec::len), Some(2), "{targets}");
    let status = answer(client.get("/api/v1/status")).await.json();
    assert_eq!((&status["targets"]["count"], paths(&status)), (&json!(2), vec!["/pv/inbox/p"]));
    assert_eq!(status["unusable"]["entries"][0]["level"], "problem");
    let metrics = answer(client.get("/metrics")).await;
    assert!(metrics.text().contains("\npv_unusable 1\n"), "{}", metrics.text());
}

#[tokio::test]
async fn b01_the_status_answers_whatever_cannot_be_read() {
    for folder in ["/pv/inbox", "/pv/runs", "/pv/work", "/pv/repos", "/pv"] {
        for cause in [FaultCause::Denied, FaultCause::Device, FaultCause::NotADirectory] {
            let (fs, client) = world();
            fs.inner().put_dir("/pv/work");
            fs.inner().put_dir("/pv/repos");
            fs.set_at(folder, Fault::of(Verb::List, 1, cause).sticky());
            let status = answer(client.get("/api/v1/status")).await;
            assert_eq!(status.status.as_u16(), 200, "{folder}");
            assert!(paths(&status.json()).iter().any(|path| path.starts_with(folder)), "{folder}: {}", status.text());
        }
    }
}

#[tokio::test]
async fn c26_files_that_never_run_are_in_the_status_and_counted() {
    let (fs, client) = world();
    for file in ["task.prompt.md", "o/r/main/task.txt", "o/r/main/.task.prompt.md.swp", "p/r/fix/1/a.prompt.md"] {
        fs.inner().put(format!("/pv/inbox/{file}"), "# Do it");
    }
    fs.inner().put("/pv/inbox/p/r/fix/2/.pv_inbox", "");
    fs.inner().put("/pv/inbox/o/r/dev/open.prompt.md", "---\n");
    let status = answer(client.get("/api/v1/status")).await.json();
    let entries = status["unusable"]["entries"].as_array().expect("entries");
    for (path, said) in [
        ("task.prompt.md", "above the folders of branches"),
        ("o/r/main/task.txt", "rename it to `task.prompt.md`"),
        ("p/r/fix/1/a.prompt.md", "`pv targets add p/r fix/1`"),
        ("o/r/dev/open.prompt.md", "front matter is unterminated"),
    ] {
        let entry = entries.iter().find(|entry| entry["path"] == format!("/pv/inbox/{path}"));
        let entry = entry.unwrap_or_else(|| panic!("{path} in {status}"));
        assert!(entry["level"] == "warning" && entry.to_string().contains(said), "{entry}");
    }
    assert_eq!(entries.len(), 4, "what editors leave is not named: {status}");
    let metrics = answer(client.get("/metrics")).await;
    assert!(metrics.text().contains("\npv_unusable 4\n"), "{}", metrics.text());
}
