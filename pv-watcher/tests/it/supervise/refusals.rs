//! A remote that cannot be reached, or refuses: the message says why in its words, what to do, and as whom.

use std::{fs, os::unix::fs::PermissionsExt};

use pv_lib::{
    host,
    job::{FailReason, JobState},
};

use super::{
    deliver::fixture as with_remote,
    fixture::{Fixture, git},
};

/// Runs a job whose remote is reached by ssh, which says this and ends; returns the job's message.
fn message_of(said: &str) -> String {
    let fixture = with_remote("echo ran > ../../witness");
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", "ssh://git@h.example:2222/o/r.git"]);
    let ssh = fixture.root.join("ssh");
    fs::write(&ssh, format!("#!/bin/sh\ncat >&2 <<'SAID'\n{said}\nSAID\nexit 255\n")).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let fixture = fixture.set("GIT_SSH_COMMAND", ssh.as_str());
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Checkout)), "{record:?}");
    assert!(!fixture.root.join("witness").exists());
    record.message.unwrap()
}

#[test]
fn c28_an_unknown_host_key_names_ssh_keyscan_known_hosts_and_the_services_user() {
    let (message, user) = (message_of("Host key verification failed."), host::user_name());
    let start = "cannot check out main of o/r: Host key verification failed; ";
    assert!(message.starts_with(start), "{message}");
    let command = format!("as {user}, run `ssh-keyscan -p 2222 h.example >> ~/.ssh/known_hosts`");
    assert!(message.contains(&command), "{message}");
}

#[test]
fn c28_a_changed_host_key_warns_of_somebody_between() {
    let line = "Host key for [h.example]:2222 has changed and you have requested strict checking.";
    let message = message_of(&format!("Offending key in /k:1\n{line}\nHost key verification failed."));
    assert!(message.contains("h.example]:2222 has changed") && message.contains("somebody is between"), "{message}");
}

#[test]
fn c28_a_key_that_is_not_accepted_is_to_be_added_there() {
    let message = message_of("git@h.example: Permission denied (publickey).");
    assert!(message.contains(": git@h.example: Permission denied (publickey); none of the ssh keys of"), "{message}");
}

#[test]
fn c28_a_branch_that_is_not_there_is_told_of_the_remote_itself() {
    let fixture: Fixture = with_remote("true");
    git(&fixture.root.join("remote.git"), &["branch", "--quiet", "-m", "other"]);
    let message = fixture.run().message.unwrap();
    assert!(message.contains("find remote ref refs/heads/main; make the branch there"), "{message}");
}
