//! Repositories that are not like any other: what is said, and what to type.

use std::{fs, path::Path};

use super::new_user::{NewUser, commit};
use crate::fixture::git;

/// Runs `pv run` where it must be refused; nothing is submitted.
fn refused(user: &NewUser, dir: &Path, code: i32, said: &[&str]) {
    let printed = user.output(dir, &["run", "x"], code);
    assert!(said.iter().all(|part| printed.contains(part)), "{said:?} in {printed}");
    assert_eq!(user.records().len(), 0, "{printed}");
}

/// Runs `pv run` where it works; returns what it printed, and the branch.
fn works(user: &NewUser, dir: &Path, said: &[&str]) -> String {
    let printed = user.output(dir, &["run", "x"], 0);
    assert!(said.iter().all(|part| printed.contains(part)), "{said:?} in {printed}");
    let record = user.records().pop().expect("a record");
    record["delivery"]["branch"].as_str().expect("a branch").to_owned()
}

#[test]
fn where_there_is_nothing_to_work_on_it_is_said() {
    let user = NewUser::with_agent();
    refused(&user, &user.home(), 3, &["is in no git repository", "git clone URL"]);
    let clone = user.clone_of("example");
    refused(&user, &user.path("remote/example.git"), 5, &["is a bare repository", "git clone "]);
    refused(&user, &clone.join(".git"), 5, &["inside a repository's own folder"]);
    let empty = user.path("empty");
    git(&user.home(), &["init", "-q", empty.to_str().expect("UTF-8")]);
    refused(&user, &empty, 5, &["has no commit yet", "git commit --allow-empty -m Begin"]);
    git(&clone, &["checkout", "-q", "--detach"]);
    refused(&user, &clone, 5, &["HEAD is detached at ", "git switch BRANCH", "--branch NAME", "--local"]);
    git(&clone, &["checkout", "-q", "-b", "mine"]);
    refused(&user, &clone, 5, &["origin has no branch mine", "git push -u origin mine", "--branch NAME", "--local"]);
    git(&clone, &["remote", "rename", "origin", "one"]);
    git(&clone, &["remote", "add", "two", "/somewhere"]);
    refused(
        &user,
        &clone,
        5,
        &["several remotes, none of them named origin", "git config checkout.defaultRemote NAME"],
    );
    assert!(!user.root("repos").exists(), "nothing was made");
}

#[test]
fn a_clone_without_a_remote_gets_a_branch_itself() {
    let user = NewUser::with_agent();
    let clone = user.repository("alone");
    let said = ["repository   local/alone\n", "becomes a branch of this clone, which has no remote", "in this clone"];
    let branch = works(&user, &clone, &said);
    assert_eq!(git(&clone, &["show", &format!("{branch}:WORK.txt")]), "worked");
}

#[test]
fn of_two_remotes_origin_is_used_and_the_other_named() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    git(&clone, &["remote", "add", "fork", "/somewhere"]);
    let branch = works(&user, &clone, &["note: of its remotes origin is used, not fork"]);
    git(&clone, &["fetch", "-q", "origin"]);
    git(&clone, &["rev-parse", "--verify", "-q", &format!("origin/{branch}")]);
}

#[test]
fn a_remote_by_a_relative_path_is_found_from_the_clone() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    git(&clone, &["remote", "set-url", "origin", "../remote/example.git"]);
    fs::create_dir(clone.join("sub")).expect("a folder");
    let branch = works(&user, &clone.join("sub"), &["repository   remote/example ("]);
    git(&user.path("remote/example.git"), &["rev-parse", "--verify", "-q", &branch]);
}

#[test]
fn a_branch_that_follows_none_is_taken_where_the_remote_has_one_of_its_name() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    git(&clone, &["branch", "--unset-upstream"]);
    works(&user, &clone, &["note: main follows no branch of origin; origin has one of that name"]);
}

#[test]
fn a_worktree_and_a_submodule_are_worked_on_alone() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let worktree = user.path("worktree");
    git(&clone, &["worktree", "add", "-q", "-b", "side", worktree.to_str().expect("UTF-8")]);
    git(&worktree, &["push", "-q", "-u", "origin", "side"]);
    let branch = works(&user, &worktree, &["starts from  side as origin has it", "note: this is a worktree"]);
    git(&user.path("remote/example.git"), &["rev-parse", "--verify", "-q", &branch]);

    git(&clone, &["remote", "set-url", "origin", "../remote/example.git"]);
    works(&user, &worktree, &["repository   remote/example ("]);

    let around = user.clone_of("around");
    let remote = user.path("remote/example.git");
    let add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q", remote.to_str().expect("UTF-8"), "inner"];
    git(&around, &add);
    commit(&around, "Add a submodule");
    let said = ["note: this is a submodule of ", "repository   remote/example ("];
    let branch = works(&user, &around.join("inner"), &said);
    git(&user.path("remote/example.git"), &["rev-parse", "--verify", "-q", &branch]);

    let other = user.path("remote/other.git");
    git(&remote, &["clone", "-q", "--bare", ".", other.to_str().expect("UTF-8")]);
    git(&around.join("inner"), &["remote", "set-url", "origin", "../../remote/other.git"]);
    let printed = user.output(&around.join("inner"), &["run", "x"], 5);
    assert!(printed.contains("by a path that only it can read: `git remote set-url origin ADDRESS`"), "{printed}");
}

#[test]
fn two_repositories_of_one_name_stay_apart_and_a_moved_clone_is_found_again() {
    let user = NewUser::with_agent();
    let first = user.repository("a/app");
    let second = user.repository("b/app");
    let branch = works(&user, &first, &["repository   local/app\n"]);
    works(&user, &second, &["repository   local/app-2\n"]);
    works(&user, &second, &["repository   local/app-2\n"]);
    git(&first, &["rev-parse", "--verify", "-q", &branch]);
    let moved = user.path("c/app");
    fs::create_dir_all(user.path("c")).expect("a folder");
    fs::rename(&first, &moved).expect("moves");
    let branch = works(&user, &moved, &["repository   local/app\n"]);
    git(&moved, &["rev-parse", "--verify", "-q", &branch]);
}

#[test]
fn a_job_whose_clone_is_gone_fails_and_means_no_other_repository() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    works(&user, &clone, &[]);
    fs::rename(&clone, user.path("elsewhere")).expect("moves");
    let submit = ["submit", "-", "--repo", "remote/example", "--branch", "main"];
    let mut pv = user.pv(&user.home(), &submit);
    let mut child = pv.stdin(std::process::Stdio::piped()).spawn().expect("starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"# Late\n").expect("writes");
    assert!(crate::fixture::finish(child).status.success());
    let record = user.wait_for_all().pop().expect("a record");
    assert_eq!((&record["state"], &record["reason"]), (&"failed".into(), &"checkout".into()), "{record}");
    assert!(record["message"].as_str().is_some_and(|said| said.contains("not a git repository")), "{record}");
}

#[test]
fn a_clone_that_became_unusable_keeps_no_other_from_its_place() {
    let user = NewUser::with_agent();
    let first = user.clone_of("example");
    works(&user, &first, &[]);
    git(&user.home(), &["clone", "-q", user.path("remote/example.git").to_str().expect("UTF-8"), "second"]);
    git(&first, &["remote", "rename", "origin", "one"]);
    git(&first, &["remote", "add", "two", "/somewhere"]);
    works(&user, &user.home().join("second"), &["repository   remote/example ("]);
    fs::write(first.join(".git/config"), "[broken\n").expect("writes");
    works(&user, &user.home().join("second"), &["repository   remote/example ("]);
}
