//! The holds that a real supervisor puts on its agent, and those that it lifts.

use std::{fs, time::Duration};

use pv_lib::{
    host,
    job::{FailReason, HoldKind, JobState},
    store::AgentHold,
    time::Timestamp,
};

use super::fixture::{AGENT, COMMAND, Fixture, wait_until};

const MESSAGE: &str = r#"{"type":"item.completed","item":{"type":"agent_message","text":"Working on it."}}"#;
const COMPLETED: &str = r#"{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}"#;

fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp::from_unix_seconds(host::now().unix_seconds() - 60 * minutes)
}

/// Puts a hold whose time is over.
fn put(fixture: &Fixture, agent: &str, kind: HoldKind, since: Timestamp) {
    let (agent, message, job_id) = (agent.to_owned(), "401".into(), "a".parse().unwrap());
    let hold = AgentHold { agent, kind, until: minutes_ago(1), message, job_id, unknown_ends: 1, since };
    // A child that another test has just forked may still have the lock's descriptor.
    wait_until("the hold is put", || fixture.store.put_hold(&hold).unwrap());
}

fn kinds(fixture: &Fixture) -> Vec<HoldKind> {
    fixture.store.holds(host::now()).unwrap().all().iter().map(|hold| hold.kind).collect()
}

#[test]
fn c02_a_program_that_is_not_there_holds_its_agent_and_one_of_the_repository_does_not() {
    let fixture = Fixture::new("").set(COMMAND, "/nowhere/agent");
    let before = host::now();
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Start)), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("/nowhere/agent") && message.contains("install it, or set"), "{message}");
    let holds = fixture.store.holds(host::now()).unwrap();
    let [hold] = &holds.active[..] else { panic!("{holds:?}") };
    assert_eq!((hold.kind, &hold.job_id, hold.unknown_ends), (HoldKind::Start, &fixture.id, 1));
    assert!(hold.message.contains("`/nowhere/agent` cannot be started"), "{}", hold.message);
    let after_15_minutes = |time: Timestamp| time.after(Duration::from_secs(15 * 60));
    assert!(hold.until >= after_15_minutes(before) && hold.until <= after_15_minutes(host::now()), "{hold:?}");

    let fixture = Fixture::new("").set(COMMAND, "./no-such-script");
    assert_eq!(fixture.run().reason, Some(FailReason::Start));
    assert!(kinds(&fixture).is_empty(), "another repository may have it");
}

#[test]
fn c02_the_first_answer_lifts_the_holds_while_the_agent_works() {
    let script = format!(
        "until [ -e \"$PV_RUN_ROOT/answer\" ]; do sleep 0.02; done\nprintf '%s\\n' '{MESSAGE}'\n\
         until [ -e \"$PV_RUN_ROOT/go\" ]; do sleep 0.02; done\nprintf '%s\\n' '{COMPLETED}'\n"
    );
    let fixture = Fixture::new(&script).set(AGENT, "codex");
    for kind in [HoldKind::Quota, HoldKind::Auth, HoldKind::Start, HoldKind::Paused] {
        put(&fixture, "codex", kind, minutes_ago(9));
    }
    put(&fixture, "claude", HoldKind::Auth, minutes_ago(9));
    let mut supervisor = fixture.start();
    let [auth, quota, paused] = [HoldKind::Auth, HoldKind::Quota, HoldKind::Paused];
    wait_until("it is started", || kinds(&fixture) == [auth, quota, auth, paused]);
    let run = fixture.store.layout().run_path(&fixture.id);
    fs::write(run.join("answer"), "").unwrap();
    wait_until("it has answered", || kinds(&fixture) == [auth, paused]);
    assert_eq!(fixture.record().state(), JobState::Running);
    fs::write(run.join("go"), "").unwrap();
    assert!(supervisor.wait());
    assert_eq!(fixture.record().state(), JobState::Succeeded, "{:?}", fixture.record());
    assert_eq!(kinds(&fixture), [auth, paused], "of another agent, and a person's wish");
}

#[test]
fn c02_a_job_that_proves_nothing_or_began_before_leaves_the_hold() {
    let fixture = Fixture::new("exit 3").set(AGENT, "codex");
    put(&fixture, "codex", HoldKind::Auth, minutes_ago(9));
    assert_eq!(fixture.run().reason, Some(FailReason::Exit));
    assert_eq!(kinds(&fixture), [HoldKind::Auth], "it ended without an answer");

    let works = format!("printf '%s\\n' '{MESSAGE}' '{COMPLETED}'");
    let fixture = Fixture::new(&works).set(AGENT, "codex");
    let later = host::now().after(Duration::from_secs(600));
    put(&fixture, "codex", HoldKind::Auth, later);
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    assert_eq!(kinds(&fixture), [HoldKind::Auth], "it was put while this one ran");
}

#[test]
fn c02_an_agent_without_events_lifts_the_hold_when_it_ends() {
    for (script, state) in [("exit 0", JobState::Succeeded), ("exit 3", JobState::Failed)] {
        let fixture = Fixture::new(script);
        put(&fixture, "script", HoldKind::Quota, minutes_ago(9));
        assert_eq!(fixture.run().state(), state);
        assert!(kinds(&fixture).is_empty(), "{script}");
    }
}
