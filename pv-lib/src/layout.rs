//! Where everything lives: the folders, and the names inside them.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    job::{HoldKind, JobId},
    target::Target,
};

/// The marker that makes a folder of the inbox at any depth a branch folder, so that `feature/x` works.
pub const BRANCH_MARKER: &str = ".pv_inbox";

/// The name of a record in its run folder.
pub const RECORD_NAME: &str = "job.json";

/// The name of the exact prompt that a job runs, in its run folder.
pub const PROMPT_NAME: &str = "prompt.md";

/// The name of a job's log in its run folder.
pub const LOG_NAME: &str = "job.log";

/// The name of what a job's supervisors say of themselves, in its run folder.
pub const SUPERVISOR_LOG_NAME: &str = "supervisor.log";

/// The name of the raw events of a job's agent, in its run folder.
pub const EVENTS_NAME: &str = "agent.jsonl";

/// The name of the last message of a job's agent, in its run folder.
pub const LAST_MESSAGE_NAME: &str = "last_message.md";

/// The name of what a job changed, in its run folder.
pub const PATCH_NAME: &str = "changes.patch";

/// The name of what was said about a push of a job's branch that failed, in its run folder.
pub const PUSH_LOG_NAME: &str = "push.log";

/// The name of the archive of what git ignores, in a run folder.
pub const IGNORED_ARCHIVE_NAME: &str = "ignored.tar.zst";

/// The name of what setup commands and checks wrote, in a run folder.
pub const CHECKS_LOG_NAME: &str = "checks.log";

/// The folder in a run folder for files that were copied into the checkout and that the agent changed.
pub const CHANGED_COPIES_NAME: &str = "changed_copies";

/// The name of the marker that gives up what a job's launcher started, in its run folder.
pub const FORGET_NAME: &str = "FORGET";

/// The name of the marker in a run folder whose presence asks for the job to be stopped.
pub const ABORT_NAME: &str = "ABORT";

/// The name of the log of services that run in the background, in the root.
pub const BACKGROUND_LOG_NAME: &str = "background.log";

/// What the name of a bare repository ends with.
pub const BARE_SUFFIX: &str = ".git";

/// How the folders of the inbox spell a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxMode {
    /// `<inbox>/<repo>/<branch>/`: every repository belongs to one owner, if any is configured.
    SingleOwner {
        /// That owner.
        owner: Option<String>,
    },
    /// `<inbox>/<owner>/<repo>/<branch>/`.
    MultiOwner,
}

/// The folders of one installation. All are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where prompts wait.
    pub inbox: Utf8PathBuf,
    /// How its folders spell a target.
    pub inbox_mode: InboxMode,
    /// Where prompts are archived when their jobs are over.
    pub finished: Utf8PathBuf,
    /// Where the run folders are.
    pub runs: Utf8PathBuf,
    /// Where checkouts are made.
    pub work: Utf8PathBuf,
    /// Where clones of the repositories are: `<repos>/<owner>/<repo>`.
    pub repos: Utf8PathBuf,
}

impl Layout {
    /// Returns the layout that an installation under `root` has by default.
    #[must_use]
    pub fn under(root: &Utf8Path, inbox_mode: InboxMode) -> Self {
        Self {
            inbox: root.join("inbox"),
            inbox_mode,
            finished: root.join("finished"),
            runs: root.join("runs"),
            work: root.join("work"),
            repos: root.join("repos"),
        }
    }

    /// Returns the run folder of a job.
    #[must_use]
    pub fn run_path(&self, id: &JobId) -> Utf8PathBuf {
        self.runs.join(id.as_str())
    }

