//! Submitting: the prompt becomes durable in the inbox, then its run folder appears, then it is acknowledged.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::Store;
use crate::{
    Error, Result,
    fs::{FsError, FsExt, Kind, durable},
    inbox_tree::InboxTarget,
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

/// Prompts of one submission that are checked, and written to the disk under temporary names: nobody sees anything of them until
/// [`Store::publish_submissions`] gives them their names.
///
/// Dropping it leaves hidden files, as a crash does: the watcher removes them when it starts.
#[must_use = "nothing is submitted until it is published"]
#[derive(Debug)]
pub struct PreparedSubmission {
    prompts: Vec<PreparedPrompt>,
}

#[derive(Debug)]
struct PreparedPrompt {
    receipt: Receipt,
    run: Utf8PathBuf,
}

impl PreparedPrompt {
    /// Returns the temporary name of the prompt, and its own.
    fn prompt_names(&self) -> (Utf8PathBuf, &Utf8Path) {
        (durable::temp_path(&self.receipt.inbox_path), &self.receipt.inbox_path)
    }

    /// Returns the temporary name of the run folder, and its own.
    fn run_names(&self) -> (Utf8PathBuf, &Utf8Path) {
        (durable::temp_dir_path(&self.run, BY), &self.run)
    }
}

/// How a submission calls itself where it makes run folders.
const BY: &str = "submit";

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
        let prepared = self.prepare_submission(submissions, mint, now)?;
        self.publish_submissions(vec![prepared]).remove(0)
    }

    /// Does what can be done for a submission by itself, which many may do at once: checks its prompts, and writes them and their
    /// run folders under temporary names, durably.
    ///
    /// # Errors
    /// As [`Store::submit`]; what was written is removed again, as far as possible.
    pub fn prepare_submission(
        &self,
        submissions: &[Submission],
        mint: &mut dyn FnMut() -> JobId,
        now: Timestamp,
    ) -> Result<PreparedSubmission> {
        let mut drafts = Vec::with_capacity(submissions.len());
        for submission in submissions {
            submission.check_names()?;
            let found = self.find_target(submission.repo.trim(), submission.branch.trim())?;
            drafts.push((submission.draft(&found.target, &mint(), now, self.limits().prompt_bytes)?, found));
        }
        self.check_free_space(drafts.iter().map(|(draft, _)| draft.contents.len() as u64).sum())?;
        self.ensure_runs()?;
        let prompt = |(draft, found): &(Draft, InboxTarget)| {
            let (job_id, inbox_path) = (draft.job_id.clone(), found.dir.join(&draft.file_name));
            PreparedPrompt {
                run: self.layout().run_path(&job_id),
                receipt: Receipt { job_id, inbox_path, created_at: now },
            }
        };
        let prepared = PreparedSubmission { prompts: drafts.iter().map(prompt).collect() };
        for ((draft, found), prompt) in drafts.iter().zip(&prepared.prompts) {
            let written = self.write_temporaries(draft, &found.target, &prompt.receipt.inbox_path);
            written.inspect_err(|_| self.discard(&prepared))?;
        }
        Ok(prepared)
    }

    /// Makes prepared submissions jobs, many at once, and returns for each what [`Store::submit`] does, in their order. One that
    /// fails is withdrawn, and the others are not.
    ///
    /// Each folder is synced once for all of them. First all prompts get their names, then all run folders whose prompts are
    /// durable: after a crash there is no run without its prompt, and a prompt whose run folder is not there yet gets it from
    /// the watcher, under the same id.
    #[must_use]
    pub fn publish_submissions(&self, submissions: Vec<PreparedSubmission>) -> Vec<Result<Vec<Receipt>>> {
        let mut verdicts: Vec<Result<()>> = submissions.iter().map(|_| Ok(())).collect();
        self.publish_all(&submissions, &mut verdicts, PreparedPrompt::prompt_names, |_, error| Err(error.into()));
        self.publish_all(&submissions, &mut verdicts, PreparedPrompt::run_names, |prompt, error| {
            // Also where another process was faster: its folder is as good, and ours is in the way.
            durable::remove_temp_dir(self.fs(), &prompt.run, BY);
            self.accept_published(&prompt.receipt.job_id, error)
        });
        let answer = |(submission, verdict): (PreparedSubmission, Result<()>)| {
            verdict.inspect_err(|_| self.withdraw_submission(&submission))?;
            Ok(submission.prompts.into_iter().map(|prompt| prompt.receipt).collect())
        };
        submissions.into_iter().zip(verdicts).map(answer).collect()
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

    /// Makes the runs folder where it is missing, and its name durable. That is done once for each folder that has this name: a
    /// sync for every submission would cost as much as each of its other steps, and change nothing.
    ///
    /// Only where a person removes an empty runs folder and makes another that gets the same number may a power cut take that one:
    /// the prompts are in the inbox then, and get their runs from the watcher.
    fn ensure_runs(&self) -> Result<()> {
        let runs = &self.layout().runs;
        // Looked at before it is synced, so that what is remembered was there by then.
        let found = self.fs().stat_opt(runs)?.filter(|stat| stat.kind == Kind::Dir).map(|stat| stat.inode);
        if found.is_some() && found == self.durable_runs() {
            return Ok(());
        }
        durable::ensure_dir(self.fs(), runs)?;
        self.set_durable_runs(found);
        Ok(())
    }

    fn write_temporaries(&self, draft: &Draft, target: &Target, path: &Utf8Path) -> Result<()> {
        let mut record = self.new_record(&draft.job_id, target, path, draft.created_at);
        record.title.clone_from(&draft.title);
        record.retry_of.clone_from(&draft.retry_of);
        record.checks_only = draft.checks_only.then_some(true);
        self.write_temp_run(&record, (path, &draft.contents), BY)
    }

    /// Gives what belongs to these submissions, those that have failed already aside, the names that `names` says: the temporary
    /// one and its own. What fails and is not accepted is its submission's verdict.
    fn publish_all<'a>(
        &self,
        submissions: &'a [PreparedSubmission],
        verdicts: &mut [Result<()>],
        names: impl Fn(&'a PreparedPrompt) -> (Utf8PathBuf, &'a Utf8Path),
        accept: impl Fn(&PreparedPrompt, FsError) -> Result<()>,
    ) {
        let is_due = |number: &usize| verdicts[*number].is_ok();
        let due: Vec<_> = (0..submissions.len())
            .filter(is_due)
            .flat_map(|number| submissions[number].prompts.iter().map(move |prompt| (number, prompt)))
            .collect();
        let entries: Vec<_> = due.iter().map(|(_, prompt)| names(prompt)).collect();
        for ((number, prompt), published) in due.into_iter().zip(durable::publish_each(self.fs(), &entries)) {
            if let Err(error) = published.or_else(|error| accept(prompt, error))
                && verdicts[number].is_ok()
            {
                verdicts[number] = Err(error);
            }
        }
    }

    /// Removes what a failed submission wrote, as far as possible. A run folder that is there already stays: its
    /// prompt is gone, so the watcher ends it as withdrawn.
    fn withdraw_submission(&self, submission: &PreparedSubmission) {
        self.discard(submission);
        for prompt in &submission.prompts {
            let _ = durable::remove(self.fs(), &prompt.receipt.inbox_path);
        }
    }

    /// Removes what a submission wrote under temporary names, as far as possible.
    fn discard(&self, submission: &PreparedSubmission) {
        for PreparedPrompt { receipt, run } in &submission.prompts {
            durable::remove_temp_dir(self.fs(), run, BY);
            let _ = durable::remove_temp(self.fs(), &receipt.inbox_path);
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
