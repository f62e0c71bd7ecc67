//! What is refused, with which status and sentence; and that nothing is written then.

use poem::http::Method;
use pv_lib::fs::{Fs, Space};
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, answer};

fn good() -> Value {
    json!({ "repo": "o/r", "branch": "main", "markdown_text": "# Do it\n" })
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut body = good();
    body[key] = value.into();
    body
}

fn without(key: &str) -> Value {
    let mut body = good();
    body.as_object_mut().unwrap().remove(key);
    body
}

#[tokio::test]
async fn submissions_that_cannot_be_used_are_refused_and_nothing_is_written() {
    let missing = |field| format!(r#"{{"loc":["body","{field}"],"msg":"Field required","type":"missing"}}"#);
    let cases: &[(Value, u16, &str)] = &[
        (without("repo"), 422, &missing("repo")),
        (without("branch"), 422, &missing("branch")),
        (without("markdown_text"), 422, &missing("markdown_text")),
        (with("repo", 7), 422, r#""loc":["body","repo"]"#),
        (with("filename", json!([])), 422, r#""loc":["body","filename"]"#),
        (json!([]), 422, r#""loc":["body"]"#),
        (with("repo", "  "), 400, "repo"),
        (with("branch", ""), 400, "branch"),
        (with("repo", "nobody/nothing"), 404, "nobody/nothing"),
        (with("branch", "none"), 404, "none"),
        (with("repo", "../../etc"), 404, "not found"),
        (with("repo", "twin"), 400, "o/twin, p/twin"),
        (with("filename", "a/b.md"), 400, "Filename must not contain directory segments."),
        (with("filename", "b.txt"), 400, "Filename must end with '.md'."),
        (with("filename", ".md"), 400, "Filename cannot be empty."),
        (with("filename", "a\u{7}b.md"), 400, "control characters"),
        (with("filename", format!("{}.md", "x".repeat(300))), 400, "too long"),
        (with("markdown_text", "---\nunterminated: true\n"), 400, "front matter"),
        (with("markdown_text", "---\n- a\n---\nx\n"), 400, "front matter"),
        (with("markdown_text", "---\na: [\n---\nx\n"), 400, "front matter"),
        (with("markdown_text", format!("---\na: {}\n---\nx\n", "[".repeat(1000))), 400, "front matter"),
        (with("markdown_text", "x".repeat(10_001)), 413, "limits.prompt_bytes"),
        (with("markdown_text", "x".repeat(200_000)), 413, "limits.prompt_bytes"),
    ];
    let fixture = Fixture::new();
    let before = fixture.everything();
    for (body, status, part) in cases {
        let refused = fixture.submit(body).await;
        check(&refused, *status, part);
    }
    assert_eq!(fixture.everything(), before);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_with_a_list() {
    let fixture = Fixture::new();
    let cases: &[(Option<&str>, &str, &str)] = &[
        (Some("application/json"), "", r#"{"loc":["body"],"msg":"Field required","type":"missing"}"#),
        (Some("application/json"), "{", "json_invalid"),
        (Some("application/json"), "\u{0}", "json_invalid"),
        (Some("text/plain"), "{}", "application/json"),
        (Some("application/x-www-form-urlencoded"), "repo=r", "application/json"),
        (None, "{}", "application/json"),
    ];
    for (content_type, body, part) in cases {
        let request = fixture.client().post("/api/v1/jobs").body((*body).to_owned());
        let request = match content_type {
            Some(content_type) => request.content_type(*content_type),
            None => request,
        };
        check(&answer(request).await, 422, part);
    }
    for content_type in ["application/json", "multipart/form-data", "multipart/form-data; boundary="] {
        let request = fixture.client().post("/api/v1/jobs/upload").content_type(content_type).body("--x");
        check(&answer(request).await, 422, r#""loc":["body"#);
    }
}

#[tokio::test]
async fn values_of_the_query_that_cannot_be_used_are_refused_with_a_list() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_log("a", "x\n");
    for (path, part) in [
        (
            "/jobs?limit=0",
            r#"{"loc":["query","limit"],"msg":"Input should be greater than or equal to 1","type":"greater_than_equal"}"#,
        ),
        ("/jobs?limit=-1", "greater_than_equal"),
        ("/jobs?limit=x", "int_parsing"),
        ("/jobs?limit=1.5", "int_parsing"),
        ("/jobs?stalled=maybe", r#""loc":["query","stalled"]"#),
        ("/jobs?state=done", "succeeded"),
        ("/jobs?cursor=x", r#""loc":["query","cursor"]"#),
        ("/jobs?cursor=1~..", "next_cursor"),
        ("/jobs/a/log?lines=0", r#""loc":["query","lines"]"#),
        ("/jobs/a/log/stream?end=perhaps", r#""loc":["query","end"]"#),
    ] {
        check(&fixture.get(&format!("/api/v1{path}")).await, 422, part);
    }
    for path in ["/jobs?limit=", "/jobs?state=&repo=&branch=&stalled=", "/jobs?unknown=1"] {
        assert_eq!(fixture.get(&format!("/api/v1{path}")).await.status.as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn jobs_that_are_not_there_or_over_are_refused() {
    let fixture = Fixture::new();
    fixture.put_job("over", &json!({ "state": "succeeded" }));
    fixture.put_job("live", &json!({}));
    fixture.put_job("newer", &json!({ "schema_version": 99, "state": "failed" }));
    fixture.fs.put("/pv/runs/damaged/job.json", "{");
    fixture.fs.put_dir("/pv/runs/folder");
    let (get, post) = (Method::GET, Method::POST);
    for (method, path, status, part) in [
        (&get, "none", 404, r#"{"detail":"Job not found"}"#),
        (&get, "folder", 404, "Job not found"),
        (&get, "none/log", 404, "Job not found"),
        (&get, "none/log/stream", 404, "Job not found"),
        (&get, "none/prompt", 404, "Job not found"),
        (&post, "none/abort", 404, "Job not found"),
        (&post, "none/retry", 404, "Job not found"),
        (&get, "live/log", 404, r#"{"detail":"Job log not found"}"#),
        (&get, "over/log", 404, "Job log not found"),
        (&get, "over/log/stream", 404, "Job log not found"),
        (&get, "live/prompt", 404, "Job prompt not found"),
        (&post, "over/abort", 409, r#"{"detail":"Job already terminal (state=succeeded)"}"#),
        (&post, "damaged/abort", 409, "job.json is not JSON"),
        (&post, "live/retry", 409, "running"),
        (&post, "over/retry", 404, "Job prompt not found"),
    ] {
        let request = fixture.client().request(method.clone(), format!("/api/v1/jobs/{path}"));
        check(&answer(request).await, status, part);
    }
}

#[tokio::test]
async fn routes_and_methods_that_are_not_there_are_refused_with_json() {
    let fixture = Fixture::new();
    for (method, path, status) in [
        (Method::GET, "/nope", 404),
        (Method::POST, "/nope", 404),
        (Method::GET, "/api/v1/nope", 404),
        (Method::GET, "/api/v2/jobs", 404),
        (Method::GET, "/api/v1/jobs/a/b", 404),
        (Method::DELETE, "/api/v1/jobs", 405),
        (Method::POST, "/api/v1/healthz", 405),
        (Method::GET, "/api/v1/jobs/a/abort", 405),
        (Method::PUT, "/api/v1/jobs/a", 405),
    ] {
        check(&answer(fixture.client().request(method, path)).await, status, "/docs");
    }
}

#[tokio::test]
async fn g22_a_full_disk_is_reported_before_anything_is_written() {
    let fixture = Fixture::new();
    let before = fixture.everything();
    fixture.fs.set_space(Space::of_bytes(1000, 1 << 30));
    check(&fixture.submit(&good()).await, 507, "limits.disk_floor_bytes");
    assert_eq!(fixture.everything(), before);
    fixture.fs.set_space(Space::of_bytes(1 << 29, 1 << 30));
    assert_eq!(fixture.submit(&good()).await.status.as_u16(), 201);
}

#[tokio::test]
async fn g29_no_id_leads_out_of_the_runs_folder() {
    let fixture = Fixture::new();
    fixture.fs.put("/pv/secret/job.json", r#"{"job_id":"secret","state":"failed"}"#);
    fixture.fs.put("/pv/secret/job.log", "secret\n");
    fixture.fs.put_link("/pv/runs/link", "/pv/secret");
    fixture.put_job("a", &json!({ "state": "failed", "log_path": "/pv/secret/job.log" }));
    fixture.fs.put_link("/pv/runs/a/job.log", "/pv/secret/job.log");
    fixture.fs.put_link("/pv/runs/a/prompt.md", "/pv/secret/job.log");
    for id in [
        "..%2Fsecret",
        "%2e%2e%2fsecret",
        "..",
        "%2e%2e",
        ".",
        "..%5Csecret",
        "link",
        "a%00",
        "a%2F..%2F..%2Fsecret",
        "%ff%fe",
        ".locks",
        "%252e%252e%252fsecret",
        "secret",
    ] {
        for rest in ["", "/log", "/log/stream", "/prompt"] {
            let refused = fixture.get(&format!("/api/v1/jobs/{id}{rest}")).await;
            assert!(refused.status.is_client_error(), "{id}{rest}: {refused:?}");
            assert!(!refused.text().contains("secret\n"), "{id}{rest}");
        }
    }
    for rest in ["/log", "/log/stream", "/prompt"] {
        let refused = fixture.get(&format!("/api/v1/jobs/a{rest}")).await;
        assert!(!refused.text().contains("secret\n"), "{rest}: {refused:?}");
    }
}

/// Nothing of a run folder is served that is a link, or a log that somebody gave another name: either may be any file.
#[tokio::test]
async fn g29_a_prompt_patch_or_log_that_is_a_link_is_not_there() {
    let fixture = Fixture::new();
    fixture.fs.put("/pv/token", "secret\n");
    for (id, state) in [("live", "running"), ("over", "failed"), ("new", "created")] {
        fixture.put_job(id, &json!({ "state": state, "inbox_rel": "o/r/main/x.prompt.md" }));
        for name in ["prompt.md", "changes.patch", "job.log"] {
            fixture.fs.put_link(fixture.store.layout().runs.join(id).join(name), "/pv/token");
        }
        for path in ["prompt", "patch", "log"] {
            check(&fixture.get(&format!("/api/v1/jobs/{id}/{path}")).await, 404, &format!("Job {path} not found"));
        }
        let range = fixture.client().get(format!("/api/v1/jobs/{id}/log")).header("range", "bytes=0-");
        check(&answer(range).await, 404, "Job log not found");
    }
    for (id, name) in [("folder", "prompt.md"), ("folder", "job.log")] {
        fixture.put_job(id, &json!({ "state": "failed" }));
        fixture.fs.put_dir(fixture.store.layout().runs.join(id).join(name));
    }
    for path in ["folder/prompt", "folder/log", "folder/log/stream", "over/log/stream"] {
        check(&fixture.get(&format!("/api/v1/jobs/{path}")).await, 404, "not found");
    }
}

#[tokio::test]
async fn g29_a_log_with_a_second_name_is_not_served() {
    let fixture = Fixture::new();
    fixture.fs.put("/pv/token", "secret\n");
    for (id, state) in [("live", "running"), ("over", "failed")] {
        fixture.put_job(id, &json!({ "state": state }));
        let log = fixture.store.layout().runs.join(id).join("job.log");
        fixture.fs.put_hard_link(&log, "/pv/token");
        for path in ["log", "log?lines=3", "log/stream"] {
            let refused = fixture.get(&format!("/api/v1/jobs/{id}/{path}")).await;
            check(&refused, 404, "Job log not found: its file has another name too");
        }
        let range = fixture.client().get(format!("/api/v1/jobs/{id}/log")).header("range", "bytes=0-");
        check(&answer(range).await, 404, "Job log not found: its file has another name too");
        fixture.fs.remove_file(&log).unwrap();
    }
    // One name is left, and the file is a log like any other.
    fixture.put_log("over", "mine\n");
    assert_eq!(fixture.get("/api/v1/jobs/over/log").await.text(), "mine\n");
}

fn check(refused: &Answer, status: u16, part: &str) {
    assert_eq!(refused.status.as_u16(), status, "{}", refused.text());
    let body = refused.json();
    assert_eq!(body["detail"].is_array(), status == 422, "{body}");
    assert!(refused.text().contains(part), "{part} in {}", refused.text());
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
}
