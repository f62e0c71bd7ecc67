//! What the page's service hands on to the API, and what it says where there is none.

use std::time::{Duration, Instant};

use pv_http::{ApiSettings, BoundPage, UiSettings};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::pair::{PROMPT_BYTES, Pair, start_page};

const LONG: Duration = Duration::from_secs(10);

async fn detail(answer: Response) -> String {
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_come_through_as_they_are() {
    let pair = Pair::start(ApiSettings::default(), UiSettings::default()).await;
    let posted = pair.submit_at(pair.page).send().await.unwrap();
    assert_eq!(posted.status(), 201);
    let place = posted.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&posted.bytes().await.unwrap()).unwrap();
    assert_eq!(place, format!("/api/v1/jobs/{}", body["job_id"].as_str().unwrap()));
    for path in [&place, "/api/v1/jobs?limit=1", "/api/v1/jobs?limit=0", "/api/v1/jobs/none", "/api/v1/targets"] {
        let (there, here) = (pair.ask_at(pair.api, Method::GET, path), pair.ask(Method::GET, path));
        let (there, here) = (there.send().await.unwrap(), here.send().await.unwrap());
        assert_eq!(
            (there.status(), there.headers()["content-type"].clone()),
            (here.status(), here.headers()["content-type"].clone())
        );
        assert_eq!(there.bytes().await.unwrap(), here.bytes().await.unwrap(), "{path}");
    }
    let head = pair.ask(Method::HEAD, "/api/v1/healthz").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(pair.ask(Method::DELETE, &place).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn nothing_beyond_the_apis_calls_is_handed_on() {
    let pair = Pair::start(ApiSettings::default(), UiSettings::default()).await;
    for path in ["/metrics", "/api/v2/jobs", "/api", "/api/v1/%2e%2e/%2e%2e/metrics"] {
        let answer = pair.ask(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_line_of_a_log_comes_through_before_the_next_one_is_written() {
    let pair = Pair::start(ApiSettings::default(), UiSettings::default()).await;
    let run = pair.store.layout().runs.join("a");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("job.json"), r#"{"job_id":"a","state":"running"}"#).unwrap();
    let mut log = String::new();
    let path = "/api/v1/jobs/a/log/stream";
    let mut stream = pair.ask(Method::GET, path).header("last-event-id", "0").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    for n in 0..3 {
        log.push_str(&format!("line {n}\n"));
        std::fs::write(run.join("job.log"), &log).unwrap();
        until(&mut stream, &format!("data: line {n}\n")).await;
    }
    let mut resumed = pair.ask(Method::GET, path).header("last-event-id", "7").send().await.unwrap();
    let rest = until(&mut resumed, "data: line 2\n").await;
    assert!(!rest.contains("line 0"), "Last-Event-ID is handed on: {rest}");
    // A stop ends the streams, and soon.
    let begun = Instant::now();
    pair.stop_page.send(()).unwrap();
    let end = tokio::time::timeout(LONG, async { while let Ok(Some(_)) = stream.chunk().await {} }).await;
    assert!(end.is_ok());
    pair.page_runs.await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

async fn until(stream: &mut Response, part: &str) -> String {
    let mut got = String::new();
    let read = async {
        while !got.contains(part) {
            got.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("more")));
        }
    };
    tokio::time::timeout(LONG, read).await.unwrap_or_else(|_| panic!("no {part:?} in time"));
    got
}

#[tokio::test]
async fn an_api_that_is_away_is_told_in_a_sentence() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let base = format!("http://{gone}/api/v1");
    let (page, _stop, _runs) = start_page(UiSettings { api_base: base.clone(), ..UiSettings::default() }).await;
    let answer = Client::new().get(format!("http://{page}/api/v1/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let said = detail(answer).await;
    assert!(said.contains(&base) && said.contains("PV_API_BASE_URL"), "{said}");
    let page = Client::new().get(format!("http://{page}/")).send().await.unwrap();
    assert_eq!(page.status(), 200, "the page is there all the same");
}

#[tokio::test]
async fn an_api_that_says_nothing_is_given_up_on() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_base = format!("http://{}/api/v1", mute.local_addr().unwrap());
    tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = mute.accept().await {
            streams.push(stream);
        }
    });
    let settings = UiSettings { api_base, api_timeout: Duration::from_millis(200), ..UiSettings::default() };
    let (page, _stop, _runs) = start_page(settings).await;
    let answer = Client::new().get(format!("http://{page}/api/v1/jobs")).timeout(LONG).send().await.unwrap();
    assert_eq!(answer.status(), 504);
    let said = detail(answer).await;
    assert!(said.contains("0.2 s") && said.contains("PV_UI_API_TIMEOUT_SECONDS"), "{said}");
    assert!(!said.contains("may have been done"), "nothing was to be done: {said}");
    let post = Client::new().post(format!("http://{page}/api/v1/jobs")).body("{}").timeout(LONG).send().await.unwrap();
    assert_eq!(post.status(), 504);
    let said = detail(post).await;
    assert!(said.contains("may have been done") && said.contains("look at the jobs"), "{said}");
}

#[tokio::test]
async fn a_body_that_the_api_would_not_take_is_refused_before_it() {
    let pair = Pair::start(ApiSettings::default(), UiSettings::default()).await;
    let text = "x".repeat(usize::try_from(PROMPT_BYTES).unwrap() * 20);
    let body = json!({ "repo": "o/r", "branch": "main", "markdown_text": text }).to_string();
    for at in [pair.api, pair.page] {
        let answer = pair.submit_at(at).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(detail(answer).await.contains("limits.prompt_bytes"));
    }
}

#[tokio::test]
async fn what_others_may_do_is_said_when_it_starts() {
    let says = async |settings: UiSettings| {
        let settings = UiSettings { bind_port: 0, ..settings };
        BoundPage::new(settings).await.unwrap().remote_access_warning()
    };
    let token = crate::pair::secret();
    let aloud = async |settings| says(settings).await.unwrap();
    assert!(aloud(UiSettings::default()).await.contains("READ all jobs"));
    let with_token = aloud(UiSettings { token, ..UiSettings::default() }).await;
    assert!(with_token.contains("with the token") && with_token.contains("READ all jobs"), "{with_token}");
    assert!(aloud(UiSettings { allow_remote_write: true, ..UiSettings::default() }).await.contains("SUBMIT AND ABORT"));
    assert_eq!(says(UiSettings { bind_host: "127.0.0.1".into(), ..UiSettings::default() }).await, None);
    let wrong = BoundPage::new(UiSettings { api_base: "nonsense".into(), ..UiSettings::default() }).await;
    assert!(wrong.unwrap_err().to_string().contains("PV_API_BASE_URL"));
}

#[tokio::test]
async fn streams_leave_room_for_those_who_only_ask() {
    let pair = Pair::start(ApiSettings::default(), UiSettings::default()).await;
    let mut open = Vec::new();
    let refused = loop {
        let stream = pair.ask(Method::GET, "/api/v1/events").send().await.unwrap();
        if stream.status() != 200 {
            break stream;
        }
        open.push(stream);
        assert!(open.len() <= 192, "three quarters of 256");
    };
    assert_eq!((refused.status().as_u16(), open.len()), (503, 192));
    assert!(detail(refused).await.contains("too many streams"));
    assert_eq!(pair.submit_at(pair.page).send().await.unwrap().status(), 201);
    open.clear();
    let again = async {
        // A place is free once the service has seen that its reader is gone.
        while pair.ask(Method::GET, "/api/v1/events").send().await.unwrap().status() != 200 {}
    };
    tokio::time::timeout(LONG, again).await.expect("places come back");
}
