//! Work that many requests have in common, done for all that wait at once: by one or two of them, while the others are free.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use parking_lot::Mutex;

/// How many are done at once.
const BATCH_MAX: usize = 64;
/// How many batches are done at the same time. With one, who has just missed it waits for the whole of it, which cost a sixth of
/// the submissions a second; with more, there is less to share.
const WORKERS_MAX: usize = 2;

/// What waits to be done in batches. It never grows by itself: who adds must limit how much.
#[derive(Debug)]
pub(super) struct Batches<T>(Mutex<Queue<T>>);

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    workers: usize,
}

impl<T> Default for Batches<T> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: VecDeque::new(), workers: 0 }))
    }
}

impl<T> Batches<T> {
    /// Adds an item. Where enough callers are at work, one of them takes it with its next batch, and this returns at once; else
    /// this caller works: it passes the item to `act` without waiting for more, then what came meanwhile, until nothing waits.
    ///
    /// An item waits for one of the batches that are done when it comes, and for those that hold what was there before it. Where
    /// `act` panics, the items of that batch are dropped, which is logged, and the others go on.
    pub(super) fn add(&self, item: T, act: impl Fn(Vec<T>)) {
        {
            let mut queue = self.0.lock();
            queue.waiting.push_back(item);
            if queue.workers >= WORKERS_MAX {
                return;
            }
            queue.workers += 1;
        }
        while let Some(batch) = self.next() {
            if catch_unwind(AssertUnwindSafe(|| act(batch))).is_err() {
                tracing::error!("work for several requests panicked");
            }
        }
    }

    /// Takes the next batch; `None` ends a caller's work.
    fn next(&self) -> Option<Vec<T>> {
        let mut queue = self.0.lock();
        let len = queue.waiting.len().min(BATCH_MAX);
        if len == 0 {
            queue.workers -= 1;
            return None;
        }
        Some(queue.waiting.drain(..len).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    /// Begins a batch with each number up to `WORKERS_MAX` in a thread, adds `others` while these are done, ends the first and,
    /// when its thread is done with all it finds, the others; returns all batches in their order.
    fn batches_of(others: &[usize], act: impl Fn(&[usize]) + Send + Sync) -> Vec<Vec<usize>> {
        let (batches, seen) = (Batches::default(), Mutex::new(Vec::new()));
        let (begun, is_begun) = mpsc::channel();
        let (seen, batches, act, begun) = (&seen, &batches, &act, &begun);
        thread::scope(|scope| {
            let begin = |first: usize| {
                let (go, is_going) = mpsc::channel::<()>();
                let worker = scope.spawn(move || {
                    batches.add(first, |batch: Vec<usize>| {
                        seen.lock().push(batch.clone());
                        if batch == [first] {
                            begun.send(()).unwrap();
                            is_going.recv().unwrap();
                        }
                        act(&batch);
                    });
                });
                is_begun.recv().unwrap();
                (go, worker)
            };
            let workers: Vec<_> = (0..WORKERS_MAX).map(begin).collect();
            for &other in others {
                batches.add(other, |_| panic!("other callers are at work"));
            }
            for (go, worker) in workers {
                go.send(()).unwrap();
                worker.join().unwrap();
            }
        });
        assert_eq!(batches.0.lock().workers, 0);
        std::mem::take(&mut *seen.lock())
    }

    #[test]
    fn one_that_comes_alone_waits_for_nobody_nor_does_the_second() {
        assert_eq!(batches_of(&[], |_| {}), [[0], [1]]);
    }

    #[test]
    fn those_that_come_while_batches_are_done_are_the_next_one_in_their_order() {
        assert_eq!(batches_of(&[2, 3, 4], |_| {}), [vec![0], vec![1], vec![2, 3, 4]]);
    }

    #[test]
    fn g26_a_batch_has_a_limit() {
        let others: Vec<_> = (2..100).collect();
        let batches = batches_of(&others, |_| {});
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, BATCH_MAX, others.len() - BATCH_MAX]);
        assert_eq!(batches.concat(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_costs_its_own_batch_and_no_other() {
        let act = |batch: &[usize]| assert!(batch != [0], "as it is meant to");
        assert_eq!(batches_of(&[2, 3], act), [vec![0], vec![1], vec![2, 3]]);
    }

    #[test]
    fn many_callers_get_each_item_done_once() {
        let (batches, done) = (Batches::default(), Mutex::new(Vec::new()));
        let act = |batch: Vec<u32>| done.lock().extend(batch);
        thread::scope(|scope| {
            for caller in 0..8 {
                let (batches, act) = (&batches, &act);
                scope.spawn(move || (0..100).for_each(|number| batches.add(caller * 100 + number, act)));
            }
        });
        assert_eq!(batches.0.lock().workers, 0);
        let mut done = done.into_inner();
        done.sort_unstable();
        assert_eq!(done, (0..800).collect::<Vec<_>>());
    }
}
