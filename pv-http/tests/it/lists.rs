//! Lists: order, filters, and how fresh they are.

use pv_lib::{fs::Fs, time::Timestamp};
use serde_json::json;

use crate::harness::{NOW, World};

async fn ids(world: &World, query: &str) -> Vec<String> {
    let list = world.get(&format!("/api/v1/jobs{query}")).await.json();
    list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

/// Three jobs and a damaged one; all were written a while ago.
fn world() -> World {
    let world = World::new();
    world.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z", "state": "succeeded" }));
    world.put_job("a", &json!({ "created_at": "2026-01-31T11:30:00Z", "repo_name": "other" }));
    world.put_job("b", &json!({
        "created_at": "2026-01-31T11:10:00Z", "heartbeat_at": "2026-01-31T11:11:00Z", "branch_name": "dev", "git_owner": "p",
    }));
    world.fs.put("/pv/runs/damaged/job.json", "{");
    world.fs.put_dir("/pv/runs/folder");
    world.fs.put("/pv/runs/file", "x");
    world
}

#[tokio::test]
async fn newest_first_and_only_what_the_filters_want() {
    let world = world();
    for (query, expected) in [
        ("", &["a", "b", "c", "damaged"][..]),
        ("?limit=2", &["a", "b"]),
        ("?limit=99999999999999999999", &["a", "b", "c", "damaged"]),
        ("?state=RUNNING", &["a", "b"]),
        ("?state=unknown", &["damaged"]),
        ("?state=created", &[]),
        ("?repo=r", &["b", "c"]),
        ("?repo=R", &[]),
        ("?repo=o%2Fr", &["c"]),
        ("?repo=x/r", &[]),
        ("?branch=dev", &["b"]),
        ("?stalled=true", &["b"]),
        ("?stalled=1&state=running&repo=p/r&branch=dev&limit=1", &["b"]),
        ("?stalled=no", &["a", "c", "damaged"]),
        ("?state=&repo=&branch=&stalled=&limit=", &["a", "b", "c", "damaged"]),
    ] {
        assert_eq!(ids(&world, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn jobs_of_the_same_second_are_sorted_by_id() {
    let world = World::new();
    for id in ["k2", "k1", "k3"] {
        world.put_job(id, &json!({}));
    }
    assert_eq!(ids(&world, "?limit=2").await, ["k3", "k2"]);
}

#[tokio::test]
async fn a_change_by_anyone_shows_in_the_next_answer_that_returns_it() {
    let world = world();
    assert_eq!(ids(&world, "?state=succeeded").await, ["c"]);
    // As long, in the same second, of a job that was over.
    world.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z", "state": "cancelled" }));
    let list = world.get("/api/v1/jobs").await.json();
    assert_eq!(list["jobs"][2]["state"], "unknown", "{list}");
    assert_eq!(ids(&world, "?state=succeeded").await, Vec::<String>::new());
    world.put_job("d", &json!({ "created_at": "2026-01-31T11:59:00Z" }));
    assert_eq!(ids(&world, "?limit=1").await, ["d"], "a new one");
    world.put_job("d", &json!({ "created_at": "2026-01-31T10:00:00Z", "state": "failed" }));
    assert_eq!(
        ids(&world, "").await,
        ["a", "b", "d", "damaged", "c"],
        "one whose age changed; those without any come last"
    );
}

#[tokio::test]
async fn what_is_gone_is_not_listed() {
    let world = world();
    assert_eq!(ids(&world, "").await.len(), 4);
    world.fs.remove_file("/pv/runs/c/job.json".into()).unwrap();
    assert_eq!(ids(&world, "").await, ["a", "b", "damaged"]);
    world.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z" }));
    assert_eq!(ids(&world, "?state=running").await, ["a", "b", "c"]);
    world.fs.remove_file("/pv/runs/a/job.json".into()).unwrap();
    world.fs.remove_dir("/pv/runs/a".into()).unwrap();
    assert_eq!(ids(&world, "").await, ["b", "c", "damaged"]);
}

#[tokio::test]
async fn a_stamp_of_this_very_moment_is_not_trusted() {
    let world = World::new();
    world.fs.set_now(Timestamp::from_unix_seconds(NOW));
    world.put_job("a", &json!({ "state": "succeeded" }));
    assert_eq!(world.get("/api/v1/status").await.json()["jobs"]["counts"], json!({ "succeeded": 1 }));
    // The clock of the disk stands still: neither the folder's stamp nor the record's tells of the change.
    world.put_job("a", &json!({ "state": "cancelled" }));
    world.put_job("b", &json!({ "state": "failed" }));
    assert_eq!(world.get("/api/v1/status").await.json()["jobs"]["counts"], json!({ "unknown": 1, "failed": 1 }));
}

#[tokio::test]
async fn pages_join_to_the_whole_list_whatever_happens_in_between() {
    let world = World::new();
    let at = |minute: u32| json!({ "created_at": format!("2026-01-31T11:{minute:02}:00Z"), "state": "succeeded" });
    for n in 0..10 {
        // Every two are of the same second.
        world.put_job(&format!("j{n}"), &at(n / 2));
    }
    world.fs.put("/pv/runs/damaged/job.json", "{");
    let whole = ids(&world, "").await;
    assert_eq!(whole.len(), 11);
    for size in 1..=12 {
        let (mut joined, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = world.get(&format!("/api/v1/jobs?limit={size}&cursor={cursor}")).await.json();
            let jobs = page["jobs"].as_array().unwrap();
            joined.extend(jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()));
            pages += 1;
            // New jobs come before all, and the last one read goes away: neither shifts what is left.
            world.put_job(&format!("new{size}-{pages}"), &at(59));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(
            joined.iter().filter(|id| !id.starts_with("new")).collect::<Vec<_>>(),
            whole.iter().collect::<Vec<_>>()
        );
        for page in 1..=pages {
            world.fs.remove_file(format!("/pv/runs/new{size}-{page}/job.json").as_str().into()).unwrap();
        }
    }
    let page = world.get("/api/v1/jobs?limit=3&state=succeeded").await.json();
    let last = page["jobs"][2]["job_id"].as_str().unwrap();
    world.fs.remove_file(format!("/pv/runs/{last}/job.json").as_str().into()).unwrap();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&world, &format!("?limit=2&state=succeeded&cursor={next}")).await, whole[3..5], "though it is gone");
    assert!(
        world.get("/api/v1/jobs?limit=10").await.json().get("next_cursor").is_none(),
        "ten are left, damaged included"
    );
}
