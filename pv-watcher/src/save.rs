//! Keeping an agent's work, whatever became of its job: one commit, as a patch in the run folder and in the mirror.
//!
//! What an agent may have written to its clone's configuration, hooks or attributes is not in force here: its files are
//! read through a repository of our own, which borrows the objects of the clone, and its branch is read as a file. So the
//! work is found even where the agent removed its repository, and a job whose supervisor died is saved the same way.

use std::{collections::BTreeSet, fs::File, io};

use crate::{
    agent_file::read_start,
    checkout::{self, Checkout},
    git::{GitFailure, Stop},
    mirror::{in_mirror, sync_all},
    session::Session,
};
use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    fs::durable,
    job::{JobId, Undelivered, is_object_name},
};

/// How much of a file that names a branch is read, in bytes; more than any `packed-refs` of use.
const REFS_BYTES_MAX: u64 = 16 << 20;

/// How much of a file that holds one reference is read, in bytes.
const REF_BYTES_MAX: u64 = 4096;

/// How many branches of an agent are looked at; where there are more, the checkout stays.
const TIPS_MAX: usize = 64;

/// How many paths one call of git is given.
const PATHS_AT_ONCE: usize = 200;

/// The name of the file in which git notes what it knows of a checkout.
const INDEX: &str = "index";

/// What an agent left, saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The commit that holds its work, in the mirror as `refs/pv/<job_id>`; `None` where nothing changed.
    pub(crate) commit: Option<String>,
    /// What the checkout holds besides, which is in no commit of ours, in words for the record; empty where nothing is.
    pub(crate) left: Vec<&'static str>,
    /// Whether files of the commit are only named in it, and their contents are where git-lfs keeps them.
    pub(crate) has_large_files: bool,
}

/// Returns the reference of the mirror that keeps a job's work.
pub(crate) fn work_ref(id: &JobId) -> String {
    format!("refs/pv/{id}")
}

/// Where the work is read from, and through what.
pub(crate) struct Desk<'a> {
    pub(crate) checkout: &'a Checkout,
    /// Our own repository beside the checkout.
    pub(crate) repository: Utf8PathBuf,
}

/// The files of a checkout, taken in.
pub(crate) struct Taken {
    /// The tree that they make.
    pub(crate) tree: String,
    /// Whether all of them are in it.
    pub(crate) is_whole: bool,
}

