//! The limit of file descriptors (`RLIMIT_NOFILE`), and how many connections and requests it allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a service needs descriptors for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FdNeeds {
    /// How many connections it may have.
    pub(crate) connections: usize,
    /// How many descriptors each of them takes.
    pub(crate) per_connection: u64,
    /// How many requests may use the disk at once.
    pub(crate) requests: usize,
}

/// The most that a request has open at once: a folder that is listed, twice while it is.
const PER_REQUEST: u64 = 2;
/// Descriptors for everything else: the listener, streams that read, file watching, refusals, what else runs here.
const RESERVE: u64 = 64;

impl FdNeeds {
    /// Raises the soft limit of descriptors as far as this needs, and returns how much of it the limit allows.
    ///
    /// It is raised no further than needed: programs that this process starts inherit it.
    pub(crate) fn raise_limit(self) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let connections = (self.connections as u64).saturating_mul(self.per_connection);
        let needed = (self.requests as u64 * PER_REQUEST).saturating_add(connections).saturating_add(RESERVE);
        let current = limit.current.unwrap_or(u64::MAX);
        let within = needed.min(limit.maximum.unwrap_or(u64::MAX));
        let raised = current < within
            && setrlimit(Resource::Nofile, Rlimit { current: Some(within), maximum: limit.maximum }).is_ok();
        self.within(if raised { within } else { current })
    }

    /// Returns how much of it so many descriptors allow, and at least one of each. Of few, requests get half at most.
    fn within(self, descriptors: u64) -> Self {
        let free = descriptors.saturating_sub(RESERVE);
        let requests = (free / 2 / PER_REQUEST).min(self.requests as u64);
        let connections = (free - requests * PER_REQUEST) / self.per_connection.max(1);
        let as_usize = |count: u64| usize::try_from(count.max(1)).unwrap_or(usize::MAX);
        Self {
            connections: as_usize(connections).min(self.connections),
            requests: as_usize(requests).min(self.requests),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_are_shared_and_never_exceeded() {
        let check = |descriptors, per_connection, requests, expected| {
            let needs = FdNeeds { connections: 2048, per_connection, requests };
            let within = needs.within(descriptors);
            assert_eq!((within.connections, within.requests), expected, "{descriptors}");
            let used = within.connections as u64 * per_connection + within.requests as u64 * PER_REQUEST + RESERVE;
            assert!(used <= descriptors.max(RESERVE + PER_REQUEST + per_connection), "{used} of {descriptors}");
        };
        check(u64::MAX, 1, 64, (2048, 64));
        check(4096, 1, 64, (2048, 64));
        check(1024, 1, 64, (832, 64));
        check(256, 1, 64, (96, 48));
        check(256, 2, 0, (96, 0));
        check(100, 1, 64, (18, 9));
        check(64, 1, 64, (1, 1));
        check(0, 2, 64, (1, 1));
    }
}
