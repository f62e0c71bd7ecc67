//! Which prompt file is a job's own, and what the others are that carry its id too.
//!
//! Files are copied (`cp -r main dev`) and moved by people and programs while jobs wait and run. A claimed file belongs
//! to its job only where the record says that it is: anywhere else it is a copy, which is never executed. A waiting one
//! may have been moved before its job started; where the job's own is there, it is a copy, and becomes a job of its own.

use camino::{Utf8Path, Utf8PathBuf};

use super::{InboxPrompt, Store, unread::Unread, write::ending};
use crate::{
    Result,
    job::{JobId, JobRecord, JobState},
    prompt::{NameKind, classify, finished_name, running_name},
};

/// Where a prompt file is, by what the record of the job says whose id it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Where the record says, waiting or claimed.
    Recorded,
    /// In the folder of the job's branch, under another name.
    SameBranch,
    /// For another branch of the job's repository.
    SameRepo,
    /// For another repository.
    Elsewhere,
}

/// What a prompt file is to the job whose id it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Belongs {
    /// It is the job's own.
    Own,
    /// It is the job's own if no other file is: the job has no record yet, or the file was moved before its start.
    OwnIfAlone,
    /// It is a copy that waits: it gets an id of its own.
    Copy,
    /// It is claimed, and not the job's: it is never executed, and left as it is.
    Stray,
}

/// Decides what a prompt file is to a job in `state`; `None` where there is no run.
#[must_use]
pub fn belongs(claimed: bool, place: Place, state: Option<JobState>) -> Belongs {
    use Place::{Elsewhere, Recorded, SameBranch, SameRepo};
    match (claimed, state, place) {
        (_, None, _) => Belongs::OwnIfAlone,
        (true, Some(_), Recorded) => Belongs::Own,
        (true, Some(_), SameBranch | SameRepo | Elsewhere) => Belongs::Stray,
        (false, Some(JobState::Created), Recorded) => Belongs::Own,
        (false, Some(JobState::Created), SameBranch | SameRepo | Elsewhere) => Belongs::OwnIfAlone,
        (false, Some(JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Aborted), _) => {
            Belongs::Copy
        }
    }
}

/// The prompt files that carry one job's id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PromptsOfJob<'a> {
    /// The job's own.
    pub own: Option<&'a InboxPrompt>,
    /// Another name of that very file, which a crash in the middle of the claim left.
    pub old_name: Option<&'a InboxPrompt>,
    /// Copies that wait.
    pub copies: Vec<&'a InboxPrompt>,
    /// Claimed ones that are not the job's.
    pub strays: Vec<&'a InboxPrompt>,
}

