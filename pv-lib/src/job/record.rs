//! The record of a job, as `job.json` holds it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Delivery, FailReason, IllegalTransition, JobEvent, JobId, JobState, Outcome, Phase};
use crate::{target::Target, time::Timestamp};

/// The version of the record's schema that this program writes.
///
/// A record with a higher one is readable and never rewritten; one without any (the earlier service's) counts as 0.
pub const SCHEMA_VERSION: u64 = 1;

/// Everything that is stored of a job.
///
/// Reading keeps what it does not understand: keys that a newer version wrote, and known keys with a value of
/// another shape, come back unchanged when the record is written again.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// The schema that the record was written with.
    pub schema_version: u64,
    /// The job's id, which is also its run folder's name.
    pub job_id: JobId,
    /// Where the job is in its life; changed by [`JobRecord::start`] and [`JobRecord::finish`] only.
    state: JobState,
    /// The repository's owner.
    pub git_owner: Option<String>,
    /// The repository, without its owner.
    pub repo_name: Option<String>,
    /// The branch that the prompt is for.
    pub branch_name: Option<String>,
    /// The prompt file, absolute, as it was named when the record was written. Shown, never opened.
    pub inbox_file: Option<String>,
    /// The prompt file relative to the inbox, as it was dropped or submitted. Shown, never opened.
    pub inbox_rel: Option<String>,
    /// The prompt's title: `pv.title`, or its first heading.
    pub title: Option<String>,
    /// When the job was made.
    pub created_at: Option<Timestamp>,
    /// When the record last changed.
    pub updated_at: Option<Timestamp>,
    /// When a supervisor started the job.
    pub started_at: Option<Timestamp>,
    /// When its supervisor last said that it lives.
    pub heartbeat_at: Option<Timestamp>,
    /// When the agent last wrote anything.
    pub last_output_at: Option<Timestamp>,
    /// When the job was over.
    pub finished_at: Option<Timestamp>,
    /// The host that made the record.
    pub host: Option<String>,
    /// The boot of that host in which the job was started.
    pub boot_id: Option<String>,
    /// The agent's process id, for people. Never signalled: liveness is the run's lock.
    pub pid: Option<i32>,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    pub exit_code: Option<i32>,
    /// Where the log is. Shown, never opened: the log is always `<run>/job.log`.
    pub log_path: Option<String>,
    /// What a running job does now, or what it did when it ended.
    pub phase: Option<Phase>,
    /// Why it failed.
    pub reason: Option<FailReason>,
    /// A sentence for people about how it ended.
    pub message: Option<String>,
    /// The agent that runs it.
    pub agent: Option<String>,
    /// The model that the agent was told to use.
    pub model: Option<String>,
    /// The job that this one repeats.
    pub retry_of: Option<JobId>,
    /// How the agent's processes were held: `cgroup` (ending them is a proof) or `sweep` (best effort).
    pub containment: Option<String>,
    /// The commit that the checkout began with.
    pub base_commit: Option<String>,
    /// What was handed over.
    pub delivery: Option<Delivery>,
    /// Tokens and cost, as far as the agent told.
    pub usage: Option<Value>,
    other: Map<String, Value>,
}

/// A record that cannot be understood; the run is shown as `unknown` and never started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamagedRecord {
    /// The file is no JSON.
    #[error("job.json is not JSON: {0}")]
    NotJson(String),
    /// The file is JSON, but no object.
    #[error("job.json is not an object")]
    NotAnObject,
    /// A key without which there is no record is missing or has no usable value.
    #[error("job.json has no usable `{0}`")]
    Unusable(&'static str),
    /// The file could not be read.
    #[error("job.json cannot be read: {0}")]
    Unreadable(String),
}

/// What is known of a job when it is made.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub job_id: JobId,
    /// Where its prompt is to be worked on.
    pub target: Target,
    /// Its prompt file, absolute, as it is named now.
    pub inbox_file: String,
    /// Its prompt file relative to the inbox, as it was dropped or submitted.
    pub inbox_rel: String,
    /// When it is made.
    pub now: Timestamp,
    /// The host that makes it.
    pub host: String,
    /// The job that it repeats.
    pub retry_of: Option<JobId>,
}

