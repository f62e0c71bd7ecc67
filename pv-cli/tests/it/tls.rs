//! An API behind TLS: `--api https://…` and `PV_API_BASE_URL`, with an authority of the tests' own.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::fixture::{CliFixture, append, finish, free_port, request_at, text, wait_for_port, wait_until};

/// How long one side of a connection may be silent before the other is looked at.
const TURN: Duration = Duration::from_millis(20);

/// What answers by TLS for the API, with a certificate for `127.0.0.1` alone.
struct TlsProxy {
    url: String,
    port: u16,
    authority: PathBuf,
}

impl TlsProxy {
    fn start(fixture: &CliFixture) -> Self {
        Self::start_with(fixture, include_bytes!("tls/server.pem"))
    }

    fn start_with(fixture: &CliFixture, certificate: &[u8]) -> Self {
        let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/authority.pem");
        let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, api) = (listener.local_addr().unwrap().port(), fixture.port);
        // It ends with the process of the tests.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || forward(client, api, ServerConnection::new(config).unwrap()));
            }
        });
        Self { url: format!("https://127.0.0.1:{port}"), port, authority }
    }
}

/// Passes on what either side says until one of them is done.
fn forward(mut client: TcpStream, api: u16, mut tls: ServerConnection) -> Option<()> {
    let mut api = TcpStream::connect(("127.0.0.1", api)).ok()?;
    for side in [&client, &api] {
        side.set_read_timeout(Some(TURN)).ok()?;
    }
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut stream = rustls::Stream::new(&mut tls, &mut client);
        match read(&mut stream, &mut buffer) {
            Some(0) => break,
            Some(len) => api.write_all(&buffer[..len]).ok()?,
            None => {}
        }
        match read(&mut api, &mut buffer) {
            Some(0) => break,
            Some(len) => rustls::Stream::new(&mut tls, &mut client).write_all(&buffer[..len]).ok()?,
            None => {}
        }
    }
    tls.send_close_notify();
    let _ = tls.write_tls(&mut client);
    let _ = client.shutdown(Shutdown::Both);
    Some(())
}

/// Reads what is there; `None` for nothing so far, and nothing at the end and after an error.
fn read(from: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    match from.read(buffer) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
        read => Some(read.unwrap_or(0)),
    }
}

/// Runs `pv` with an authority; returns its exit code and what it prints.
fn run(fixture: &CliFixture, args: &[&str], authority: Option<&str>) -> (i32, String) {
    let mut pv = fixture.pv(args);
    pv.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
    let output = finish(pv.spawn().unwrap());
    (output.status.code().unwrap_or(-1), text(&output))
}

#[test]
fn c25_the_commands_work_over_https_with_an_authority_of_ones_own() {
    let fixture = CliFixture::new();
    let _api = fixture.start_api();
    let proxy = TlsProxy::start(&fixture);
    let authority = proxy.authority.to_str();
    let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    let run_folder = fixture.put_record(id, &serde_json::json!({ "state": "running" }));
    fs::write(run_folder.join("job.log"), "one\n").unwrap();
    // The path of the API is added where the address names none.
    for url in [proxy.url.clone(), format!("{}/api/v1/", proxy.url)] {
        let with_api = |args: &[&str]| run(&fixture, &[args, &["--api", &url]].concat(), authority);
        let (code, printed) = with_api(&["submit", "task.md", "--repo", "example", "--branch", "main"]);
        assert_eq!(code, 0, "{printed}");
        for (args, part) in [
            (&["list"][..], "Do a thing"),
            (&["targets"], "nova/example"),
            (&["show", id], "running"),
            (&["log", id], "one"),
        ] {
            let (code, printed) = with_api(args);
            assert!(code == 0 && printed.contains(part), "{args:?}: {printed}");
        }
    }
    // A log that is followed comes as it is written.
    let mut follow = fixture.pv(&["log", "-f", id, "--api", &proxy.url]);
    let follow = follow.env("SSL_CERT_FILE", &proxy.authority).spawn().unwrap();
    thread::sleep(TURN * 20);
    append(&run_folder.join("job.log"), "two\n");
    fixture.put_record(id, &serde_json::json!({ "state": "succeeded" }));
    let followed = text(&finish(follow));
    assert!(followed.contains("one\ntwo\n"), "{followed}");
}

