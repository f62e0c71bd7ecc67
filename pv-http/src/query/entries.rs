//! What is known of each job, in little memory, and the orders in which lists go through them.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::Arc,
};

use hashbrown::HashTable;
use pv_lib::{
    api::JobRow,
    job::{JobFilter, JobId, JobRecord, JobState, ListedJob, ListedState},
    time::Timestamp,
};

use super::{
    cursor::SortKey,
    names::{Name, Names},
    read_job::{Liveness, ReadJob, Stamp, is_live, liveness},
};
use crate::context::RequestTime;

/// What is kept of a job.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: JobId,
    /// That of its record when it was read, where that was settled.
    pub(super) stamp: Option<Stamp>,
    created_at: Option<Timestamp>,
    state: ListedState,
    verified: Option<bool>,
    owner: Option<Name>,
    repo: Option<Name>,
    branch: Option<Name>,
    /// The record, while the job runs.
    running: Option<Box<JobRecord>>,
    /// What lists carry of it, where it is over and was listed lately.
    row: Option<Arc<JobRow>>,
}

impl Entry {
    /// Returns what lists are sorted by, newest first.
    pub(super) fn key(&self) -> SortKey {
        (self.created_at, self.id.clone())
    }

    /// Tells whether the job is not over.
    pub(super) fn is_live(&self) -> bool {
        is_live(self.state)
    }

    /// Returns what lists carry of it, where that is kept.
    pub(super) fn row(&self) -> Option<&Arc<JobRow>> {
        self.row.as_ref()
    }

    pub(super) fn liveness(&self, time: RequestTime) -> Liveness {
        liveness(self.running.as_deref(), time)
    }
}

/// All jobs that are known, by id and in the orders of lists. Elsewhere than in its slot, a job is the number of that.
#[derive(Debug, Default)]
pub(super) struct Entries {
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    names: Names,
    by_id: HashTable<u32>,
    hasher: RandomState,
    all: Order,
    /// Those whose rows are kept.
    with_row: Order,
    by_state: [Order; ListedState::ALL.len()],
    by_repo: HashMap<Name, Order>,
    by_branch: HashMap<Name, Order>,
    /// How many are verified, and how many have checks that failed.
    verified: [u64; 2],
}