/// What is known of a job when a supervisor starts it.
#[derive(Debug, Clone)]
pub struct Started {
    /// When it starts.
    pub now: Timestamp,
    /// The host's boot, so that recovery can tell a restart of the host.
    pub boot_id: Option<String>,
    /// The agent that will run it.
    pub agent: String,
    /// The model that the agent is told to use.
    pub model: Option<String>,
    /// The prompt's title.
    pub title: Option<String>,
    /// Where its log will be.
    pub log_path: String,
    /// The phase that it starts in.
    pub phase: Phase,
}

impl JobRecord {
    /// Makes the record of a new job, in state `created`.
    #[must_use]
    pub fn new(job: NewJob) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            git_owner: job.target.owner().map(str::to_owned),
            repo_name: Some(job.target.repo().to_owned()),
            branch_name: Some(job.target.branch().to_owned()),
            inbox_file: Some(job.inbox_file),
            inbox_rel: Some(job.inbox_rel),
            created_at: Some(job.now),
            updated_at: Some(job.now),
            host: Some(job.host),
            retry_of: job.retry_of,
            ..Self::bare(job.job_id, JobState::Created)
        }
    }

    fn bare(job_id: JobId, state: JobState) -> Self {
        Self {
            schema_version: 0,
            job_id,
            state,
            git_owner: None,
            repo_name: None,
            branch_name: None,
            inbox_file: None,
            inbox_rel: None,
            title: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            heartbeat_at: None,
            last_output_at: None,
            finished_at: None,
            host: None,
            boot_id: None,
            pid: None,
            exit_code: None,
            log_path: None,
            phase: None,
            reason: None,
            message: None,
            agent: None,
            model: None,
            retry_of: None,
            containment: None,
            base_commit: None,
            delivery: None,
            usage: None,
            other: Map::new(),
        }
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state
    }

    /// Returns the target, where the record names a usable one.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let (repo, branch) = (self.repo_name.as_deref()?, self.branch_name.as_deref()?);
        Target::new(self.git_owner.as_deref(), repo, branch).ok()
    }

    /// Returns `owner/repo`, or as much of it as is known.
    #[must_use]
    pub fn full_repo(&self) -> String {
        let repo = self.repo_name.as_deref().unwrap_or("?");
        self.git_owner.as_ref().map_or_else(|| repo.to_owned(), |owner| format!("{owner}/{repo}"))
    }

    /// Tells whether this program may write the record: not if a newer one wrote it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.schema_version <= SCHEMA_VERSION
    }

    /// Moves a created job to `running`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the job is not `created`; the record is unchanged then.
    pub fn start(&mut self, started: Started) -> Result<(), IllegalTransition> {
        self.state = self.state.transition(JobEvent::Start)?;
        self.started_at = Some(started.now);
        self.boot_id = started.boot_id;
        self.agent = Some(started.agent);
        self.model = started.model;
        self.title = started.title.or(self.title.take());
        self.log_path = Some(started.log_path);
        self.phase = Some(started.phase);
        self.beat(started.now);
        Ok(())
    }

    /// Notes that the supervisor lives.
    pub fn beat(&mut self, now: Timestamp) {
        self.heartbeat_at = Some(now);
        self.updated_at = Some(now);
    }

    /// Moves the job to the terminal state that `outcome` means.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the job is over already, or cannot end that way; the record is unchanged then.
    pub fn finish(&mut self, outcome: Outcome, now: Timestamp) -> Result<(), IllegalTransition> {
        self.state = self.state.transition(outcome.event(self.state))?;
        (self.reason, self.message) = match outcome {
            Outcome::Succeeded { message } | Outcome::Aborted { message } => (None, message),
            Outcome::Failed { reason, message } => (Some(reason), Some(message)),
        };
        self.finished_at = Some(now);
        self.updated_at = Some(now);
        Ok(())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`DamagedRecord`] when the bytes are no JSON object with a usable `job_id` and `state`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedRecord> {
        let value = serde_json::from_slice(bytes).map_err(|e| DamagedRecord::NotJson(e.to_string()))?;
        let Value::Object(mut map) = value else {
            return Err(DamagedRecord::NotAnObject);
        };
        let job_id = take(&mut map, "job_id").ok_or(DamagedRecord::Unusable("job_id"))?;
        let state = take(&mut map, "state").ok_or(DamagedRecord::Unusable("state"))?;
        let mut record = Self::bare(job_id, state);
        record.schema_version = take(&mut map, "schema_version").unwrap_or(0);
        record.each_optional(&mut TakeFrom(&mut map));
        record.other = map;
        Ok(record)
    }

    /// Returns the record as a JSON object, unknown keys included.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = self.other.clone();
        map.insert("schema_version".into(), self.schema_version.max(SCHEMA_VERSION).into());
        map.insert("job_id".into(), self.job_id.as_str().into());
        map.insert("state".into(), self.state.as_str().into());
        self.clone().each_optional(&mut PutInto(&mut map));
        map
    }

    /// Returns the bytes of `job.json`: pretty-printed, keys sorted, ending with a newline.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut value = Value::Object(self.to_json());
        value.sort_all_objects();
        let mut text = format!("{value:#}");
        text.push('\n');
        text.into_bytes()
    }

    /// Shows every optional key and its place to `visit`: the one list of them.
    fn each_optional(&mut self, visit: &mut impl Visit) {
        visit.field("git_owner", &mut self.git_owner);
        visit.field("repo_name", &mut self.repo_name);
        visit.field("branch_name", &mut self.branch_name);
        visit.field("inbox_file", &mut self.inbox_file);
        visit.field("inbox_rel", &mut self.inbox_rel);
        visit.field("title", &mut self.title);
        visit.field("created_at", &mut self.created_at);
        visit.field("updated_at", &mut self.updated_at);
        visit.field("started_at", &mut self.started_at);
        visit.field("heartbeat_at", &mut self.heartbeat_at);
        visit.field("last_output_at", &mut self.last_output_at);
        visit.field("finished_at", &mut self.finished_at);
        visit.field("host", &mut self.host);
        visit.field("boot_id", &mut self.boot_id);
        visit.field("pid", &mut self.pid);
        visit.field("exit_code", &mut self.exit_code);
        visit.field("log_path", &mut self.log_path);
        visit.field("phase", &mut self.phase);
        visit.field("reason", &mut self.reason);
        visit.field("message", &mut self.message);
        visit.field("agent", &mut self.agent);
        visit.field("model", &mut self.model);
        visit.field("retry_of", &mut self.retry_of);
        visit.field("containment", &mut self.containment);
        visit.field("base_commit", &mut self.base_commit);
        visit.field("delivery", &mut self.delivery);
        visit.field("usage", &mut self.usage);
    }
}

trait Visit {
    fn field<T: Serialize + DeserializeOwned>(&mut self, key: &str, place: &mut Option<T>);
}

struct TakeFrom<'a>(&'a mut Map<String, Value>);

impl Visit for TakeFrom<'_> {
    fn field<T: Serialize + DeserializeOwned>(&mut self, key: &str, place: &mut Option<T>) {
        *place = take(self.0, key);
    }
}

struct PutInto<'a>(&'a mut Map<String, Value>);

impl Visit for PutInto<'_> {
    fn field<T: Serialize + DeserializeOwned>(&mut self, key: &str, place: &mut Option<T>) {
        if let Some(value) = place
            && let Ok(value) = serde_json::to_value(value)
        {
            self.0.insert(key.to_owned(), value);
        }
    }
}

/// Takes a key out of the map if its value is usable; leaves it there, to be kept as it is, if not.
fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, key: &str) -> Option<T> {
    let value = map.get(key).filter(|value| !value.is_null())?;
    let value = T::deserialize(value).ok()?;
    map.remove(key);
    Some(value)
}
