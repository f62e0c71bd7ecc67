//! Log streams: framing, resuming, waiting, ending.

use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::{ProptestConfig, prop, prop_assert, proptest};
use pv_lib::fs::Fs;
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer};

/// An event as a client gets it: its data fields joined, its id and its name.
#[derive(Debug, PartialEq)]
struct Event {
    data: String,
    id: Option<u64>,
    name: Option<String>,
}

/// Reads whole events, as the specification of server-sent events says; what follows the last empty line is dropped.
fn events(stream: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n");
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end + 2]);
    let mut events = Vec::new();
    for block in whole.split_terminator("\n\n") {
        let (mut data, mut id, mut name) = (Vec::new(), None, None);
        for line in block.split('\n').filter(|line| !line.starts_with(':')) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data.push(value.to_owned()),
                "id" => id = Some(value.parse().unwrap()),
                "event" => name = Some(value.to_owned()),
                _ => panic!("an unknown field: {line:?}"),
            }
        }
        if !data.is_empty() {
            events.push(Event { data: data.join("\n"), id, name });
        }
    }
    events
}

async fn stream(fixture: &Fixture, query: &str, seen: Option<u64>) -> Vec<u8> {
    let request = fixture.client().get(format!("/api/v1/jobs/a/log/stream{query}"));
    let request = match seen {
        Some(seen) => request.header("Last-Event-ID", seen.to_string()),
        None => request,
    };
    let answer = answer(request).await;
    assert_eq!((answer.status.as_u16(), answer.content_type.as_str()), (200, "text/event-stream"));
    answer.body
}

/// Joins the events to the log again; their ids show which of them ended with a newline.
fn join(events: &[Event], mut at: u64) -> Vec<u8> {
    let mut log = Vec::new();
    for event in events {
        log.extend(event.data.bytes());
        let next = event.id.unwrap();
        if next == at + event.data.len() as u64 + 1 {
            log.push(b'\n');
        }
        assert_eq!(next, at + event.data.len() as u64 + u64::from(log.ends_with(b"\n")), "{event:?}");
        at = next;
    }
    log
}

fn over(log: impl AsRef<[u8]>) -> Fixture {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({ "state": "succeeded", "exit_code": 0 }));
    fixture.put_log("a", log);
    fixture
}

#[tokio::test]
async fn every_line_is_one_event_with_the_offset_of_the_next() {
    let fixture = over("one\n\n  {\"j\": 1}\nwindows\r\n10%\r20%\nx\revent: end\nlast");
    let wire = stream(&fixture, "", None).await;
    assert!(wire.starts_with(b"data: one\nid: 4\n\ndata: \nid: 5\n\n"), "{}", String::from_utf8_lossy(&wire));
    let data: Vec<_> = events(&wire).into_iter().map(|event| event.data).collect();
    assert_eq!(data, ["one", "", "  {\"j\": 1}", "windows", "10%\n20%", "x\nevent: end", "last"]);
    assert!(events(&wire).iter().all(|event| event.name.is_none()), "no event but lines");
}

