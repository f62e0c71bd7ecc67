//! What the service sees, in the text format that Prometheus reads, at `/metrics`.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::{AtomicU64, Ordering},
};

use poem::{Endpoint, IntoResponse, Request, Response, http::StatusCode};

use crate::{api::status, schema::Status, state::AppState};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many requests were answered, by the first digit of the status: from 100 on, from 200 on, and so on.
#[derive(Debug, Default)]
pub(crate) struct Answered([AtomicU64; 5]);

impl Answered {
    /// Counts an answer.
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.0.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn by_class(&self) -> impl Iterator<Item = (String, u64)> {
        self.0.iter().enumerate().map(|(class, count)| (format!("{}xx", class + 1), count.load(Ordering::Relaxed)))
    }
}

/// Answers `/metrics`.
pub(crate) struct Metrics(pub(crate) AppState);

impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if let Some(token) = self.0.token() {
            token.admit(&request)?;
        }
        let text = self.0.blocking(|state| Ok(text(state, &status(state)))).await?;
        Ok(text.with_content_type(CONTENT_TYPE).into_response())
    }
}

fn text(state: &AppState, status: &Status) -> String {
    let mut out = Text(String::new());
    let version = &state.settings().version;
    out.metric("build_info", "gauge", "The version of the service.", [(format!("{{version={version:?}}}"), 1)]);
    out.one("uptime_seconds", "For how long the service has run.", Some(state.moment().uptime.as_secs()));
    let labelled = |label: &str, value: &str| format!("{{{label}={value:?}}}");
    let answered = state.answered().by_class().map(|(class, count)| (labelled("status", &class), count));
    out.metric("http_answers_total", "counter", "Requests that were answered.", answered);
    out.one("streams_open", "Streams of logs and changes that are open.", Some(state.open_streams()));
    let jobs = status.jobs.counts.iter().map(|(job_state, count)| (labelled("state", job_state), *count));
    out.metric("jobs", "gauge", "Jobs by state.", jobs);
    let stalled = Some(status.jobs.stalled_running);
    out.one("jobs_stalled", "Running jobs whose supervisor is silent.", stalled);
    out.one("targets", "Repositories and branches that take prompts.", Some(status.targets.count));
    let watcher = &status.watcher;
    out.one("watcher_alive", "Whether the watcher gave a sign of life lately.", watcher.alive.map(u8::from));
    out.one("watcher_running", "Jobs that the watcher runs.", watcher.running);
    out.one("watcher_waiting", "Jobs that wait for room.", watcher.waiting);
    out.one("watcher_max_concurrent", "Jobs that may run at once.", watcher.max_concurrent);
    let unusable = Some(status.unusable.entries.len() + status.unusable.more);
    out.one("unusable", "Files and folders that cannot be used, or with which something fails.", unusable);
    let disk = &status.disk;
    out.one("disk_available_bytes", "What may still be used of the disk with the runs.", disk.available_bytes);
    out.one("disk_total_bytes", "The size of that disk.", disk.total_bytes);
    out.one("disk_floor_bytes", "What must stay free of it.", disk.floor_bytes);
    out.0
}

struct Text(String);

impl Text {
    /// Appends a gauge without labels, where its value is known.
    fn one(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        self.metric(name, "gauge", help, value.map(|value| (String::new(), value)));
    }

    /// Appends a metric, unless nothing is known of it.
    fn metric(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, impl Display)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to memory cannot fail.
        let _ = writeln!(self.0, "# HELP pv_{name} {help}\n# TYPE pv_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "pv_{name}{labels} {value}");
        }
    }
}
