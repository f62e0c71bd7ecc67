//! Submitting: the prompt becomes durable in the inbox, then its run folder appears, then it is acknowledged.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::Store;
use crate::{
    Error, Result,
    fs::durable,
    job::{JobId, KeptWork},
    prompt::{Draft, NameKind, Source, Submission, classify, set_checks_only, stem_of},
    target::Target,
    time::Timestamp,
};

/// The acknowledgement of a submitted prompt: it survives a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The job that it became.
    pub job_id: JobId,
    /// The prompt file, where it waits.
    pub inbox_path: Utf8PathBuf,
    /// When it was made.
    pub created_at: Timestamp,
}

struct PublishedPrompt {
    draft: Draft,
    target: Target,
    path: Utf8PathBuf,
}

impl Store {
    /// Submits prompts, all or none, and returns a receipt for each in their order.
    ///
    /// Blanks around the names of repository, branch and file are dropped. Everything is checked before anything is written. Each prompt is durable in the inbox before its run folder is
    /// published; a crash in between leaves a prompt whose run folder the watcher publishes under the same id. When
    /// writing fails midway, what was written is withdrawn again.
    ///
    /// # Errors
    /// [`Error::InvalidPrompt`], [`Error::TooLarge`], [`Error::TargetNotFound`], [`Error::AmbiguousRepo`] and
    /// [`Error::DiskFull`] with nothing written; [`Error::Fs`] where a call of the
    /// file system failed.
    pub fn submit(
        &self,
        submissions: &[Submission],
        mint: &mut dyn FnMut() -> JobId,
        now: Timestamp,
    ) -> Result<Vec<Receipt>> {
        let mut prompts = Vec::with_capacity(submissions.len());
        for submission in submissions {
            submission.check_names()?;
            let found = self.find_target(submission.repo.trim(), submission.branch.trim())?;
            let draft = submission.draft(&found.target, &mint(), now, self.limits().prompt_bytes)?;
            prompts.push(PublishedPrompt { path: found.dir.join(&draft.file_name), target: found.target, draft });
        }
        let total = prompts.iter().map(|prompt| prompt.draft.contents.len() as u64).sum();
        self.check_free_space(total)?;
        self.write_all(&prompts).inspect_err(|_| self.withdraw_all(&prompts))?;
        let receipt =
            |prompt: PublishedPrompt| Receipt { job_id: prompt.draft.job_id, inbox_path: prompt.path, created_at: now };
        Ok(prompts.into_iter().map(receipt).collect())
    }

    /// Submits the prompt of a job that is over again, as a new job for the same target that names the old prompt.
    ///
    /// # Errors
    /// [`Error::NotTerminal`]; [`Error::PromptNotFound`]; and as [`Store::submit`].
    pub fn retry(&self, id: &JobId, new: &JobId, now: Timestamp) -> Result<Receipt> {
        self.repeat(id, new, now, false)
    }

    /// Submits a new job that runs no agent: it runs the checks on the work that a job which is over left, and delivers it
    /// where they are green.
    ///
    /// # Errors
    /// [`Error::NothingToCheck`]; and as [`Store::retry`].
    pub fn retry_checks(&self, id: &JobId, new: &JobId, now: Timestamp) -> Result<Receipt> {
        self.repeat(id, new, now, true)
    }

    fn repeat(&self, id: &JobId, new: &JobId, now: Timestamp, checks_only: bool) -> Result<Receipt> {
        let record = self.read_run(id)?.into_record()?;
        if !record.state().is_terminal() {
            return Err(Error::NotTerminal(record.state()));
        }
        if checks_only && let Err(why) = KeptWork::of(&record) {
            return Err(Error::NothingToCheck { id: id.clone(), why });
        }
        let submission = Submission {
            repo: record.full_repo(),
            branch: record.branch_name.clone().unwrap_or_default(),
            markdown: set_checks_only(self.prompt(id)?, checks_only)?,
            // A name that only a dropped file may have does not keep its job from being repeated.
            filename: record.inbox_rel.as_deref().and_then(original_name).filter(|name| stem_of(name).is_ok()),
            source: Source::Retry,
            retry_of: Some(id.clone()),
        };
        let mut receipts = self.submit(&[submission], &mut || new.clone(), now)?;
        receipts.pop().ok_or_else(|| Error::PromptNotFound(id.clone()))
    }

    fn write_all(&self, prompts: &[PublishedPrompt]) -> Result<()> {
        durable::ensure_dir(self.fs(), &self.layout().runs)?;
        for prompt in prompts {
            durable::write_temp(self.fs(), &prompt.path, &prompt.draft.contents)?;
        }
        for prompt in prompts {
            durable::publish(self.fs(), &prompt.path)?;
        }
        for prompt in prompts {
            let mut record =
                self.new_record(&prompt.draft.job_id, &prompt.target, &prompt.path, prompt.draft.created_at);
            record.title.clone_from(&prompt.draft.title);
            record.retry_of.clone_from(&prompt.draft.retry_of);
            record.checks_only = prompt.draft.checks_only.then_some(true);
            self.publish_run(&record, None, "submit")?;
        }
        Ok(())
    }

    /// Removes what a failed submission wrote, as far as possible. A run folder that is there already stays: its
    /// prompt is gone, so the watcher ends it as withdrawn.
    fn withdraw_all(&self, prompts: &[PublishedPrompt]) {
        for prompt in prompts {
            let _ = durable::remove_temp(self.fs(), &prompt.path);
            let _ = durable::remove(self.fs(), &prompt.path);
        }
    }
}

/// Returns the name that a prompt was submitted or dropped under, without the id that it carries.
fn original_name(relative: &str) -> Option<String> {
    let name = Utf8Path::new(relative).file_name()?;
    match classify(name) {
        NameKind::Waiting { stem, .. } | NameKind::Running { stem, .. } => Some(format!("{stem}.prompt.md")),
        NameKind::Ignored(_) => None,
    }
}
