//! The latest events in one ring buffer, from which a subscriber reads on after the last event that it has.

use std::collections::VecDeque;

use super::sse::frame_event;

/// How many events can be resumed from, and how many bytes they may be together.
const MAX_EVENTS: usize = 4096;
const MAX_BYTES: usize = 8 << 20;
/// How much is returned at once.
const BATCH_BYTES: usize = 64 << 10;

/// The latest events, framed.
#[derive(Debug)]
pub(super) struct EventRing {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The id of the first of them.
    first: u64,
}

/// What a subscriber finds after its last event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These events, the last of which has that id.
    Events(Vec<u8>, u64),
    /// Nothing yet.
    Nothing,
    /// The events after it are not there any more, or it is of another service: start over, and read on after this id.
    Evicted(u64),
}

impl EventRing {
    /// Makes one without events, whose first one gets the id `first`.
    pub(super) fn new(first: u64) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, first }
    }

    /// Returns the id of the latest event, or the one before the first.
    pub(super) fn latest(&self) -> u64 {
        self.next() - 1
    }

    fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Appends an event, and evicts the oldest ones beyond the limits.
    pub(super) fn push(&mut self, name: &str, data: &str) {
        let frame = frame_event(name, data, self.next());
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// Evicts all events, and skips an id: every subscriber starts over.
    pub(super) fn evict_all(&mut self) {
        self.first = self.next() + 1;
        self.frames.clear();
        self.bytes = 0;
    }

    /// Returns what follows the event with the id `seen`.
    pub(super) fn after(&self, seen: u64) -> Found {
        let wanted = seen.saturating_add(1);
        if wanted < self.first || wanted > self.next() {
            return Found::Evicted(self.latest());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ring: &EventRing, seen: u64, expected: &[u64]) {
        let Found::Events(events, last) = ring.after(seen) else { panic!("{seen}: {:?}", ring.after(seen)) };
        let text = String::from_utf8(events).unwrap();
        let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        assert_eq!((ids.as_slice(), last), (expected, *expected.last().unwrap()));
    }

    #[test]
    fn a_subscriber_reads_on_after_its_last_event_or_starts_over() {
        let mut ring = EventRing::new(101);
        assert_eq!(ring.after(100), Found::Nothing);
        (0..3).for_each(|n| ring.push("job", &n.to_string()));
        check(&ring, 100, &[101, 102, 103]);
        check(&ring, 102, &[103]);
        assert_eq!(ring.after(103), Found::Nothing);
        for unknown in [0, 99, 104, u64::MAX] {
            assert_eq!(ring.after(unknown), Found::Evicted(103), "{unknown}");
        }
        ring.evict_all();
        for evicted in [100, 102, 103] {
            assert_eq!(ring.after(evicted), Found::Evicted(104), "{evicted}");
        }
        assert_eq!(ring.after(104), Found::Nothing);
        ring.push("job", "3");
        check(&ring, 104, &[105]);
    }

    #[test]
    fn old_events_are_evicted_by_number_and_by_size() {
        let mut by_number = EventRing::new(101);
        (0..MAX_EVENTS + 5).for_each(|_| by_number.push("job", "{}"));
        assert_eq!((by_number.frames.len(), by_number.first), (MAX_EVENTS, 106));
        let mut by_size = EventRing::new(101);
        (0..20).for_each(|_| by_size.push("job", &"x".repeat(MAX_BYTES / 8)));
        assert!(by_size.bytes <= MAX_BYTES && by_size.frames.len() == 7, "{}", by_size.frames.len());
        check(&by_size, by_size.latest() - 1, &[by_size.latest()]);
        let held: usize = by_size.frames.iter().map(Vec::len).sum();
        assert_eq!(held, by_size.bytes);
    }
}
