//! Lists: order, filters, and how fresh they are.

use pv_lib::{fs::Fs, time::Timestamp};
use serde_json::json;

use crate::fixture::{Fixture, NOW};

async fn ids(fixture: &Fixture, query: &str) -> Vec<String> {
    let list = fixture.get(&format!("/api/v1/jobs{query}")).await.json();
    list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

/// Three jobs and a damaged one; all were written a while ago.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z", "state": "succeeded" }));
    fixture.put_job("a", &json!({ "created_at": "2026-01-31T11:30:00Z", "repo_name": "other" }));
    fixture.put_job("b", &json!({
        "created_at": "2026-01-31T11:10:00Z", "heartbeat_at": "2026-01-31T11:11:00Z", "branch_name": "dev", "git_owner": "p",
    }));
    fixture.fs.put("/pv/runs/damaged/job.json", "{");
    fixture.fs.put_dir("/pv/runs/folder");
    fixture.fs.put("/pv/runs/file", "x");
    fixture
}

#[tokio::test]
async fn newest_first_and_only_what_matches_the_filters() {
    let fixture = fixture();
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
        assert_eq!(ids(&fixture, query).await, expected, "{query}");
    }
}

/// As the earlier service, and whoever edits by hand, may write them.
#[tokio::test]
async fn records_of_others_are_sorted_by_what_they_say_and_found_by_their_state() {
    let fixture = Fixture::new();
    let put = |id: &str, keys: serde_json::Value| {
        let mut record = json!({ "job_id": id, "repo_name": "r", "branch_name": "main", "git_owner": "o" });
        record.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        fixture.fs.put(format!("/pv/runs/{id}/job.json"), record.to_string());
    };
    put("20251205-1216-32", json!({ "state": "SUCCEEDED", "updated_at": "2026-01-31T11:20:00" }));
    put("20251205-1216-33", json!({ "state": "Failed", "created_at": "2026-01-31T11:30:00Z" }));
    put("20251205-1216-34", json!({ "state": "aborted", "updated_at": "2026-01-31T11:40:00+00:00" }));
    put("20251205-1216-35", json!({ "state": "Running", "heartbeat_at": "2026-01-31T11:10:00Z" }));
    put("20251205-1216-36", json!({ "state": "Aborted" }));
    let sorted = ["34", "33", "32", "35", "36"].map(|end| format!("20251205-1216-{end}"));
    assert_eq!(ids(&fixture, "").await, sorted);
    assert_eq!(ids(&fixture, "?state=succeeded").await, [&*sorted[2]]);
    assert_eq!(ids(&fixture, "?state=running&stalled=true").await, [&*sorted[3]]);
    let list = fixture.get("/api/v1/jobs").await.json();
    let of = |key: &str| list["jobs"].as_array().unwrap().iter().map(|job| job[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("state"), ["aborted", "failed", "succeeded", "running", "aborted"]);
    assert_eq!(of("age_seconds"), [1200, 1800, 2400, 3000, 0]);
    // By pages, too.
    let (mut joined, mut cursor) = (Vec::new(), String::new());
    for _ in 0..5 {
        let page = fixture.get(&format!("/api/v1/jobs?limit=1&cursor={cursor}")).await.json();
        joined.push(page["jobs"][0]["job_id"].as_str().unwrap().to_owned());
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((joined, cursor), (sorted.to_vec(), String::new()));
}

#[tokio::test]
async fn jobs_of_the_same_second_are_sorted_by_id() {
    let fixture = Fixture::new();
    for id in ["k2", "k1", "k3"] {
        fixture.put_job(id, &json!({}));
    }
    assert_eq!(ids(&fixture, "?limit=2").await, ["k3", "k2"]);
}

#[tokio::test]
async fn a_change_by_anyone_shows_in_the_next_answer_that_returns_it() {
    let fixture = fixture();
    assert_eq!(ids(&fixture, "?state=succeeded").await, ["c"]);
    // As long, in the same second, of a job that was over.
    fixture.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z", "state": "cancelled" }));
    let list = fixture.get("/api/v1/jobs").await.json();
    assert_eq!(list["jobs"][2]["state"], "unknown", "{list}");
    assert_eq!(ids(&fixture, "?state=succeeded").await, Vec::<String>::new());
    fixture.put_job("d", &json!({ "created_at": "2026-01-31T11:59:00Z" }));
    assert_eq!(ids(&fixture, "?limit=1").await, ["d"], "a new one");
    fixture.put_job("d", &json!({ "created_at": "2026-01-31T10:00:00Z", "state": "failed" }));
    assert_eq!(
        ids(&fixture, "").await,
        ["a", "b", "d", "damaged", "c"],
        "one whose age changed; those without any come last"
    );
}

#[tokio::test]
async fn what_is_gone_is_not_listed() {
    let fixture = fixture();
    assert_eq!(ids(&fixture, "").await.len(), 4);
    fixture.fs.remove_file("/pv/runs/c/job.json".into()).unwrap();
    assert_eq!(ids(&fixture, "").await, ["a", "b", "damaged"]);
    fixture.put_job("c", &json!({ "created_at": "2026-01-31T11:00:00Z" }));
    assert_eq!(ids(&fixture, "?state=running").await, ["a", "b", "c"]);
    fixture.fs.remove_file("/pv/runs/a/job.json".into()).unwrap();
    fixture.fs.remove_dir("/pv/runs/a".into()).unwrap();
    assert_eq!(ids(&fixture, "").await, ["b", "c", "damaged"]);
}

#[tokio::test]
async fn a_stat_of_this_very_moment_is_not_settled() {
    let fixture = Fixture::new();
    fixture.fs.set_now(Timestamp::from_unix_seconds(NOW));
    fixture.put_job("a", &json!({ "state": "succeeded" }));
    assert_eq!(fixture.get("/api/v1/status").await.json()["jobs"]["counts"], json!({ "succeeded": 1 }));
    // The clock of the disk stands still: neither the folder's stat nor the record's shows the change.
    fixture.put_job("a", &json!({ "state": "cancelled" }));
    fixture.put_job("b", &json!({ "state": "failed" }));
    assert_eq!(fixture.get("/api/v1/status").await.json()["jobs"]["counts"], json!({ "unknown": 1, "failed": 1 }));
}

#[tokio::test]
async fn pages_join_to_the_whole_list_whatever_happens_in_between() {
    let fixture = Fixture::new();
    let at = |minute: u32| json!({ "created_at": format!("2026-01-31T11:{minute:02}:00Z"), "state": "succeeded" });
    for n in 0..10 {
        // Every two are of the same second.
        fixture.put_job(&format!("j{n}"), &at(n / 2));
    }
    fixture.fs.put("/pv/runs/damaged/job.json", "{");
    let whole = ids(&fixture, "").await;
    assert_eq!(whole.len(), 11);
    for size in 1..=12 {
        let (mut joined, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = fixture.get(&format!("/api/v1/jobs?limit={size}&cursor={cursor}")).await.json();
            let jobs = page["jobs"].as_array().unwrap();
            joined.extend(jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()));
            pages += 1;
            // New jobs come before all, and the last one read goes away: neither shifts what is left.
            fixture.put_job(&format!("new{size}-{pages}"), &at(59));
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
            fixture.fs.remove_file(format!("/pv/runs/new{size}-{page}/job.json").as_str().into()).unwrap();
        }
    }
    let page = fixture.get("/api/v1/jobs?limit=3&state=succeeded").await.json();
    let last = page["jobs"][2]["job_id"].as_str().unwrap();
    fixture.fs.remove_file(format!("/pv/runs/{last}/job.json").as_str().into()).unwrap();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        ids(&fixture, &format!("?limit=2&state=succeeded&cursor={next}")).await,
        whole[3..5],
        "though it is gone"
    );
    assert!(
        fixture.get("/api/v1/jobs?limit=10").await.json().get("next_cursor").is_none(),
        "ten are left, damaged included"
    );
}

