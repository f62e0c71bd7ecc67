//! Keeping an agent's work, whatever became of its job: one commit, as a patch in the run folder and in the mirror.
//!
//! What an agent may have written to its clone's configuration, hooks or attributes is not in force here: its files are
//! read through a repository of our own, which borrows the objects of the clone, and its branch is read as a file. So the
//! work is found even where the agent removed its repository, and a job whose supervisor died is saved the same way.

use std::{
    fs::File,
    io::{Read, Seek},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    fs::durable,
    job::{JobId, Undelivered, is_object_name},
};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::{
    agent_file::read_start,
    checkout::{self, Checkout},
    git::{GitFailure, Stop},
    session::Session,
};

/// How much of a file that names a branch is read, in bytes; more than any `packed-refs` of use.
const REFS_BYTES_MAX: u64 = 16 << 20;

/// The kind of an entry that is a repository inside the repository.
const GITLINK_MODE: &[u8] = b"160000 ";

/// How many repositories inside one repository are looked into, and how deep; beyond that the checkout stays.
const NESTED_MAX: usize = 256;
const NESTING_MAX: usize = 8;

/// What an agent left, saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The commit that holds its work, in the mirror as `refs/pv/<job_id>`; `None` where nothing changed.
    pub(crate) commit: Option<String>,
    /// Whether repositories inside the repository changed, whose contents no commit of ours holds.
    pub(crate) leaves_nested: bool,
}

/// Returns the reference of the mirror that keeps a job's work.
pub(crate) fn work_ref(id: &JobId) -> String {
    format!("refs/pv/{id}")
}

/// Where the work is read from, and through what.
struct Desk<'a> {
    checkout: &'a Checkout,
    /// Our own repository beside the checkout.
    repository: Utf8PathBuf,
}

