//! Asking git about the clone in which a person stands.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::text::without_credentials;

use super::found::{CloneKind, Dirty, FoundClone, FoundRemote, NoClone, Upstream};
use crate::git::{GitFailure, Remotes, Runner, Unattended, excludes_setting, explain, remotes_of};

/// Where a repository keeps its own branches.
const BRANCHES: &str = "refs/heads/";

/// Finds the clone that a folder is in, with git as the person's environment makes it. Writes nothing.
///
/// # Errors
/// [`NoClone`]: why there is none to work on, and what to type.
pub fn find_clone(dir: &Utf8Path, environment: &[(OsString, OsString)]) -> Result<FoundClone, NoClone> {
    let mut attendant = Unattended;
    let mut git = Runner::unattended(environment, &mut attendant);
    let (top, repository) = place(&mut git, dir)?;
    let mut here = Here { git: &mut git, top: &top };
    let kind = here.kind(&repository)?;
    let branch = here.branch()?;
    let commit = here.line_if_found(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    // That is no matter to a job that needs no remote.
    let (Remotes { chosen, others, .. }, remote_unclear) = match remotes_of(here.git, &top) {
        Ok(remotes) => (remotes, None),
        Err(failure) => {
            (Remotes { chosen: None, others: Vec::new(), person: None }, Some(explain(&failure.into_message(), "")))
        }
    };
    let remote_name = chosen.as_ref().map(|(name, _)| name.as_str());
    let upstream = match (&branch, &commit, remote_name) {
        (Some(branch), Some(_), Some(remote)) => here.upstream(branch, remote)?,
        _ => None,
    };
    let dirty = here.dirty(environment)?;
    let remote = chosen.map(|(name, remote)| FoundRemote { name, address: without_credentials(&remote.written) });
    Ok(FoundClone {
        top,
        repository,
        kind,
        branch,
        commit,
        remote,
        remote_unclear,
        other_remotes: others,
        upstream,
        dirty,
    })
}

/// Returns the top folder of the files, and the repository.
fn place(git: &mut Runner<'_>, dir: &Utf8Path) -> Result<(Utf8PathBuf, Utf8PathBuf), NoClone> {
    let ask =
        ["rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--path-format=absolute", "--git-common-dir"];
    let answer = match git.value(&[&["-C", dir.as_str()][..], &ask].concat()) {
        Ok(answer) => utf8(answer)?,
        Err(_) if !is_below_a_repository(dir) => return Err(NoClone::Outside(dir.to_owned())),
        Err(failure) => return Err(refused(failure)),
    };
    let mut lines = answer.splitn(3, '\n');
    let (is_bare, is_inside) = (lines.next() == Some("true"), lines.next() == Some("true"));
    let repository = Utf8PathBuf::from(lines.next().unwrap_or_default().trim_end_matches('\n'));
    if is_bare {
        return Err(NoClone::Bare(repository));
    } else if !is_inside {
        return Err(NoClone::Inside(dir.to_owned()));
    }
    let top = git.value(&["-C", dir.as_str(), "rev-parse", "--path-format=absolute", "--show-toplevel"]);
    Ok((utf8(top.map_err(refused)?)?.trim_end_matches('\n').into(), repository))
}

/// Tells whether a folder, or one above it, looks like a repository: where git fails all the same, its words say why.
fn is_below_a_repository(dir: &Utf8Path) -> bool {
    let looks_bare = |dir: &Utf8Path| dir.join("HEAD").is_file() && dir.join("objects").is_dir();
    let has_one = |dir: &Utf8Path| dir.join(".git").is_file() || dir.join(".git/HEAD").exists();
    dir.ancestors().any(|dir| has_one(dir) || looks_bare(dir))
}

fn refused(failure: GitFailure) -> NoClone {
    NoClone::Refused(explain(&failure.into_message(), ""))
}

fn utf8(bytes: Vec<u8>) -> Result<String, NoClone> {
    String::from_utf8(bytes).map_err(|_| NoClone::Refused("the clone's folder is not UTF-8: move it".to_owned()))
}

/// A clone whose top folder is known.
struct Here<'a, 'r> {
    git: &'a mut Runner<'r>,
    top: &'a Utf8Path,
}

impl Here<'_, '_> {
    fn ask(&mut self, args: &[&str]) -> Result<String, NoClone> {
        let here = ["--no-optional-locks", "-C", self.top.as_str()];
        let answer = self.git.value(&[&here[..], args].concat()).map_err(refused)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Returns what git prints on a line; `None` where it says, by its exit code, that there is nothing.
    fn line_if_found(&mut self, args: &[&str]) -> Result<Option<String>, NoClone> {
        let answer = self.git.value_in(self.top, args).map_err(refused)?;
        Ok(answer.map(|answer| String::from_utf8_lossy(&answer).trim_end().to_owned()))
    }

    fn kind(&mut self, repository: &Utf8Path) -> Result<CloneKind, NoClone> {
        let of = self.ask(&["rev-parse", "--path-format=absolute", "--show-superproject-working-tree"])?;
        let git_dir = self.ask(&["rev-parse", "--path-format=absolute", "--git-dir"])?;
        Ok(match of.trim_end_matches('\n') {
            "" if git_dir.trim_end_matches('\n') != repository.as_str() => CloneKind::Worktree,
            "" => CloneKind::Plain,
            of => CloneKind::Submodule { of: of.into() },
        })
    }

    fn branch(&mut self) -> Result<Option<String>, NoClone> {
        let head = self.line_if_found(&["symbolic-ref", "--quiet", "HEAD"])?;
        Ok(head.and_then(|head| head.strip_prefix(BRANCHES).map(str::to_owned)))
    }

    /// Returns the branch of the remote that belongs to a branch: the one that git was told, else the one of the same name.
    fn upstream(&mut self, branch: &str, remote: &str) -> Result<Option<Upstream>, NoClone> {
        let format = "--format=%(refname)%00%(upstream)%00%(upstream:remotename)%00%(upstream:remoteref)";
        let listed = self.ask(&["for-each-ref", format, &format!("{BRANCHES}{branch}")])?;
        let told = listed.lines().find_map(|line| told_upstream(line, branch, remote));
        let (name, tracking, is_set) = match told {
            Some((name, tracking)) => (name, tracking, true),
            None => (branch.to_owned(), format!("refs/remotes/{remote}/{branch}"), false),
        };
        let verify = ["rev-parse", "--verify", "--quiet", &format!("{tracking}^{{commit}}")];
        let Some(tip) = self.line_if_found(&verify)? else { return Ok(None) };
        let ahead = self.ask(&["rev-list", "--count", &format!("{tip}..HEAD"), "--"])?;
        Ok(Some(Upstream { branch: name, is_set, ahead: ahead.trim().parse().unwrap_or(0) }))
    }

    fn dirty(&mut self, environment: &[(OsString, OsString)]) -> Result<Dirty, NoClone> {
        let excludes = excludes_setting(self.git, self.top, environment).map_err(refused)?;
        let status = ["status", "--porcelain=v2", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"];
        let status = self.ask(&[&["-c", &excludes][..], &status].concat())?;
        Ok(count(&status))
    }
}

/// Reads a line of branches: the one that is meant, where git was told of a branch of that remote.
fn told_upstream(line: &str, branch: &str, remote: &str) -> Option<(String, String)> {
    let fields: Vec<&str> = line.split('\0').collect();
    let [name, tracking, of, their_name] = fields.as_slice() else { return None };
    let is_meant = name.strip_prefix(BRANCHES) == Some(branch) && *of == remote && !tracking.is_empty();
    let theirs = their_name.strip_prefix(BRANCHES).filter(|_| is_meant)?;
    Some((theirs.to_owned(), (*tracking).to_owned()))
}

/// Counts what `git status --porcelain=v2 -z` lists.
fn count(status: &str) -> Dirty {
    let mut dirty = Dirty::default();
    let mut entries = status.split_terminator('\0');
    while let Some(entry) = entries.next() {
        match entry.as_bytes().first() {
            Some(b'1' | b'u') => dirty.tracked += 1,
            // A renamed file has two names.
            Some(b'2') => {
                dirty.tracked += 1;
                entries.next();
            }
            Some(b'?') => dirty.untracked += 1,
            _ => {}
        }
    }
    dirty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_by_what_git_lists() {
        let check =
            |status: &str, tracked, untracked| assert_eq!(count(status), Dirty { tracked, untracked }, "{status:?}");
        check("", 0, 0);
        check("1 .M N... 100644 100644 100644 a b f\0", 1, 0);
        check("2 R. N... 1 1 1 a b R100 new\0? old\x001 .M N... 1 1 1 a b f\0", 2, 0);
        check("u UU N... 1 1 1 1 a b c f\0? x\0? dir/\0! ignored\0", 1, 2);
    }

    #[test]
    fn an_upstream_is_one_of_the_remote_that_is_meant() {
        let check = |line: &str, expected: Option<&str>| {
            let found = told_upstream(line, "b", "origin").map(|(name, _)| name);
            assert_eq!(found.as_deref(), expected, "{line:?}");
        };
        check("refs/heads/b\0refs/remotes/origin/x/y\0origin\0refs/heads/x/y", Some("x/y"));
        check("refs/heads/b\0refs/remotes/fork/b\0fork\0refs/heads/b", None);
        check("refs/heads/b\0refs/heads/main\0.\0refs/heads/main", None);
        check("refs/heads/b\0\0\0", None);
        check("refs/heads/b/c\0refs/remotes/origin/b\0origin\0refs/heads/b", None);
    }
}
