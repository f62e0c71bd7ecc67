//! What is known of each job, in little memory, and the orders in which lists go through them.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use pv_lib::{
    api::JobRow,
    fs::{Kind, Stat},
    job::{JobFilter, JobId, JobRecord, JobState, ListedJob, ListedState, RecordHead, is_quiet, is_stalled},
    store::Run,
    time::Timestamp,
};

use super::cursor::SortKey;
use crate::context::RequestTime;

/// How old the times of a stat must be before it counts as settled, in seconds: a change within the same tick of the
/// disk's clock leaves them as they are.
const SETTLE_SECONDS: i128 = 2;

/// What shows that a file has not changed since it was read: the stat of a file whose times were settled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    len: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    /// Returns the stamp of a file that was looked at `now`; `None` where a later change might leave it the same.
    pub(super) fn of(stat: &Stat, now: Timestamp) -> Option<Self> {
        (stat.kind == Kind::File && is_settled(stat, now)).then_some(())?;
        Some(Self {
            inode: stat.inode,
            len: stat.len,
            modified_ns: i64::try_from(stat.modified_ns).ok()?,
            changed_ns: i64::try_from(stat.changed_ns).ok()?,
        })
    }
}

/// Tells whether a later change must have given a file or folder another stat than this one, taken at `now`.
pub(super) fn is_settled(stat: &Stat, now: Timestamp) -> bool {
    let changed_seconds = stat.changed_ns.max(stat.modified_ns).div_euclid(1_000_000_000);
    // `now` has no fraction: a second is added for what it leaves out.
    i128::from(now.unix_seconds()) > changed_seconds + SETTLE_SECONDS
}

/// Whether a job's supervisor and agent give signs of life.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Liveness {
    pub(crate) stalled: bool,
    pub(crate) quiet: bool,
}

/// What is known of a job.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: JobId,
    /// That of its record when it was read, where that was settled.
    pub(super) stamp: Option<Stamp>,
    /// Since when it is known: what lists are sorted by.
    pub(super) created_at: Option<Timestamp>,
    pub(super) state: ListedState,
    owner: Option<Arc<str>>,
    repo: Option<Arc<str>>,
    branch: Option<Arc<str>>,
    verified: Option<bool>,
    /// The record, while the job runs.
    running: Option<Box<JobRecord>>,
    /// What lists carry of it, where it is over and was listed lately.
    pub(super) row: Option<Arc<JobRow>>,
}

impl Entry {
    pub(super) fn of_run(run: &Run, stamp: Option<Stamp>, names: &Names) -> Self {
        let record = run.record();
        let name = |text: Option<&String>| text.map(|text| names.share(text));
        Self {
            id: run.id().clone(),
            stamp,
            created_at: record.and_then(JobRecord::known_since),
            state: run.state().into(),
            owner: name(record.and_then(|record| record.git_owner.as_ref())),
            repo: name(record.and_then(|record| record.repo_name.as_ref())),
            branch: name(record.and_then(|record| record.branch_name.as_ref())),
            verified: record.and_then(|record| record.verified),
            running: record.filter(|record| record.state() == JobState::Running).cloned().map(Box::new),
            row: None,
        }
    }

    pub(super) fn of_head(id: JobId, head: &RecordHead<'_>, stamp: Option<Stamp>, names: &Names) -> Self {
        let name = |text: Option<&str>| text.map(|text| names.share(text));
        Self {
            id,
            stamp,
            created_at: Some(head.created_at),
            state: ListedState::Known(head.state),
            owner: name(head.owner.as_deref()),
            repo: name(head.repo.as_deref()),
            branch: name(head.branch.as_deref()),
            verified: head.verified,
            running: None,
            row: None,
        }
    }

    /// Returns what lists are sorted by, newest first.
    pub(super) fn key(&self) -> SortKey {
        (self.created_at, self.id.clone())
    }

    /// Tells whether the job is not over.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, ListedState::Known(state) if !state.is_terminal())
    }

    pub(super) fn liveness(&self, time: RequestTime) -> Liveness {
        self.running.as_ref().map_or(Liveness::default(), |record| Liveness {
            stalled: is_stalled(record, time.now, time.thresholds),
            quiet: is_quiet(record, time.now, time.thresholds),
        })
    }

    /// Returns what filters and counts look at.
    pub(super) fn listed(&self, time: RequestTime) -> ListedJob<'_> {
        ListedJob {
            state: self.state,
            owner: self.owner.as_deref(),
            repo: self.repo.as_deref(),
            branch: self.branch.as_deref(),
            stalled: self.liveness(time).stalled,
            verified: self.verified,
        }
    }
}