#[test]
fn c25_a_certificate_that_is_not_accepted_says_so_and_names_what_to_set() {
    let fixture = CliFixture::new();
    let _api = fixture.start_api();
    let proxy = TlsProxy::start(&fixture);
    let expired = TlsProxy::start_with(&fixture, include_bytes!("tls/expired.pem"));
    let authority = proxy.authority.to_str();
    let (missing, empty) = (fixture.path("missing.pem"), fixture.path("empty.pem"));
    fs::write(&empty, "no certificate\n").unwrap();
    let by_name = format!("https://localhost:{}", proxy.port);
    let (plain, by_tls) = (format!("https://127.0.0.1:{}", fixture.port), format!("http://127.0.0.1:{}", proxy.port));
    for (what, url, authority, code, parts) in [
        ("not trusted", &proxy.url, None, 6, &["UnknownIssuer", "SSL_CERT_FILE"][..]),
        ("expired", &expired.url, authority, 6, &["expired", "SSL_CERT_FILE"]),
        ("for another name", &by_name, authority, 6, &["not valid for", "SSL_CERT_FILE", "check the address"]),
        (
            "a file that is not there",
            &proxy.url,
            missing.to_str(),
            2,
            &["SSL_CERT_FILE", "missing.pem", "No such file"],
        ),
        ("a file without any", &proxy.url, empty.to_str(), 2, &["SSL_CERT_FILE", "empty.pem"]),
        ("no TLS at all", &plain, authority, 6, &["does not speak TLS", "http://"]),
        ("TLS where none is asked for", &by_tls, authority, 6, &["cannot reach"]),
    ] {
        let (found, printed) = run(&fixture, &["list", "--api", url], authority);
        assert_eq!(found, code, "{what}: {printed}");
        assert!(parts.iter().all(|part| printed.contains(part)), "{what}: {printed}");
    }
    // A folder that can be used does not hide that.
    let mut with_both = fixture.pv(&["list", "--api", &proxy.url]);
    with_both.env("SSL_CERT_FILE", &missing).env("SSL_CERT_DIR", proxy.authority.parent().unwrap());
    let refused = finish(with_both.spawn().unwrap());
    assert!(refused.status.code() == Some(2) && text(&refused).contains("missing.pem"), "{}", text(&refused));
    // Without TLS no certificate matters.
    let (code, printed) = run(&fixture, &["list", "--api", &fixture.url()], missing.to_str());
    assert_eq!(code, 0, "{printed}");
}

#[test]
fn c25_the_pages_service_asks_an_api_behind_https() {
    let fixture = CliFixture::new();
    let _api = fixture.start_api();
    let proxy = TlsProxy::start(&fixture);
    let start = |name: &str, authority: Option<&str>| {
        let port = free_port();
        let mut ui: Command = fixture.pv(&["ui"]);
        ui.env("PV_API_BASE_URL", &proxy.url)
            .env("PV_UI_BIND_HOST", "127.0.0.1")
            .env("PV_UI_BIND_PORT", port.to_string());
        ui.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
        let service = fixture.start_as(name, &mut ui);
        (service, port)
    };
    let (_ui, port) = start("ui", proxy.authority.to_str());
    wait_for_port(port);
    let (status, health) = request_at(port, "GET", "/healthz", "");
    assert_eq!((status, &health["status"]), (200, &"ok".into()), "{health}");
    let (_other, port) = start("other", None);
    wait_for_port(port);
    let (status, refused) = request_at(port, "GET", "/healthz", "");
    let detail = refused["detail"].as_str().unwrap_or_default();
    assert!(status == 502 && detail.contains("UnknownIssuer") && detail.contains("SSL_CERT_FILE"), "{detail}");
    let missing = fixture.path("missing.pem");
    let (_none, _) = start("none", missing.to_str());
    wait_until("it says why it does not start", || {
        let log = fixture.service_log("none");
        (log.contains("missing.pem") && log.contains("SSL_CERT_FILE")).then_some(())
    });
}
