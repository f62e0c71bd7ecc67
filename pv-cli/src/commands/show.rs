//! `pv show`: prints everything about a job.

use pv_lib::{
    host,
    job::{CheckResult, JobState},
    text::{LogText, one_line},
    time::Timestamp,
};
use serde_json::Value;

use super::{
    job_args::JobArg,
    list::{marked_state, repo},
};
use crate::{
    backend::{self, state, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{self, Out},
};

/// Prints what is known of a job.
pub(crate) fn run(args: &JobArg, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let job = backend.job(&args.resolve(&*backend)?)?;
    let mut out = Out::new();
    if context.json {
        out.json(&job)?;
        return Ok(Exit::Done);
    }
    let plain = |key: &str| one_line(text(&job, key));
    let number = |key: &str| job.get(key).and_then(Value::as_i64).map(|number| number.to_string()).unwrap_or_default();
    let delivery = |key: &str| job.get("delivery").map(|delivery| one_line(text(delivery, key))).unwrap_or_default();
    let when = |key: &str| when(text(&job, key), host::now());
    out.facts(&[
        ("job", plain("job_id")),
        ("state", marked_state(&job)),
        ("phase", plain("phase")),
        ("waits for", plain("waiting_for")),
        ("reason", plain("reason")),
        ("message", plain("message")),
        ("title", plain("title")),
        ("repo", one_line(&repo(&job))),
        ("branch", plain("branch_name")),
        ("agent", plain("agent")),
        ("model", plain("model")),
        ("launcher", plain("launcher")),
        ("created", when("created_at")),
        ("started", when("started_at")),
        ("heartbeat", when("heartbeat_at")),
        ("last output", when("last_output_at")),
        ("finished", when("finished_at")),
        ("exit code", number("exit_code")),
        ("usage", usage(job.get("usage"))),
        ("verified", verified(&job)),
        ("attempts", attempts(&job)),
        ("pid", number("pid")),
        ("delivery branch", delivery("branch")),
        ("commit", delivery("commit")),
        ("pull request", delivery("pr_url")),
        ("patch", delivery("patch_path")),
        ("ignored files", ignored(job.get("delivery"))),
        ("kept checkout", kept_checkout(job.get("delivery"))),
        ("discarded", delivery("checkout_discarded_at")),
        ("delivery error", delivery("error")),
        ("push log", push_log(&job)),
        ("retry of", plain("retry_of")),
        ("same file as", plain("same_file_as")),
        ("prompt changed", prompt_changed(&job).to_owned()),
        ("prompt", plain("inbox_file")),
        ("log", plain("log_path")),
        ("host", plain("host")),
    ])?;
    if let Some(message) = backend.last_message(text(&job, "job_id"))? {
        out.bytes(b"\nThe last that its agent said:\n\n")?;
        let mut log = LogText::new(false);
        let shown = log.push(&message) + &log.finish();
        out.bytes(shown.trim_end().as_bytes())?;
        out.bytes(b"\n")?;
    }
    Ok(Exit::Done)
}

/// Returns whether the work is verified, and by what; empty while nothing is known.
fn verified(job: &Value) -> String {
    let checks: Vec<CheckResult> = CheckResult::list(job.get("checks"));
    let each: Vec<String> =
        checks.iter().map(|check| format!("`{}` ({})", one_line(&check.command), one_line(&check.ending()))).collect();
    let mut said = match job.get("verified").and_then(Value::as_bool) {
        Some(true) => format!("yes, by {}", each.join(", ")),
        Some(false) => format!("no: {}", each.join(", ")),
        None if !each.is_empty() => format!("not known: {}", each.join(", ")),
        None if state(job) == Some(JobState::Succeeded) && job.get("changed") == Some(&Value::Bool(true)) => {
            "no: no checks are configured".to_owned()
        }
        None => return String::new(),
    };
    if job.get("checks_rerun").and_then(Value::as_bool) == Some(true) {
        said += "; the checks ran once more, since a supervisor ended before they did";
    }
    let changed: Vec<String> = strings(job.get("checks_changed")).iter().map(|path| one_line(path)).collect();
    if !changed.is_empty() {
        said += &format!("; the work changes what the checks run from: {}", changed.join(", "));
    }
    said
}

/// Returns the attempts, where there was more than one: what the checks said of each.
fn attempts(job: &Value) -> String {
    let attempts = job.get("attempts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if attempts.len() < 2 {
        return String::new();
    }
    let each = attempts.iter().map(|attempt| {
        let number = attempt.get("number").and_then(Value::as_u64).unwrap_or(0);
        let red: Vec<String> = CheckResult::list(attempt.get("checks"))
            .iter()
            .filter(|check| !check.is_green())
            .map(|check| one_line(&check.name))
            .collect();
        match attempt.get("checks") {
            None => format!("{number} not checked"),
            Some(_) if red.is_empty() => format!("{number} green"),
            Some(_) => format!("{number} red ({})", red.join(", ")),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let texts = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Returns where it is kept what was said about a push that failed, and how it is read.
fn push_log(job: &Value) -> String {
    match job.get("delivery").map(|delivery| text(delivery, "push_log_path")) {
        None | Some("") => String::new(),
        Some(path) => format!("{} (`pv log --push {}`)", one_line(path), one_line(text(job, "job_id"))),
    }
}

/// Says of a prompt whose file was changed too late that it was not run as it is now.
fn prompt_changed(job: &Value) -> &'static str {
    match job["prompt_changed"].as_bool() {
        Some(true) => "after it had been read for the agent: what was added was not run",
        _ => "",
    }
}

/// Returns what the agent made that git ignores, and where it is.
fn ignored(delivery: Option<&Value>) -> String {
    let Some((delivery, ignored)) = delivery.and_then(|delivery| Some((delivery, delivery.get("ignored")?))) else {
        return String::new();
    };
    let number = |key: &str| ignored[key].as_u64().unwrap_or(0);
    let mut parts = Vec::new();
    if number("files") > 0 {
        let place = match text(ignored, "archive_path") {
            "" if text(delivery, "checkout_path").is_empty() => "in no archive".to_owned(),
            "" => "in the kept checkout".to_owned(),
            archive => format!("in {}", one_line(archive)),
        };
        parts.push(format!("{} ({}) {place}", number("files"), render::size(number("bytes"))));
    }
    if number("cached_files") > 0 {
        parts.push(format!("{} in known caches, not kept", number("cached_files")));
    }
    parts.join("; ")
}

/// Returns where the checkout is that was kept, how large it is and why it is there.
fn kept_checkout(delivery: Option<&Value>) -> String {
    let Some(delivery) = delivery.filter(|delivery| !text(delivery, "checkout_path").is_empty()) else {
        return String::new();
    };
    let path = one_line(text(delivery, "checkout_path"));
    let size =
        delivery["checkout_bytes"].as_u64().map(|bytes| format!(", {}", render::size(bytes))).unwrap_or_default();
    match text(delivery, "checkout_reason") {
        "" => format!("{path}{size}"),
        reason => format!("{path}{size}: {}", one_line(reason)),
    }
}

/// Returns tokens and cost, as far as the agent reported them.
fn usage(usage: Option<&Value>) -> String {
    let reported = usage.and_then(Value::as_object).into_iter().flatten();
    let parts = reported.filter(|(_, value)| value.is_number());
    parts.map(|(key, value)| format!("{value} {}", one_line(key))).collect::<Vec<_>>().join(", ")
}

/// Returns a time and how long ago it was.
fn when(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => format!("{at} ({} ago)", render::age(now.since(at).as_secs())),
        Err(_) => one_line(time),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_verifies_the_work_is_shown_with_each_attempt() {
        let check = |job: Value, expected: (&str, &str)| {
            let shown = (verified(&job), attempts(&job));
            assert_eq!((shown.0.as_str(), shown.1.as_str()), expected, "{job}");
        };
        let green =
            json!({ "name": "test", "command": "cargo test", "exit_code": 0, "seconds": 41.2, "timed_out": false });
        let red =
            json!({ "name": "lint", "command": "make lint\u{1b}", "exit_code": 2, "seconds": 1.0, "timed_out": false });
        check(json!({ "state": "running" }), ("", ""));
        check(json!({ "state": "succeeded", "changed": false }), ("", ""));
        check(json!({ "state": "succeeded", "changed": true }), ("no: no checks are configured", ""));
        let two = json!([{ "number": 1, "checks": [red, green] }, { "number": 2, "checks": [green] }]);
        check(
            json!({ "state": "succeeded", "verified": true, "checks": [green], "attempts": two }),
            ("yes, by `cargo test` (exit 0, 41 s)", "1 red (lint), 2 green"),
        );
        let rerun = json!({ "state": "failed", "verified": false, "checks": [green, red], "checks_rerun": true,
            "checks_changed": ["Makefile"] });
        check(
            rerun,
            (
                "no: `cargo test` (exit 0, 41 s), `make lint^[` (exit 2, 1.0 s); the checks ran once more, since a \
                 supervisor ended before they did; the work changes what the checks run from: Makefile",
                "",
            ),
        );
        check(
            json!({ "attempts": [{ "number": 1, "checks": [red] }, { "number": 2 }] }),
            ("", "1 red (lint), 2 not checked"),
        );
    }

    #[test]
    fn ignored_files_are_shown_where_they_are() {
        let check = |delivery: Value, expected: &str| assert_eq!(ignored(Some(&delivery)), expected, "{delivery}");
        check(json!({}), "");
        let files = json!({ "files": 2, "bytes": 7, "cached_files": 0 });
        check(json!({ "ignored": files, "checkout_path": "/w" }), "2 (7 B) in the kept checkout");
        check(json!({ "ignored": files, "checkout_discarded_at": "2026-01-31T12:00:00Z" }), "2 (7 B) in no archive");
        let archived = json!({ "files": 2, "bytes": 7, "archive_path": "/a", "cached_files": 3 });
        check(json!({ "ignored": archived }), "2 (7 B) in /a; 3 in known caches, not kept");
    }
}
