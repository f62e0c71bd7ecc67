//! Where the work of a job is: in a commit, in the archive of ignored files, in a checkout that stays.

use std::time::Duration;

use camino::Utf8PathBuf;
use pv_lib::job::IgnoredWork;

use super::Session;
use crate::{
    git::{Saved, archived_note},
    process::folder_walk::measure,
};

/// How long measuring a checkout that stays may take, and how many entries of it are measured.
const MEASURE_LIMIT: Duration = Duration::from_secs(10);
const MEASURED_ENTRIES_MAX: u64 = 1_000_000;

impl Session<'_> {
    /// Notes the commit of the mirror that holds the work, so that something changed; the patch holds it, too.
    pub(crate) fn note_commit(&mut self, commit: &str) {
        let patch_path = self.store.layout().patch_path(self.id()).into_string();
        self.update_record(|patch| {
            patch.changed = Some(true);
            let delivery = patch.delivery.get_or_insert_default();
            (delivery.commit, delivery.patch_path) = (Some(commit.to_owned()), Some(patch_path));
            if let Some(attempt) = patch.attempts.iter_mut().flatten().last() {
                attempt.commit = Some(commit.to_owned());
            }
        });
    }

    /// Notes that the checkout stays, why, and how large it is.
    pub(crate) fn note_kept(&mut self, why: String) {
        let dir = self.checkout_path();
        let measured = dir.clone();
        let size = self.blocking(MEASURE_LIMIT, move || measure(measured.as_std_path(), MEASURED_ENTRIES_MAX));
        self.update_record(|patch| {
            let delivery = patch.delivery.get_or_insert_default();
            delivery.checkout_path = Some(dir.into_string());
            delivery.checkout_reason = Some(why);
            delivery.checkout_bytes = size.map(|size| size.bytes);
        });
    }

    /// Notes where the work is: in a commit, in the archive of ignored files, in the checkout, or in several of them.
    pub(crate) fn note_saved(&mut self, saved: &Saved) {
        match &saved.commit {
            Some(commit) => self.note_commit(commit),
            // Nothing is lost with it: what comes next writes it, too.
            None => self.update_unflushed(|patch| patch.changed = Some(false)),
        }
        if let Some(ignored) = saved.ignored.clone() {
            self.update_record(|patch| patch.delivery.get_or_insert_default().ignored = Some(ignored));
        }
        match saved.why_kept() {
            Some(why) => self.note_kept(why),
            // What an earlier attempt left there, and was saved nowhere else, is there no more.
            None if self.kept_checkout().is_some() => self.update_record(|patch| {
                let delivery = patch.delivery.get_or_insert_default();
                (delivery.checkout_path, delivery.checkout_reason, delivery.checkout_bytes) = (None, None, None);
            }),
            None => {}
        }
    }

    /// Returns what is kept of ignored files, where it is this job's own run that keeps it.
    pub(crate) fn with_own_archive(&self, ignored: IgnoredWork) -> IgnoredWork {
        let own = self.store.layout().ignored_archive_path(self.id()).into_string();
        IgnoredWork { archive_path: ignored.archive_path.map(|_| own), ..ignored }
    }

    /// Returns what there is to say of work that is in no commit, of a job that was saved by an earlier supervisor.
    pub(crate) fn kept_notes(&self) -> Vec<String> {
        let Some(delivery) = &self.patch.delivery else { return Vec::new() };
        let archived = delivery.ignored.as_ref().filter(|ignored| ignored.archive_path.is_some());
        let kept = delivery.checkout_path.as_ref().map(|dir| {
            let why = delivery.checkout_reason.as_deref().unwrap_or("the saved work lacks some of it");
            format!("{dir} is kept, because {why}")
        });
        archived.map(|ignored| archived_note(ignored.files)).into_iter().chain(kept).collect()
    }

    /// Returns the checkout, where it stays because it holds what is saved nowhere else.
    pub(crate) fn kept_checkout(&self) -> Option<&str> {
        self.patch.delivery.as_ref()?.checkout_path.as_deref()
    }

    /// Returns the folders that go when the job is over.
    pub(crate) fn folders_to_remove(&self) -> Vec<Utf8PathBuf> {
        let mut folders = vec![self.store.layout().snapshot_repository_path(self.id())];
        folders.extend(self.kept_checkout().is_none().then(|| self.checkout_path()));
        folders
    }
}
