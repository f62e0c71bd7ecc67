//! Ending a supervisor that does not answer, found by proof: the kernel says that it holds the run's lock.

use std::{io, os::linux::fs::MetadataExt};

use camino::Utf8Path;
use fs_err as fs;
use rustix::{
    fs::{major, minor},
    process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal},
};

/// Kills the process that holds the lock of this file; it is no error if nobody does.
///
/// A process of ours that the kernel names as the holder is a supervisor, stopped or hung as it may be. This process is
/// never meant.
///
/// # Errors
/// When the lock file or `/proc/locks` cannot be read, or the holder is somebody else's process.
pub fn end_lock_holder(lock: &Utf8Path) -> io::Result<()> {
    signal_lock_holder(lock, Signal::KILL).map(drop)
}

/// Asks the process that holds the lock of this file to end, and returns its id; `None` where nobody holds it.
///
/// # Errors
/// As [`end_lock_holder`].
pub fn stop_lock_holder(lock: &Utf8Path) -> io::Result<Option<i32>> {
    Ok(signal_lock_holder(lock, Signal::TERM)?.map(|pid| pid.as_raw_nonzero().get()))
}

/// Returns the id of the process that holds the lock of this file, for people; `None` where the kernel names none, as where
/// there is no such file.
///
/// # Errors
/// When the lock file or `/proc/locks` cannot be read.
pub fn lock_holder(lock: &Utf8Path) -> io::Result<Option<i32>> {
    match holder_of(lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(found?.map(|pid| pid.as_raw_nonzero().get())),
    }
}

fn signal_lock_holder(lock: &Utf8Path, signal: Signal) -> io::Result<Option<Pid>> {
    let Some(pid) = holder_of(lock)?.filter(|pid| *pid != getpid()) else {
        return Ok(None);
    };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // The pidfd pins whatever has the id now: it is the holder only if the kernel still says so.
    if holder_of(lock)? != Some(pid) {
        return Ok(None);
    }
    pidfd_send_signal(pidfd, signal)?;
    Ok(Some(pid))
}

fn holder_of(lock: &Utf8Path) -> io::Result<Option<Pid>> {
    let stat = fs::metadata(lock)?;
    let device = (major(stat.st_dev()), minor(stat.st_dev()));
    Ok(holder(&fs::read_to_string("/proc/locks")?, device, stat.st_ino()))
}

/// Finds who holds a lock of the whole file, as `/proc/locks` tells: `1: FLOCK  ADVISORY  WRITE 42 08:02:1234 0 EOF`.
fn holder(locks: &str, device: (u32, u32), inode: u64) -> Option<Pid> {
    let selector = format!("{:02x}:{:02x}:{inode}", device.0, device.1);
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_flock = fields.next()? == "FLOCK";
        let (pid, file) = (fields.nth(2)?, fields.next()?);
        let pid = pid.parse().ok().filter(|pid: &i32| *pid > 1);
        pid.filter(|_| is_flock && file == selector).and_then(Pid::from_raw)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_holder_and_nobody_who_waits() {
        let locks = "1: POSIX  ADVISORY  WRITE 40 08:02:1234 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 41 08:02:99 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 42 fe:10:1234 0 EOF\n\
            3: -> FLOCK  ADVISORY  WRITE 43 fe:10:1235 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 1 08:02:7 0 EOF\n\
            5: FLOCK  ADVISORY  WRITE -1 08:02:8 0 EOF\n";
        let check = |device, inode, expected: Option<i32>| {
            assert_eq!(holder(locks, device, inode).map(|pid| pid.as_raw_nonzero().get()), expected, "{inode}");
        };
        check((8, 2), 1234, None);
        check((8, 2), 99, Some(41));
        check((0xfe, 0x10), 1234, Some(42));
        check((0xfe, 0x10), 1235, None);
        check((8, 2), 7, None);
        check((8, 2), 8, None);
    }
}
