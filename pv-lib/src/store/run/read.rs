//! Reading runs. Nothing here writes, locks, or trusts what it reads.

use std::io::ErrorKind;

use serde_json::{Map, Value};

use crate::{
    Error, Result,
    fs::{FsError, FsExt, Kind, Stat, optional, regular},
    job::{DamagedRecord, JobId, JobRecord, JobState, JobView, ListedState, Thresholds},
    store::Store,
    time::Timestamp,
};

/// The longest `job.json` that is read.
const RECORD_LIMIT_BYTES: usize = 1 << 20;

/// A run folder's record, as it was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// A record that can be understood.
    Job(Box<JobRecord>),
    /// One that cannot: shown as `unknown`, never started, never fatal to a list.
    Damaged {
        /// The folder's name.
        id: JobId,
        /// What is wrong.
        damage: DamagedRecord,
    },
}

/// A run as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum RunView {
    /// A record that can be understood, with what follows from it.
    Job(Box<JobView>),
    /// One that cannot.
    Damaged {
        /// The folder's name.
        id: JobId,
        /// What is wrong.
        damage: DamagedRecord,
    },
}

impl Run {
    /// Returns the run folder's name.
    #[must_use]
    pub fn id(&self) -> &JobId {
        match self {
            Self::Job(record) => &record.job_id,
            Self::Damaged { id, .. } => id,
        }
    }

    /// Returns the record, where it can be understood.
    #[must_use]
    pub fn record(&self) -> Option<&JobRecord> {
        match self {
            Self::Job(record) => Some(record),
            Self::Damaged { .. } => None,
        }
    }

    /// Reads the bytes of the record of the run of that name.
    #[must_use]
    pub fn from_bytes(id: &JobId, bytes: &[u8]) -> Self {
        match JobRecord::from_bytes(bytes) {
            Ok(record) if record.job_id == *id => Self::Job(Box::new(record)),
            Ok(_) => Self::Damaged { id: id.clone(), damage: DamagedRecord::Unusable("job_id") },
            Err(damage) => Self::Damaged { id: id.clone(), damage },
        }
    }

    /// Returns the state, `None` where the record cannot be understood.
    #[must_use]
    pub fn state(&self) -> Option<JobState> {
        self.record().map(JobRecord::state)
    }

    /// Returns the record.
    ///
    /// # Errors
    /// [`Error::Damaged`] where it cannot be understood.
    pub fn into_record(self) -> Result<JobRecord> {
        match self {
            Self::Job(record) => Ok(*record),
            Self::Damaged { id, damage } => Err(Error::Damaged { id, source: damage }),
        }
    }

    /// Returns what a list is sorted by: newest first, those that do not say when last.
    #[must_use]
    pub fn age_key(&self) -> impl Ord + use<> {
        let since = self.record().and_then(JobRecord::known_since);
        std::cmp::Reverse((since, self.id().clone()))
    }
}

impl RunView {
    /// Returns the run folder's name.
    #[must_use]
    pub fn id(&self) -> &JobId {
        match self {
            Self::Job(view) => &view.record.job_id,
            Self::Damaged { id, .. } => id,
        }
    }

    /// Returns the view, where the record can be understood.
    #[must_use]
    pub fn job(&self) -> Option<&JobView> {
        match self {
            Self::Job(view) => Some(view),
            Self::Damaged { .. } => None,
        }
    }

    /// Returns the JSON object that answers carry; a damaged one has `state: "unknown"` and its reason.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        match self {
            Self::Job(view) => view.to_json(),
            Self::Damaged { id, damage } => [
                ("job_id", Value::from(id.as_str())),
                ("state", ListedState::Unknown.as_str().into()),
                ("message", damage.to_string().into()),
                ("stalled", false.into()),
                ("abort_requested", false.into()),
            ]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        }
    }
}

