//! `pv run --local`: from what is checked out, to a branch of this clone.

use std::fs;

use super::new_user::{NewUser, commit, state_of};
use crate::fixture::git;

/// A clone whose HEAD is not on its remote, with a changed file, a new one and an ignored one.
fn changed_clone(user: &NewUser) -> std::path::PathBuf {
    let clone = user.clone_of("example");
    fs::write(clone.join("second.txt"), "second\n").expect("writes");
    commit(&clone, "Second");
    fs::write(clone.join("README.md"), "changed\n").expect("writes");
    fs::write(clone.join("new.txt"), "new\n").expect("writes");
    fs::write(clone.join("noise.log"), "ignored by the person alone\n").expect("writes");
    fs::write(user.home().join("ignore"), "*.log\n").expect("writes");
    let config = format!("[core]\n\texcludesFile = {}\n", user.home().join("ignore").display());
    fs::write(user.home().join(".gitconfig"), config).expect("writes");
    clone
}

/// Runs a job, and returns the branch that it became.
fn run(user: &NewUser, clone: &std::path::Path, flags: &[&str]) -> String {
    let printed = user.output(clone, &[&["run", "x", "--local"], flags].concat(), 0);
    let record = user.records().pop().expect("a record");
    assert_eq!(record["state"], "succeeded", "{record}");
    let branch = record["delivery"]["branch"].as_str().expect("a branch").to_owned();
    assert!(printed.contains(&format!("branch     {branch} in this clone")), "{printed}");
    assert!(printed.contains(&format!("switch     git switch {branch}")), "{printed}");
    branch
}

#[test]
fn a_local_job_starts_from_head_and_becomes_a_branch_of_this_clone_alone() {
    let user = NewUser::with_agent();
    let clone = changed_clone(&user);
    let before = state_of(&clone);
    let show = |branch: &str, file: &str| git(&clone, &["show", &format!("{branch}:{file}")]);
    let files = |branch: &str| git(&clone, &["ls-tree", "-r", "--name-only", branch]);

    let plain = run(&user, &clone, &[]);
    assert_eq!(
        (show(&plain, "README.md").as_str(), files(&plain).as_str()),
        ("hello", "README.md\nWORK.txt\nsecond.txt")
    );
    let dirty = run(&user, &clone, &["--dirty"]);
    assert_eq!((show(&dirty, "README.md").as_str(), files(&dirty)), ("changed", files(&plain)));
    let all = run(&user, &clone, &["--dirty", "--untracked"]);
    assert_eq!(files(&all), "README.md\nWORK.txt\nnew.txt\nsecond.txt", "what the person ignores stays behind");
    assert_eq!(git(&clone, &["log", "--format=%s", &format!("main..{all}")]), "x\nChanges that were not committed");
    assert_eq!(git(&clone, &["log", "--format=%s", &format!("main..{plain}")]), "x");

    assert_eq!(state_of(&clone), before, "files, index, HEAD and references are as they were");
    let remote = git(&user.path("remote/example.git"), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(remote, "refs/heads/main", "nothing was pushed");
}

#[test]
fn a_local_job_needs_no_branch_and_goes_back_to_the_worktree_that_asked() {
    let user = NewUser::with_agent();
    let clone = changed_clone(&user);
    git(&clone, &["checkout", "-q", "--detach", "HEAD~1"]);
    let branch = run(&user, &clone, &[]);
    assert_eq!(git(&clone, &["rev-parse", &format!("{branch}~1")]), git(&clone, &["rev-parse", "HEAD"]));
    assert_eq!(user.records()[0]["branch_name"], "detached");
    let worktree = user.path("worktree");
    git(&clone, &["worktree", "add", "-q", "-b", "side", worktree.to_str().expect("UTF-8"), "main"]);
    fs::write(worktree.join("second.txt"), "in the worktree\n").expect("writes");
    let branch = run(&user, &worktree, &["--dirty"]);
    assert_eq!(git(&worktree, &["show", &format!("{branch}:second.txt")]), "in the worktree");
}

#[test]
fn a_local_job_needs_no_remote_that_is_clear() {
    let user = NewUser::with_agent();
    let clone = changed_clone(&user);
    git(&clone, &["remote", "rename", "origin", "one"]);
    git(&clone, &["remote", "add", "two", "/somewhere"]);
    let branch = run(&user, &clone, &["--dirty"]);
    assert_eq!(git(&clone, &["show", &format!("{branch}:README.md")]), "changed");
    let shallow = user.path("shallow");
    let from = format!("file://{}", user.path("remote/example.git").display());
    git(&user.home(), &["clone", "-q", "--depth", "1", &from, shallow.to_str().expect("UTF-8")]);
    let branch = run(&user, &shallow, &[]);
    assert_eq!(git(&shallow, &["show", &format!("{branch}:WORK.txt")]), "worked");
}

#[test]
fn a_repetition_of_a_local_job_starts_and_ends_where_that_did() {
    let user = NewUser::with_agent();
    let clone = changed_clone(&user);
    fs::write(user.home().join("work.sh"), "echo no > WORK.txt; exit 1\n").expect("writes");
    let printed = user.output(&clone, &["run", "x", "--local", "--dirty"], 1);
    let id = user.records()[0]["job_id"].as_str().expect("an id").to_owned();
    assert!(printed.contains(&format!("again      pv retry {}", &id[..12])), "{printed}");
    fs::write(user.home().join("work.sh"), "echo yes > WORK.txt\n").expect("writes");
    user.output(&clone, &["retry", &id], 0);
    let records = user.wait_for_all();
    assert_eq!((&records[1]["state"], &records[1]["retry_of"]), (&"succeeded".into(), &id.as_str().into()));
    let branch = records[1]["delivery"]["branch"].as_str().expect("a branch");
    assert_eq!(git(&clone, &["show", &format!("{branch}:README.md")]), "changed");
    assert_eq!(git(&clone, &["show", &format!("{branch}:WORK.txt")]), "yes");
}

#[test]
fn where_the_clone_is_gone_the_work_waits_for_it_and_goes_nowhere_else() {
    let user = NewUser::with_agent();
    let clone = changed_clone(&user);
    let moved = user.path("moved");
    let work = format!("mv {} {}\necho worked > WORK.txt\n", clone.display(), moved.display());
    fs::write(user.home().join("work.sh"), work).expect("writes");
    user.output(&clone, &["run", "x", "--local"], 1);
    let record = user.records().remove(0);
    assert_eq!((&record["reason"], &record["delivery"]["pr_url"]), (&"delivery".into(), &serde_json::Value::Null));
    assert!(record["message"].as_str().is_some_and(|said| said.contains("put the clone back")), "{record}");
    let remote = git(&user.path("remote/example.git"), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(remote, "refs/heads/main", "nothing was pushed");
    fs::rename(&moved, &clone).expect("moves");
    user.output(&clone, &["retry", record["job_id"].as_str().expect("an id")], 0);
    let records = user.wait_for_all();
    assert_eq!(records[1]["state"], "succeeded", "{records:?}");
    let branch = records[1]["delivery"]["branch"].as_str().expect("a branch");
    assert_eq!(git(&clone, &["show", &format!("{branch}:WORK.txt")]), "worked");
}
