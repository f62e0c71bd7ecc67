//! Which branches of a mirror were fetched a moment ago, so that jobs that wait for the same fetch share one.
//!
//! It is a file in the mirror, read and written under the mirror's lock. It promises nothing beyond this boot of the host, and
//! is not durable: without it a branch is fetched once more.

use camino::Utf8Path;
use fs_err as fs;
use pv_lib::host;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::untrusted_file::read_bytes;

/// The name of the file.
const FILE: &str = "pv-fetched";

/// How many branches are noted, the newest first.
const NOTED_MAX: usize = 16;

/// How long the file may be, in bytes.
const BYTES_MAX: u64 = 64 << 10;

/// A time of this boot, in nanoseconds, the same clock for all processes of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct BootTime(u64);

/// A fetch that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fetched {
    boot_id: String,
    /// The address, without a password.
    address: String,
    branch: String,
    /// When it began: what the remote got before that is there.
    begun: BootTime,
}

/// Returns the time.
pub(super) fn now() -> BootTime {
    let time = clock_gettime(ClockId::Boottime);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    BootTime(part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec)))
}

/// Tells whether a branch was fetched from an address by a fetch that began at `asked` or later.
pub(super) fn is_since(mirror: &Utf8Path, address: &str, branch: &str, asked: BootTime) -> bool {
    covers(&read(mirror), host::boot_id().as_deref(), address, branch, asked)
}

/// Notes that a branch was fetched from an address by a fetch that began then.
pub(super) fn note(mirror: &Utf8Path, address: &str, branch: &str, begun: BootTime) {
    let Some(boot_id) = host::boot_id() else { return };
    let fetched = Fetched { boot_id, address: address.to_owned(), branch: branch.to_owned(), begun };
    let noted = with(read(mirror), fetched);
    // Without the note nothing is wrong. A part of it is no note.
    let _ = fs::write(mirror.join(FILE), serde_json::to_vec(&noted).unwrap_or_default());
}

fn read(mirror: &Utf8Path) -> Vec<Fetched> {
    let bytes = read_bytes(&mirror.join(FILE), BYTES_MAX).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn covers(noted: &[Fetched], boot_id: Option<&str>, address: &str, branch: &str, asked: BootTime) -> bool {
    let is_it = |one: &Fetched| one.address == address && one.branch == branch && Some(one.boot_id.as_str()) == boot_id;
    noted.iter().any(|one| is_it(one) && one.begun >= asked)
}

fn with(mut noted: Vec<Fetched>, fetched: Fetched) -> Vec<Fetched> {
    noted.retain(|one| (&one.address, &one.branch) != (&fetched.address, &fetched.branch));
    noted.insert(0, fetched);
    noted.truncate(NOTED_MAX);
    noted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(address: &str, branch: &str, begun: u64) -> Fetched {
        Fetched { boot_id: "b".into(), address: address.into(), branch: branch.into(), begun: BootTime(begun) }
    }

    #[test]
    fn only_a_fetch_of_the_same_that_began_since_somebody_asked_is_theirs_too() {
        let noted = [fetched("h/r", "main", 10), fetched("h/r", "x", 30)];
        let check = |boot: Option<&str>, address: &str, branch: &str, asked: u64, expected: bool| {
            let found = covers(&noted, boot, address, branch, BootTime(asked));
            assert_eq!(found, expected, "{boot:?} {address} {branch} {asked}");
        };
        check(Some("b"), "h/r", "main", 9, true);
        check(Some("b"), "h/r", "main", 10, true);
        check(Some("b"), "h/r", "main", 11, false);
        check(Some("b"), "h/r", "x", 30, true);
        check(Some("b"), "h/r", "other", 0, false);
        check(Some("b"), "h/other", "main", 0, false);
        check(Some("another"), "h/r", "main", 0, false);
        check(None, "h/r", "main", 0, false);
    }

    #[test]
    fn the_newest_are_noted_each_once_and_damage_means_that_none_is() {
        let dir = tempfile::tempdir().unwrap();
        let mirror = Utf8Path::from_path(dir.path()).unwrap();
        let before = now();
        assert!(!is_since(mirror, "h/r", "main", before));
        for number in 0..NOTED_MAX {
            note(mirror, "h/r", &format!("b{number}"), now());
        }
        note(mirror, "h/r", "main", now());
        note(mirror, "h/r", "main", now());
        assert_eq!(read(mirror).len(), NOTED_MAX);
        assert!(is_since(mirror, "h/r", "main", before) && !is_since(mirror, "h/r", "b0", before));
        assert!(is_since(mirror, "h/r", "b1", before) && !is_since(mirror, "h/r", "b1", now()));
        fs::write(mirror.join(FILE), "[{").unwrap();
        assert!(!is_since(mirror, "h/r", "main", before));
    }
}