impl Session<'_> {
    /// Saves what the agent left, commits of its own included.
    ///
    /// Nothing stops this but time limits. May be repeated: what a crash left is made anew.
    ///
    /// # Errors
    /// A sentence; the work is still in the checkout then.
    pub(crate) fn save_work(&mut self, checkout: &Checkout) -> Result<Saved, String> {
        let desk = Desk { checkout, repository: self.saving_repository() };
        self.set_up(&desk).map_err(GitFailure::into_words)?;
        let tree = self.take_in(&desk).map_err(GitFailure::into_words)?;
        let commit = self.commit(&desk, &tree).map_err(GitFailure::into_words)?;
        if let Some(commit) = &commit {
            self.write_patch(&desk.repository, &checkout.start, commit)?;
            self.keep_in_mirror(&desk, commit).map_err(GitFailure::into_words)?;
        }
        Ok(Saved { commit, leaves_nested: self.leaves_nested(&desk, &tree, NESTING_MAX) })
    }

    /// Takes over the work that another job saved and could not hand over, as this job's own.
    ///
    /// # Errors
    /// A sentence; the other job's patch is still in its run folder.
    pub(crate) fn take_over(&mut self, mirror: &Utf8Path, work: &Undelivered) -> Result<(), String> {
        let git_dir = ["--git-dir", mirror.as_str()];
        let (kept, own) = (work_ref(&work.job_id), work_ref(self.id()));
        let look = ["rev-parse", "--verify", "--quiet", &format!("{kept}^{{commit}}")];
        if self.git_object(&[&git_dir[..], &look].concat(), Stop::Ignored).ok().as_ref() != Some(&work.commit) {
            return Err(format!("{} of job {} is no longer in {mirror} as {kept}", work.commit, work.job_id));
        }
        let update = ["-c", "core.fsync=all", "update-ref", &own, &work.commit];
        self.git(&[&git_dir[..], &update].concat(), Stop::Ignored).map_err(GitFailure::into_words)?;
        self.write_patch(mirror, &work.base_commit, &work.commit)
    }

    /// Returns where our own repository is while work is saved.
    pub(crate) fn saving_repository(&self) -> Utf8PathBuf {
        let checkout = self.checkout_dir();
        checkout.with_file_name(format!("{}.git", self.id()))
    }

    fn set_up(&mut self, desk: &Desk<'_>) -> Result<(), GitFailure> {
        let (repository, checkout) = (&desk.repository, desk.checkout);
        checkout::remove(repository).map_err(|error| GitFailure::Words(error.to_string()))?;
        let format = if checkout.start.len() == 64 { "sha256" } else { "sha1" };
        let args = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", repository.as_str()];
        self.git(&args, Stop::Ignored)?;
        let lenders = [checkout.dir.join(".git/objects"), checkout.mirror.join("objects")];
        let list: String = lenders.iter().filter(|dir| dir.is_dir()).map(|dir| format!("{dir}\n")).collect();
        fs::write(repository.join("objects/info/alternates"), list)
            .map_err(|error| GitFailure::Words(error.to_string()))
    }

    /// Takes in every file as it is now, new and removed ones too, and returns the tree that they make.
    fn take_in(&mut self, desk: &Desk<'_>) -> Result<String, GitFailure> {
        let git_dir = ["--git-dir", desk.repository.as_str()];
        self.git(&[&git_dir[..], &["read-tree", &desk.checkout.start]].concat(), Stop::Ignored)?;
        let tree = ["-C", desk.checkout.dir.as_str(), "--work-tree", desk.checkout.dir.as_str()];
        let add = ["-c", "diff.ignoreSubmodules=dirty", "-c", "advice.addEmbeddedRepo=false", "add", "--all"];
        self.git(&[&git_dir[..], &tree, &add].concat(), Stop::Ignored)?;
        self.git_object(&[&git_dir[..], &["write-tree"]].concat(), Stop::Ignored)
    }

    /// Returns the commit that holds the tree: the agent's own where it left nothing beside it, else a new one. `None`
    /// where the files are what they were at the start.
    fn commit(&mut self, desk: &Desk<'_>, tree: &str) -> Result<Option<String>, GitFailure> {
        let git_dir = ["--git-dir", desk.repository.as_str()];
        let start = desk.checkout.start.as_str();
        if self.tree_of(desk, start)? == tree {
            return Ok(None);
        }
        let mut parent = start.to_owned();
        if let Some(head) = head_of(&desk.checkout.dir.join(".git")).filter(|head| head != start) {
            // Only what was built on the start can be handed over as commits; anything else counts as files.
            let is_built_on = ["merge-base", "--is-ancestor", start, &head];
            if self.git(&[&git_dir[..], &is_built_on].concat(), Stop::Ignored).is_ok() {
                parent = head;
            }
        }
        if self.tree_of(desk, &parent)? == tree {
            return Ok(Some(parent));
        }
        let delivery = &self.plan.delivery;
        let author = [
            format!("author.name={}", delivery.author_name),
            format!("author.email={}", delivery.author_email),
            format!("committer.name={}", delivery.author_name),
            format!("committer.email={}", delivery.author_email),
        ];
        let mut args = git_dir.to_vec();
        author.iter().for_each(|setting| args.extend(["-c", setting]));
        let (subject, body) = self.commit_message();
        args.extend(["commit-tree", tree, "-p", &parent, "-m", &subject, "-m", &body]);
        self.git_object(&args, Stop::Ignored).map(Some)
    }

    fn commit_message(&self) -> (String, String) {
        let record = self.writer.record();
        let subject = record
            .title
            .clone()
            .unwrap_or_else(|| format!("Work of {}", record.agent.as_deref().unwrap_or("an agent")));
        (subject, format!("Prompt Valet job {}", self.id()))
    }

    fn tree_of(&mut self, desk: &Desk<'_>, commit: &str) -> Result<String, GitFailure> {
        let tree = format!("{commit}^{{tree}}");
        self.git_object(&["--git-dir", desk.repository.as_str(), "rev-parse", "--verify", &tree], Stop::Ignored)
    }

    /// Writes what changed between two commits of a repository of ours to the run folder, durably.
    fn write_patch(&mut self, repository: &Utf8Path, start: &str, commit: &str) -> Result<(), String> {
        let patch = self.store.layout().patch(self.id());
        let staged = durable::stage_name(&patch);
        let written = self.write_diff(repository, start, commit, &staged).and_then(|()| {
            // A supervisor that died after this step may have left one: the new one says as much.
            let fs = self.store.fs();
            let published = durable::remove(fs, &patch).and_then(|()| durable::publish(fs, &patch));
            published.map_err(|error| format!("{error}: {}", error.source))
        });
        if written.is_err() {
            let _ = durable::unstage(self.store.fs(), &patch);
        }
        written
    }

    fn write_diff(
        &mut self,
        repository: &Utf8Path,
        start: &str,
        commit: &str,
        staged: &Utf8Path,
    ) -> Result<(), String> {
        let cannot = |error: std::io::Error| format!("cannot write {staged}: {error}");
        let file = File::create(staged).map_err(cannot)?;
        let out = file.try_clone().map_err(cannot)?;
        let args = ["--git-dir", repository.as_str(), "diff-tree", "-p", "--binary", "--full-index"];
        let plain = ["--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"];
        self.git_into(&[&args[..], &plain, &[start, commit, "--"]].concat(), out).map_err(GitFailure::into_words)?;
        file.sync_all().map_err(cannot)
    }

    /// Copies the commit, and all that it needs, to the mirror, durably.
    fn keep_in_mirror(&mut self, desk: &Desk<'_>, commit: &str) -> Result<(), GitFailure> {
        let repository = desk.repository.as_str();
        self.git(&["--git-dir", repository, "update-ref", "refs/heads/work", commit], Stop::Ignored)?;
        let mirror = ["--git-dir", desk.checkout.mirror.as_str(), "-c", "core.fsync=all"];
        let refspec = format!("+refs/heads/work:{}", work_ref(self.id()));
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repository, &refspec];
        self.git(&[&mirror[..], &fetch].concat(), Stop::Ignored).map(drop)
    }

    /// Tells whether repositories inside the repository (submodules, clones that the agent made) hold what the start did
    /// not: their files are in no commit of ours, only in the checkout. Where that cannot be told, they do.
    fn leaves_nested(&mut self, desk: &Desk<'_>, tree: &str, depth: usize) -> bool {
        let found = self.nested(desk, &desk.checkout.start).and_then(|before| Ok((before, self.nested(desk, tree)?)));
        let Ok((before, after)) = found else { return true };
        before != after
            || after.len() > NESTED_MAX
            || (depth == 0 && !after.is_empty())
            || after.into_iter().any(|nested| self.is_changed(desk, nested, depth - 1))
    }

    /// Tells whether the files of a repository inside are others than those of its commit.
    fn is_changed(&mut self, desk: &Desk<'_>, nested: Nested, depth: usize) -> bool {
        let dir = desk.checkout.dir.join(&nested.path);
        let Some(mirror) = git_dir_of(&dir, &desk.checkout.dir) else {
            // A submodule that was never fetched is an empty folder.
            return fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        };
        let inside = Checkout { dir, mirror, start: nested.commit };
        let desk = Desk { checkout: &inside, repository: desk.repository.join("nested") };
        let tree = self.set_up(&desk).and_then(|()| self.take_in(&desk));
        let start = self.tree_of(&desk, &inside.start);
        match (tree, start) {
            (Ok(tree), Ok(start)) => tree != start || self.leaves_nested(&desk, &tree, depth),
            _ => true,
        }
    }

    /// Lists the repositories inside a tree.
    fn nested(&mut self, desk: &Desk<'_>, tree: &str) -> Result<Vec<Nested>, String> {
        let mut listing = File::from(memfd_create("tree", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?);
        let args = ["--git-dir", desk.repository.as_str(), "ls-tree", "-r", "-z", "--full-tree", tree];
        let out = listing.try_clone().map_err(|error| error.to_string())?;
        self.git_into(&args, out).map_err(GitFailure::into_words)?;
        let mut bytes = Vec::new();
        listing.rewind().and_then(|()| listing.read_to_end(&mut bytes)).map_err(|error| error.to_string())?;
        let entries = bytes.split(|byte| *byte == 0).filter(|entry| entry.starts_with(GITLINK_MODE));
        entries.map(|entry| Nested::parse(entry).ok_or_else(|| "a name is not UTF-8".to_owned())).collect()
    }
}

