//! What wakes a supervisor besides its process: its own signals, and changes in the run folder.

use std::{
    io::{self, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use camino::Utf8Path;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, WatchFlags},
};
use signal_hook::{consts, flag, low_level::pipe};

/// The signals that tell a supervisor to stop its agent and end.
const TERMINATING: [i32; 2] = [consts::SIGTERM, consts::SIGINT];

/// Signals that are caught only so that they are at their defaults in the processes that we start, whatever our own
/// parent ignored; and so that children stay to be waited for.
const CAUGHT: [i32; 6] =
    [consts::SIGHUP, consts::SIGQUIT, consts::SIGUSR1, consts::SIGUSR2, consts::SIGALRM, consts::SIGCHLD];

/// How much is read at once from a descriptor whose contents do not matter, in bytes.
const SCRATCH_BYTES: usize = 4096;

/// How many events are taken from a watch at one look; more stay for the next.
const EVENTS_MAX: usize = 256;

/// Signals and file changes, as descriptors to poll.
#[derive(Debug)]
pub(crate) struct Poller {
    signals: UnixStream,
    terminated: Arc<AtomicBool>,
    watch: Option<OwnedFd>,
}

impl Poller {
    /// Takes over this process's signals and watches a folder for new names.
    ///
    /// A folder that cannot be watched is no error: callers look now and then anyway.
    pub(crate) fn new(dir: &Utf8Path) -> io::Result<Self> {
        let (signals, sender) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        let terminated = Arc::new(AtomicBool::new(false));
        for signal in TERMINATING {
            flag::register(signal, Arc::clone(&terminated))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        for signal in CAUGHT {
            flag::register(signal, Arc::default())?;
        }
        Ok(Self { signals, terminated, watch: watch(dir).ok() })
    }

    /// Tells whether this process was signalled to end.
    pub(crate) fn terminated(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }

    /// Waits until one of them has something to say, for at most `up_to`.
    pub(crate) fn wait(&mut self, up_to: Duration) {
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals(), PollFlags::IN)];
        fds.extend(self.watch().map(|watch| PollFd::from_borrowed_fd(watch, PollFlags::IN)));
        let timeout = Timespec::try_from(up_to).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => self.clear(),
            Err(_) => std::thread::sleep(up_to),
        }
    }

    pub(super) fn signals(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    pub(super) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(AsFd::as_fd)
    }

    /// Empties both, so that they wake only for what is new.
    pub(super) fn clear(&mut self) {
        let mut scratch = [0; SCRATCH_BYTES];
        while matches!(self.signals.read(&mut scratch), Ok(SCRATCH_BYTES)) {}
        if let Some(watch) = &self.watch {
            let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
            let mut events = inotify::Reader::new(watch, &mut scratch);
            for _ in 0..EVENTS_MAX {
                if events.next().is_err() {
                    break;
                }
            }
        }
    }
}

fn watch(dir: &Utf8Path) -> rustix::io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, dir.as_std_path(), WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR)?;
    Ok(watch)
}
