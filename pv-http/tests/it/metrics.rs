//! `/metrics`, as Prometheus reads it.

use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn jobs_and_answers_are_counted() {
    let world = World::new();
    world.put_job("a", &json!({}));
    world.put_job("b", &json!({ "state": "failed" }));
    world.put_job("c", &json!({ "state": "failed" }));
    world.get("/api/v1/jobs/none").await;
    world.get("/api/v1/jobs?limit=0").await;
    world.get("/api/v1/jobs").await;
    let answer = world.get("/metrics").await;
    assert_eq!(
        (answer.status.as_u16(), answer.content_type.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        "pv_build_info{version=\"1.2.3\"} 1",
        "pv_jobs{state=\"failed\"} 2",
        "pv_jobs{state=\"running\"} 1",
        "pv_jobs_stalled 0",
        "pv_targets 5",
        "pv_http_answers_total{status=\"2xx\"} 1",
        "pv_http_answers_total{status=\"4xx\"} 2",
        "pv_streams_open 0",
    ] {
        assert!(answer.text().lines().any(|given| given == line), "{line} in\n{}", answer.text());
    }
    for line in answer.text().lines().filter(|line| !line.starts_with("# ")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("pv_") && value.parse::<f64>().is_ok(), "{line}");
        let bare = name.split('{').next().unwrap();
        assert!(answer.text().contains(&format!("# TYPE {bare} ")), "{line}");
    }
    assert!(!answer.text().contains("pv_watcher_alive "), "what is not known is not told");
}
