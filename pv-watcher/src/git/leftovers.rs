//! What a call of git that was killed leaves in a mirror, and who may remove it.

use std::{
    io,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::fs::{Fs, LockGuard};

/// Takes the lock of whoever maintains a mirror; `None` where another process has it.
pub(super) fn try_maintenance_lock(disk: &dyn Fs, mirror: &Utf8Path) -> Result<Option<LockGuard>, String> {
    let path = Utf8PathBuf::from(format!("{mirror}.maintenance.lock"));
    match disk.try_lock(&path) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(format!("cannot lock {path}: {error}")),
    }
}

/// How old a lock of git's must be to belong to nobody: git holds them for an instant.
const LOCK_IS_OLD: Duration = Duration::from_secs(60);

/// What git holds, and writes, while it packs references. Only for the holder of the maintenance lock.
pub(super) const PACKED_REFS_LOCKS: [&str; 2] = ["packed-refs.lock", "packed-refs.new"];

/// Removes a lock of git's in a mirror that is older than any call holds it.
///
/// # Errors
/// What the disk says.
pub(super) fn remove_old_lock(mirror: &Utf8Path, name: &str) -> io::Result<()> {
    let lock = mirror.join(name);
    let changed = fs::metadata(&lock).and_then(|stat| stat.modified());
    if changed.is_ok_and(|changed| is_older(changed, LOCK_IS_OLD)) { fs::remove_file(lock) } else { Ok(()) }
}

/// How old a lock of git's must be to belong to nobody where whoever looks has both locks of ours, so that neither a fetch
/// nor a maintenance of a living process runs: git of one that was killed may take this long to end.
const OWN_LOCK_IS_OLD: Duration = Duration::from_secs(2);

/// Removes a lock of git's in a mirror as [`remove_old_lock`] does, for who has the mirror's lock and that of its maintenance.
/// Tells whether there is one that is not old enough yet.
///
/// # Errors
/// What the disk says.
pub(super) fn remove_own_lock(mirror: &Utf8Path, name: &str) -> io::Result<bool> {
    let lock = mirror.join(name);
    match fs::metadata(&lock).and_then(|stat| stat.modified()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // One of the time to come would never grow old.
        Ok(changed) if changed.elapsed().is_ok_and(|age| age <= OWN_LOCK_IS_OLD) => Ok(true),
        found => found.and_then(|_| fs::remove_file(lock)).map(|()| false),
    }
}

/// Removes the packs of a mirror that never came to an end, older than `age`.
pub(super) fn remove_unfinished_packs(mirror: &Utf8Path, age: Duration) {
    let is_unfinished = |name: &[u8]| name.starts_with(b"tmp_") || name.starts_with(b".tmp-");
    let entries = fs::read_dir(mirror.join("objects/pack")).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_unfinished(entry.file_name().as_encoded_bytes())) {
        let changed = entry.metadata().and_then(|stat| stat.modified());
        if changed.is_ok_and(|changed| is_older(changed, age)) {
            // What cannot be removed now is tried again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Tells whether a time is longer ago than that.
fn is_older(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|elapsed| elapsed > age)
}
