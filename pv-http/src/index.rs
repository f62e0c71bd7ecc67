//! The jobs in memory, so that a list costs what changed and not what there is.
//!
//! Truth is on disk: the index only says which records to read, and in which order. Every row that is returned is read
//! afresh, so a change by anyone shows in the very next answer that returns it. Each request also looks at the runs
//! folder's own stamp and at the jobs that are not over; records of jobs that are over are looked at all together every
//! few seconds, which is how late a hand edit of one may show in counts and filters.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pv_lib::{
    Error, Result,
    fs::{FsExt, Stat},
    job::{JobId, JobRecord, JobState, Thresholds, is_quiet, is_stalled},
    store::{Run, RunView, Store},
    time::Timestamp,
    unusable::UNUSABLE_MAX,
};

use crate::{cursor::Key, params::StateFilter};

/// How old a stamp must be before it is trusted: a change within the same tick of the disk's clock leaves it as it is.
const TRUST_AFTER: Duration = Duration::from_secs(2);
/// How often all records are looked at, at the most: for those who ask now, and for those who only listen.
const FULL_LOOK_EVERY: Duration = Duration::from_secs(3);
const FULL_LOOK_FOR_NEWS_EVERY: Duration = Duration::from_secs(60);
/// How much later a full look comes for each record, so that looking never takes a large part of the time.
const FULL_LOOK_PER_ROW: Duration = Duration::from_micros(40);

/// The moment of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The present time.
    pub(crate) now: Timestamp,
    /// The time by a clock that never jumps.
    pub(crate) uptime: Duration,
    /// After how long a silence counts.
    pub(crate) thresholds: Thresholds,
}

/// Which jobs a list is to hold.
#[derive(Debug, Default)]
pub(crate) struct JobFilter {
    pub(crate) state: Option<StateFilter>,
    pub(crate) repo: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) stalled: Option<bool>,
    pub(crate) limit: Option<usize>,
    /// Only jobs that come after this place.
    pub(crate) after: Option<Key>,
}

/// A part of the list of jobs.
#[derive(Debug)]
pub(crate) struct Page {
    /// The jobs, newest first.
    pub(crate) rows: Vec<RunView>,
    /// Where the next part begins, if there is more that is wanted.
    pub(crate) next: Option<Key>,
}

/// What may have changed since the last look for it.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Jobs whose record was read again.
    pub(crate) touched: BTreeSet<JobId>,
    /// Jobs that are not there any more.
    pub(crate) gone: BTreeSet<JobId>,
    /// All jobs that are not over, whose silence may have become another one.
    pub(crate) live: Vec<(JobId, Silence)>,
}

/// What a job's silence means.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) stalled: bool,
    pub(crate) quiet: bool,
}

/// How many jobs there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) by_state: BTreeMap<&'static str, u64>,
    pub(crate) total: u64,
    pub(crate) stalled_running: u64,
    /// Some of those whose record cannot be understood, at most [`UNUSABLE_MAX`].
    pub(crate) damaged: Vec<JobId>,
}

/// The jobs in memory.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rows: HashMap<JobId, Row>,
    order: BTreeSet<Key>,
    /// Folders that every request looks at: of jobs that are not over, without a record, or changed just now.
    unsettled: BTreeSet<JobId>,
    /// The runs folder when it was last listed, unless it had changed just then.
    folder: Option<Stat>,
    /// When all records were last looked at.
    looked_at_all: Duration,
    /// What has changed, while somebody wants to know.
    news: Option<News>,
}

#[derive(Debug)]
struct Row {
    stat: Option<Stat>,
    created_at: Option<Timestamp>,
    state: Option<JobState>,
    owner: Option<Box<str>>,
    repo: Option<Box<str>>,
    branch: Option<Box<str>>,
    /// The record, while the job runs.
    running: Option<Box<JobRecord>>,
}

