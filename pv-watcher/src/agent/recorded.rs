//! Event streams as the real agents wrote them, and what becomes of them: codex 0.169.0, claude 2.1.197, opencode
//! 1.18.33. Paths, ports and server names in them are made up.

use std::fmt::Write;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{
    fault::Fault,
    known::adapter,
    reader::{EVENT_BYTES, EventReader, SHOWN_BYTES, WHOLE_LINE_BYTES},
    report::{Report, Verdict},
};

macro_rules! recordings {
    ($($agent:literal: $($what:literal)*;)*) => {
        &[$($(($agent, $what, include_bytes!(concat!("recorded/", $agent, "-", $what, ".jsonl")))),*),*]
    };
}

/// The agent, what happened, and what it wrote.
pub(super) const RECORDED: &[(&str, &str, &[u8])] = recordings! {
    "codex": "writes" "patches" "command-fails" "401" "429" "usage-limit" "cut" "stopped" "expired" "no-key" "no-credit"
        "no-quota" "no-model" "model-not-allowed" "mentions";
    "claude": "writes" "denied" "401" "429" "expired" "logged-out" "no-access" "no-credit" "no-model" "session-limit"
        "weekly-limit" "max-turns" "max-budget" "no-session" "mentions";
    "opencode": "writes" "command-fails" "401" "wrong-key" "no-credit" "no-credit-400" "no-model" "unknown-model"
        "mentions";
};

pub(super) fn read<'a>(agent: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Report) {
    let mut reader: EventReader = adapter(agent).reader().unwrap();
    let mut log = Vec::new();
    chunks.into_iter().for_each(|chunk| reader.take(chunk, &mut log));
    let report = reader.finish(&mut log);
    (log, report)
}

/// Returns the log of these events, a line each, and the report.
pub(super) fn report_of(agent: &str, events: &[&str]) -> (String, Report) {
    let (log, report) = read(agent, [events.join("\n").as_bytes()]);
    (String::from_utf8(log).unwrap(), report)
}

#[test]
fn what_agents_wrote_reads_well() {
    for &(agent, what, events) in RECORDED {
        let (log, report) = read(agent, [events]);
        let mut shown = String::from_utf8(log).unwrap();
        let usage = serde_json::to_string(&report.usage).unwrap();
        write!(shown, "----\n{:?}\n{:?}\n{usage}", report.verdict, report.last_message).unwrap();
        assert_snapshot!(format!("{agent}-{what}"), shown);
    }
}

