//! `pv status`: prints what an installation looks like.

mod health;

use pv_lib::{host, job::JobFilter, text::one_line, time::Timestamp};
use serde_json::Value;

use super::list;
use crate::{
    backend::{self, Backend, short_ids},
    context::Context,
    exit::{Exit, Failure, Outcome},
    render::{self, Cell, Out},
    terminal::Paint,
};

/// How many jobs a terminal is shown, the newest.
const JOBS_SHOWN: usize = 5;

/// How many mirrors are named.
const MIRRORS_SHOWN: usize = 3;

/// How many kept checkouts are shown.
const KEPT_SHOWN: usize = 20;

/// Arguments of `pv status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints what is wrong, how many jobs there are, whether a watcher runs them, the folders and the space on the disk; on a
/// terminal the newest jobs, too, and what to type next.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let status = backend.status()?;
    let mut out = Out::new();
    if context.json {
        out.json(&status)?;
        return Ok(Exit::Done);
    }
    let (pv, now) = (context.command_with_api(), host::now());
    out.facts(facts(&status, &pv, now))?;
    if out.terminal().width.is_some() {
        show_newest(&*backend, &status, &mut out, &pv)?;
    }
    Ok(Exit::Done)
}

/// Returns what there is to say of an installation: what is wrong first.
fn facts(status: &Value, pv: &str, now: Timestamp) -> Vec<(&'static str, Cell)> {
    let problems = health::problems(status, pv, now);
    let health = match problems.is_empty() {
        true => ("health", Cell::painted("no problem was found; `pv doctor` looks closer", Paint::Good)),
        false => ("wrong", Cell::painted(problems.join("\n"), Paint::Bad)),
    };
    let mut facts = vec![
        health,
        ("jobs", jobs(&status["jobs"]).into()),
        ("watcher", watcher(&status["watcher"]).into()),
        ("page", Cell::page(page(&status["watcher"]))),
        ("held", holds(&status["watcher"]).into()),
        ("inbox", root(status, "tree_builder_root").into()),
        ("runs", root(status, "runs_root").into()),
        ("disk", disk(&status["disk"]).into()),
        ("mirrors", mirrors(&status["mirrors"]).into()),
        ("kept", kept(&status["kept_checkouts"]).into()),
        ("targets", status["targets"]["count"].to_string().into()),
    ];
    facts.extend(unusable(&status["unusable"]).into_iter().map(|(name, line)| (name, line.into())));
    facts
}

/// Prints the newest jobs, and what to type next.
fn show_newest(backend: &dyn Backend, status: &Value, out: &mut Out, pv: &str) -> Result<(), Failure> {
    let filter = JobFilter { limit: Some(JOBS_SHOWN), ..JobFilter::default() };
    let (list, ids) = backend.list_with_ids(&filter)?;
    let newest = list.jobs;
    let short = short_ids(&ids, newest.iter().map(|job| backend::text(job, "job_id")));
    let shortened = |id: &str| short.get(id).map(|short| (*short).to_owned());
    if !newest.is_empty() {
        out.line("")?;
        out.table(list::COLUMNS, &list::rows(&newest, status, &shortened))?;
    }
    let next = health::next(&newest, &|id| one_line(&shortened(id).unwrap_or_else(|| id.to_owned())), pv);
    out.line("")?;
    out.facts(vec![("next", next.into())])
}

fn jobs(jobs: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (state, count) in jobs["counts"].as_object().into_iter().flatten() {
        let count = count.as_u64().unwrap_or(0);
        if count > 0 {
            parts.push(format!("{count} {}", one_line(state)));
        }
    }
    let stalled = jobs["stalled_running"].as_u64().unwrap_or(0);
    if stalled > 0 {
        parts.push(format!("{stalled} stalled"));
    }
    let total = jobs["total"].as_u64().unwrap_or(0);
    if parts.is_empty() { total.to_string() } else { format!("{total} ({})", parts.join(", ")) }
}

fn watcher(watcher: &Value) -> String {
    let number = |key: &str| watcher[key].as_u64().unwrap_or(0);
    let host = one_line(backend::text(watcher, "host"));
    match watcher["alive"].as_bool() {
        Some(true) => format!(
            "alive, pid {} on {host}, runs {} of {}, {} wait{}",
            number("pid"),
            number("running"),
            number("max_concurrent"),
            number("waiting"),
            for_what(number("waiting_for_room"), number("blocked_for_room"), number("blocked_by_launcher")),
        ),
        Some(false) => {
            format!("silent since {}, was pid {} on {host}", one_line(backend::text(watcher, "beat_at")), number("pid"))
        }
        None => "none: `pv run`, `pv up` or `pv watcher` starts one".to_owned(),
    }
}

/// Says how many of them wait for room on a disk, and how many of those that run wait for that or for their launcher.
fn for_what(waiting: u64, blocked: u64, launched: u64) -> String {
    let waiting = (waiting > 0).then(|| format!(", {waiting} of them for room on a disk"));
    let blocked = (blocked > 0).then(|| format!(", {blocked} of those that run wait for room"));
    let launched = (launched > 0).then(|| format!(", {launched} of those that run wait for their launcher"));
    [waiting, blocked, launched].into_iter().flatten().collect()
}

