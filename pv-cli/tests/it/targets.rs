//! `pv targets add` and `sync`, with clones of this host.

use std::fs;

use serde_json::Value;

use super::fixture::{CliFixture, git};

/// A root with a repository of one commit and some branches.
fn with_clone() -> CliFixture {
    let fixture = CliFixture::new();
    let clone = fixture.path("repos/nova/tools");
    fs::create_dir_all(&clone).expect("a folder");
    git(&clone, &["init", "-q", "-b", "trunk"]);
    git(&clone, &["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "x"]);
    git(&clone, &["branch", "feature/x"]);
    git(&clone, &["branch", "codex/0123"]);
    fixture
}

fn names(targets: &Value) -> Vec<String> {
    let name = |target: &Value| format!("{}@{}", target["full_repo"].as_str()?, target["branch"].as_str()?).into();
    targets.as_array().expect("a list").iter().filter_map(name).collect()
}

#[test]
fn a_sync_makes_folders_for_the_branches_of_clones() {
    let fixture = with_clone();
    let wanted = ["nova/tools@feature/x", "nova/tools@trunk"];
    assert_eq!(names(&fixture.json(&["targets", "sync", "--dry-run"])["made"]), wanted);
    assert_eq!(names(&fixture.json(&["targets"])), ["nova/example@main"]);
    assert!(fixture.output(&["targets", "sync"], 0).contains("feature/x"));
    assert_eq!(names(&fixture.json(&["targets"])), ["nova/example@main", wanted[0], wanted[1]]);
    assert_eq!(fixture.output(&["targets", "sync"], 0), "every wanted inbox folder is there\n");
    fixture.json(&["submit", "task.md", "--repo", "tools", "--branch", "feature/x"]);
}

#[test]
fn a_clone_that_cannot_be_read_is_named() {
    let fixture = with_clone();
    fs::create_dir_all(fixture.path("repos/nova/broken/.git")).expect("a folder");
    assert!(fixture.output(&["targets", "sync"], 5).contains("repos/nova/broken"));
    assert_eq!(names(&fixture.json(&["targets"])).len(), 3);
}

#[test]
fn without_a_branch_the_clones_own_is_added() {
    let fixture = with_clone();
    assert_eq!(names(&fixture.json(&["targets", "add", "nova/tools"])), ["nova/tools@trunk"]);
    assert_eq!(names(&fixture.json(&["targets", "add", "nova/other"])), ["nova/other@main"]);
    assert_eq!(names(&fixture.json(&["targets", "add", "nova/tools", "a", "b/c"])), ["nova/tools@a", "nova/tools@b/c"]);
}

#[test]
fn a_remote_api_makes_no_targets() {
    let fixture = CliFixture::new();
    for args in [&["targets", "sync"][..], &["targets", "add", "o/r"]] {
        fixture.output(&[args, &["--api", "http://127.0.0.1:1"]].concat(), 5);
    }
}
