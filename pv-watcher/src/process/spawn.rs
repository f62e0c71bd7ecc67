//! Starting a process that is to be supervised.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter},
    os::fd::{BorrowedFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, set_parent_process_death_signal, setsid},
};

use super::Cgroup;

/// A started process, and what is needed to supervise it.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// Not reaped until the very end, so that its id and its group's id name nothing else.
    pub(super) child: Child,
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// Non-blocking.
    pub(super) pipes: Vec<Pipe>,
}

/// The end of a pipe from which a process's output is read.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) source: Source,
    pub(super) reader: PipeReader,
}

/// Where a process wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// To its standard output, or to its standard error where both are one pipe.
    Output,
    /// To its standard error.
    Errors,
}

/// Where a process's standard output goes. Its standard error always comes to us.
enum Output {
    /// Into one pipe with the errors, so that the order in which both were written is kept.
    Together,
    /// Into a pipe of its own.
    Apart,
    /// Into this file.
    File(File),
}

impl Spawned {
    /// Returns its id, which is its session's and its group's too.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }
}

/// Starts a process in its own session, with our death as its own, and no descriptor of ours but the standard three.
///
/// Output and errors come through one pipe; with `stdout` only the errors do. Where `cgroup` cannot take it, it runs
/// outside: [`Cgroup::holds`] tells. Signals are back at their defaults where [`super::Poller`] exists.
///
/// # Errors
/// What the system says when the program cannot be executed; nothing runs then.
pub(crate) fn spawn(command: Command, stdout: Option<File>, cgroup: Option<&Cgroup>) -> io::Result<Spawned> {
    start(command, stdout.map_or(Output::Together, Output::File), cgroup)
}

/// Does what [`spawn`] does, with output and errors through a pipe each: two pipes have no common order.
///
/// # Errors
/// What the system says when the program cannot be executed; nothing runs then.
pub(crate) fn spawn_apart(command: Command, cgroup: Option<&Cgroup>) -> io::Result<Spawned> {
    start(command, Output::Apart, cgroup)
}

fn start(mut command: Command, output: Output, cgroup: Option<&Cgroup>) -> io::Result<Spawned> {
    let source = if matches!(output, Output::Together) { Source::Output } else { Source::Errors };
    let (from_errors, errors) = pipe(source)?;
    let mut pipes = vec![from_errors];
    match output {
        Output::Together => {
            command.stdout(errors.try_clone()?);
        }
        Output::File(file) => {
            command.stdout(file);
        }
        Output::Apart => {
            let (from_output, output) = pipe(Source::Output)?;
            command.stdout(output);
            pipes.push(from_output);
        }
    }
    command.stderr(errors);
    prepare(&mut command, cgroup.and_then(Cgroup::open_procs))?;
    let mut child = command.spawn()?;
    // Our ends of the pipes must go, or their end would never be seen.
    drop(command);
    let pid = Pid::from_child(&child);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Spawned { child, pid, pidfd, pipes }),
        Err(error) => {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            child.wait()?;
            Err(error.into())
        }
    }
}

/// Prepares a process that outlives us and whoever started us: in a session of its own, so that no terminal's signal and
/// end reaches it, and with nothing open that we have open but what `output` is. That takes both what it prints and what it
/// complains of; without it neither goes anywhere.
///
/// # Errors
/// What the system says; the command is not usable then.
#[expect(unsafe_code, reason = "pre_exec runs between fork and exec: only async-signal-safe calls, no allocation")]
pub(crate) fn detach(command: &mut Command, output: Option<File>) -> io::Result<()> {
    let (stdout, stderr) = match output {
        Some(output) => (Stdio::from(output.try_clone()?), Stdio::from(output)),
        None => (Stdio::null(), Stdio::null()),
    };
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let inherited = open_descriptors()?;
    let before_exec = move || {
        setsid()?;
        close_on_exec(&inherited);
        Ok(())
    };
    // SAFETY: `before_exec` makes system calls on data that exists already; it takes no lock and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
    Ok(())
}

fn pipe(source: Source) -> io::Result<(Pipe, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    Ok((Pipe { source, reader }, writer))
}

/// Arranges what happens between fork and exec.
#[expect(unsafe_code, reason = "pre_exec runs between fork and exec: only async-signal-safe calls, no allocation")]
fn prepare(command: &mut Command, procs: Option<OwnedFd>) -> io::Result<()> {
    let parent = getpid();
    let inherited = open_descriptors()?;
    let before_exec = move || {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had our death come before the line above, nobody would send the signal any more.
        if getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        if let Some(procs) = &procs {
            // A refusal means that the process runs outside, which is seen and recorded.
            let _ = rustix::io::write(procs, b"0");
        }
        close_on_exec(&inherited);
        Ok(())
    };
    // SAFETY: `before_exec` makes system calls on data that exists already; it takes no lock and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
    Ok(())
}

/// Lets descriptors end when a program is executed.
#[expect(unsafe_code, reason = "the descriptors of this process are known by their numbers alone")]
fn close_on_exec(descriptors: &[RawFd]) {
    for fd in descriptors {
        // SAFETY: the number is only handed to fcntl; one that is closed by now is refused by the kernel.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        let _ = fcntl_setfd(fd, FdFlags::CLOEXEC);
    }
}

/// Lists the descriptors beyond the standard three that this process has open, its parent's gifts included.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let mut open = Vec::new();
    for entry in fs_err::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        open.extend(number.filter(|fd| *fd > 2));
    }
    Ok(open)
}
