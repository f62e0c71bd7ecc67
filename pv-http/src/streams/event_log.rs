//! The stream of changes: numbered events in one ring for all readers, each of which only has a place in it.
//!
//! A reader that is slow or comes back late finds its place overwritten and is told to start over; it never slows another
//! one, and costs no memory of its own. Looking goes on for as long as somebody reads, and a little longer, so that a page
//! that is opened again goes on where it was.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    change_detector::Teller,
    open_streams::{OpenStreams, StreamPermit},
    sse::{KEEP_ALIVE, frame_event},
};
use crate::{context::Context, openapi::Problem, query::Index};

/// How many events can be resumed from, and how many bytes they may be together.
const MAX_EVENTS: usize = 4096;
const MAX_BYTES: usize = 8 << 20;
/// How much is sent at once.
const BATCH_BYTES: usize = 64 << 10;
/// How often is looked without a hint.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many times as long as a look the pause after it is at least.
const PAUSE_PER_LOOK: u32 = 10;
/// How long looking goes on without a reader.
const LINGER: Duration = Duration::from_secs(60);
/// After how long a silence a comment is sent.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(15);
/// How many numbers each second since 1970 has: those of an earlier service are lower than those of a later one.
const NUMBERS_PER_SECOND: u64 = 1_000_000;

/// The events of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    context: Context,
    index: Arc<Index>,
    streams: OpenStreams,
    ring: Mutex<Ring>,
    teller: Mutex<Teller>,
    /// Wakes the readers, and counts them.
    bell: watch::Sender<()>,
    is_looking: tokio::sync::Mutex<bool>,
}

/// The latest events, framed.
#[derive(Debug)]
struct Ring {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of the first of them.
    first: u64,
}

/// What a reader finds after its place.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// These events, the last of which has that number.
    Events(Vec<u8>, u64),
    /// Nothing yet.
    Nothing,
    /// Its place is not there any more: after this number it goes on.
    Lost(u64),
}

impl Feed {
    /// Makes one without events, whose numbers begin with the present time.
    pub(crate) fn new(context: Context, index: Arc<Index>, streams: OpenStreams) -> Self {
        let seconds = u64::try_from(context.now().unix_seconds()).unwrap_or(0);
        let first = seconds.saturating_mul(NUMBERS_PER_SECOND).saturating_add(1);
        Self(Arc::new(Shared {
            context,
            index,
            streams,
            ring: Mutex::new(Ring { frames: VecDeque::new(), bytes: 0, first }),
            teller: Mutex::default(),
            bell: watch::Sender::new(()),
            is_looking: tokio::sync::Mutex::new(false),
        }))
    }

    /// Looks at the jobs, and adds what changed.
    fn look(&self, context: &Context) -> Result<(), Problem> {
        let changes = self.teller().look(context.store(), &self.0.index, context.request_time())?;
        if !changes.is_empty() {
            let mut ring = self.ring();
            changes.iter().for_each(|change| ring.push(change.name, &change.data));
            drop(ring);
            self.0.bell.send_replace(());
        }
        Ok(())
    }

    /// Looks off the async runtime; where that fails, or panics halfway, what was missed is not known, and every reader
    /// starts over.
    async fn look_or_forget(&self) -> Result<(), Problem> {
        let feed = self.clone();
        self.or_forget(move |context| feed.look(context)).await
    }