impl Index {
    /// Returns the jobs that `filter` wants, newest first, each as it is on disk now.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn list(&self, store: &Store, filter: &JobFilter, moment: Moment) -> Result<Page> {
        self.known().refresh(store, moment, FULL_LOOK_EVERY)?;
        let limit = filter.limit.unwrap_or(usize::MAX);
        let (mut runs, mut changed, mut after) = (Vec::new(), Vec::new(), filter.after.clone());
        while runs.len() < limit {
            let batch = self.known().matching(filter, moment, after.as_ref(), limit - runs.len());
            let Some(last) = batch.last() else { break };
            after = Some(last.clone());
            for (created_at, id) in batch {
                match store.read_run(&id) {
                    Ok(run) if !filter.wants(&Row::of(&run, None), moment) => changed.push(id),
                    Ok(run) => {
                        if run.record().is_some_and(|record| record.created_at != created_at) {
                            changed.push(id);
                        }
                        runs.push(run);
                    }
                    Err(Error::JobNotFound(_)) => changed.push(id),
                    Err(error) => return Err(error),
                }
            }
        }
        let next = {
            let mut known = self.known();
            known.unsettled.extend(changed);
            after.filter(|after| runs.len() == limit && !known.matching(filter, moment, Some(after), 1).is_empty())
        };
        runs.sort_by_cached_key(Run::age_key);
        let rows = runs.into_iter().map(|run| store.view(run, moment.now, moment.thresholds)).collect();
        Ok(Page { rows, next })
    }

    /// Returns how many jobs there are.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn counts(&self, store: &Store, moment: Moment) -> Result<Counts> {
        let mut known = self.known();
        known.refresh(store, moment, FULL_LOOK_EVERY)?;
        let mut counts = Counts { total: known.rows.len() as u64, ..Counts::default() };
        for (id, row) in &known.rows {
            if row.state.is_none() && counts.damaged.len() < UNUSABLE_MAX {
                counts.damaged.push(id.clone());
            }
            *counts.by_state.entry(row.state.map_or("unknown", JobState::as_str)).or_default() += 1;
            counts.stalled_running += u64::from(row.is_stalled(moment));
        }
        Ok(counts)
    }

    /// Looks at what may have changed, and returns what did since the last call; the first call finds nothing changed.
    /// A hand edit of a job that is over is found within a minute.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(crate) fn news(&self, store: &Store, moment: Moment) -> Result<News> {
        let mut known = self.known();
        known.refresh(store, moment, FULL_LOOK_FOR_NEWS_EVERY)?;
        let live = known.unsettled.iter().filter_map(|id| {
            let row = known.rows.get(id).filter(|row| row.state.is_some_and(|state| !state.is_terminal()))?;
            Some((id.clone(), row.silence(moment)))
        });
        let live = live.collect();
        let changed = known.news.replace(News::default()).unwrap_or_default();
        Ok(News { live, ..changed })
    }

    /// Stops noting changes.
    pub(crate) fn forget_news(&self) {
        self.known().news = None;
    }

    /// A panic elsewhere cannot leave half a change that matters: every row is read again when it is returned.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Looks at what may have changed, and at all records if that was longer ago than `every`.
    fn refresh(&mut self, store: &Store, moment: Moment, every: Duration) -> Result<()> {
        self.list_folder(store, moment.now)?;
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let every = every.max(FULL_LOOK_PER_ROW.saturating_mul(rows));
        let ids: Vec<JobId> = if moment.uptime >= self.looked_at_all + every {
            self.looked_at_all = moment.uptime;
            self.rows.keys().chain(&self.unsettled).cloned().collect()
        } else {
            self.unsettled.iter().cloned().collect()
        };
        for id in ids {
            self.look(store, id, moment.now)?;
        }
        Ok(())
    }

    /// Finds new and vanished folders, unless the runs folder's stamp says that there are none.
    fn list_folder(&mut self, store: &Store, now: Timestamp) -> Result<()> {
        let stat = store.fs().stat_opt(&store.layout().runs)?;
        if stat.is_some() && stat == self.folder {
            return Ok(());
        }
        let ids = store.run_ids()?;
        self.folder = stat.filter(|stat| is_trusted(stat, now));
        let there: HashSet<&JobId> = ids.iter().collect();
        let gone: Vec<JobId> = self.rows.keys().filter(|id| !there.contains(id)).cloned().collect();
        for id in gone {
            self.lose(id);
        }
        self.unsettled.retain(|id| there.contains(id));
        self.unsettled.extend(ids.iter().filter(|id| !self.rows.contains_key(*id)).cloned());
        Ok(())
    }

    /// Looks at one record, and reads it if it may have changed.
    fn look(&mut self, store: &Store, id: JobId, now: Timestamp) -> Result<()> {
        // Taken before reading: a change in between shows as another stamp next time.
        let stat = store.record_stat(&id).unwrap_or_default();
        let trusted = stat.filter(|stat| is_trusted(stat, now));
        if trusted.is_some() && self.rows.get(&id).is_some_and(|row| row.stat == trusted) {
            return Ok(());
        }
        let row = match store.read_run(&id) {
            Ok(run) => Row::of(&run, trusted),
            Err(Error::JobNotFound(_)) => {
                self.lose(id.clone());
                self.unsettled.insert(id);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.remove(&id);
        let is_live = row.state.is_some_and(|state| !state.is_terminal());
        if is_live || row.stat.is_none() {
            self.unsettled.insert(id.clone());
        } else {
            self.unsettled.remove(&id);
        }
        if let Some(news) = &mut self.news {
            news.gone.remove(&id);
            news.touched.insert(id.clone());
        }
        self.order.insert((row.created_at, id.clone()));
        self.rows.insert(id, row);
        Ok(())
    }

    fn remove(&mut self, id: &JobId) -> bool {
        let row = self.rows.remove(id);
        row.is_some_and(|row| self.order.remove(&(row.created_at, id.clone())))
    }

    /// Removes a job that is not there any more.
    fn lose(&mut self, id: JobId) {
        if self.remove(&id)
            && let Some(news) = &mut self.news
        {
            news.touched.remove(&id);
            news.gone.insert(id);
        }
    }

    /// Returns up to `limit` of the jobs that the filter wants as far as is known, newest first, older than `after`.
    fn matching(&self, filter: &JobFilter, moment: Moment, after: Option<&Key>, limit: usize) -> Vec<Key> {
        let older = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.order.range((Bound::Unbounded, older)).rev();
        keys.filter(|(_, id)| self.rows.get(id).is_some_and(|row| filter.wants(row, moment)))
            .take(limit)
            .cloned()
            .collect()
    }
}

impl Row {
    fn of(run: &Run, stat: Option<Stat>) -> Self {
        let record = run.record();
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        Self {
            stat,
            created_at: record.and_then(|record| record.created_at),
            state: run.state(),
            owner: record.and_then(|record| boxed(&record.git_owner)),
            repo: record.and_then(|record| boxed(&record.repo_name)),
            branch: record.and_then(|record| boxed(&record.branch_name)),
            running: record.filter(|record| record.state() == JobState::Running).cloned().map(Box::new),
        }
    }

    fn silence(&self, moment: Moment) -> Silence {
        self.running.as_ref().map_or(Silence::default(), |record| Silence {
            stalled: is_stalled(record, moment.now, moment.thresholds),
            quiet: is_quiet(record, moment.now, moment.thresholds),
        })
    }

    fn is_stalled(&self, moment: Moment) -> bool {
        self.running.as_ref().is_some_and(|record| is_stalled(record, moment.now, moment.thresholds))
    }

    /// Tells whether `repo`, a bare name or `owner/name`, means this job's repository.
    fn is_of(&self, repo: &str) -> bool {
        let full = || self.owner.as_ref().zip(self.repo.as_ref()).map(|(owner, name)| format!("{owner}/{name}"));
        self.repo.as_deref() == Some(repo) || (repo.contains('/') && full().as_deref() == Some(repo))
    }
}

impl JobFilter {
    fn wants(&self, row: &Row, moment: Moment) -> bool {
        let state = match self.state {
            None => true,
            Some(StateFilter::Is(state)) => row.state == Some(state),
            Some(StateFilter::Unknown) => row.state.is_none(),
        };
        state
            && self.repo.as_deref().is_none_or(|repo| row.is_of(repo))
            && self.branch.as_deref().is_none_or(|branch| row.branch.as_deref() == Some(branch))
            && self.stalled.is_none_or(|stalled| row.is_stalled(moment) == stalled)
    }
}

/// Tells whether a later change must have given the entry another stamp than this one, seen at `now`.
fn is_trusted(stat: &Stat, now: Timestamp) -> bool {
    let changed_seconds = stat.changed_ns.max(stat.modified_ns).div_euclid(1_000_000_000);
    // `now` has no fraction: a second is added for what it leaves out.
    i128::from(now.unix_seconds()) > changed_seconds + i128::from(TRUST_AFTER.as_secs())
}
