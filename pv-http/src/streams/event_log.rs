//! The log of changes: numbered events for all subscribers, each of which only keeps the id of its last event.
//!
//! A subscriber that is slow or comes back late finds its events evicted and starts over; it never delays another one,
//! and costs no memory of its own. The jobs are polled for as long as there are subscribers, and a little longer, so
//! that a page that is reloaded resumes where it was.

use std::{io, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    change_detector::ChangeDetector,
    event_ring::{EventRing, Found},
    open_streams::{OpenStreams, StreamPermit},
    sse::{KEEP_ALIVE, frame_event},
};
use crate::{context::Context, openapi::Problem, query::JobIndex};

/// How often the jobs are polled without a notification.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How many times as long as a poll the pause after it is at least.
const PAUSE_PER_POLL: u32 = 10;
/// How long the jobs are polled without a subscriber.
const IDLE_GRACE: Duration = Duration::from_secs(60);
/// How long a stream may be silent until a comment is sent.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many ids each second since 1970 has: those of an earlier service are lower than those of a later one.
const IDS_PER_SECOND: u64 = 1_000_000;

/// The events of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    context: Context,
    index: Arc<JobIndex>,
    streams: OpenStreams,
    ring: Mutex<EventRing>,
    detector: Mutex<ChangeDetector>,
    /// Notifies the subscribers of new events, and counts them.
    notify: watch::Sender<()>,
    is_polling: tokio::sync::Mutex<bool>,
}

impl EventLog {
    /// Makes one without events, whose ids begin with the present time.
    pub(crate) fn new(context: Context, index: Arc<JobIndex>, streams: OpenStreams) -> Self {
        let seconds = u64::try_from(context.now().unix_seconds()).unwrap_or(0);
        let first = seconds.saturating_mul(IDS_PER_SECOND).saturating_add(1);
        Self(Arc::new(Shared {
            context,
            index,
            streams,
            ring: Mutex::new(EventRing::new(first)),
            detector: Mutex::default(),
            notify: watch::Sender::new(()),
            is_polling: tokio::sync::Mutex::new(false),
        }))
    }

    /// Subscribes to what follows the event with the id `seen`, or to what changes from now on. No change after this
    /// returns is missed.
    ///
    /// # Errors
    /// Those of the disk, from the runs folder; 503 where too many streams are open.
    pub(crate) async fn subscribe(&self, seen: Option<u64>) -> Result<Subscriber, Problem> {
        let permit = self.0.streams.acquire_stream()?;
        // Counts as a subscriber before anything is decided, so that polling does not end just now.
        let notified = self.0.notify.subscribe();
        let mut is_polling = self.0.is_polling.lock().await;
        if !*is_polling {
            self.poll_or_reset().await?;
            *is_polling = true;
            tokio::spawn(self.clone().poll_while_subscribed());
        }
        drop(is_polling);
        Ok(Subscriber { log: self.clone(), seen, notified, sent_at: Instant::now(), _permit: permit })
    }

    /// Appends what changed since the last poll.
    fn poll(&self, context: &Context) -> Result<(), Problem> {
        let changes = self.detector().changes_since_last(context.store(), &self.0.index, context.request_time())?;
        if !changes.is_empty() {
            let mut ring = self.ring();
            changes.iter().for_each(|change| ring.push(change.name, &change.data));
            drop(ring);
            self.0.notify.send_replace(());
        }
        Ok(())
    }

    /// Polls off the async runtime.
    async fn poll_or_reset(&self) -> Result<(), Problem> {
        let log = self.clone();
        self.blocking_or_reset(move |context| log.poll(context)).await
    }