impl Session<'_> {
    /// Notes how git sees a fresh checkout, before anybody changes it: what is untouched afterwards need not be read.
    pub(crate) fn remember_checkout(&self, dir: &Utf8Path) -> io::Result<()> {
        let repository = self.saving_repository();
        checkout::remove(&repository)?;
        fs::create_dir_all(&repository)?;
        fs::copy(dir.join(".git/index"), repository.join(INDEX)).map(drop)
    }

    /// Saves what the agent left, commits of its own included.
    ///
    /// Nothing stops this but time limits. May be repeated: what a crash left is made anew.
    ///
    /// # Errors
    /// A sentence; the work is still in the checkout then.
    pub(crate) fn save_work(&mut self, checkout: &Checkout) -> Result<Saved, String> {
        let desk = Desk { checkout, repository: self.saving_repository() };
        self.set_up(&desk).map_err(GitFailure::into_words)?;
        let Taken { tree, is_whole } = self.take_in(&desk).map_err(GitFailure::into_words)?;
        let commit = self.commit(&desk, &tree).map_err(GitFailure::into_words)?;
        if let Some(commit) = &commit {
            self.write_patch(&desk.repository, &checkout.start, commit)?;
            self.keep_in_mirror(&desk, commit).map_err(GitFailure::into_words)?;
        }
        let left = [
            (!is_whole, "files that git does not take"),
            (self.leaves_nested(&desk, &tree), "repositories inside the repository"),
            (self.leaves_branches(&desk, commit.as_deref()), "commits on other branches or in the stash"),
        ];
        let left = left.into_iter().filter_map(|(is_there, what)| is_there.then_some(what)).collect();
        let large = desk.repository.join("lfs/objects");
        let has_large_files = fs::read_dir(large).is_ok_and(|mut entries| entries.next().is_some());
        Ok(Saved { commit, left, has_large_files })
    }

    /// Takes over the work that another job saved and could not hand over, as this job's own.
    ///
    /// # Errors
    /// A sentence; the other job's patch is still in its run folder.
    pub(crate) fn take_over(&mut self, mirror: &Utf8Path, work: &Undelivered) -> Result<(), String> {
        let git_dir = in_mirror(mirror);
        let (kept, own) = (work_ref(&work.job_id), work_ref(self.id()));
        let look = ["rev-parse", "--verify", "--quiet", &format!("{kept}^{{commit}}")];
        if self.git_object(&[&git_dir[..], &look].concat(), Stop::Ignored).ok().as_ref() != Some(&work.commit) {
            return Err(format!("{} of job {} is no longer in {mirror} as {kept}", work.commit, work.job_id));
        }
        self.git(&[&git_dir[..], &["update-ref", &own, &work.commit]].concat(), Stop::Ignored)
            .map_err(GitFailure::into_words)?;
        sync_all(mirror).map_err(|error| error.to_string())?;
        self.write_patch(mirror, &work.base_commit, &work.commit)
    }

    /// Returns where our own repository is while work is saved.
    pub(crate) fn saving_repository(&self) -> Utf8PathBuf {
        let checkout = self.checkout_dir();
        checkout.with_file_name(format!("{}.git", self.id()))
    }

    /// Makes our own repository, which borrows the objects of the checkout and of the mirror. Of what is there already
    /// only the index stays: an agent may have reached the rest.
    pub(crate) fn set_up(&mut self, desk: &Desk<'_>) -> Result<(), GitFailure> {
        let (repository, checkout) = (&desk.repository, desk.checkout);
        let in_words = |error: io::Error| GitFailure::Words(error.to_string());
        for entry in fs::read_dir(repository).into_iter().flatten().flatten() {
            if entry.file_name() != INDEX {
                remove_entry(&entry).map_err(in_words)?;
            }
        }
        let format = if checkout.start.len() == 64 { "sha256" } else { "sha1" };
        let args = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", repository.as_str()];
        self.git(&args, Stop::Ignored)?;
        let lenders = [checkout.dir.join(".git/objects"), checkout.mirror.join("objects")];
        let list: String = lenders.iter().filter(|dir| dir.is_dir()).map(|dir| format!("{dir}\n")).collect();
        fs::write(repository.join("objects/info/alternates"), list).map_err(in_words)
    }

    /// Takes in every file as it is now, new and removed ones too.
    ///
    /// Repositories inside are set aside first: to see whether one changed, git would run itself in it, by the
    /// configuration that the agent gave it.
    pub(crate) fn take_in(&mut self, desk: &Desk<'_>) -> Result<Taken, GitFailure> {
        let git_dir = ["--git-dir", desk.repository.as_str()];
        let is_readable = self.git(&[&git_dir[..], &["ls-files", "--", "pv-none"]].concat(), Stop::Ignored).is_ok();
        if !is_readable || !desk.repository.join(INDEX).exists() {
            self.git(&[&git_dir[..], &["read-tree", &desk.checkout.start]].concat(), Stop::Ignored)?;
        }
        let tree = ["-C", desk.checkout.dir.as_str(), "--work-tree", desk.checkout.dir.as_str()];
        let in_tree = [&git_dir[..], &tree].concat();
        let nested = self.nested(desk, &desk.checkout.start)?;
        for some in nested.chunks(PATHS_AT_ONCE) {
            let paths = some.iter().map(|nested| nested.path.as_str());
            let aside: Vec<&str> =
                in_tree.iter().copied().chain(["update-index", "--skip-worktree", "--"]).chain(paths).collect();
            self.git(&aside, Stop::Ignored)?;
        }
        let add = ["-c", "advice.addEmbeddedRepo=false", "add", "--all", "--ignore-errors"];
        let is_whole = match self.git(&[&in_tree[..], &add].concat(), Stop::Ignored) {
            Ok(_) => true,
            // What it takes is taken; without an index there is nothing.
            Err(GitFailure::Words(_)) if desk.repository.join(INDEX).exists() => false,
            Err(failure) => return Err(failure),
        };
        for nested in &nested {
            self.follow_nested(&in_tree, desk, nested)?;
        }
        let tree = self.git_object(&[&git_dir[..], &["write-tree"]].concat(), Stop::Ignored)?;
        Ok(Taken { tree, is_whole })
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

    pub(crate) fn tree_of(&mut self, desk: &Desk<'_>, commit: &str) -> Result<String, GitFailure> {
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
        let cannot = |error: io::Error| format!("cannot write {staged}: {error}");
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
        let mirror = in_mirror(&desk.checkout.mirror);
        let refspec = format!("+refs/heads/work:{}", work_ref(self.id()));
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repository, &refspec];
        self.git(&[&mirror[..], &fetch].concat(), Stop::Ignored)?;
        sync_all(&desk.checkout.mirror).map_err(|error| GitFailure::Words(error.to_string()))
    }

    /// Tells whether a branch or the stash of the checkout holds commits that neither the start nor the saved commit has.
    fn leaves_branches(&mut self, desk: &Desk<'_>, saved: Option<&str>) -> bool {
        let git_dir = ["--git-dir", desk.repository.as_str()];
        let tips = tips_of(&desk.checkout.dir.join(".git"));
        let known = [Some(desk.checkout.start.as_str()), saved];
        let mut strange = tips.iter().filter(|tip| !known.contains(&Some(tip.as_str())));
        tips.len() > TIPS_MAX
            || strange.any(|tip| {
                let is_in = ["merge-base", "--is-ancestor", tip, saved.unwrap_or(&desk.checkout.start)];
                self.git(&[&git_dir[..], &is_in].concat(), Stop::Ignored).is_err()
            })
    }
}

