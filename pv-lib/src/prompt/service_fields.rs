//! Our own fields in a prompt's front matter: written when it is submitted, and how far they are believed later.
//!
//! It is all that is left of a job whose run folder is gone. Anybody can write such keys by hand, so that they count
//! for one job alone: the one whose id the file carries in its name too.

use std::borrow::Cow;

use super::{
    Source,
    outline::{Node, Outline},
};
use crate::{job::JobId, time::Timestamp};

/// The key of the job that a prompt repeats.
pub(super) const RETRY_OF: &str = "retry_of";

/// The key that says that a repetition runs only the checks.
pub(super) const CHECKS_ONLY: &str = "checks_only";

/// What we write into a prompt's front matter when it is submitted.
#[derive(Debug, Clone, Copy)]
pub struct ServiceFields<'a> {
    /// The job's id.
    pub job_id: &'a JobId,
    /// `owner/repo`, or `repo` where no owner is known.
    pub repo: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// The way that it came.
    pub source: Source,
    /// The job that it repeats.
    pub retry_of: Option<&'a JobId>,
}

/// Our fields, as they were read from a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedServiceFields {
    /// The job that they are of: no other may believe the rest.
    pub job_id: JobId,
    /// When the prompt was submitted.
    pub created_at: Option<Timestamp>,
    /// The job that it repeats; only where it came as a repetition.
    pub retry_of: Option<JobId>,
    /// Whether it runs no agent, but the checks on what that job left; only where it came as a repetition.
    pub checks_only: bool,
}

impl ServiceFields<'_> {
    /// Returns our keys and their values, in the order in which they are written.
    ///
    /// `has_retry_of` says that the text has such a key: one of somebody else must not count as ours.
    pub(super) fn pairs(&self, has_retry_of: bool) -> Vec<(&'static str, Cow<'_, str>)> {
        let mut pairs = vec![
            ("job_id", self.job_id.as_str().into()),
            ("repo", self.repo.into()),
            ("branch", self.branch.into()),
            ("created_at", self.created_at.to_string().into()),
            ("source", self.source.as_str().into()),
        ];
        match self.retry_of {
            Some(id) => pairs.push((RETRY_OF, id.as_str().into())),
            None if has_retry_of => pairs.push((RETRY_OF, "".into())),
            None => {}
        }
        pairs
    }
}

/// Reads our fields in a prompt; `None` where it has none with a usable id.
pub(super) fn parse_service_fields(outline: &Outline) -> Option<ParsedServiceFields> {
    let pv = outline.pv().ok().flatten()?;
    let text = |key: &str| pv.get(key).and_then(Node::text);
    let repeats = text("source") == Some(Source::Retry.as_str());
    Some(ParsedServiceFields {
        job_id: JobId::minted(text("job_id")?)?,
        created_at: text("created_at").and_then(|at| at.parse().ok()),
        retry_of: text(RETRY_OF).filter(|_| repeats).and_then(|id| id.parse().ok()),
        checks_only: repeats && is_checks_only(outline),
    })
}

/// Tells whether a text has a key that must go where our fields have none.
pub(super) fn has_retry_of(outline: &Outline) -> bool {
    outline.pv().ok().flatten().and_then(|pv| pv.get(RETRY_OF)).is_some_and(|value| !value.is_null())
}

/// Tells whether a text says that it is to run only the checks; it counts for a repetition alone.
pub(super) fn is_checks_only(outline: &Outline) -> bool {
    outline.pv().ok().flatten().and_then(|pv| pv.get(CHECKS_ONLY)).and_then(Node::text) == Some("true")
}
