//! The job's workspace: a fresh checkout before the agent, its work saved after it.

use std::{fs::File, io, process::Command, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    fs::durable,
    job::{Delivery, FailReason, Outcome},
    supervise::{Cause, Ending, Limits},
};
use rustix::process::Signal;

use crate::{
    checkout,
    git::{Git, Saved, object_name},
    proc_linux::spawn,
    session::{KILL_LIMIT, Output, Session},
    supervisor::failed,
    words::Words,
};

/// How long a git call of ours has to end by itself.
const GIT_GRACE: Duration = Duration::from_secs(2);

/// Why a git call did not do what it was to.
enum GitFailure {
    /// It was stopped.
    Stopped(Ending),
    /// It failed, with these words.
    Words(String),
}

impl Session<'_> {
    /// Makes the checkout, and returns the commit that it begins with; or how the job ends without one.
    pub(crate) fn check_out(&mut self) -> Result<Saved, Outcome> {
        let Some(target) = self.writer.record().target() else {
            return Err(failed(FailReason::Checkout, "the record names no usable repository and branch"));
        };
        let saved = self.places();
        if let Err(error) = prepare_folders(&saved) {
            return Err(failed(FailReason::Checkout, format!("cannot prepare {}: {error}", saved.checkout)));
        }
        let local = self.local_clone();
        let source = match (&local, &self.plan.remote) {
            (Some(local), _) => local.to_string(),
            (None, Some(remote)) => {
                remote.replace("{owner}", target.owner().unwrap_or_default()).replace("{repo}", target.repo())
            }
            (None, None) => {
                let place = self.store.layout().clone_of(&target);
                let message = format!(
                    "there is no clone of {} at {place}: clone it there, or set watcher.auto_clone_missing_repos",
                    target.full_repo()
                );
                return Err(failed(FailReason::Checkout, message));
            }
        };
        let checked_out = self.clone_from(&source, local.as_deref(), target.branch(), &saved.checkout);
        let start = checked_out.and_then(|()| self.head(&saved.checkout));
        match start {
            Ok(start) => Ok(Saved { start, ..saved }),
            Err(GitFailure::Stopped(ending)) => Err(self.stopped_checkout(&ending)),
            Err(GitFailure::Words(words)) => {
                let what = format!("cannot check out {} of {}", target.branch(), target.full_repo());
                Err(failed(FailReason::Checkout, format!("{what}: {words}")))
            }
        }
    }

    /// Saves what the agent did as a patch in the run folder, whatever came of the job.
    pub(crate) fn save_work(&mut self, saved: &Saved, outcome: Outcome) -> Outcome {
        let patch = self.store.layout().run(self.id()).join("changes.patch");
        match self.write_patch(saved, &patch) {
            Ok(has_changes) => {
                if has_changes {
                    let path = patch.clone().into_string();
                    self.note(|facts| {
                        facts.delivery = Some(Delivery { patch_path: Some(path), ..Delivery::default() });
                    });
                }
                match outcome {
                    Outcome::Succeeded { message } => {
                        let told = [Some(done(has_changes)), message];
                        Outcome::Succeeded { message: Some(told.into_iter().flatten().collect::<Vec<_>>().join("; ")) }
                    }
                    other => other,
                }
            }
            Err(why) => {
                self.keeps_checkout = true;
                let unsaved = format!("the changes could not be saved and are still in {}: {why}", saved.checkout);
                match outcome {
                    Outcome::Succeeded { .. } => failed(FailReason::Delivery, unsaved),
                    Outcome::Failed { reason, message } => failed(reason, format!("{message}; {unsaved}")),
                    Outcome::Aborted { message } => {
                        let message =
                            message.map_or_else(|| unsaved.clone(), |message| format!("{message}; {unsaved}"));
                        Outcome::Aborted { message: Some(message) }
                    }
                }
            }
        }
    }

    /// Returns the folders that go when the job is over.
    pub(crate) fn folders_to_remove(&self) -> Vec<Utf8PathBuf> {
        let saved = self.places();
        if self.keeps_checkout { vec![saved.repository] } else { vec![saved.repository, saved.checkout] }
    }

    fn places(&self) -> Saved {
        let checkout = self.store.layout().checkout(self.id());
        let repository = checkout.with_file_name(format!("{}.git", self.id()));
        Saved { checkout, repository, start: String::new() }
    }

    fn local_clone(&self) -> Option<Utf8PathBuf> {
        let target = self.writer.record().target()?;
        Some(self.store.layout().clone_of(&target)).filter(|place| place.is_dir())
    }

    fn clone_from(
        &mut self,
        source: &str,
        local: Option<&Utf8Path>,
        branch: &str,
        dir: &Utf8Path,
    ) -> Result<(), GitFailure> {
        let cloned = self.git(|git| git.clone(source, branch, dir), true);
        let (Some(local), Err(GitFailure::Words(_))) = (local, &cloned) else {
            return cloned.map(drop);
        };
        // A branch that the local clone has not checked out yet is known to it as its remote's.
        let reference = format!("refs/remotes/origin/{branch}");
        if self.git(|git| git.has(local, &reference), true).is_err() {
            return cloned.map(drop);
        }
        self.git(|git| git.clone_bare_of_branches(source, dir), true)?;
        self.git(|git| git.fetch(dir, &reference), true)?;
        self.git(|git| git.check_out_fetched(dir, branch), true).map(drop)
    }

    fn head(&mut self, dir: &Utf8Path) -> Result<String, GitFailure> {
        let printed = self.git(|git| git.head(dir), true)?;
        let name = printed.lines().find_map(|line| object_name(line.as_bytes()));
        name.ok_or_else(|| GitFailure::Words(format!("git named no commit: {printed}")))
    }

    fn stopped_checkout(&self, ending: &Ending) -> Outcome {
        let limits = self.git_limits();
        match ending.cause {
            Some(Cause::Timeout) => {
                let seconds = self.plan.git_timeout.as_secs();
                failed(FailReason::Checkout, format!("the checkout took longer than {seconds} s"))
            }
            _ => ending
                .failure("the checkout", &limits)
                .unwrap_or_else(|| failed(FailReason::Checkout, "the checkout ended early")),
        }
    }

    /// Tells whether there were changes; they are durable in `patch` then.
    fn write_patch(&mut self, saved: &Saved, patch: &Utf8Path) -> Result<bool, String> {
        let staged = durable::stage_name(patch);
        let file = File::create(&staged).map_err(|error| format!("cannot make {staged}: {error}"))?;
        let diffed = file.try_clone().map_err(|error| error.to_string()).and_then(|out| self.diff(saved, out));
        let written = diffed.and_then(|()| {
            file.sync_all().and_then(|()| file.metadata()).map_err(|error| format!("cannot write {staged}: {error}"))
        });
        match written {
            Ok(stat) if stat.len() > 0 => {
                let published = durable::publish(self.store.fs(), patch);
                published.map_err(|error| format!("{error}: {}", error.source))?;
                Ok(true)
            }
            written => {
                let _ = durable::unstage(self.store.fs(), patch);
                written.map(|_| false)
            }
        }
    }

    fn diff(&mut self, saved: &Saved, out: File) -> Result<(), String> {
        let local = self.local_clone();
        let in_words = |failure: GitFailure| match failure {
            GitFailure::Stopped(_) => "git was stopped".to_owned(),
            GitFailure::Words(words) => words,
        };
        self.git(|git| git.init(saved), false).map_err(in_words)?;
        saved.borrow_objects(local.as_deref()).map_err(|error| error.to_string())?;
        self.git(|git| git.read_start(saved), false).map_err(in_words)?;
        self.git(|git| git.add_all(saved), false).map_err(in_words)?;
        self.git_into(|git| git.diff(saved), Some(out), false).map(drop).map_err(in_words)
    }

    fn git(&mut self, build: impl FnOnce(&Git<'_>) -> Command, heeds: bool) -> Result<String, GitFailure> {
        self.git_into(build, None, heeds)
    }

    /// Runs a git call of ours and returns its words. `heeds` says whether an abort or a signal stops it.
    fn git_into(
        &mut self,
        build: impl FnOnce(&Git<'_>) -> Command,
        stdout: Option<File>,
        heeds: bool,
    ) -> Result<String, GitFailure> {
        let id = self.id().clone();
        let command = build(&Git { environment: &self.plan.environment, job: &id });
        let process = spawn(command, stdout, None)
            .map_err(|error| GitFailure::Words(format!("cannot run git: {error} (is it installed?)")))?;
        let limits = self.git_limits();
        let mut words = Words::default();
        let (ending, _) = self.attend(process, Signal::TERM, None, Output::Words(&mut words), heeds, &limits);
        match ending.failure("git", &limits) {
            None => Ok(words.into_string()),
            Some(_) if ending.cause.is_some() => Err(GitFailure::Stopped(ending)),
            Some(_) => Err(GitFailure::Words(words.into_string())),
        }
    }

    fn git_limits(&self) -> Limits {
        Limits {
            timeout: Some(self.plan.git_timeout),
            idle_timeout: None,
            heartbeat: self.plan.heartbeat,
            grace: GIT_GRACE,
            kill: KILL_LIMIT,
        }
    }
}

fn prepare_folders(saved: &Saved) -> io::Result<()> {
    checkout::remove(&saved.checkout)?;
    checkout::remove(&saved.repository)?;
    saved.checkout.parent().map_or(Ok(()), fs_err::create_dir_all)
}

fn done(has_changes: bool) -> String {
    if has_changes {
        "the changes are in changes.patch in the run folder; nothing was pushed".to_owned()
    } else {
        "no changes".to_owned()
    }
}