/// A repository inside the repository.
#[derive(Debug, PartialEq, Eq)]
struct Nested {
    path: String,
    commit: String,
}

impl Nested {
    /// Reads a line of `git ls-tree`: `160000 commit <name>\t<path>`.
    fn parse(entry: &[u8]) -> Option<Self> {
        let (facts, path) = str::from_utf8(entry).ok()?.split_once('\t')?;
        let commit = facts.rsplit(' ').next()?;
        Some(Self { path: path.to_owned(), commit: commit.to_owned() })
    }
}

/// Returns where the objects of a repository inside the checkout are: its own `.git`, or the one that a file of that
/// name leads to; never outside the checkout.
fn git_dir_of(dir: &Utf8Path, checkout: &Utf8Path) -> Option<Utf8PathBuf> {
    let own = dir.join(".git");
    let git_dir = match read_start(&own, REFS_BYTES_MAX) {
        Some(text) => dir.join(text.trim_end().strip_prefix("gitdir: ")?),
        None => own,
    };
    let real = git_dir.canonicalize_utf8().ok()?;
    real.starts_with(checkout.canonicalize_utf8().ok()?).then_some(real)
}

/// Reads which commit is checked out in a clone, as files: `HEAD`, then the branch that it names.
fn head_of(git_dir: &Utf8Path) -> Option<String> {
    let head = read_start(&git_dir.join("HEAD"), REFS_BYTES_MAX)?;
    let head = head.trim_end();
    let Some(name) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned()).filter(|head| is_object_name(head));
    };
    if !name.starts_with("refs/") || name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return None;
    }
    let loose = read_start(&git_dir.join(name), REFS_BYTES_MAX).map(|text| text.trim_end().to_owned());
    let packed = || {
        let packed = read_start(&git_dir.join("packed-refs"), REFS_BYTES_MAX)?;
        packed
            .lines()
            .find_map(|line| Some(line.split_once(' ')?).filter(|(_, its)| *its == name).map(|(id, _)| id.to_owned()))
    };
    loose.or_else(packed).filter(|id| is_object_name(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_commit_that_is_checked_out_is_read_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let git_dir = Utf8Path::from_path(dir.path()).unwrap();
        let check = |files: &[(&str, &str)], expected: Option<&str>| {
            checkout::remove(git_dir).unwrap();
            for (name, text) in files {
                let path = git_dir.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(head_of(git_dir).as_deref(), expected, "{files:?}");
        };
        let oid_line = format!("{OID}\n");
        let packed =
            format!("# pack-refs with: peeled\n{OID} refs/heads/main\n^{OID}\n{} refs/heads/x\n", "f".repeat(40));
        check(&[], None);
        check(&[("HEAD", &oid_line)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n"), ("refs/heads/main", &oid_line)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n"), ("packed-refs", &packed)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n")], None);
        check(&[("HEAD", "ref: refs/heads/../../secret\n"), ("secret", &oid_line)], None);
        check(&[("HEAD", "ref: ../secret\n"), ("secret", &oid_line)], None);
        check(&[("HEAD", "--upload-pack=x\n")], None);
        check(&[("HEAD", "ref: refs/heads/main\n"), ("refs/heads/main", "main\n")], None);
        fs::remove_file(git_dir.join("HEAD")).unwrap();
        fs::os::unix::fs::symlink("refs/heads/main", git_dir.join("HEAD")).unwrap();
        assert_eq!(head_of(git_dir), None);
    }
}
