//! The logs that are followed: one reader for each of them, whoever many clients it has, and one slow look for all.
//!
//! A client that has got all that there is waits here. What is read then is framed once, and handed to all who wait at that
//! line; who is elsewhere reads for itself. So nothing depends on what is kept here: it is bounded, and only spares reading
//! the same bytes again for the next client.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use hyper::body::Bytes;
use parking_lot::Mutex;
use pv_lib::{fs::Stat, job::JobId, store::Store};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    fs_watch::{FolderWatcher, Subscription},
    log_position::{Chunk, LogPosition},
};
use crate::context::Context;

/// How often all followed logs are looked at without a notification: once a second while they are few, and less often with
/// each further one, so that the looks never take a large part of the time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LOOK_INTERVAL_PER_LOG: Duration = Duration::from_millis(1);
/// How many bytes of events are kept of a log for those who are a little behind.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// The followed logs of one service. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct LogFollowers(Arc<Mutex<Followed>>);

#[derive(Debug, Default)]
struct Followed {
    logs: HashMap<JobId, Arc<Follower>>,
    is_looking: bool,
}

/// A log that clients wait for.
#[derive(Debug)]
struct Follower {
    id: JobId,
    read: Mutex<Read>,
    /// Notifies the clients of what was read, and counts them.
    notify: watch::Sender<()>,
    /// Asks for a read.
    wake: Notify,
}

/// What was read of a log.
#[derive(Debug, Default)]
struct Read {
    /// The offset of the line that comes next.
    line: u64,
    /// The last events, each with the lines where it begins and ends, the oldest first.
    kept: VecDeque<(u64, u64, Bytes)>,
    kept_bytes: usize,
    /// How often something happened that each client must see for itself: the job is over, or reading fails.
    turns: u64,
}

/// A client that waits for a log.
#[derive(Debug)]
pub(super) struct Waiting {
    follower: Arc<Follower>,
    notified: watch::Receiver<()>,
    turns: u64,
}

/// What a client that waited is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send these events, which end before the line at this offset.
    Send(Bytes, u64),
    /// Read for itself.
    Read,
}

impl LogFollowers {
    /// Begins to wait for what follows the line at `line`, which comes next, in the log of a job.
    pub(super) fn wait(
        &self,
        context: &Context,
        folders: &FolderWatcher,
        stop: &CancellationToken,
        id: &JobId,
        line: u64,
    ) -> Waiting {
        let mut followed = self.0.lock();
        let follower = followed.logs.entry(id.clone()).or_insert_with(|| {
            let follower = Arc::new(Follower {
                id: id.clone(),
                read: Mutex::new(Read { line, ..Read::default() }),
                notify: watch::Sender::new(()),
                wake: Notify::new(),
            });
            let folder = folders.subscribe(&context.store().layout().run_path(id));
            let (followers, context, stop, new) = (self.clone(), context.clone(), stop.clone(), follower.clone());
            tokio::spawn(async move {
                let position = LogPosition::at(line);
                let read = new.read_while_awaited(&followers, &context, position, &folder);
                tokio::select! {
                    () = stop.cancelled() => followers.forget(&new.id),
                    () = read => {}
                }
            });
            follower
        });
        // What happened between the last read of this client and now is seen by another one.
        follower.wake.notify_one();
        let waiting = Waiting {
            notified: follower.notify.subscribe(),
            turns: follower.read.lock().turns,
            follower: follower.clone(),
        };
        if !std::mem::replace(&mut followed.is_looking, true) {
            tokio::spawn(self.clone().look_while_followed(context.clone(), stop.clone()));
        }
        waiting
    }

    fn forget(&self, id: &JobId) {
        self.0.lock().logs.remove(id);
    }

    /// Forgets a log if nobody waits for it; tells whether it did.
    fn forget_if_unawaited(&self, follower: &Follower) -> bool {
        let mut followed = self.0.lock();
        // Whoever waits subscribes under this lock.
        let is_unawaited = follower.notify.receiver_count() == 0;
        if is_unawaited {
            followed.logs.remove(&follower.id);
        }
        is_unawaited
    }

    /// Looks at all followed logs at a slow pace, and wakes the readers of those that changed.
    async fn look_while_followed(self, context: Context, stop: CancellationToken) {
        let mut seen: HashMap<JobId, Looks> = HashMap::new();
        loop {
            let logs: Vec<Arc<Follower>> = {
                let mut followed = self.0.lock();
                if followed.logs.is_empty() {
                    followed.is_looking = false;
                    return;
                }
                followed.logs.values().cloned().collect()
            };
            let count = u32::try_from(logs.len()).unwrap_or(u32::MAX);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_INTERVAL.max(LOOK_INTERVAL_PER_LOG.saturating_mul(count))) => {}
            }
            let looked = context.blocking_stream(move |context| {
                let mut found = HashMap::with_capacity(logs.len());
                for follower in logs {
                    let looks = Looks::of(context.store(), &follower.id);
                    if seen.get(&follower.id) != Some(&looks) {
                        follower.wake.notify_one();
                    }
                    found.insert(follower.id.clone(), looks);
                }
                Ok(found)
            });
            // What panicked is looked at again as if it were new.
            seen = looked.await.unwrap_or_default();
        }
    }
}

