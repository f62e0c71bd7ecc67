//! The stream of changes: what is told, resuming, starting over, ending.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use pv_http::{ApiSettings, UiSettings};
use pv_lib::fs::Fs;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{harness::World, pair::Pair};

const LONG: Duration = Duration::from_secs(10);

/// One reader, and what it has not yet been asked for.
struct Reader {
    body: Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>,
    rest: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    data: Value,
    id: u64,
}

impl Reader {
    async fn new(world: &World, seen: Option<&str>) -> Self {
        let request = world.client().get("/api/v1/events");
        let request = match seen {
            Some(seen) => request.header("Last-Event-ID", seen),
            None => request,
        };
        let response = request.send().await.0;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.into_body().into_bytes_stream().map(|part| part.unwrap().to_vec());
        Self { body: Box::pin(body), rest: String::new() }
    }

    async fn next(&mut self) -> Event {
        let (block, rest) = loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                break (block.to_owned(), rest.to_owned());
            }
            let part = tokio::time::timeout(LONG, self.body.next()).await.expect("in time").expect("no end");
            self.rest.push_str(std::str::from_utf8(&part).unwrap());
        };
        self.rest = rest;
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let (name, id) = (field("event: "), field("id: ").parse().unwrap());
        Event { name, data: serde_json::from_str(&field("data: ")).unwrap(), id }
    }

    /// Reads until an event of that name about that job.
    async fn until(&mut self, name: &str, id: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name && event.data["job_id"] == id {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn jobs_are_told_as_they_are_listed() {
    let world = World::new();
    world.put_job("before", &json!({}));
    let mut reader = Reader::new(&world, None).await;
    let ready = reader.next().await;
    assert_eq!((ready.name.as_str(), &ready.data), ("ready", &json!({})));
    let posted = world.submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "# x\n" })).await.json();
    let id = posted["job_id"].as_str().unwrap();
    let told = reader.until("job", id).await;
    assert_eq!(told.id, ready.id + 1, "what was there before is not told");
    assert_eq!(told.data, world.get("/api/v1/jobs?limit=1").await.json()["jobs"][0]);
    world.post(&format!("/api/v1/jobs/{id}/abort")).await;
    assert_eq!(reader.until("job", id).await.data["abort_requested"], true);
    world.fs.remove_file(format!("/pv/runs/{id}/job.json").as_str().into()).unwrap();
    assert_eq!(reader.until("gone", id).await.data, json!({ "job_id": id }));
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was_or_starts_over() {
    let world = World::new();
    let mut reader = Reader::new(&world, None).await;
    let ready = reader.next().await;
    let mut told = Vec::new();
    for n in 0..3 {
        world.put_job(&format!("j{n}"), &json!({ "state": "created" }));
        told.push(reader.until("job", &format!("j{n}")).await);
    }
    drop(reader);
    world.put_job("j3", &json!({ "state": "created" }));
    for (seen, from) in [(ready.id, 0), (told[0].id, 1), (told[1].id, 2)] {
        let mut resumed = Reader::new(&world, Some(&seen.to_string())).await;
        for expected in &told[from..] {
            assert_eq!(resumed.next().await, *expected);
        }
        resumed.until("job", "j3").await;
    }
    for elsewhere in ["0", "1", "99999999999999999999", "18446744073709551615", "x", "-1"] {
        let mut lost = Reader::new(&world, Some(elsewhere)).await;
        let reset = lost.next().await;
        assert_eq!(reset.name, "reset", "{elsewhere}");
        world.put_job(&format!("after{}", elsewhere.len()), &json!({ "state": "created", "title": elsewhere }));
        assert!(lost.until("job", &format!("after{}", elsewhere.len())).await.id > reset.id, "and goes on from there");
    }
}

#[tokio::test]
async fn a_stop_ends_the_stream() {
    let world = World::new();
    let mut reader = Reader::new(&world, None).await;
    reader.next().await;
    world.stop.cancel();
    let end = tokio::time::timeout(LONG, reader.body.next()).await;
    assert!(end.expect("soon").is_none());
}

#[tokio::test]
async fn g26_readers_that_never_read_slow_nobody() {
    let pair = Pair::start(ApiSettings { max_connections: 40, ..ApiSettings::default() }, UiSettings::default()).await;
    let mut silent = Vec::new();
    for _ in 0..25 {
        silent.push(pair.ask_at(pair.api, Method::GET, "/api/v1/events").send().await.unwrap());
    }
    let mut through_the_page = pair.ask(Method::GET, "/api/v1/events").send().await.unwrap();
    let submitted = pair.submit_at(pair.api).send().await.unwrap();
    assert_eq!(submitted.status(), 201);
    let mut got = String::new();
    let told = async {
        while !got.contains("event: job") {
            got.push_str(&String::from_utf8_lossy(&through_the_page.chunk().await.unwrap().expect("more")));
        }
    };
    tokio::time::timeout(LONG, told).await.expect("in time");
    let mut refused = None;
    for _ in 0..5 {
        let more = pair.ask_at(pair.api, Method::GET, "/api/v1/events").send().await.unwrap();
        match more.status().as_u16() {
            200 => silent.push(more),
            status => refused = Some((status, more.text().await.unwrap())),
        }
    }
    let (status, said) = refused.expect("three quarters of 40 are streams");
    assert!(status == 503 && said.contains("too many streams"), "{said}");
}
