//! The service over real sockets.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use pv_http::{ApiSettings, Bound, ServeError};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

struct Service {
    address: SocketAddr,
    root: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Service {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(root.path().to_owned()).unwrap();
        let layout = Layout::under(&path, InboxMode::MultiOwner);
        std::fs::create_dir_all(layout.inbox.join("o/r/main")).unwrap();
        let limits = StoreLimits { prompt_bytes: 10_000, disk_floor_bytes: Some(0) };
        let store = Store::new(Arc::new(OsFs), layout, limits, "host");
        let bound = Bound::new(ApiSettings { bind_port: 0, ..ApiSettings::default() }).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let address = bound.address();
        let running = tokio::spawn(bound.run(store, async {
            let _ = stopped.await;
        }));
        Self { address, root, stop, running }
    }

    fn write(&self, file: &str, contents: &str) {
        let path = self.root.path().join("runs/a").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

async fn read_until(stream: &mut TcpStream, part: &str) -> String {
    let mut got = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&got).contains(part) {
            let mut block = [0; 4096];
            let len = stream.read(&mut block).await.unwrap();
            assert_ne!(len, 0, "the connection ended before {part:?}: {}", String::from_utf8_lossy(&got));
            got.extend(&block[..len]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap_or_else(|_| panic!("no {part:?} in time"));
    String::from_utf8_lossy(&got).into_owned()
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let all = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut got));
    all.await.expect("an end").unwrap();
    String::from_utf8_lossy(&got).into_owned()
}

/// Starts a service with a running job, and follows its log, of which the first line has come.
async fn follow_log() -> (Service, TcpStream) {
    let service = Service::start().await;
    service.write("job.json", r#"{"job_id":"a","state":"running"}"#);
    service.write("job.log", "one\n");
    let mut stream = service.send("GET /api/v1/jobs/a/log/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    read_until(&mut stream, "data: one").await;
    (service, stream)
}

#[tokio::test]
async fn g26_a_stop_ends_open_streams_cleanly_and_soon() {
    let (service, mut stream) = follow_log().await;
    let idle = service.send("").await;
    let begun = Instant::now();
    service.stop.send(()).unwrap();
    let rest = read_all(&mut stream).await;
    assert!(rest.ends_with("0\r\n\r\n"), "the stream ends as the protocol demands: {rest:?}");
    service.running.await.unwrap();
    // A connection without a request does not delay it until the deadline.
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    drop(idle);
}

#[tokio::test]
async fn a_stream_follows_other_answers_of_its_connection_and_ends_it() {
    let service = Service::start().await;
    service.write("job.json", r#"{"job_id":"a","state":"succeeded"}"#);
    service.write("job.log", "one\ntwo\n");
    let requests = ["/jobs", "/jobs/a/log/stream", "/healthz"]
        .map(|path| format!("GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let mut stream = service.send(&requests[..2].concat()).await;
    let answers = read_all(&mut stream).await;
    let (list, log) = answers.split_once("}]}").expect("a list of jobs");
    assert!(list.starts_with("HTTP/1.1 200 OK\r\n") && list.contains("\"job_id\""), "{answers}");
    assert!(log.starts_with("HTTP/1.1 200 OK\r\n") && log.contains("\r\nconnection: close\r\n"), "{answers}");
    assert!(log.ends_with("\r\n22\r\ndata: one\nid: 4\n\ndata: two\nid: 8\n\n\r\n0\r\n\r\n"), "{answers}");
    // What came after it is for another connection.
    let mut stream = service.send(&requests[1..].concat()).await;
    let answers = read_until(&mut stream, "0\r\n\r\n").await;
    assert_eq!((answers.matches("HTTP/1.1 200 OK").count(), answers.contains("data: two")), (1, true), "{answers}");
    // A client of HTTP/1.0 knows no chunks.
    let mut stream = service.send(&requests[1].replace("HTTP/1.1", "HTTP/1.0")).await;
    let answer = read_all(&mut stream).await;
    assert!(answer.ends_with("\r\n\r\ndata: one\nid: 4\n\ndata: two\nid: 8\n\n"), "{answer}");
}

#[tokio::test]
async fn a_line_reaches_the_client_before_the_next_poll() {
    let (service, mut stream) = follow_log().await;
    // Five lines one after the other: five polls would take five seconds.
    let begun = Instant::now();
    let mut log = String::from("one\n");
    for n in 0..5 {
        log.push_str(&format!("line {n}\n"));
        service.write("job.log", &log);
        read_until(&mut stream, &format!("data: line {n}")).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_and_without_a_length() {
    let service = Service::start().await;
    let head =
        "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let mut declared = service.send(&format!("{head}Content-Length: 99999999\r\n\r\n{{")).await;
    let answer = read_until(&mut declared, "limits.prompt_bytes").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut chunked = service.send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
    chunked.write_all(chunk.as_bytes()).await.unwrap();
    // The service may have answered and closed before the second one.
    let _ = chunked.write_all(chunk.as_bytes()).await;
    let answer = read_until(&mut chunked, "limits.prompt_bytes").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn head_and_keep_alive_behave() {
    let service = Service::start().await;
    let get = "GET /api/v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = service.send(&get.replace("GET", "HEAD")).await;
    stream.write_all(get.as_bytes()).await.unwrap();
    let answers = read_until(&mut stream, "}").await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("\"status\":\"ok\"").count(), 1, "{answers}");
}

/// Odd methods, targets and versions get an answer: no client hangs, and no connection is closed without a word.
#[tokio::test]
async fn g27_every_odd_request_is_answered() {
    let service = Service::start().await;
    let (port, host) = (service.address.port(), "Host: localhost\r\n\r\n");
    for (request, status, part) in [
        (format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"), 404, "/docs"),
        (format!("CONNECT example.com:443 HTTP/1.1\r\n{host}"), 421, "two hosts"),
        ("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n".to_owned(), 421, "that name"),
        (format!("CONNECT /api/v1/jobs HTTP/1.1\r\n{host}"), 405, "allow: GET, HEAD, POST"),
        (format!("TRACE /api/v1/jobs HTTP/1.1\r\n{host}"), 405, "allow: GET, HEAD, POST"),
        (format!("BREW /api/v1/jobs/a/abort HTTP/1.1\r\n{host}"), 405, "allow: POST"),
        (format!("get /api/v1/healthz HTTP/1.1\r\n{host}"), 405, "allow: GET, HEAD"),
        (format!("OPTIONS * HTTP/1.1\r\n{host}"), 404, "/docs"),
        (format!("GET * HTTP/1.1\r\n{host}"), 404, "/docs"),
        (format!("GET http://localhost/api/v1/healthz HTTP/1.1\r\n{host}"), 200, "ok"),
        (format!("GET http://evil.example/api/v1/healthz HTTP/1.1\r\n{host}"), 421, "two hosts"),
        (format!("GET localhost HTTP/1.1\r\n{host}"), 404, "/docs"),
        (format!("GET api/v1/healthz HTTP/1.1\r\n{host}"), 400, ""),
        // The page and its operations work below any path.
        (format!("GET //api/v1/healthz HTTP/1.1\r\n{host}"), 200, "ok"),
        (format!("GET /api/v1/jobs/%ff HTTP/1.1\r\n{host}"), 404, "/docs"),
        ("GET /api/v1/healthz HTTP/1.1\r\n\r\n".into(), 421, "which host"),
        (format!("GET /api/v1/healthz HTTP/1.0\r\n{host}"), 200, "ok"),
        ("GET /api/v1/healthz\r\n\r\n".into(), 400, ""),
        (format!("GET /api/v1/healthz HTTP/2.0\r\n{host}"), 400, ""),
        (format!("GET /api/v1/healthz HTTQ/1.1\r\n{host}"), 400, ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505, "HTTP/1.1 only"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".into(), 400, ""),
        (format!("{{}} /api/v1/healthz HTTP/1.1\r\n{host}"), 400, ""),
        (format!("GET /{} HTTP/1.1\r\n{host}", "a".repeat(70_000)), 414, ""),
        (format!("GET / HTTP/1.1\r\n{}{host}", "X: y\r\n".repeat(300)), 431, ""),
        (format!("POST /api/v1/jobs HTTP/1.1\r\nTransfer-Encoding: gzip\r\n{host}"), 400, ""),
        (format!("POST /api/v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{host}ZZ\r\n"), 400, "broke off"),
        (format!("POST /api/v1/jobs HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n{host}"), 400, ""),
        (format!("POST /api/v1/jobs HTTP/1.1\r\nExpect: 200-ok\r\nContent-Length: 0\r\n{host}"), 422, "body"),
        (format!("GET /api/v1/healthz HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n{host}"), 200, "ok"),
    ] {
        let mut stream = service.send(&request).await;
        // Without a part to wait for, the head is the answer.
        let answer = read_until(&mut stream, if part.is_empty() { "\r\n\r\n" } else { part }).await;
        let line = request.lines().next().unwrap_or_default();
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{line:.60}: {answer}");
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_bound_are_refused_with_a_remedy() {
    let service = Service::start().await;
    let bind = async |host: &str, port| {
        let settings = ApiSettings { bind_host: host.into(), bind_port: port, ..ApiSettings::default() };
        Bound::new(settings).await.map(|bound| bound.address()).map_err(|error| error.to_string())
    };
    let taken = bind("127.0.0.1", service.address.port()).await.unwrap_err();
    assert!(taken.contains(&service.address.to_string()) && taken.contains("PV_BIND_PORT"), "{taken}");
    for host in ["0.0.0.0", "::", "[::]"] {
        let open = bind(host, 0).await.unwrap_err();
        assert!(open.contains(host) && open.contains("PV_ALLOW_INSECURE_BIND"), "{open}");
    }
    let unknown = bind("no such host", 0).await.unwrap_err();
    assert!(unknown.contains("no such host") && unknown.contains("PV_BIND_HOST"), "{unknown}");
    assert!(bind("localhost", 0).await.unwrap().ip().is_loopback());
    let allowed =
        ApiSettings { bind_host: "0.0.0.0".into(), bind_port: 0, allow_insecure_bind: true, ..ApiSettings::default() };
    assert!(!matches!(Bound::new(allowed).await, Err(ServeError::NotLoopback(_))));
}
