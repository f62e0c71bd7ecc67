//! What is wrong with an installation, and what to type next: pure, on its status.

use pv_lib::{job::JobState, text::one_line, time::Timestamp};
use serde_json::Value;

use crate::{
    backend::{state, text},
    render,
};

/// Returns what is wrong, what matters most first, each with what to do; empty where nothing is.
pub(super) fn problems(status: &Value, pv: &str, now: Timestamp) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(disks(&status["disk"]));
    problems.extend(watcher(status, pv, now));
    let held = status["watcher"]["holds"].as_array().map_or(&[][..], Vec::as_slice);
    for agent in held.iter().map(|hold| one_line(text(hold, "agent"))) {
        problems
            .push(format!("jobs of {agent} wait, as `held` says: `{pv} resume --agent {agent} --all` lets them start"));
    }
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    match count(&status["jobs"]["stalled_running"]) {
        0 => {}
        1 => problems.push(format!("1 running job has a silent supervisor: `{pv} list --stalled`")),
        more => problems.push(format!("{more} running jobs have silent supervisors: `{pv} list --stalled`")),
    }
    match status["unusable"]["entries"].as_array().map_or(0, Vec::len) as u64 + count(&status["unusable"]["more"]) {
        0 => {}
        1 => problems.push("1 thing cannot be used, as `unusable` says".to_owned()),
        more => problems.push(format!("{more} things cannot be used, as `unusable` says")),
    }
    problems
}

/// Names the disks with too little room; an older API tells only the numbers of one.
fn disks(disk: &Value) -> Vec<String> {
    if let Some(full) = disk["full"].as_array() {
        let line = |full: &Value| {
            let [path, shortage] = ["path", "shortage"].map(|key| one_line(text(full, key)));
            format!("{path} has {shortage}: make room, then everything goes on by itself")
        };
        return full.iter().map(line).collect();
    }
    let (Some(free), Some(floor)) = (disk["available_bytes"].as_u64(), disk["floor_bytes"].as_u64()) else {
        return Vec::new();
    };
    let [shown, needed] = [free, floor].map(render::size);
    let line = format!("the disk is full: {shown} free, {needed} must be, and no prompt is taken before");
    (free < floor).then_some(line).into_iter().collect()
}

fn watcher(status: &Value, pv: &str, now: Timestamp) -> Option<String> {
    let watcher = &status["watcher"];
    let waiting = status["jobs"]["counts"]["created"].as_u64().unwrap_or(0);
    match watcher["alive"].as_bool() {
        Some(true) => None,
        Some(false) => {
            let beat = text(watcher, "beat_at").parse::<Timestamp>().map(|beat| now.since(beat).as_secs());
            let silent = beat.map(|seconds| format!(" for {}", render::duration(seconds))).unwrap_or_default();
            Some(format!("the watcher is silent{silent}: `{pv} doctor` says why, `{pv} up --detach` starts one"))
        }
        // Without work nobody misses it.
        None if waiting == 0 => None,
        None if waiting == 1 => Some(format!("1 job waits and no watcher runs: `{pv} up --detach` starts one")),
        None => Some(format!("{waiting} jobs wait and no watcher runs: `{pv} up --detach` starts one")),
    }
}

/// Returns what to type next, by the newest jobs, the newest first.
pub(super) fn next(newest: &[Value], short: &dyn Fn(&str) -> String, pv: &str) -> String {
    let of = |job: &Value| short(text(job, "job_id"));
    let is_live = |job: &&Value| state(job).is_some_and(|state| !state.is_terminal());
    let live = newest.iter().find(|job| is_live(job) && state(job) == Some(JobState::Running));
    if let Some(job) = live.or_else(|| newest.iter().find(is_live)) {
        return format!("{pv} log -f {}", of(job));
    }
    match newest.first() {
        Some(job) => format!("{pv} show {}", of(job)),
        None => format!("{pv} run \"what is to be done\", in a clone"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let check = |status: Value, expected: &[&str]| assert_eq!(problems(&status, "pv", now), expected, "{status}");
        check(json!({}), &[]);
        check(json!({ "watcher": { "alive": true }, "jobs": { "counts": { "created": 3 } } }), &[]);
        check(json!({ "watcher": { "alive": null } }), &[]);
        check(
            json!({ "disk": { "full": [{ "path": "/srv", "shortage": "1 MiB free" }], "available_bytes": 9, "floor_bytes": 1 } }),
            &["/srv has 1 MiB free: make room, then everything goes on by itself"],
        );
        check(json!({ "disk": { "full": [], "available_bytes": 0, "floor_bytes": 1 } }), &[]);
        check(
            json!({ "watcher": { "alive": null }, "jobs": { "counts": { "created": 3 } } }),
            &["3 jobs wait and no watcher runs: `pv up --detach` starts one"],
        );
        check(
            json!({
                "watcher": { "alive": false, "beat_at": "2026-01-31T11:48:00Z", "holds": [{ "agent": "codex\u{1b}" }] },
                "disk": { "available_bytes": 1, "floor_bytes": 1024 },
                "jobs": { "stalled_running": 1 },
                "unusable": { "entries": [{}], "more": 2 },
            }),
            &[
                "the disk is full: 1 B free, 1.0 KiB must be, and no prompt is taken before",
                "the watcher is silent for 12m: `pv doctor` says why, `pv up --detach` starts one",
                "jobs of codex^[ wait, as `held` says: `pv resume --agent codex^[ --all` lets them start",
                "1 running job has a silent supervisor: `pv list --stalled`",
                "3 things cannot be used, as `unusable` says",
            ],
        );
    }

    #[test]
    fn the_next_command_is_for_what_goes_on_else_for_what_ended_last() {
        let check = |jobs: Value, expected: &str| {
            let jobs = jobs.as_array().unwrap();
            assert_eq!(next(jobs, &str::to_owned, "pv"), expected);
        };
        check(json!([]), "pv run \"what is to be done\", in a clone");
        check(json!([{ "job_id": "b", "state": "failed" }, { "job_id": "a", "state": "succeeded" }]), "pv show b");
        check(json!([{ "job_id": "c", "state": "created" }, { "job_id": "b", "state": "running" }]), "pv log -f b");
        check(json!([{ "job_id": "c", "state": "created" }, { "job_id": "b", "state": "failed" }]), "pv log -f c");
        check(json!([{ "job_id": "x", "state": "unknown" }]), "pv show x");
    }
}
