//! The real `gh` against a small GitHub at a socket: its command line, and how it says what it did.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{fs, process::Command};

use pv_lib::{config::Secret, job::JobId};
use pv_watcher::{
    Environment,
    pull_request::{
        Extras, Gh, GhAnswer, GhLogin, Opened, PullRequest,
        fake::{FakeGitHub, TOKEN, UNKNOWN},
    },
};
use serde_json::json;

fn said(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let words = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), words)
}

#[test]
fn opens_one_finds_it_and_says_when_it_is_not_logged_in() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    fs::write(dir.path().join("config.yml"), format!("http_unix_socket: {}\n", socket.display())).unwrap();
    let mut host = FakeGitHub::start().unwrap();
    host.listen_at(&socket).unwrap();

    let variables = [("PATH", std::env::var_os("PATH").unwrap()), ("GH_CONFIG_DIR", dir.path().into())];
    let environment: Environment = variables.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let job: JobId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let own = camino::Utf8PathBuf::from_path_buf(dir.path().join("own")).unwrap();
    let log_in =
        |token: &str| GhLogin::write(own.clone(), "github.com", &Secret::new(token.into()), &environment).unwrap();
    let login = log_in(TOKEN);
    let gh = Gh { environment: &environment, job: &job, host: "github.com", login: Some(&login) };
    let wanted = PullRequest {
        owner: "o".into(),
        repo: "r".into(),
        base: "feature/x".into(),
        head: "pv/1".into(),
        title: "--draft".into(),
        body: format!("# Text\n\n{}\n", "é@octocat ".repeat(20_000)),
        draft: true,
    };
    let page = "https://github.com/o/r/pull/1".to_owned();

    assert_eq!(GhAnswer::page(&said(gh.list(&wanted)).1, &wanted), None);
    let (succeeded, words) = said(gh.create(&wanted).unwrap());
    let opened = GhAnswer::Opened(Opened { url: page.clone(), was_there: false, lacks_draft: false });
    assert_eq!(GhAnswer::read(succeeded, &words, &wanted), opened, "{words}");
    let pull = &host.pulls()[0];
    assert_eq!(pull["draft"], true);
    assert_eq!((&pull["title"], &pull["body"]), (&wanted.title.clone().into(), &wanted.body.clone().into()));

    let (succeeded, words) = said(gh.create(&wanted).unwrap());
    let found = GhAnswer::Opened(Opened { url: page.clone(), was_there: true, lacks_draft: false });
    assert_eq!(GhAnswer::read(succeeded, &words, &wanted), found, "{words}");
    assert_eq!(GhAnswer::page(&said(gh.list(&wanted)).1, &wanted), Some(page));
    assert_eq!(host.pulls().len(), 1);

    let extras =
        Extras { labels: vec!["agent".into()], reviewers: vec!["octocat".into(), UNKNOWN.into(), "o/core".into()] };
    let warnings = extras.add("repos/o/r", 1, &mut |path, json| match said(gh.post(path, json).unwrap()) {
        (true, _) => Ok(()),
        (false, words) => Err(GhAnswer::refusal(&words)),
    });
    let expected = format!(
        "`{UNKNOWN}` could not be asked to review it (Reviews may only be requested from collaborators. (HTTP 422))"
    );
    assert_eq!(warnings, [expected]);
    let pull = &host.pulls()[0];
    assert_eq!((&pull["labels"], &pull["requested_reviewers"]), (&json!(["agent"]), &json!(["octocat", "core"])));

    let (succeeded, words) = said(Gh { login: None, ..gh }.create(&wanted).unwrap());
    let answer = GhAnswer::read(succeeded, &words, &wanted);
    assert_eq!(answer, GhAnswer::LoggedOut, "{words}");
    let stale = log_in("stale");
    let (succeeded, words) = said(Gh { login: Some(&stale), ..gh }.create(&wanted).unwrap());
    let answer = GhAnswer::read(succeeded, &words, &wanted);
    assert!(matches!(&answer, GhAnswer::Refused(why) if why.contains("401")), "{answer:?}");
}
