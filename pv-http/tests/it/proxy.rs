//! What the page's service forwards to the API, and what it answers where there is none.

use std::time::{Duration, Instant};

use pv_http::{ApiSettings, BoundPage, UiSettings, api_client};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::services::{PROMPT_BYTES, Services, start_page};

const LONG: Duration = Duration::from_secs(10);

fn client() -> Client {
    api_client("http://").unwrap().build().unwrap()
}

async fn detail(answer: Response) -> String {
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn responses_are_forwarded_as_they_are() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let posted = services.submit_to(services.page).send().await.unwrap();
    assert_eq!(posted.status(), 201);
    let location = posted.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&posted.bytes().await.unwrap()).unwrap();
    assert_eq!(location, format!("/api/v1/jobs/{}", body["job_id"].as_str().unwrap()));
    for path in [&location, "/api/v1/jobs?limit=1", "/api/v1/jobs?limit=0", "/api/v1/jobs/none", "/api/v1/targets"] {
        let (direct, forwarded) =
            (services.request_to(services.api, Method::GET, path), services.request(Method::GET, path));
        let (direct, forwarded) = (direct.send().await.unwrap(), forwarded.send().await.unwrap());
        assert_eq!(
            (direct.status(), direct.headers()["content-type"].clone()),
            (forwarded.status(), forwarded.headers()["content-type"].clone())
        );
        assert_eq!(direct.bytes().await.unwrap(), forwarded.bytes().await.unwrap(), "{path}");
    }
    let head = services.request(Method::HEAD, "/api/v1/healthz").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(services.request(Method::DELETE, &location).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    for (method, path, status, allow) in [
        ("PUT", "/api/v1/jobs", 405, Some("GET, HEAD, POST")),
        ("DELETE", "/api/v1/jobs", 405, Some("GET, HEAD, POST")),
        ("TRACE", "/api/v1/jobs/a/abort", 405, Some("POST")),
        ("BREW", "/api/v1/holds/auth/codex", 405, Some("DELETE")),
        ("POST", "/api/v1/openapi.yaml", 405, Some("GET, HEAD")),
        ("POST", "/docs", 405, Some("GET, HEAD")),
        ("POST", "/", 405, Some("GET, HEAD")),
        ("PUT", "/api/v1/nope", 404, None),
        ("POST", "/nope.js", 404, None),
    ] {
        for service in [services.api, services.page] {
            let answer = services.request_to(service, method.parse().unwrap(), path).send().await.unwrap();
            let named = answer.headers().get("allow").map(|value| value.to_str().unwrap());
            assert_eq!((answer.status().as_u16(), named), (status, allow), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn nothing_beyond_the_apis_operations_is_forwarded() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    for path in ["/metrics", "/api/v2/jobs", "/api", "/api/v1/%2e%2e/%2e%2e/metrics"] {
        let answer = services.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_line_of_a_log_is_forwarded_before_the_next_one_is_written() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let run = services.store.layout().runs.join("a");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("job.json"), r#"{"job_id":"a","state":"running"}"#).unwrap();
    let mut log = String::new();
    let path = "/api/v1/jobs/a/log/stream";
    let mut stream = services.request(Method::GET, path).header("last-event-id", "0").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    for n in 0..3 {
        log.push_str(&format!("line {n}\n"));
        std::fs::write(run.join("job.log"), &log).unwrap();
        until(&mut stream, &format!("data: line {n}\n")).await;
    }
    let mut resumed = services.request(Method::GET, path).header("last-event-id", "7").send().await.unwrap();
    let rest = until(&mut resumed, "data: line 2\n").await;
    assert!(!rest.contains("line 0"), "Last-Event-ID is forwarded: {rest}");
    // A stop ends the streams, and soon.
    let begun = Instant::now();
    services.stop_page.send(()).unwrap();
    let end = tokio::time::timeout(LONG, async { while let Ok(Some(_)) = stream.chunk().await {} }).await;
    assert!(end.is_ok());
    services.page_task.await.unwrap();
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
async fn an_api_that_cannot_be_reached_is_answered_with_a_sentence() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let base = format!("http://{gone}/api/v1");
    let (page, _stop, _runs) = start_page(UiSettings { api_base: base.clone(), ..UiSettings::default() }).await;
    let answer = client().get(format!("http://{page}/api/v1/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let text = detail(answer).await;
    assert!(text.contains(&base) && text.contains("PV_API_BASE_URL"), "{text}");
    let page = client().get(format!("http://{page}/")).send().await.unwrap();
    assert_eq!(page.status(), 200, "the page is served all the same");
}

#[tokio::test]
async fn an_api_that_does_not_answer_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_base = format!("http://{}/api/v1", silent.local_addr().unwrap());
    tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            streams.push(stream);
        }
    });
    let settings = UiSettings { api_base, api_timeout: Duration::from_millis(200), ..UiSettings::default() };
    let (page, _stop, _runs) = start_page(settings).await;
    let answer = client().get(format!("http://{page}/api/v1/jobs")).timeout(LONG).send().await.unwrap();
    assert_eq!(answer.status(), 504);
    let text = detail(answer).await;
    assert!(text.contains("0.2 s") && text.contains("PV_UI_API_TIMEOUT_SECONDS"), "{text}");
    assert!(!text.contains("may have been done"), "nothing was to be done: {text}");
    let post = client().post(format!("http://{page}/api/v1/jobs")).body("{}").timeout(LONG).send().await.unwrap();
    assert_eq!(post.status(), 504);
    let text = detail(post).await;
    assert!(text.contains("may have been done") && text.contains("look at the jobs"), "{text}");
}

#[tokio::test]
async fn a_body_that_the_api_would_not_take_is_refused_before_it() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let text = "x".repeat(usize::try_from(PROMPT_BYTES).unwrap() * 20);
    let body = json!({ "repo": "o/r", "branch": "main", "markdown_text": text }).to_string();
    for service in [services.api, services.page] {
        let answer = services.submit_to(service).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(detail(answer).await.contains("limits.prompt_bytes"));
    }
}

#[tokio::test]
async fn the_warning_says_what_other_hosts_may_do() {
    let warning = async |settings: UiSettings| {
        let settings = UiSettings { bind_port: 0, ..settings };
        BoundPage::new(settings).await.unwrap().remote_access_warning()
    };
    let token = crate::services::secret();
    let expect_warning = async |settings| warning(settings).await.unwrap();
    assert!(expect_warning(UiSettings::default()).await.contains("READ all jobs"));
    let with_token = expect_warning(UiSettings { token, ..UiSettings::default() }).await;
    assert!(with_token.contains("with the token") && with_token.contains("READ all jobs"), "{with_token}");
    assert!(
        expect_warning(UiSettings { allow_remote_write: true, ..UiSettings::default() })
            .await
            .contains("SUBMIT AND ABORT")
    );
    assert_eq!(warning(UiSettings { bind_host: "127.0.0.1".into(), ..UiSettings::default() }).await, None);
    let wrong = BoundPage::new(UiSettings { api_base: "nonsense".into(), ..UiSettings::default() }).await;
    assert!(wrong.unwrap_err().to_string().contains("PV_API_BASE_URL"));
}

#[tokio::test]
async fn streams_leave_connections_for_other_requests() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let mut open = Vec::new();
    let refused = loop {
        let stream = services.request(Method::GET, "/api/v1/events").send().await.unwrap();
        if stream.status() != 200 {
            break stream;
        }
        open.push(stream);
        assert!(open.len() <= 192, "three quarters of 256");
    };
    assert_eq!((refused.status().as_u16(), open.len()), (503, 192));
    assert!(detail(refused).await.contains("too many streams"));
    assert_eq!(services.submit_to(services.page).send().await.unwrap().status(), 201);
    open.clear();
    let again = async {
        // A permit is free once the service has seen that the client is gone.
        while services.request(Method::GET, "/api/v1/events").send().await.unwrap().status() != 200 {}
    };
    tokio::time::timeout(LONG, again).await.expect("permits are given back");
}
