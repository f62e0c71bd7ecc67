//! Taking the state of a person's clone as the start of a job: its HEAD, with or without what is not committed.
//!
//! The clone's files, index, HEAD and references are only read. What is not committed is staged in an index of our own, and
//! all objects are written to our mirror.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    job::{JobId, is_object_name},
    store::Store,
    target::Target,
};

use super::found::FoundClone;
use crate::git::{FSYNC_CONFIG, GitFailure, LocalStart, Mirror, Runner, Unattended, excludes_setting, explain};

/// The message of the commit that holds what is not committed.
const MESSAGE: &str = "Changes that were not committed";

/// What of a clone a job starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalWork {
    /// The commit that is checked out.
    Head,
    /// With what is changed in files that git knows.
    Changed,
    /// With files that git does not know, too, but for ignored ones.
    ChangedAndNew,
}

/// Takes the state of a clone as the start of a job that is to be submitted under this id, and notes that its work goes to
/// that clone. Returns the commit. `author` is who commits where git knows nobody: a name and an address.
///
/// # Errors
/// A sentence for people. Nothing of the clone is changed then, and nothing of a job that was not submitted counts.
pub fn take_local_start(
    store: &Store,
    target: &Target,
    found: &FoundClone,
    id: &JobId,
    work: LocalWork,
    author: (&str, &str),
    environment: &[(OsString, OsString)],
) -> Result<String, String> {
    let mut attendant = Unattended;
    let mut git = Runner::unattended(environment, &mut attendant);
    let mut start = Start { git: &mut git, store, mirror: Mirror::at(store.layout().mirror_path(target)), found, id };
    start.take(work, author, environment).map_err(|failure| explain(&failure.into_message(), ""))
}

struct Start<'a, 'r> {
    git: &'a mut Runner<'r>,
    store: &'a Store,
    mirror: Mirror,
    found: &'a FoundClone,
    id: &'a JobId,
}

impl Start<'_, '_> {
    fn take(
        &mut self,
        work: LocalWork,
        author: (&str, &str),
        environment: &[(OsString, OsString)],
    ) -> Result<String, GitFailure> {
        let (top, home) = (&self.found.top, home(&self.found.repository));
        let known = self.found.commit.as_deref().unwrap_or_default();
        self.mirror.ensure(self.git, self.store.fs(), known, &home)?;
        let reference = LocalStart::reference(self.id);
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", top.as_str()];
        let refspec = format!("+HEAD:{reference}");
        self.git.run(&[&self.mirror.write_args()[..], &fetch, &[&refspec]].concat())?;
        let in_mirror = ["--git-dir", self.mirror.path.as_str()];
        let head = self.git.object(&[&in_mirror[..], &["rev-parse", "--verify", &reference]].concat())?;
        let commit = match work {
            LocalWork::Head => head,
            LocalWork::Changed => self.commit(&head, &["--update"], author, environment)?,
            LocalWork::ChangedAndNew => self.commit(&head, &["--all"], author, environment)?,
        };
        self.git.run(&[&self.mirror.write_args()[..], &["update-ref", &reference, &commit]].concat())?;
        self.mirror.sync(self.git)?;
        let noted = LocalStart::new(self.id.clone(), home, commit.clone());
        noted.write(self.store.fs(), self.store.layout())?;
        Ok(commit)
    }

    /// Makes a commit of what is in the clone's folder now, in the mirror; the same commit where nothing is changed.
    fn commit(
        &mut self,
        head: &str,
        what: &[&str],
        author: (&str, &str),
        environment: &[(OsString, OsString)],
    ) -> Result<String, GitFailure> {
        let top = self.found.top.as_str();
        let index = self.mirror.path.join(format!("pv-index-{}", self.id));
        let made = self.commit_with(&index, head, what, author, environment);
        for left in [index.clone(), Utf8PathBuf::from(format!("{index}.lock"))] {
            let _ = fs::remove_file(left);
        }
        made.map_err(|failure| match failure {
            GitFailure::Failed(words) => {
                GitFailure::Failed(format!("cannot take along what is changed in {top}: {words}"))
            }
            stopped @ GitFailure::Stopped(_) => stopped,
        })
    }

    fn commit_with(
        &mut self,
        index: &Utf8Path,
        head: &str,
        what: &[&str],
        author: (&str, &str),
        environment: &[(OsString, OsString)],
    ) -> Result<String, GitFailure> {
        let top = self.found.top.as_str();
        let excludes = excludes_setting(self.git, &self.found.top, environment)?;
        let (objects, lent) = (self.mirror.path.join("objects"), self.found.repository.join("objects"));
        let variables = [
            ("GIT_INDEX_FILE", index.as_str()),
            ("GIT_OBJECT_DIRECTORY", objects.as_str()),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", lent.as_str()),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ];
        let [c, how, again, method] = FSYNC_CONFIG;
        let here = ["-C", top, "-c", &excludes, "-c", "advice.addEmbeddedRepo=false", c, how, again, method];
        // With the clone's own index git knows which files it need not read again.
        let own =
            self.git.value_in(&self.found.top, &["rev-parse", "--path-format=absolute", "--git-path", "index"])?;
        let own = String::from_utf8_lossy(&own.unwrap_or_default()).trim_end_matches('\n').to_owned();
        if fs::copy(&own, index).is_err() {
            self.git.value_with(&variables, &[&here[..], &["read-tree", head]].concat())?;
        }
        self.git.value_with(&variables, &[&here[..], &["add"], what].concat())?;
        let tree = line(&self.git.value_with(&variables, &[&here[..], &["write-tree"]].concat())?)?;
        let head_tree = ["--git-dir", self.mirror.path.as_str(), "rev-parse", "--verify", &format!("{head}^{{tree}}")];
        if self.git.object(&head_tree)? == tree {
            return Ok(head.to_owned());
        }
        let known = ["config", "--null", "--name-only", "--get-regexp", r"^user\.(name|email)$"];
        let known = self.git.value_in(&self.found.top, &known)?.unwrap_or_default();
        let unnamed = |key: &str| !known.split(|byte| *byte == 0).any(|name| name == key.as_bytes());
        let by: Vec<String> = [("user.name", author.0), ("user.email", author.1)]
            .into_iter()
            .filter(|(key, _)| unnamed(key))
            .flat_map(|(key, value)| ["-c".to_owned(), format!("{key}={value}")])
            .collect();
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let commit = ["commit-tree", &tree, "-p", head, "-m", MESSAGE];
        line(&self.git.value_with(&variables, &[&here[..], &by, &commit].concat())?)
    }
}

/// Returns the folder in which a repository is: that of its files, or its own where it has none.
fn home(repository: &Utf8Path) -> Utf8PathBuf {
    let folder = repository.parent().filter(|_| repository.file_name() == Some(".git"));
    folder.unwrap_or(repository).to_owned()
}

fn line(printed: &[u8]) -> Result<String, GitFailure> {
    let name = String::from_utf8_lossy(printed).trim_end().to_owned();
    if is_object_name(&name) { Ok(name) } else { Err(GitFailure::Failed("git named no object".to_owned())) }
}
