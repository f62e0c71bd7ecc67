//! What `/healthz` and `/status` answer; the status only for its description, since the library makes it.

use std::collections::BTreeMap;

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::hold::Hold;

/// The service answers.
#[derive(Debug, Object, Serialize)]
#[oai(example, skip_serializing_if_is_none)]
pub(crate) struct Health {
    /// Always `ok`.
    pub(crate) status: String,
    /// The version of the service.
    pub(crate) version: String,
    /// The commit that it was built from, with `-dirty` behind it where its sources differed; left out where its build did
    /// not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
}

impl Example for Health {
    fn example() -> Self {
        Self { status: "ok".into(), version: "1.2.3".into(), commit: Some("abcdef1".into()) }
    }
}

/// What the service sees.
#[derive(Debug, Object)]
pub(crate) struct Status {
    /// Always `ok`.
    pub(crate) status: String,
    // No comments here: with one, a reference is wrapped in an `allOf`, which client generators do not take.
    pub(crate) config: StatusConfig,
    pub(crate) jobs: StatusJobs,
    pub(crate) targets: StatusTargets,
    pub(crate) roots: StatusRoots,
    pub(crate) watcher: StatusWatcher,
    pub(crate) disk: StatusDisk,
    pub(crate) unusable: StatusUnusable,
    /// The checkouts of jobs that are over, the oldest first: kept because they hold what is saved nowhere else, or because
    /// they could not be removed. At most 1,000.
    pub(crate) kept_checkouts: Vec<StatusKeptCheckout>,
    pub(crate) mirrors: StatusMirrors,
}

/// The settings that matter to clients.
#[derive(Debug, Object)]
pub(crate) struct StatusConfig {
    /// The inbox.
    pub(crate) tree_builder_root: String,
    /// Where the run folders are.
    pub(crate) runs_root: String,
    /// Seconds without a heartbeat after which a running job is stalled.
    pub(crate) stall_threshold_seconds: u64,
    /// The address that the service is bound to.
    pub(crate) bind_host: String,
    /// The port that the service is bound to.
    pub(crate) bind_port: u16,
}

/// How many jobs there are.
#[derive(Debug, Object)]
pub(crate) struct StatusJobs {
    /// Jobs by state; states without any are left out.
    pub(crate) counts: BTreeMap<String, u64>,
    /// All jobs.
    pub(crate) total: u64,
    /// Running jobs whose supervisor is silent.
    pub(crate) stalled_running: u64,
    /// Jobs whose work is verified.
    pub(crate) verified: u64,
    /// Jobs whose checks failed.
    pub(crate) checks_failed: u64,
}

/// How many targets there are.
#[derive(Debug, Object)]
pub(crate) struct StatusTargets {
    /// All targets.
    pub(crate) count: u64,
}

/// Whether the folders are there.
#[derive(Debug, Object)]
pub(crate) struct StatusRoots {
    /// The inbox.
    pub(crate) tree_builder_root_exists: bool,
    /// The folder of the runs.
    pub(crate) runs_root_exists: bool,
}

/// The watcher, by its last heartbeat; only `alive`, and null, where there never was one, or the last one ended in order.
#[derive(Debug, Default, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct StatusWatcher {
    /// Whether its last heartbeat is recent.
    #[oai(nullable)]
    pub(crate) alive: Option<bool>,
    /// Its process id.
    pub(crate) pid: Option<u32>,
    /// The host it runs on.
    pub(crate) host: Option<String>,
    /// Its version.
    pub(crate) version: Option<String>,
    /// The commit that it was built from, where its build knew.
    pub(crate) commit: Option<String>,
    /// When it was started.
    pub(crate) started_at: Option<String>,
    /// Its last heartbeat.
    pub(crate) beat_at: Option<String>,
    /// The address of the page that the same process serves, where it serves one.
    pub(crate) page: Option<String>,
    /// How many jobs it runs at once, at most.
    pub(crate) max_concurrent: Option<usize>,
    /// How many jobs run.
    pub(crate) running: Option<usize>,
    /// How many jobs wait: for others to end, for an agent that is held, or for room on a disk.
    pub(crate) waiting: Option<usize>,
    /// How many prompts and jobs wait because a disk has too little room.
    pub(crate) waiting_for_room: Option<usize>,
    /// How many jobs under way wait for room to begin, to save their work, or to deliver it.
    pub(crate) blocked_for_room: Option<usize>,
    /// How many jobs under way their launcher lets wait, or cannot prove to have ended.
    pub(crate) blocked_by_launcher: Option<usize>,
    /// Why jobs of which agents wait; there without a watcher, too.
    pub(crate) holds: Vec<Hold>,
}