    /// Does blocking work. Where it fails, or panics halfway, changes may be lost, and every subscriber starts over.
    async fn blocking_or_reset(
        &self,
        work: impl FnOnce(&Context) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(), Problem> {
        self.0.context.blocking_stream(work).await.inspect_err(|_| self.reset())
    }

    /// Stops tracking changes, and lets every subscriber start over.
    fn reset(&self) {
        *self.detector() = ChangeDetector::default();
        self.0.index.stop_tracking();
        self.ring().evict_all();
        self.0.notify.send_replace(());
    }

    /// Polls for as long as there are subscribers, and never for a large part of the time.
    async fn poll_while_subscribed(self) {
        let Shared { context, streams, notify, .. } = &*self.0;
        let folder = streams.folder_watcher().subscribe(&context.store().layout().runs);
        let (mut pause, mut subscribed_at) = (Duration::ZERO, Instant::now());
        loop {
            tokio::select! {
                () = streams.stop().cancelled() => return,
                () = sleep(pause) => {}
            }
            tokio::select! {
                () = streams.stop().cancelled() => return,
                () = folder.changed() => {}
                () = sleep(POLL_INTERVAL) => {}
            }
            if notify.receiver_count() > 0 {
                subscribed_at = Instant::now();
            } else if subscribed_at.elapsed() > IDLE_GRACE {
                let mut is_polling = self.0.is_polling.lock().await;
                // There may be a new subscriber since this waited for the lock.
                if notify.receiver_count() == 0 {
                    self.reset();
                    *is_polling = false;
                    return;
                }
            }
            let begun = Instant::now();
            if self.poll_or_reset().await.is_err() {
                tracing::debug!("a poll for changes failed; every subscriber starts over");
            }
            pause = begun.elapsed().saturating_mul(PAUSE_PER_POLL);
        }
    }

    fn ring(&self) -> MutexGuard<'_, EventRing> {
        self.0.ring.lock()
    }

    fn detector(&self) -> MutexGuard<'_, ChangeDetector> {
        self.0.detector.lock()
    }
}

/// One subscriber to the changes.
#[derive(Debug)]
pub(crate) struct Subscriber {
    log: EventLog,
    /// The id of the last event that it was sent; `None` before the first one.
    seen: Option<u64>,
    notified: watch::Receiver<()>,
    sent_at: Instant,
    /// Counts against the limit of open streams for as long as this one lives.
    _permit: StreamPermit,
}

impl Subscriber {
    /// Returns the events, until the service stops. Nothing is read ahead of the client.
    pub(crate) fn events(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::unfold(self, |mut subscriber| async move {
            let bytes = subscriber.next().await?;
            subscriber.sent_at = Instant::now();
            Some((Ok(bytes), subscriber))
        })
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let Some(mut seen) = self.seen else {
            let latest = self.log.ring().latest();
            self.seen = Some(latest);
            return Some(frame_event("ready", "{}", latest));
        };
        let stop = self.log.0.streams.stop();
        while !stop.is_cancelled() {
            self.notified.mark_unchanged();
            let found = self.log.ring().after(seen);
            let bytes = match found {
                Found::Events(events, last) => {
                    seen = last;
                    events
                }
                Found::Evicted(latest) => {
                    seen = latest;
                    frame_event("reset", "{}", latest)
                }
                Found::Nothing => {
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        _ = self.notified.changed() => continue,
                        () = sleep_until(self.sent_at + KEEP_ALIVE_INTERVAL) => KEEP_ALIVE.to_vec(),
                    }
                }
            };
            self.seen = Some(seen);
            return Some(bytes);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::{
        fs::MemFs,
        layout::{InboxMode, Layout},
        store::{Store, StoreLimits},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::settings::ApiSettings;

    #[tokio::test]
    async fn every_subscriber_starts_over_when_a_poll_fails_or_panics() {
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        let store = Store::new(Arc::new(MemFs::new()), layout, StoreLimits::default(), "host");
        let streams = OpenStreams::new(1, CancellationToken::new());
        let log = EventLog::new(Context::new(ApiSettings::default(), store), Arc::default(), streams);
        let latest = || log.ring().latest();
        let after = |seen| log.ring().after(seen);
        let seen = latest();
        log.blocking_or_reset(|_| Ok(())).await.unwrap();
        assert_eq!(after(seen), Found::Nothing);
        assert!(log.blocking_or_reset(|_| Err(Problem::internal())).await.is_err());
        assert_eq!(after(seen), Found::Evicted(latest()), "it failed");
        let seen = latest();
        let notified = log.0.notify.subscribe();
        let polled = log.clone();
        let panic_halfway = move |_: &Context| -> Result<(), Problem> {
            let _locked = polled.detector();
            panic!("halfway")
        };
        assert!(log.blocking_or_reset(panic_halfway).await.is_err());
        assert_eq!(after(seen), Found::Evicted(latest()), "it panicked");
        assert!(notified.has_changed().unwrap(), "and every subscriber is notified");
    }
}