/// Slots of jobs, newest first. Both ends are cheap to insert at: new jobs come to the front, and the first load, which
/// goes from the newest to the oldest, appends.
#[derive(Debug, Default)]
struct Order(VecDeque<u32>);

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Makes room for so many more at once: growing piece by piece would leave gaps in the memory.
    pub(super) fn reserve(&mut self, jobs: usize) {
        let Self { slots, by_id, hasher, all, .. } = self;
        slots.reserve_exact(jobs);
        by_id.reserve(jobs, |slot| hash_of(hasher, slots, *slot));
        all.0.reserve_exact(jobs);
    }

    pub(super) fn contains(&self, id: &JobId) -> bool {
        self.slot_of(id).is_some()
    }

    pub(super) fn get(&self, id: &JobId) -> Option<&Entry> {
        self.slot(self.slot_of(id)?)
    }

    /// Keeps the row of a job; tells whether the job is known.
    pub(super) fn put_row(&mut self, id: &JobId, row: Arc<JobRow>) -> bool {
        let Some(slot) = self.slot_of(id) else { return false };
        self.with_row.insert(&self.slots, slot);
        let entry = self.slots.get_mut(slot as usize).and_then(Option::as_mut);
        entry.map(|entry| entry.row = Some(row)).is_some()
    }

    /// Returns the row of a job, and keeps it no more.
    pub(super) fn take_row(&mut self, id: &JobId) -> Option<Arc<JobRow>> {
        let slot = self.slot_of(id)?;
        let row = self.slots.get_mut(slot as usize)?.as_mut()?.row.take()?;
        self.with_row.remove(&self.slots, slot);
        Some(row)
    }

    /// Returns the oldest of the jobs whose rows are kept.
    pub(super) fn oldest_with_row(&self) -> Option<&Entry> {
        self.slot(*self.with_row.0.back()?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    /// Returns the jobs in a range of slots; `None` beyond the last one.
    pub(super) fn in_slots(&self, range: Range<usize>) -> Option<impl Iterator<Item = &Entry>> {
        let end = range.end.min(self.slots.len());
        Some(self.slots.get(range.start..end)?.iter().flatten()).filter(|_| range.start < end)
    }

    /// Returns what filters and counts look at.
    pub(super) fn listed<'a>(&'a self, entry: &'a Entry, time: RequestTime) -> ListedJob<'a> {
        let text = |name: Option<Name>| name.map(|name| self.names.text(name));
        ListedJob {
            state: entry.state,
            owner: text(entry.owner),
            repo: text(entry.repo),
            branch: text(entry.branch),
            stalled: entry.liveness(time).stalled,
            verified: entry.verified,
        }
    }

    /// Returns how many jobs there are in a state.
    pub(super) fn count(&self, state: ListedState) -> usize {
        self.by_state[state_index(state)].0.len()
    }

    /// Returns how many jobs are verified, and of how many a check failed.
    pub(super) fn verified(&self) -> [u64; 2] {
        self.verified
    }

    /// Returns the jobs in a state, newest first.
    pub(super) fn in_state(&self, state: ListedState) -> impl Iterator<Item = &Entry> {
        self.by_state[state_index(state)].0.iter().filter_map(|slot| self.slot(*slot))
    }

    /// Puts a job in, in the place of what was known of it.
    pub(super) fn insert(&mut self, job: ReadJob) {
        self.remove(&job.id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer jobs than fit in memory")
        });
        let ReadJob { id, stamp, created_at, state, verified, running, .. } = job;
        let [owner, repo, branch] =
            [job.owner, job.repo, job.branch].map(|text| text.map(|text| self.names.acquire(&text)));
        if let Some(verified) = verified {
            self.verified[usize::from(!verified)] += 1;
        }
        let hash = self.hasher.hash_one(&id);
        let entry = Entry { id, stamp, created_at, state, verified, owner, repo, branch, running, row: None };
        self.slots[slot as usize] = Some(entry);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_id.insert_unique(hash, slot, |slot| hash_of(hasher, slots, *slot));
        self.all.insert(slots, slot);
        self.by_state[state_index(state)].insert(slots, slot);
        if let Some(repo) = repo {
            self.by_repo.entry(repo).or_default().insert(slots, slot);
        }
        if let Some(branch) = branch {
            self.by_branch.entry(branch).or_default().insert(slots, slot);
        }
    }

    /// Takes a job out, and returns what was known of it.
    pub(super) fn remove(&mut self, id: &JobId) -> Option<Entry> {
        let slot = self.slot_of(id)?;
        let slots = &self.slots;
        let entry = slots.get(slot as usize)?.as_ref()?;
        if let Some(verified) = entry.verified {
            self.verified[usize::from(!verified)] -= 1;
        }
        self.all.remove(slots, slot);
        if entry.row.is_some() {
            self.with_row.remove(slots, slot);
        }
        self.by_state[state_index(entry.state)].remove(slots, slot);
        for (orders, name) in [(&mut self.by_repo, entry.repo), (&mut self.by_branch, entry.branch)] {
            if let Some(name) = name
                && let Some(order) = orders.get_mut(&name)
            {
                order.remove(slots, slot);
                if order.0.is_empty() {
                    orders.remove(&name);
                }
            }
        }
        for name in [entry.owner, entry.repo, entry.branch].into_iter().flatten() {
            self.names.release(name);
        }
        if let Ok(known) = self.by_id.find_entry(self.hasher.hash_one(id), |other| *other == slot) {
            known.remove();
        }
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    fn slot_of(&self, id: &JobId) -> Option<u32> {
        let is_it = |slot: &u32| self.slot(*slot).is_some_and(|entry| entry.id == *id);
        self.by_id.find(self.hasher.hash_one(id), is_it).copied()
    }

    /// Returns the jobs that may match the filter, newest first, older than `after`: from the shortest of the orders
    /// that hold all of them.
    pub(super) fn candidates<'a>(
        &'a self,
        filter: &JobFilter,
        after: Option<&SortKey>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a> {
        static NONE: Order = Order(VecDeque::new());
        let mut orders = vec![&self.all];
        if let [state] = filter.states[..] {
            orders.push(&self.by_state[state_index(state)]);
        }
        if filter.stalled == Some(true) {
            orders.push(&self.by_state[state_index(ListedState::Known(JobState::Running))]);
        }
        if let Some(branch) = &filter.branch {
            orders.push(self.named(&self.by_branch, branch).unwrap_or(&NONE));
        }
        if let Some(repo) = &filter.repo {
            let name = repo.split_once('/').map_or(repo.as_str(), |(_, name)| name);
            // A name with a slash may also be the whole name of a repository in a record by another hand.
            if !repo.contains('/') || self.named(&self.by_repo, repo).is_none() {
                orders.push(self.named(&self.by_repo, name).unwrap_or(&NONE));
            }
        }
        let order = orders.into_iter().min_by_key(|order| order.0.len()).unwrap_or(&self.all);
        let first = after.map_or(0, |after| order.0.partition_point(|slot| self.order_of(*slot, after).is_le()));
        order.0.range(first..).filter_map(|slot| self.slot(*slot))
    }

    /// Returns the order of the jobs that have a name.
    fn named<'a>(&self, orders: &'a HashMap<Name, Order>, name: &str) -> Option<&'a Order> {
        orders.get(&self.names.find(name)?)
    }

    fn slot(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Compares a job to a place in the order of lists: [`Ordering::Less`] comes before.
    fn order_of(&self, slot: u32, key: &SortKey) -> Ordering {
        self.slot(slot).map_or(Ordering::Equal, |entry| (&key.0, &key.1).cmp(&(&entry.created_at, &entry.id)))
    }
}

