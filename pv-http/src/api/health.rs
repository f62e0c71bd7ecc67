//! The service itself: its health, its status, and the settings in effect.

use std::sync::Arc;

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use pv_lib::{
    fs::FsExt,
    store::{AgentHold, Store},
    time::Timestamp,
    unusable::{Unusable, UnusableList},
};

use crate::{
    context::Context,
    openapi::{Compact, ConfigErrors, OperationError, Problem, ReadErrors, Tag, schema},
    query::JobIndex,
};

pub(super) struct Health {
    pub(super) context: Context,
    pub(super) index: Arc<JobIndex>,
}

#[OpenApi(tag = "Tag::Service")]
impl Health {
    /// Does the service answer?
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn health(&self) -> Compact<schema::Health> {
        Compact::new(&schema::Health { status: "ok".into(), version: self.context.settings().version.clone() })
    }

    /// What does the service see?
    ///
    /// Settings, how many jobs there are, whether folders and watcher are there, how much space the disk has, and what cannot
    /// be used.
    #[oai(path = "/status", method = "get", operation_id = "status")]
    async fn status(&self) -> Result<Compact<schema::Status>, OperationError<ReadErrors>> {
        let index = self.index.clone();
        let read = move |context: &Context| Ok(Compact::new(&status(context, &index)));
        Ok(self.context.blocking(read).await?)
    }

    /// Which settings are in effect, where does each come from, and is anything wrong?
    ///
    /// The settings are those that the service was started with, and never a secret; the checks are what `pv doctor` finds
    /// when the service's user runs it now.
    #[oai(path = "/config", method = "get", operation_id = "config")]
    async fn config(&self) -> Result<Compact<schema::Installation>, OperationError<ConfigErrors>> {
        let describe = |context: &Context| match &context.settings().installation {
            Some(installation) => Ok(Compact::new(&installation.describe())),
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "this service is part of no installation: ask `pv config` and `pv doctor` on its host",
            )),
        };
        Ok(self.context.blocking(describe).await?)
    }
}

/// Returns what the service sees.
pub(crate) fn status(context: &Context, index: &JobIndex) -> schema::Status {
    let (store, settings) = (context.store(), context.settings());
    let layout = store.layout();
    // A runs folder that cannot be read is among what cannot be used.
    let counts = index.counts(store, context.request_time()).unwrap_or_default();
    let survey = store.survey(&counts.damaged, context.now());
    schema::Status {
        status: "ok".into(),
        config: schema::StatusConfig {
            tree_builder_root: layout.inbox.to_string(),
            runs_root: layout.runs.to_string(),
            stall_threshold_seconds: settings.thresholds.stall.as_secs(),
            bind_host: settings.bind_host.clone(),
            bind_port: settings.bind_port,
        },
        jobs: schema::StatusJobs {
            counts: counts.by_state.into_iter().map(|(state, count)| (state.to_owned(), count)).collect(),
            total: counts.total,
            stalled_running: counts.stalled_running,
        },
        targets: schema::StatusTargets { count: survey.targets as u64 },
        roots: schema::StatusRoots {
            tree_builder_root_exists: store.fs().is_dir(&layout.inbox).unwrap_or(false),
            runs_root_exists: store.fs().is_dir(&layout.runs).unwrap_or(false),
        },
        watcher: watcher(store, context.now()),
        disk: disk(store),
        unusable: unusable(survey.unusable),
    }
}

fn unusable(UnusableList { entries, more }: UnusableList) -> schema::StatusUnusable {
    let entry = |Unusable { path, level, why, remedy }| schema::StatusUnusableEntry {
        path: path.into_string(),
        level: level.as_str().into(),
        why,
        remedy,
    };
    schema::StatusUnusable { entries: entries.into_iter().map(entry).collect(), more }
}

fn watcher(store: &Store, now: Timestamp) -> schema::StatusWatcher {
    let holds = store.holds(now).unwrap_or_default().active.into_iter().map(hold).collect();
    let Ok(Some(facts)) = store.watcher_status() else {
        return schema::StatusWatcher { holds, ..schema::StatusWatcher::default() };
    };
    schema::StatusWatcher {
        alive: Some(facts.is_alive(now)),
        pid: Some(facts.pid),
        host: Some(facts.host),
        version: Some(facts.version),
        started_at: Some(facts.started_at.to_string()),
        beat_at: Some(facts.beat_at.to_string()),
        max_concurrent: Some(facts.max_concurrent),
        running: Some(facts.running),
        waiting: Some(facts.waiting),
        holds,
    }
}

fn hold(hold: AgentHold) -> schema::StatusHold {
    let AgentHold { agent, until, message, job_id } = hold;
    schema::StatusHold { agent, until: until.to_string(), message, job_id: job_id.to_string() }
}

fn disk(store: &Store) -> schema::StatusDisk {
    let space = store.fs().space(&store.layout().runs).or_else(|_| store.fs().space(&store.layout().inbox)).ok();
    schema::StatusDisk {
        available_bytes: space.map(|space| space.available),
        total_bytes: space.map(|space| space.total),
        floor_bytes: space.map(|space| store.disk_floor(space.total)),
    }
}
