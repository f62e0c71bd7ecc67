//! A supervised process: what it does, whether an abort was requested, and ending it, for [`pv_lib::supervise`].

use std::{
    io::{ErrorKind, Read},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use pv_lib::{
    host,
    job::JobId,
    supervise::{Exit, OBSERVE_INTERVAL, Observation, Proc},
    time::Timestamp,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{
    Cgroup, Poller,
    activity::Activity,
    spawn::{Source, Spawned},
    sweep::{self, Selector},
};

/// How long killing may take before what is left is given up on.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(20);

/// How much is read from a pipe at once, in bytes: what a pipe holds by default.
const CHUNK_BYTES: usize = 64 * 1024;

/// How much output is moved at one look before the rest of the world is looked at again, in bytes.
const OUTPUT_PER_LOOK_BYTES: usize = 1024 * 1024;

/// How much is drained after the end, in bytes: somebody outside our reach may hold the pipe and keep writing.
const OUTPUT_AFTER_END_BYTES: usize = 64 * 1024 * 1024;

/// How long to wait where waiting itself fails.
const BROKEN_POLL_PAUSE: Duration = Duration::from_millis(50);

/// What the supervisor does about a supervised process besides ending it.
pub(crate) trait Hooks {
    /// Takes output as it arrives; an empty chunk now and then is a chance to write what could not be written before.
    fn output(&mut self, source: Source, bytes: &[u8]);

    /// Tells whether its output says that its work is over.
    fn is_done(&self) -> bool;

    /// Tells the world that the supervisor lives, and when the process last wrote.
    fn heartbeat(&mut self, last_output_at: Option<Timestamp>);

    /// Looks whether somebody asked for the process to be stopped.
    fn abort_requested(&mut self) -> bool;

    /// Whether our own signals stop the process.
    fn is_interruptible(&self) -> bool;

    /// Asks what a launcher started to end by a command, where it has one for that; returns the signal that the process group
    /// gets in any case, `None` for none.
    fn ask(&mut self, signal: Signal) -> Option<Signal>;

    /// Ends by name what a launcher started; `exit` is how its client ended, if it did. Bounded in time.
    fn stop(&mut self, exit: Option<Exit>);

    /// Tells whether a launcher says, at this time of the process, that it lets it wait.
    fn is_waiting(&mut self, at: Duration) -> bool;
}

/// A started process that is supervised.
pub(crate) struct SupervisedProcess<'a> {
    process: Spawned,
    /// The signal that asks it to end.
    stop_signal: Signal,
    job: &'a JobId,
    cgroup: Option<&'a Cgroup>,
    poller: &'a mut Poller,
    hooks: &'a mut dyn Hooks,
    begun: Instant,
    /// When a launcher last let it wait.
    started: Duration,
    exit: Option<Exit>,
    last_output: Duration,
    last_output_at: Option<Timestamp>,
    /// Whether it is a call of ours, and neither an agent nor what else a person or a prompt names.
    is_own_call: bool,
    /// When its own output last said anything while its work was over.
    done: Option<Duration>,
    activity: Activity,
    abort: bool,
    abort_looked: Option<Duration>,
    chunk: Box<[u8]>,
}

impl<'a> SupervisedProcess<'a> {
    /// Begins to supervise a process that was just started; `stop_signal` asks it to end, `folder` is where it works.
    pub(crate) fn new(
        process: Spawned,
        stop_signal: Signal,
        job: &'a JobId,
        cgroup: Option<&'a Cgroup>,
        poller: &'a mut Poller,
        hooks: &'a mut dyn Hooks,
        folder: &Utf8Path,
    ) -> Self {
        let activity = Activity::new(job, folder, cgroup);
        Self {
            process,
            stop_signal,
            job,
            cgroup,
            poller,
            hooks,
            begun: Instant::now(),
            started: Duration::ZERO,
            exit: None,
            last_output: Duration::ZERO,
            last_output_at: None,
            is_own_call: false,
            done: None,
            activity,
            abort: false,
            abort_looked: None,
            chunk: vec![0; CHUNK_BYTES].into(),
        }
    }

    /// Says whether it is a call of ours: what it leaves is looked for among our descendants.
    pub(crate) fn own_call(self, is_own_call: bool) -> Self {
        Self { is_own_call, ..self }
    }

    /// Moves on what is left in the pipes, reaps the process, and returns when it last wrote.
    ///
    /// Does not wait for the pipes' end: whoever else holds one does not hold the job.
    pub(crate) fn finish(mut self) -> Option<Timestamp> {
        self.move_output(OUTPUT_AFTER_END_BYTES);
        let _ = self.process.child.try_wait();
        self.last_output_at
    }

    /// Waits until one of the descriptors has something to say.
    fn wait(&mut self, up_to: Duration) {
        let mut fds = vec![PollFd::from_borrowed_fd(self.poller.signals(), PollFlags::IN)];
        fds.extend(self.poller.watch().map(|watch| PollFd::from_borrowed_fd(watch, PollFlags::IN)));
        let wakers = fds.len();
        if self.exit.is_none() {
            fds.push(PollFd::new(&self.process.pidfd, PollFlags::IN));
        }
        fds.extend(self.process.pipes.iter().map(|pipe| PollFd::new(&pipe.reader, PollFlags::IN)));
        let timeout = Timespec::try_from(up_to).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return,
            Err(_) => std::thread::sleep(BROKEN_POLL_PAUSE.min(up_to)),
        }
        if fds[..wakers].iter().any(|fd| !fd.revents().is_empty()) {
            self.poller.clear();
            self.abort_looked = None;
        }
    }

    fn look_for_abort(&mut self) {
        let now = self.begun.elapsed();
        if !self.abort && self.abort_looked.is_none_or(|looked| now - looked >= OBSERVE_INTERVAL) {
            self.abort = self.hooks.abort_requested();
            self.abort_looked = Some(now);
        }
    }

    /// Moves what is in the pipes, a chunk of each in turn, so that a busy one does not hide the other.
    fn move_output(&mut self, limit: usize) {
        let (mut moved, mut has_spoken) = (0, false);
        let mut dry = false;
        while !dry && moved < limit {
            dry = true;
            let (chunk, hooks) = (&mut self.chunk, &mut self.hooks);
            // A pipe that has ended, or cannot be read and will not be later either, is not read again.
            self.process.pipes.retain_mut(|pipe| match pipe.reader.read(chunk) {
                Ok(0) => false,
                Ok(len) => {
                    hooks.output(pipe.source, &chunk[..len]);
                    has_spoken |= pipe.source == Source::Output;
                    moved += len;
                    dry = false;
                    true
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    dry = false;
                    true
                }
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            });
        }
        if moved > 0 {
            self.last_output = self.begun.elapsed();
            self.last_output_at = Some(host::now());
        }
        if has_spoken {
            self.done = self.hooks.is_done().then(|| self.begun.elapsed());
        }
    }

    fn look_for_exit(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = || waitid(WaitId::PidFd(self.process.pidfd.as_fd()), options).ok().flatten();
        if self.exit.is_none()
            && let Some(status) = status()
        {
            let by_signal = status.terminating_signal().map(Exit::Signal);
            self.exit = by_signal.or(status.exit_status().map(Exit::Code));
        }
    }

    fn pid(&self) -> Pid {
        self.process.pid
    }
}

