//! What a job changed, byte for byte.

use poem::http::StatusCode;
use serde_json::json;

use crate::fixture::Fixture;

const PATCH: &[u8] = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\r\n+\xff\0\n";

fn put_patch(fixture: &Fixture, id: &str, patch: impl AsRef<[u8]>) {
    fixture.fs.put(fixture.store.layout().runs.join(id).join("changes.patch"), patch);
}

#[tokio::test]
async fn a_patch_comes_byte_for_byte() {
    let fixture = Fixture::new();
    // Longer than what is read at once, and no multiple of it.
    let long: Vec<u8> = PATCH.iter().copied().cycle().take(300_001).collect();
    for (id, facts, patch) in [
        ("20251205-1216-32", json!({ "state": "succeeded", "schema_version": null }), PATCH),
        ("failed", json!({ "state": "failed", "delivery": { "patch_path": "/etc/passwd" } }), &long),
        ("running", json!({ "state": "running" }), b""),
    ] {
        fixture.put_job(id, &facts);
        put_patch(&fixture, id, patch);
        let answer = fixture.get(&format!("/api/v1/jobs/{id}/patch")).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "text/x-patch"), "{id}");
        assert!(answer.body == patch, "{id}");
    }
    // The record is damaged, and the work is there all the same.
    fixture.fs.put("/pv/runs/damaged/job.json", "{");
    put_patch(&fixture, "damaged", PATCH);
    assert_eq!(fixture.get("/api/v1/jobs/damaged/patch").await.body, PATCH);
}

#[tokio::test]
async fn where_there_is_none_the_answer_says_why() {
    let fixture = Fixture::new();
    fixture.put_job("running", &json!({ "state": "running" }));
    fixture.put_job("over", &json!({ "state": "succeeded" }));
    fixture.put_job("folder", &json!({ "state": "failed" }));
    fixture.fs.put_dir(fixture.store.layout().runs.join("folder/changes.patch"));
    fixture.put_job("link", &json!({ "state": "failed" }));
    fixture.fs.put("/etc/passwd", "root");
    fixture.fs.put_link(fixture.store.layout().runs.join("link/changes.patch"), "/etc/passwd");
    fixture.put_job("live-link", &json!({ "state": "running" }));
    fixture.fs.put_link(fixture.store.layout().runs.join("live-link/changes.patch"), "/etc/passwd");
    for (id, status, detail) in [
        ("running", 409, "Job patch not found: the job is running, and its changes are saved when it is over"),
        ("over", 404, "Job patch not found: no changes were saved"),
        ("folder", 404, "Job patch not found: no changes were saved"),
        ("link", 404, "Job patch not found: no changes were saved"),
        ("live-link", 404, "Job patch not found: no changes were saved"),
        ("nothing", 404, "Job not found"),
        ("..", 404, "Job not found"),
        ("%2e%2e", 404, "Job not found"),
    ] {
        let answer = fixture.get(&format!("/api/v1/jobs/{id}/patch")).await;
        assert_eq!(answer.status.as_u16(), status, "{id}");
        assert_eq!(answer.json(), json!({ "detail": detail }), "{id}");
    }
}
