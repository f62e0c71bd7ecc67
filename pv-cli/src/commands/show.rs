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
    job_words::{marked_state, paint},
    list::repo,
};
use crate::{
    backend::{self, Backend, state, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{self, Cell, Out, Section},
    terminal::{Paint, Style},
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
    out.sections(&sections(&job, &page_of(&*backend, &job), host::now()))?;
    if let Some(message) = backend.last_message(text(&job, "job_id"))? {
        out.bytes(b"\nThe last that its agent said:\n\n")?;
        let mut log = LogText::new(false);
        let shown = log.push(&message) + &log.finish();
        out.bytes(shown.trim_end().as_bytes())?;
        out.bytes(b"\n")?;
    }
    if out.terminal().width.is_some() {
        let style = Style::of(out.terminal());
        out.line(&format!("\n{}", style.head("Next")))?;
        for command in next(&job, &context.command_with_api()) {
            out.line(&format!("  {command}"))?;
        }
        out.flush()?;
    }
    Ok(Exit::Done)
}

/// Returns the address of a job on the page; empty where no page is served.
fn page_of(backend: &dyn Backend, job: &Value) -> String {
    let status = backend.status().unwrap_or_default();
    let watcher = &status["watcher"];
    match (watcher["alive"].as_bool(), text(watcher, "page")) {
        (Some(true), page) if !page.is_empty() => format!("{}#/jobs/{}", one_line(page), one_line(text(job, "job_id"))),
        _ => String::new(),
    }
}

/// Returns what is known of a job, in the order in which people ask for it.
fn sections(job: &Value, page: &str, now: Timestamp) -> [Section; 5] {
    let plain = |key: &str| Cell::from(one_line(text(job, key)));
    let number = |key: &str| job.get(key).and_then(Value::as_i64).map(|number| number.to_string()).unwrap_or_default();
    let delivery = |key: &str| job.get("delivery").map(|delivery| one_line(text(delivery, key))).unwrap_or_default();
    let when = |key: &str| Cell::from(when(text(job, key), now));
    let request = delivery("pr_url");
    let branch_page = branch_page(&request, &delivery("branch")).unwrap_or_default();
    let bad = |text: String| Cell::painted(text, Paint::Bad);
    let head = vec![
        ("job", plain("job_id").opening(page)),
        ("state", Cell::painted(marked_state(job), paint(job))),
        ("phase", plain("phase")),
        ("waits for", plain("waiting_for")),
        ("reason", plain("reason")),
        ("message", plain("message")),
        ("title", plain("title")),
        ("repo", one_line(&repo(job)).into()),
        ("branch", plain("branch_name")),
        ("agent", plain("agent")),
        ("model", plain("model")),
        ("launcher", plain("launcher")),
    ];
    let times = vec![
        ("created", when("created_at")),
        ("started", when("started_at")),
        ("heartbeat", when("heartbeat_at")),
        ("last output", when("last_output_at")),
        ("finished", when("finished_at")),
        ("took", took(job).into()),
    ];
    let result = vec![
        ("exit code", number("exit_code").into()),
        ("usage", usage(job.get("usage")).into()),
        ("verified", verified(job).into()),
        ("attempts", attempts(job).into()),
        ("pid", number("pid").into()),
    ];
    let delivered = vec![
        ("delivery branch", Cell::from(delivery("branch")).opening(branch_page)),
        ("commit", delivery("commit").into()),
        ("pull request", Cell::page(request)),
        ("patch", delivery("patch_path").into()),
        ("ignored files", ignored(job.get("delivery")).into()),
        ("kept checkout", kept_checkout(job.get("delivery")).into()),
        ("discarded", delivery("checkout_discarded_at").into()),
        ("delivery error", bad(delivery("error"))),
        ("push log", push_log(job).into()),
    ];
    let files = vec![
        ("retry of", plain("retry_of")),
        ("same file as", plain("same_file_as")),
        ("prompt changed", prompt_changed(job).to_owned().into()),
        ("prompt", plain("inbox_file")),
        ("log", plain("log_path")),
        ("host", plain("host")),
    ];
    [("Job", head), ("Time", times), ("Result", result), ("Delivery", delivered), ("Files", files)]
        .map(|(head, facts)| Section { head, facts })
}

/// Returns how long a job that is over took.
fn took(job: &Value) -> String {
    let at = |key: &str| text(job, key).parse::<Timestamp>().ok();
    let (Some(started), Some(finished)) = (at("started_at"), at("finished_at")) else { return String::new() };
    render::duration(finished.since(started).as_secs())
}

/// Returns the page of a branch on the host that has the pull request; `None` where that is no host with such pages.
pub(super) fn branch_page(request: &str, branch: &str) -> Option<String> {
    let (repository, number) = request.rsplit_once("/pull/")?;
    let is_request = number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty();
    (is_request && !branch.is_empty()).then(|| format!("{repository}/tree/{branch}"))
}

/// Returns what to type next, a command on a line.
fn next(job: &Value, pv: &str) -> Vec<String> {
    let id = one_line(text(job, "job_id"));
    let has_patch = job.get("delivery").is_some_and(|delivery| !text(delivery, "patch_path").is_empty());
    let log = match state(job) {
        Some(JobState::Created | JobState::Running) => {
            return vec![format!("{pv} log -f {id}"), format!("{pv} abort {id}")];
        }
        Some(_) => format!("{pv} log {id}"),
        None => return vec![format!("{pv} doctor")],
    };
    let diff = has_patch.then(|| format!("{pv} diff {id}"));
    let retry = (state(job) != Some(JobState::Succeeded)).then(|| format!("{pv} retry {id}"));
    [Some(log), diff, retry].into_iter().flatten().collect()
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
    fn the_page_of_a_branch_is_beside_its_pull_request() {
        let check = |request: &str, expected: Option<&str>| {
            assert_eq!(branch_page(request, "codex/x-1").as_deref(), expected, "{request}");
        };
        check("https://github.com/o/r/pull/7", Some("https://github.com/o/r/tree/codex/x-1"));
        check("https://gitlab.com/o/r/-/merge_requests/7", None);
        check("https://github.com/o/r/pull/", None);
        check("https://github.com/o/r/pull/7/files", None);
        check("", None);
        assert_eq!(branch_page("https://github.com/o/r/pull/7", ""), None);
    }

    #[test]
    fn what_to_type_next_follows_from_the_state() {
        let check = |job: Value, expected: &[&str]| assert_eq!(next(&job, "pv"), expected, "{job}");
        check(json!({ "job_id": "a", "state": "running" }), &["pv log -f a", "pv abort a"]);
        let delivery = json!({ "patch_path": "/p" });
        check(json!({ "job_id": "a", "state": "succeeded", "delivery": delivery }), &["pv log a", "pv diff a"]);
        check(json!({ "job_id": "a", "state": "failed" }), &["pv log a", "pv retry a"]);
        check(json!({ "job_id": "a", "state": "unknown" }), &["pv doctor"]);
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
