//! Event streams as the real agents wrote them, and what becomes of them: codex 0.169.0, claude 2.1.197, opencode
//! 1.18.33. Paths, ports and server names in them are made up.

use std::fmt::Write;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{
    EventReader, Report, adapter,
    reader::{LINE_BYTES, SHOWN_BYTES},
    report::Verdict,
};

const RECORDED: [(&str, &str, &[u8]); 15] = [
    ("codex", "writes", include_bytes!("recorded/codex-writes.jsonl")),
    ("codex", "patches", include_bytes!("recorded/codex-patches.jsonl")),
    ("codex", "command-fails", include_bytes!("recorded/codex-command-fails.jsonl")),
    ("codex", "401", include_bytes!("recorded/codex-401.jsonl")),
    ("codex", "429", include_bytes!("recorded/codex-429.jsonl")),
    ("codex", "usage-limit", include_bytes!("recorded/codex-usage-limit.jsonl")),
    ("codex", "cut", include_bytes!("recorded/codex-cut.jsonl")),
    ("codex", "stopped", include_bytes!("recorded/codex-stopped.jsonl")),
    ("claude", "writes", include_bytes!("recorded/claude-writes.jsonl")),
    ("claude", "denied", include_bytes!("recorded/claude-denied.jsonl")),
    ("claude", "401", include_bytes!("recorded/claude-401.jsonl")),
    ("claude", "429", include_bytes!("recorded/claude-429.jsonl")),
    ("opencode", "writes", include_bytes!("recorded/opencode-writes.jsonl")),
    ("opencode", "command-fails", include_bytes!("recorded/opencode-command-fails.jsonl")),
    ("opencode", "401", include_bytes!("recorded/opencode-401.jsonl")),
];

fn read<'a>(agent: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Report) {
    let mut reader: EventReader = adapter(agent).reader().unwrap();
    let mut log = Vec::new();
    chunks.into_iter().for_each(|chunk| reader.take(chunk, &mut log));
    let report = reader.finish(&mut log);
    (log, report)
}

/// Returns the log of these events, a line each, and the report.
fn told(agent: &str, events: &[&str]) -> (String, Report) {
    let (log, report) = read(agent, [events.join("\n").as_bytes()]);
    (String::from_utf8(log).unwrap(), report)
}

#[test]
fn what_agents_wrote_reads_well() {
    for (agent, what, events) in RECORDED {
        let (log, report) = read(agent, [events]);
        let mut page = String::from_utf8(log).unwrap();
        let usage = serde_json::to_string(&report.usage).unwrap();
        write!(page, "----\n{:?}\n{:?}\n{usage}", report.verdict, report.last_message).unwrap();
        assert_snapshot!(format!("{agent}-{what}"), page);
    }
}

