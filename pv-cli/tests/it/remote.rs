//! The job commands against an API.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use serde_json::json;

use super::desk::{Api, Desk, append, finish, free_port};

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

/// Answers one connection after the other with the given bytes; returns the heads of the requests.
fn canned(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let answer = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            head.join("\n").to_lowercase()
        };
        answers.into_iter().map(answer).collect()
    });
    (url, served)
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

/// Returns the words of a text, but for ages: they may grow between two looks.
fn timeless(text: &str) -> Vec<&str> {
    let is_age = |word: &str| {
        let number = word.trim_start_matches('(').strip_suffix(['s', 'm', 'h', 'd']);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.split([' ', '\n']).filter(|word| !word.is_empty() && !is_age(word)).collect()
}

#[test]
fn a_remote_api_says_what_the_files_say() {
    let desk = Desk::new();
    let api = Api::on(&desk);
    let remote = |args: &[&str], code| desk.said(&[args, &["--api", &api.url]].concat(), code);
    let remote_json = |args: &[&str]| desk.json(&[args, &["--api", &api.url]].concat());

    let taken = remote_json(&["submit", "task.md", "--repo", "example", "--branch", "main"]);
    let id = taken["job_id"].as_str().unwrap();
    let many = remote_json(&["submit", "task.md", "task.md", "--repo", "example", "--branch", "main"]);
    assert_eq!(many["jobs"].as_array().unwrap().len(), 2);

    desk.record(ID, &json!({ "state": "failed", "message": "no", "exit_code": 3 }));
    fs::write(desk.path("root/runs").join(ID).join("job.log"), "one\n\ntwo\n").unwrap();
    for args in [
        &["list"][..],
        &["list", "--state", "created", "-n", "2"],
        &["list", "--state", "created,failed", "-n", "2"],
        &["show", ID],
        &["targets"],
        &["log", ID],
        &["log", ID, "-n", "1"],
    ] {
        assert_eq!(timeless(&remote(args, 0)), timeless(&desk.said(args, 0)), "{args:?}");
    }
    let (theirs, ours) = (remote_json(&["status"]), desk.json(&["status"]));
    for key in ["jobs", "targets", "roots", "watcher"] {
        assert_eq!(theirs[key], ours[key], "{key}");
    }

    assert_eq!(remote_json(&["abort", &id[..31]])["previous_state"], "created");
    assert_eq!(remote_json(&["show", id])["abort_requested"], true);
    fs::write(desk.path("root/runs").join(ID).join("prompt.md"), "# Again\n").unwrap();
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
    let desk = Desk::new();
    let api = Api::on(&desk);
    let log = desk.record(ID, &json!({ "state": "running" })).join("job.log");
    append(&log, "zero\none\n");
    let mut child = desk.command(&["log", "-f", ID, "-n", "1", "--api", &api.url]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "one");
    append(&log, "two\n");
    assert_eq!(lines.next().unwrap(), "two");
    desk.record(ID, &json!({ "state": "succeeded" }));
    assert_eq!(lines.next(), None);
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
fn a_broken_stream_is_taken_up_where_it_broke() {
    let desk = Desk::new();
    let stream = |events: &str| answer("200 OK", "text/event-stream", events);
    let (url, served) = canned(vec![
        stream("data: one\nid: 4\n\ndata: lost"),
        stream("data: two\nid: 8\n\nevent: end\ndata: {}\n\n"),
        answer("200 OK", "application/json", &json!({ "job_id": ID, "state": "succeeded" }).to_string()),
    ]);
    assert_eq!(desk.said(&["log", "-f", ID, "--api", &url], 0), "one\ntwo\n");
    let heads = served.join().unwrap();
    assert!(heads[0].starts_with(&format!("get /api/v1/jobs/{ID}/log/stream")) && !heads[0].contains("last-event-id"));
    assert!(heads[1].contains("last-event-id: 4"), "{}", heads[1]);
}

#[test]
fn the_token_is_sent_and_refusals_are_told() {
    let desk = Desk::new();
    let refusals = [
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
    for (status, body, code, sentence) in refusals {
        let (url, served) = canned(vec![answer(status, "application/json", &body)]);
        let output = finish(desk.command(&["show", ID, "--api", &url]).env("PV_API_TOKEN", "s3cret").spawn().unwrap());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{status}: {said}");
        assert!(said.contains(sentence), "{status}: {said}");
        assert!(served.join().unwrap()[0].contains("authorization: bearer s3cret"));
    }
}

#[test]
fn an_address_without_a_path_means_the_api_there() {
    let desk = Desk::new();
    let api = Api::on(&desk);
    let bare = api.url.strip_suffix("/api/v1").unwrap();
    assert_eq!(desk.json(&["list", "--api", bare]), desk.json(&["list"]));
}

#[test]
fn an_api_that_is_not_there_is_named() {
    let desk = Desk::new();
    let url = format!("http://127.0.0.1:{}/api/v1", free_port());
    for args in [&["list"][..], &["log", "-f", ID], &["submit", "task.md", "--repo", "r", "--branch", "b"]] {
        assert!(desk.said(&[args, &["--api", &url]].concat(), 6).contains(&url));
    }
    desk.said(&["list", "--api", "127.0.0.1:8888"], 2);
    desk.said(&["list", "--api", "https://127.0.0.1/api/v1"], 2);
}
