//! Short commands that look after a job from outside: each has a time limit, and none carries the job's mark.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read},
    os::fd::AsFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pv_lib::{supervise::Exit, text::one_line};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::spawn::{Source, Spawned, spawn_apart};

/// How long one may take.
pub(crate) const TOOL_LIMIT: Duration = Duration::from_secs(20);

/// How long one that was killed is waited for.
const KILLED_WAIT: Duration = Duration::from_secs(2);

/// The longest wait before it is looked again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much of its output, and of its errors, is kept, in bytes.
const KEPT_BYTES: usize = 16 << 10;

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 4 << 10;

/// The ones that run now: whoever reaps orphans leaves these to those who wait for them.
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolEnd {
    /// Its exit code; `None` where it could not be started, was ended by a signal, or took too long.
    pub(crate) code: Option<i32>,
    /// What it printed, without blanks around it.
    pub(crate) output: String,
    /// Why it says nothing that counts: what it complained of, or what went wrong with it; in a line.
    pub(crate) complaint: String,
}

/// Tells whether a process is a command that somebody waits for.
pub(super) fn is_tool(pid: Pid) -> bool {
    RUNNING.lock().contains(&pid.as_raw_nonzero().get())
}

/// Runs a command with these variables alone, and returns what came of it; `beat` is called now and then meanwhile.
///
/// Call it from a thread that lives as long as the command: the end of that is its end.
pub(crate) fn run_tool(
    words: &[String],
    variables: &[(OsString, OsString)],
    limit: Duration,
    beat: &mut dyn FnMut(),
) -> ToolEnd {
    let Some((program, arguments)) = words.split_first() else { return failed("no command".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).env_clear();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    match spawn_apart(command, None) {
        Ok(process) => {
            let pid = process.pid.as_raw_nonzero().get();
            RUNNING.lock().push(pid);
            let end = wait(process, program, limit, beat);
            RUNNING.lock().retain(|running| *running != pid);
            end
        }
        Err(error) => failed(format!("`{program}` cannot be executed: {error}")),
    }
}

fn failed(complaint: String) -> ToolEnd {
    ToolEnd { code: None, output: String::new(), complaint }
}

fn wait(mut process: Spawned, program: &str, limit: Duration, beat: &mut dyn FnMut()) -> ToolEnd {
    let begun = Instant::now();
    let (mut output, mut errors, mut killed) = (Vec::new(), Vec::new(), None::<Instant>);
    let exit = loop {
        let exit = exit_of(&process);
        move_output(&mut process, &mut output, &mut errors);
        let is_given_up = killed.is_some_and(|killed| killed.elapsed() >= KILLED_WAIT);
        if exit.is_some() || is_given_up {
            break exit;
        }
        if killed.is_none() && begun.elapsed() >= limit {
            let _ = kill_process_group(process.pid, Signal::KILL);
            killed = Some(Instant::now());
        }
        let mut fds = vec![PollFd::new(&process.pidfd, PollFlags::IN)];
        fds.extend(process.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
        let pause = limit.saturating_sub(begun.elapsed()).clamp(Duration::from_millis(1), LOOK_EVERY);
        let pause = Timespec::try_from(pause).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        if poll(&mut fds, Some(&pause)).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        beat();
    };
    // The leader is not reaped yet, so that its group's id names nothing else.
    let _ = kill_process_group(process.pid, Signal::KILL);
    let _ = process.child.try_wait();
    let said = String::from_utf8_lossy(&errors).trim().lines().map(one_line).collect::<Vec<_>>().join("; ");
    let code = match exit {
        Some(Exit::Code(code)) if killed.is_none() => Some(code),
        _ => None,
    };
    let why = match (killed, exit) {
        (Some(_), _) => format!("`{program}` took longer than {} s", limit.as_secs()),
        (None, Some(exit)) => format!("`{program}` ended with {}", exit.code()),
        (None, None) => format!("`{program}` could not be waited for"),
    };
    let complaint = if said.is_empty() { why } else { format!("{why}: {said}") };
    ToolEnd { code, output: String::from_utf8_lossy(&output).trim().to_owned(), complaint }
}

fn exit_of(process: &Spawned) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(process.pidfd.as_fd()), options).ok().flatten()?;
    status.terminating_signal().map(Exit::Signal).or(status.exit_status().map(Exit::Code))
}

/// Moves what is in the pipes. What is too much is read and dropped.
fn move_output(process: &mut Spawned, output: &mut Vec<u8>, errors: &mut Vec<u8>) {
    let mut chunk = [0; CHUNK_BYTES];
    process.pipes.retain_mut(|pipe| {
        // A command that never stops to write is not listened to without end.
        for _ in 0..64 {
            match pipe.reader.read(&mut chunk) {
                Ok(0) => return false,
                Ok(len) => {
                    let kept = if pipe.source == Source::Output { &mut *output } else { &mut *errors };
                    let room = KEPT_BYTES.saturating_sub(kept.len());
                    kept.extend_from_slice(&chunk[..len.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Duration) -> ToolEnd {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        run_tool(&words, &[("A".into(), "1".into())], limit, &mut || {})
    }

    #[test]
    fn a_command_says_what_it_prints_and_why_it_failed() {
        let long = Duration::from_secs(60);
        let end = run("echo \" x$A$PV_JOB_ID \"; echo why >&2", long);
        assert_eq!((end.code, end.output.as_str()), (Some(0), "x1"));
        let end = run("echo 'no\nanswer' >&2; exit 3", long);
        assert_eq!((end.code, end.complaint.as_str()), (Some(3), "`/bin/sh` ended with 3: no; answer"));
        let end = run("kill -9 $$", long);
        assert_eq!((end.code, end.complaint.as_str()), (None, "`/bin/sh` ended with -9"));
        let end = run_tool(&["/nowhere/squeue".to_owned()], &[], long, &mut || {});
        assert_eq!(end.code, None);
        assert!(end.complaint.starts_with("`/nowhere/squeue` cannot be executed: "), "{}", end.complaint);
        assert_eq!(run("yes | head -c 1000000", long).output.len(), KEPT_BYTES - 1);
    }

    #[test]
    fn one_that_takes_too_long_is_ended_with_its_group_and_heartbeats_go_on() {
        let mut beats = 0;
        let words = ["/bin/sh", "-c", "sleep 300 & sleep 300"].map(str::to_owned);
        let begun = Instant::now();
        let end = run_tool(&words, &[], Duration::from_millis(700), &mut || beats += 1);
        assert_eq!((end.code, end.complaint.as_str()), (None, "`/bin/sh` took longer than 0 s"));
        assert!(beats >= 3 && begun.elapsed() < Duration::from_secs(100), "{beats}");
    }
}