#[test]
fn what_the_recordings_do_not_show() {
    let check = |agent: &str, event: &str, expected: &str| assert_eq!(told(agent, &[event]).0, expected, "{event}");
    let codex = |event, expected| check("codex", event, expected);
    codex(r#"{"type":"item.completed","item":{"type":"reasoning","text":"hm\nyes"}}"#, "* think hm yes\n");
    codex(r#"{"type":"item.started","item":{"type":"web_search","query":"q"}}"#, "* search q\n");
    codex(r#"{"type":"item.started","item":{"type":"mcp_tool_call","server":"s","tool":"t"}}"#, "* call s t\n");
    codex(r#"{"type":"item.completed","item":{"type":"command_execution","status":"declined"}}"#, "  (declined)\n");
    let claude = |event, expected| check("claude", event, expected);
    let call = r#"{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Write","input":{"file_path":"/a","content":"x"}},{"type":"thinking","thinking":"hm"}]}}"#;
    claude(call, "* Write /a\n* think hm\n");
    let parts = r#"{"type":"user","message":{"content":[{"type":"tool_result","is_error":true,"content":[{"type":"text","text":"no"}]}]}}"#;
    claude(parts, "  no\n  (failed)\n");
    let retry = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"error_status":429,"error":"rate_limit"}"#;
    claude(retry, "warning: the model answers 429 (rate_limit), retry 1 of 10\n");
    let opencode = |event, expected| check("opencode", event, expected);
    let edit = r#"{"type":"tool_use","part":{"tool":"edit","state":{"status":"error","error":"no match","input":{"filePath":"/a"}}}}"#;
    opencode(edit, "* edit /a\n  no match\n  (failed)\n");
    for agent in ["codex", "claude", "opencode"] {
        for event in
            [r#"{"type":"new.kind","item":[1]}"#, r#"{"type":7}"#, "{}", r#"{"type":"item.completed","item":7}"#]
        {
            check(agent, event, "");
        }
        check(agent, "[1]\n{\"a\":\nwords", "[1]\n{\"a\":\nwords");
    }
}

#[test]
fn a_turn_is_completed_only_by_the_event_that_says_so() {
    for (agent, what, events) in RECORDED {
        let lines: Vec<&[u8]> = events.split_inclusive(|byte| *byte == b'\n').collect();
        let completes = |events: &[&[u8]]| {
            matches!(read(agent, events.iter().copied()).1.verdict, Verdict::Completed | Verdict::CompletedBut(_))
        };
        assert_eq!(
            completes(&lines),
            matches!(what, "writes" | "patches" | "command-fails" | "denied"),
            "{agent} {what}"
        );
        for cut in 0..lines.len() {
            assert!(!completes(&lines[..cut]), "{agent} {what}, cut after event {cut}");
        }
    }
    let early = told("opencode", &[r#"{"type":"step_finish","part":{"reason":"length"}}"#]).1;
    assert_eq!(early.verdict, Verdict::Failed("the model stopped early: length".into()));
}

#[test]
fn limits_are_told_with_their_end() {
    let until = |agent, events: &[&str]| {
        let now = "2026-11-25T15:39:00Z".parse().unwrap();
        let held = told(agent, events).1.held_until(now, &jiff::tz::TimeZone::UTC);
        held.map(|until| until.to_string()).unwrap_or_default()
    };
    let rejected = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795630000}}"#;
    let result = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your limit"}"#;
    assert_eq!(until("claude", &[rejected, result]), "2026-11-25T18:06:40Z");
    assert_eq!(until("claude", &[result]), "2026-11-25T15:54:00Z");
    let allowed = rejected.replace("rejected", "allowed_warning");
    assert_eq!(until("claude", &[&allowed, result]), "2026-11-25T15:54:00Z");
    let done = r#"{"type":"result","subtype":"success","is_error":false,"result":"done"}"#;
    assert_eq!(until("claude", &[rejected, done]), "", "another model went on");
    let error = r#"{"type":"error","error":{"name":"APIError","data":{"message":"no","statusCode":429,"responseHeaders":{"retry-after":"60"}}}}"#;
    assert_eq!(until("opencode", &[error]), "2026-11-25T15:40:00Z");
}

#[test]
fn a_line_that_is_too_long_is_cut_with_a_mark_and_not_kept() {
    let line = |len: usize| format!("{{\"type\":\"{}\"}}\n", "x".repeat(len - 11));
    let (fits, long) = (line(LINE_BYTES), line(LINE_BYTES + 1));
    assert_eq!(read("codex", [fits.as_bytes()]).0, b"", "an event of an unknown kind");
    for len in [1000, 7919, 5_000_000] {
        let (log, _) = read("codex", long.as_bytes().chunks(len));
        let log = String::from_utf8(log).unwrap();
        let (shown, mark) = log.split_once('\n').unwrap();
        assert_eq!(shown, &long[..SHOWN_BYTES]);
        assert_eq!(mark, "[pv: a line of 1048577 bytes is cut here; it is whole in agent.jsonl]\n");
    }
    let plain = format!("x{long}");
    assert_eq!(read("codex", [plain.as_bytes()]).0, plain.as_bytes(), "what is no object passes as it arrives");
}

/// Any bytes, and bytes that are nearly events.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let event = (0..RECORDED.len(), any::<prop::sample::Index>(), any::<Option<(prop::sample::Index, u8)>>());
    let event = event.prop_map(|(recorded, line, changed)| {
        let lines: Vec<&[u8]> = RECORDED[recorded].2.split_inclusive(|byte| *byte == b'\n').collect();
        let mut line = line.get(&lines).to_vec();
        if let Some((at, byte)) = changed {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line
    });
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop_oneof![3 => event, 1 => noise], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_same_is_read(
        agent in prop::sample::select(&["codex", "claude", "opencode"][..]),
        output in output(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(output.len() + 1)).collect();
        cuts.extend([0, output.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|ends| &output[ends[0]..ends[1]]).collect();
        prop_assert_eq!(chunks.concat(), &output[..]);
        let whole = read(agent, [&output[..]]);
        prop_assert_eq!(&read(agent, chunks), &whole);
        prop_assert_eq!(&read(agent, output.chunks(1)), &whole);
    }
}
