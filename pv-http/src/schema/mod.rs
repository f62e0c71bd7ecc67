//! The shapes of answers and bodies, as they are documented and sent.

mod installation;
mod job;
mod status;

use poem_openapi::{Object, types::Example};
use serde::Serialize;

pub(crate) use installation::Installation;
pub(crate) use job::{Job, JobList};
pub(crate) use status::{
    Status, StatusConfig, StatusDisk, StatusHold, StatusJobs, StatusRoots, StatusTargets, StatusUnusable,
    StatusUnusableEntry, StatusWatcher,
};

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

/// The id in examples.
const EXAMPLE_ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
