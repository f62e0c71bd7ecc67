//! How long git may take: on and on while something arrives, and not for ever where nothing does.

use std::{fs, net::Ipv4Addr, net::TcpListener, time::Duration};

use pv_lib::{
    fs::{Fs, OsFs},
    job::{FailReason, JobState},
};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, commit, git},
    git_http::{Answer, GitHttp},
};

/// How large the slow repository is, in bytes, and the pieces in which it comes.
const SLOW_BYTES: usize = 3 << 20;
const PIECE_BYTES: usize = SLOW_BYTES / 24;

/// An installation whose only clone is moved to `elsewhere`: all comes from `host`.
fn without_clone(fixture: Fixture, base: &str) -> Fixture {
    fs::rename(fixture.root.join("repos"), fixture.root.join("elsewhere")).unwrap();
    fixture.set(fixture::REMOTE, &format!("{base}/elsewhere/{{owner}}/{{repo}}"))
}

/// Returns the message of a job whose checkout fails.
fn message_of(fixture: &Fixture) -> String {
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Checkout)), "{record:?}");
    assert_eq!(fixture.alive(), Vec::<String>::new());
    record.message.unwrap()
}

#[test]
fn c09_a_first_fetch_goes_on_while_something_arrives_though_it_takes_longer_than_the_idle_limit() {
    let fixture = Fixture::new("wc -c < large");
    let clone = fixture.root.join("repos/o/r");
    // What cannot be compressed.
    let noise: Vec<u8> =
        std::iter::successors(Some(1_u64), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
            .map(|number| number.to_be_bytes()[0])
            .take(SLOW_BYTES)
            .collect();
    fs::write(clone.join("large"), noise).unwrap();
    commit(&clone, "large");
    let host = GitHttp::start(Ipv4Addr::LOCALHOST, &fixture.root, |request| {
        // Six seconds and more, where nothing may be silent for three.
        if request.is_pack() { Answer::Slowly(PIECE_BYTES, Duration::from_millis(250)) } else { Answer::Git }
    });
    let fixture = without_clone(fixture, &host.base()).set(fixture::GIT_IDLE_MS, "3000");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert_eq!(fixture.log(), format!("{SLOW_BYTES}\n").as_bytes());
}

#[test]
fn c09_a_first_fetch_that_receives_nothing_names_the_setting_and_a_clone_that_spares_it() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", host.local_addr().unwrap());
    let fixture = without_clone(Fixture::new("true"), &base).set(fixture::GIT_IDLE_MS, "700");
    let message = message_of(&fixture);
    let start =
        "cannot check out main of o/r: git received nothing for 0 s and was stopped: set git.idle_timeout higher";
    assert!(message.starts_with(start), "{message}");
    let clone = format!("clone it once to {}/repos/o/r as ", fixture.root);
    assert!(message.contains(&clone), "{message}");
}

#[test]
fn c09_a_later_fetch_names_the_setting_alone() {
    let mut fixture = with_remote("true").set(fixture::DELIVER, "branch");
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    fixture.retry();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/r.git", host.local_addr().unwrap());
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", &address]);
    let message = message_of(&fixture.set(fixture::GIT_MS, "1000"));
    assert!(message.contains("git took longer than 1 s and was stopped: set git.timeout higher"), "{message}");
    assert!(!message.contains("clone it once"), "{message}");
}

#[test]
fn c09_a_mirror_that_another_job_fetches_for_too_long_is_told_as_that() {
    let fixture = with_remote("true").set(fixture::GIT_MS, "1000");
    let lock = fixture.root.join("repos/.mirrors/o/r.git.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let _held = OsFs.try_lock(&lock).unwrap();
    let message = message_of(&fixture);
    assert!(message.contains("another job has fetched it for 1 s (git.timeout)"), "{message}");
}
