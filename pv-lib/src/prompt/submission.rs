//! What is submitted, and the checked draft that it becomes: the only way in.

use std::{fmt, str};

use super::{ParsedServiceFields, SERVICE_FIELDS_BYTES_MAX, ServiceFields, Source, front_matter, name, title::title};
use crate::{
    error::{Error, Result},
    job::JobId,
    target::Target,
    time::Timestamp,
};

/// A prompt as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The repository, as a bare name or as `owner/name`; blanks around it count as none.
    pub repo: String,
    /// The branch; blanks around it count as none.
    pub branch: String,
    /// The text, as it came.
    pub markdown: Vec<u8>,
    /// The file name that it should have; none, or an empty one, for one made of the time and the id.
    pub filename: Option<String>,
    /// The way that it came.
    pub source: Source,
    /// The job that it repeats.
    pub retry_of: Option<JobId>,
}

/// A submission that passed every check, ready to be written to the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The job that it will be.
    pub job_id: JobId,
    /// The file's name, id included: one that [`classify`](super::classify) calls waiting.
    pub file_name: String,
    /// The file's bytes: the text with our keys in its front matter.
    pub contents: Vec<u8>,
    /// What the prompt is about, in a line.
    pub title: Option<String>,
    /// The job that it repeats.
    pub retry_of: Option<JobId>,
    /// Whether it runs no agent, but the checks on what that job left.
    pub checks_only: bool,
    /// When it was submitted.
    pub created_at: Timestamp,
}

/// What a prompt that can be run says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPrompt {
    /// What a person set under `pv:`.
    pub settings: front_matter::Settings,
    /// What the prompt is about, in a line: `pv.title`, else its first heading.
    pub title: Option<String>,
    /// What our fields in it say, if it has them; whoever wrote them.
    pub service_fields: Option<ParsedServiceFields>,
    /// Whether it says that it is to run only the checks, whoever wrote that: it counts for a repetition alone.
    pub says_checks_only: bool,
}

impl Submission {
    /// Checks that a repository and a branch are named at all; whether they exist is for the store to find out.
    ///
    /// # Errors
    /// [`Error::InvalidPrompt`] when one is blank.
    pub fn check_names(&self) -> Result<()> {
        if self.repo.trim().is_empty() {
            return Err(invalid("repo must not be blank: name a repository, as `name` or `owner/name`"));
        }
        if self.branch.trim().is_empty() {
            return Err(invalid("branch must not be blank: name a branch, such as `main`"));
        }
        Ok(())
    }

    /// Returns what is to be written to the inbox of `target`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the text has more than `limit_bytes`, [`Error::InvalidPrompt`] when a name is blank or
    /// unusable, or the text empty, not UTF-8, or with front matter that cannot be used, or it is a repetition of
    /// nothing. Its message is for people.
    pub fn draft(&self, target: &Target, id: &JobId, now: Timestamp, limit_bytes: u64) -> Result<Draft> {
        self.check_names()?;
        // A prompt that says so is believed later.
        let source = if self.retry_of.is_some() { Source::Retry } else { self.source };
        if source == Source::Retry && self.retry_of.is_none() {
            return Err(invalid("a repetition must name the job that it repeats"));
        }
        let default_stem = now.compact();
        let stem = match self.filename.as_deref() {
            None | Some("") => default_stem.as_str(),
            Some(file_name) => name::stem_of(file_name).map_err(invalid)?,
        };
        let limit = if self.retry_of.is_some() { with_service_fields(limit_bytes) } else { limit_bytes };
        let text = readable(&self.markdown, limit, limit_bytes)?;
        let checked = check_text(text)?;
        let fields = ServiceFields {
            job_id: id,
            repo: &target.full_repo(),
            branch: target.branch(),
            created_at: now,
            source,
            retry_of: self.retry_of.as_ref(),
        };
        Ok(Draft {
            job_id: id.clone(),
            file_name: name::waiting_name(stem, id),
            contents: front_matter::merge(text, &fields).map_err(invalid)?.into_bytes(),
            title: checked.title,
            retry_of: self.retry_of.clone(),
            checks_only: self.retry_of.is_some() && checked.says_checks_only,
            created_at: now,
        })
    }
}

/// Checks a prompt that is about to run, whoever wrote it.
///
/// # Errors
/// As [`Submission::draft`] for the text; a text that carries our keys may be larger by
/// [`SERVICE_FIELDS_BYTES_MAX`](super::SERVICE_FIELDS_BYTES_MAX).
pub fn check(bytes: &[u8], limit_bytes: u64) -> Result<ParsedPrompt> {
    check_text(readable(bytes, with_service_fields(limit_bytes), limit_bytes)?)
}

fn check_text(text: &str) -> Result<ParsedPrompt> {
    let parts = front_matter::split(text).map_err(invalid)?;
    let (settings, service_fields, says_checks_only) = front_matter::read(&parts).map_err(invalid)?;
    if parts.body.trim().is_empty() {
        return Err(invalid("the prompt has no text: say what is to be done"));
    }
    let title = settings.title.clone().or_else(|| title(parts.body));
    Ok(ParsedPrompt { settings, title, service_fields, says_checks_only })
}

fn readable(bytes: &[u8], limit: u64, shown_limit: u64) -> Result<&str> {
    let len = bytes.len() as u64;
    if len > limit {
        return Err(Error::TooLarge { len, limit: shown_limit });
    }
    str::from_utf8(bytes)
        .map_err(|e| invalid(format!("the prompt is not UTF-8 text (byte {}): save it as UTF-8", e.valid_up_to())))
}

fn with_service_fields(limit_bytes: u64) -> u64 {
    limit_bytes.saturating_add(SERVICE_FIELDS_BYTES_MAX as u64)
}

fn invalid(sentence: impl fmt::Display) -> Error {
    Error::InvalidPrompt(sentence.to_string())
}
