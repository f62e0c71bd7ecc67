//! What each agent's real words for a missing login, a limit and a model that cannot be had are taken for, and what must
//! not be taken for any of them. The recordings are from runs against a server that answered so.

use jiff::tz::TimeZone;

use super::{
    fault::Fault,
    recorded::{RECORDED, read, report_of},
    report::Verdict,
};

fn fault_of(verdict: &Verdict) -> &'static str {
    let (Verdict::Failed(failure) | Verdict::UnfinishedAfter(failure)) = verdict else { return "none" };
    match failure.fault {
        Fault::Quota(_) => "quota",
        Fault::Auth => "auth",
        Fault::Model => "model",
        Fault::Other => "other",
    }
}

#[test]
fn c02_each_recorded_failure_is_of_its_kind() {
    let expected = [
        ("quota", "429 usage-limit no-quota session-limit weekly-limit"),
        ("auth", "401 expired logged-out no-access no-key wrong-key no-credit no-credit-400"),
        ("model", "no-model model-not-allowed"),
        // opencode does not say why where it does not know the model.
        ("other", "cut max-turns max-budget no-session unknown-model"),
        ("none", "writes patches command-fails denied stopped mentions"),
    ];
    for &(agent, what, events) in RECORDED {
        let verdict = read(agent, [events]).1.verdict;
        let kind = expected.iter().find(|(_, all)| all.split(' ').any(|one| one == what));
        assert_eq!(Some(fault_of(&verdict)), kind.map(|(kind, _)| *kind), "{agent} {what}: {verdict:?}");
    }
}

