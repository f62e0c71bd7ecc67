//! What a job does, why it waits and why it failed, in a few words: pure, on the JSON that every backend returns.

use pv_lib::{job::JobState, text::one_line, time::Timestamp};
use serde_json::Value;

use crate::{
    backend::{state, text},
    render,
    terminal::Paint,
};

/// Returns the state with what else matters of it: `running, stalled`.
pub(super) fn marked_state(job: &Value) -> String {
    let marks: String = marks(job).iter().map(|mark| format!(", {mark}")).collect();
    format!("{}{marks}", one_line(text(job, "state")))
}

/// Returns the state with the reason for it: `failed, red checks`, `created, no watcher`. `waits` is why jobs that wait do.
pub(super) fn state_in_words(job: &Value, waits: &dyn Fn(&Value) -> Option<String>) -> String {
    let why = match state(job) {
        Some(JobState::Created) => waits(job),
        Some(JobState::Running) => phase(job).map(str::to_owned),
        Some(JobState::Failed) => Some(why_it_failed(job)).filter(|words| !words.is_empty()),
        Some(JobState::Succeeded | JobState::Aborted) | None => None,
    };
    let parts = [one_line(text(job, "state"))].into_iter().chain(why);
    parts.chain(marks(job).into_iter().map(str::to_owned)).collect::<Vec<_>>().join(", ")
}

/// Returns the colour of a job's state.
pub(super) fn paint(job: &Value) -> Paint {
    let is = |key: &str| job.get(key) == Some(&Value::Bool(true));
    match state(job) {
        Some(JobState::Succeeded) => Paint::Good,
        Some(JobState::Failed) | None => Paint::Bad,
        Some(JobState::Running) if is("stalled") => Paint::Note,
        Some(JobState::Running) => Paint::Live,
        Some(JobState::Aborted) => Paint::Note,
        Some(JobState::Created) => Paint::Plain,
    }
}

fn marks(job: &Value) -> Vec<&'static str> {
    let is = |key: &str| job.get(key) == Some(&Value::Bool(true));
    let is_live = state(job).is_some_and(|state| !state.is_terminal());
    let is_unchanged = state(job) == Some(JobState::Succeeded) && job.get("changed") == Some(&Value::Bool(false));
    let waits = text(job, "waiting_for");
    let marks = [
        (is("stalled"), "stalled"),
        (is("quiet") && !is("stalled"), "quiet"),
        (is("abort_requested") && is_live, "abort requested"),
        (is_live && waits.starts_with("room "), "waits for room"),
        (is_live && !waits.is_empty() && !waits.starts_with("room "), "waits"),
        (is_unchanged, "no changes"),
        (is("verified"), "verified"),
    ];
    marks.into_iter().filter(|(has, _)| *has).map(|(_, mark)| mark).collect()
}

/// Returns what a running job does besides the agent's own work.
fn phase(job: &Value) -> Option<&'static str> {
    match text(job, "phase") {
        "preparing" => Some("preparing"),
        "saving" => Some("saving"),
        "checking" => Some("checking"),
        "delivering" => Some("delivering"),
        _ => None,
    }
}

/// Returns why a job failed. A reason that is newer than this program is shown as it is.
fn why_it_failed(job: &Value) -> String {
    match text(job, "reason") {
        "exit" => match job.get("exit_code").and_then(Value::as_i64) {
            Some(code) => format!("exit {code}"),
            None => "the agent failed".to_owned(),
        },
        "signal" => "the agent was killed".to_owned(),
        "timeout" => "timed out".to_owned(),
        "idle" => "went silent".to_owned(),
        "start" => "no agent".to_owned(),
        "checkout" => "no checkout".to_owned(),
        "delivery" => "not delivered".to_owned(),
        "interrupted" => "interrupted".to_owned(),
        "prompt" => "unusable prompt".to_owned(),
        "quota" => "usage limit".to_owned(),
        "auth" => "not logged in".to_owned(),
        "memory" => "out of memory".to_owned(),
        "empty" => "no changes".to_owned(),
        "setup" => "setup failed".to_owned(),
        "check" => "red checks".to_owned(),
        other => one_line(other),
    }
}

