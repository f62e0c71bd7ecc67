//! The checkout before the agent, and the saved work after it.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use pv_lib::job::{FailReason, JobState, Phase};

use super::fixture::{self, Fixture, git};

fn fails_at_checkout(fixture: &Fixture, expected: &str) {
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Checkout)), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains(expected), "{message}");
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
}

#[test]
fn a_missing_clone_says_what_to_do() {
    let fixture = Fixture::new("true");
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    let expected = format!("there is no clone of it at {}/repos/o/r: clone it there, or set", fixture.root);
    fails_at_checkout(&fixture, &expected);
}

#[test]
fn a_missing_clone_comes_from_the_remote_where_one_is_configured() {
    let fixture = Fixture::new("cat README.md");
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    let remote = format!("file://{}/elsewhere/{{owner}}/{{repo}}", fixture.root);
    let fixture = fixture.set(fixture::REMOTE, &remote);
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    assert_eq!(fixture.log(), b"hello\n");
}

/// An installation whose repository comes from a host that answers nothing.
fn with_a_silent_host() -> (Fixture, TcpListener) {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = format!("http://{}/{{owner}}/{{repo}}.git", host.local_addr().unwrap());
    let fixture = Fixture::new("echo ran > ../../witness").set(fixture::REMOTE, &remote);
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    (fixture, host)
}

#[test]
fn a_checkout_that_takes_too_long_is_ended() {
    let (fixture, _host) = with_a_silent_host();
    let fixture = fixture.set(fixture::GIT_MS, "1000");
    fails_at_checkout(&fixture, "git took longer than 1 s and was stopped: set git.timeout higher");
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn an_abort_ends_a_checkout_too() {
    let (fixture, host) = with_a_silent_host();
    let mut supervisor = fixture.start();
    let _connection = host.accept().unwrap();
    let begun = Instant::now();
    fixture.abort();
    assert!(supervisor.wait());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let record = fixture.record();
    assert_eq!((record.state(), record.phase), (JobState::Aborted, Some(Phase::Preparing)), "{record:?}");
    assert!(!fixture.root.join("witness").exists());
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn git_says_in_its_own_words_why_a_checkout_fails() {
    let fixture = Fixture::new("true");
    git(&fixture.root.join("repos/o/r"), &["branch", "--quiet", "-m", "other"]);
    fails_at_checkout(&fixture, "cannot check out main of o/r: ");
    let fixture = Fixture::new("true").set(fixture::REMOTE, "https://user:secret@127.0.0.1:1/{owner}/{repo}.git");
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Checkout));
    assert!(!record.message.unwrap().contains("secret"));
}

#[test]
fn a_branch_that_only_the_remote_of_the_clone_has_is_checked_out() {
    let fixture = Fixture::new("git branch --show-current; cat README.md");
    let repository = fixture.root.join("repos/o/r");
    fs::rename(&repository, fixture.root.join("upstream")).unwrap();
    git(&fixture.root, &["-C", "upstream", "branch", "other"]);
    git(&fixture.root, &["clone", "--quiet", "--branch", "other", "upstream", repository.as_str()]);
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(fixture.log(), b"main\nhello\n");
}

#[test]
fn what_an_agent_does_to_its_repository_stays_there() {
    let hostile = "git config core.fsmonitor 'touch ../../pwned; false'; git config diff.external 'touch ../../pwned'
        git config filter.x.clean 'touch ../../pwned; cat'; echo '*.txt filter=x' > .gitattributes; echo t > t.txt
        printf '#!/bin/sh\\ntouch ../../pwned\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/*
        mkdir shut; echo s > shut/s; chmod 500 shut";
    let fixture = Fixture::new(hostile);
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert!(!fixture.root.join("pwned").exists());
    let patch = fs::read_to_string(record.delivery.unwrap().patch_path.unwrap()).unwrap();
    assert!(patch.contains("+++ b/t.txt") && patch.contains("+++ b/shut/s"), "{patch}");
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
}

#[test]
fn the_work_is_saved_even_where_the_agent_removed_the_repository() {
    let fixture = Fixture::new("rm -rf .git; echo more >> README.md");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    let patch = fs::read_to_string(record.delivery.unwrap().patch_path.unwrap()).unwrap();
    assert!(patch.contains("+more"), "{patch}");
}

#[test]
fn work_that_cannot_be_saved_stays_in_the_checkout_and_the_record_says_where() {
    let fixture = Fixture::new("echo more >> README.md; rm -rf ../../repos .git");
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Delivery)), "{record:?}");
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    assert!(record.message.unwrap().contains(checkout.as_str()));
    assert_eq!(fs::read_to_string(checkout.join("README.md")).unwrap(), "hello\nmore\n");
}