/// How a log and its job looked.
#[derive(Debug, PartialEq, Eq)]
struct Looks {
    log_len: Option<u64>,
    record: Option<Stat>,
}

impl Looks {
    fn of(store: &Store, id: &JobId) -> Self {
        Self { log_len: store.log_len(id).ok(), record: store.record_stat(id).ok().flatten() }
    }
}

impl Follower {
    /// Reads what is new each time it is woken, for as long as somebody waits for it.
    async fn read_while_awaited(
        &self,
        followers: &LogFollowers,
        context: &Context,
        mut position: LogPosition,
        folder: &Subscription,
    ) {
        loop {
            if let Some(read) = self.read_on(context, position.clone()).await {
                position = read;
            }
            tokio::select! {
                () = folder.changed() => {}
                () = self.wake.notified() => {}
                () = self.notify.closed() => {
                    if followers.forget_if_unawaited(self) {
                        return;
                    }
                }
            }
        }
    }

    /// Reads to the end of the log as it is now, and returns where that is; `None` where it cannot be read.
    async fn read_on(&self, context: &Context, mut position: LogPosition) -> Option<LogPosition> {
        loop {
            let (id, before) = (self.id.clone(), (position.line(), position.is_at_line()));
            let read = context.blocking_stream(move |context: &Context| {
                let chunk = position.next_chunk(context.store(), &id)?;
                Ok((chunk, position))
            });
            let Ok((chunk, now)) = read.await else {
                self.turn();
                return None;
            };
            position = now;
            match chunk {
                Chunk::Events(events) => {
                    let is_whole = before.1 && position.is_at_line();
                    self.read.lock().take_in(before.0, position.line(), events, is_whole);
                    self.notify.send_replace(());
                }
                Chunk::Incomplete => {}
                Chunk::Pending => return Some(position),
                Chunk::End => {
                    self.turn();
                    return Some(position);
                }
            }
        }
    }

    /// Lets each client see for itself what happened.
    fn turn(&self) {
        self.read.lock().turns += 1;
        self.notify.send_replace(());
    }
}

impl Read {
    /// Keeps events from one line to another where they are whole lines, and not too many.
    fn take_in(&mut self, from: u64, to: u64, events: Bytes, is_whole: bool) {
        self.line = to;
        if !is_whole || events.len() > KEPT_BYTES_MAX {
            self.kept.clear();
            self.kept_bytes = 0;
            return;
        }
        self.kept_bytes += events.len();
        self.kept.push_back((from, to, events));
        while self.kept_bytes > KEPT_BYTES_MAX {
            let Some((.., oldest)) = self.kept.pop_front() else { return };
            self.kept_bytes -= oldest.len();
        }
    }

    /// Returns what a client does that has all before the line at `line`; `None` where there is nothing more.
    fn after(&self, line: u64) -> Option<Next> {
        let kept = self.kept.iter().find(|(from, ..)| *from == line);
        if let Some((_, to, events)) = kept {
            return Some(Next::Send(events.clone(), *to));
        }
        (self.line > line).then_some(Next::Read)
    }
}

impl Waiting {
    /// Waits until there is more than what comes before the line at `line`, or the client is to see for itself. May be
    /// called again where it was not waited for to the end.
    pub(super) async fn next(&mut self, line: u64) -> Next {
        loop {
            self.notified.mark_unchanged();
            {
                let read = self.follower.read.lock();
                if let Some(next) = read.after(line) {
                    return next;
                }
                if std::mem::replace(&mut self.turns, read.turns) != read.turns {
                    return Next::Read;
                }
            }
            if self.notified.changed().await.is_err() {
                return Next::Read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kept: &[(u64, u64, usize)]) -> Read {
        let mut read = Read { line: kept[0].0, ..Read::default() };
        for (from, to, len) in kept {
            read.take_in(*from, *to, vec![b'x'; *len].into(), true);
        }
        read
    }

    #[test]
    fn who_waits_at_a_line_gets_what_follows_it_and_others_read_for_themselves() {
        let read = read(&[(10, 20, 5), (20, 25, 7)]);
        assert_eq!(read.after(10), Some(Next::Send(vec![b'x'; 5].into(), 20)));
        assert_eq!(read.after(20), Some(Next::Send(vec![b'x'; 7].into(), 25)));
        assert_eq!(read.after(25), None, "there is nothing more yet");
        assert_eq!(read.after(30), None, "whoever has more waits until this has it too");
        for line in [0, 15, 24] {
            assert_eq!(read.after(line), Some(Next::Read), "{line}");
        }
    }

    #[test]
    fn g25_what_is_kept_is_bounded_and_never_a_part_of_a_line() {
        let half = KEPT_BYTES_MAX / 2;
        let mut read = read(&[(0, 1, half), (1, 2, half), (2, 3, 1)]);
        assert_eq!(read.after(0), Some(Next::Read), "the oldest goes");
        assert!(matches!(read.after(1), Some(Next::Send(..))));
        assert_eq!(read.kept_bytes, half + 1);
        read.take_in(3, 4, vec![b'x'; KEPT_BYTES_MAX + 1].into(), true);
        assert_eq!((read.kept_bytes, read.after(3)), (0, Some(Next::Read)));
        read.take_in(4, 5, vec![b'x'; 9].into(), false);
        assert_eq!((read.after(4), read.after(5)), (Some(Next::Read), None));
    }
}