    /// Returns the job's record.
    #[must_use]
    pub fn record_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(RECORD_NAME)
    }

    /// Returns the exact prompt that the job runs.
    #[must_use]
    pub fn prompt_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(PROMPT_NAME)
    }

    /// Returns where the agent's last message is.
    #[must_use]
    pub fn last_message_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(LAST_MESSAGE_NAME)
    }

    /// Returns the job's log.
    #[must_use]
    pub fn log_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(LOG_NAME)
    }

    /// Returns what the job's supervisors say of themselves: warnings, and why one could not do its work.
    #[must_use]
    pub fn supervisor_log_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(SUPERVISOR_LOG_NAME)
    }

    /// Returns what the job changed, as a patch.
    #[must_use]
    pub fn patch_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(PATCH_NAME)
    }

    /// Returns what git and the remote said about the push of the job's branch, where that failed.
    #[must_use]
    pub fn push_log_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(PUSH_LOG_NAME)
    }

    /// Returns the archive of what the job's agent made and git ignores.
    #[must_use]
    pub fn ignored_archive_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(IGNORED_ARCHIVE_NAME)
    }

    /// Returns what the job's setup commands and checks wrote.
    #[must_use]
    pub fn checks_log_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(CHECKS_LOG_NAME)
    }

    /// Returns the prompt of a further attempt: what the checks found.
    #[must_use]
    pub fn attempt_prompt_path(&self, id: &JobId, number: u32) -> Utf8PathBuf {
        self.run_path(id).join(format!("prompt-{number}.md"))
    }

    /// Returns the folder for copied files that the job's agent changed.
    #[must_use]
    pub fn changed_copies_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(CHANGED_COPIES_NAME)
    }

    /// Returns the raw events of the job's agent, where it writes events.
    #[must_use]
    pub fn events_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(EVENTS_NAME)
    }

    /// Returns the marker whose presence asks for the job to be stopped.
    #[must_use]
    pub fn abort_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(ABORT_NAME)
    }

    /// Returns the folder of the runs' locks.
    #[must_use]
    pub fn locks_path(&self) -> Utf8PathBuf {
        self.runs.join(".locks")
    }

    /// Returns the lock whose holder may write the job's record.
    #[must_use]
    pub fn lock_path(&self, id: &JobId) -> Utf8PathBuf {
        self.locks_path().join(id.as_str())
    }

    /// Returns the lock that a watcher holds on the runs.
    #[must_use]
    pub fn runs_watcher_lock_path(&self) -> Utf8PathBuf {
        self.locks_path().join(".watcher")
    }

    /// Returns where the watcher writes its status.
    #[must_use]
    pub fn watcher_status_path(&self) -> Utf8PathBuf {
        self.locks_path().join(".watcher.json")
    }

    /// Returns the lock that a watcher holds on the inbox.
    #[must_use]
    pub fn inbox_watcher_lock_path(&self) -> Utf8PathBuf {
        self.inbox.join(".pv-watcher.lock")
    }

    /// Returns the file that keeps some room for the ends of jobs on a full disk.
    #[must_use]
    pub fn reserve_path(&self) -> Utf8PathBuf {
        self.runs.join(".reserve")
    }

    /// Returns the folder with what is noted of starts by launchers; only its owner may enter it.
    #[must_use]
    pub fn launches_path(&self) -> Utf8PathBuf {
        self.runs.join(".launch")
    }

    /// Returns what is noted of the job's last start by a launcher: how what it started is ended and looked for.
    #[must_use]
    pub fn launch_path(&self, id: &JobId) -> Utf8PathBuf {
        self.launches_path().join(format!("{id}.json"))
    }

    /// Returns the file with the variables of what a launcher starts, where it reads them from one.
    #[must_use]
    pub fn launch_variables_path(&self, id: &JobId) -> Utf8PathBuf {
        self.launches_path().join(format!("{id}.env"))
    }

    /// Returns the marker that gives up what the job's launcher started.
    #[must_use]
    pub fn forget_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join(FORGET_NAME)
    }

    /// Returns the folder of the agents that are held.
    #[must_use]
    pub fn holds_path(&self) -> Utf8PathBuf {
        self.runs.join(".holds")
    }

    /// Returns the hold of this kind on an agent.
    #[must_use]
    pub fn hold_path(&self, agent: &str, kind: HoldKind) -> Utf8PathBuf {
        self.holds_path().join(format!("{}.{kind}.json", safe_name(agent)))
    }

    /// Returns where version 0.1.0, which knew no kinds, wrote the hold on an agent: always one of the kind `quota`.
    #[must_use]
    pub fn legacy_hold_path(&self, agent: &str) -> Utf8PathBuf {
        self.holds_path().join(format!("{}.json", safe_name(agent)))
    }

    /// Returns the lock of whoever writes there.
    #[must_use]
    pub fn holds_lock_path(&self) -> Utf8PathBuf {
        self.locks_path().join(".holds")
    }

    /// Returns the lock under which clones are made known.
    #[must_use]
    pub fn clones_lock_path(&self) -> Utf8PathBuf {
        self.locks_path().join(".clones")
    }

    /// Returns where a job's checkout is made.
    #[must_use]
    pub fn checkout_path(&self, id: &JobId) -> Utf8PathBuf {
        self.work.join(id.as_str())
    }

    /// Returns our own repository next to the checkout, through which the job's work is read.
    #[must_use]
    pub fn snapshot_repository_path(&self, id: &JobId) -> Utf8PathBuf {
        self.work.join(format!("{id}{BARE_SUFFIX}"))
    }

    /// Returns the inbox folder of a target.
    #[must_use]
    pub fn branch_path(&self, target: &Target) -> Utf8PathBuf {
        let repo = match (&self.inbox_mode, target.owner()) {
            (InboxMode::MultiOwner, Some(owner)) => self.inbox.join(owner).join(target.repo()),
            (InboxMode::MultiOwner | InboxMode::SingleOwner { .. }, _) => self.inbox.join(target.repo()),
        };
        repo.join(target.branch())
    }

    /// Returns the path of a prompt's folder below the folder of its target; `None` where it is that folder, or elsewhere.
    #[must_use]
    pub fn below_branch<'a>(&self, target: &Target, prompt: &'a Utf8Path) -> Option<&'a Utf8Path> {
        let below = prompt.parent()?.strip_prefix(self.branch_path(target)).ok()?;
        (!below.as_str().is_empty()).then_some(below)
    }

    /// Returns the folder to which the prompts of a folder of the inbox are archived; `None` for one that is elsewhere.
    #[must_use]
    pub fn finished_folder_path(&self, inbox_folder: &Utf8Path) -> Option<Utf8PathBuf> {
        Some(self.finished.join(inbox_folder.strip_prefix(&self.inbox).ok()?))
    }

    /// Returns the folder of the inbox whose prompts are archived to this one; `None` for one that is elsewhere.
    #[must_use]
    pub fn inbox_folder_path(&self, finished_folder: &Utf8Path) -> Option<Utf8PathBuf> {
        Some(self.inbox.join(finished_folder.strip_prefix(&self.finished).ok()?))
    }

    /// Returns the folder of all mirrors.
    #[must_use]
    pub fn mirrors_path(&self) -> Utf8PathBuf {
        self.repos.join(".mirrors")
    }

    /// Returns the bare mirror of the target's repository, which is ours alone.
    #[must_use]
    pub fn mirror_path(&self, target: &Target) -> Utf8PathBuf {
        self.mirrors_path().join(format!("{}{BARE_SUFFIX}", target.full_repo()))
    }

    /// Returns what is noted of a job that starts from a person's clone and is delivered there, because that was asked for.
    #[must_use]
    pub fn local_start_path(&self, id: &JobId) -> Utf8PathBuf {
        self.repos.join(".local").join(format!("{id}.json"))
    }

    /// Returns the folder of the clones of an owner's repositories; without an owner that of all.
    #[must_use]
    pub fn clones_of_path(&self, owner: Option<&str>) -> Utf8PathBuf {
        owner.map_or_else(|| self.repos.clone(), |owner| self.repos.join(owner))
    }

    /// Returns the folder of the mirrors of an owner's repositories; without an owner that of all.
    #[must_use]
    pub fn mirrors_of_path(&self, owner: Option<&str>) -> Utf8PathBuf {
        owner.map_or_else(|| self.mirrors_path(), |owner| self.mirrors_path().join(owner))
    }

    /// Returns where a local clone of the target's repository would be.
    #[must_use]
    pub fn clone_path(&self, target: &Target) -> Utf8PathBuf {
        self.repos.join(target.full_repo())
    }
}