/// Returns why a job that was not started waits, as the status of its installation tells.
pub(super) fn why_it_waits(job: &Value, status: &Value, now: Timestamp) -> Option<String> {
    let watcher = &status["watcher"];
    match watcher["alive"].as_bool() {
        Some(true) => {}
        Some(false) => return Some("the watcher is silent".to_owned()),
        None if watcher.is_null() => return None,
        None => return Some("no watcher".to_owned()),
    }
    let agent = text(job, "agent");
    let holds = watcher["holds"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(hold) = holds.iter().find(|hold| !agent.is_empty() && text(hold, "agent") == agent) {
        let left = text(hold, "until").parse::<Timestamp>().map(|until| until.since(now).as_secs());
        let left = left.ok().filter(|left| *left > 0).map(|left| format!(" for {}", render::age(left)));
        return Some(format!("{} is held{}", one_line(agent), left.unwrap_or_default()));
    }
    let number = |key: &str| watcher[key].as_u64();
    match (number("running"), number("max_concurrent")) {
        (Some(running), Some(most)) if running >= most => Some(format!("{running} of {most} run")),
        _ => None,
    }
}

/// Returns what a job that is not over does, and for how long.
pub(super) fn doing(job: &Value, now: Timestamp) -> Option<String> {
    let waits_for = one_line(text(job, "waiting_for"));
    let (what, since) = match state(job)? {
        JobState::Created | JobState::Running if !waits_for.is_empty() => {
            // Room on a disk, or what a launcher says, in its own words.
            let colon = if waits_for.starts_with("room ") { " for" } else { ":" };
            return Some(format!("waits{colon} {waits_for}"));
        }
        JobState::Created => ("waiting for a watcher to take it", "created_at"),
        JobState::Running => match text(job, "phase") {
            "preparing" => ("preparing a fresh checkout", "started_at"),
            "saving" => ("saving the work", "started_at"),
            "checking" => ("checking the work", "started_at"),
            "delivering" => ("delivering the work", "started_at"),
            _ => ("the agent works", "started_at"),
        },
        JobState::Succeeded | JobState::Failed | JobState::Aborted => return None,
    };
    let seconds = text(job, since).parse::<Timestamp>().map(|since| now.since(since).as_secs());
    let took = seconds.map(|seconds| format!("  {}", render::duration(seconds))).unwrap_or_default();
    let attempts = job.get("attempts").and_then(Value::as_array).map_or(0, Vec::len);
    let attempt = if attempts > 1 { format!(", attempt {attempts}") } else { String::new() };
    Some(format!("{what}{attempt}{took}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_state_says_why_in_a_few_words() {
        let check = |job: Value, expected: &str| assert_eq!(state_in_words(&job, &|_| None), expected, "{job}");
        check(json!({ "state": "failed", "reason": "exit", "exit_code": 3 }), "failed, exit 3");
        check(json!({ "state": "failed", "reason": "check" }), "failed, red checks");
        check(json!({ "state": "failed", "reason": "later\u{1b}" }), "failed, later^[");
        check(json!({ "state": "failed" }), "failed");
        check(json!({ "state": "running", "phase": "agent" }), "running");
        check(json!({ "state": "running", "phase": "delivering", "stalled": true }), "running, delivering, stalled");
        check(json!({ "state": "succeeded", "changed": false }), "succeeded, no changes");
        check(json!({ "state": "succeeded", "verified": true }), "succeeded, verified");
        check(json!({ "state": "unknown" }), "unknown");
        let waits = |_: &Value| Some("no watcher".to_owned());
        assert_eq!(state_in_words(&json!({ "state": "created" }), &waits), "created, no watcher");
        assert_eq!(state_in_words(&json!({ "state": "failed" }), &waits), "failed");
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        for reason in pv_lib::job::FailReason::ALL {
            let words = why_it_failed(&json!({ "reason": reason.as_str() }));
            let is_name = ["interrupted"].contains(&reason.as_str());
            assert!(is_name || words != reason.as_str(), "{reason}: {words}");
        }
    }

    #[test]
    fn a_job_waits_for_what_the_status_tells() {
        let now = at("2026-01-31T12:00:00Z");
        let check = |watcher: Value, expected: Option<&str>| {
            let found = why_it_waits(&json!({ "agent": "codex" }), &json!({ "watcher": watcher }), now);
            assert_eq!(found.as_deref(), expected, "{watcher}");
        };
        check(json!({ "alive": null, "holds": [] }), Some("no watcher"));
        check(json!({ "alive": false }), Some("the watcher is silent"));
        check(json!({ "alive": true, "running": 1, "max_concurrent": 2 }), None);
        check(json!({ "alive": true, "running": 2, "max_concurrent": 2 }), Some("2 of 2 run"));
        let hold = |agent: &str, until: &str| json!({ "alive": true, "holds": [{ "agent": agent, "until": until }] });
        check(hold("codex", "2026-01-31T12:14:30Z"), Some("codex is held for 14m"));
        check(hold("codex", "2026-01-31T11:00:00Z"), Some("codex is held"));
        check(hold("claude", "2026-01-31T12:14:30Z"), None);
        assert_eq!(why_it_waits(&json!({}), &json!({}), now), None, "an API that does not tell");
    }

    #[test]
    fn what_goes_on_is_said_with_the_time_that_it_took() {
        let now = at("2026-01-31T12:01:05Z");
        let check = |job: Value, expected: Option<&str>| assert_eq!(doing(&job, now).as_deref(), expected, "{job}");
        check(
            json!({ "state": "created", "created_at": "2026-01-31T12:01:00Z" }),
            Some("waiting for a watcher to take it  5s"),
        );
        let running = |phase: &str| json!({ "state": "running", "phase": phase, "started_at": "2026-01-31T12:00:00Z" });
        check(running("preparing"), Some("preparing a fresh checkout  1m 5s"));
        check(running("agent"), Some("the agent works  1m 5s"));
        check(running("saving"), Some("saving the work  1m 5s"));
        check(running("checking"), Some("checking the work  1m 5s"));
        check(running("delivering"), Some("delivering the work  1m 5s"));
        check(json!({ "state": "running", "attempts": [{}, {}] }), Some("the agent works, attempt 2"));
        check(
            json!({ "state": "running", "phase": "delivering", "waiting_for": "room on /srv\u{1b}" }),
            Some("waits for room on /srv^["),
        );
        check(
            json!({ "state": "running", "phase": "preparing", "waiting_for": "PENDING (Resources)" }),
            Some("waits: PENDING (Resources)"),
        );
        check(json!({ "state": "failed" }), None);
        check(json!({ "state": "unknown" }), None);
    }
}
