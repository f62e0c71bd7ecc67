//! Pushes that a remote refuses: what it said is kept whole, its cause is in the message, and a name that it cannot take is
//! changed by a setting.

use std::fs;

use pv_lib::job::{FailReason, JobRecord, JobState, PushState};

use super::{
    deliver::{fixture as with_remote, refuse_with, remote},
    fixture::{self, Fixture, git},
};

/// An installation whose work is pushed as a branch.
fn fixture() -> Fixture {
    with_remote("echo ran >> ../../witness; echo more >> README.md").set(fixture::DELIVER, "branch")
}

/// Makes a branch at the remote.
fn put_branch(fixture: &Fixture, name: &str) {
    git(&remote(fixture), &["branch", name, "main"]);
}

fn heads(fixture: &Fixture) -> Vec<String> {
    let listed = git(&remote(fixture), &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
    listed.lines().filter(|name| *name != "main").map(str::to_owned).collect()
}

/// Runs the job, which must fail to be delivered, and returns its record and message.
fn fails(fixture: &Fixture) -> (JobRecord, String) {
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Delivery)), "{record:?}");
    let message = record.message.clone().unwrap();
    (record, message)
}

fn push_log(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.store.layout().push_log_path(&fixture.id)).unwrap_or_default()
}

#[test]
fn c12_the_cause_of_a_refusal_is_in_the_run_folder_and_in_the_message() {
    // Of the three the first is the one that was reported; a cause without a mark, and one amid many more lines.
    for (lines, at, cause) in [
        (40, 2, "error: GH013: secrets must not be pushed"),
        (40, 2, "nobody may push on a Friday"),
        (30_000, 15_000, "GitLab: You are not allowed to push"),
    ] {
        let fixture = fixture();
        refuse_with(&fixture, &format!("seq {lines} | sed 's/^/this is line /; {at}s/.*/{cause}/' >&2; exit 1"));
        let (record, message) = fails(&fixture);
        assert!(message.contains(cause) && message.contains("pre-receive hook declined"), "{message}");
        assert!(message.contains(&format!("pv log --push {}", fixture.id)), "{message}");
        assert!(message.len() < 2_000, "{} bytes", message.len());
        let kept = push_log(&fixture);
        assert!(kept.contains("this is line 1\n") && kept.contains(&format!("this is line {lines}\n")), "{kept}");
        assert!(lines > 40 || kept.contains(&format!("remote: {cause}\n")), "{kept}");
        assert!(kept.len() < 200_000, "{} bytes", kept.len());
        let delivery = record.delivery.unwrap();
        assert_eq!(delivery.push_log_path.as_deref(), Some(fixture.store.layout().push_log_path(&fixture.id).as_str()));
        assert_eq!(delivery.push, Some(PushState::Refused));
    }
}

#[test]
fn c12_a_push_that_never_reached_a_remote_is_no_refusal() {
    let fixture = fixture();
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["remote", "set-url", "--push", "origin", "http://127.0.0.1:1/o/r.git"]);
    let (record, message) = fails(&fixture);
    assert!(message.contains("Failed to connect") && message.contains("could not be reached"), "{message}");
    assert_eq!(record.delivery.unwrap().push, Some(PushState::Begun), "nobody has seen what it has");
    assert!(push_log(&fixture).contains("Failed to connect"));
}

#[test]
fn c13_a_name_that_the_remote_cannot_take_says_which_setting_helps_and_a_retry_uses_it() {
    // The reported one; one deeper, that another branch is in the way of; a rule of the remote's own.
    let check = |prefix: &str, prepare: &dyn Fn(&Fixture), says: &str| {
        let mut fixture = fixture().set(fixture::PREFIX, prefix);
        prepare(&fixture);
        let (record, message) = fails(&fixture);
        assert!(message.contains("set delivery.branch_prefix") && message.contains(says), "{prefix}: {message}");
        let refused = record.delivery.unwrap().branch.unwrap();
        let before = heads(&fixture);

        let first = fixture.retry();
        let fixture = fixture.set(fixture::PREFIX, "agents-");
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
        assert_eq!(record.delivery.unwrap().branch, Some(format!("agents-{first}")), "{refused}");
        assert_eq!(heads(&fixture), [vec![format!("agents-{first}")], before].concat());
        assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
    };
    check("codex/", &|fixture| put_branch(fixture, "codex"), "the remote has a branch `codex`, and can have no other");
    check("bots/codex/", &|fixture| put_branch(fixture, "bots"), "the remote has a branch `bots`");
    check(
        "codex/",
        &|fixture| {
            let hook = "while read old new ref; do case $ref in refs/heads/*/*) echo $ref: no slashes in branches >&2; exit 1;;
                esac; done";
            drop(refuse_with(fixture, hook));
        },
        "if it is the branch's name that the remote does not take",
    );
}

#[test]
fn c13_a_branch_in_other_letters_is_named() {
    let fixture = fixture();
    put_branch(&fixture, "Codex");
    refuse_with(&fixture, "echo reference conflict due to case-insensitive filesystem >&2; exit 1");
    let (_, message) = fails(&fixture);
    assert!(message.contains("the remote has a branch `Codex`, which some hosts cannot tell"), "{message}");
}

#[test]
fn c13_another_refusal_names_no_setting() {
    let fixture = fixture();
    refuse_with(&fixture, "echo commits must be signed >&2; exit 1");
    let (_, message) = fails(&fixture);
    assert!(!message.contains("branch_prefix"), "{message}");
}

#[test]
fn c13_a_branch_that_may_be_there_keeps_its_name() {
    // As the record of a push says that was cut short, and one of an older version that says nothing of it.
    for (push, is_there, is_kept) in [
        (Some(PushState::Begun), false, true),
        (Some(PushState::Begun), true, true),
        (Some(PushState::Pushed), true, true),
        (None, true, true),
        (None, false, false),
    ] {
        let mut fixture = fixture();
        let hook = refuse_with(&fixture, "exit 1");
        let (record, _) = fails(&fixture);
        fs::remove_file(hook).unwrap();
        let (delivery, old) = (record.delivery.unwrap(), fixture.id.clone());
        let (branch, commit) = (delivery.branch.clone().unwrap(), delivery.commit.clone().unwrap());
        let path = fixture.store.layout().record_path(&old);
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        json["delivery"]["push"] = serde_json::to_value(push).unwrap();
        fs::write(&path, json.to_string()).unwrap();
        if is_there {
            let mirror = fixture.root.join("repos/.mirrors/o/r.git");
            git(&mirror, &["push", "--quiet", remote(&fixture).as_str(), &format!("{commit}:refs/heads/{branch}")]);
        }
        fixture.retry();
        let fixture = fixture.set(fixture::PREFIX, "agents/");
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
        let expected = if is_kept { branch } else { format!("agents/{old}") };
        assert_eq!(heads(&fixture), [expected], "{push:?} {is_there}: the work is there once");
        assert_eq!(record.message.unwrap().contains("keeps the name"), is_kept, "{push:?}");
    }
}
