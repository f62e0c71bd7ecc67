//! The service itself: does it answer, and what does it see?

use std::time::Duration;

use poem_openapi::OpenApi;
use pv_lib::{fs::FsExt, store::Store, time::Timestamp};
use serde::Deserialize;

use super::Tag;
use crate::{
    payload::Compact,
    problem::{Problem, Reading, Refusal},
    schema,
    state::AppState,
};

/// How old a watcher's last sign of life may be.
const WATCHER_SILENCE: Duration = Duration::from_secs(30);
/// The file in the runs folder in which a watcher gives signs of life.
const WATCHER_FILE: &str = ".watcher.json";
/// The longest such file that is read, in bytes.
const WATCHER_FILE_LIMIT_BYTES: usize = 4096;

pub(super) struct Health(pub(super) AppState);

#[OpenApi(tag = "Tag::Service")]
impl Health {
    /// Does the service answer?
    #[oai(path = "/healthz", method = "get", operation_id = "health")]
    async fn health(&self) -> Compact<schema::Health> {
        Compact::new(&schema::Health { status: "ok".into(), version: self.0.settings().version.clone() })
    }

    /// What does the service see?
    ///
    /// Settings, how many jobs there are, whether folders and watcher are there, and how much room the disk has.
    #[oai(path = "/status", method = "get", operation_id = "status")]
    async fn status(&self) -> Result<Compact<schema::Status>, Refusal<Reading>> {
        let look = |state: &AppState| Ok::<_, Problem>(Compact::new(&status(state)?));
        Ok(self.0.blocking(look).await?)
    }
}

fn status(state: &AppState) -> pv_lib::Result<schema::Status> {
    let (store, settings) = (state.store(), state.settings());
    let layout = store.layout();
    let counts = state.index().counts(store, state.moment())?;
    Ok(schema::Status {
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
        targets: schema::StatusTargets { count: store.targets()?.len() as u64 },
        roots: schema::StatusRoots {
            tree_builder_root_exists: store.fs().is_dir(&layout.inbox).unwrap_or(false),
            runs_root_exists: store.fs().is_dir(&layout.runs).unwrap_or(false),
        },
        watcher: watcher(store, state.now()),
        disk: disk(store),
    })
}

/// What a watcher writes of itself.
#[derive(Debug, Deserialize)]
struct WatcherFile {
    pid: Option<u32>,
    host: Option<String>,
    started_at: Option<Timestamp>,
    version: Option<String>,
    beat_at: Timestamp,
}

fn watcher(store: &Store, now: Timestamp) -> schema::StatusWatcher {
    let file = store.fs().read(&store.layout().runs.join(WATCHER_FILE), WATCHER_FILE_LIMIT_BYTES);
    let Some(file) = file.ok().and_then(|bytes| serde_json::from_slice::<WatcherFile>(&bytes).ok()) else {
        return schema::StatusWatcher::default();
    };
    schema::StatusWatcher {
        alive: Some(now.since(file.beat_at) < WATCHER_SILENCE),
        pid: file.pid,
        host: file.host,
        started_at: file.started_at.map(|at| at.to_string()),
        version: file.version,
        beat_at: Some(file.beat_at.to_string()),
    }
}

fn disk(store: &Store) -> schema::StatusDisk {
    let space = store.fs().space(&store.layout().runs).or_else(|_| store.fs().space(&store.layout().inbox)).ok();
    schema::StatusDisk {
        available_bytes: space.map(|space| space.available),
        total_bytes: space.map(|space| space.total),
        floor_bytes: space.map(|space| store.disk_floor(space.total)),
    }
}
