//! Texts of jobs that are read whole, from the run folder alone.

use poem::http::StatusCode;
use serde_json::json;

use crate::fixture::Fixture;

/// The operations, the files that they read, and what they say where there is none.
const TEXTS: [(&str, &str, &str); 2] = [
    ("push-log", "push.log", "Push log not found: no push of this job's branch has failed"),
    (
        "last-message",
        "last_message.md",
        "Last message not found: its agent has not said any, or does not speak in events",
    ),
];

#[tokio::test]
async fn c12_what_a_remote_said_and_the_last_message_are_read_whole() {
    for (operation, file, _) in TEXTS {
        let fixture = Fixture::new();
        let delivery = json!({ "push_log_path": "/etc/passwd" });
        fixture
            .put_job("20251205-1216-32", &json!({ "state": "failed", "delivery": delivery, "schema_version": null }));
        let text = "remote: error: GH013: no\n".repeat(5000) + "<script>\u{1b}[2J\n";
        let path = fixture.store.layout().runs.join("20251205-1216-32").join(file);
        fixture.fs.put(&path, [text.as_bytes(), b"\xff"].concat());
        let answer = fixture.get(&format!("/api/v1/jobs/20251205-1216-32/{operation}")).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "text/plain; charset=utf-8"));
        assert_eq!(answer.text(), format!("{text}\u{fffd}"), "{operation}");
        fixture.fs.put(&path, vec![b'x'; (1 << 20) + 1]);
        let answer = fixture.get(&format!("/api/v1/jobs/20251205-1216-32/{operation}")).await;
        assert_eq!(answer.body.len(), 1 << 20, "{operation}");
    }
}

#[tokio::test]
async fn g29_where_there_is_none_the_answer_says_so_and_no_other_file_is_read() {
    for (operation, file, detail) in TEXTS {
        let fixture = Fixture::new();
        fixture.put_job("over", &json!({ "state": "succeeded", "delivery": { "push_log_path": "/etc/passwd" } }));
        fixture.put_job("link", &json!({ "state": "failed" }));
        fixture.fs.put("/etc/passwd", "root");
        fixture.fs.put_link(fixture.store.layout().runs.join("link").join(file), "/etc/passwd");
        fixture.put_job("folder", &json!({ "state": "failed" }));
        fixture.fs.put_dir(fixture.store.layout().runs.join("folder").join(file));
        fixture.put_job("live", &json!({ "state": "running" }));
        let answer = fixture.get(&format!("/api/v1/jobs/live/{operation}")).await;
        assert!(answer.status == StatusCode::CONFLICT && answer.text().contains("the job is running"), "{answer:?}");
        for (id, detail) in [
            ("over", detail),
            ("link", detail),
            ("folder", detail),
            ("nothing", "Job not found"),
            ("..", "Job not found"),
            ("%2e%2e", "Job not found"),
        ] {
            let answer = fixture.get(&format!("/api/v1/jobs/{id}/{operation}")).await;
            assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, json!({ "detail": detail })), "{id}");
        }
    }
}
