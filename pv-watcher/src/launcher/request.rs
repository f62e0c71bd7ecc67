//! What a launcher is told of what it is to start.

use std::ffi::{OsStr, OsString};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::job::JobId;

/// What is to be started, for which job.
pub(crate) struct Request<'a> {
    /// The job.
    pub(crate) id: &'a JobId,
    /// A name that no other start has: the id with a number.
    pub(crate) launch_id: String,
    /// The command and its arguments; never empty.
    pub(crate) words: Vec<String>,
    /// The variables that it is given.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// The environment of the supervisor, of which programs of the launcher are given a part.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// The checkout, in which it runs.
    pub(crate) workdir: Utf8PathBuf,
    /// The run folder.
    pub(crate) run_dir: Utf8PathBuf,
    /// The mirror from which the checkout may borrow.
    pub(crate) mirror: Option<Utf8PathBuf>,
    /// What is particular to an agent; as good as nothing for other commands.
    pub(crate) agent: AgentPlaces,
    /// Whether its output and its errors are one stream.
    pub(crate) is_joined: bool,
    /// What nobody is to see who is confined.
    pub(crate) hidden: &'a Hidden,
    /// Where a file with the variables would be.
    pub(crate) env_file: Utf8PathBuf,
}

/// Where an agent finds and leaves what is its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgentPlaces {
    /// The file with its prompt.
    pub(crate) prompt_file: Option<Utf8PathBuf>,
    /// Where it may leave its last message.
    pub(crate) last_message_file: Option<Utf8PathBuf>,
    /// The folders and files with its login, its settings and its sessions.
    pub(crate) homes: Vec<Utf8PathBuf>,
}

/// What nobody is to see who is confined: an installation's own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden {
    /// Folders with other jobs' files.
    pub(crate) folders: Vec<Utf8PathBuf>,
    /// Files with secrets.
    pub(crate) files: Vec<Utf8PathBuf>,
}

impl Request<'_> {
    /// Returns a variable of what is to be started.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns the home of the user as whom it runs.
    pub(crate) fn home(&self) -> Option<&Utf8Path> {
        let home = Utf8Path::from_path(std::path::Path::new(self.variable("HOME")?))?;
        (home.is_absolute() && home.as_str() != "/").then_some(home)
    }

    /// Returns a path of the settings, where `~` is that home.
    pub(crate) fn expanded(&self, path: &str) -> Option<Utf8PathBuf> {
        match path.strip_prefix("~/") {
            Some(below) => Some(self.home()?.join(below)),
            None => Some(path.into()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;

    static ID: LazyLock<JobId> = LazyLock::new(|| "a1".parse().unwrap());
    static HIDDEN: LazyLock<Hidden> = LazyLock::new(Hidden::default);

    /// Returns a request of no particular job.
    pub(in crate::launcher) fn request() -> Request<'static> {
        Request {
            id: &ID,
            launch_id: "a1.7".into(),
            words: vec!["codex".into(), "exec".into()],
            variables: vec![("HOME".into(), "/home/me".into()), ("OPENAI_API_KEY".into(), "k".into())],
            environment: &[],
            workdir: "/pv/work/a1".into(),
            run_dir: "/pv/runs/a1".into(),
            mirror: Some("/pv/repos/.mirrors/o/r.git".into()),
            agent: AgentPlaces {
                last_message_file: Some("/pv/runs/a1/last_message.md".into()),
                ..AgentPlaces::default()
            },
            is_joined: true,
            hidden: &HIDDEN,
            env_file: "/pv/runs/.launch/a1.env".into(),
        }
    }
}
