//! How fresh lists are on a real disk, with many jobs: whoever changes a record, the very next answer that returns its row
//! shows it.

use std::{
    fs,
    io::{Seek, Write},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use pv_http::{ApiSettings, AppState, app};
use pv_lib::{
    fs::OsFs,
    host,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::fixture::{answer, client, mint};

const JOBS: usize = 10_000;
/// How many rewrites there are, unless the variable of this name says another number.
const REWRITES: (&str, usize) = ("PV_TEST_REWRITES", 200);
/// How long the records must have been there before their rows are kept.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

fn id(number: usize) -> String {
    format!("{:012x}7000800000000000{number:04x}", 1_769_000_000_000 + number * 1000)
}

/// The record of a job that is over; its title is always as long.
fn record(number: usize, version: usize) -> String {
    format!(
        "{{\n  \"branch_name\": \"main\",\n  \"created_at\": \"{}\",\n  \"job_id\": \"{}\",\n  \"repo_name\": \"r\",\n  \
         \"schema_version\": 1,\n  \"state\": \"succeeded\",\n  \"title\": \"version {version:08}\"\n}}\n",
        pv_lib::time::Timestamp::from_unix_seconds(1_769_000_000 + i64::try_from(number).expect("small")),
        id(number)
    )
}

/// Changes a record in one of the ways in which people and programs do.
fn rewrite(path: &Utf8Path, text: &str, way: usize) {
    match way % 3 {
        // In place: the same file, as long as before.
        0 => {
            let mut file = fs::OpenOptions::new().write(true).open(path).expect("opens");
            file.rewind().expect("rewinds");
            file.write_all(text.as_bytes()).expect("writes");
        }
        1 => fs::write(path, text).expect("writes"),
        _ => {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("writes");
            fs::rename(new, path).expect("renames");
        }
    }
}

#[tokio::test]
async fn a_rewrite_at_any_moment_shows_in_the_very_next_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let layout = Layout::under(Utf8Path::from_path(dir.path()).expect("UTF-8"), InboxMode::MultiOwner);
    let path = |number: usize| layout.runs.join(id(number)).join("job.json");
    for number in 0..JOBS {
        fs::create_dir_all(path(number).parent().expect("a folder")).expect("makes a folder");
        fs::write(path(number), record(number, 0)).expect("writes");
    }
    let written = Instant::now();
    let settings = ApiSettings { clock: host::now, mint, ..ApiSettings::default() };
    let store = Store::new(std::sync::Arc::new(OsFs), layout.clone(), StoreLimits::default(), "host");
    let client = client(app(&AppState::new(settings, store, CancellationToken::new())));
    let title = |list: &Value, number: usize| {
        let jobs = list["jobs"].as_array().expect("jobs");
        let job = jobs.iter().find(|job| job["job_id"] == id(number).as_str()).expect("listed");
        job["title"].as_str().expect("a title").to_owned()
    };
    // The rows of the second half are kept before they are rewritten; of the first half nothing is known.
    while written.elapsed() < SETTLED_AFTER {
        let list = answer(client.get("/api/v1/jobs?limit=5000")).await.json();
        assert_eq!(list["jobs"].as_array().expect("jobs").len(), 5000);
    }
    let rewrites = std::env::var(REWRITES.0).map_or(REWRITES.1, |number| number.parse().expect("a number"));
    let mut at = 17;
    for version in 1..=rewrites {
        // A simple sequence that visits the jobs in no order; every tenth time the same one twice in a row.
        at = if version % 10 == 0 { at } else { (at * 6_421 + 11) % JOBS };
        rewrite(&path(at), &record(at, version), version);
        let seconds = 1_769_000_000 + at;
        let query = match version % 100 {
            0 => "/api/v1/jobs".to_owned(),
            n if n % 2 == 0 => format!("/api/v1/jobs?limit=20&cursor={}~{}", seconds + 1, id(at + 1)),
            _ => {
                format!("/api/v1/jobs?limit=3&repo=r&branch=main&state=succeeded&cursor={}~{}", seconds + 1, id(at + 1))
            }
        };
        let list = answer(client.get(query)).await.json();
        assert_eq!(title(&list, at), format!("version {version:08}"), "rewrite {version} of job {at}");
    }
}

#[tokio::test]
async fn what_comes_and_goes_in_the_runs_folder_shows_in_the_very_next_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let layout = Layout::under(Utf8Path::from_path(dir.path()).expect("UTF-8"), InboxMode::MultiOwner);
    fs::create_dir_all(&layout.runs).expect("makes a folder");
    let settings = ApiSettings { clock: host::now, mint, ..ApiSettings::default() };
    let store = Store::new(std::sync::Arc::new(OsFs), layout.clone(), StoreLimits::default(), "host");
    let client = client(app(&AppState::new(settings, store, CancellationToken::new())));
    let listed = || async {
        let list = answer(client.get("/api/v1/jobs")).await.json();
        let jobs = list["jobs"].as_array().expect("jobs").clone();
        jobs.iter().map(|job| job["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    assert!(listed().await.is_empty());
    for number in 0..50 {
        // Whole at once, as we do; then a folder whose record comes later.
        let (run, temporary) = (layout.runs.join(id(number)), layout.runs.join(".new"));
        fs::create_dir(&temporary).expect("makes a folder");
        fs::write(temporary.join("job.json"), record(number, number)).expect("writes");
        fs::rename(&temporary, &run).expect("renames");
        assert_eq!(listed().await, [format!("version {number:08}")]);
        let later = layout.runs.join(id(number + 100));
        fs::create_dir(&later).expect("makes a folder");
        assert_eq!(listed().await.len(), 1);
        fs::write(later.join("job.json"), record(number + 100, 7)).expect("writes");
        assert_eq!(listed().await.len(), 2);
        fs::remove_dir_all(&later).expect("removes");
        fs::remove_dir_all(&run).expect("removes");
        assert!(listed().await.is_empty());
    }
    // The folder itself is another one.
    fs::rename(&layout.runs, layout.runs.with_extension("old")).expect("renames");
    assert!(listed().await.is_empty());
    fs::create_dir_all(layout.runs.join(id(1))).expect("makes a folder");
    fs::write(layout.runs.join(id(1)).join("job.json"), record(1, 1)).expect("writes");
    assert_eq!(listed().await, ["version 00000001"]);
}
