//! The limit of file descriptors (`RLIMIT_NOFILE`), and how many connections it allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for everything but connections: files that are read, the listener, what else runs here.
const RESERVE: u64 = 256;

/// Raises the soft limit of descriptors as far as `wanted` connections need, and returns how many it allows.
///
/// It is raised no further than needed: programs that this process starts inherit it.
pub(crate) fn raise_fd_limit(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let needed = (wanted as u64).saturating_add(RESERVE);
    let current = limit.current.unwrap_or(u64::MAX);
    let within = needed.min(limit.maximum.unwrap_or(u64::MAX));
    let raised = current < within
        && setrlimit(Resource::Nofile, Rlimit { current: Some(within), maximum: limit.maximum }).is_ok();
    connections(if raised { within } else { current }, wanted)
}

/// Returns how many connections there may be with so many descriptors; of few descriptors, half are for connections.
fn connections(descriptors: u64, wanted: usize) -> usize {
    let allowed = descriptors.saturating_sub(RESERVE).max(descriptors / 2).max(1);
    usize::try_from(allowed).unwrap_or(usize::MAX).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_descriptors_for_the_rest() {
        for (descriptors, wanted, expected) in
            [(1024, 2048, 768), (4096, 2048, 2048), (64, 2048, 32), (0, 5, 1), (u64::MAX, 5, 5)]
        {
            assert_eq!(connections(descriptors, wanted), expected, "{descriptors}");
        }
    }
}
