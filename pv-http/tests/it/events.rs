//! The stream of changes: what is sent, resuming, starting over, ending.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use pv_http::{ApiSettings, UiSettings};
use pv_lib::fs::Fs;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{fixture::Fixture, services::Services};

const LONG: Duration = Duration::from_secs(10);

/// One subscriber, and what it has received but not returned.
struct Subscriber {
    body: Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>,
    rest: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    data: Value,
    id: u64,
}

impl Subscriber {
    async fn new(fixture: &Fixture, seen: Option<&str>) -> Self {
        let request = fixture.client().get("/api/v1/events");
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
async fn jobs_are_sent_as_they_are_listed() {
    let fixture = Fixture::new();
    fixture.put_job("before", &json!({}));
    let mut subscriber = Subscriber::new(&fixture, None).await;
    let ready = subscriber.next().await;
    assert_eq!((ready.name.as_str(), &ready.data), ("ready", &json!({})));
    let posted = fixture.submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "# x\n" })).await.json();
    let id = posted["job_id"].as_str().unwrap();
    let event = subscriber.until("job", id).await;
    assert_eq!(event.id, ready.id + 1, "what existed before is not sent");
    assert_eq!(event.data, fixture.get("/api/v1/jobs?limit=1").await.json()["jobs"][0]);
    fixture.post(&format!("/api/v1/jobs/{id}/abort")).await;
    assert_eq!(subscriber.until("job", id).await.data["abort_requested"], true);
    fixture.fs.remove_file(format!("/pv/runs/{id}/job.json").as_str().into()).unwrap();
    assert_eq!(subscriber.until("gone", id).await.data, json!({ "job_id": id }));
}

#[tokio::test]
async fn a_subscriber_resumes_or_starts_over() {
    let fixture = Fixture::new();
    let mut subscriber = Subscriber::new(&fixture, None).await;
    let ready = subscriber.next().await;
    let mut sent = Vec::new();
    for n in 0..3 {
        fixture.put_job(&format!("j{n}"), &json!({ "state": "created" }));
        sent.push(subscriber.until("job", &format!("j{n}")).await);
    }
    drop(subscriber);
    fixture.put_job("j3", &json!({ "state": "created" }));
    for (seen, from) in [(ready.id, 0), (sent[0].id, 1), (sent[1].id, 2)] {
        let mut resumed = Subscriber::new(&fixture, Some(&seen.to_string())).await;
        for expected in &sent[from..] {
            assert_eq!(resumed.next().await, *expected);
        }
        resumed.until("job", "j3").await;
    }
    for unknown in ["0", "1", "99999999999999999999", "18446744073709551615", "x", "-1"] {
        let mut subscriber = Subscriber::new(&fixture, Some(unknown)).await;
        let reset = subscriber.next().await;
        assert_eq!(reset.name, "reset", "{unknown}");
        fixture.put_job(&format!("after{}", unknown.len()), &json!({ "state": "created", "title": unknown }));
        assert!(
            subscriber.until("job", &format!("after{}", unknown.len())).await.id > reset.id,
            "and goes on from there"
        );
    }
}

#[tokio::test]
async fn a_stop_ends_the_stream() {
    let fixture = Fixture::new();
    let mut subscriber = Subscriber::new(&fixture, None).await;
    subscriber.next().await;
    fixture.stop.cancel();
    let end = tokio::time::timeout(LONG, subscriber.body.next()).await;
    assert!(end.expect("soon").is_none());
}

#[tokio::test]
async fn g26_subscribers_that_never_read_slow_nobody() {
    let services =
        Services::start(ApiSettings { max_connections: 40, ..ApiSettings::default() }, UiSettings::default()).await;
    let mut silent = Vec::new();
    for _ in 0..25 {
        silent.push(services.request_to(services.api, Method::GET, "/api/v1/events").send().await.unwrap());
    }
    let mut through_the_page = services.request(Method::GET, "/api/v1/events").send().await.unwrap();
    let submitted = services.submit_to(services.api).send().await.unwrap();
    assert_eq!(submitted.status(), 201);
    let mut got = String::new();
    let job_event = async {
        while !got.contains("event: job") {
            got.push_str(&String::from_utf8_lossy(&through_the_page.chunk().await.unwrap().expect("more")));
        }
    };
    tokio::time::timeout(LONG, job_event).await.expect("in time");
    let mut refused = None;
    for _ in 0..5 {
        let more = services.request_to(services.api, Method::GET, "/api/v1/events").send().await.unwrap();
        match more.status().as_u16() {
            200 => silent.push(more),
            status => refused = Some((status, more.text().await.unwrap())),
        }
    }
    let (status, detail) = refused.expect("three quarters of 40 are streams");
    assert!(status == 503 && detail.contains("too many streams"), "{detail}");
}
