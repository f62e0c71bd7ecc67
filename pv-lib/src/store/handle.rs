//! The store itself: a file system, a layout, and how much is accepted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{fs::Fs, layout::Layout, limits::StoreLimits, prompt::SERVICE_FIELDS_BYTES_MAX};

/// The jobs of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    fs: Arc<dyn Fs>,
    layout: Arc<Layout>,
    limits: StoreLimits,
    host: Arc<str>,
    /// The number of the runs folder whose name is known to be durable; 0 where none is.
    durable_runs: Arc<AtomicU64>,
}

impl Store {
    /// Opens the jobs that live under `layout`. Touches nothing: missing folders count as empty.
    ///
    /// `host` is the name that new records carry.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, layout: Layout, limits: StoreLimits, host: &str) -> Self {
        let (layout, host) = (Arc::new(layout), host.into());
        Self { fs, layout, limits, host, durable_runs: Arc::default() }
    }

    /// Returns the file system.
    #[must_use]
    pub fn fs(&self) -> &dyn Fs {
        &*self.fs
    }

    /// Returns where everything lives.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the name of the host, which new records carry.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the number of the runs folder that this process has made durable, by its name, if it has any.
    pub(super) fn durable_runs(&self) -> Option<u64> {
        Some(self.durable_runs.load(Ordering::Relaxed)).filter(|&inode| inode != 0)
    }

    /// Remembers that the name of the runs folder with this number is durable.
    pub(super) fn set_durable_runs(&self, inode: Option<u64>) {
        self.durable_runs.store(inode.unwrap_or(0), Ordering::Relaxed);
    }

    /// Returns how much is accepted.
    #[must_use]
    pub fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// Returns how many bytes a prompt may have on the disk: what was accepted at the limit has grown by the keys that
    /// submitting it set.
    pub(in crate::store) fn prompt_bytes_max(&self) -> usize {
        let limit = self.limits.prompt_bytes.saturating_add(SERVICE_FIELDS_BYTES_MAX as u64);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}
