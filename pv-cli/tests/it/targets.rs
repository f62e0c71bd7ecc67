//! `pv targets add` and `sync`, with clones of this host.

use std::{fs, process::Command};

use serde_json::Value;

use super::desk::Desk;

/// A desk with a repository of one commit and some branches.
fn with_clone() -> Desk {
    let desk = Desk::new();
    let clone = desk.path("root/repos/nova/tools");
    fs::create_dir_all(&clone).expect("a folder");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&clone).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(git.status().expect("git is there").success(), "{args:?}");
    };
    git(&["init", "-q", "-b", "trunk"]);
    git(&["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "x"]);
    git(&["branch", "feature/x"]);
    git(&["branch", "codex/0123"]);
    desk
}

fn names(targets: &Value) -> Vec<String> {
    let name = |target: &Value| format!("{}@{}", target["full_repo"].as_str()?, target["branch"].as_str()?).into();
    targets.as_array().expect("a list").iter().filter_map(name).collect()
}

#[test]
fn a_sync_makes_folders_for_the_branches_of_clones() {
    let desk = with_clone();
    let wanted = ["nova/tools@feature/x", "nova/tools@trunk"];
    assert_eq!(names(&desk.json(&["targets", "sync", "--dry-run"])["made"]), wanted);
    assert_eq!(names(&desk.json(&["targets"])), ["nova/example@main"]);
    assert!(desk.said(&["targets", "sync"], 0).contains("feature/x"));
    assert_eq!(names(&desk.json(&["targets"])), ["nova/example@main", wanted[0], wanted[1]]);
    assert_eq!(desk.said(&["targets", "sync"], 0), "every wanted inbox folder is there\n");
    desk.json(&["submit", "task.md", "--repo", "tools", "--branch", "feature/x"]);
}

#[test]
fn a_clone_that_cannot_be_read_is_named() {
    let desk = with_clone();
    fs::create_dir_all(desk.path("root/repos/nova/broken/.git")).expect("a folder");
    assert!(desk.said(&["targets", "sync"], 5).contains("repos/nova/broken"));
    assert_eq!(names(&desk.json(&["targets"])).len(), 3);
}

#[test]
fn without_a_branch_the_clones_own_is_added() {
    let desk = with_clone();
    assert_eq!(names(&desk.json(&["targets", "add", "nova/tools"])), ["nova/tools@trunk"]);
    assert_eq!(names(&desk.json(&["targets", "add", "nova/other"])), ["nova/other@main"]);
    assert_eq!(names(&desk.json(&["targets", "add", "nova/tools", "a", "b/c"])), ["nova/tools@a", "nova/tools@b/c"]);
}

#[test]
fn a_remote_api_makes_no_targets() {
    let desk = Desk::new();
    for args in [&["targets", "sync"][..], &["targets", "add", "o/r"]] {
        desk.said(&[args, &["--api", "http://127.0.0.1:1"]].concat(), 5);
    }
}
