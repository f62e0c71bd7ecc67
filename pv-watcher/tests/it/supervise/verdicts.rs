//! The verdict is heard: of agents that stay after it, are silent while they work, or are stopped with their supervisor.

use std::{fs, thread, time::Duration};

use pv_lib::job::{FailReason, JobRecord, JobState};
use rustix::process::Signal;

use super::{
    deliver::fixture as with_remote,
    fixture::{AGENT, DELIVER, EMPTY, Fixture, IDLE_MS, NO_CGROUP, SETTLE_MS, git, is_alive, wait_until},
};

const CODEX_DONE: &str = r#"{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}"#;
const CODEX_FAILED: &str = r#"{"type":"turn.failed","error":{"message":"broken"}}"#;
const CLAUDE_DONE: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"ok"}"#;
const CLAUDE_FAILED: &str =
    r#"{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["broken"]}"#;
const OPENCODE_DONE: &str = r#"{"type":"step_finish","part":{"reason":"stop"}}"#;
const OPENCODE_NEXT: &str = r#"{"type":"step_start","part":{}}"#;

fn says(line: &str) -> String {
    format!("printf '%s\\n' '{line}'\n")
}

fn message(record: &JobRecord) -> &str {
    record.message.as_deref().unwrap_or_default()
}

#[test]
fn c01_an_agent_that_stays_after_its_last_word_is_ended_and_counts_by_it() {
    let stays = "echo x > real.txt; sh -c 'echo $$ > \"$PV_RUN_ROOT/child\"; exec sleep 100000' & ";
    for (agent, verdict, state, said) in [
        ("codex", CODEX_DONE, JobState::Succeeded, "its process stayed for"),
        ("claude", CLAUDE_DONE, JobState::Succeeded, "its process stayed for"),
        ("opencode", OPENCODE_DONE, JobState::Succeeded, "its process stayed for"),
        ("codex", CODEX_FAILED, JobState::Failed, "broken"),
        ("claude", CLAUDE_FAILED, JobState::Failed, "broken"),
    ] {
        let script = format!("cat > /dev/null; {stays}\n{}sleep 100000", says(verdict));
        let fixture = with_remote(&script).set(DELIVER, "branch").set(AGENT, agent).set(SETTLE_MS, "300");
        let record = fixture.run();
        assert_eq!(record.state(), state, "{agent}: {record:?} {}", fixture.errors());
        assert!(message(&record).contains(said), "{agent}: {record:?}");
        assert!(message(&record).contains("was ended"), "{agent}: {record:?}");
        let child = fs::read_to_string(fixture.store.layout().run_path(&fixture.id).join("child")).unwrap();
        assert!(!is_alive(&child), "{agent}: what it started is gone");
        let delivery = record.delivery.as_ref().unwrap();
        let pushed = delivery.branch.as_ref().is_some_and(|branch| {
            !git(&fixture.root.join("remote.git"), &["for-each-ref", &format!("refs/heads/{branch}")]).is_empty()
        });
        assert_eq!(pushed, state == JobState::Succeeded, "{agent}: {record:?}");
    }
}

/// Hooks that fail at the end, errors that it got over: what is done is done.
#[test]
fn c01_an_agent_that_ends_badly_after_its_last_word_counts_by_it() {
    for (agent, verdict, end, note) in [
        ("codex", CODEX_DONE, "exit 1", "its process exited with code 1 after it had said"),
        ("claude", CLAUDE_DONE, "exit 1", "its process exited with code 1 after it had said"),
        ("opencode", OPENCODE_DONE, "kill -SEGV $$", "its process was ended by signal 11 after it had said"),
    ] {
        let script = format!("cat > /dev/null; echo x > real.txt\n{}{end}", says(verdict));
        let fixture = with_remote(&script).set(DELIVER, "branch").set(AGENT, agent);
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{agent}: {record:?} {}", fixture.errors());
        assert!(message(&record).contains("pushed codex/") && message(&record).contains(note), "{agent}: {record:?}");
    }
    // In a further turn it had not said so.
    let script = format!("cat > /dev/null; echo x > real.txt\n{}{}exit 1", says(OPENCODE_DONE), says(OPENCODE_NEXT));
    let record = with_remote(&script).set(DELIVER, "branch").set(AGENT, "opencode").run();
    assert_eq!(record.reason, Some(FailReason::Exit), "{record:?}");
}

