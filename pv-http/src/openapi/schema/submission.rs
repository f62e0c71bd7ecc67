//! The body of a submission, and the receipt once it is durable: only for their description, since the library makes it.

use poem_openapi::{Object, types::Example};

use super::job::EXAMPLE_ID;

/// A prompt for a repository and a branch.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct NewJob {
    /// The repository: a bare name, or `owner/name`.
    #[oai(validator(pattern = r"[^\s\u0085]"))]
    pub(crate) repo: String,
    /// The branch to work on.
    #[oai(validator(pattern = r"[^\s\u0085]"))]
    pub(crate) branch: String,
    /// The prompt, in Markdown, with or without front matter.
    #[oai(validator(pattern = r"[^\s\u0085]"))]
    pub(crate) markdown_text: String,
    /// A name for the prompt's file, ending with `.md`, in any letter case; an empty one means none. It is no path, not
    /// hidden, no synchronizer's copy, and has no control characters.
    // What `pv_lib::prompt` takes, as far as a pattern without look-ahead can say it.
    #[oai(
        nullable,
        validator(
            pattern = r"^$|^[\s\u0085]*[^\s./\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069][^/\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,210}(?:\.[Pp][Rr][Oo][Mm][Pp][Tt])?\.[Mm][Dd][\s\u0085]*$"
        )
    )]
    pub(crate) filename: Option<String>,
    /// The names of the checks that run on its work, instead of the repository's own.
    #[oai(nullable, validator(pattern = "^[A-Za-z0-9_-]{1,64}$", max_items = "20", unique_items))]
    pub(crate) checks: Option<Vec<String>>,
    /// How often its agent may be run, at most as often as the settings allow.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "10")))]
    pub(crate) attempts: Option<u32>,
}

impl Example for NewJob {
    fn example() -> Self {
        Self {
            repo: "nova-rey/example".into(),
            branch: "main".into(),
            markdown_text: "# Add a changelog\n\nSummarize the last ten commits.\n".into(),
            filename: Some("changelog.md".into()),
            checks: None,
            attempts: None,
        }
    }
}

/// A prompt that was accepted: it survives a power cut.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct SubmitReceipt {
    /// The job's id.
    pub(crate) job_id: String,
    /// The prompt's file in the inbox.
    pub(crate) inbox_path: String,
    /// When the job was made.
    pub(crate) created_at: String,
}

impl Example for SubmitReceipt {
    fn example() -> Self {
        let job_id = EXAMPLE_ID;
        Self {
            job_id: job_id.into(),
            inbox_path: format!("/srv/prompt-valet/inbox/example/main/changelog-{job_id}.prompt.md"),
            created_at: "2026-01-31T12:00:00Z".into(),
        }
    }
}

/// Prompts that were accepted.
#[derive(Debug, Object)]
pub(crate) struct SubmitReceipts {
    /// One for each file, in their order.
    pub(crate) jobs: Vec<SubmitReceipt>,
}