impl Order {
    /// Returns where the job of that slot is, or is to be.
    fn place(&self, slots: &[Option<Entry>], slot: u32) -> Result<usize, usize> {
        let key = |slot: u32| slots.get(slot as usize)?.as_ref().map(|entry| (entry.created_at, &entry.id));
        let wanted = key(slot);
        self.0.binary_search_by(|other| wanted.cmp(&key(*other)))
    }

    fn insert(&mut self, slots: &[Option<Entry>], slot: u32) {
        if let Err(place) = self.place(slots, slot) {
            self.0.insert(place, slot);
        }
    }

    fn remove(&mut self, slots: &[Option<Entry>], slot: u32) {
        if let Ok(place) = self.place(slots, slot) {
            self.0.remove(place);
        }
    }
}

/// Returns the hash of the id of the job in a slot.
fn hash_of(hasher: &RandomState, slots: &[Option<Entry>], slot: u32) -> u64 {
    slots.get(slot as usize).and_then(Option::as_ref).map_or(0, |entry| hasher.hash_one(&entry.id))
}

fn state_index(state: ListedState) -> usize {
    ListedState::ALL.iter().position(|other| *other == state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use proptest::prelude::*;
    use pv_lib::{job::Thresholds, store::Run};

    use super::*;

    fn time() -> RequestTime {
        RequestTime {
            now: Timestamp::from_unix_seconds(1_800_000_000),
            uptime: Duration::ZERO,
            thresholds: Thresholds::default(),
        }
    }

    fn run(id: u8, created: u8, state: usize, repo: u8, branch: u8) -> Run {
        let verified = ["", ",\"verified\":true", ",\"verified\":false"][usize::from(created % 3)];
        let (id, state) = (format!("job{id:03}").parse().unwrap(), ListedState::ALL[state]);
        let created =
            if created == 0 { String::new() } else { format!(",\"created_at\":\"2026-01-01T00:00:{created:02}Z\"") };
        let record = format!(
            "{{\"job_id\":\"{id}\",\"state\":\"{state}\",\"git_owner\":\"o{}\",\"repo_name\":\"r{}\",\"branch_name\":\"b{branch}\"{created}{verified}}}",
            repo % 2,
            repo / 2,
        );
        Run::from_bytes(&id, record.as_bytes())
    }

    fn filters() -> Vec<JobFilter> {
        let some = |text: &str| Some(text.to_owned());
        let all = JobFilter::default;
        let mut filters: Vec<JobFilter> =
            ListedState::ALL.iter().map(|state| JobFilter { states: vec![*state], ..all() }).collect();
        filters.extend([
            all(),
            JobFilter { states: ListedState::ALL[..3].into(), ..all() },
            JobFilter { repo: some("r1"), ..all() },
            JobFilter { repo: some("o1/r0"), ..all() },
            JobFilter { repo: some("o1/none"), ..all() },
            JobFilter { branch: some("b2"), ..all() },
            JobFilter { branch: some("b1"), repo: some("r0"), states: vec![ListedState::ALL[3]], ..all() },
            JobFilter { stalled: Some(true), ..all() },
            JobFilter { verified: Some(true), ..all() },
            JobFilter { verified: Some(false), states: vec![ListedState::ALL[3]], ..all() },
        ]);
        filters
    }

    proptest! {
        #[test]
        fn every_order_holds_what_a_plain_filter_of_all_jobs_finds(
            steps in proptest::collection::vec((0..20_u8, 0..9_u8, 0..6_usize, 0..4_u8, 0..3_u8, any::<bool>()), 1..60)
        ) {
            let (mut entries, mut plain) = (Entries::default(), BTreeMap::new());
            for (id, created, state, repo, branch, is_removal) in steps {
                let run = run(id, created, state, repo, branch);
                if is_removal {
                    prop_assert_eq!(entries.remove(run.id()).is_some(), plain.remove(run.id()).is_some());
                } else {
                    entries.insert(ReadJob::of_run(&run, None));
                    plain.insert(run.id().clone(), run);
                }
            }
            let mut sorted: Vec<&Run> = plain.values().collect();
            sorted.sort_by_cached_key(|run| run.age_key());
            prop_assert_eq!(entries.len(), plain.len());
            for filter in filters() {
                let matches = |run: &&&Run| filter.matches(&ListedJob::new(run.record(), time().now, time().thresholds));
                let expected: Vec<JobId> = sorted.iter().filter(matches).map(|run| run.id().clone()).collect();
                let found = |after: Option<&SortKey>| -> Vec<JobId> {
                    let candidates = entries.candidates(&filter, after);
                    candidates.filter(|entry| filter.matches(&entries.listed(entry, time()))).map(|entry| entry.id.clone()).collect()
                };
                prop_assert_eq!(&found(None), &expected, "{:?}", filter);
                if let Some(middle) = expected.get(expected.len() / 2) {
                    let key = entries.get(middle).unwrap().key();
                    prop_assert_eq!(found(Some(&key)), &expected[expected.len() / 2 + 1..]);
                }
            }
            for state in ListedState::ALL {
                prop_assert_eq!(entries.count(state), plain.values().filter(|run| ListedState::from(run.state()) == state).count());
            }
        }
    }
}
