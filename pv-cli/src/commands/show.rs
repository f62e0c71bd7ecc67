//! `pv show`: prints everything about a job.

use pv_lib::{
    host,
    text::{LogText, one_line},
    time::Timestamp,
};
use serde_json::Value;

use super::{
    job_args::JobArg,
    list::{marked_state, repo},
};
use crate::{
    backend::{self, text},
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
        ("created", when("created_at")),
        ("started", when("started_at")),
        ("heartbeat", when("heartbeat_at")),
        ("last output", when("last_output_at")),
        ("finished", when("finished_at")),
        ("exit code", number("exit_code")),
        ("usage", usage(job.get("usage"))),
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
