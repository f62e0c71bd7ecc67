//! The store itself: a file system, a layout, and how much is accepted.

use std::sync::Arc;

use crate::{fs::Fs, layout::Layout, limits::StoreLimits, prompt::SERVICE_FIELDS_BYTES_MAX};

/// The jobs of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    fs: Arc<dyn Fs>,
    layout: Arc<Layout>,
    limits: StoreLimits,
    host: Arc<str>,
}

impl Store {
    /// Opens the jobs that live under `layout`. Touches nothing: missing folders count as empty.
    ///
    /// `host` is the name that new records carry.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, layout: Layout, limits: StoreLimits, host: &str) -> Self {
        Self { fs, layout: Arc::new(layout), limits, host: host.into() }
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
