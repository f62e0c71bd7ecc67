//! What the service measures, in the text format that Prometheus reads, at `/metrics`.

use std::{fmt, sync::Arc};

use poem::{Endpoint, IntoResponse, Request, Response, http::StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeMetric,
        prometheus_text::{CONTENT_TYPE, encode},
    },
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        gauge::ConstGauge,
    },
    registry::Registry,
};

use pv_lib::{
    api::{HoldState, Status},
    store::Reserve,
};

use crate::{api::status, context::Context, openapi::Problem, query::JobIndex, streams::OpenStreams};

/// The classes of statuses, by their first digit.
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How many requests were answered, by the class of the status.
#[derive(Debug, Default)]
pub(crate) struct ResponseCounts([Counter; STATUS_CLASSES.len()]);

impl ResponseCounts {
    /// Counts a response.
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.0.get(class) {
            counter.inc();
        }
    }
}

/// Answers `/metrics`.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) context: Context,
    pub(crate) index: Arc<JobIndex>,
    pub(crate) streams: OpenStreams,
    pub(crate) response_counts: Arc<ResponseCounts>,
}

impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        let index = self.index.clone();
        let status = self.context.blocking(move |context| Ok(status(context, &index))).await?;
        let snapshot = Snapshot {
            version: self.context.settings().version.clone(),
            commit: self.context.settings().commit.clone().unwrap_or_default(),
            uptime_seconds: self.context.request_time().uptime.as_secs(),
            response_counts: self.response_counts.clone(),
            open_streams: self.streams.count() as u64,
            status,
        };
        let mut registry = Registry::with_prefix("pv");
        registry.register_collector(Box::new(snapshot));
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|_| Problem::internal())?;
        Ok(text.with_content_type(CONTENT_TYPE).into_response())
    }
}

/// What was measured at one time.
#[derive(Debug)]
struct Snapshot {
    version: String,
    commit: String,
    uptime_seconds: u64,
    response_counts: Arc<ResponseCounts>,
    open_streams: u64,
    status: Status,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        let build = [("version", self.version.as_str()), ("commit", self.commit.as_str())];
        write_labelled(out, "build_info", "The version of the service, and its commit.", [(build, 1)])?;
        write_sample(out, "uptime_seconds", "For how long the service has run.", Some(self.uptime_seconds))?;
        // The encoder adds `_total` to the name of a counter.
        let help = "Requests that were answered.";
        let mut family = out.encode_descriptor("http_answers", help, None, MetricType::Counter)?;
        for (class, counter) in STATUS_CLASSES.into_iter().zip(&self.response_counts.0) {
            ConstCounter::new(counter.get()).encode(family.encode_family(&[("status", class)])?)?;
        }
        write_sample(out, "streams_open", "Streams of logs and changes that are open.", Some(self.open_streams))?;
        let Status { jobs, targets, watcher, disk, unusable, kept_checkouts, mirrors, .. } = &self.status;
        let by_state = jobs.counts.iter().map(|(state, count)| (*state, *count));
        write_gauges(out, "jobs", "Jobs by state.", "state", by_state)?;
        write_sample(out, "jobs_stalled", "Running jobs whose supervisor is silent.", Some(jobs.stalled_running))?;
        let verified = [("true", jobs.verified), ("false", jobs.checks_failed)];
        let help = "Jobs with checks, by whether all of them were green.";
        write_gauges(out, "jobs_verified", help, "verified", verified)?;
        // The encoder fails for a `usize` that does not fit in an `i64`, which a damaged status of the watcher may
        // hold.
        let as_u64 = |count: usize| Some(count as u64);
        let help = "Repositories and branches that take prompts.";
        write_sample(out, "targets", help, as_u64(targets.count))?;
        let alive = watcher.alive.map(u64::from);
        write_sample(out, "watcher_alive", "Whether the watcher gave a sign of life lately.", alive)?;
        if let Some(heartbeat) = &watcher.heartbeat {
            write_sample(out, "watcher_running", "Jobs that the watcher runs.", as_u64(heartbeat.running))?;
            let help = "Jobs that wait for others to end, for an agent that is held, or for room on a disk.";
            write_sample(out, "watcher_waiting", help, as_u64(heartbeat.waiting))?;
            let help = "Prompts and jobs that wait because a disk has too little room.";
            write_sample(out, "watcher_waiting_for_room", help, as_u64(heartbeat.waiting_for_room))?;
            let help = "Jobs under way that wait for room to begin, to save their work, or to deliver it.";
            write_sample(out, "watcher_blocked_for_room", help, as_u64(heartbeat.blocked_for_room))?;
            let help = "Jobs under way that their launcher lets wait, or cannot prove to have ended.";
            write_sample(out, "watcher_blocked_by_launcher", help, as_u64(heartbeat.blocked_by_launcher))?;
            let help = "Jobs that may run at once.";
            write_sample(out, "watcher_max_concurrent", help, as_u64(heartbeat.max_concurrent))?;
        }
        let help = "Agents whose jobs wait, by agent and reason: 1 until then, 0 while one job at a time is tried.";
        let holds = watcher.holds.iter().map(|hold| {
            let labels = [("agent", hold.agent.as_str()), ("kind", hold.kind.as_str())];
            (labels, u64::from(hold.state == HoldState::Held))
        });
        write_labelled(out, "agent_holds", help, holds)?;
        let help = "Files and folders that cannot be used, or with which something fails.";
        write_sample(out, "unusable", help, as_u64(unusable.total()))?;
        let help = "Checkouts of jobs that are over and that are still there.";
        write_sample(out, "kept_checkouts", help, as_u64(kept_checkouts.len()))?;
        let measured = mirrors.measured_at.is_some();
        write_sample(out, "mirrors", "Mirrors of repositories.", as_u64(mirrors.count).filter(|_| measured))?;
        let help = "What the mirrors of repositories take of the disk.";
        write_sample(out, "mirrors_bytes", help, Some(mirrors.bytes).filter(|_| measured))?;
        let help = "What the largest mirrors take of the disk, by repository.";
        write_gauges(out, "mirror_bytes", help, "repo", mirrors.largest.iter().map(|one| (&*one.repo, one.bytes)))?;
        let available = "What may still be used of the disk with the runs.";
        write_sample(out, "disk_available_bytes", available, disk.available_bytes)?;
        write_sample(out, "disk_total_bytes", "The size of that disk.", disk.total_bytes)?;
        write_sample(out, "disk_floor_bytes", "What must stay free of it.", disk.floor_bytes)?;
        let help =
            "Disks with too little room for a job: that of the runs, and those of checkouts, mirrors and prompts.";
        write_sample(out, "disks_full", help, as_u64(disk.full.len()))?;
        let ready = disk.reserve.map(|reserve| u64::from(reserve == Reserve::Ready));
        write_sample(out, "disk_reserve_ready", "Whether the reserve for the ends of jobs is there.", ready)
    }
}

/// Writes a gauge without labels, if its value is known.
fn write_sample(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: Option<u64>) -> fmt::Result {
    match value {
        Some(value) => ConstGauge::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?),
        None => Ok(()),
    }
}

/// Writes a gauge for each value of a label, if there is any.
fn write_gauges<'a>(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'a str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    write_labelled(out, name, help, values.into_iter().map(|(value, count)| ([(label, value)], count)))
}

/// Writes a gauge for each set of labels, if there is any.
fn write_labelled<'a, const N: usize>(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = ([(&'a str, &'a str); N], u64)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, count) in values {
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
