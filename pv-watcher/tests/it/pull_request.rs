//! Pull requests against a small GitHub on loopback: whatever it does, there is one in the end, or a clear word.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{thread, time::Duration};

use camino::Utf8PathBuf;
use pv_watcher::pull_request::{
    Extras, Opened, Patience, PullRequest, Refusal, Rest, RestError,
    fake::{FakeGitHub, Mood, TOKEN, UNKNOWN},
};
use serde_json::json;
use tempfile::TempDir;

/// A host, and somebody who asks it.
struct Fixture {
    host: FakeGitHub,
    rest: Rest,
    _dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let (dir, host) = (tempfile::tempdir().unwrap(), FakeGitHub::start().unwrap());
        let token_file = Utf8PathBuf::from_path_buf(dir.path().join("token")).unwrap();
        std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
        let patience = Patience { pauses: [Duration::ZERO; 3], ..Patience::default() };
        let rest = Rest { api_base: format!("{}/", host.api_base()), token_file, patience };
        Self { host, rest, _dir: dir }
    }

    fn open(&self) -> Result<Opened, RestError> {
        self.rest.open(&wanted())
    }

    /// Opens, and returns the refusal, whose text must not hold the token.
    fn refusal(&self) -> Refusal {
        let error = self.open().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
        let RestError::Refused { host, refusal } = error else { panic!("{error}") };
        assert_eq!(host, "127.0.0.1");
        refusal
    }

    fn methods(&self) -> Vec<String> {
        self.host.seen().into_iter().map(|seen| seen.method).collect()
    }

    fn says(&self, status: u16, headers: &str, body: &str) {
        self.host.next(Mood::Says { status, headers: headers.into(), body: body.into() });
    }
}

fn wanted() -> PullRequest {
    PullRequest {
        owner: "o".into(),
        repo: "r".into(),
        base: "feature/x".into(),
        head: "pv/a&b#c".into(),
        title: "A title".into(),
        body: "Text".into(),
        draft: false,
    }
}

fn opened(number: usize, was_there: bool) -> Opened {
    Opened { url: format!("https://github.com/o/r/pull/{number}"), was_there, lacks_draft: false }
}

#[test]
fn opens_one_with_what_it_was_given() {
    let fixture = Fixture::new();
    assert_eq!(fixture.open().unwrap(), opened(1, false));
    let seen = fixture.host.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/repos/o/r/pulls"));
    assert_eq!(seen[0].json, json!({ "title": "A title", "body": "Text", "head": "pv/a&b#c", "base": "feature/x" }));
}

#[test]
fn one_that_may_be_no_draft_is_opened_all_the_same() {
    let fixture = Fixture::new();
    let draft = PullRequest { draft: true, ..wanted() };
    assert_eq!(fixture.rest.open(&draft).unwrap(), opened(1, false));
    assert_eq!(fixture.host.pulls()[0]["draft"], true);

    let message = json!({ "message": "Draft pull requests are not supported in this repository." });
    fixture.host.next(Mood::says(422, &message));
    let other = PullRequest { head: "pv/other".into(), ..draft };
    assert_eq!(fixture.rest.open(&other).unwrap(), Opened { lacks_draft: true, ..opened(2, false) });
    assert_eq!(fixture.host.pulls()[1]["draft"], false);
}

#[test]
fn labels_and_reviewers_are_added_and_what_is_refused_is_said() {
    let fixture = Fixture::new();
    let number = fixture.open().unwrap().number().unwrap();
    let add = |labels: &[&str], reviewers: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let extras = Extras { labels: own(labels), reviewers: own(reviewers) };
        fixture.rest.add(&wanted(), number, &extras)
    };
    assert_eq!(add(&["agent", "help wanted"], &["octocat", "o/core"]), Vec::<String>::new());
    let pull = fixture.host.pulls().remove(0);
    assert_eq!(pull["labels"], json!(["agent", "help wanted"]));
    assert_eq!(pull["requested_reviewers"], json!(["octocat", "core"]));
    let warnings = add(&[UNKNOWN, "more"], &[UNKNOWN, "hubot"]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[1].starts_with("`nobody-knows` could not be asked to review it (422: Reviews may only"),
        "{warnings:?}"
    );
    assert_eq!(fixture.host.pulls()[0]["requested_reviewers"], json!(["octocat", "core", "hubot"]));
    fixture.host.next(Mood::says(401, &json!({ "message": TOKEN })));
    let warnings = add(&["late"], &[]);
    assert!(warnings[0].contains("401: …") && !warnings[0].contains(TOKEN), "{warnings:?}");
    fixture.host.next(Mood::CutsBefore);
    assert!(add(&["late"], &[])[0].contains("the host gives no answer"));
}

