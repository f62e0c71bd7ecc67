//! Submodules that cannot be fetched: which they are, and that nothing else is missing.

use std::{fs, net::TcpListener};

use pv_lib::job::{FailReason, JobRecord, JobState};

use super::{
    deliver::{branches, fixture as with_remote},
    fixture::{self, Fixture, commit, git},
};

/// An address at which nothing listens.
const DEAD: &str = "http://127.0.0.1:1/sub.git";

/// An installation whose remote has these submodules, a path and an address each; the good one is `../sub.git`.
fn with_submodules(script: &str, submodules: &[(&str, &str)]) -> Fixture {
    let fixture = with_remote(script).set(fixture::DELIVER, "branch");
    let sub = fixture.root.join("sub");
    fs::create_dir_all(&sub).unwrap();
    fs::write(sub.join("inner"), "inner\n").unwrap();
    git(&sub, &["init", "--quiet", "--initial-branch", "main"]);
    commit(&sub, "sub");
    git(&fixture.root, &["clone", "--quiet", "--bare", "sub", "sub.git"]);
    let work = fixture.root.join("work-on-it");
    git(&fixture.root, &["clone", "--quiet", "remote.git", work.as_str()]);
    for (path, url) in submodules {
        git(&work, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", "../sub.git", path]);
        git(&work, &["config", "--file", ".gitmodules", &format!("submodule.{path}.url"), url]);
    }
    commit(&work, "add submodules");
    git(&work, &["push", "--quiet", "origin", "main"]);
    let fixture = fixture.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "protocol.file.allow");
    fixture.set("GIT_CONFIG_VALUE_0", "always")
}

fn succeeds(fixture: &Fixture) -> JobRecord {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    record
}

fn log(fixture: &Fixture) -> String {
    String::from_utf8(fixture.log()).unwrap()
}

#[test]
fn c20_a_submodule_at_a_dead_address_is_a_warning_and_all_else_is_there() {
    let script = "cat good/inner; ls -A dead; git status --short; echo more >> README.md";
    let fixture = with_submodules(script, &[("dead", DEAD), ("good", "../sub.git")]);
    let record = succeeds(&fixture);
    let (message, log) = (record.message.unwrap(), log(&fixture));
    let warning = format!("the submodule dead could not be fetched from {DEAD}: fatal: unable to access");
    assert!(message.starts_with("pushed codex/") && message.contains(&warning), "{message}");
    assert!(log.starts_with(&format!("[pv: {warning}")) && log.ends_with("]\ninner\n"), "{log}");
    let branch = branches(&fixture);
    let changed = git(&fixture.root.join("remote.git"), &["diff", "--name-only", &format!("main..{branch}")]);
    assert_eq!(changed, "README.md", "the submodule counts as it was");
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
}

#[test]
fn c20_a_submodule_that_must_be_there_fails_the_job_and_is_named() {
    let fixture = with_submodules("echo ran > ../../witness", &[("good", "../sub.git"), ("dead", DEAD)]);
    let record = fixture.set(fixture::SUBMODULES, "must").run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Checkout)), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("the submodule dead could not be fetched") && message.contains("`must`"), "{message}");
}

#[test]
fn c20_no_submodule_is_fetched_where_none_is_wanted() {
    let submodules = [("dead", DEAD), ("good", "../sub.git")];
    let fixture = with_submodules("ls -A dead good; echo more >> README.md", &submodules);
    let fixture = fixture.set(fixture::SUBMODULES, "none");
    let message = succeeds(&fixture).message.unwrap();
    assert_eq!(log(&fixture), "dead:\n\ngood:\n");
    assert!(!message.contains("submodule"), "{message}");
}

#[test]
fn c20_a_commit_that_the_submodules_repository_no_longer_has_is_a_warning_and_no_change() {
    let fixture = with_submodules("ls -A sub; echo more >> README.md", &[("sub", "../sub.git")]);
    let sub = fixture.root.join("sub.git");
    let tree = git(&sub, &["rev-parse", "main^{tree}"]);
    let other = git(&sub, &["-c", "user.name=n", "-c", "user.email=e", "commit-tree", "-m", "other", &tree]);
    git(&sub, &["update-ref", "refs/heads/main", &other]);
    git(&sub, &["reflog", "expire", "--expire=now", "--all"]);
    git(&sub, &["gc", "--quiet", "--prune=now"]);
    let record = succeeds(&fixture);
    let message = record.message.unwrap();
    assert!(message.contains("the submodule sub could not be fetched from ../sub.git"), "{message}");
    let changed =
        git(&fixture.root.join("remote.git"), &["diff", "--name-only", &format!("main..{}", branches(&fixture))]);
    assert_eq!(changed, "README.md");
    assert_eq!(log(&fixture).lines().count(), 1, "its folder is empty: {}", log(&fixture));
}

#[test]
fn c20_a_host_that_does_not_answer_is_waited_for_once_and_no_other_submodule_is_missing() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = |name: &str| format!("http://{}/{name}.git", host.local_addr().unwrap());
    let submodules = [("a", &*silent("a")), ("b", &*silent("b")), ("c", "../sub.git"), ("d", &*silent("d"))];
    let fixture = with_submodules("cat c/inner", &submodules).set(fixture::GIT_IDLE_MS, "1500");
    let record = succeeds(&fixture);
    let message = record.message.unwrap();
    assert!(
        message.contains("the submodule a could not be fetched") && message.contains("git.idle_timeout"),
        "{message}"
    );
    assert_eq!(message.matches("127.0.0.1 did not answer for another one").count(), 2, "{message}");
    assert!(log(&fixture).ends_with("inner\n"), "{}", log(&fixture));
}

#[test]
fn c20_a_list_of_submodules_that_cannot_be_read_is_a_warning() {
    let fixture = with_submodules("true", &[("good", "../sub.git")]);
    let work = fixture.root.join("work-on-it");
    fs::write(work.join(".gitmodules"), "[submodule\n").unwrap();
    git(&work, &["-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "-am", "break it"]);
    git(&work, &["push", "--quiet", "origin", "main"]);
    let message = succeeds(&fixture).message.unwrap();
    assert!(message.contains("the submodules of .gitmodules cannot be read"), "{message}");
}