/// Returns a part of a file name for any name: other bytes than letters, digits, `-` and `_` become `%` and two hex
/// digits. So it has no dot, and two names never become one.
fn safe_name(name: &str) -> String {
    let spell = |byte: u8| match byte {
        b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    let spelled: String = name.bytes().map(spell).collect();
    // Without a name of its own it would be hidden.
    if spelled.is_empty() { "%".to_owned() } else { spelled }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names are promises: people, scripts and older versions know them.
    #[test]
    fn every_path_has_the_name_that_it_always_had() {
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        let id: JobId = "a1".parse().unwrap();
        let target = Target::new(Some("o"), "r", "feature/x").unwrap();
        for (path, expected) in [
            (layout.run_path(&id), "runs/a1"),
            (layout.record_path(&id), "runs/a1/job.json"),
            (layout.prompt_path(&id), "runs/a1/prompt.md"),
            (layout.attempt_prompt_path(&id, 2), "runs/a1/prompt-2.md"),
            (layout.checks_log_path(&id), "runs/a1/checks.log"),
            (layout.changed_copies_path(&id), "runs/a1/changed_copies"),
            (layout.last_message_path(&id), "runs/a1/last_message.md"),
            (layout.log_path(&id), "runs/a1/job.log"),
            (layout.patch_path(&id), "runs/a1/changes.patch"),
            (layout.push_log_path(&id), "runs/a1/push.log"),
            (layout.ignored_archive_path(&id), "runs/a1/ignored.tar.zst"),
            (layout.events_path(&id), "runs/a1/agent.jsonl"),
            (layout.supervisor_log_path(&id), "runs/a1/supervisor.log"),
            (layout.abort_path(&id), "runs/a1/ABORT"),
            (layout.forget_path(&id), "runs/a1/FORGET"),
            (layout.launch_path(&id), "runs/.launch/a1.json"),
            (layout.launch_variables_path(&id), "runs/.launch/a1.env"),
            (layout.lock_path(&id), "runs/.locks/a1"),
            (layout.runs_watcher_lock_path(), "runs/.locks/.watcher"),
            (layout.watcher_status_path(), "runs/.locks/.watcher.json"),
            (layout.inbox_watcher_lock_path(), "inbox/.pv-watcher.lock"),
            (layout.reserve_path(), "runs/.reserve"),
            (layout.hold_path("codex", HoldKind::Auth), "runs/.holds/codex.auth.json"),
            (layout.legacy_hold_path("codex"), "runs/.holds/codex.json"),
            (layout.holds_lock_path(), "runs/.locks/.holds"),
            (layout.clones_lock_path(), "runs/.locks/.clones"),
            (layout.checkout_path(&id), "work/a1"),
            (layout.snapshot_repository_path(&id), "work/a1.git"),
            (layout.branch_path(&target), "inbox/o/r/feature/x"),
            (layout.mirror_path(&target), "repos/.mirrors/o/r.git"),
            (layout.mirrors_of_path(Some("o")), "repos/.mirrors/o"),
            (layout.mirrors_of_path(None), "repos/.mirrors"),
            (layout.clone_path(&target), "repos/o/r"),
            (layout.local_start_path(&id), "repos/.local/a1.json"),
            (layout.clones_of_path(Some("o")), "repos/o"),
            (layout.clones_of_path(None), "repos"),
        ] {
            assert_eq!(path, Utf8Path::new("/pv").join(expected));
        }
        assert_eq!(BRANCH_MARKER, ".pv_inbox");
    }

    #[test]
    fn a_prompt_may_lie_below_the_folder_of_its_branch() {
        let target = Target::new(Some("o"), "r", "feature").unwrap();
        for (mode, path, below) in [
            (InboxMode::MultiOwner, "o/r/feature/x/y/a.prompt.md", Some("x/y")),
            (InboxMode::MultiOwner, "o/r/feature/a.prompt.md", None),
            (InboxMode::MultiOwner, "o/r/features/x/a.prompt.md", None),
            (InboxMode::SingleOwner { owner: None }, "r/feature/x/a.prompt.md", Some("x")),
        ] {
            let path = Utf8Path::new("/pv/inbox").join(path);
            let found = Layout::under("/pv".into(), mode).below_branch(&target, &path).map(ToString::to_string);
            assert_eq!(found.as_deref(), below, "{path}");
        }
    }

    #[test]
    fn an_archived_prompt_keeps_its_folder() {
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        let (inbox, finished) = (Utf8Path::new("/pv/inbox/o/r/main"), Utf8Path::new("/pv/finished/o/r/main"));
        assert_eq!(layout.finished_folder_path(inbox).as_deref(), Some(finished));
        assert_eq!(layout.inbox_folder_path(finished).as_deref(), Some(inbox));
        assert_eq!((layout.finished_folder_path(finished), layout.inbox_folder_path(inbox)), (None, None));
    }
}
