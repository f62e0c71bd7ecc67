//! What became of a job, and what to type next.

use pv_lib::{
    job::{JobRecord, JobState},
    text::one_line,
};

use super::super::show::branch_page;
use crate::{context::quoted, render};

/// Where the branch of a job is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// On this remote.
    Remote(&'a str),
    /// In the clone itself.
    Here,
}

/// Returns what became of a job that is over: names and values. `pv` is how the person calls this program.
pub(super) fn lines(record: &JobRecord, place: Place<'_>, short_id: &str, pv: &str) -> Vec<(&'static str, String)> {
    let delivery = record.delivery.as_ref();
    let succeeded = record.state() == JobState::Succeeded;
    let branch = delivery.and_then(|delivery| delivery.branch.as_deref()).filter(|_| succeeded);
    let message = message(record, branch);
    let mut parts = [outcome(record), message].into_iter().filter(|part| !part.is_empty());
    let mut lines = vec![(record.state().as_str(), parts.next().unwrap_or_else(|| "-".to_owned()))];
    lines.extend(parts.map(|part| ("", part)));
    if let Some(branch) = branch {
        let on = match place {
            Place::Remote(name) => format!(" on {name}"),
            Place::Here => " in this clone".to_owned(),
        };
        lines.push(("branch", format!("{}{on}", one_line(branch))));
    }
    if let Some(url) = delivery.and_then(|delivery| delivery.pr_url.as_deref()) {
        lines.push(("request", one_line(url)));
    }
    if delivery.is_some_and(|delivery| delivery.patch_path.is_some()) {
        lines.push(("look", format!("{pv} diff {short_id}")));
        lines.push(("take over", format!("{pv} diff {short_id} | git apply")));
    }
    if let Some(branch) = branch {
        let switch = format!("git switch {}", quoted(branch));
        lines.push(match place {
            Place::Remote(name) => ("switch", format!("git fetch {} && {switch}", quoted(name))),
            Place::Here => ("switch", switch),
        });
    }
    if !succeeded {
        lines.push(("log", format!("{pv} log {short_id}")));
        lines.push(("again", format!("{pv} retry {short_id}")));
    }
    lines
}

/// Returns the page that a line opens where a terminal has links; empty where there is none.
pub(super) fn address(name: &str, record: &JobRecord) -> String {
    let delivery = record.delivery.as_ref();
    let request = delivery.and_then(|delivery| delivery.pr_url.clone()).unwrap_or_default();
    match name {
        "request" => request,
        "branch" => {
            let branch = delivery.and_then(|delivery| delivery.branch.as_deref()).unwrap_or_default();
            branch_page(&request, branch).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Returns what there is to say, but for what another line says: that a branch was pushed, and to where, and the address of
/// its pull request.
fn message(record: &JobRecord, branch: Option<&str>) -> String {
    let request = record.delivery.as_ref().and_then(|delivery| delivery.pr_url.as_deref());
    let said = request.map(|url| format!("pull request {}", one_line(url)));
    let message = record.message.as_deref().map(one_line).unwrap_or_default();
    let pushed = branch.map(|branch| format!("pushed {branch} to "));
    match pushed.filter(|pushed| message.starts_with(pushed)) {
        Some(_) => {
            let rest = message.split_once("; ").map(|(_, rest)| rest).unwrap_or_default();
            let rest = said.as_deref().and_then(|said| rest.strip_prefix(said)).unwrap_or(rest);
            rest.trim_start_matches("; ").to_owned()
        }
        None => message,
    }
}

/// Returns how it ended and how long it took.
fn outcome(record: &JobRecord) -> String {
    let took = match (record.started_at, record.finished_at) {
        (Some(started), Some(finished)) => format!("in {}", render::duration(finished.since(started).as_secs())),
        _ => String::new(),
    };
    let reason = record.reason.map(|reason| format!("({reason})")).unwrap_or_default();
    let parts = [reason, took];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, place: Place<'_>, expected: &[&str]) {
        let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
        let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{id}",{json}}}"#).as_bytes()).unwrap();
        let found: Vec<String> = lines(&record, place, "0190f5c2a7b9", "pv")
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn a_job_that_went_well_says_where_its_work_is_and_how_to_take_it_over() {
        let delivered = r#""state":"succeeded","started_at":"2026-01-31T12:00:00Z","finished_at":"2026-01-31T12:00:41Z",
            "delivery":{"branch":"codex/x-1","patch_path":"/p","pr_url":"https://h/o/r/pull/7"}"#;
        let taken = ["look: pv diff 0190f5c2a7b9", "take over: pv diff 0190f5c2a7b9 | git apply"];
        let request = "request: https://h/o/r/pull/7";
        check(
            delivered,
            Place::Remote("origin"),
            &[
                "succeeded: in 41s",
                "branch: codex/x-1 on origin",
                request,
                taken[0],
                taken[1],
                "switch: git fetch origin && git switch codex/x-1",
            ],
        );
        let here = ["succeeded: in 41s", "branch: codex/x-1 in this clone", request, taken[0], taken[1]];
        check(delivered, Place::Here, &[&here[..], &["switch: git switch codex/x-1"]].concat());
        check(r#""state":"succeeded","message":"no changes","changed":false"#, Place::Here, &["succeeded: no changes"]);
        let pushed =
            r#""state":"succeeded","message":"pushed b/1 to /r; no pull request: why","delivery":{"branch":"b/1"}"#;
        check(
            pushed,
            Place::Here,
            &["succeeded: no pull request: why", "branch: b/1 in this clone", "switch: git switch b/1"],
        );
        for (rest, expected) in
            [("", "succeeded: -"), ("; the label x was not taken", "succeeded: the label x was not taken")]
        {
            let asked = format!(
                r#""state":"succeeded","message":"pushed b/1 to /r; pull request https://h/o/r/pull/7{rest}",
                "delivery":{{"branch":"b/1","pr_url":"https://h/o/r/pull/7"}}"#
            );
            check(&asked, Place::Here, &[expected, "branch: b/1 in this clone", request, "switch: git switch b/1"]);
        }
        let kept = r#""state":"succeeded","delivery":{"patch_path":"/p"}"#;
        check(kept, Place::Here, &["succeeded: -", taken[0], taken[1]]);
    }

    #[test]
    fn the_request_and_its_branch_open_their_pages() {
        let json = r#"{"job_id":"0190f5c2a7b97c31b1c5b1d1a1e1f101","state":"succeeded",
            "delivery":{"branch":"codex/x-1","pr_url":"https://h/o/r/pull/7"}}"#;
        let record = JobRecord::from_bytes(json.as_bytes()).unwrap();
        assert_eq!(address("request", &record), "https://h/o/r/pull/7");
        assert_eq!(address("branch", &record), "https://h/o/r/tree/codex/x-1");
        assert_eq!(address("look", &record), "");
    }

    #[test]
    fn a_job_that_did_not_names_no_branch_and_says_how_to_go_on() {
        let json = r#""state":"failed","reason":"delivery","message":"cannot push\u001b[2J",
            "delivery":{"branch":"codex/x-1","patch_path":"/p"}"#;
        let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
        let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{id}",{json}}}"#).as_bytes()).unwrap();
        let found = lines(&record, Place::Remote("origin"), "0190", "pv --root /r");
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["failed", "", "look", "take over", "log", "again"]);
        assert_eq!(found[0].1, "(delivery)");
        assert!(found[1].1.starts_with("cannot push") && !found[1].1.contains('\u{1b}'), "{found:?}");
        assert_eq!(found[5].1, "pv --root /r retry 0190");
    }
}