#[test]
fn c02_fields_for_programs_come_before_words() {
    let claude = |error: &str, status: &str, said: &str| {
        let assistant = format!(
            r#"{{"type":"assistant","parent_tool_use_id":null,"error":{error},"message":{{"content":[{{"type":"text","text":"x"}}]}}}}"#
        );
        let result = format!(
            r#"{{"type":"result","subtype":"success","is_error":true,"api_error_status":{status},"result":"{said}"}}"#
        );
        report_of("claude", &[&assistant, &result]).1.verdict
    };
    let check = |verdict: Verdict, expected: &str| assert_eq!(fault_of(&verdict), expected, "{verdict:?}");
    check(claude(r#""billing_error""#, "400", "words"), "auth");
    check(claude(r#""oauth_org_not_allowed""#, "403", "words"), "auth");
    check(claude(r#""rate_limit""#, "null", "words"), "quota");
    check(claude(r#""model_not_found""#, "404", "words"), "model");
    check(claude("null", "401", "words"), "auth");
    check(claude("null", "402", "words"), "auth");
    check(claude("null", "429", "not logged in"), "quota");
    check(claude(r#""brand_new""#, "500", "words"), "other");
    check(claude("null", "null", "Credit balance is too low"), "auth");

    let codex = |error: &str| report_of("codex", &[&format!(r#"{{"type":"turn.failed","error":{error}}}"#)]).1.verdict;
    check(codex(r#"{"message":"x","codex_error_info":"usage_limit_exceeded"}"#), "quota");
    check(codex(r#"{"message":"x","codexErrorInfo":"unauthorized"}"#), "auth");
    check(
        codex(r#"{"message":"x","codex_error_info":{"response_too_many_failed_attempts":{"http_status_code":429}}}"#),
        "quota",
    );
    check(codex(r#"{"message":"x","codex_error_info":{"http_connection_failed":{"http_status_code":null}}}"#), "other");
    check(codex(r#"{"message":"unexpected status 401","codex_error_info":"other"}"#), "auth");
    check(codex(r#"{"message":7}"#), "other");

    let opencode = |name: &str, data: &str| {
        let event = format!(r#"{{"type":"error","error":{{"name":"{name}","data":{data}}}}}"#);
        report_of("opencode", &[&event]).1.verdict
    };
    check(opencode("ProviderAuthError", r#"{"providerID":"p","message":"x"}"#), "auth");
    check(opencode("ProviderModelNotFoundError", r#"{"providerID":"p","modelID":"m"}"#), "model");
    check(opencode("APIError", r#"{"message":"x","statusCode":429}"#), "quota");
    check(opencode("APIError", r#"{"message":"x","statusCode":403}"#), "other");
    let body = |kind: &str| {
        format!(
            r#"{{"message":"x","statusCode":401,"responseBody":"{{\"error\":{{\"type\":\"{kind}\",\"message\":\"y\"}}}}"}}"#
        )
    };
    check(opencode("APIError", &body("ModelError")), "model");
    check(opencode("APIError", &body("CreditsError")), "auth");
    check(opencode("APIError", &body("MonthlyLimitError")), "quota");
    check(opencode("APIError", &body("brand_new")), "auth");
}

#[test]
fn c16_limits_without_a_status_are_limits() {
    for said in [
        "You've hit your session limit · resets 3:30am (America/New_York)",
        "You've hit your weekly limit · resets Nov 30, 9pm (UTC)",
        "You've hit your Opus limit",
        "5-hour limit reached ∙ resets 3pm",
        "Limit reached",
        "Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-11-30 03:44:23",
        "Claude AI usage limit reached|1795824000",
        "You're out of extra usage · resets 3pm (UTC)",
        "API Error: Request rejected (429) · this may be a temporary capacity issue.",
        "Too many requests, please wait before trying again.",
    ] {
        let failed = format!(r#"{{"type":"turn.failed","error":{{"message":"{said}"}}}}"#);
        let error = format!(r#"{{"type":"error","message":"{said}"}}"#);
        let result = format!(r#"{{"type":"result","subtype":"success","is_error":true,"result":"{said}"}}"#);
        let opencode = format!(r#"{{"type":"error","error":{{"name":"UnknownError","data":{{"message":"{said}"}}}}}}"#);
        for (agent, event) in [("claude", &result), ("codex", &failed), ("codex", &error), ("opencode", &opencode)] {
            let verdict = report_of(agent, &[event]).1.verdict;
            assert_eq!(fault_of(&verdict), "quota", "{agent} {verdict:?}");
        }
        let done = result.replace("\"is_error\":true", "\"is_error\":false");
        assert_eq!(report_of("claude", &[&done]).1.verdict, Verdict::Completed, "words of an answer");
    }
    for said in [
        "Context limit reached · /compact or /clear to continue",
        "agent thread limit reached",
        "exceeded retry limit, last status: 500 Internal Server Error",
        "Reached maximum number of turns (3)",
        "budget reached",
        "line 429",
        "stream disconnected before completion: error sending request for url (http://127.0.0.1:4290/v1/401/responses)",
        "unexpected status 403 Forbidden: Access blocked by Cloudflare (status 403 Forbidden), url: https://x/login",
    ] {
        let verdict =
            report_of("codex", &[&format!(r#"{{"type":"turn.failed","error":{{"message":"{said}"}}}}"#)]).1.verdict;
        assert_eq!(fault_of(&verdict), "other", "{verdict:?}");
    }
}

#[test]
fn c02_words_of_tools_of_answers_and_of_helpers_do_not_count() {
    const SAID: &str = "401 Unauthorized: invalid api key, not logged in, rate limit reached, please run /login";
    let mentions = |agent: &str| match agent {
        "codex" => vec![
            format!(
                r#"{{"type":"item.completed","item":{{"type":"command_execution","aggregated_output":"{SAID}","exit_code":1}}}}"#
            ),
            format!(r#"{{"type":"item.completed","item":{{"type":"agent_message","text":"{SAID}"}}}}"#),
            format!(r#"{{"type":"item.completed","item":{{"type":"error","message":"{SAID}"}}}}"#),
            format!(
                r#"{{"type":"item.completed","item":{{"type":"mcp_tool_call","status":"failed","error":{{"message":"{SAID}"}}}}}}"#
            ),
        ],
        "claude" => vec![
            format!(
                r#"{{"type":"user","message":{{"content":[{{"type":"tool_result","is_error":true,"content":"{SAID}"}}]}}}}"#
            ),
            format!(r#"{{"type":"assistant","message":{{"content":[{{"type":"text","text":"{SAID}"}}]}}}}"#),
            format!(
                r#"{{"type":"assistant","parent_tool_use_id":"toolu_1","error":"rate_limit","message":{{"content":[{{"type":"text","text":"{SAID}"}}]}}}}"#
            ),
            format!(r#"{{"type":"system","subtype":"permission_denied","message":"{SAID}"}}"#),
        ],
        _ => vec![
            format!(
                r#"{{"type":"tool_use","part":{{"tool":"bash","state":{{"status":"error","error":"{SAID}","output":"{SAID}"}}}}}}"#
            ),
            format!(r#"{{"type":"text","part":{{"text":"{SAID}"}}}}"#),
        ],
    };
    let ends = [
        ("codex", r#"{"type":"turn.failed","error":{"message":"stream disconnected before completion"}}"#),
        (
            "claude",
            r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":500,"result":"API Error: 500"}"#,
        ),
        (
            "claude",
            r#"{"type":"result","subtype":"error_max_turns","is_error":true,"errors":["Reached maximum number of turns (9)"]}"#,
        ),
        (
            "claude",
            r#"{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["MCP server github: HTTP 401, rate limit"]}"#,
        ),
        ("opencode", r#"{"type":"error","error":{"name":"UnknownError","data":{"message":"it broke"}}}"#),
    ];
    for (agent, end) in ends {
        let events = mentions(agent);
        let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
        let unfinished = report_of(agent, &events).1.verdict;
        assert_eq!(fault_of(&unfinished), "none", "{agent} {unfinished:?}");
        events.push(end);
        let verdict = report_of(agent, &events).1.verdict;
        assert_eq!(fault_of(&verdict), "other", "{agent} {verdict:?}");
    }
}

#[test]
fn c02_an_error_that_claude_got_over_and_a_limit_from_its_command_line_hold_nothing() {
    let error = r#"{"type":"assistant","error":"rate_limit","message":{"content":[]}}"#;
    let answer = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"on we go"}]}}"#;
    let broken = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":500,"result":"it broke"}"#;
    let max_turns = r#"{"type":"result","subtype":"error_max_turns","is_error":true,"errors":["Reached maximum"]}"#;
    let check = |events: &[&str], expected: &str| {
        let verdict = report_of("claude", events).1.verdict;
        assert_eq!(fault_of(&verdict), expected, "{verdict:?}");
    };
    check(&[error, broken], "quota");
    check(&[error, answer, broken], "other");
    check(&[error, max_turns], "other");
}

#[test]
fn c16_a_hold_lasts_until_the_end_that_is_told_best() {
    let until = |agent, events: &[&str]| {
        let now = "2026-11-25T15:39:00Z".parse().unwrap();
        let hold = report_of(agent, events).1.hold(now, &TimeZone::UTC, None);
        hold.map(|hold| hold.until.to_string()).unwrap_or_default()
    };
    let rejected = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795630000}}"#;
    let result = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your limit"}"#;
    assert_eq!(until("claude", &[rejected, result]), "2026-11-25T18:06:40Z");
    assert_eq!(until("claude", &[result]), "2026-11-25T15:54:00Z");
    let allowed = rejected.replace("rejected", "allowed_warning");
    assert_eq!(until("claude", &[&allowed, result]), "2026-11-25T15:54:00Z");
    let done = r#"{"type":"result","subtype":"success","is_error":false,"result":"done"}"#;
    assert_eq!(until("claude", &[rejected, done]), "", "another model went on");
    let other = result.replace("429", "500").replace("hit your limit", "failed");
    assert_eq!(until("claude", &[rejected, &other]), "", "it failed otherwise");
    let error = |after: &str| {
        format!(
            r#"{{"type":"error","error":{{"name":"APIError","data":{{"message":"try again in 5m","statusCode":429,"responseHeaders":{{"retry-after":"{after}"}}}}}}}}"#
        )
    };
    assert_eq!(until("opencode", &[&error("60")]), "2026-11-25T15:40:00Z");
    assert_eq!(until("opencode", &[&error("Wed, 25 Nov 2026 16:00:00 GMT")]), "2026-11-25T16:00:00Z");
    assert_eq!(until("opencode", &[&error("soon")]), "2026-11-25T15:44:00Z");
}

#[test]
fn claude_shows_the_first_of_its_errors_where_it_has_no_other_words() {
    for (subtype, words) in [
        ("error_max_turns", "Reached maximum number of turns (3)"),
        ("error_max_budget_usd", "Reached maximum budget ($0.5)"),
        ("error_during_execution", "No conversation found with session ID: x"),
    ] {
        let result =
            format!(r#"{{"type":"result","subtype":"{subtype}","is_error":true,"errors":["{words}","more"]}}"#);
        let (log, report) = report_of("claude", &[&result]);
        assert!(log.starts_with(&format!("error: {words}\n")), "{log}");
        let Verdict::Failed(failure) = report.verdict else { panic!("{:?}", report.verdict) };
        assert_eq!((failure.fault, failure.message.as_str()), (Fault::Other, words));
    }
    let (log, _) = report_of("claude", &[r#"{"type":"result","subtype":"error_new","is_error":true,"errors":[]}"#]);
    assert!(log.starts_with("error: error_new\n"), "{log}");
}

#[test]
fn c01_progress_tells_a_turn_that_has_ended_and_a_login_that_is_proved() {
    let progress = |agent: &str, events: &[&str]| {
        let mut reader = super::known::adapter(agent).reader().unwrap();
        reader.take(events.join("\n").as_bytes(), &mut Vec::new());
        reader.take(b"\n", &mut Vec::new());
        let progress = reader.progress();
        (progress.completed_at_event, progress.has_proved_login)
    };
    for &(agent, what, events) in RECORDED {
        let lines: Vec<&str> = std::str::from_utf8(events).unwrap().lines().collect();
        assert_eq!(progress(agent, &[]), (false, false));
        let has_ended = what != "stopped";
        let has_answered =
            matches!(what, "writes" | "patches" | "command-fails" | "denied" | "mentions" | "max-turns" | "max-budget");
        assert_eq!(progress(agent, &lines), (has_ended, has_answered), "{agent} {what}");
        for cut in 0..lines.len() {
            assert!(!progress(agent, &lines[..cut]).0 || what == "cut", "{agent} {what}, cut after event {cut}");
        }
    }
    let again = |agent, end, further| (progress(agent, &[end]).0, progress(agent, &[end, further]).0);
    let ends = (true, false);
    assert_eq!(again("codex", r#"{"type":"turn.completed"}"#, r#"{"type":"turn.started"}"#), ends);
    assert_eq!(again("codex", r#"{"type":"turn.failed"}"#, r#"{"type":"item.started"}"#), ends);
    assert_eq!(again("claude", r#"{"type":"result"}"#, r#"{"type":"system","subtype":"init"}"#), ends);
    assert_eq!(again("claude", r#"{"type":"result"}"#, r#"{"type":"assistant","message":{}}"#), ends);
    let stop = r#"{"type":"step_finish","part":{"reason":"stop"}}"#;
    assert_eq!(again("opencode", stop, r#"{"type":"step_start"}"#), ends);
    assert_eq!(again("opencode", stop, r#"{"type":"step_finish","part":{"reason":"tool-calls"}}"#), ends);
    assert_eq!(again("claude", r#"{"type":"result"}"#, r#"{"type":"new.kind"}"#), (true, true));
}
