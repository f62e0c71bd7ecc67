//! The watcher, what cannot be used, and work that waits for a person.

use pv_lib::{
    api::{HoldList, HoldState},
    host,
    job::HoldKind,
    store::{KeptCheckout, MirrorsStatus, Store},
    text::one_line,
    unusable::{Severity, Unusable, UnusableList},
};

use super::{Finding, Level};
use crate::render;

/// Whether a watcher claims prompts: by its last heartbeat, since its lock is for watchers alone.
pub(super) fn watcher(store: &Store) -> Finding {
    const START: &str = "start `pv up`, `pv watcher`, or prompt-valet-watcher.service";
    match store.watcher_status() {
        Ok(Some(status)) if status.is_alive(host::now()) => Finding::ok(
            "watcher",
            format!(
                "pid {} on {}{}, {} running, {} waiting",
                status.pid,
                status.host,
                status.runs_as.map(|runs_as| format!(" as {}", runs_as.user)).unwrap_or_default(),
                status.running,
                status.waiting
            ),
        ),
        Ok(Some(status)) => {
            Finding::warning("watcher", format!("silent since {}, prompts wait", status.beat_at)).with_remedy(START)
        }
        Ok(None) => Finding::warning("watcher", "none runs, prompts wait").with_remedy(START),
        Err(error) => Finding::problem("watcher", error.to_string()),
    }
}

/// What cannot be read, and what the watcher tries again and again: a finding for each.
pub(super) fn unusable(list: &UnusableList) -> Vec<Finding> {
    let level = |severity| match severity {
        Severity::Problem => Level::Problem,
        Severity::Warning => Level::Warning,
    };
    let finding = |entry: &Unusable| {
        let message = format!("{}: {}", entry.path, entry.why);
        Finding::new(level(entry.level), "unusable", message).with_remedy(&*entry.remedy)
    };
    let more = (list.more > 0).then(|| Finding::warning("unusable", format!("{} more", list.more)));
    list.entries.iter().map(finding).chain(more).collect()
}

/// Jobs that wait because of their agent. A limit ends by itself; for the rest a person is needed.
pub(super) fn holds(store: &Store) -> Vec<Finding> {
    const CHECK: &str = "holds";
    let list = match HoldList::read(store, host::now()) {
        Ok(list) => list,
        Err(error) => return vec![Finding::problem(CHECK, error.to_string())],
    };
    let each = list.holds.into_iter().map(|hold| {
        let level = if hold.kind == HoldKind::Quota { Level::Warning } else { Level::Problem };
        let waits = match hold.state {
            HoldState::Held => format!("wait until {}", hold.until),
            HoldState::Probing => "are tried one at a time until one works".to_owned(),
        };
        let message = format!("jobs of {} {waits} ({}): {}", one_line(&hold.agent), hold.kind, one_line(&hold.message));
        Finding::new(level, CHECK, message).with_remedy(hold.remedy)
    });
    each.collect()
}

/// How large the mirrors of repositories are, as a watcher measured them, and those that it cannot keep small.
pub(super) fn mirrors(mirrors: &MirrorsStatus) -> Vec<Finding> {
    const CHECK: &str = "mirrors";
    let (count, size) = (mirrors.count, render::size(mirrors.bytes));
    let all = Finding::ok(CHECK, format!("{count}, {size} on {}", mirrors.measured_at));
    let problems = mirrors.largest.iter().filter_map(|mirror| {
        let why = one_line(mirror.problem.as_deref()?);
        let finding = Finding::warning(CHECK, format!("{} cannot be kept small: {why}", one_line(&mirror.repo)));
        Some(finding.with_remedy("`git fsck` in it, below repos_root/.mirrors, says more; jobs go on meanwhile"))
    });
    [all].into_iter().chain(problems).collect()
}

/// A checkout that a person has to look at.
pub(super) fn kept_checkout(checkout: &KeptCheckout) -> Finding {
    let size = checkout.bytes.map(|bytes| format!(" ({})", render::size(bytes))).unwrap_or_default();
    let message = format!("{}{size}: {}", checkout.path, checkout.reason);
    Finding::warning("kept checkouts", message)
        .with_remedy(format!("look at it, then `pv discard {}` removes it", checkout.job_id))
}