#[test]
fn a_second_time_finds_the_first() {
    let fixture = Fixture::new();
    let other = PullRequest { head: "pv/other".into(), ..wanted() };
    assert_eq!(fixture.rest.open(&other).unwrap(), opened(1, false));
    assert_eq!(fixture.open().unwrap(), opened(2, false));
    assert_eq!(fixture.open().unwrap(), opened(2, true));
    assert_eq!(fixture.host.pulls().len(), 2);
    let asked = fixture.host.seen().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.path.split_once('?').unwrap().0), ("GET", "/repos/o/r/pulls"));
    // Without the owner a host shows everybody's, and a busy repository has more than are looked at.
    assert!(asked.path.contains("head=o%3Apv%2Fa%26b%23c&"), "{}", asked.path);
    let there = PullRequest { base: "main".into(), ..wanted() };
    assert_eq!(fixture.rest.open(&there).unwrap(), opened(3, false), "another base is another pull request");
}

#[test]
fn what_passes_is_tried_again_and_looked_for_first() {
    for mood in [
        Mood::says(500, &json!({})),
        Mood::Says { status: 502, headers: String::new(), body: "<html>".into() },
        Mood::says(429, &json!({ "message": "slow down" })),
        Mood::CutsBefore,
    ] {
        let fixture = Fixture::new();
        fixture.host.next(mood.clone());
        assert_eq!(fixture.open().unwrap(), opened(1, false), "{mood:?}");
        assert_eq!(fixture.methods(), ["POST", "GET", "POST"], "{mood:?}");
    }
}