/// Returns the address of the page, where the watcher's process serves one and lives.
fn page(watcher: &Value) -> String {
    let is_alive = watcher["alive"].as_bool() == Some(true);
    if is_alive { one_line(backend::text(watcher, "page")) } else { String::new() }
}

/// Names the agents whose jobs wait, one hold on a line: why, until when, and what to do.
fn holds(watcher: &Value) -> String {
    let holds = watcher["holds"].as_array().map_or(&[][..], Vec::as_slice);
    let held = |hold: &Value| {
        let [agent, kind, state, until, message, remedy] =
            ["agent", "kind", "state", "until", "message", "remedy"].map(|key| one_line(backend::text(hold, key)));
        let when = if state == "probing" {
            format!("over since {until}, one job at a time is tried until one works")
        } else {
            format!("until {until}")
        };
        // An older API tells neither kind nor remedy.
        let kind = if kind.is_empty() { kind } else { format!(" ({kind})") };
        let remedy = if remedy.is_empty() { remedy } else { format!("; {remedy}") };
        format!("{agent}{kind} {when}: {message}{remedy}")
    };
    holds.iter().map(held).collect::<Vec<_>>().join("\n")
}

/// Says how large the mirrors of repositories are, and names the largest, and those that cannot be kept small.
fn mirrors(mirrors: &Value) -> String {
    let size = |value: &Value| render::size(value["bytes"].as_u64().unwrap_or(0));
    let (Some(count), Some(largest)) = (mirrors["count"].as_u64(), mirrors["largest"].as_array()) else {
        // An older API does not tell.
        return String::new();
    };
    if mirrors["measured_at"].is_null() {
        return "not measured: a watcher does that".to_owned();
    }
    let named: Vec<String> = largest
        .iter()
        .take(MIRRORS_SHOWN)
        .map(|mirror| format!("{} {}", one_line(backend::text(mirror, "repo")), size(mirror)))
        .collect();
    let named = if named.is_empty() { String::new() } else { format!(" (largest: {})", named.join(", ")) };
    let problems = largest.iter().filter(|mirror| mirror["problem"].is_string()).map(|mirror| {
        let [repo, problem] = ["repo", "problem"].map(|key| one_line(backend::text(mirror, key)));
        format!("{repo} cannot be kept small: {problem}")
    });
    let all = [format!("{count}, {}{named}", size(mirrors))].into_iter().chain(problems);
    all.collect::<Vec<_>>().join("\n")
}

/// Names the checkouts that are kept, with their sizes and why.
fn kept(kept: &Value) -> String {
    let kept = kept.as_array().map_or(&[][..], Vec::as_slice);
    let each = kept.iter().take(KEPT_SHOWN).map(|checkout| {
        let size = checkout["bytes"].as_u64().map(|bytes| format!(" ({})", render::size(bytes))).unwrap_or_default();
        let [path, reason] = ["path", "reason"].map(|key| one_line(backend::text(checkout, key)));
        format!("{path}{size}: {reason}")
    });
    let mut lines: Vec<String> = each.collect();
    if kept.len() > KEPT_SHOWN {
        lines.push(format!("and {} more: `pv status --json` lists them", kept.len() - KEPT_SHOWN));
    }
    if !lines.is_empty() {
        lines.push("look at each, then `pv discard ID` removes it".to_owned());
    }
    lines.join("\n")
}

/// Names what cannot be used, one on a line.
fn unusable(unusable: &Value) -> Vec<(&'static str, String)> {
    let entries = unusable["entries"].as_array().map_or(&[][..], Vec::as_slice);
    let line = |entry: &Value| {
        let [path, why, remedy] = ["path", "why", "remedy"].map(|key| one_line(backend::text(entry, key)));
        format!("{path}: {why}: {remedy}")
    };
    let more = unusable["more"].as_u64().filter(|more| *more > 0).map(|more| format!("{more} more"));
    entries.iter().map(line).chain(more).map(|line| ("unusable", line)).collect()
}

fn root(status: &Value, key: &str) -> String {
    let path = one_line(backend::text(&status["config"], key));
    let is_there = status["roots"][format!("{key}_exists")].as_bool().unwrap_or(false);
    if is_there { path } else { format!("{path} (missing)") }
}

fn disk(disk: &Value) -> String {
    let bytes = |key: &str| disk[key].as_u64();
    let (Some(free), Some(total), Some(floor)) = (bytes("available_bytes"), bytes("total_bytes"), bytes("floor_bytes"))
    else {
        return "cannot be measured".to_owned();
    };
    let is_full = disk["full"].as_array().map_or(free < floor, |full| !full.is_empty());
    let warning = if is_full { ": prompts are refused or wait until there is room" } else { "" };
    let [free, total, floor] = [free, total, floor].map(render::size);
    format!("{free} of {total} free, {floor} must stay free{warning}")
}
