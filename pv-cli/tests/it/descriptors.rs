//! Services with few file descriptors: every call is served or refused with 503, and none waits for ever.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::Duration,
};

use serde_json::json;

use crate::fixture::{CliFixture, Service, free_port, wait_for_port, wait_until};

/// How many descriptors a service gets.
const DESCRIPTORS: u32 = 256;
/// How many streams are opened: more than there are descriptors.
const STREAMS: usize = 300;
/// How many calls are made at the same time, while the streams are open.
const CALLS: usize = 240;
/// How long a call may take. The service itself has 2 s; the rest is for a machine with much to do.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts a service that may have few descriptors.
fn start(fixture: &CliFixture, service: &str, set: impl FnOnce(&mut Command)) -> Service {
    let pv = fixture.pv(&[service]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$@\"")]).arg("sh");
    shell.arg(pv.get_program()).args(pv.get_args()).env_clear();
    shell.envs(pv.get_envs().filter_map(|(name, value)| Some((name, value?))));
    set(&mut shell);
    fixture.start_as(service, &mut shell)
}

fn send(port: u16, request: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(CALL_TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Returns the status of a response, as soon as its first line is there.
fn status(stream: &mut TcpStream) -> Result<u16, String> {
    let mut line = [0; 12];
    stream.read_exact(&mut line).map_err(|error| format!("no answer: {error}"))?;
    let line = String::from_utf8_lossy(&line).into_owned();
    line.strip_prefix("HTTP/1.1 ").and_then(|code| code.parse().ok()).ok_or(line)
}

/// Makes every sort of call at the same time; returns how many were served. Each of them must be answered.
fn call_all_at_once(port: u16, ids: &[String]) -> usize {
    let body = json!({ "repo": "nova/example", "branch": "main", "markdown_text": "# Do it\n" }).to_string();
    let call = |n: usize| {
        let (id, close) = (&ids[n % ids.len()], "Host: 127.0.0.1\r\nConnection: close\r\n");
        let get = |path: &str| format!("GET /api/v1/{path} HTTP/1.1\r\n{close}\r\n");
        match n % 8 {
            0 => get("status"),
            1 => get("jobs"),
            2 => get("targets"),
            3 => get(&format!("jobs/{id}/log")),
            4 => get(&format!("jobs/{id}/prompt")),
            5 => get("config"),
            6 => get(&format!("jobs/{id}/patch")),
            _ => {
                let head = format!("{close}Content-Type: application/json\r\nContent-Length: {}", body.len());
                format!("POST /api/v1/jobs HTTP/1.1\r\n{head}\r\n\r\n{body}")
            }
        }
    };
    let calls: Vec<_> = (0..CALLS)
        .map(|n| {
            let request = call(n);
            thread::spawn(move || {
                let mut stream = send(port, &request).map_err(|error| error.to_string())?;
                let status = status(&mut stream).map_err(|problem| format!("{problem} to {request}"))?;
                let mut rest = String::new();
                stream.read_to_string(&mut rest).map_err(|error| format!("cut off: {error}: {request}"))?;
                Ok((status, rest))
            })
        })
        .collect();
    let answers: Vec<Result<(u16, String), String>> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    let mut served = 0;
    for (n, answer) in answers.iter().enumerate() {
        let (status, text) = answer.as_ref().unwrap_or_else(|problem| panic!("call {n}: {problem}"));
        assert!(matches!(status, 200 | 201 | 503), "call {n}: {status}: {text}");
        // What is served is true: nothing that is there is called unreadable.
        assert!(!text.contains("\"state\":\"unknown\"") && !text.contains("Too many open files"), "call {n}: {text}");
        served += usize::from(*status != 503);
    }
    served
}

/// Opens streams until there are more than the service can have; returns those that it serves. The others got 503.
fn open_streams(port: u16, ids: &[String]) -> Vec<TcpStream> {
    let open = |n: usize| {
        let path = if n.is_multiple_of(2) { "events".to_owned() } else { format!("jobs/{}/log/stream", ids[0]) };
        let mut stream = send(port, &format!("GET /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")).unwrap();
        let status = status(&mut stream).unwrap_or_else(|problem| panic!("stream {n}: {problem}"));
        assert!(matches!(status, 200 | 503), "stream {n}: {status}");
        (status == 200).then_some(stream)
    };
    (0..STREAMS).filter_map(open).collect()
}

/// Checks a service on this port, with these jobs.
fn check(port: u16, ids: &[String]) {
    let streams = open_streams(port, ids);
    assert!(streams.len() > 20, "{} streams are served", streams.len());
    call_all_at_once(port, ids);
    // The streams are still served.
    for mut stream in &streams {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut block = [0; 65536];
        let ended = loop {
            match stream.read(&mut block) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        assert!(!ended, "a stream was cut off");
    }
    drop(streams);
    wait_until("all calls are served again", || (call_all_at_once(port, &ids[1..]) == CALLS).then_some(()));
}

/// Makes a live job and some that are over, each with a log, a prompt and a patch.
fn jobs(fixture: &CliFixture) -> Vec<String> {
    (0..9)
        .map(|n| {
            let (id, state) = (format!("{n:032x}"), if n == 0 { "running" } else { "succeeded" });
            let run = fixture.put_record(&id, &json!({ "state": state }));
            for name in ["job.log", "prompt.md", "changes.patch"] {
                std::fs::write(run.join(name), "text\n").unwrap();
            }
            id
        })
        .collect()
}

#[test]
fn g23_with_256_descriptors_every_call_of_the_api_is_served_or_gets_503() {
    let fixture = CliFixture::new();
    let ids = jobs(&fixture);
    let _api = start(&fixture, "api", |_| {});
    wait_for_port(fixture.port);
    check(fixture.port, &ids);
}

#[test]
fn g23_with_256_descriptors_every_call_of_the_page_is_served_or_gets_503() {
    let fixture = CliFixture::new();
    let ids = jobs(&fixture);
    let (_api, port) = (fixture.start_api(), free_port());
    let _page = start(&fixture, "ui", |pv| {
        let base = format!("http://127.0.0.1:{}/api/v1", fixture.port);
        pv.env("PV_UI_BIND_HOST", "127.0.0.1").env("PV_UI_BIND_PORT", port.to_string()).env("PV_API_BASE_URL", base);
        pv.env("PV_UI_API_TIMEOUT_SECONDS", "20");
    });
    wait_for_port(port);
    check(port, &ids);
}
