//! Checks and attempts: asked for in a submission, filtered by, counted, and run again.

use poem::http::StatusCode;
use serde_json::json;

use crate::fixture::Fixture;

const OID: &str = "0123456789abcdef0123456789abcdef01234567";

#[tokio::test]
async fn a_submission_names_its_checks_and_attempts() {
    let fixture = Fixture::new();
    let body = |more: serde_json::Value| {
        let mut body = json!({ "repo": "r", "branch": "main", "markdown_text": "# Do it\n" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let answer = fixture.submit(&body(json!({ "checks": ["test", "lint"], "attempts": 2 }))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let id = answer.json()["job_id"].as_str().unwrap().to_owned();
    let prompt = fixture.get(&format!("/api/v1/jobs/{id}/prompt")).await;
    let text = prompt.text();
    assert!(text.contains("checks: \"test, lint\"") && text.contains("attempts: \"2\""), "{text}");
    for nothing in [json!({ "checks": null, "attempts": null }), json!({ "checks": [] }), json!({})] {
        let answer = fixture.submit(&body(nothing)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }
    for (more, status, part) in [
        (json!({ "checks": ["a b"] }), 400, "`a b` is no name of a check"),
        (json!({ "checks": "test" }), 422, "Input should be a list of names of checks"),
        (json!({ "attempts": "two" }), 422, "Input should be a whole number"),
        (json!({ "attempts": 0 }), 400, "a whole number from 1 to 10"),
        (json!({ "attempts": 11 }), 400, "a whole number from 1 to 10"),
        (json!({ "attempts": 99_999_999_999_u64 }), 400, "a whole number from 1 to 10"),
    ] {
        let answer = fixture.submit(&body(more.clone())).await;
        assert!(answer.status == status && answer.text().contains(part), "{more}: {} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn verified_jobs_are_filtered_and_counted() {
    let fixture = Fixture::new();
    for (id, verified) in [("a", json!(true)), ("b", json!(false)), ("c", json!(null)), ("d", json!("odd"))] {
        fixture.put_job(id, &json!({ "state": "failed", "verified": verified }));
    }
    for (query, expected) in [("true", vec!["a"]), ("false", vec!["b"]), ("", vec!["d", "c", "b", "a"])] {
        let list = fixture.get(&format!("/api/v1/jobs?verified={query}")).await.json();
        let ids: Vec<_> = list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].clone()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    assert_eq!(fixture.get("/api/v1/jobs?verified=perhaps").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let jobs = fixture.get("/api/v1/status").await.json()["jobs"].clone();
    assert_eq!((&jobs["verified"], &jobs["checks_failed"]), (&json!(1), &json!(1)), "{jobs}");
    assert!(fixture.get("/metrics").await.text().contains("pv_jobs_verified{verified=\"true\"} 1\n"));
}

#[tokio::test]
async fn checks_run_again_on_work_that_is_kept() {
    let fixture = Fixture::new();
    let saved = json!({ "commit": OID });
    fixture.put_job("red", &json!({ "state": "failed", "reason": "check", "base_commit": OID, "delivery": saved }));
    fixture.put_job("none", &json!({ "state": "failed" }));
    for id in ["red", "none"] {
        fixture.fs.put(format!("/pv/runs/{id}/prompt.md"), "# Do it\n");
    }
    let answer = fixture.post("/api/v1/jobs/red/retry?checks=true").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let id = answer.json()["job_id"].as_str().unwrap().to_owned();
    let job = fixture.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&job["retry_of"], &job["checks_only"]), (&json!("red"), &json!(true)), "{job}");
    let whole = fixture.post("/api/v1/jobs/red/retry?checks=false").await;
    let id = whole.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(fixture.get(&format!("/api/v1/jobs/{id}")).await.json()["checks_only"], json!(null));
    let refused = fixture.post("/api/v1/jobs/none/retry?checks=true").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("no commit of it is saved"), "{}", refused.text());
}
