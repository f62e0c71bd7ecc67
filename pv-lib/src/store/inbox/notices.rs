//! What is said of files of the inbox that will never run: each with what is wrong and what to do.

use std::time::Duration;

use camino::Utf8Path;

use super::walk::{Folder, InboxWalk, NoBranch};
use crate::{
    fs::{Entry, FsExt, Kind, Stat},
    layout::InboxMode,
    prompt::{NameKind, classify, name_notice},
    store::Store,
    time::Timestamp,
    unusable::{Severity, Unusable, UnusableList},
};

/// How long an entry must have been as it is: whoever writes a file may rename it, or move it, a moment later.
const SETTLED: Duration = Duration::from_secs(2);

/// How long a file must have been empty: who writes it may take a while to begin.
const EMPTY: Duration = Duration::from_secs(60);

/// What is wrong with an entry, what to do, and how long it must have been so.
struct Notice {
    why: String,
    remedy: String,
    after: Duration,
}

impl Store {
    /// Returns an entry for each file of the inbox that will never run as it is. What cannot be stated any more is left
    /// out; of more than can be named only the number is told.
    pub(super) fn notices(&self, walk: &InboxWalk, now: Timestamp) -> UnusableList {
        let mut list = UnusableList::default();
        for folder in walk.branches.iter().flat_map(|branch| &branch.folders) {
            self.notice_in(folder, None, now, &mut list);
        }
        for (folder, no_branch) in &walk.others {
            self.notice_in(folder, Some(no_branch), now, &mut list);
        }
        list
    }

    fn notice_in(&self, folder: &Folder, no_branch: Option<&NoBranch>, now: Timestamp, list: &mut UnusableList) {
        for entry in &folder.entries {
            let path = folder.dir.join(&entry.name);
            let Some(notice) = self.notice(&path, entry, no_branch) else { continue };
            // Nobody reads the times of what is not named. A time that is far ahead is of a clock that was wrong.
            let is_old = list.is_full()
                || self.fs().stat(&path).map_or(entry.kind == Kind::NotUtf8, |stat| {
                    let age = i128::from(now.unix_seconds()) * 1_000_000_000 - stat.changed_ns;
                    age.unsigned_abs() >= notice.after.as_nanos()
                });
            if is_old {
                list.push(Unusable::new(path, Severity::Warning, &notice.why, &notice.remedy));
            }
        }
    }

    /// Decides what is said of an entry; `None` for what may run, and for what nobody needs to know of.
    fn notice(&self, path: &Utf8Path, entry: &Entry, no_branch: Option<&NoBranch>) -> Option<Notice> {
        let of =
            |why: &str, remedy: &str| Some(Notice { why: why.to_owned(), remedy: remedy.to_owned(), after: SETTLED });
        let name = classify(&entry.name);
        match (entry.kind, name) {
            (Kind::NotUtf8, _) => of("it has a name that is not UTF-8", "rename it"),
            (Kind::Dir, NameKind::Ignored(_)) => None,
            (Kind::Dir, NameKind::Waiting { .. } | NameKind::Running { .. }) => {
                of("it is a folder, and only a file is a prompt", "put a file in its place, or rename it")
            }
            (Kind::File, NameKind::Ignored(reason)) => {
                let notice = name_notice(&entry.name, reason)?;
                Some(Notice { why: notice.why, remedy: notice.remedy, after: notice.after })
            }
            // What editors leave.
            (Kind::Link | Kind::Other, NameKind::Ignored(reason)) if name_notice(&entry.name, reason).is_none() => None,
            (Kind::Link, _) => of("it is a link, and links are not followed", "put what it leads to in its place"),
            (Kind::Other, _) => of("it is no regular file, and never runs", "put a file in its place"),
            (Kind::File, NameKind::Waiting { id, .. }) => match no_branch {
                Some(no_branch) => Some(self.of_no_branch(path, no_branch)),
                None if id.is_none() => self.of_empty(path),
                None => None,
            },
            (Kind::File, NameKind::Running { .. }) => no_branch.map(|no_branch| self.of_no_branch(path, no_branch)),
        }
    }

    /// A prompt that is empty is not taken in.
    fn of_empty(&self, path: &Utf8Path) -> Option<Notice> {
        let is_empty = |stat: Stat| stat.kind == Kind::File && stat.len == 0;
        let found = self.fs().stat_opt(path).ok().flatten();
        let (why, remedy) = ("it is empty", "write into it what is to be done, or remove it");
        found.is_some_and(is_empty).then(|| Notice { why: why.to_owned(), remedy: remedy.to_owned(), after: EMPTY })
    }

    /// A prompt in a folder that belongs to no branch.
    fn of_no_branch(&self, path: &Utf8Path, no_branch: &NoBranch) -> Notice {
        let layout = self.layout();
        let spelled = match &layout.inbox_mode {
            InboxMode::SingleOwner { .. } => "REPO/BRANCH",
            InboxMode::MultiOwner => "OWNER/REPO/BRANCH",
        };
        let (why, remedy) = match no_branch {
            NoBranch::AboveRepositories => (
                "it lies above the folders of branches, and is for none".to_owned(),
                format!("move it to {}/{spelled}/: `pv targets` lists them, `pv targets add` makes one", layout.inbox),
            ),
            NoBranch::Repository => (
                "it lies beside the folders of branches, and is for none".to_owned(),
                format!(
                    "move it into the folder of a branch, such as {}/main/: `pv targets add` makes one",
                    path.parent().unwrap_or(path)
                ),
            ),
            NoBranch::NotMarked(target) => {
                let (repo, branch) = (target.full_repo(), target.branch());
                (
                    format!(
                        "its folder is not that of a branch, since `{}` has branch folders of its own",
                        first_part(branch)
                    ),
                    format!(
                        "`pv targets add {repo} {branch}` makes it one for `{branch}`; or move the file into another"
                    ),
                )
            }
            NoBranch::Invalid(invalid) => {
                (format!("its folder is for no branch: {invalid}"), "rename the folder, or move the file".to_owned())
            }
        };
        Notice { why, remedy, after: SETTLED }
    }
}

fn first_part(branch: &str) -> &str {
    branch.split('/').next().unwrap_or(branch)
}
