//! The shapes of answers and bodies, as they are documented and sent.

use std::collections::{BTreeMap, HashMap};

use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde::Serialize;
use serde_json::{Value, json};

/// An error: a sentence that says what to do.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Refused {
    /// What is wrong, and what to do.
    pub(crate) detail: String,
}

impl Example for Refused {
    fn example() -> Self {
        Self { detail: "Job not found".into() }
    }
}

/// An error: each value that is missing or cannot be used.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Unusable {
    /// One entry for each.
    pub(crate) detail: Vec<UnusableValue>,
}

impl Example for Unusable {
    fn example() -> Self {
        let loc = vec!["body".into(), "repo".into()];
        Self { detail: vec![UnusableValue { loc, msg: "Field required".into(), kind: "missing".into() }] }
    }
}

/// A value that is missing or cannot be used.
#[derive(Debug, Object)]
pub(crate) struct UnusableValue {
    /// Where it is: `body` or `query`, then its name.
    pub(crate) loc: Vec<String>,
    /// What is wrong with it, for people.
    pub(crate) msg: String,
    /// What is wrong with it, for programs.
    #[oai(rename = "type")]
    pub(crate) kind: String,
}

/// The service answers.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub(crate) struct Health {
    /// Always `ok`.
    pub(crate) status: String,
    /// The version of the service.
    pub(crate) version: String,
}

impl Example for Health {
    fn example() -> Self {
        Self { status: "ok".into(), version: "1.2.3".into() }
    }
}

/// What the service sees.
#[derive(Debug, Object, Serialize)]
pub(crate) struct Status {
    /// Always `ok`.
    pub(crate) status: String,
    /// The settings that matter to clients.
    pub(crate) config: StatusConfig,
    /// How many jobs there are.
    pub(crate) jobs: StatusJobs,
    /// How many targets there are.
    pub(crate) targets: StatusTargets,
    /// Whether the folders are there.
    pub(crate) roots: StatusRoots,
    /// The watcher, which runs the jobs.
    pub(crate) watcher: StatusWatcher,
    /// The disk that holds the run folders.
    pub(crate) disk: StatusDisk,
}

/// The settings that matter to clients.
#[derive(Debug, Object, Serialize)]
pub(crate) struct StatusConfig {
    /// The inbox.
    pub(crate) tree_builder_root: String,
    /// Where the run folders are.
    pub(crate) runs_root: String,
    /// Seconds without a heartbeat after which a running job is stalled.
    pub(crate) stall_threshold_seconds: u64,
    /// The address that the service is bound to.
    pub(crate) bind_host: String,
    /// The port that the service is bound to.
    pub(crate) bind_port: u16,
}

/// How many jobs there are.
#[derive(Debug, Object, Serialize)]
pub(crate) struct StatusJobs {
    /// Jobs by state; states without any are left out.
    pub(crate) counts: BTreeMap<String, u64>,
    /// All jobs.
    pub(crate) total: u64,
    /// Running jobs whose supervisor is silent.
    pub(crate) stalled_running: u64,
}

/// How many targets there are.
#[derive(Debug, Object, Serialize)]
pub(crate) struct StatusTargets {
    /// All targets.
    pub(crate) count: u64,
}

/// Whether the folders are there.
#[derive(Debug, Object, Serialize)]
pub(crate) struct StatusRoots {
    /// The inbox.
    pub(crate) tree_builder_root_exists: bool,
    /// The folder of the runs.
    pub(crate) runs_root_exists: bool,
}

/// The watcher, as its last sign of life tells.
#[derive(Debug, Default, Object, Serialize)]
pub(crate) struct StatusWatcher {
    /// Whether it has given a sign of life within 30 s; null where it never gave any.
    #[oai(nullable)]
    pub(crate) alive: Option<bool>,
    /// Its process id.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    /// The host it runs on.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// When it was started.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<String>,
    /// Its version.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Its last sign of life.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beat_at: Option<String>,
}

/// The disk that holds the run folders; null where it cannot be measured.
#[derive(Debug, Object, Serialize)]
pub(crate) struct StatusDisk {
    /// What may still be used, in bytes.
    #[oai(nullable)]
    pub(crate) available_bytes: Option<u64>,
    /// Its size, in bytes.
    #[oai(nullable)]
    pub(crate) total_bytes: Option<u64>,
    /// What must stay free, in bytes: below it, prompts are refused with 507.
    #[oai(nullable)]
    pub(crate) floor_bytes: Option<u64>,
}

/// A repository and a branch that prompts can be handed over for.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub(crate) struct TargetItem {
    /// The repository, without its owner.
    pub(crate) repo: String,
    /// The branch.
    pub(crate) branch: String,
    /// Its folder in the inbox.
    pub(crate) inbox_path: String,
    /// The owner, where one is known.
    #[oai(nullable)]
    pub(crate) owner: Option<String>,
    /// `owner/repo`, or `repo` where no owner is known.
    pub(crate) full_repo: String,
}

