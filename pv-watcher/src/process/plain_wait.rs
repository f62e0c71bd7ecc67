//! Waiting for a short process without a job: nobody aborts it, and no heartbeat is due.

use std::{
    io::{ErrorKind, Read},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use pv_lib::supervise::{Cause, Ending, Exit};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{OutputSink, spawn::Spawned};

/// How long a process that was killed is waited for.
const KILLED_WAIT: Duration = Duration::from_secs(2);

/// The longest wait before it is looked whether the process is gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much is read at once, in bytes, and how much at all.
const CHUNK_BYTES: usize = 16 << 10;
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// Waits until a process is gone, with its group killed when `limit` is over. Call it from the thread that started it, which
/// must live as long.
pub(crate) fn wait_plainly(mut process: Spawned, output: &mut dyn OutputSink, limit: Duration) -> Ending {
    let begun = Instant::now();
    let (mut chunk, mut left, mut killed) = (vec![0; CHUNK_BYTES], OUTPUT_BYTES_MAX, None::<Instant>);
    loop {
        let exit = exit_of(&process);
        left = left.saturating_sub(move_output(&mut process, output, &mut chunk, left));
        let is_given_up = killed.is_some_and(|killed| killed.elapsed() >= KILLED_WAIT);
        if exit.is_some() || is_given_up {
            // The leader is not reaped yet, so that its group's id names nothing else.
            let _ = kill_process_group(process.pid(), Signal::KILL);
            let _ = process.child.try_wait();
            let cause = killed.map(|_| Cause::Timeout);
            return Ending { cause, exit, clean: exit.is_some() };
        }
        if killed.is_none() && (begun.elapsed() >= limit || left == 0) {
            let _ = kill_process_group(process.pid(), Signal::KILL);
            killed = Some(Instant::now());
        }
        let mut fds = vec![PollFd::new(&process.pidfd, PollFlags::IN)];
        fds.extend(process.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
        let wait = limit.saturating_sub(begun.elapsed()).clamp(Duration::from_millis(1), LOOK_EVERY);
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        if poll(&mut fds, Some(&wait)).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn exit_of(process: &Spawned) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(process.pidfd.as_fd()), options).ok().flatten()?;
    status.terminating_signal().map(Exit::Signal).or(status.exit_status().map(Exit::Code))
}

/// Moves what is in the pipes, and returns how much that was. A pipe that has ended is not read again.
fn move_output(process: &mut Spawned, output: &mut dyn OutputSink, chunk: &mut [u8], limit: usize) -> usize {
    let mut moved = 0;
    process.pipes.retain_mut(|pipe| {
        loop {
            match pipe.reader.read(chunk) {
                Ok(0) => return false,
                Ok(len) => {
                    output.append(pipe.source, &chunk[..len]);
                    moved += len;
                    if moved >= limit {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    });
    moved
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::{OutputTail, spawn};

    fn run(script: &str, limit: Duration) -> (Ending, String) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let mut output = OutputTail::default();
        let ending = wait_plainly(spawn(command, None, None).unwrap(), &mut output, limit);
        (ending, output.into_string())
    }

    #[test]
    fn a_process_ends_by_itself_or_with_its_group_when_its_time_is_over() {
        let long = Duration::from_secs(60);
        let (ending, said) = run("echo out; echo err >&2; exit 3", long);
        assert_eq!((ending.cause, ending.exit, said.as_str()), (None, Some(Exit::Code(3)), "out\nerr"));
        let begun = Instant::now();
        let (ending, said) = run("echo first; sleep 300 & wait", Duration::from_millis(300));
        assert_eq!((ending.cause, ending.exit), (Some(Cause::Timeout), Some(Exit::Signal(9))));
        assert_eq!(said, "first");
        // Whoever holds the pipe holds nobody.
        let (ending, _) = run("sleep 300 & exit 0", long);
        assert_eq!((ending.cause, ending.exit), (None, Some(Exit::Code(0))));
        assert!(begun.elapsed() < long, "{:?}", begun.elapsed());
    }
}