#[tokio::test]
async fn a_long_list_is_compressed_where_that_is_asked_for_and_a_short_one_never() {
    use std::io::Read;
    let fixture = Fixture::new();
    let get = async |encoding: &'static str| {
        let response = fixture.client().get("/api/v1/jobs").header("Accept-Encoding", encoding).send().await.0;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (coding, vary) = (header("content-encoding"), header("vary"));
        assert_eq!(vary.as_deref(), Some("Accept-Encoding"));
        (coding, response.into_body().into_vec().await.unwrap())
    };
    fixture.put_job("one", &json!({ "state": "failed" }));
    assert_eq!(get("gzip, zstd").await.0, None, "a short one");
    for number in 0..1500 {
        fixture
            .put_job(&format!("job{number:04}"), &json!({ "state": "failed", "message": "why ".repeat(number % 90) }));
    }
    let (coding, plain) = get("br").await;
    assert_eq!(coding, None);
    let jobs = serde_json::from_slice::<serde_json::Value>(&plain).unwrap();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1501);
    for (asked, expected) in [("gzip, deflate, br", "gzip"), ("gzip, deflate, br, zstd", "zstd")] {
        let (coding, sent) = get(asked).await;
        assert_eq!(coding.as_deref(), Some(expected));
        assert!(sent.len() * 5 < plain.len(), "{} of {} bytes", sent.len(), plain.len());
        let mut read = Vec::new();
        match expected {
            "gzip" => flate2::read::GzDecoder::new(sent.as_slice()).read_to_end(&mut read).unwrap(),
            _ => zstd::Decoder::new(sent.as_slice()).unwrap().read_to_end(&mut read).unwrap(),
        };
        assert!(read == plain, "{asked}");
    }
}