/// Names that many jobs have in common, each kept once.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashSet<Arc<str>>>);

impl Names {
    fn share(&self, name: &str) -> Arc<str> {
        let mut names = self.0.lock();
        if let Some(name) = names.get(name) {
            return name.clone();
        }
        let name: Arc<str> = name.into();
        names.insert(name.clone());
        name
    }

    /// Forgets those that no job has any more.
    pub(super) fn forget_unused(&self) {
        self.0.lock().retain(|name| Arc::strong_count(name) > 1);
    }
}

/// All jobs that are known, by id and in the orders of lists.
#[derive(Debug, Default)]
pub(super) struct Entries {
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_id: HashMap<JobId, u32>,
    all: Order,
    by_state: [Order; ListedState::ALL.len()],
    by_repo: HashMap<Arc<str>, Order>,
    by_branch: HashMap<Arc<str>, Order>,
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
        self.slots.reserve_exact(jobs);
        self.by_id.reserve(jobs);
        self.all.0.reserve_exact(jobs);
    }

    pub(super) fn contains(&self, id: &JobId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn get(&self, id: &JobId) -> Option<&Entry> {
        self.slots.get(*self.by_id.get(id)? as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: &JobId) -> Option<&mut Entry> {
        self.slots.get_mut(*self.by_id.get(id)? as usize)?.as_mut()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &JobId> {
        self.by_id.keys()
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
    pub(super) fn insert(&mut self, entry: Entry) {
        self.remove(&entry.id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer jobs than fit in memory")
        });
        self.by_id.insert(entry.id.clone(), slot);
        let (state, repo, branch) = (state_index(entry.state), entry.repo.clone(), entry.branch.clone());
        if let Some(verified) = entry.verified {
            self.verified[usize::from(!verified)] += 1;
        }
        self.slots[slot as usize] = Some(entry);
        let slots = &self.slots;
        self.all.insert(slots, slot);
        self.by_state[state].insert(slots, slot);
        if let Some(repo) = repo {
            self.by_repo.entry(repo).or_default().insert(slots, slot);
        }
        if let Some(branch) = branch {
            self.by_branch.entry(branch).or_default().insert(slots, slot);
        }
    }

    /// Takes a job out, and returns what was known of it.
    pub(super) fn remove(&mut self, id: &JobId) -> Option<Entry> {
        let slot = self.by_id.remove(id)?;
        let slots = &self.slots;
        let entry = slots.get(slot as usize)?.as_ref()?;
        if let Some(verified) = entry.verified {
            self.verified[usize::from(!verified)] -= 1;
        }
        self.all.remove(slots, slot);
        self.by_state[state_index(entry.state)].remove(slots, slot);
        for (orders, name) in [(&mut self.by_repo, &entry.repo), (&mut self.by_branch, &entry.branch)] {
            if let Some(name) = name
                && let Some(order) = orders.get_mut(name)
            {
                order.remove(slots, slot);
                if order.0.is_empty() {
                    orders.remove(name);
                }
            }
        }
        self.free.push(slot);
        self.slots[slot as usize].take()
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
            orders.push(self.by_branch.get(branch.as_str()).unwrap_or(&NONE));
        }
        if let Some(repo) = &filter.repo {
            let name = repo.split_once('/').map_or(repo.as_str(), |(_, name)| name);
            let named = |name| self.by_repo.get(name).unwrap_or(&NONE);
            // A name with a slash may also be the whole name of a repository in a record by another hand.
            if !repo.contains('/') || !self.by_repo.contains_key(repo.as_str()) {
                orders.push(named(name));
            }
        }
        let order = orders.into_iter().min_by_key(|order| order.0.len()).unwrap_or(&self.all);
        let first = after.map_or(0, |after| order.0.partition_point(|slot| self.order_of(*slot, after).is_le()));
        order.0.range(first..).filter_map(|slot| self.slot(*slot))
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

fn state_index(state: ListedState) -> usize {
    ListedState::ALL.iter().position(|other| *other == state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use proptest::prelude::*;
    use pv_lib::job::Thresholds;

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
            let (mut entries, names, mut plain) = (Entries::default(), Names::default(), BTreeMap::new());
            for (id, created, state, repo, branch, is_removal) in steps {
                let run = run(id, created, state, repo, branch);
                if is_removal {
                    prop_assert_eq!(entries.remove(run.id()).is_some(), plain.remove(run.id()).is_some());
                } else {
                    entries.insert(Entry::of_run(&run, None, &names));
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
                    candidates.filter(|entry| filter.matches(&entry.listed(time()))).map(|entry| entry.id.clone()).collect()
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
