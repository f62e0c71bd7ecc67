//! Holds: listed with what to do, and lifted by whoever may write.

use pv_http::{ApiSettings, UiSettings};
use pv_lib::{fs::Fs, job::HoldKind, store::AgentHold, time::Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fixture::{Fixture, answer},
    services::{Services, secret},
};

/// Puts a hold as a supervisor of this version does.
fn put(fixture: &Fixture, agent: &str, file: &str, kind: &str, until: &str) {
    let hold = json!({
        "agent": agent, "kind": kind, "until": until, "message": "enough", "job_id": "a".repeat(32), "unknown_ends": 2,
        "since": "2026-01-31T11:00:00Z",
    });
    fixture.fs.put(format!("/pv/runs/.holds/{file}.json"), hold.to_string());
}

async fn listed(fixture: &Fixture) -> Vec<String> {
    let list = fixture.get("/api/v1/holds").await.json();
    let text = |hold: &Value, key: &str| hold[key].as_str().unwrap().to_owned();
    let holds = list["holds"].as_array().unwrap().iter();
    holds.map(|hold| ["agent", "kind", "state"].map(|key| text(hold, key)).join(" ")).collect()
}

async fn lift(fixture: &Fixture, path: &str) -> (u16, String) {
    let answer = answer(fixture.client().delete(format!("/api/v1/holds/{path}"))).await;
    (answer.status.as_u16(), answer.text().to_owned())
}

#[tokio::test]
async fn c02_holds_are_listed_with_their_kind_and_what_to_do() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get("/api/v1/holds").await.text(), r#"{"holds":[]}"#);
    put(&fixture, "codex", "codex.auth", "auth", "2026-01-31T12:15:00Z");
    put(&fixture, "codex", "codex.quota", "quota", "2026-01-31T12:00:00Z");
    put(&fixture, "claude", "claude.start", "start", "2026-01-31T12:00:01Z");
    assert_eq!(listed(&fixture).await, ["claude start held", "codex quota probing", "codex auth held"]);
    let list = fixture.get("/api/v1/holds").await.json();
    let expected = json!({
        "agent": "codex", "kind": "auth", "until": "2026-01-31T12:15:00Z", "message": "enough", "job_id": "a".repeat(32),
        "since": "2026-01-31T11:00:00Z", "state": "held",
        "remedy": "log in as the user that the watcher runs as, then: pv resume --agent codex --all",
    });
    assert_eq!(list["holds"][2], expected);
    let status = fixture.get("/api/v1/status").await.json();
    assert_eq!(status["watcher"]["holds"], list["holds"], "the status has the same");
    let metrics = fixture.get("/metrics").await;
    for line in [
        "pv_agent_holds{agent=\"claude\",kind=\"start\"} 1\n",
        "pv_agent_holds{agent=\"codex\",kind=\"quota\"} 0\n",
        "pv_agent_holds{agent=\"codex\",kind=\"auth\"} 1\n",
    ] {
        assert!(metrics.text().contains(line), "{line}: {}", metrics.text());
    }
}

#[tokio::test]
async fn c02_a_hold_is_lifted_once_and_the_others_stay() {
    let fixture = Fixture::new();
    put(&fixture, "codex", "codex.auth", "auth", "2026-01-31T12:15:00Z");
    put(&fixture, "codex", "codex.quota", "quota", "2026-01-31T12:15:00Z");
    put(&fixture, "a/b c%", "a%2fb%20c%25.start", "start", "2026-01-31T12:15:00Z");
    assert_eq!(lift(&fixture, "auth/codex").await, (204, String::new()));
    assert_eq!(listed(&fixture).await, ["a/b c% start held", "codex quota held"]);
    let (status, text) = lift(&fixture, "auth/codex").await;
    assert!(status == 404 && text.contains("`GET /holds` lists"), "{status}: {text}");
    assert_eq!(lift(&fixture, "start/a%2Fb%20c%25").await.0, 204);
    assert_eq!(listed(&fixture).await, ["codex quota held"]);
    for (path, status) in [
        ("paused/codex", 404),
        ("quota/other", 404),
        ("quota/..%2F..%2Finbox", 404),
        ("limit/codex", 422),
        ("Quota/codex", 422),
        ("quota", 404),
    ] {
        let (found, text) = lift(&fixture, path).await;
        assert_eq!(found, status, "{path}: {text}");
        assert!(serde_json::from_str::<Value>(&text).unwrap()["detail"] != Value::Null, "{path}: {text}");
    }
    let (_, text) = lift(&fixture, "limit/codex").await;
    assert!(text.contains("use quota, auth, start or paused"), "{text}");
    let other = fixture.fs.try_lock(&fixture.store.layout().holds_lock_path()).unwrap();
    let (status, text) = lift(&fixture, "quota/codex").await;
    assert!(status == 409 && text.contains("try again"), "{status}: {text}");
    drop(other);
    assert_eq!(lift(&fixture, "quota/codex").await.0, 204);
    assert_eq!(listed(&fixture).await, [""; 0]);
}

#[tokio::test]
async fn c02_a_page_from_elsewhere_lifts_nothing() {
    let fixture = Fixture::new();
    put(&fixture, "codex", "codex.auth", "auth", "2026-01-31T12:15:00Z");
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let request = fixture.client().delete("/api/v1/holds/auth/codex").header(name, value);
        assert_eq!(answer(request).await.status.as_u16(), 403, "{name}: {value}");
    }
    assert_eq!(listed(&fixture).await, ["codex auth held"]);
}

#[tokio::test]
async fn c02_lifting_a_hold_needs_the_token_and_goes_through_the_pages_service() {
    let with_token = || ApiSettings { token: secret(), ..ApiSettings::default() };
    let services = Services::start(with_token(), UiSettings::default()).await;
    let hold = AgentHold {
        agent: "my agent".into(),
        kind: HoldKind::Auth,
        until: Timestamp::from_unix_seconds(9_999_999_999),
        message: "401".into(),
        job_id: "a".parse().unwrap(),
        unknown_ends: 1,
        since: Timestamp::EPOCH,
    };
    for service in [services.api, services.page] {
        assert!(services.store.put_hold(&hold).unwrap());
        let lift = || services.request_to(service, Method::DELETE, "/api/v1/holds/auth/my%20agent");
        assert_eq!(lift().send().await.unwrap().status(), 401);
        let through_proxy = lift().bearer_auth("wrong").header("x-forwarded-for", "10.0.0.9").send().await.unwrap();
        assert!([401, 403].contains(&through_proxy.status().as_u16()), "{}", through_proxy.status());
        assert!(services.store.hold("my agent", HoldKind::Auth).unwrap().is_some());
        assert_eq!(lift().bearer_auth("s3cret").send().await.unwrap().status(), 204);
        assert_eq!(services.store.hold("my agent", HoldKind::Auth).unwrap(), None);
        assert_eq!(lift().bearer_auth("s3cret").send().await.unwrap().status(), 404);
    }
}
