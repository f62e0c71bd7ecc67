//! The status of an installation.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::hold::HoldItem;
use crate::{
    job::{Counts, Thresholds},
    store::{FullDisk, KeptCheckout, MirrorSize, MirrorsStatus, Reserve, Store, Survey, WatcherStatus},
    time::Timestamp,
    unusable::UnusableList,
};

/// What an installation looks like: settings, jobs, targets, folders, watcher, disk, and what needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Always `ok`.
    pub status: &'static str,
    /// The settings that matter to clients.
    pub config: StatusConfig,
    /// How many jobs there are.
    pub jobs: StatusJobs,
    /// How many targets there are.
    pub targets: StatusTargets,
    /// Whether the folders are there.
    pub roots: StatusRoots,
    /// The watcher, and the agents that are held.
    pub watcher: StatusWatcher,
    /// The disk that holds the runs.
    pub disk: StatusDisk,
    /// What cannot be used, to this process or to the watcher.
    pub unusable: UnusableList,
    /// The checkouts of jobs that are over, the oldest first.
    pub kept_checkouts: Vec<KeptCheckout>,
    /// The mirrors of repositories.
    pub mirrors: StatusMirrors,
}

/// What a status needs to know of the settings of its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSettings {
    /// After how long without a heartbeat a running job is stalled.
    pub thresholds: Thresholds,
    /// The address that the API is bound to.
    pub bind_host: String,
    /// The port that the API is bound to.
    pub bind_port: u16,
}

/// The settings that matter to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusConfig {
    /// The inbox.
    pub tree_builder_root: Utf8PathBuf,
    /// Where the run folders are.
    pub runs_root: Utf8PathBuf,
    /// Seconds without a heartbeat after which a running job is stalled.
    pub stall_threshold_seconds: u64,
    /// The address that the API is bound to.
    pub bind_host: String,
    /// The port that the API is bound to.
    pub bind_port: u16,
}

/// How many jobs there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusJobs {
    /// Jobs by state; states without any are left out.
    pub counts: BTreeMap<&'static str, u64>,
    /// All jobs.
    pub total: u64,
    /// Running jobs whose supervisor is silent.
    pub stalled_running: u64,
    /// Jobs whose work is verified.
    pub verified: u64,
    /// Jobs whose checks failed.
    pub checks_failed: u64,
}

/// How many targets there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusTargets {
    /// All targets.
    pub count: usize,
}

/// Whether the folders are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusRoots {
    /// The inbox.
    pub tree_builder_root_exists: bool,
    /// The folder of the runs.
    pub runs_root_exists: bool,
}

/// The watcher, by its last heartbeat, and the agents that are held, which are there without a watcher, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusWatcher {
    /// Whether its last heartbeat is recent; `None` where there never was a watcher, and where the last one ended in order.
    pub alive: Option<bool>,
    /// What it wrote of itself with its last heartbeat, but for what it cannot use and for the mirrors, which are in
    /// `unusable` and `mirrors` of the status, and for as whom it runs, which is for a checkup.
    #[serde(flatten)]
    pub heartbeat: Option<WatcherStatus>,
    /// Why jobs of which agents wait.
    pub holds: Vec<HoldItem>,
}

/// The mirrors of repositories, as a watcher measured them last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StatusMirrors {
    /// When that was; `None` where none did.
    pub measured_at: Option<Timestamp>,
    /// How many there are.
    pub count: usize,
    /// How much they take of the disk, in bytes.
    pub bytes: u64,
    /// The largest of them.
    pub largest: Vec<MirrorSize>,
}

/// The disk that holds the runs; `None` where it cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusDisk {
    /// What may still be used, in bytes.
    pub available_bytes: Option<u64>,
    /// Its size, in bytes.
    pub total_bytes: Option<u64>,
    /// What must stay free, in bytes.
    pub floor_bytes: Option<u64>,
    /// The disks with too little room for a job, this one or another, by a folder that is on each.
    pub full: Vec<FullDisk>,
    /// Whether the reserve for the ends of jobs is there; `None` where there can be none.
    pub reserve: Option<Reserve>,
}

impl Status {
    /// Reads the status at `now`. `counts` are the jobs, counted by whoever has an index of them, or by
    /// [`Store::counts`]. What cannot be read is an entry of `unusable`.
    #[must_use]
    pub fn read(store: &Store, settings: StatusSettings, counts: Counts, now: Timestamp) -> Self {
        let survey = store.survey(&counts.damaged, now);
        let layout = store.layout();
        let config = StatusConfig {
            tree_builder_root: layout.inbox.clone(),
            runs_root: layout.runs.clone(),
            stall_threshold_seconds: settings.thresholds.stall.as_secs(),
            bind_host: settings.bind_host,
            bind_port: settings.bind_port,
        };
        Self::new(config, counts, survey, now)
    }

    fn new(config: StatusConfig, counts: Counts, survey: Survey, now: Timestamp) -> Self {
        let Counts { by_state, total, stalled_running, verified, checks_failed, damaged: _ } = counts;
        let Survey { targets, inbox_exists, runs_exists, watcher, holds, disk, full_disks, reserve, .. } = survey;
        let Survey { kept_checkouts, unusable, .. } = survey;
        let mirrors = watcher.as_ref().and_then(|watcher| watcher.mirrors.clone()).map(StatusMirrors::from);
        let watcher = watcher.filter(|watcher| !watcher.has_ended());
        Self {
            status: "ok",
            config,
            jobs: StatusJobs { counts: by_state, total, stalled_running, verified, checks_failed },
            targets: StatusTargets { count: targets },
            roots: StatusRoots { tree_builder_root_exists: inbox_exists, runs_root_exists: runs_exists },
            watcher: StatusWatcher {
                alive: watcher.as_ref().map(|watcher| watcher.is_alive(now)),
                heartbeat: watcher.map(|watcher| WatcherStatus {
                    unusable: UnusableList::default(),
                    mirrors: None,
                    runs_as: None,
                    ..watcher
                }),
                holds: holds.into_iter().map(|hold| HoldItem::new(hold, now)).collect(),
            },
            disk: StatusDisk {
                available_bytes: disk.map(|disk| disk.available),
                total_bytes: disk.map(|disk| disk.total),
                floor_bytes: disk.map(|disk| disk.floor),
                full: full_disks,
                reserve,
            },
            unusable,
            kept_checkouts,
            mirrors: mirrors.unwrap_or_default(),
        }
    }
}

impl From<MirrorsStatus> for StatusMirrors {
    fn from(mirrors: MirrorsStatus) -> Self {
        let MirrorsStatus { measured_at, count, bytes, largest } = mirrors;
        Self { measured_at: Some(measured_at), count, bytes, largest }
    }
}
