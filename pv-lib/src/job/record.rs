//! The record of a job, as `job.json` holds it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Attempt, CheckResult, Delivery, FailReason, IllegalTransition, JobEvent, JobId, JobState, Outcome, PendingOutcome,
    Phase,
};
use crate::{target::Target, time::Timestamp};

/// The version of the record's schema that this program writes.
///
/// A record with a higher one is readable and never rewritten; one without any (the earlier service's) counts as 0.
pub const SCHEMA_VERSION: u64 = 1;

/// Defines the record: its optional fields are listed here once, each under the key that `job.json` has for it.
///
/// Not by serde alone: a known key whose value has another shape must come back unchanged, and `flatten` with defaults
/// would drop or refuse it.
macro_rules! job_record {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
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
            $($(#[$doc])* pub $field: Option<$kind>,)*
            other: Map<String, Value>,
        }

        impl JobRecord {
            fn bare(job_id: JobId, state: JobState) -> Self {
                Self { schema_version: 0, job_id, state, $($field: None,)* other: Map::new() }
            }

            /// Takes every optional field out of `map` whose value is usable.
            fn take_optional(&mut self, map: &mut Map<String, Value>) {
                $(self.$field = take(map, stringify!($field));)*
            }

            /// Puts every optional field that there is into `map`.
            fn put_optional(&self, map: &mut Map<String, Value>) {
                $(put(map, stringify!($field), self.$field.as_ref());)*
            }
        }
    };
}

job_record! {
    /// The repository's owner.
    git_owner: String,
    /// The repository, without its owner.
    repo_name: String,
    /// The branch that the prompt is for.
    branch_name: String,
    /// The prompt file, absolute, as it was named when the record was written. Shown, never opened.
    inbox_file: String,
    /// The prompt file relative to the inbox, as it was dropped or submitted. Shown, never opened.
    inbox_rel: String,
    /// The prompt's title: `pv.title`, or its first heading.
    title: String,
    /// When the job was made.
    created_at: Timestamp,
    /// When the record last changed.
    updated_at: Timestamp,
    /// When a supervisor started the job.
    started_at: Timestamp,
    /// When its supervisor last wrote a heartbeat.
    heartbeat_at: Timestamp,
    /// When the agent last wrote anything.
    last_output_at: Timestamp,
    /// When the job was over.
    finished_at: Timestamp,
    /// The host that made the record.
    host: String,
    /// The boot of that host in which the job was started.
    boot_id: String,
    /// The agent's process id, for people. Never signalled: liveness is the run's lock.
    pid: i32,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    exit_code: i32,
    /// Where the log is. Shown, never opened: the log is always `<run>/job.log`.
    log_path: String,
    /// What a running job does now, or what it did when it ended.
    phase: Phase,
    /// What its agent's work came to, while that is being saved: how the job ends once it is saved, and delivered where it
    /// went well. Not there once the job is over.
    pending_outcome: PendingOutcome,
    /// What a job that is not over waits for, in a sentence for people: room on a full disk, its launcher, or proof that what
    /// that started has ended.
    waiting_for: String,
    /// Why it failed.
    reason: FailReason,
    /// A sentence for people about how it ended.
    message: String,
    /// The agent that runs it.
    agent: String,
    /// The model that the agent was called with.
    model: String,
    /// The job that this one repeats.
    retry_of: JobId,
    /// The file that the job's prompt was the same as when it was taken in, by name, contents and time: a synchronizer may
    /// have brought it back. Shown, never opened.
    same_file_as: String,
    /// Whether the prompt's file was changed after it had been read for the agent: what was added was not run.
    prompt_changed: bool,
    /// How the agent's processes were contained: `cgroup` (ending them is a proof) or `sweep` (best effort); where a launcher
    /// ran it, its name with what was proved of their end, and nothing before that.
    containment: String,
    /// The launcher that ran the agent; absent where it was a child of the supervisor.
    launcher: String,
    /// The commit that the checkout began with.
    base_commit: String,
    /// Whether the agent changed anything that a commit holds; unknown until its work is saved.
    changed: bool,
    /// What was delivered.
    delivery: Delivery,
    /// Tokens and cost of all attempts, as far as the agent reported them.
    usage: Value,
    /// Each run of its agent; the last entry is there before that run is executed.
    attempts: Vec<Attempt>,
    /// What the checks said of the commit in `delivery`; absent while they run, and where there are none.
    checks: Vec<CheckResult>,
    /// Whether every check was started, ended by itself and exited with 0, on the commit in `delivery`; absent without
    /// checks, and where it cannot be told.
    verified: bool,
    /// Whether the checks ran once more, on a checkout made from the saved work, after a supervisor was gone.
    checks_rerun: bool,
    /// Whether it runs no agent, but the checks on what the job that it repeats left.
    checks_only: bool,
    /// The files that the checks run from, by `checks_paths`, that the work changes.
    checks_changed: Vec<String>,
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
    /// The model that the agent is called with.
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

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state
    }

    /// Tells whether it waits for room on a full disk.
    #[must_use]
    pub fn waits_for_room(&self) -> bool {
        self.waiting_for.as_deref().is_some_and(|what| what.starts_with("room "))
    }

    /// Tells whether it waits for its launcher: to begin, or for proof that what that started has ended.
    #[must_use]
    pub fn waits_for_launcher(&self) -> bool {
        self.waiting_for.is_some() && !self.waits_for_room()
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

    /// Returns when the job was made, as far as the record tells: lists are sorted by it, and its age counts from it. A
    /// record that another program wrote may only say when the job started, or when the record last changed.
    #[must_use]
    pub fn known_since(&self) -> Option<Timestamp> {
        self.created_at.or(self.started_at).or(self.updated_at).or(self.heartbeat_at)
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
        self.record_heartbeat(started.now);
        Ok(())
    }

    /// Records that the supervisor lives.
    pub fn record_heartbeat(&mut self, now: Timestamp) {
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
        (self.pending_outcome, self.waiting_for) = (None, None);
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
        let state = take_state(&mut map).ok_or(DamagedRecord::Unusable("state"))?;
        let mut record = Self::bare(job_id, state);
        record.schema_version = take(&mut map, "schema_version").unwrap_or(0);
        record.take_optional(&mut map);
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
        self.put_optional(&mut map);
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
}

/// Puts a value under a key of the map, where there is one.
fn put<T: Serialize>(map: &mut Map<String, Value>, key: &str, value: Option<&T>) {
    if let Some(value) = value
        && let Ok(value) = serde_json::to_value(value)
    {
        map.insert(key.to_owned(), value);
    }
}

/// Takes the state out of the map, which other programs may spell in any letter case.
fn take_state(map: &mut Map<String, Value>) -> Option<JobState> {
    take::<String>(map, "state")?.parse().ok()
}

/// Takes a key out of the map if its value is usable; leaves it there, to be kept as it is, if not.
fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, key: &str) -> Option<T> {
    let value = map.get(key).filter(|value| !value.is_null())?;
    let value = T::deserialize(value).ok()?;
    map.remove(key);
    Some(value)
}
