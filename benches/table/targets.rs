//! What is measured, in which unit, and what it should be.

/// One row of the table.
pub(crate) struct Row {
    /// What the measurements call it.
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// At most so many times the baseline.
    AtMostOfBaseline(f64),
    /// At least so many times the baseline.
    AtLeastOfBaseline(f64),
    /// Not worse than the first of several programs, but for what two measurements of one differ.
    NotWorse,
    /// Told and not judged.
    Told,
}

use Target::{AtLeast, AtLeastOfBaseline, AtMost, AtMostOfBaseline, NotWorse, Told};

/// How much two measurements of one thing may differ.
const SCATTER: f64 = 1.3;

const fn row(id: &'static str, what: &'static str, unit: &'static str, target: Target) -> Row {
    Row { id, what, unit, target }
}

/// All rows, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    row("health", "start to health, 100 jobs", "ms", AtMost(20.0)),
    row("health/100000", "start to health, 100,000 jobs", "ms", AtMost(20.0)),
    row("idle", "API's idle memory, 100 jobs", "MB", AtMost(15.0)),
    row("idle/100000", "API's memory before any whole list, 100,000 jobs", "MB", AtMost(45.0)),
    row("idle/job", "the same for each job", "bytes", Told),
    row("whole/100", "`GET /jobs` whole, 100 jobs", "ms", Told),
    row("whole/1000", "`GET /jobs` whole, 1,000 jobs", "ms", AtMost(5.0)),
    row("whole/10000", "`GET /jobs` whole, 10,000 jobs (baseline: `stat` of 10,000 files)", "ms", AtMost(35.0)),
    row("whole/100000", "`GET /jobs` whole, 100,000 jobs (baseline: `stat` of 100,000 files)", "ms", AtMost(2500.0)),
    row("whole/first", "its first row", "ms", AtMost(50.0)),
    row("whole/memory", "its memory, over what there was", "MB", AtMost(50.3)),
    row("whole/ten", "the same read by ten clients at once", "MB", AtMost(50.3)),
    row("whole/gzip", "`GET /jobs` whole as gzip, 10,000 jobs", "ms", Told),
    row("whole/gzip/size", "its size, of the plain one's", "%", Told),
    row("page/100", "`GET /jobs?limit=50`, 100 jobs", "ms", AtMost(0.5)),
    row("page/10000", "`GET /jobs?limit=50`, 10,000 jobs", "ms", AtMost(0.5)),
    row("page/100000", "`GET /jobs?limit=50`, 100,000 jobs", "ms", AtMost(0.5)),
    row("page/arriving", "the same while 10 jobs a second arrive", "ms", AtMost(1.0)),
    row("running/100000", "`GET /jobs?state=running`, 100,000 jobs, 8 run", "ms", AtMost(0.5)),
    row("status/10000", "`GET /status`, 10,000 jobs", "ms", AtMost(0.3)),
    row("status/100000", "`GET /status`, 100,000 jobs", "ms", AtMost(0.3)),
    row("job", "`GET /jobs/ID`, 100,000 jobs", "ms", NotWorse),
    row("start/page", "first page after the start, 100,000 jobs", "ms", AtMost(100.0)),
    row("start/counts", "first counts after the start, 100,000 jobs", "ms", AtMost(1500.0)),
    row("cli/list", "`pv list -n 20` on the files, 100,000 jobs", "ms", AtMost(100.0)),
    row("cli/list/memory", "its memory", "MB", AtMost(25.0)),
    row("cli/status", "`pv status` on the files, 100,000 jobs", "ms", AtMost(1000.0)),
    row("cli/status/memory", "its memory", "MB", AtMost(25.0)),
    row("cli/json", "`pv list --json` on the files, 100,000 jobs", "ms", Told),
    row("cli/json/first", "its first byte", "ms", Told),
    row("cli/json/memory", "its memory", "MB", AtMost(50.0)),
    row("watcher/start", "watcher's start, 100,000 jobs", "ms", AtMost(1000.0)),
    row("watcher/start/cpu", "processor time of that", "ms", AtMost(1000.0)),
    row("watcher/idle", "watcher's processor time when idle, 100,000 jobs", "%", AtMost(0.3)),
    row("watcher/memory", "its memory", "MB", Told),
    row("watcher/running", "POST to running, 100,000 jobs", "ms", AtMost(25.0)),
    row("drain/disk", "no-op jobs, 8 at once, on the disk", "a second", AtLeast(40.0)),
    row("drain/tmpfs", "no-op jobs, 8 at once, on tmpfs", "a second", AtLeast(60.0)),
    row(
        "big",
        "job of a 50,000-file repository (baseline: `git worktree add` and `git status`)",
        "ms",
        AtMostOfBaseline(1.0),
    ),
    row("log/latency", "log line to client", "ms", NotWorse),
    row("log/replay", "replay of a 200 MB log (baseline: memcpy)", "MB/s", AtLeast(300.0)),
    row("streams/cpu", "5,000 idle log streams: processor time", "%", AtMost(2.0)),
    row("streams/memory", "memory of each", "KiB", AtMost(16.0)),
    row("streams/threads", "threads", "", AtMost(32.0)),
    row("streams/line", "a line of one log to its 100 clients", "ms", Told),
    row("abort", "abort to gone", "ms", NotWorse),
    row(
        "submit/disk",
        "durable submissions, 16 clients, on the disk (baseline: the same syncs)",
        "a second",
        AtLeastOfBaseline(0.7),
    ),
    row("submit/tmpfs", "durable submissions, 16 clients, on tmpfs", "a second", AtLeast(5000.0)),
];

impl Target {
    /// Tells whether a value is as it should be; `None` where it is not judged. `first` is that of the first program, where
    /// there are several.
    pub(crate) fn is_met(self, value: f64, baseline: Option<f64>, first: Option<f64>) -> Option<bool> {
        match self {
            AtMost(limit) => Some(value <= limit),
            AtLeast(limit) => Some(value >= limit),
            AtMostOfBaseline(times) => baseline.map(|baseline| value <= baseline * times),
            AtLeastOfBaseline(times) => baseline.map(|baseline| value >= baseline * times),
            NotWorse => first.map(|first| value <= first * SCATTER),
            Told => None,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            AtMost(limit) => format!("≤ {limit}"),
            AtLeast(limit) => format!("≥ {limit}"),
            AtMostOfBaseline(times) => format!("≤ {times} × baseline"),
            AtLeastOfBaseline(times) => format!("≥ {times} × baseline"),
            NotWorse => "not worse".into(),
            Told => String::new(),
        }
    }
}