impl Store {
    /// Returns the names of all run folders, the newest minted id first. Some may hold no record: see
    /// [`Store::read_run`].
    ///
    /// # Errors
    /// Any error of the file system; a missing runs folder has no runs.
    pub fn run_ids(&self) -> Result<Vec<JobId>> {
        let mut ids = self.unsorted_run_ids()?;
        ids.sort_unstable_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    /// Returns the names of all run folders, as [`Store::run_ids`], in any order.
    ///
    /// # Errors
    /// As [`Store::run_ids`].
    pub fn unsorted_run_ids(&self) -> Result<Vec<JobId>> {
        let mut ids: Vec<JobId> = Vec::new();
        optional(self.fs().each_entry(&self.layout().runs, &mut |name, kind| {
            ids.extend(name.parse().ok().filter(|_| kind == Kind::Dir));
        }))?;
        Ok(ids)
    }

    /// Reads a run's record.
    ///
    /// # Errors
    /// [`Error::JobNotFound`] where there is no folder of that name that holds a regular `job.json`, and no other. A
    /// folder or a record that cannot be read or understood is no error, but [`Run::Damaged`].
    pub fn read_run(&self, id: &JobId) -> Result<Run> {
        Ok(match self.read_record_bytes(id)? {
            Ok(bytes) => Run::from_bytes(id, &bytes),
            Err(damage) => Run::Damaged { id: id.clone(), damage },
        })
    }

    /// Reads the bytes of a run's record, as [`Store::read_run`] does.
    ///
    /// # Errors
    /// Those of [`Store::read_run`]; the inner one says why a record that is there cannot be read.
    pub fn read_record_bytes(&self, id: &JobId) -> Result<std::result::Result<Vec<u8>, DamagedRecord>> {
        let not_found = || Error::JobNotFound(id.clone());
        match self.fs().is_dir(&self.layout().run_path(id)) {
            Ok(true) => {}
            Ok(false) => return Err(not_found()),
            Err(error) => return Ok(Err(unreadable(&error))),
        }
        match self.fs().read(&self.layout().record_path(id), RECORD_LIMIT_BYTES) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::InvalidInput => Err(not_found()),
                _ => Ok(Err(unreadable(&error))),
            },
        }
    }

    /// Reads every run, newest first.
    ///
    /// # Errors
    /// Any error of the file system on the runs folder. One bad run never breaks the list.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for id in self.run_ids()? {
            match self.read_run(&id) {
                Ok(run) => runs.push(run),
                Err(Error::JobNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        runs.sort_by_cached_key(Run::age_key);
        Ok(runs)
    }

    /// Returns what a run's `job.json` is without opening it; a changed record has another stat.
    ///
    /// # Errors
    /// Any error of the file system; `None` where there is none.
    pub fn record_stat(&self, id: &JobId) -> Result<Option<Stat>> {
        Ok(self.fs().stat_opt(&self.layout().record_path(id))?)
    }

    /// Derives what is shown of a run at `now`. One whose abort marker cannot be looked up is shown as damaged: what
    /// becomes of it is not known.
    #[must_use]
    pub fn view(&self, run: Run, now: Timestamp, thresholds: Thresholds) -> RunView {
        match run {
            Run::Job(record) => match self.fs().stat_opt(&self.layout().abort_path(&record.job_id)) {
                Ok(marker) => RunView::Job(Box::new(JobView::new(*record, marker.is_some(), now, thresholds))),
                Err(error) => {
                    let damage = DamagedRecord::Unreadable(error.source.to_string());
                    RunView::Damaged { id: record.job_id, damage }
                }
            },
            Run::Damaged { id, damage } => RunView::Damaged { id, damage },
        }
    }

    /// Returns the one run whose id is `prefix` or begins with it.
    ///
    /// # Errors
    /// [`Error::JobPrefixNotFound`] where there is none; [`Error::AmbiguousId`] where there are several.
    pub fn resolve(&self, prefix: &str) -> Result<JobId> {
        let not_found = || Error::JobPrefixNotFound(prefix.chars().take(80).collect());
        let exact = prefix.parse::<JobId>().map_err(|_| not_found())?;
        let mut found: Vec<JobId> = Vec::new();
        for id in self.run_ids()? {
            if id == exact {
                return Ok(id);
            }
            if id.as_str().starts_with(prefix) {
                found.push(id);
            }
        }
        match found.len() {
            0 => Err(not_found()),
            1 => Ok(found.remove(0)),
            count => Err(Error::AmbiguousId { prefix: prefix.to_owned(), count }),
        }
    }

    /// Returns the prompt of a job: the exact bytes that it runs, or those that still wait in the inbox. Only regular files
    /// are read, so that no link shows what is no prompt.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::PromptNotFound`].
    pub fn prompt(&self, id: &JobId) -> Result<Vec<u8>> {
        let record = self.read_run(id)?.into_record().ok();
        let limit = self.prompt_bytes_max();
        let not_found = || Error::PromptNotFound(id.clone());
        let own = self.layout().prompt_path(id);
        if self.fs().stat_opt(&own)?.is_some() {
            return regular(self.fs().read(&own, limit))?.ok_or_else(not_found);
        }
        let waiting = self.find_prompt_of(id, record.as_ref())?.ok_or_else(not_found)?;
        regular(self.fs().read(&waiting.path, limit))?.ok_or_else(not_found)
    }
}

fn unreadable(error: &FsError) -> DamagedRecord {
    DamagedRecord::Unreadable(error.source.to_string())
}
