//! Watchers and supervisors that are killed at ten moments of `pv run`, from the first call of git for its job to the last.
//!
//! It is git that kills, a script here: its calls are the same in each run, so that the moments are too.

use std::{fs, process::Command};

use serde_json::Value;

use super::new_user::{NewUser, state_of};
use crate::fixture::{finish, git, processes_of, text, wait_until};

/// Kills at the call for a job whose number `~/kill-at` says: the watcher, or the supervisor that makes the call.
const GIT: &str = r#"#!/bin/sh
case $PV_JOB_ID in
"" | none) ;; # Not for a job.
*)
    echo call >> "$HOME/calls"
    if [ "$(wc -l < "$HOME/calls")" -eq "$(cat "$HOME/kill-at")" ]; then
        case $(cat "$HOME/victim") in
        supervisor) kill -9 $PPID; exec sleep 1000 ;;
        watcher) kill -9 "$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$HOME/../state/prompt-valet/runs/.locks/.watcher.json")" ;;
        esac
    fi
    ;;
esac
PATH=${PATH#*:} exec git "$@"
"#;

/// Runs a job ten times, and kills in each; returns how each ended.
fn kill_at_ten_moments(victim: &str) -> Vec<(String, String)> {
    let user = NewUser::with_agent();
    user.install("git", GIT);
    let clone = user.clone_of("example");
    let before = state_of(&clone);
    let calls = user.home().join("calls");
    let set = |name: &str, value: &str| fs::write(user.home().join(name), value).expect("writes");
    set("kill-at", "0");
    set("victim", victim);
    user.output(&clone, &["run", "the first"], 0);
    let count = fs::read_to_string(&calls).expect("calls of git").lines().count();
    assert!(count >= 10, "{count} calls are too few for ten moments");
    let mut ends = Vec::new();
    for moment in 0..10 {
        fs::remove_file(&calls).expect("removes");
        set("kill-at", &(1 + moment * count / 10).to_string());
        let output = finish(user.pv(&clone, &["run", &format!("number {moment}")]).spawn().expect("starts"));
        let record = user.records().pop().expect("a record");
        let end = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(i32::from(end("state") != "succeeded")), "{printed}\n{record}");
        assert!(printed.contains(&end("state")), "{printed}");
        assert_is_right(&user, &record);
        ends.push((end("state"), end("reason")));
    }
    assert_eq!(state_of(&clone), before);
    let waiting = fs::read_dir(user.root("inbox/remote/example/main")).expect("an inbox").flatten();
    assert_eq!(waiting.count(), 0, "no prompt is left");
    assert_eq!(user.json(&clone, &["status"])["unusable"]["entries"].as_array().map_or(0, Vec::len), 0);
    set("kill-at", "0");
    assert!(user.output(&clone, &["run", "the last"], 0).contains("succeeded"));
    ends
}

/// Asserts that the work is at the remote where the record says so and nowhere else, made once, and that nothing is left.
fn assert_is_right(user: &NewUser, record: &Value) {
    let (id, remote) = (record["job_id"].as_str().expect("an id"), user.path("remote/example.git"));
    let branches = git(&remote, &["branch", "--list", &format!("codex/*{id}"), "--format=%(refname:short)"]);
    if record["state"] == "succeeded" {
        assert_eq!(git(&remote, &["show", &format!("{branches}:WORK.txt")]), "worked", "{record}");
    } else {
        assert_eq!((&record["state"], &record["reason"]), (&"failed".into(), &"interrupted".into()), "{record}");
        assert_eq!(branches, "", "{record}");
    }
    wait_until("nothing of it lives", || processes_of(id).is_empty().then_some(()));
    wait_until("its checkout is gone", || (!user.root(format!("work/{id}")).exists()).then_some(()));
}

#[test]
fn g15_a_watcher_that_is_killed_at_ten_moments_costs_no_job_of_run() {
    let ends = kill_at_ten_moments("watcher");
    assert!(ends.iter().all(|(state, _)| state == "succeeded"), "{ends:?}");
}

#[test]
fn g17_a_supervisor_that_is_killed_at_ten_moments_leaves_run_the_right_end() {
    let ends = kill_at_ten_moments("supervisor");
    // Before the agent has worked it is interrupted; once its work is saved, the next supervisor delivers it.
    for state in ["succeeded", "failed"] {
        assert!(ends.iter().any(|end| end.0 == state), "{ends:?}");
    }
}

#[test]
fn run_says_that_its_watcher_is_gone_and_the_next_run_brings_its_job_to_an_end() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.output(&clone, &["run", "the first"], 0);
    let status = fs::read(user.root("runs/.locks/.watcher.json")).expect("a status");
    let watcher = serde_json::from_slice::<Value>(&status).expect("JSON")["pid"].to_string();
    let kill = |signal: &str| assert!(Command::new("kill").args([signal, &watcher]).status().expect("runs").success());
    // Stopped, it holds its lock and starts nothing.
    kill("-STOP");
    let said = user.path("said");
    let mut run = user.pv(&clone, &["run", "waits"]);
    let follower = run.stderr(fs::File::create(&said).expect("a file")).spawn().expect("starts");
    wait_until("it is submitted", || (user.records().len() == 2).then_some(()));
    kill("-KILL");
    let waiting = fs::read_dir(user.root("inbox/remote/example/main")).expect("an inbox");
    assert_eq!(waiting.count(), 1, "it waits");
    let is_said = || fs::read_to_string(&said).is_ok_and(|said| said.contains("waits: no watcher runs any more"));
    wait_until("it says why it waits", || is_said().then_some(()));
    user.output(&clone, &["run", "the next"], 0);
    let output = finish(follower);
    assert!(output.status.success(), "{}", text(&output));
}