    async fn or_forget(
        &self,
        look: impl FnOnce(&Context) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(), Problem> {
        self.0.context.blocking_stream(look).await.inspect_err(|_| self.forget())
    }

    /// Stops noting changes; whoever comes later starts over.
    fn forget(&self) {
        *self.teller() = Teller::default();
        self.0.index.forget_news();
        self.ring().lose();
        self.0.bell.send_replace(());
    }

    /// Looks for as long as somebody reads, and never for a large part of the time.
    async fn keep_looking(self) {
        let Shared { context, streams, bell, .. } = &*self.0;
        let wake = streams.wakes().subscribe(&context.store().layout().runs);
        let (mut rest, mut read_at) = (Duration::ZERO, Instant::now());
        loop {
            tokio::select! {
                () = streams.stop().cancelled() => return,
                () = sleep(rest) => {}
            }
            tokio::select! {
                () = streams.stop().cancelled() => return,
                () = wake.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            if bell.receiver_count() > 0 {
                read_at = Instant::now();
            } else if read_at.elapsed() > LINGER {
                let mut is_looking = self.0.is_looking.lock().await;
                // Somebody may have come while this waited.
                if bell.receiver_count() == 0 {
                    self.forget();
                    *is_looking = false;
                    return;
                }
            }
            let begun = Instant::now();
            if self.look_or_forget().await.is_err() {
                tracing::debug!("a look for changes failed; every reader starts over");
            }
            rest = begun.elapsed().saturating_mul(PAUSE_PER_LOOK);
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn teller(&self) -> MutexGuard<'_, Teller> {
        self.0.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    fn push(&mut self, name: &str, data: &str) {
        let frame = frame_event(name, data, self.next());
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// Forgets all events: every place becomes one that is lost.
    fn lose(&mut self) {
        self.first = self.next() + 1;
        self.frames.clear();
        self.bytes = 0;
    }

    /// Returns what follows the event with the number `seen`.
    fn after(&self, seen: u64) -> Found {
        let wanted = seen.saturating_add(1);
        if wanted < self.first || wanted > self.next() {
            return Found::Lost(self.next() - 1);
        }
        let skipped = usize::try_from(wanted - self.first).unwrap_or(usize::MAX);
        let (mut batch, mut last) = (Vec::new(), seen);
        for frame in self.frames.iter().skip(skipped) {
            if !batch.is_empty() && batch.len() + frame.len() > BATCH_BYTES {
                break;
            }
            batch.extend_from_slice(frame);
            last += 1;
        }
        if batch.is_empty() { Found::Nothing } else { Found::Events(batch, last) }
    }
}

/// One reader of the changes.
pub(crate) struct Reader {
    feed: Feed,
    /// The number of the last event that it was sent; `None` before the first word.
    seen: Option<u64>,
    bell: watch::Receiver<()>,
    sent_at: Instant,
    /// Counts against the limit of open streams for as long as this one lives.
    _place: StreamPermit,
}

impl Reader {
    /// Prepares to send what follows `seen`, or what changes from now on. From when this returns, every change counts.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder; 503 where too many streams are open.
    pub(crate) async fn new(feed: &Feed, seen: Option<u64>) -> Result<Self, Problem> {
        let place = feed.0.streams.acquire_stream()?;
        // Counted before anything is decided, so that looking does not end just now.
        let bell = feed.0.bell.subscribe();
        let mut is_looking = feed.0.is_looking.lock().await;
        if !*is_looking {
            feed.look_or_forget().await?;
            *is_looking = true;
            tokio::spawn(feed.clone().keep_looking());
        }
        drop(is_looking);
        Ok(Self { feed: feed.clone(), seen, bell, sent_at: Instant::now(), _place: place })
    }

    /// Returns the events, until the service stops. Nothing is read ahead of the reader.
    pub(crate) fn events(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::unfold(self, |mut reader| async move {
            let bytes = reader.next().await?;
            reader.sent_at = Instant::now();
            Some((Ok(bytes), reader))
        })
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let Some(mut seen) = self.seen else {
            let latest = self.feed.ring().next() - 1;
            self.seen = Some(latest);
            return Some(frame_event("ready", "{}", latest));
        };
        let stop = self.feed.0.streams.stop().clone();
        while !stop.is_cancelled() {
            self.bell.mark_unchanged();
            let found = self.feed.ring().after(seen);
            let bytes = match found {
                Found::Events(events, last) => {
                    seen = last;
                    events
                }
                Found::Lost(latest) => {
                    seen = latest;
                    frame_event("reset", "{}", latest)
                }
                Found::Nothing => {
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        _ = self.bell.changed() => continue,
                        () = sleep_until(self.sent_at + KEEP_ALIVE_AFTER) => KEEP_ALIVE.to_vec(),
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
        store::{Limits, Store},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::settings::ApiSettings;

    #[tokio::test]
    async fn every_reader_starts_over_when_a_look_fails_or_panics() {
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        let store = Store::new(Arc::new(MemFs::new()), layout, Limits::default(), "host");
        let streams = OpenStreams::new(1, CancellationToken::new());
        let feed = Feed::new(Context::new(ApiSettings::default(), store), Arc::default(), streams);
        let latest = || feed.ring().next() - 1;
        let after = |seen| feed.ring().after(seen);
        let seen = latest();
        feed.or_forget(|_| Ok(())).await.unwrap();
        assert_eq!(after(seen), Found::Nothing);
        assert!(feed.or_forget(|_| Err(Problem::internal())).await.is_err());
        assert_eq!(after(seen), Found::Lost(latest()), "it failed");
        let seen = latest();
        let bell = feed.0.bell.subscribe();
        let feed_of_look = feed.clone();
        let halfway = move |_: &Context| -> Result<(), Problem> {
            let _told = feed_of_look.teller();
            panic!("halfway")
        };
        assert!(feed.or_forget(halfway).await.is_err());
        assert_eq!(after(seen), Found::Lost(latest()), "it panicked");
        assert!(bell.has_changed().unwrap(), "and every reader is woken");
    }

    fn ring() -> Ring {
        Ring { frames: VecDeque::new(), bytes: 0, first: 101 }
    }

    fn check(ring: &Ring, seen: u64, expected: &[u64]) {
        let Found::Events(events, last) = ring.after(seen) else { panic!("{seen}: {:?}", ring.after(seen)) };
        let text = String::from_utf8(events).unwrap();
        let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        assert_eq!((ids.as_slice(), last), (expected, *expected.last().unwrap()));
    }

    #[test]
    fn a_place_is_found_again_or_known_to_be_lost() {
        let mut ring = ring();
        assert_eq!(ring.after(100), Found::Nothing);
        (0..3).for_each(|n| ring.push("job", &n.to_string()));
        check(&ring, 100, &[101, 102, 103]);
        check(&ring, 102, &[103]);
        assert_eq!(ring.after(103), Found::Nothing);
        for elsewhere in [0, 99, 104, u64::MAX] {
            assert_eq!(ring.after(elsewhere), Found::Lost(103), "{elsewhere}");
        }
        ring.lose();
        for before in [100, 102, 103] {
            assert_eq!(ring.after(before), Found::Lost(104), "{before}");
        }
        assert_eq!(ring.after(104), Found::Nothing);
        ring.push("job", "3");
        check(&ring, 104, &[105]);
    }

    #[test]
    fn old_events_make_room_by_number_and_by_size() {
        let mut by_number = ring();
        (0..MAX_EVENTS + 5).for_each(|_| by_number.push("job", "{}"));
        assert_eq!((by_number.frames.len(), by_number.first), (MAX_EVENTS, 106));
        let mut by_size = ring();
        (0..20).for_each(|_| by_size.push("job", &"x".repeat(MAX_BYTES / 8)));
        assert!(by_size.bytes <= MAX_BYTES && by_size.frames.len() == 7, "{}", by_size.frames.len());
        check(&by_size, by_size.next() - 2, &[by_size.next() - 1]);
        let held: usize = by_size.frames.iter().map(Vec::len).sum();
        assert_eq!(held, by_size.bytes);
    }
}
