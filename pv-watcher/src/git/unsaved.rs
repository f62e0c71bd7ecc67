//! What an agent left that no commit of ours holds. Its checkout stays, and record and message name it.

use std::{fmt, path::Path};

use pv_lib::text::one_line;

/// How many paths are named; the others are counted.
const NAMED_MAX: usize = 5;

/// How much of one path is shown, in characters.
const SHOWN_CHARS: usize = 120;

/// What a saved commit lacks of what is in the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsaved {
    /// Files with names that git refuses, and repositories without a commit.
    Refused(Paths),
    /// Files and folders that this user may not read.
    Unreadable(Paths),
    /// What changed in submodules, and in clones that the agent made.
    Nested(Paths),
    /// Commits that the branch which is checked out does not have.
    Branches,
    /// Files of which the commit holds a pointer, and git-lfs the contents.
    LargeFiles,
    /// Ignored files that are not in the archive, and why.
    Ignored(Paths, String),
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(paths) => write!(f, "files that git does not take ({paths})"),
            Self::Unreadable(paths) => write!(f, "what this user may not read ({paths})"),
            Self::Nested(paths) => write!(f, "what changed in repositories inside the repository ({paths})"),
            Self::Branches => f.write_str("commits on other branches, on none, or in the stash"),
            Self::LargeFiles => f.write_str("files whose contents git-lfs keeps apart"),
            Self::Ignored(paths, why) => write!(f, "files that git ignores ({paths}): {why}"),
        }
    }
}

/// Paths for a sentence: the first few by name, the others counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    named: Vec<String>,
    others: usize,
}

impl Paths {
    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Returns how many there are.
    pub(crate) fn count(&self) -> usize {
        self.named.len() + self.others
    }

    /// Adds one.
    pub(crate) fn add(&mut self, path: &Path) {
        if self.named.len() == NAMED_MAX {
            self.others += 1;
            return;
        }
        let visible = one_line(&path.to_string_lossy());
        let mut shown: String = visible.chars().take(SHOWN_CHARS).collect();
        if shown.len() < visible.len() {
            shown.push('…');
        }
        self.named.push(if shown.is_empty() { ".".to_owned() } else { shown });
    }
}

impl<'a> FromIterator<&'a Path> for Paths {
    fn from_iter<T: IntoIterator<Item = &'a Path>>(paths: T) -> Self {
        let mut all = Self::default();
        paths.into_iter().for_each(|path| all.add(path));
        all
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        if self.others > 0 {
            write!(f, " and {} more", self.others)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_paths_are_named_and_the_others_counted() {
        let check = |paths: &[&str], expected: &str| {
            let paths: Paths = paths.iter().map(Path::new).collect();
            assert_eq!(paths.to_string(), expected);
        };
        check(&[], "");
        check(&["a", "b/c"], "a, b/c");
        check(&["1", "2", "3", "4", "5", "6", "7"], "1, 2, 3, 4, 5 and 2 more");
        check(&["", "a\nb\u{1b}[2J"], "., a^Jb^[[2J");
        check(&[&"x".repeat(500)], &format!("{}…", "x".repeat(SHOWN_CHARS)));
    }
}