impl Proc for SupervisedProcess<'_> {
    fn observe(&mut self, up_to: Duration) -> Observation {
        if !up_to.is_zero() {
            self.wait(up_to);
        }
        self.look_for_exit();
        self.move_output(OUTPUT_PER_LOOK_BYTES);
        self.look_for_abort();
        let at = self.begun.elapsed();
        if self.exit.is_none() && self.hooks.is_waiting(at) {
            self.started = at;
        }
        Observation {
            at,
            started: self.started,
            exit: self.exit,
            last_output: self.last_output,
            done: self.done,
            abort: self.abort,
            interrupt: self.hooks.is_interruptible() && self.poller.terminated(),
        }
    }

    fn was_active(&mut self) -> bool {
        self.activity.was_any(self.begun.elapsed(), self.last_output)
    }

    fn heartbeat(&mut self) {
        self.activity.sample(self.last_output);
        self.hooks.output(Source::Output, &[]);
        self.hooks.heartbeat(self.last_output_at);
        sweep::reap(self.pid());
    }

    fn terminate(&mut self) {
        // The process leads its group and is not reaped, so the id cannot mean another group.
        if let Some(signal) = self.hooks.ask(self.stop_signal) {
            let _ = kill_process_group(self.pid(), signal);
            let _ = kill_process_group(self.pid(), Signal::CONT);
        }
    }

    fn stop(&mut self) {
        self.hooks.stop(self.exit);
    }

    fn kill(&mut self) -> usize {
        let contained = self.cgroup.map_or(0, Cgroup::kill);
        let selector = Selector { marker: self.job, descendants: true };
        let swept = match self.exit {
            Some(_) if self.is_own_call => sweep::kill_descendants(&selector, self.pid()),
            _ => sweep::kill(&selector),
        };
        // Where /proc cannot be read now, something may be left: that is no clean look.
        let swept = swept.unwrap_or(1);
        sweep::reap(self.pid());
        contained + swept
    }
}