#[tokio::test]
async fn the_end_is_sent_on_request_only() {
    let fixture = over("one\n");
    assert_eq!(events(&stream(&fixture, "", None).await).len(), 1);
    let got = events(&stream(&fixture, "?end=1", None).await);
    assert_eq!((got.len(), got[1].name.as_deref(), got[1].id), (2, Some("end"), None));
    let outcome: Value = serde_json::from_str(&got[1].data).unwrap();
    assert_eq!((&outcome["state"], &outcome["exit_code"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(events(&stream(&fixture, "?end=1", Some(4)).await).len(), 1, "and to one that has all lines");
}

#[tokio::test]
async fn an_id_that_is_none_or_beyond_the_log_begins_at_its_start() {
    let fixture = over("one\ntwo\n");
    for id in ["x", "", "-1", "99", "18446744073709551615", "1e3"] {
        let request = fixture.client().get("/api/v1/jobs/a/log/stream").header("Last-Event-ID", id);
        assert_eq!(events(&answer(request).await.body).len(), 2, "{id:?}");
    }
    assert_eq!(events(&stream(&fixture, "", Some(4)).await)[0].data, "two");
    assert_eq!(stream(&fixture, "", Some(8)).await, b"");
}

#[tokio::test]
async fn a_line_longer_than_a_block_is_one_event() {
    let long = "ä€😀x".repeat(40_000);
    for end in ["\n", "", "\r\n"] {
        let fixture = over(format!("short\n{long}{end}"));
        let got = events(&stream(&fixture, "", None).await);
        assert_eq!(got.len(), 2);
        assert!(got[1].data == long, "{} bytes of {}", got[1].data.len(), long.len());
        assert_eq!(got[1].id, Some((6 + long.len() + end.len()) as u64));
    }
}

#[tokio::test]
async fn a_live_job_is_waited_for_until_its_last_byte() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    let response = fixture.client().get("/api/v1/jobs/a/log/stream?end=1").send().await.0;
    let mut body = response.into_body().into_bytes_stream();
    let mut got = Vec::new();
    let mut until = async |fixture: &Fixture, part: &str| {
        let arrive = async {
            while !String::from_utf8_lossy(&got).contains(part) {
                got.extend(body.next().await.expect("more").unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrive).await.expect(part);
        let _ = fixture;
        String::from_utf8_lossy(&got).into_owned()
    };
    fixture.put_log("a", "one\nhal");
    let seen = until(&fixture, "id: 4").await;
    assert!(!seen.contains("hal"), "a line is sent when its newline has arrived: {seen}");
    fixture.fs.write("/pv/runs/a/job.log", "one\nhalf\nlast");
    fixture.fs.write("/pv/runs/a/job.json", r#"{"job_id":"a","state":"aborted"}"#);
    let seen = until(&fixture, "event: end").await;
    assert!(seen.contains("data: half\nid: 9\n\ndata: last\nid: 13\n\nevent: end\n"), "{seen}");
    assert!(body.next().await.is_none(), "and then the stream ends");
}

#[tokio::test]
async fn many_clients_of_one_log_each_get_all_of_it_whenever_they_come_and_however_fast_they_read() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_log("a", "begun\n");
    let mut log = String::from("begun\n");
    // Lines as they come: whole ones, several at once, a part of one, one that is longer than a block, and no newline at the
    // end.
    let long = "y".repeat(300_000);
    let parts = ["one\n", "two\nthree\n", "ha", "lf\n", &format!("{long}\n"), "four\r\n", "\n", "last"];
    let follow = async |seen: u64| {
        let request = fixture.client().get("/api/v1/jobs/a/log/stream?end=1").header("Last-Event-ID", seen.to_string());
        (seen, request.send().await.0.into_body().into_bytes_stream(), Vec::new())
    };
    let mut clients = Vec::new();
    for part in parts {
        // Some from the beginning, some from the last whole line, some that read nothing until the end.
        let last_line = log.rfind('\n').map_or(0, |end| end as u64 + 1);
        for seen in [0, last_line, 0] {
            clients.push(follow(seen).await);
        }
        log.push_str(part);
        fixture.fs.write("/pv/runs/a/job.log", &log);
        for (_, body, got) in clients.iter_mut().filter(|(seen, ..)| *seen > 0) {
            // Whatever has come by now; each is at another place then.
            let now = tokio::time::timeout(Duration::from_millis(3), body.next()).await;
            got.extend(now.ok().flatten().map(|bytes| bytes.unwrap().to_vec()).unwrap_or_default());
        }
    }
    fixture.fs.write("/pv/runs/a/job.json", r#"{"job_id":"a","state":"aborted"}"#);
    for (seen, mut body, mut got) in clients {
        let rest = async {
            while let Some(bytes) = body.next().await {
                got.extend(bytes.unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), rest).await.expect("the stream ends with the job");
        let mut events = events(&got);
        let end = events.pop().unwrap();
        assert_eq!(end.name.as_deref(), Some("end"));
        let data: Vec<String> = events.iter().map(|event| event.data.clone()).collect();
        let expected: Vec<&str> = log[usize::try_from(seen).unwrap()..].lines().collect();
        assert!(data == expected, "from {seen}: {} events, not {}", data.len(), expected.len());
        assert_eq!(events.last().unwrap().id, Some(log.len() as u64));
    }
}

#[tokio::test]
async fn a_stop_ends_open_streams() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    let response = fixture.client().get("/api/v1/jobs/a/log/stream").send().await.0;
    fixture.stop.cancel();
    let rest = tokio::time::timeout(Duration::from_millis(500), response.into_body().into_bytes()).await;
    assert!(rest.expect("at once").unwrap().is_empty());
}

#[tokio::test]
async fn a_run_folder_that_vanishes_ends_the_stream() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    fixture.put_log("a", "one\n");
    let mut body = fixture.client().get("/api/v1/jobs/a/log/stream").send().await.0.into_body().into_bytes_stream();
    assert!(body.next().await.is_some());
    fixture.fs.remove_file("/pv/runs/a/job.json".into()).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(5), body.next()).await;
    assert!(end.expect("an end").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g25_a_stream_that_is_cut_and_resumed_joins_to_exactly_the_file(
        lines in prop::collection::vec("[a-zä€😀 :]{0,12}|[x]{140000}", 0..12),
        newline_at_end: bool,
        cuts in prop::collection::vec(0.0..1.0f64, 0..6),
    ) {
        let mut log = lines.join("\n");
        if newline_at_end {
            log.push('\n');
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let joined = runtime.block_on(async {
            let fixture = over(&log);
            let (mut joined, mut seen) = (Vec::new(), 0);
            for cut in cuts.iter().map(|cut| Some(*cut)).chain([None]) {
                let mut wire = stream(&fixture, "", Some(seen)).await;
                if let Some(cut) = cut {
                    wire.truncate((wire.len() as f64 * cut) as usize);
                }
                let got = events(&wire);
                joined.extend(join(&got, seen));
                seen = got.last().and_then(|event| event.id).unwrap_or(seen);
            }
            joined
        });
        prop_assert!(joined == log.as_bytes(), "{:?} is not {:?}", String::from_utf8_lossy(&joined), log);
    }
}
