//! Which prompt file is a job's own, and what the others are that carry its id too.
//!
//! Files are copied (`cp -r main dev`) and moved by people and programs while jobs wait and run. A claimed file belongs
//! to its job only where the record says that it is: anywhere else it is a copy, which is never executed. A waiting one
//! may have been moved before its job started; where the job's own is there, it is a copy, and becomes a job of its
//! own.

use camino::{Utf8Path, Utf8PathBuf};

use super::{InboxPrompt, Unread};
use crate::{
    Result,
    job::{JobId, JobRecord, JobState},
    prompt::{FinishedSuffix, NameKind, classify, finished_name, running_name},
    store::{Run, Store},
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
pub enum Ownership {
    /// It is the job's own.
    Own,
    /// It is the job's own if no other file is: the job has no record yet, or the file was moved before its start.
    OwnIfAlone,
    /// It is a copy that waits: it gets an id of its own.
    Copy,
    /// It is claimed, and not the job's: it is never executed, and left as it is.
    ClaimedCopy,
}

/// Decides what a prompt file is to a job in `state`; `None` where there is no run.
#[must_use]
pub fn ownership(claimed: bool, place: Place, state: Option<JobState>) -> Ownership {
    use Place::{Elsewhere, Recorded, SameBranch, SameRepo};
    match (claimed, state, place) {
        (_, None, _) => Ownership::OwnIfAlone,
        (true, Some(_), Recorded) => Ownership::Own,
        (true, Some(_), SameBranch | SameRepo | Elsewhere) => Ownership::ClaimedCopy,
        (false, Some(JobState::Created), Recorded) => Ownership::Own,
        (false, Some(JobState::Created), SameBranch | SameRepo | Elsewhere) => Ownership::OwnIfAlone,
        (false, Some(JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Aborted), _) => {
            Ownership::Copy
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
    pub claimed_copies: Vec<&'a InboxPrompt>,
}

impl Store {
    /// Classifies the prompt files that carry the id of a job with this record; `None` where there is no run.
    ///
    /// Where the job's own may be in what could not be read, one that may have been moved is left out.
    #[must_use]
    pub fn classify_prompts<'a>(
        &self,
        record: Option<&JobRecord>,
        prompts: &[&'a InboxPrompt],
        unread: &Unread,
    ) -> PromptsOfJob<'a> {
        let state = record.map(JobRecord::state);
        let may_be_unread = record.is_some_and(|record| self.unreadable_prompt(record, unread).is_some());
        let mut sorted = PromptsOfJob::default();
        let mut maybe = Vec::new();
        for prompt in prompts.iter().copied() {
            let place = record.map_or(Place::Recorded, |record| self.place_of(record, prompt));
            match ownership(prompt.claimed, place, state) {
                // The claimed one of two names.
                Ownership::Own if sorted.own.is_none_or(|own| !own.claimed && prompt.claimed) => {
                    sorted.copies.extend(sorted.own.replace(prompt));
                }
                Ownership::OwnIfAlone => maybe.push(prompt),
                Ownership::Own | Ownership::Copy | Ownership::ClaimedCopy if prompt.claimed => {
                    sorted.claimed_copies.push(prompt);
                }
                Ownership::Own | Ownership::Copy | Ownership::ClaimedCopy => sorted.copies.push(prompt),
            }
        }
        if sorted.own.is_none() && !may_be_unread {
            let claimed = maybe.iter().position(|prompt| prompt.claimed).unwrap_or(0);
            sorted.own = (claimed < maybe.len()).then(|| maybe.remove(claimed));
        } else if sorted.own.is_none() {
            maybe.clear();
        }
        let (claimed_copies, copies): (Vec<_>, Vec<_>) = maybe.into_iter().partition(|prompt| prompt.claimed);
        sorted.claimed_copies.extend(claimed_copies);
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
    /// [`Error::Unusable`](crate::Error::Unusable) where it was not found, but may be in what cannot be read; `None`
    /// where there is none.
    pub fn find_prompt(&self, id: &JobId) -> Result<Option<InboxPrompt>> {
        let record = self.read_run(id).and_then(Run::into_record).ok();
        self.find_prompt_of(id, record.as_ref())
    }

    /// As [`Store::find_prompt`], for a job with this record.
    pub(in crate::store) fn find_prompt_of(
        &self,
        id: &JobId,
        record: Option<&JobRecord>,
    ) -> Result<Option<InboxPrompt>> {
        let scan = self.scan_prompts(&|name| name.contains(id.as_str()));
        let prompts: Vec<&InboxPrompt> = scan.prompts.iter().filter(|prompt| prompt.id.as_ref() == Some(id)).collect();
        if let Some(own) = self.classify_prompts(record, &prompts, &scan.unread).own {
            return Ok(Some(own.clone()));
        }
        match record.and_then(|record| self.unreadable_prompt(record, &scan.unread)) {
            Some(unreadable) => Err(unreadable),
            None => Ok(None),
        }
    }

    /// Tells whether the prompt of a job may be in what a scan could not read: that it was not found proves nothing
    /// then.
    #[must_use]
    pub fn may_be_unread(&self, record: &JobRecord, unread: &Unread) -> bool {
        self.unreadable_prompt(record, unread).is_some()
    }

    fn unreadable_prompt(&self, record: &JobRecord, unread: &Unread) -> Option<crate::Error> {
        if unread.is_empty() {
            return None;
        }
        let folder = self.recorded_folder(record);
        unread.hides(&record.job_id, folder.as_slice())
    }

    /// Returns where a prompt file is, by a job's record. Paths in records are compared here, and never opened.
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
            // One of the two may lie in the other.
            let finished = layout.inbox_folder_path(folder).filter(|_| !layout.inbox.starts_with(&layout.finished));
            match finished {
                Some(folder) => return Some(folder),
                None if folder.starts_with(&layout.inbox) => return Some(folder.to_owned()),
                None => {}
            }
        }
        // The whole installation may have been moved since.
        let relative = record.inbox_rel.as_deref().and_then(|relative| Utf8Path::new(relative).parent());
        match (relative, record.target()) {
            (Some(relative), _) => Some(layout.inbox.join(relative)),
            (None, Some(target)) => Some(layout.branch_path(&target)),
            (None, None) => None,
        }
    }
}

/// Tells whether a prompt has the name that the record gives it, whatever became of its ending since. A record that
/// names none matches any.
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

/// Returns how the name of a job's prompt ends when it is archived.
pub(in crate::store) fn ending(record: &JobRecord) -> FinishedSuffix {
    FinishedSuffix::of(record.state()).unwrap_or(FinishedSuffix::Error)
}

/// Returns the path that a waiting prompt has when it is claimed under the id in its name.
fn claimed_path(prompt: &InboxPrompt) -> Option<Utf8PathBuf> {
    let id = prompt.id.as_ref()?;
    Some(prompt.path.with_file_name(running_name(&prompt.stem, id)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        fs::{Kind, MemFs, Stat},
        job::{NewJob, Outcome},
        layout::{InboxMode, Layout},
        store::StoreLimits,
        target::Target,
        time::Timestamp,
    };

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

    #[test]
    fn b07_a_claimed_file_is_its_jobs_only_where_the_record_says_so() {
        use Ownership::{ClaimedCopy, Copy, Own, OwnIfAlone};
        use Place::{Elsewhere, Recorded, SameBranch, SameRepo};
        let table = [
            // claimed, place: no run, created, running, over
            (true, Recorded, [OwnIfAlone, Own, Own, Own]),
            (true, SameBranch, [OwnIfAlone, ClaimedCopy, ClaimedCopy, ClaimedCopy]),
            (true, SameRepo, [OwnIfAlone, ClaimedCopy, ClaimedCopy, ClaimedCopy]),
            (true, Elsewhere, [OwnIfAlone, ClaimedCopy, ClaimedCopy, ClaimedCopy]),
            (false, Recorded, [OwnIfAlone, Own, Copy, Copy]),
            (false, SameBranch, [OwnIfAlone, OwnIfAlone, Copy, Copy]),
            (false, SameRepo, [OwnIfAlone, OwnIfAlone, Copy, Copy]),
            (false, Elsewhere, [OwnIfAlone, OwnIfAlone, Copy, Copy]),
        ];
        for (claimed, place, [missing, created, running, over]) in table {
            let check = |state, expected| {
                assert_eq!(ownership(claimed, place, state), expected, "claimed: {claimed}, {place:?}, {state:?}");
            };
            check(None, missing);
            check(Some(JobState::Created), created);
            check(Some(JobState::Running), running);
            for state in JobState::ALL.into_iter().filter(|state| state.is_terminal()) {
                check(Some(state), over);
            }
        }
    }

    fn store() -> Store {
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        Store::new(Arc::new(MemFs::new()), layout, StoreLimits::default(), "host")
    }

    /// A record whose prompt was dropped as `o/r/main/demo`, and is named like this now.
    fn record(inbox_file: Option<&str>) -> JobRecord {
        let mut record = JobRecord::new(NewJob {
            job_id: ID.parse().unwrap(),
            target: Target::new(Some("o"), "r", "main").unwrap(),
            inbox_file: String::new(),
            inbox_rel: format!("o/r/main/demo-{ID}.prompt.md"),
            now: Timestamp::EPOCH,
            host: "host".into(),
            retry_of: None,
        });
        record.inbox_file = inbox_file.map(str::to_owned);
        record
    }

    fn prompt(folder: &str, name: &str, inode: u64) -> InboxPrompt {
        let (stem, id, claimed) = match classify(name) {
            NameKind::Waiting { stem, id } => (stem.to_owned(), id, false),
            NameKind::Running { stem, id } => (stem.to_owned(), id, true),
            NameKind::Ignored(why) => panic!("{why}"),
        };
        let parts: Vec<&str> = folder.splitn(3, '/').collect();
        let target = Target::new(Some(parts[0]), parts[1], parts[2]).unwrap();
        let stat = Stat { kind: Kind::File, len: 1, modified_ns: 0, changed_ns: 0, inode, links: 1 };
        InboxPrompt { path: format!("/pv/inbox/{folder}/{name}").into(), target, stem, id, claimed, stat }
    }

    #[test]
    fn b07_where_a_file_is_follows_from_the_record() {
        let check = |inbox_file: Option<&str>, folder: &str, name: &str, expected: Place| {
            for ending in ["prompt.md", "running.md"] {
                let prompt = prompt(folder, &format!("{name}-{ID}.{ending}"), 1);
                assert_eq!(store().place_of(&record(inbox_file), &prompt), expected, "{inbox_file:?} {}", prompt.path);
            }
        };
        let waiting = format!("/pv/inbox/o/r/main/demo-{ID}.prompt.md");
        let claimed = format!("/pv/inbox/o/r/main/demo-{ID}.running.md");
        for named in [waiting.as_str(), &claimed] {
            check(Some(named), "o/r/main", "demo", Place::Recorded);
            check(Some(named), "o/r/main", "other", Place::SameBranch);
            check(Some(named), "o/r/main/x", "demo", Place::SameRepo);
            check(Some(named), "o/r/dev", "demo", Place::SameRepo);
            check(Some(named), "o/s/main", "demo", Place::Elsewhere);
            check(Some(named), "p/r/main", "demo", Place::Elsewhere);
        }
        // Moved by a person before it was started.
        let moved = format!("/pv/inbox/o/r/dev/demo-{ID}.prompt.md");
        check(Some(&moved), "o/r/dev", "demo", Place::Recorded);
        check(Some(&moved), "o/r/main", "demo", Place::SameBranch);
        // Older records, and an installation that was moved.
        check(None, "o/r/main", "demo", Place::Recorded);
        check(None, "o/r/dev", "demo", Place::SameRepo);
        check(Some("/srv/old/inbox/o/r/main/demo.prompt.md"), "o/r/main", "demo", Place::Recorded);
        check(Some("/srv/old/finished/o/r/main/demo.error.md"), "o/r/dev", "demo", Place::SameRepo);
    }

    #[test]
    fn b07_a_job_that_is_over_knows_its_file_by_the_place_that_it_goes_to() {
        let prompt = prompt("o/r/main", &format!("demo-{ID}.running.md"), 1);
        for (named, expected) in [
            ("/pv/finished/o/r/main/demo.aborted.md".to_owned(), Place::Recorded),
            (format!("/pv/finished/o/r/main/demo-{ID}.aborted.md"), Place::Recorded),
            ("/pv/finished/o/r/main/other.aborted.md".to_owned(), Place::SameBranch),
            ("/pv/finished/o/r/dev/demo.aborted.md".to_owned(), Place::SameBranch),
        ] {
            let mut record = record(Some(&named));
            record.finish(Outcome::Aborted { message: None }, Timestamp::EPOCH).unwrap();
            assert_eq!(store().place_of(&record, &prompt), expected, "{named}");
        }
    }

    /// Classifies files, each `folder name-without-id ending inode`, and returns what they are.
    fn sorted(record: Option<&JobRecord>, files: &[(&str, &str, u64)]) -> [Vec<String>; 4] {
        let prompt = |(folder, name, inode): &(&str, &str, u64)| {
            let (stem, ending) = name.split_once('.').unwrap();
            prompt(folder, &format!("{stem}-{ID}.{ending}.md"), *inode)
        };
        let prompts: Vec<InboxPrompt> = files.iter().map(prompt).collect();
        let prompts: Vec<&InboxPrompt> = prompts.iter().collect();
        let found = store().classify_prompts(record, &prompts, &Unread::default());
        let name = |prompt: &&InboxPrompt| {
            let ending = if prompt.claimed { "running" } else { "prompt" };
            format!("{} {}.{ending}", prompt.target.branch(), prompt.stem)
        };
        let one = |prompt: Option<&InboxPrompt>| prompt.iter().map(name).collect();
        let many = |prompts: &[&InboxPrompt]| prompts.iter().map(name).collect();
        [one(found.own), one(found.old_name), many(&found.copies), many(&found.claimed_copies)]
    }

    #[test]
    fn b07_of_many_files_one_is_the_jobs() {
        let none = Vec::<String>::new;
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let created = record(Some(&format!("/pv/inbox/o/r/main/demo-{ID}.prompt.md")));
        let copied = [("o/r/dev", "demo.running", 2), ("o/r/main", "demo.running", 1), ("o/r/x", "demo.running", 3)];
        let claimed_copies = all(&["dev demo.running", "x demo.running"]);
        assert_eq!(
            sorted(Some(&created), &copied),
            [all(&["main demo.running"]), none(), none(), claimed_copies.clone()]
        );
        assert_eq!(sorted(Some(&created), &[copied[0], copied[2]]), [none(), none(), none(), claimed_copies]);
        let two = all(&["main demo.running", "x demo.running"]);
        assert_eq!(sorted(None, &copied), [all(&["dev demo.running"]), none(), none(), two]);
        // Waiting copies, and one that was moved.
        let waiting = [("o/r/dev", "demo.prompt", 2), ("o/r/main", "demo.prompt", 1)];
        assert_eq!(
            sorted(Some(&created), &waiting),
            [all(&["main demo.prompt"]), none(), all(&["dev demo.prompt"]), none()]
        );
        assert_eq!(sorted(Some(&created), &waiting[..1]), [all(&["dev demo.prompt"]), none(), none(), none()]);
        // Two names of one file, as a crash in a claim leaves them, and two files.
        for (inode, old_name, copies) in
            [(1, all(&["main demo.prompt"]), none()), (7, none(), all(&["main demo.prompt"]))]
        {
            let files = [("o/r/main", "demo.prompt", inode), ("o/r/main", "demo.running", 1)];
            assert_eq!(sorted(Some(&created), &files), [all(&["main demo.running"]), old_name, copies, none()]);
        }
    }
}
