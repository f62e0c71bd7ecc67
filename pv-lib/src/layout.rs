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
    /// Where prompts go when they are over.
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
        self.run_path(id).join("prompt.md")
    }

    /// Returns where the agent's last message is.
    #[must_use]
    pub fn last_message_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("last_message.md")
    }

    /// Returns the job's log.
    #[must_use]
    pub fn log_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("job.log")
    }

    /// Returns what the job changed, as a patch.
    #[must_use]
    pub fn patch_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("changes.patch")
    }

    /// Returns the archive of what the job's agent made and git ignores.
    #[must_use]
    pub fn ignored_archive_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("ignored.tar.zst")
    }

    /// Returns the raw events of the job's agent, where it speaks in events.
    #[must_use]
    pub fn events_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("agent.jsonl")
    }

    /// Returns the marker whose presence asks for the job to be stopped.
    #[must_use]
    pub fn abort_path(&self, id: &JobId) -> Utf8PathBuf {
        self.run_path(id).join("ABORT")
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

    /// Returns where a job's checkout is made.
    #[must_use]
    pub fn checkout_path(&self, id: &JobId) -> Utf8PathBuf {
        self.work.join(id.as_str())
    }

    /// Returns our own repository beside the checkout, through which the job's work is read.
    #[must_use]
    pub fn snapshot_repository_path(&self, id: &JobId) -> Utf8PathBuf {
        self.work.join(format!("{id}.git"))
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

    /// Returns the folder of all mirrors.
    #[must_use]
    pub fn mirrors_path(&self) -> Utf8PathBuf {
        self.repos.join(".mirrors")
    }

    /// Returns the bare mirror of the target's repository, which is ours alone.
    #[must_use]
    pub fn mirror_path(&self, target: &Target) -> Utf8PathBuf {
        self.mirrors_path().join(format!("{}.git", target.full_repo()))
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