/// The branch was seen by git a moment before: the API of a host may be behind.
#[test]
fn a_branch_that_the_api_does_not_know_yet_is_asked_for_again() {
    let head = json!({ "resource": "PullRequest", "field": "head", "code": "invalid" });
    let none = json!({ "code": "custom", "message": "No commits between main and pv/x" });
    for error in [head, none] {
        let fixture = Fixture::new();
        let says = || Mood::says(422, &json!({ "message": "Validation Failed", "errors": [error] }));
        fixture.host.next(says());
        assert_eq!(fixture.open().unwrap(), opened(1, false), "{error}");
        assert_eq!(fixture.methods(), ["POST", "GET", "POST"], "{error}");

        let fixture = Fixture::new();
        for _ in 0..4 {
            fixture.host.next(says());
            fixture.says(200, "", "[]");
        }
        let refusal = fixture.refusal();
        assert!(matches!(&refusal, Refusal::NotYet { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("pv retry"), "{refusal}");
    }
}

#[test]
fn an_answer_that_is_lost_makes_no_second_one() {
    let fixture = Fixture::new();
    fixture.host.next(Mood::CutsAfter);
    assert_eq!(fixture.open().unwrap(), opened(1, true));
    assert_eq!((fixture.methods().len(), fixture.host.pulls().len()), (2, 1));
}

#[test]
fn an_answer_that_is_lost_at_the_last_try_is_found_too() {
    let fixture = Fixture::new();
    for _ in 0..3 {
        fixture.host.next(Mood::CutsBefore);
        fixture.says(200, "", "[]");
    }
    fixture.host.next(Mood::CutsAfter);
    assert_eq!(fixture.open().unwrap(), opened(1, true));
    assert_eq!(fixture.methods().len(), 8);
}

#[test]
fn tries_only_so_often() {
    let fixture = Fixture::new();
    for _ in 0..20 {
        fixture.host.next(Mood::says(503, &json!({})));
    }
    assert_eq!(fixture.refusal(), Refusal::Fault { status: 503 });
    assert_eq!(fixture.methods(), ["POST", "GET", "GET", "GET", "GET"]);
}

#[test]
fn says_what_the_host_refused() {
    let fixture = Fixture::new();
    let (repo, token_file) = ("o/r".to_owned(), fixture.rest.token_file.clone());
    let message = |message: &str| json!({ "message": message }).to_string();
    let invalid = json!({
        "message": "Validation Failed",
        "errors": [{ "field": "base", "code": "invalid" }, { "message": "Not\ntoday" }, "more", 7]
    });
    let huge = format!("[\"{}\"]", "x".repeat(2 << 20));
    let cases = [
        (404, "", message("Not Found"), Refusal::NotFound { repo: repo.clone(), token_file: token_file.clone() }),
        (404, "", "<html>".into(), Refusal::Unexpected { status: 404 }),
        (
            403,
            "",
            message(&format!("no {TOKEN} \u{1b}[31m https://u:p@h/")),
            Refusal::Forbidden { said: "no … [31m https://h/".into(), repo, token_file },
        ),
        (
            422,
            "",
            invalid.to_string(),
            Refusal::Invalid { said: "Validation Failed: base: invalid: Not today: more".into() },
        ),
        (200, "", "{}".into(), Refusal::Unexpected { status: 200 }),
        (201, "", "not JSON".into(), Refusal::Unexpected { status: 201 }),
        (201, "", json!({ "html_url": "javascript:alert(1)" }).to_string(), Refusal::Unexpected { status: 201 }),
        (201, "", huge, Refusal::TooLarge { limit_bytes: 1 << 20 }),
    ];
    for (status, headers, body, expected) in cases {
        fixture.says(status, headers, &body);
        assert_eq!(fixture.refusal(), expected);
    }
    assert!(fixture.host.pulls().is_empty());
    assert!(fixture.methods().iter().all(|method| method == "POST"));
}

#[test]
fn a_token_that_is_refused_is_named_by_its_file() {
    let fixture = Fixture::new();
    std::fs::write(&fixture.rest.token_file, "stale-token").unwrap();
    let error = fixture.open().unwrap_err();
    let text = error.to_string();
    assert!(!error.is_transient() && text.contains("401: Bad credentials"), "{text}");
    assert!(text.contains(fixture.rest.token_file.as_str()) && !text.contains("stale-token"), "{text}");
    std::fs::remove_file(&fixture.rest.token_file).unwrap();
    assert!(matches!(fixture.open(), Err(RestError::Token(_))));
    assert_eq!(fixture.methods().len(), 1, "without a token nothing is asked");
}

#[test]
fn waits_as_long_as_it_is_asked_to_or_gives_up_at_once() {
    for (status, headers, wait) in [
        (403, "Retry-After: 3600\r\n", Some(3600)),
        (429, "Retry-After: 3600\r\n", Some(3600)),
        (429, "Retry-After: 99999999999999999999\r\n", None),
        (403, "X-RateLimit-Remaining: 0\r\n", None),
    ] {
        let fixture = Fixture::new();
        for _ in 0..9 {
            fixture.says(status, headers, "{}");
        }
        assert_eq!(fixture.refusal(), Refusal::RateLimited { wait: wait.map(Duration::from_secs) }, "{headers}");
        assert_eq!(fixture.methods().len(), if wait.is_some() { 1 } else { 4 }, "{headers}");
    }
    let fixture = Fixture::new();
    fixture.says(403, "Retry-After: 0\r\n", "{}");
    assert_eq!(fixture.open().unwrap(), opened(1, false));
}

#[test]
fn follows_no_redirect_with_the_token() {
    for status in [301, 302, 303, 307, 308] {
        let (fixture, elsewhere) = (Fixture::new(), FakeGitHub::start().unwrap());
        let location = format!("{}/repos/o/new/pulls", elsewhere.api_base());
        fixture.says(status, &format!("Location: {location}\r\n"), "");
        assert_eq!(fixture.refusal(), Refusal::Moved { status, location: Some(location) });
        assert!(elsewhere.seen().is_empty(), "{status}");
        assert_eq!(fixture.methods().len(), 1);
    }
}

#[test]
fn a_host_that_sleeps_is_given_up_on() {
    let mut fixture = Fixture::new();
    fixture.rest.patience.total = Duration::from_millis(200);
    fixture.host.next(Mood::Sleeps);
    assert_eq!(fixture.refusal(), Refusal::Timeout);
    assert_eq!(fixture.methods(), ["POST"]);
}

#[test]
fn a_call_that_sleeps_is_one_of_several() {
    let mut fixture = Fixture::new();
    fixture.rest.patience.call = Duration::from_millis(200);
    fixture.host.next(Mood::Sleeps);
    assert_eq!(fixture.open().unwrap(), opened(1, false));
}

#[test]
fn a_host_that_is_not_there_or_speaks_no_tls_is_named() {
    let mut fixture = Fixture::new();
    let address = fixture.host.api_base();
    fixture.rest.api_base = address.replace("http://", "https://");
    assert!(matches!(fixture.refusal(), Refusal::Untrusted { .. } | Refusal::NoAnswer { .. }));
    fixture.host = FakeGitHub::start().unwrap();
    fixture.rest.api_base = address;
    assert!(matches!(fixture.refusal(), Refusal::NoAnswer { .. }));
    for bad in ["", "github.com", "ftp://h", "https://", "https://user@h", "https://h/?x"] {
        fixture.rest.api_base = bad.into();
        assert_eq!(fixture.open(), Err(RestError::Address(bad.into())), "{bad}");
    }
}

#[test]
fn can_be_asked_from_a_thread_of_its_own() {
    let fixture = Fixture::new();
    let Fixture { host: _host, rest, _dir } = fixture;
    let asked = thread::spawn(move || rest.open(&wanted()));
    assert_eq!(asked.join().unwrap().unwrap(), opened(1, false));
}
