//! Agents that speak in events, as shell scripts that say what the real ones say.

use std::{fs, time::Duration};

use pv_lib::{
    host,
    job::{FailReason, HoldKind, JobRecord, JobState},
};
use serde_json::json;

use super::fixture::{AGENT, EVENTS, Fixture, TIMEOUT_MS, wait_until};

const MESSAGE: &str = r#"{"type":"item.completed","item":{"type":"agent_message","text":"All done."}}"#;
const COMPLETED: &str =
    r#"{"type":"turn.completed","usage":{"input_tokens":200,"cached_input_tokens":50,"output_tokens":40}}"#;
const LIMIT: &str =
    r#"{"type":"turn.failed","error":{"message":"You have hit your usage limit. Try again in 2 hours."}}"#;

/// Returns an agent called `codex` that writes these lines.
fn codex(lines: &[&str], then: &str) -> Fixture {
    let words = lines.iter().map(|line| format!("printf '%s\\n' '{line}'\n")).collect::<String>();
    Fixture::new(&format!("cat > /dev/null\n{words}{then}\n")).set(AGENT, "codex")
}

fn file(fixture: &Fixture, name: &str) -> Option<String> {
    fs::read_to_string(fixture.store.layout().run_path(&fixture.id).join(name)).ok()
}

fn failure(record: &JobRecord) -> (FailReason, &str) {
    assert_eq!(record.state(), JobState::Failed, "{record:?}");
    (record.reason.unwrap(), record.message.as_deref().unwrap())
}

#[test]
fn g20_events_are_kept_whole_and_read_well_in_the_log() {
    let fixture = codex(&["no event", MESSAGE, COMPLETED], "echo oops >&2; printf '{\"type\":\"x\"}'");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    let raw = format!("no event\n{MESSAGE}\n{COMPLETED}\n{{\"type\":\"x\"}}");
    assert_eq!(file(&fixture, "agent.jsonl"), Some(raw));
    let log = String::from_utf8(fixture.log()).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    // What comes through two pipes has no common order.
    lines.retain(|line| *line != "oops");
    assert_eq!(lines, ["no event", "All done.", "usage: 200 tokens in, 50 of them cached, 40 tokens out"]);
    assert!(log.contains("oops\n"), "{log}");
    assert_eq!(file(&fixture, "last_message.md").as_deref(), Some("All done.\n"));
    let usage = json!({ "input_tokens": 200, "cached_input_tokens": 50, "output_tokens": 40 });
    assert_eq!(record.usage, Some(usage));
}

#[test]
fn a_last_message_that_the_agent_wrote_itself_stays_and_an_empty_one_goes() {
    let fixture = codex(&[MESSAGE, COMPLETED], "printf own > \"$PV_RUN_ROOT/last_message.md\"");
    fixture.run();
    assert_eq!(file(&fixture, "last_message.md").as_deref(), Some("own"));
    let fixture = codex(&[], ": > \"$PV_RUN_ROOT/last_message.md\"; exit 1");
    assert_eq!(failure(&fixture.run()), (FailReason::Exit, "the agent `codex` exited with code 1"));
    assert_eq!(file(&fixture, "last_message.md"), None);
}

#[test]
fn exit_code_0_is_no_success_unless_the_turn_completed() {
    let fixture = codex(&[MESSAGE], "exit 0");
    let record = fixture.run();
    let (reason, message) = failure(&record);
    assert_eq!(reason, FailReason::Exit);
    assert!(message.contains("without saying that its turn completed"), "{message}");
    let fixture = codex(&[], "exit 4");
    assert_eq!(failure(&fixture.run()), (FailReason::Exit, "the agent `codex` exited with code 4"));
}

/// As a wrapper around the earlier service's codex did: plain text, and an exit code.
#[test]
fn a_wrapper_that_writes_plain_text_succeeds_by_its_exit_code_where_that_is_set() {
    let script = "echo \"worked on: $(cat)\"\necho \"$@\" > arguments\necho made > made.txt\nexit ";
    for name in ["codex", "claude", "opencode"] {
        let plain = |code: i32| Fixture::new(&format!("{script}{code}\n")).set(AGENT, name).set(EVENTS, "none");
        let fixture = plain(0);
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{name}: {record:?} {}", fixture.errors());
        let log = String::from_utf8(fixture.log()).unwrap();
        assert!(log.starts_with("worked on: ---") && log.ends_with("do the work\n"), "its output is the log: {log}");
        assert_eq!(file(&fixture, "agent.jsonl"), None, "there are no events");
        let patch = file(&fixture, "changes.patch").unwrap();
        assert!(patch.contains("made.txt") && !patch.contains("json"), "it is not asked for events: {patch}");
        assert_eq!(failure(&plain(3).run()), (FailReason::Exit, &*format!("the agent `{name}` exited with code 3")));

        let unset = Fixture::new(&format!("{script}0\n")).set(AGENT, name).run();
        let (reason, message) = failure(&unset);
        assert!(reason == FailReason::Exit && message.contains("`events: none`"), "{name}: {message}");
    }
}