#[test]
fn c01_each_further_event_puts_the_end_off_and_a_further_turn_takes_it_back() {
    // Longer than the time to settle, in steps that are shorter.
    let steps = format!("{}sleep 0.2\n", says(r#"{"type":"item.completed","item":{"type":"x"}}"#)).repeat(8);
    let script = format!("cat > /dev/null\n{}{steps}echo late > late.txt", says(CODEX_DONE));
    let record = Fixture::new(&script).set(AGENT, "codex").set(SETTLE_MS, "1000").run();
    assert_eq!((record.state(), message(&record).contains("stayed")), (JobState::Succeeded, false), "{record:?}");

    let script = format!(
        "cat > /dev/null\n{}{}sleep 1\necho x > late.txt\n{}",
        says(OPENCODE_DONE),
        says(OPENCODE_NEXT),
        says(OPENCODE_DONE)
    );
    let record = Fixture::new(&script).set(AGENT, "opencode").set(SETTLE_MS, "300").run();
    assert_eq!((record.state(), message(&record).contains("stayed")), (JobState::Succeeded, false), "{record:?}");
}

#[test]
fn c17_a_verdict_of_any_length_counts() {
    let verdict = |len: usize| {
        format!(
            "printf '{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"'\n\
             head -c {len} /dev/zero | tr '\\0' x\nprintf '\"}}\\n'\n"
        )
    };
    for len in [10, 1_300_000, 30_000_000] {
        let script = format!("cat > /dev/null\necho x > real.txt\n{}", verdict(len));
        let record = Fixture::new(&script).set(AGENT, "claude").run();
        assert_eq!(record.state(), JobState::Succeeded, "{len}: {record:?}");
    }
}

#[test]
fn c18_who_writes_files_or_computes_in_silence_is_not_idle() {
    let writes = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.25; echo $n > file; done";
    let computes = "end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done";
    for script in [writes, computes] {
        for settings in [&[][..], &[NO_CGROUP]] {
            let fixture = Fixture::new(script).set(IDLE_MS, "1200");
            let fixture = settings.iter().fold(fixture, |fixture, name| fixture.set(name, "1"));
            let record = fixture.run();
            assert_eq!(record.state(), JobState::Succeeded, "{script} {settings:?}: {record:?}");
        }
    }
    let record = Fixture::new("sleep 100").set(IDLE_MS, "700").run();
    assert_eq!(record.reason, Some(FailReason::Idle), "who does nothing still is: {record:?}");
}

#[test]
fn c18_what_buffers_its_output_is_asked_not_to() {
    let fixture = Fixture::new("printf '%s' \"$PYTHONUNBUFFERED\"");
    fixture.run();
    assert_eq!(fixture.log(), b"1");
}

#[test]
fn c23_an_agent_that_is_stopped_just_before_its_supervisor_was_interrupted() {
    for (end, reason) in [("exit 143", true), ("exit 130", true), ("kill -TERM $$", true), ("exit 1", false)] {
        let fixture =
            Fixture::new(&format!("echo begun; until [ -e \"$PV_RUN_ROOT/go\" ]; do sleep 0.02; done; {end}"));
        let mut supervisor = fixture.start();
        fixture.wait_for_log("begun");
        let run = fixture.store.layout().run_path(&fixture.id);
        fs::write(run.join("go"), "").unwrap();
        wait_until("the agent is gone", || fixture.alive().is_empty());
        thread::sleep(Duration::from_millis(300));
        // It may be over by then where it does not wait for a signal.
        if reason {
            supervisor.signal(Signal::TERM);
        }
        supervisor.wait();
        let record = fixture.record();
        let expected = if reason { FailReason::Interrupted } else { FailReason::Exit };
        assert_eq!(record.reason, Some(expected), "{end}: {record:?} {}", fixture.errors());
    }
    let record = Fixture::new("exit 143").run();
    assert_eq!(record.reason, Some(FailReason::Exit), "nobody stopped the supervisor: {record:?}");
}

/// The ways in which an agent ends whose memory is out, when somebody else sent the signal.
#[test]
fn c22_who_is_killed_by_somebody_else_did_not_run_out_of_memory() {
    for (script, reason) in [
        ("kill -KILL $$", FailReason::Signal),
        ("sh -c 'kill -KILL $$'; exit $?", FailReason::Exit),
        ("sh -c 'kill -KILL $$' & wait $!", FailReason::Exit),
    ] {
        for settings in [&[][..], &[NO_CGROUP]] {
            let fixture = Fixture::new(script);
            let fixture = settings.iter().fold(fixture, |fixture, name| fixture.set(name, "1"));
            let record = fixture.run();
            assert_eq!(record.reason, Some(reason), "{script} {settings:?}: {record:?}");
            assert!(!message(&record).contains("memory"), "{script} {settings:?}: {record:?}");
        }
    }
}

#[test]
fn c23_an_agent_that_ends_as_it_likes_when_all_is_stopped_was_interrupted_unless_it_had_said_that_it_was_done() {
    let done = r#"echo '{"type":"turn.completed"}'"#;
    for (agent, last_words, code, reason) in [
        ("script", "", 0, Some(FailReason::Interrupted)),
        ("script", "", 1, Some(FailReason::Interrupted)),
        ("codex", "", 0, Some(FailReason::Interrupted)),
        ("codex", "", 129, Some(FailReason::Interrupted)),
        ("codex", done, 0, None),
    ] {
        let fixture = Fixture::new(&format!(
            "last() {{ {last_words}\nexit {code}; }}\ntrap last USR1\necho begun >&2; echo $$ > ../pid\n\
             while :; do sleep 0.02; done"
        ));
        let fixture = fixture.set(AGENT, agent);
        let mut supervisor = fixture.start();
        fixture.wait_for_log("begun");
        let pid = || fs::read_to_string(fixture.root.join("work/pid")).unwrap_or_default();
        wait_until("the agent says who it is", || pid().ends_with('\n'));
        // Its supervisor sees both at once: that the agent has ended, and that it is to end itself.
        supervisor.signal(Signal::STOP);
        let agent_pid = rustix::process::Pid::from_raw(pid().trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(agent_pid, Signal::USR1).unwrap();
        wait_until("the agent has ended", || !is_alive(&pid()));
        supervisor.signal(Signal::TERM);
        supervisor.signal(Signal::CONT);
        assert!(supervisor.wait(), "{}", fixture.errors());
        let record = fixture.record();
        assert_eq!(record.reason, reason, "{agent} {code}: {record:?}");
        assert_eq!(record.state() == JobState::Succeeded, reason.is_none(), "{record:?}");
    }
}

#[test]
fn a_record_says_whether_anything_was_changed_and_nothing_may_count_as_a_failure() {
    for (script, empty, state, reason, changed) in [
        ("true", "ok", JobState::Succeeded, None, false),
        ("true", "fail", JobState::Failed, Some(FailReason::Empty), false),
        ("echo x > real.txt", "fail", JobState::Succeeded, None, true),
        ("echo x > real.txt; exit 3", "fail", JobState::Failed, Some(FailReason::Exit), true),
    ] {
        let record = with_remote(script).set(DELIVER, "branch").set(EMPTY, empty).run();
        assert_eq!(
            (record.state(), record.reason, record.changed),
            (state, reason, Some(changed)),
            "{script}: {record:?}"
        );
        assert_eq!(message(&record).contains("no changes"), !changed, "{script}: {record:?}");
    }
}
