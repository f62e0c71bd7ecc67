//! The token for the git host: it is fetched with, and shown to no other host.

use std::{fs, net::Ipv4Addr};

use pv_lib::job::{FailReason, JobRecord, JobState};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, commit, git},
    git_http::{Answer, GitHttp, asks_for},
};

const TOKEN: &str = "t0ken-of-the-host";

/// An address of loopback that is not the host's.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// An installation that has the token of the host 127.0.0.1, and nothing else to log in with.
fn with_token(fixture: Fixture) -> Fixture {
    let token = fixture.root.join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fixture.set(fixture::TOKEN_FILE, token.as_str()).set(fixture::DELIVER, "branch")
}

fn set_url(fixture: &Fixture, url: &str) {
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", url]);
}

/// Makes the bare repository `sub.git`, and adds it to the remote as the submodule `sub` under this address.
fn add_submodule(fixture: &Fixture, url: &str) {
    let (sub, work) = (fixture.root.join("sub"), fixture.root.join("work-on-it"));
    fs::create_dir_all(&sub).unwrap();
    fs::write(sub.join("inner"), "inner\n").unwrap();
    git(&sub, &["init", "--quiet", "--initial-branch", "main"]);
    commit(&sub, "sub");
    git(&fixture.root, &["clone", "--quiet", "--bare", "sub", "sub.git"]);
    git(&fixture.root, &["clone", "--quiet", "remote.git", work.as_str()]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", "../sub.git", "sub"];
    git(&work, &add);
    git(&work, &["config", "--file", ".gitmodules", "submodule.sub.url", url]);
    commit(&work, "add a submodule");
    git(&work, &["push", "--quiet", "origin", "main"]);
}

fn succeeds(fixture: &Fixture) -> JobRecord {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    record
}

/// Checks that a server was asked, and by nobody with any credentials.
fn was_shown_nothing(host: &GitHttp) {
    let seen = host.seen();
    assert!(!seen.is_empty(), "it was asked");
    assert!(seen.iter().all(|request| request.credentials.is_none()), "{seen:?}");
}

#[test]
fn c11_a_remote_that_asks_for_a_login_is_fetched_with_the_token_and_pushed_to() {
    let fixture = with_token(with_remote("cat README.md; echo more >> README.md"));
    let host = GitHttp::with_token(&fixture.root, TOKEN);
    set_url(&fixture, &format!("{}/remote.git", host.base()));
    let fixture = fixture.set(fixture::API_BASE, &host.base());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"hello\n");
    assert!(super::deliver::branches(&fixture).starts_with("codex/"));
}

#[test]
fn c11_a_first_fetch_without_a_clone_has_the_token_too_and_a_refused_one_says_where_it_is_kept() {
    let fixture = with_token(Fixture::new("cat README.md")).set(fixture::DELIVER, "none");
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    let host = GitHttp::with_token(&fixture.root, TOKEN);
    let remote = format!("{}/elsewhere/{{owner}}/{{repo}}", host.base());
    let mut fixture = fixture.set(fixture::REMOTE, &remote).set(fixture::API_BASE, &host.base());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"hello\n");
    fs::write(fixture.root.join("token"), "an-old-one\n").unwrap();
    fixture.retry();
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Checkout), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("Authentication failed for") && message.contains("delivery.token_file"), "{message}");
    assert!(!message.contains("an-old-one"), "{message}");
}

#[test]
fn c11_submodules_of_the_same_host_are_fetched_with_the_token() {
    let fixture = with_token(with_remote("cat sub/inner"));
    let host = GitHttp::with_token(&fixture.root, TOKEN);
    add_submodule(&fixture, "../sub.git");
    set_url(&fixture, &format!("{}/remote.git", host.base()));
    let fixture = fixture.set(fixture::API_BASE, &host.base());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"inner\n");
}

#[test]
fn c11_a_submodule_of_another_host_is_fetched_without_the_token() {
    let fixture = with_token(with_remote("cat sub/inner"));
    let host = GitHttp::with_token(&fixture.root, TOKEN);
    let other = GitHttp::start(ELSEWHERE, &fixture.root, |_| Answer::Git);
    add_submodule(&fixture, &format!("{}/sub.git", other.base()));
    set_url(&fixture, &format!("{}/remote.git", host.base()));
    let fixture = fixture.set(fixture::API_BASE, &host.base());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"inner\n");
    was_shown_nothing(&other);
}

#[test]
fn c11_another_host_that_asks_for_a_login_gets_the_persons_own_and_never_the_token() {
    let fixture = with_token(with_remote("cat sub/inner"));
    let host = GitHttp::with_token(&fixture.root, TOKEN);
    let other = GitHttp::start(ELSEWHERE, &fixture.root, |request| asks_for(request, "their-own"));
    add_submodule(&fixture, &format!("{}/sub.git", other.base()));
    set_url(&fixture, &format!("{}/remote.git", host.base()));
    let helper = "!f() { echo username=x-access-token; echo password=their-own; }; f";
    let fixture = fixture.set(fixture::API_BASE, &host.base()).set("GIT_CONFIG_COUNT", "1");
    let fixture = fixture.set("GIT_CONFIG_KEY_0", "credential.helper").set("GIT_CONFIG_VALUE_0", helper);
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"inner\n");
    let shown: Vec<_> = other.seen().into_iter().filter_map(|request| request.credentials).collect();
    assert!(!shown.is_empty() && shown.iter().all(|shown| shown == "x-access-token:their-own"), "{shown:?}");
}

#[test]
fn c11_a_redirect_to_another_host_takes_no_token_along() {
    for asks_first in [true, false] {
        let fixture = with_token(with_remote("true"));
        let other = GitHttp::start(ELSEWHERE, &fixture.root, |request| asks_for(request, TOKEN));
        let base = other.base();
        let host = GitHttp::start(Ipv4Addr::LOCALHOST, &fixture.root, move |request| {
            if asks_first && request.credentials.is_none() {
                return asks_for(request, TOKEN);
            }
            Answer::Status("302 Found", format!("Location: {base}{}\r\n", request.target))
        });
        set_url(&fixture, &format!("{}/remote.git", host.base()));
        let record = fixture.set(fixture::API_BASE, &host.base()).run();
        assert_eq!(record.reason, Some(FailReason::Checkout), "{record:?}");
        was_shown_nothing(&other);
    }
}
