//! Waiting for a short call of a command that a person typed: nobody supervises it, and no job is marked by it.

use std::{
    io::{ErrorKind, Read},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use pv_lib::supervise::{Cause, Ending, Exit, TimeLimits};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{OutputSink, Spawned};

/// How long to wait before the limits are looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// How much is read from a pipe at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Waits for a process to end, passes its output on, and ends its group where it takes longer than its limit.
pub(crate) fn wait_unsupervised(mut process: Spawned, output: &mut dyn OutputSink, limits: &TimeLimits) -> Ending {
    let begun = Instant::now();
    let (mut cause, mut exit) = (None, None);
    while exit.is_none() {
        wait(&process);
        move_output(&mut process, output);
        exit = exit_of(&process);
        let elapsed = begun.elapsed();
        if exit.is_none() && limits.timeout.is_some_and(|timeout| elapsed >= timeout) {
            let is_patient = limits.timeout.is_some_and(|timeout| elapsed < timeout + limits.grace);
            cause = Some(Cause::Timeout);
            let _ = kill_process_group(process.pid, if is_patient { Signal::TERM } else { Signal::KILL });
        }
    }
    move_output(&mut process, output);
    let _ = process.child.try_wait();
    Ending { cause, exit, clean: true }
}

fn wait(process: &Spawned) {
    let mut fds = vec![PollFd::new(&process.pidfd, PollFlags::IN)];
    fds.extend(process.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
    let timeout = Timespec::try_from(PAUSE).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    if poll(&mut fds, Some(&timeout)).is_err() {
        std::thread::sleep(PAUSE);
    }
}

fn move_output(process: &mut Spawned, output: &mut dyn OutputSink) {
    let mut chunk = vec![0; CHUNK_BYTES];
    process.pipes.retain_mut(|pipe| {
        loop {
            match pipe.reader.read(&mut chunk) {
                Ok(0) => return false,
                Ok(len) => output.append(pipe.source, &chunk[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    });
}

fn exit_of(process: &Spawned) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(process.pidfd.as_fd()), options).ok().flatten()?;
    status.terminating_signal().map(Exit::Signal).or(status.exit_status().map(Exit::Code))
}
