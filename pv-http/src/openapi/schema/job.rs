//! A job, and the receipt of an abort: only for their description, since the library makes them, and records may have keys
//! that this version does not know.

use std::collections::HashMap;

use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde_json::Value;

/// The id in examples.
pub(super) const EXAMPLE_ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

/// Jobs, newest first.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct JobList {
    /// The jobs.
    pub(crate) jobs: Vec<Job>,
    /// Where the next ones begin, if there are more: to be sent as `cursor`, with the same filters.
    pub(crate) next_cursor: Option<String>,
}

/// Where a job is in its life.
#[derive(Debug, Default, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its prompt waits.
    #[default]
    Created,
    /// It was started.
    Running,
    /// The work is done and delivered.
    Succeeded,
    /// It ended otherwise.
    Failed,
    /// It was stopped on request.
    Aborted,
    /// Its record is damaged.
    Unknown,
}

/// A job: its record on disk, and what is derived from it.
///
/// A damaged record has `job_id`, `state: unknown` and `message` only. Keys that a newer version wrote are passed on, and so is
/// null where another program wrote it.
#[derive(Debug, Default, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(crate) struct Job {
    /// The job's id, which is its run folder's name.
    pub(crate) job_id: String,
    // No comment of its own: with one, the reference is wrapped in an `allOf`, which client generators do not take.
    pub(crate) state: State,
    /// The schema that the record was written with.
    #[oai(nullable)]
    pub(crate) schema_version: Option<u64>,
    /// The repository's owner.
    #[oai(nullable)]
    pub(crate) git_owner: Option<String>,
    /// The repository, without its owner.
    #[oai(nullable)]
    pub(crate) repo_name: Option<String>,
    /// The branch.
    #[oai(nullable)]
    pub(crate) branch_name: Option<String>,
    /// The prompt's file, absolute, as it is named now.
    #[oai(nullable)]
    pub(crate) inbox_file: Option<String>,
    /// The prompt's file relative to the inbox, as it was dropped or submitted.
    #[oai(nullable)]
    pub(crate) inbox_rel: Option<String>,
    /// The prompt's title.
    #[oai(nullable)]
    pub(crate) title: Option<String>,
    /// When the job was made.
    #[oai(nullable)]
    pub(crate) created_at: Option<String>,
    /// When the record last changed.
    #[oai(nullable)]
    pub(crate) updated_at: Option<String>,
    /// When a supervisor started the job.
    #[oai(nullable)]
    pub(crate) started_at: Option<String>,
    /// The last heartbeat of its supervisor.
    #[oai(nullable)]
    pub(crate) heartbeat_at: Option<String>,
    /// When the agent last wrote anything.
    #[oai(nullable)]
    pub(crate) last_output_at: Option<String>,
    /// When the job was over.
    #[oai(nullable)]
    pub(crate) finished_at: Option<String>,
    /// The host that made the record.
    #[oai(nullable)]
    pub(crate) host: Option<String>,
    /// The agent's process id.
    #[oai(nullable)]
    pub(crate) pid: Option<i64>,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    #[oai(nullable)]
    pub(crate) exit_code: Option<i64>,
    /// Where the log is on the host.
    #[oai(nullable)]
    pub(crate) log_path: Option<String>,
    /// What a running job does now: `preparing`, `agent`, `saving`, `checking` or `delivering`.
    #[oai(nullable)]
    pub(crate) phase: Option<String>,
    /// What a job that is not over waits for, in a sentence: room on a full disk, its launcher, or proof that what that
    /// started has ended.
    #[oai(nullable)]
    pub(crate) waiting_for: Option<String>,
    /// How the job is to end once its work is saved, while that is done: `state`, `reason`, `message`, and
    /// `unwritten_bytes` of its agent's output.
    #[oai(nullable)]
    pub(crate) pending_outcome: Option<HashMap<String, Any<Value>>>,
    /// Why it failed, for programs: `exit`, `signal`, `timeout`, `idle`, `start`, `checkout`, `delivery`, `interrupted`,
    /// `prompt`, `quota`, `auth`, `memory`, `empty`, `setup` or `check`. Newer programs may have more.
    #[oai(nullable)]
    pub(crate) reason: Option<String>,
    /// How it ended, for people.
    #[oai(nullable)]
    pub(crate) message: Option<String>,
    /// The agent that runs it.
    #[oai(nullable)]
    pub(crate) agent: Option<String>,
    /// The model that the agent was called with.
    #[oai(nullable)]
    pub(crate) model: Option<String>,
    /// The job that this one repeats.
    #[oai(nullable)]
    pub(crate) retry_of: Option<String>,
    /// The commit that the checkout began with.
    #[oai(nullable)]
    pub(crate) base_commit: Option<String>,
    /// Whether the agent changed anything that a commit holds; not there until its work is saved.
    #[oai(nullable)]
    pub(crate) changed: Option<bool>,
    /// The file that the job's prompt was the same as when it was taken in, by name, contents and time: a synchronizer may
    /// have brought it back.
    #[oai(nullable)]
    pub(crate) same_file_as: Option<String>,
    /// Whether the prompt's file was changed after it had been read for the agent: what was added was not run.
    #[oai(nullable)]
    pub(crate) prompt_changed: Option<bool>,
    /// How the agent's processes were contained: `cgroup` or `sweep`; where a launcher ran it, its name with what was proved
    /// of their end, and nothing before that.
    #[oai(nullable)]
    pub(crate) containment: Option<String>,
    /// The launcher that ran the agent; not there where the agent was a child of its supervisor.
    #[oai(nullable)]
    pub(crate) launcher: Option<String>,
    /// What was delivered: `branch`, `commit`, `pr_url`, `patch_path`, `error`; where its checkout is kept, `checkout_path`,
    /// `checkout_reason` and `checkout_bytes`, or `checkout_discarded_at`; and `ignored`, what the agent made that git
    /// ignores: `files`, `bytes`, `archive_path`, `cached_files`.
    #[oai(nullable)]
    pub(crate) delivery: Option<HashMap<String, Any<Value>>>,
    /// Tokens and cost of all attempts, as far as the agent reported them.
    // Anything, null included: `nullable` would need a type.
    pub(crate) usage: Option<Any<Value>>,
    /// Each run of its agent; the last entry is there before that run is executed.
    #[oai(nullable)]
    pub(crate) attempts: Option<Vec<Attempt>>,
    /// What the checks said of the commit in `delivery`.
    #[oai(nullable)]
    pub(crate) checks: Option<Vec<CheckResult>>,
    /// Whether every check was started, ended by itself and exited with 0; not there without checks, and where it cannot be
    /// told.
    #[oai(nullable)]
    pub(crate) verified: Option<bool>,
    /// Whether the checks ran once more, on a checkout made from the saved work, after a supervisor was gone.
    #[oai(nullable)]
    pub(crate) checks_rerun: Option<bool>,
    /// Whether it runs no agent, but the checks on what the job that it repeats left.
    #[oai(nullable)]
    pub(crate) checks_only: Option<bool>,
    /// The files that the checks run from and that the work changes.
    #[oai(nullable)]
    pub(crate) checks_changed: Option<Vec<String>>,
    /// What the agent said last, up to 16 KiB from the end; only where one job is asked for, and the agent said something.
    #[oai(nullable)]
    pub(crate) last_message: Option<String>,
    /// Whether its supervisor has been silent for too long.
    pub(crate) stalled: Option<bool>,
    /// Whether its agent has said nothing for long, which is no fault.
    pub(crate) quiet: Option<bool>,
    /// Seconds since the job was made.
    pub(crate) age_seconds: Option<u64>,
    /// Whether somebody asked for it to be stopped.
    pub(crate) abort_requested: Option<bool>,
    /// Keys that a newer version wrote.
    #[oai(flatten)]
    pub(crate) other: HashMap<String, Any<Value>>,
}

