//! Agents that are at a limit: whose jobs wait, for how long, and that others do not.

use std::time::Duration;

use pv_lib::{
    config::RepoSettings,
    job::{HoldKind, JobState},
    prompt::{Source, Submission},
    store::AgentHold,
};
use pv_watcher::{Reconciler, TickReport};

use crate::{
    machine::{TEXT, id, now, submit, tuning},
    rounds::{Fixture, HeldBy, INBOX, fixture},
};

/// Holds an agent until some seconds from now.
fn hold(fixture: &Fixture, agent: &str, seconds: u64) {
    let until = now().after(Duration::from_secs(seconds));
    let hold = AgentHold {
        agent: agent.into(),
        kind: HoldKind::Quota,
        until,
        message: "enough".into(),
        job_id: id(77),
        unknown_ends: 0,
        since: now(),
    };
    assert!(fixture.store.put_hold(&hold).expect("holds"));
}

impl Fixture {
    /// Does a round when the time of day is some seconds later.
    fn round_after(&mut self, seconds: u64) -> TickReport {
        self.at += Duration::from_secs(1);
        self.reconciler.round(self.at, now().after(Duration::from_secs(seconds)))
    }

    /// Submits a prompt that names its agent, the nth.
    fn submit_for(&self, agent: &str, n: u64) {
        let markdown = format!("---\npv:\n  agent: {agent}\n---\n{TEXT}");
        let submission = Submission {
            repo: "o/r".into(),
            branch: "main".into(),
            markdown: markdown.into(),
            filename: Some(format!("for{n}.md")),
            source: Source::Api,
            retry_of: None,
        };
        self.store.submit(&[submission], &mut || id(n), now()).expect("submits");
    }
}

#[test]
fn jobs_of_a_held_agent_wait_until_the_hold_ends_and_others_go_on() {
    let mut fixture = fixture();
    submit(&fixture.store, 2).expect("submits");
    fixture.submit_for("claude", 3);
    fixture.submit_for("codex", 4);
    hold(&fixture, "codex", 60);
    let round = fixture.settle();
    assert_eq!((round.running, round.waiting, round.held), (1, 0, 3));
    assert_eq!(fixture.launcher.running(), [id(3)]);
    assert_eq!([1, 2, 4].map(|n| fixture.state(&id(n))), [JobState::Created; 3]);
    let round = fixture.round_after(59);
    assert_eq!((round.running, round.held), (1, 3));
    let round = fixture.round_after(60);
    assert_eq!((round.running, round.held), (2, 2), "one is tried");
    assert!(fixture.store.lift_hold("codex", HoldKind::Quota).expect("lifts"));
    let round = fixture.round_after(61);
    assert_eq!((round.running, round.held), (4, 0));
}

#[test]
fn a_new_watcher_knows_the_holds_and_they_take_no_room() {
    let mut fixture = fixture();
    submit(&fixture.store, 3).expect("submits");
    fixture.submit_for("claude", 9);
    hold(&fixture, "codex", 60);
    fixture.settle();
    fixture.launcher.finish(&id(9));
    fixture.submit_for("claude", 10);
    let one = pv_watcher::Tuning { max_concurrent: 1, ..tuning() };
    let launcher = HeldBy { store: fixture.store.clone(), launcher: fixture.launcher.clone() };
    fixture.reconciler = Reconciler::new(fixture.store.clone(), one, launcher, Box::new(|| id(99)));
    let round = fixture.settle();
    assert_eq!((round.running, round.held), (1, 3));
    assert_eq!(fixture.launcher.running(), [id(10)]);
    hold(&fixture, "claude", 90);
    fixture.launcher.finish(&id(10));
    assert_eq!(fixture.round_after(60).running, 1);
    assert_eq!(fixture.launcher.running(), [id(1)], "the oldest first");
}

#[test]
fn a_held_job_can_be_aborted_and_its_prompt_may_name_another_agent() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.submit_for("codex", 2);
    hold(&fixture, "codex", 60);
    assert_eq!(fixture.settle().held, 2);
    fixture.store.request_abort(&id(1), now()).expect("asks");
    let waiting = fixture.store.find_prompt(&id(2)).expect("looks").expect("waits").path;
    fixture.fs.write(&waiting, format!("---\npv:\n  job_id: {}\n  agent: claude\n---\n{TEXT}", id(2)));
    let round = fixture.settle();
    assert_eq!((round.running, round.held), (1, 0));
    assert_eq!(fixture.state(&id(1)), JobState::Aborted);
    assert_eq!(fixture.launcher.running(), [id(2)]);
}

#[test]
fn a_damaged_hold_and_a_prompt_that_is_none_stop_nothing() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.fs.put("/pv/runs/.holds/codex.json", "{\"agent\":\"codex\",\"until\":\"for ever\"}");
    hold(&fixture, "claude", 60);
    fixture.fs.put(format!("{INBOX}/bad.prompt.md"), "---\npv: [\n---\n");
    let round = fixture.settle();
    assert_eq!((round.running, round.held), (2, 0), "its supervisor says what is wrong with it");
}

#[test]
fn the_agent_of_a_repository_is_the_one_that_is_held() {
    let mut fixture = fixture();
    let mut tuning = tuning();
    let settings = RepoSettings { agent: Some("claude".into()), ..RepoSettings::default() };
    tuning.repos.by_name.insert("o/r".into(), settings);
    let launcher = HeldBy { store: fixture.store.clone(), launcher: fixture.launcher.clone() };
    fixture.reconciler = Reconciler::new(fixture.store.clone(), tuning, launcher, Box::new(|| id(1000)));
    submit(&fixture.store, 1).expect("submits");
    fixture.submit_for("codex", 2);
    hold(&fixture, "claude", 60);
    let round = fixture.settle();
    assert_eq!((round.running, round.held), (1, 1));
    assert_eq!(fixture.launcher.running(), [id(2)], "its prompt names another agent");
}

#[test]
fn a_job_that_runs_only_checks_waits_for_no_agent() {
    let mut fixture = fixture();
    fixture.submit_for("codex", 1);
    let (old, new) = (id(1), id(2));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let record = format!(
        "{{\"schema_version\":1,\"job_id\":\"{old}\",\"state\":\"failed\",\"reason\":\"check\",\"git_owner\":\"o\",\
         \"repo_name\":\"r\",\"branch_name\":\"main\",\"base_commit\":\"{commit}\",\"delivery\":{{\"commit\":\"{commit}\"}}}}"
    );
    let waiting = fixture.store.find_prompt(&old).expect("looks").expect("waits").path;
    let text = String::from_utf8(fixture.store.prompt(&old).expect("reads")).expect("is text");
    fixture.fs.write(fixture.store.layout().record_path(&old), record);
    fixture.fs.put(fixture.store.layout().prompt_path(&old), text);
    pv_lib::fs::durable::remove(fixture.store.fs(), &waiting).expect("removes");
    fixture.store.retry_checks(&old, &new, now()).expect("submits");
    hold(&fixture, "codex", 60);
    let round = fixture.settle();
    assert_eq!((round.running, round.held), (1, 0), "no agent of it could be at the limit");
    assert_eq!(fixture.launcher.running(), [new]);
}
