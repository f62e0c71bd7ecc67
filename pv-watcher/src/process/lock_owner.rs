//! Ending a supervisor that does not answer, found by proof: the kernel says that it holds the run's lock.
//!
//! Whoever takes a run's lock also puts a record lock on its file (`fcntl`), because the kernel tells who has that one: on
//! every file system, and without a look at devices, which `/proc/locks` and `stat` name differently on overlay and btrfs.
//! A supervisor of version 0.1.0 has no such lock. Of it `/proc/locks` is the proof, together with what is known of the
//! process that it names.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, OwnedFd},
        linux::fs::MetadataExt,
        unix::fs::OpenOptionsExt,
    },
    time::Duration,
};

use camino::Utf8Path;
use fs_err as fs;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FlockOperation, OFlags, flock, major, minor},
    process::{Flock, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, getpid, pidfd_open, pidfd_send_signal},
};

/// How long a process is waited for that was sent SIGKILL. One that waits for a dead disk takes longer.
const GONE_WAIT: Duration = Duration::from_secs(2);

/// What became of the process that held a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockHolder {
    /// Nobody holds it, or nobody but this process.
    Nobody,
    /// It was killed, and is gone.
    Gone,
    /// SIGKILL was sent to it, and it is still there.
    Remains,
}

/// Kills the process that holds the lock of this file, and returns what was seen of that.
///
/// A process of ours that the kernel names as the holder is a supervisor, stopped or hung as it may be. This process is
/// never meant.
///
/// # Errors
/// When the lock file cannot be read, or its holder is not to be found, or is somebody else's process.
pub fn end_lock_holder(lock: &Utf8Path) -> io::Result<LockHolder> {
    let Some((_, pidfd)) = signal_lock_holder(lock, Signal::KILL)? else { return Ok(LockHolder::Nobody) };
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    let limit = Timespec { tv_sec: GONE_WAIT.as_secs().cast_signed(), tv_nsec: 0 };
    let is_gone = poll(&mut fds, Some(&limit)).is_ok_and(|ended| ended > 0);
    Ok(if is_gone { LockHolder::Gone } else { LockHolder::Remains })
}

/// Asks the process that holds the lock of this file to end, and returns its id; `None` where nobody holds it.
///
/// # Errors
/// As [`end_lock_holder`].
pub fn stop_lock_holder(lock: &Utf8Path) -> io::Result<Option<i32>> {
    Ok(signal_lock_holder(lock, Signal::TERM)?.map(|(pid, _)| pid.as_raw_nonzero().get()))
}

/// Returns the id of the process that holds the lock of this file, for people; `None` where the kernel names none, as where
/// there is no such file.
///
/// # Errors
/// When the lock file or `/proc/locks` cannot be read.
pub fn lock_holder(lock: &Utf8Path) -> io::Result<Option<i32>> {
    let Some(file) = open(lock)? else { return Ok(None) };
    Ok(holder_of(&file, lock)?.map(|pid| pid.as_raw_nonzero().get()))
}

/// Signals the process that holds the lock of this file, and returns its id and a descriptor of it; `None` where nobody
/// holds it, or this process does.
fn signal_lock_holder(lock: &Utf8Path, signal: Signal) -> io::Result<Option<(Pid, OwnedFd)>> {
    let Some(file) = open(lock)? else { return Ok(None) };
    let pid = match holder_of(&file, lock)? {
        Some(pid) if pid == getpid() => return Ok(None),
        Some(pid) => pid,
        None if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() => return Ok(None),
        None => {
            let message =
                "which process holds it cannot be found out: end it by hand, it is a `pv` of this installation";
            return Err(io::Error::new(ErrorKind::NotFound, message));
        }
    };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // The pidfd pins whatever has the id now: it is the holder only if the kernel still says so.
    if holder_of(&file, lock)? != Some(pid) {
        return Ok(None);
    }
    pidfd_send_signal(&pidfd, signal)?;
    Ok(Some((pid, pidfd)))
}

/// Returns who holds the lock of a file, as far as that can be found out.
fn holder_of(file: &File, lock: &Utf8Path) -> io::Result<Option<Pid>> {
    Ok(record_lock_holder(file)?.or(flock_holder(file, lock)?))
}

/// Opens a lock file; `None` where there is none, and so no holder.
fn open(lock: &Utf8Path) -> io::Result<Option<File>> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
    match File::options().read(true).custom_flags(flags).open(lock) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks the kernel who has a record lock on a file.
fn record_lock_holder(file: &File) -> io::Result<Option<Pid>> {
    let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    // In another PID namespace it has no id here.
    Ok(found.and_then(|lock| lock.pid).filter(|pid| pid.as_raw_nonzero().get() > 1))
}

/// Finds who has the lock of the whole file, as `/proc/locks` and the processes that it names tell.
fn flock_holder(file: &File, lock: &Utf8Path) -> io::Result<Option<Pid>> {
    let stat = file.metadata()?;
    let device = (major(stat.st_dev()), minor(stat.st_dev()));
    let locks = fs::read_to_string("/proc/locks").or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(String::new()),
        _ => Err(error),
    })?;
    let name = lock.file_name().unwrap_or_default();
    let has_it_open = |pid: Pid| has_open(pid, (stat.st_dev(), stat.st_ino()));
    let is_named_after = |pid: Pid| has_argument(pid, name);
    Ok(choose(&holders(&locks, stat.st_ino()), device, has_it_open, is_named_after))
}

/// A process that holds the lock of a whole file with a certain number, on a certain device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    pid: Pid,
    device: (u32, u32),
}