#[test]
fn a_limit_is_quota_and_holds_the_agent() {
    let fixture = codex(&[LIMIT], "exit 1");
    let before = host::now();
    let record = fixture.run();
    let (reason, message) = failure(&record);
    assert_eq!(reason, FailReason::Quota);
    assert!(message.contains("hit your usage limit"), "{message}");
    let holds = fixture.store.holds(host::now()).unwrap();
    assert_eq!((holds.active.len(), holds.unusable), (1, vec![]));
    let hold = &holds.active[0];
    assert_eq!((hold.agent.as_str(), hold.kind, &hold.job_id), ("codex", HoldKind::Quota, &fixture.id));
    assert!(message.ends_with(&hold.message) && hold.message.contains("usage limit"), "{hold:?}");
    let two_hours = Duration::from_secs(2 * 3600);
    assert!(hold.until >= before.after(two_hours) && hold.until <= host::now().after(two_hours), "{hold:?}");
}

#[test]
fn an_abort_and_a_timeout_win_over_what_the_agent_said() {
    let wait = "until [ -e \"$PV_RUN_ROOT/go\" ]; do sleep 0.02; done";
    let fixture = codex(&[LIMIT], wait);
    let mut supervisor = fixture.start();
    wait_until("it speaks", || file(&fixture, "agent.jsonl").is_some_and(|raw| raw.contains("limit")));
    fixture.abort();
    assert!(supervisor.wait());
    assert_eq!(fixture.record().state(), JobState::Aborted);
    assert_eq!(fixture.alive(), [""; 0]);
    let fixture = codex(&[COMPLETED], wait).set(TIMEOUT_MS, "300");
    assert_eq!(failure(&fixture.run()).0, FailReason::Timeout);
    assert_eq!(fixture.store.holds(host::now()).unwrap().active, []);
}

#[test]
fn a_denied_call_is_said_in_the_message_and_fails_nothing() {
    let denied = r#"{"type":"result","subtype":"success","is_error":false,"result":"Did what I could.","permission_denials":[{"tool_name":"Write","tool_input":{"file_path":"/etc/x"}}]}"#;
    let fixture =
        Fixture::new(&format!("cat > /dev/null\necho new > new.txt\nprintf '%s\\n' '{denied}'")).set(AGENT, "claude");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("denied tool calls: 1 (Write /etc/x)"), "{message}");
    assert!(message.starts_with("pushed codex/"), "{message}");
    assert!(String::from_utf8(fixture.log()).unwrap().contains("denied tool calls: 1"));
    assert_eq!(file(&fixture, "last_message.md").as_deref(), Some("Did what I could.\n"));
}

#[test]
fn c17_a_verdict_of_more_than_a_mebibyte_is_heard() {
    let result = "printf '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"'
        head -c 1300000 /dev/zero | tr '\\0' x
        printf '\"}\\n'";
    let fixture = Fixture::new(&format!("cat > /dev/null\necho new > new.txt\n{result}")).set(AGENT, "claude");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    let message = record.message.unwrap();
    assert!(message.starts_with("pushed codex/"), "{message}");
    assert!(file(&fixture, "agent.jsonl").is_some_and(|raw| raw.len() > 1_300_000));
    let last = file(&fixture, "last_message.md").unwrap();
    assert!(last.starts_with("xxx") && last.ends_with("are in agent.jsonl]\n"), "{}", last.len());
}

#[test]
fn c02_a_login_that_is_over_is_a_reason_of_its_own() {
    let expired = r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: token_expired"}}"#;
    let fixture = codex(&[expired], "exit 1");
    let record = fixture.run();
    let (reason, message) = failure(&record);
    assert_eq!(reason, FailReason::Auth);
    assert!(message.contains("not logged in") && message.contains("token_expired"), "{message}");
    assert!(message.contains("agents.<name>.env"), "what to do: {message}");
    let holds = fixture.store.holds(host::now()).unwrap().active;
    assert_eq!(holds.iter().map(|hold| hold.kind).collect::<Vec<_>>(), [HoldKind::Auth], "further jobs wait");
    // A tool that says so is none of the agent's errors.
    let tool = r#"{"type":"item.completed","item":{"type":"command_execution","aggregated_output":"401 Unauthorized, rate limit","exit_code":1}}"#;
    let fixture = codex(&[tool], "exit 1");
    assert_eq!(failure(&fixture.run()).0, FailReason::Exit);
    assert_eq!(fixture.store.holds(host::now()).unwrap().active, []);
}

#[test]
fn c03_an_agent_sees_its_own_credentials_and_locations() {
    let own = [
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_USE_BEDROCK",
        "AWS_REGION",
        "XDG_CONFIG_HOME",
        "TZ",
    ];
    let script = r#"cat > /dev/null
        env | cut -d= -f1 | sort > names.txt
        echo '{"type":"result","subtype":"success","is_error":false,"result":"ok"}'"#;
    let mut fixture = Fixture::new(script).set(AGENT, "claude");
    for name in own.into_iter().chain(["OPENAI_API_KEY", "GH_TOKEN", "PV_API_TOKEN"]) {
        fixture = fixture.set(name, "1");
    }
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    let patch = file(&fixture, "changes.patch").unwrap();
    let has = |name: &str| patch.lines().any(|line| line == format!("+{name}"));
    for name in own.into_iter().chain(["PYTHONUNBUFFERED", "PV_JOB_ID"]) {
        assert!(has(name), "{name} is missing: {patch}");
    }
    for name in ["OPENAI_API_KEY", "GH_TOKEN", "PV_API_TOKEN"] {
        assert!(!has(name), "{name}");
    }
}
