//! Whether a watcher runs on an installation.

use pv_lib::{
    host,
    store::{Store, WatcherStatus},
};
use pv_watcher::lock_holder;

use crate::exit::Failure;

/// The flag of a service that a command started in the background.
pub(crate) const IN_BACKGROUND: &str = "--in-background";

/// A watcher that runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Its process, where the kernel tells.
    pub(crate) pid: Option<i32>,
    /// What it wrote of itself last, if that is still its own.
    pub(crate) status: Option<WatcherStatus>,
}

impl Running {
    /// Tells whether a command started it in the background, without a page, and may start it anew: jobs do not mind.
    pub(crate) fn is_in_background(&self) -> bool {
        let line = self.pid.and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok()).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.windows(2).any(|pair| pair == [&b"watcher"[..], IN_BACKGROUND.as_bytes()])
    }

    /// Returns who it is, for people: `pid 42`.
    pub(crate) fn who(&self) -> String {
        self.pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"))
    }

    /// Returns who it is and since when: `pid 42, since 2026-01-31T12:00:00Z`.
    pub(crate) fn describe(&self) -> String {
        let pid = self.who();
        let since = self.status.as_ref().map(|status| format!(", since {}", status.started_at)).unwrap_or_default();
        format!("{pid}{since}")
    }
}

/// Returns the watcher that runs on an installation; `None` where there is none.
///
/// # Errors
/// What the disk says.
pub(crate) fn running(store: &Store) -> Result<Option<Running>, Failure> {
    let lock = store.layout().runs_watcher_lock_path();
    let pid = lock_holder(&lock)?;
    // A file system whose locks the kernel lists under another device is asked by trying: for an instant only.
    if pid.is_none() && !is_held(store) {
        return Ok(None);
    }
    let status = store.watcher_status()?.filter(|status| {
        let is_its_own = pid.is_none_or(|pid| i64::from(pid) == i64::from(status.pid));
        is_its_own && status.host == host::name()
    });
    Ok(Some(Running { pid, status }))
}

/// Tells whether somebody holds the watcher's lock. A lock that is not there is held by nobody.
fn is_held(store: &Store) -> bool {
    let lock = store.layout().runs_watcher_lock_path();
    lock.exists() && matches!(store.fs().try_lock(&lock), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
