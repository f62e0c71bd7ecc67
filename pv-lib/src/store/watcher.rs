//! The one watcher of an installation: its locks and its status.

use std::{io::ErrorKind, time::Duration};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::{MirrorsStatus, RunsAs, Store};
use crate::{
    Error, Result,
    fs::{FsExt, FsResult, LockGuard, durable, durable::Durability, optional},
    time::Timestamp,
    unusable::UnusableList,
};

/// A watcher that has written no status for this long counts as gone, for those who only read.
pub const WATCHER_SILENT_AFTER: Duration = Duration::from_secs(30);

/// The longest status file that is read: above what the longest texts of all entries can make of it.
const STATUS_LIMIT_BYTES: usize = 2 << 20;

/// How long the spares of the status file are, in bytes.
const STATUS_SPARE_BYTES: usize = 32 << 10;

/// How many entries a status that must be short has.
const SHORT_ENTRIES: usize = 5;

/// The status of a watcher, for people and for `pv status`. Whether one lives is decided by its lock alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherStatus {
    /// Its process id, for people; 0 of one that ended in order, of which only what it measured still counts.
    pub pid: u32,
    /// The host that it runs on.
    pub host: String,
    /// Its version.
    pub version: String,
    /// The commit that it was built from; `None` where its build did not know, and of one that is older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last wrote this: its heartbeat.
    pub beat_at: Timestamp,
    /// The address of the page that the same process serves, where it serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// How many jobs it runs at once, at most.
    pub max_concurrent: usize,
    /// How many jobs run.
    pub running: usize,
    /// How many jobs wait until others are over.
    pub waiting: usize,
    /// How many prompts and jobs wait because a disk has too little room.
    #[serde(default)]
    pub waiting_for_room: usize,
    /// How many jobs wait for room to begin, to save their work, or to deliver it, under their supervisors.
    #[serde(default)]
    pub blocked_for_room: usize,
    /// How many jobs their launcher lets wait, or cannot prove to have ended, under their supervisors.
    #[serde(default)]
    pub blocked_by_launcher: usize,
    /// What it cannot use, and what it tries again and again without success.
    #[serde(default, skip_serializing_if = "UnusableList::is_empty")]
    pub unusable: UnusableList,
    /// The mirrors, as it measured them last; `None` where it did not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<MirrorsStatus>,
    /// As whom it runs; `None` of one that is older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_as: Option<RunsAs>,
}

/// The locks of the one watcher of an installation, for as long as it lives.
#[derive(Debug)]
pub struct WatcherLock {
    _runs: LockGuard,
    _inbox: LockGuard,
}

impl WatcherStatus {
    /// Tells whether the watcher wrote its status lately.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.has_ended() && now.since(self.beat_at) <= WATCHER_SILENT_AFTER
    }

    /// Tells whether the watcher ended in order.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.pid == 0
    }

    /// Returns the status with a few entries only, and the number of the others.
    fn shortened(&self) -> Self {
        let mut short = self.clone();
        short.unusable.more += short.unusable.entries.len().saturating_sub(SHORT_ENTRIES);
        short.unusable.entries.truncate(SHORT_ENTRIES);
        short
    }
}

impl Store {
    /// Makes the folders that a watcher needs, and acquires the locks of the runs and of the inbox.
    ///
    /// # Errors
    /// [`Error::WatcherHeld`] where another watcher has one of them; [`Error::Fs`].
    pub fn acquire_watcher_lock(&self) -> Result<WatcherLock> {
        let layout = self.layout();
        for dir in [&layout.inbox, &layout.runs, &layout.locks_path(), &layout.finished, &layout.work] {
            durable::ensure_dir(self.fs(), dir)?;
        }
        let runs = self.try_watcher_lock(&layout.runs_watcher_lock_path(), &layout.runs)?;
        let inbox = self.try_watcher_lock(&layout.inbox_watcher_lock_path(), &layout.inbox)?;
        Ok(WatcherLock { _runs: runs, _inbox: inbox })
    }

    /// Writes the status of the watcher. Only for the holder of the [`WatcherLock`]. A full disk is no obstacle where there
    /// was room for its spares before; of a long list of what cannot be used only the first entries are in it then.
    ///
    /// # Errors
    /// Any error of the file system; the status before is there then.
    pub fn write_watcher_status(&self, _lock: &WatcherLock, status: &WatcherStatus) -> Result<()> {
        let (fs, path) = (self.fs(), self.layout().watcher_status_path());
        let bytes = |status: &WatcherStatus| serde_json::to_vec(status).unwrap_or_default();
        match durable::replace(fs, &path, &bytes(status), Durability::OldOrNew) {
            Err(error) if durable::is_full(&error) => {
                let in_place = |status: &WatcherStatus| durable::replace_in_place(fs, &path, &bytes(status));
                let written = in_place(status).or_else(|_| in_place(&status.shortened()));
                Ok(written.map_err(|_| error)?)
            }
            Ok(()) => {
                // Where that fails now, the next time may do.
                let _ = durable::make_spares(fs, &path, STATUS_SPARE_BYTES);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the last status of a watcher; `None` where there is none, it cannot be understood, or the watcher ended in
    /// order.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn watcher_status(&self) -> Result<Option<WatcherStatus>> {
        Ok(self.last_watcher_status()?.filter(|status| !status.has_ended()))
    }

    /// Returns the last status of a watcher, also of one that ended in order.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn last_watcher_status(&self) -> Result<Option<WatcherStatus>> {
        let bytes = optional(self.fs().read(&self.layout().watcher_status_path(), STATUS_LIMIT_BYTES))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn try_watcher_lock(&self, path: &Utf8Path, what: &Utf8Path) -> Result<LockGuard> {
        let locked: FsResult<LockGuard> = self.fs().try_lock(path);
        locked.map_err(|error| {
            if error.kind() != ErrorKind::WouldBlock {
                return error.into();
            }
            let holder = match self.watcher_status() {
                Ok(Some(status)) => format!("pid {} on {}, since {}", status.pid, status.host, status.started_at),
                Ok(None) | Err(_) => "another process".to_owned(),
            };
            Error::WatcherHeld { what: what.to_owned(), holder }
        })
    }
}