impl Store {
    /// Sorts out the prompt files that carry the id of a job with this record; `None` where there is no run.
    ///
    /// Where the job's own may be in what could not be read, one that may have been moved is left out.
    #[must_use]
    pub fn sort_prompts<'a>(
        &self,
        record: Option<&JobRecord>,
        prompts: &[&'a InboxPrompt],
        unread: &Unread,
    ) -> PromptsOfJob<'a> {
        let state = record.map(JobRecord::state);
        let is_hidden = record.is_some_and(|record| self.unseen_prompt(record, unread).is_some());
        let mut sorted = PromptsOfJob::default();
        let mut maybe = Vec::new();
        for prompt in prompts.iter().copied() {
            let place = record.map_or(Place::Recorded, |record| self.place_of(record, prompt));
            match belongs(prompt.claimed, place, state) {
                // The claimed one of two names.
                Belongs::Own if sorted.own.is_none_or(|own| !own.claimed && prompt.claimed) => {
                    sorted.copies.extend(sorted.own.replace(prompt));
                }
                Belongs::OwnIfAlone => maybe.push(prompt),
                Belongs::Own | Belongs::Copy | Belongs::Stray if prompt.claimed => sorted.strays.push(prompt),
                Belongs::Own | Belongs::Copy | Belongs::Stray => sorted.copies.push(prompt),
            }
        }
        if sorted.own.is_none() && !is_hidden {
            let claimed = maybe.iter().position(|prompt| prompt.claimed).unwrap_or(0);
            sorted.own = (claimed < maybe.len()).then(|| maybe.remove(claimed));
        } else if sorted.own.is_none() {
            maybe.clear();
        }
        let (strays, copies): (Vec<_>, Vec<_>) = maybe.into_iter().partition(|prompt| prompt.claimed);
        sorted.strays.extend(strays);
        sorted.copies.extend(copies);
        if let Some(own) = sorted.own.filter(|own| own.claimed) {
            let is_old_name = |copy: &&InboxPrompt| {
                copy.stat.inode == own.stat.inode && claimed_path(copy).as_ref() == Some(&own.path)
            };
            sorted.old_name = sorted.copies.iter().copied().find(is_old_name);
            sorted.copies.retain(|copy| Some(*copy) != sorted.old_name);
        }
        sorted
    }

    /// Returns the prompt file of a job, claimed or waiting: its own, not a copy.
    ///
    /// # Errors
    /// [`Error::Unusable`](crate::Error::Unusable) where it was not found, but may be in what cannot be read; `None` where
    /// there is none.
    pub fn find_prompt(&self, id: &JobId) -> Result<Option<InboxPrompt>> {
        let record = self.read_run(id).and_then(super::Run::into_record).ok();
        self.find_prompt_of(id, record.as_ref())
    }

    /// As [`Store::find_prompt`], for a job with this record.
    pub(super) fn find_prompt_of(&self, id: &JobId, record: Option<&JobRecord>) -> Result<Option<InboxPrompt>> {
        let look = self.look_at_prompts(&|name| name.contains(id.as_str()));
        let prompts: Vec<&InboxPrompt> = look.prompts.iter().filter(|prompt| prompt.id.as_ref() == Some(id)).collect();
        if let Some(own) = self.sort_prompts(record, &prompts, &look.unread).own {
            return Ok(Some(own.clone()));
        }
        match record.and_then(|record| self.unseen_prompt(record, &look.unread)) {
            Some(unseen) => Err(unseen),
            None => Ok(None),
        }
    }

    /// Tells whether the prompt of a job may be in what a look could not read: that it was not found proves nothing then.
    #[must_use]
    pub fn may_be_unread(&self, record: &JobRecord, unread: &Unread) -> bool {
        self.unseen_prompt(record, unread).is_some()
    }

    fn unseen_prompt(&self, record: &JobRecord, unread: &Unread) -> Option<crate::Error> {
        if unread.is_empty() {
            return None;
        }
        let folder = self.recorded_folder(record);
        unread.hides(&record.job_id, folder.as_slice())
    }

    /// Tells where a prompt file is, by a job's record. Paths in records are compared here, and never opened.
    #[must_use]
    pub fn place_of(&self, record: &JobRecord, prompt: &InboxPrompt) -> Place {
        let target = record.target();
        if prompt.path.parent() == self.recorded_folder(record).as_deref() && is_named(record, prompt) {
            Place::Recorded
        } else if target.as_ref() == Some(&prompt.target) {
            Place::SameBranch
        } else if target.is_some_and(|target| target.full_repo() == prompt.target.full_repo()) {
            Place::SameRepo
        } else {
            Place::Elsewhere
        }
    }

    /// Returns the folder of the inbox in which the record says that the prompt is, or was before it was archived.
    fn recorded_folder(&self, record: &JobRecord) -> Option<Utf8PathBuf> {
        let layout = self.layout();
        let named = record.inbox_file.as_deref().map(Utf8Path::new).and_then(Utf8Path::parent);
        if let Some(folder) = named {
            if folder.starts_with(&layout.inbox) {
                return Some(folder.to_owned());
            } else if let Ok(relative) = folder.strip_prefix(&layout.finished) {
                return Some(layout.inbox.join(relative));
            }
        }
        // The whole installation may have been moved since.
        let relative = record.inbox_rel.as_deref().and_then(|relative| Utf8Path::new(relative).parent());
        match (relative, record.target()) {
            (Some(relative), _) => Some(layout.inbox.join(relative)),
            (None, Some(target)) => Some(layout.branch_dir(&target)),
            (None, None) => None,
        }
    }
}

/// Tells whether a prompt has the name that the record gives it, whatever became of its ending since. A record that
/// names none takes any.
fn is_named(record: &JobRecord, prompt: &InboxPrompt) -> bool {
    let recorded = record.inbox_file.as_deref().or(record.inbox_rel.as_deref());
    let Some(name) = recorded.and_then(|path| Utf8Path::new(path).file_name()) else { return true };
    match classify(name) {
        NameKind::Waiting { stem, .. } | NameKind::Running { stem, .. } => stem == prompt.stem,
        NameKind::Ignored(_) => {
            [None, Some(&record.job_id)].iter().any(|id| finished_name(&prompt.stem, ending(record), *id) == name)
        }
    }
}

/// Returns the path that a waiting prompt has when it is claimed under the id in its name.
fn claimed_path(prompt: &InboxPrompt) -> Option<Utf8PathBuf> {
    let id = prompt.id.as_ref()?;
    Some(prompt.path.with_file_name(running_name(&prompt.stem, id)))
}