/// Lists who holds the lock of a whole file with this number, as `/proc/locks` tells:
/// `1: FLOCK  ADVISORY  WRITE 42 08:02:1234 0 EOF`.
fn holders(locks: &str, inode: u64) -> Vec<Candidate> {
    let candidate = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let is_flock = fields.next()? == "FLOCK";
        let (pid, file) = (fields.nth(2)?, fields.next()?);
        let mut parts = file.split(':');
        let number = |part: Option<&str>| u32::from_str_radix(part?, 16).ok();
        let device = (number(parts.next())?, number(parts.next())?);
        let is_wanted = is_flock && parts.next()?.parse() == Ok(inode);
        let pid = pid.parse().ok().filter(|pid: &i32| *pid > 1).and_then(Pid::from_raw)?;
        is_wanted.then_some(Candidate { pid, device })
    };
    locks.lines().filter_map(candidate).collect()
}

/// Chooses the holder of a lock file: the one on its device, as `stat` names that; else one that is known to have it open;
/// else one whose arguments name it. `None` where that is not one process alone.
fn choose(
    candidates: &[Candidate],
    device: (u32, u32),
    has_it_open: impl Fn(Pid) -> bool,
    is_named_after: impl Fn(Pid) -> bool,
) -> Option<Pid> {
    let only = |is_it: &dyn Fn(&Candidate) -> bool| {
        let mut found = candidates.iter().filter(|candidate| is_it(candidate)).map(|candidate| candidate.pid);
        found.next().filter(|first| found.all(|other| other == *first))
    };
    only(&|candidate| candidate.device == device)
        .or_else(|| only(&|candidate| has_it_open(candidate.pid)))
        .or_else(|| only(&|candidate| is_named_after(candidate.pid)))
}

/// Tells whether a process has a file open; a supervisor's descriptors only root may look at.
fn has_open(pid: Pid, (device, inode): (u64, u64)) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let mut stats = descriptors.filter_map(|descriptor| fs::metadata(descriptor.path()).ok());
    stats.any(|stat| (stat.st_dev(), stat.st_ino()) == (device, inode))
}

/// Tells whether the last argument of a process is this, as that of a supervisor is the id of its job.
fn has_argument(pid: Pid, argument: &str) -> bool {
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(&arguments);
    arguments.rsplit(|byte| *byte == 0).next() == Some(argument.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(raw: i32) -> Pid {
        Pid::from_raw(raw).unwrap()
    }

    #[test]
    fn finds_the_holders_and_nobody_who_waits() {
        let locks = "1: POSIX  ADVISORY  WRITE 40 08:02:1234 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 41 08:02:99 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 42 fe:10:1234 0 EOF\n\
            3: -> FLOCK  ADVISORY  WRITE 43 fe:10:1235 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 1 08:02:7 0 EOF\n\
            5: FLOCK  ADVISORY  WRITE -1 08:02:8 0 EOF\n\
            6: FLOCK  ADVISORY  WRITE 44 00:27:99 0 EOF\n\
            damaged\n";
        let check = |inode, expected: &[(i32, (u32, u32))]| {
            let expected: Vec<_> =
                expected.iter().map(|(raw, device)| Candidate { pid: pid(*raw), device: *device }).collect();
            assert_eq!(holders(locks, inode), expected, "{inode}");
        };
        check(1234, &[(42, (0xfe, 0x10))]);
        check(99, &[(41, (8, 2)), (44, (0, 0x27))]);
        check(1235, &[]);
        check(7, &[]);
        check(8, &[]);
    }

    #[test]
    fn bug_8_a_holder_is_chosen_whatever_its_device_is_called() {
        let (own, other) = ((0, 0x29), (0, 0x27));
        let check = |candidates: &[(i32, (u32, u32))], open: &[i32], named: &[i32], expected: Option<i32>| {
            let list: Vec<_> =
                candidates.iter().map(|(raw, device)| Candidate { pid: pid(*raw), device: *device }).collect();
            let is_in = |pids: &[i32], pid: Pid| pids.contains(&pid.as_raw_nonzero().get());
            let found = choose(&list, own, |pid| is_in(open, pid), |pid| is_in(named, pid));
            assert_eq!(found, expected.map(pid), "{candidates:?} {open:?} {named:?}");
        };
        check(&[], &[], &[], None);
        // Where stat and the kernel agree nothing else is asked.
        check(&[(41, own)], &[], &[], Some(41));
        check(&[(41, own), (42, other)], &[42], &[42], Some(41));
        // On btrfs and on an overlay they do not.
        check(&[(41, other)], &[41], &[], Some(41));
        check(&[(41, other)], &[], &[41], Some(41));
        check(&[(41, other), (42, (8, 2))], &[], &[42], Some(42));
        // A lock of another file that happens to have the same number is nobody's business.
        check(&[(41, other)], &[], &[], None);
        check(&[(41, other), (42, other)], &[], &[41, 42], None);
        check(&[(41, other), (41, other)], &[], &[41], Some(41));
    }

    #[test]
    fn bug_8_a_free_lock_and_one_that_is_not_there_have_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("lock");
        assert_eq!(end_lock_holder(&path).unwrap(), LockHolder::Nobody);
        fs::write(&path, "").unwrap();
        assert_eq!(end_lock_holder(&path).unwrap(), LockHolder::Nobody);
        let own = File::open(&path).unwrap();
        flock(&own, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(end_lock_holder(&path).unwrap(), LockHolder::Nobody, "this process is never meant");
    }
}