#[test]
fn what_the_recordings_do_not_show() {
    let check =
        |agent: &str, event: &str, expected: &str| assert_eq!(report_of(agent, &[event]).0, expected, "{event}");
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
    for &(agent, what, events) in RECORDED {
        let lines: Vec<&[u8]> = events.split_inclusive(|byte| *byte == b'\n').collect();
        let completes = |events: &[&[u8]]| {
            matches!(read(agent, events.iter().copied()).1.verdict, Verdict::Completed | Verdict::CompletedBut(_))
        };
        assert_eq!(
            completes(&lines),
            matches!(what, "writes" | "patches" | "command-fails" | "denied" | "mentions"),
            "{agent} {what}"
        );
        for cut in 0..lines.len() {
            assert!(!completes(&lines[..cut]), "{agent} {what}, cut after event {cut}");
        }
    }
    let early = report_of("opencode", &[r#"{"type":"step_finish","part":{"reason":"length"}}"#]).1.verdict;
    let Verdict::Failed(early) = early else { panic!("{early:?}") };
    assert_eq!((early.fault, early.message.as_str()), (Fault::Other, "the model stopped early: length"));
}

/// A limit that some versions call a success, and an answer in the middle of a call.
#[test]
fn what_claude_calls_a_success_is_looked_at() {
    let result = |said: &str, stop_reason: &str| {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":false,"result":"{said}","stop_reason":{stop_reason}}}"#
        )
    };
    let limit = "You've hit your session limit · resets 11pm (Europe/Paris)";
    let answer = |error: &str| {
        format!(r#"{{"type":"assistant","message":{{"content":[{{"type":"text","text":"{limit}"}}]}}{error}}}"#)
    };
    let refused = answer(r#","error":"rate_limit""#);
    let (log, report) = report_of("claude", &[&refused, &result(limit, r#""stop_sequence""#)]);
    assert!(
        matches!(&report.verdict, Verdict::Failed(failure) if matches!(failure.fault, Fault::Quota(Some(_)))),
        "{log}"
    );
    // The model may speak of it, and may have been refused before it answered.
    for before in [answer(""), format!("{refused}\n{}", answer(""))] {
        let (_, report) = report_of("claude", &[&before, &result(limit, "null")]);
        assert_eq!(report.verdict, Verdict::Completed, "{before}");
    }
    for (reason, note) in [("end_turn", None), ("tool_use", Some("`tool_use`")), ("max_tokens", Some("`max_tokens`"))] {
        let (log, report) = report_of("claude", &[&result("well", &format!("\"{reason}\""))]);
        match (report.verdict, note) {
            (Verdict::Completed, None) => assert!(!log.contains("warning"), "{log}"),
            (Verdict::CompletedBut(but), Some(note)) => {
                assert!(but.contains(note) && log.contains(&but), "{but} {log}");
            }
            (verdict, _) => panic!("{reason}: {verdict:?}"),
        }
    }
}

#[test]
fn a_line_that_is_no_event_and_too_long_is_cut_with_a_mark_and_not_kept() {
    let line = |len: usize| format!("{{\"type\":\"{}\",}}\n", "x".repeat(len - 12));
    for len in [WHOLE_LINE_BYTES + 1, 5_000_000] {
        let long = line(len);
        for chunk in [1000, 7919, 5_000_001] {
            let (log, _) = read("codex", long.as_bytes().chunks(chunk));
            let log = String::from_utf8(log).unwrap();
            let (shown, mark) = log.split_once('\n').unwrap();
            assert_eq!(shown, &long[..SHOWN_BYTES]);
            assert_eq!(mark, format!("[pv: a line of {len} bytes is cut here; it is whole in agent.jsonl]\n"));
        }
    }
    let whole = line(WHOLE_LINE_BYTES);
    assert_eq!(read("codex", [whole.as_bytes()]).0, whole.as_bytes(), "no event, and not too long");
    let plain = format!("x{}", line(5_000_000));
    assert_eq!(read("codex", [plain.as_bytes()]).0, plain.as_bytes(), "what is no object passes as it arrives");
}

/// Returns what is read of an event with a text of so many bytes in it, which arrives in chunks.
fn with_long_text(agent: &str, before: &str, text_bytes: usize, after: &str) -> (String, Report) {
    let chunk = "0123456789é\\n".repeat(4096);
    let whole = text_bytes / chunk.len();
    let rest = "x".repeat(text_bytes % chunk.len());
    let text = std::iter::repeat_n(chunk.as_bytes(), whole).chain([rest.as_bytes()]);
    let (log, report) = read(agent, [before.as_bytes()].into_iter().chain(text).chain([after.as_bytes(), b"\n"]));
    (String::from_utf8(log).unwrap(), report)
}

#[test]
fn c17_the_verdict_depends_on_no_length_of_an_event() {
    for len in [1_300_000, 5_000_000] {
        let before = r#"{"type":"result","subtype":"success","is_error":false,"result":""#;
        let (_, report) = with_long_text("claude", before, len, r#"","num_turns":3}"#);
        assert_eq!(report.verdict, Verdict::Completed, "{len}");
        assert_eq!(report.usage.and_then(|usage| usage.turns), Some(3), "what comes after the text");
        let message = report.last_message.unwrap();
        assert!(message.starts_with("0123456789é\n01234"), "{}", &message[..40]);
        assert!(message.len() > 100_000 && message.ends_with(" bytes are left out here; they are in agent.jsonl]"));

        let before = r#"{"result":""#;
        let after = r#"","is_error":true,"api_error_status":401,"subtype":"success","type":"result"}"#;
        let (log, report) = with_long_text("claude", before, len, after);
        assert!(matches!(&report.verdict, Verdict::Failed(failure) if failure.fault == Fault::Auth), "{log}");
        assert!(log.starts_with("error: 0123456789é") && log.len() < 2000, "{}", log.len());

        let before = r#"{"type":"item.completed","item":{"type":"command_execution","aggregated_output":""#;
        let (log, _) = with_long_text("codex", before, len, r#"","exit_code":3}}"#);
        assert!(log.ends_with("are in agent.jsonl]\n  (exit 3)\n"), "{}", log.len());
        let (log, report) = with_long_text("codex", r#"{"x":""#, len, r#"","type":"turn.completed"}"#);
        assert_eq!((log.as_str(), report.verdict), ("usage: \n", Verdict::Completed));

        let before = r#"{"type":"error","error":{"data":{"responseBody":""#;
        let after = r#"","statusCode":429,"message":"no"},"name":"APIError"}}"#;
        let (log, report) = with_long_text("opencode", before, len, after);
        assert_eq!(log, "error: no\n");
        assert!(matches!(&report.verdict, Verdict::Failed(failure) if matches!(failure.fault, Fault::Quota(_))));
    }
}

#[test]
fn c17_an_event_beyond_the_limit_is_cut_as_any_line() {
    let (before, after) = (r#"{"type":"turn.completed","x":""#, r#""}"#);
    let limit = usize::try_from(EVENT_BYTES).unwrap();
    let fits = limit - before.len() - after.len();
    assert_eq!(with_long_text("codex", before, fits, after).1.verdict, Verdict::Completed);
    let (log, report) = with_long_text("codex", before, fits + 1, after);
    assert_eq!(report.verdict, Verdict::Unfinished);
    let mark = format!("[pv: a line of {} bytes is cut here; it is whole in agent.jsonl]\n", limit + 1);
    assert!(log.starts_with(before) && log.ends_with(&mark) && log.len() < 5000, "{}", log.len());
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
