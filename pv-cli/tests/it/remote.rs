//! The job commands against an API.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use serde_json::json;

use super::fixture::{CliFixture, append, finish, free_port};

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

/// Serves these responses, one for each connection; returns the heads of the requests.
fn serve_canned(responses: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let serve = |response: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            stream.write_all(response.as_bytes()).unwrap();
            head.join("\n").to_lowercase()
        };
        responses.into_iter().map(serve).collect()
    });
    (url, served)
}

fn response(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

/// Returns the words of a text, but for ages: they may grow from one call to the next.
fn without_ages(text: &str) -> Vec<&str> {
    let is_age = |word: &str| {
        let number = word.trim_start_matches('(').strip_suffix(['s', 'm', 'h', 'd']);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.split([' ', '\n']).filter(|word| !word.is_empty() && !is_age(word)).collect()
}

#[test]
fn a_remote_api_prints_what_the_files_print() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let remote = |args: &[&str], code| fixture.output(&[args, &["--api", &url]].concat(), code);
    let remote_json = |args: &[&str]| fixture.json(&[args, &["--api", &url]].concat());

    let receipt = remote_json(&["submit", "task.md", "--repo", "example", "--branch", "main"]);
    let id = receipt["job_id"].as_str().unwrap();
    let many = remote_json(&["submit", "task.md", "task.md", "--repo", "example", "--branch", "main"]);
    assert_eq!(many["jobs"].as_array().unwrap().len(), 2);

    fixture.put_record(ID, &json!({ "state": "failed", "message": "no", "exit_code": 3 }));
    fs::write(fixture.path("runs").join(ID).join("job.log"), "one\n\ntwo\n").unwrap();
    for args in [
        &["list"][..],
        &["list", "--state", "created", "-n", "2"],
        &["list", "--state", "created,failed", "-n", "2"],
        &["show", ID],
        &["targets"],
        &["log", ID],
        &["log", ID, "-n", "1"],
    ] {
        assert_eq!(without_ages(&remote(args, 0)), without_ages(&fixture.output(args, 0)), "{args:?}");
    }
    let (remote_status, local_status) = (remote_json(&["status"]), fixture.json(&["status"]));
    for key in ["jobs", "targets", "roots", "watcher"] {
        assert_eq!(remote_status[key], local_status[key], "{key}");
    }

    assert_eq!(remote_json(&["abort", &id[..31]])["previous_state"], "created");
    assert_eq!(remote_json(&["show", id])["abort_requested"], true);
    fs::write(fixture.path("runs").join(ID).join("prompt.md"), "# Again\n").unwrap();
    assert_eq!(remote_json(&["show", remote_json(&["retry", ID])["job_id"].as_str().unwrap()])["retry_of"], ID);

    assert!(remote(&["log", "-f", ID, "-n", "2"], 1).starts_with("\ntwo\n"));
    remote(&["wait", ID], 1);
    remote(&["wait", id, "--timeout", "0"], 5);
    assert!(remote(&["abort", ID], 4).contains("Job already terminal (state=failed)"));
    remote(&["show", "nothing"], 3);
    remote(&["show", &"f".repeat(32)], 3);
    remote(&["submit", "task.md", "--repo", " ", "--branch", "main"], 5);
    remote(&["targets", "add", "nova/more"], 5);
}

#[test]
fn following_a_remote_log_prints_lines_as_they_come() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let log = fixture.put_record(ID, &json!({ "state": "running" })).join("job.log");
    append(&log, "zero\none\n");
    let mut child = fixture.pv(&["log", "-f", ID, "-n", "1", "--api", &url]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "one");
    append(&log, "two\n");
    assert_eq!(lines.next().unwrap(), "two");
    fixture.put_record(ID, &json!({ "state": "succeeded" }));
    assert_eq!(lines.next(), None);
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
fn a_broken_stream_is_resumed_where_it_broke() {
    let fixture = CliFixture::new();
    let stream = |events: &str| response("200 OK", "text/event-stream", events);
    let (url, served) = serve_canned(vec![
        stream("data: one\nid: 4\n\ndata: lost"),
        stream("data: two\nid: 8\n\nevent: end\ndata: {}\n\n"),
        response("200 OK", "application/json", &json!({ "job_id": ID, "state": "succeeded" }).to_string()),
    ]);
    assert_eq!(fixture.output(&["log", "-f", ID, "--api", &url], 0), "one\ntwo\n");
    let heads = served.join().unwrap();
    assert!(heads[0].starts_with(&format!("get /api/v1/jobs/{ID}/log/stream")) && !heads[0].contains("last-event-id"));
    assert!(heads[1].contains("last-event-id: 4"), "{}", heads[1]);
}

#[test]
fn the_token_is_sent_and_errors_are_printed() {
    let fixture = CliFixture::new();
    let errors = [
        ("401 Unauthorized", json!({ "detail": "a token is needed" }).to_string(), 5, "a token is needed"),
        (
            "422 Unprocessable Entity",
            json!({ "detail": [{ "loc": ["body", "repo"], "msg": "Field required" }] }).to_string(),
            5,
            "repo: Field required",
        ),
        ("404 Not Found", json!({ "detail": "Job not found" }).to_string(), 3, "Job not found"),
        ("409 Conflict", json!({ "detail": "Job already terminal" }).to_string(), 4, "Job already terminal"),
        ("502 Bad Gateway", "<html>".to_owned(), 6, "502 Bad Gateway"),
        ("200 OK", "<html>".to_owned(), 5, "/api/v1"),
    ];
    for (status, body, code, sentence) in errors {
        let (url, served) = serve_canned(vec![response(status, "application/json", &body)]);
        let output = finish(fixture.pv(&["show", ID, "--api", &url]).env("PV_API_TOKEN", "s3cret").spawn().unwrap());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{status}: {stderr}");
        assert!(stderr.contains(sentence), "{status}: {stderr}");
        assert!(served.join().unwrap()[0].contains("authorization: bearer s3cret"));
    }
}

#[test]
fn an_address_without_a_path_means_the_api_there() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let bare = url.strip_suffix("/api/v1").unwrap();
    assert_eq!(fixture.json(&["list", "--api", bare]), fixture.json(&["list"]));
}

#[test]
fn an_unreachable_api_is_named() {
    let fixture = CliFixture::new();
    let url = format!("http://127.0.0.1:{}/api/v1", free_port());
    for args in [&["list"][..], &["log", "-f", ID], &["submit", "task.md", "--repo", "r", "--branch", "b"]] {
        assert!(fixture.output(&[args, &["--api", &url]].concat(), 6).contains(&url));
    }
    fixture.output(&["list", "--api", "127.0.0.1:8888"], 2);
    fixture.output(&["list", "--api", "ftp://127.0.0.1/api/v1"], 2);
}