/// What one check came to.
#[derive(Debug, Default, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct CheckResult {
    /// Its name in the settings.
    pub(crate) name: String,
    /// The command that was run.
    pub(crate) command: Option<String>,
    /// How it exited; minus the signal's number if a signal ended it. Not there where it was not started.
    pub(crate) exit_code: Option<i32>,
    /// How long it ran, in seconds.
    pub(crate) seconds: f64,
    /// Whether it was ended at its time limit.
    pub(crate) timed_out: bool,
    /// Why it was not run to its end, where it was not.
    pub(crate) error: Option<String>,
}

/// One run of a job's agent.
#[derive(Debug, Default, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Attempt {
    /// Which one it is: 1 for the first.
    pub(crate) number: u32,
    /// When it began.
    pub(crate) started_at: Option<String>,
    /// When its agent was gone.
    pub(crate) finished_at: Option<String>,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    pub(crate) exit_code: Option<i32>,
    /// The agent's session.
    pub(crate) session: Option<String>,
    /// Tokens and cost of this attempt alone.
    pub(crate) usage: Option<Any<Value>>,
    /// The commit that holds the work as it left it.
    pub(crate) commit: Option<String>,
    /// What the checks said of that commit.
    pub(crate) checks: Option<Vec<CheckResult>>,
}

impl Example for Job {
    fn example() -> Self {
        Self {
            job_id: EXAMPLE_ID.into(),
            state: State::Running,
            schema_version: Some(1),
            git_owner: Some("nova-rey".into()),
            repo_name: Some("example".into()),
            branch_name: Some("main".into()),
            created_at: Some("2026-01-31T12:00:00Z".into()),
            started_at: Some("2026-01-31T12:00:01Z".into()),
            heartbeat_at: Some("2026-01-31T12:00:21Z".into()),
            phase: Some("agent".into()),
            agent: Some("codex".into()),
            stalled: Some(false),
            quiet: Some(false),
            age_seconds: Some(23),
            abort_requested: Some(false),
            ..Self::default()
        }
    }
}

/// An abort that is asked for.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct AbortReceipt {
    /// The job's id.
    pub(crate) job_id: String,
    /// The state that the job was in.
    pub(crate) previous_state: String,
    /// When the abort was first asked for.
    pub(crate) abort_requested_at: String,
}

impl Example for AbortReceipt {
    fn example() -> Self {
        Self {
            job_id: EXAMPLE_ID.into(),
            previous_state: "running".into(),
            abort_requested_at: "2026-01-31T12:00:05Z".into(),
        }
    }
}