/// The disk that holds the run folders; null where it cannot be measured.
#[derive(Debug, Object)]
pub(crate) struct StatusDisk {
    /// What may still be used, in bytes.
    #[oai(nullable)]
    pub(crate) available_bytes: Option<u64>,
    /// Its size, in bytes.
    #[oai(nullable)]
    pub(crate) total_bytes: Option<u64>,
    /// What must stay free, in bytes: below it, prompts are refused with 507.
    #[oai(nullable)]
    pub(crate) floor_bytes: Option<u64>,
    /// The disks with too little room for a job, this one or another: prompts are refused or wait, and finished work waits
    /// to be saved, until there is room.
    pub(crate) full: Vec<StatusFullDisk>,
    /// Whether the reserve for the ends of jobs is there: `ready` or `missing`; null where there can be none.
    #[oai(nullable)]
    pub(crate) reserve: Option<String>,
}

/// A disk with too little room.
#[derive(Debug, Object)]
pub(crate) struct StatusFullDisk {
    /// A folder of the installation that is on it.
    pub(crate) path: String,
    /// Of what it has too little, and how much must stay free.
    pub(crate) shortage: String,
}

/// The mirrors of repositories, as a watcher measured them last: every ten minutes, and when it ends with `--once`.
#[derive(Debug, Object)]
pub(crate) struct StatusMirrors {
    /// When that was; null where none did.
    #[oai(nullable)]
    pub(crate) measured_at: Option<String>,
    /// How many there are.
    pub(crate) count: usize,
    /// How much they take of the disk, in bytes.
    pub(crate) bytes: u64,
    /// The largest of them, up to 20.
    pub(crate) largest: Vec<StatusMirror>,
}

/// What the mirror of one repository takes of the disk.
#[derive(Debug, Object)]
pub(crate) struct StatusMirror {
    /// The repository: `owner/name`, or `name` where there is no owner.
    pub(crate) repo: String,
    /// How much it takes of the disk, in bytes.
    pub(crate) bytes: u64,
    /// How many objects have a file of their own.
    pub(crate) loose_objects: u64,
    /// How many packs it has.
    pub(crate) packs: u64,
    /// Why it could not be kept small; null where it could, or needed nothing.
    #[oai(nullable)]
    pub(crate) problem: Option<String>,
}

/// What cannot be used of inbox, runs, checkouts and clones, to this service or to the watcher, problems first.
#[derive(Debug, Object)]
pub(crate) struct StatusUnusable {
    /// One entry for each file or folder.
    pub(crate) entries: Vec<StatusUnusableEntry>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// A file or a folder that cannot be used, or with which the watcher tries something again and again.
#[derive(Debug, Object)]
pub(crate) struct StatusUnusableEntry {
    /// Where it is.
    pub(crate) path: String,
    /// `problem` where jobs cannot run because of it, else `warning`.
    pub(crate) level: String,
    /// What is wrong with it.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// The checkout of a job that is over. When somebody has looked at it, `pv discard` removes it on its host.
#[derive(Debug, Object)]
pub(crate) struct StatusKeptCheckout {
    /// The job.
    pub(crate) job_id: String,
    /// Where the checkout is.
    pub(crate) path: String,
    /// How large it was when it was kept, in bytes; null where that was not measured.
    #[oai(nullable)]
    pub(crate) bytes: Option<u64>,
    /// Why it is still there.
    pub(crate) reason: String,
}