impl Example for TargetItem {
    fn example() -> Self {
        Self {
            repo: "example".into(),
            branch: "main".into(),
            inbox_path: "/srv/prompt-valet/inbox/example/main".into(),
            owner: Some("nova-rey".into()),
            full_repo: "nova-rey/example".into(),
        }
    }
}

/// A prompt for a repository and a branch.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct NewJob {
    /// The repository: a bare name, or `owner/name`.
    pub(crate) repo: String,
    /// The branch to work on.
    pub(crate) branch: String,
    /// The prompt, in Markdown, with or without front matter.
    pub(crate) markdown_text: String,
    /// A name for the prompt's file, ending with `.md`; blank means none.
    #[oai(nullable)]
    pub(crate) filename: Option<String>,
}

impl Example for NewJob {
    fn example() -> Self {
        Self {
            repo: "nova-rey/example".into(),
            branch: "main".into(),
            markdown_text: "# Add a changelog\n\nSummarize the last ten commits.\n".into(),
            filename: Some("changelog.md".into()),
        }
    }
}

/// A prompt that was taken: it survives a power cut.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub(crate) struct Taken {
    /// The job's id.
    pub(crate) job_id: String,
    /// The prompt's file in the inbox.
    pub(crate) inbox_path: String,
    /// When the job was made.
    pub(crate) created_at: String,
}

impl Example for Taken {
    fn example() -> Self {
        let job_id = EXAMPLE_ID;
        Self {
            job_id: job_id.into(),
            inbox_path: format!("/srv/prompt-valet/inbox/example/main/changelog-{job_id}.prompt.md"),
            created_at: "2026-01-31T12:00:00Z".into(),
        }
    }
}

/// Prompts that were taken.
#[derive(Debug, Object, Serialize)]
pub(crate) struct TakenJobs {
    /// One for each file, in their order.
    pub(crate) jobs: Vec<Taken>,
}

/// An abort that is asked for.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub(crate) struct AbortTaken {
    /// The job's id.
    pub(crate) job_id: String,
    /// The state that the job was in.
    pub(crate) previous_state: String,
    /// When the abort was first asked for.
    pub(crate) abort_requested_at: String,
}

impl Example for AbortTaken {
    fn example() -> Self {
        Self {
            job_id: EXAMPLE_ID.into(),
            previous_state: "running".into(),
            abort_requested_at: "2026-01-31T12:00:05Z".into(),
        }
    }
}

/// Jobs, newest first.
#[derive(Debug, Object)]
pub(crate) struct JobList {
    /// The jobs.
    pub(crate) jobs: Vec<Job>,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its prompt waits.
    Created,
    /// It was started.
    Running,
    /// The work is done and handed over.
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
/// A damaged record has `job_id`, `state: unknown` and `message` only. Keys that a newer version wrote are passed on.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Job {
    /// The job's id, which is its run folder's name.
    pub(crate) job_id: String,
    /// Where the job is in its life.
    pub(crate) state: State,
    /// The schema that the record was written with.
    pub(crate) schema_version: Option<u64>,
    /// The repository's owner.
    pub(crate) git_owner: Option<String>,
    /// The repository, without its owner.
    pub(crate) repo_name: Option<String>,
    /// The branch.
    pub(crate) branch_name: Option<String>,
    /// The prompt's file, absolute, as it is named now.
    pub(crate) inbox_file: Option<String>,
    /// The prompt's file relative to the inbox, as it was dropped or submitted.
    pub(crate) inbox_rel: Option<String>,
    /// The prompt's title.
    pub(crate) title: Option<String>,
    /// When the job was made.
    pub(crate) created_at: Option<String>,
    /// When the record last changed.
    pub(crate) updated_at: Option<String>,
    /// When a supervisor started the job.
    pub(crate) started_at: Option<String>,
    /// When its supervisor last said that it lives.
    pub(crate) heartbeat_at: Option<String>,
    /// When the agent last wrote anything.
    pub(crate) last_output_at: Option<String>,
    /// When the job was over.
    pub(crate) finished_at: Option<String>,
    /// The host that made the record.
    pub(crate) host: Option<String>,
    /// The agent's process id.
    pub(crate) pid: Option<i32>,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    pub(crate) exit_code: Option<i32>,
    /// Where the log is on the host.
    pub(crate) log_path: Option<String>,
    /// What a running job does now: `preparing`, `agent` or `delivering`.
    pub(crate) phase: Option<String>,
    /// Why it failed, for programs.
    pub(crate) reason: Option<String>,
    /// How it ended, for people.
    pub(crate) message: Option<String>,
    /// The agent that runs it.
    pub(crate) agent: Option<String>,
    /// The model that the agent was told to use.
    pub(crate) model: Option<String>,
    /// The job that this one repeats.
    pub(crate) retry_of: Option<String>,
    /// What was handed over: `branch`, `commit`, `pr_url`, `patch_path`, `error`.
    pub(crate) delivery: Option<HashMap<String, Any<Value>>>,
    /// Tokens and cost, as far as the agent told.
    pub(crate) usage: Option<Any<Value>>,
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

/// The id in examples.
const EXAMPLE_ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