fn remove_entry(entry: &fs::DirEntry) -> io::Result<()> {
    let path = Utf8PathBuf::from_path_buf(entry.path()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    if entry.file_type()?.is_dir() { checkout::remove(&path) } else { fs::remove_file(path) }
}

/// Reads which commits the branches and the stash of a clone have, as files; a few more than [`TIPS_MAX`] at most.
fn tips_of(git_dir: &Utf8Path) -> BTreeSet<String> {
    let mut tips = BTreeSet::new();
    let mut add = |id: &str| {
        if is_object_name(id) {
            tips.insert(id.to_owned());
        }
    };
    let packed = read_start(&git_dir.join("packed-refs"), REFS_BYTES_MAX).unwrap_or_default();
    let is_kept = |name: &str| name.starts_with("refs/heads/") || name == "refs/stash";
    packed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, name)| is_kept(name))
        .for_each(|(id, _)| add(id));
    let mut waiting = vec![git_dir.join("refs/heads")];
    let mut files = vec![git_dir.join("refs/stash")];
    while let Some(dir) = waiting.pop() {
        for entry in dir.read_dir_utf8().into_iter().flatten().flatten().take(TIPS_MAX + 1) {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir { &mut waiting } else { &mut files }.push(entry.path().to_owned());
        }
        if files.len() + waiting.len() > TIPS_MAX * 4 {
            break;
        }
    }
    files.iter().filter_map(|file| read_start(file, REF_BYTES_MAX)).for_each(|id| add(id.trim_end()));
    tips
}

/// Reads which commit is checked out in a clone, as files: `HEAD`, then the branch that it names.
pub(crate) fn head_of(git_dir: &Utf8Path) -> Option<String> {
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
