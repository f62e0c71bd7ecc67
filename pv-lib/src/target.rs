//! Where a prompt is to be worked on: owner, repository, branch.

use std::fmt;

use serde::Serialize;

/// A repository and a branch of it.
///
/// Each part is safe to use as path components: never empty, hidden, absolute, or climbing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Target {
    owner: Option<String>,
    repo: String,
    branch: String,
}

/// A name that cannot be an owner, a repository or a branch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` cannot be {what}: {why}")]
pub struct InvalidName {
    /// The part that was refused: `an owner`, `a repository` or `a branch`.
    pub what: &'static str,
    /// The refused text.
    pub value: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl Target {
    /// Builds a target from its parts.
    ///
    /// # Errors
    /// [`InvalidName`] when a part is empty, begins with a dot or a dash, has a control character, a backslash
    /// or a `..`, or, but for the branch, a slash; and where git would refuse the branch (`git check-ref-format`).
    pub fn new(owner: Option<&str>, repo: &str, branch: &str) -> Result<Self, InvalidName> {
        if let Some(owner) = owner {
            check_component("an owner", owner)?;
        }
        check_component("a repository", repo)?;
        check_branch(branch)?;
        Ok(Self { owner: owner.map(str::to_owned), repo: repo.to_owned(), branch: branch.to_owned() })
    }

    /// Returns the owner, where one is known.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Returns the repository's name, without its owner.
    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Returns the branch, which may hold slashes.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Returns `owner/repo`, or `repo` where no owner is known.
    #[must_use]
    pub fn full_repo(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{owner}/{}", self.repo),
            None => self.repo.clone(),
        }
    }

    /// Tells whether `repo`, a bare name or `owner/name`, means this target's repository.
    #[must_use]
    pub fn matches_repo(&self, repo: &str) -> bool {
        repo == self.repo || (repo.contains('/') && repo == self.full_repo())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.full_repo(), self.branch)
    }
}

fn check_component(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let why = if value.contains('/') { Some("it has a slash") } else { forbidden(value) };
    refuse(what, value, why)
}

/// The rules of `git check-ref-format --branch`, per component of the name.
fn check_branch(value: &str) -> Result<(), InvalidName> {
    let why = if value.is_empty() {
        Some("it is empty")
    } else if value == "@" || value.contains("@{") || value.contains([' ', '~', '^', ':', '?', '*', '[']) {
        Some("git does not allow it as a branch name")
    } else {
        value.split('/').find_map(|part| {
            let lock = part.ends_with(".lock") || part.ends_with('.');
            forbidden(part).or(lock.then_some("git does not allow it as a branch name"))
        })
    };
    refuse("a branch", value, why)
}

/// What no path component may be, whoever names it.
fn forbidden(part: &str) -> Option<&'static str> {
    if part.trim().is_empty() {
        Some("it is empty")
    } else if part.len() > 200 {
        Some("it is longer than 200 bytes")
    } else if part.starts_with('.') || part.contains("..") {
        Some("it begins with a dot or has two in a row")
    } else if part.starts_with('-') {
        Some("it begins with a dash")
    } else if part.contains('\\') || part.chars().any(char::is_control) {
        Some("it has a backslash or a control character")
    } else {
        None
    }
}

fn refuse(what: &'static str, value: &str, why: Option<&'static str>) -> Result<(), InvalidName> {
    match why {
        Some(why) => Err(InvalidName { what, value: value.escape_debug().to_string(), why }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_that_git_hosts_use() {
        for (owner, repo, branch) in [
            (Some("nova-rey"), "example", "main"),
            (None, "dots.in.name", "feature/x"),
            (Some("o_1"), "r", "release-1.2/hot_fix"),
        ] {
            assert!(Target::new(owner, repo, branch).is_ok(), "{repo} {branch}");
        }
    }

    #[test]
    fn refuses_names_that_would_leave_their_folder() {
        for bad in ["", " ", ".", "..", ".git", "a/../b", "-x", "a\0b", "a\nb", "a\\b", "/abs", "a//b", "a/"] {
            assert!(Target::new(None, bad, "main").is_err(), "repo {bad:?}");
            assert!(Target::new(None, "r", bad).is_err(), "branch {bad:?}");
            assert!(Target::new(Some(bad), "r", "main").is_err(), "owner {bad:?}");
        }
        for bad in ["a b", "a~1", "a^", "a:b", "x.lock", "x.", "@", "a@{1}", "w*"] {
            assert!(Target::new(None, "r", bad).is_err(), "branch {bad:?}");
        }
    }

    #[test]
    fn matches_by_bare_and_by_full_name() {
        let target = Target::new(Some("o"), "r", "b").unwrap();
        assert!(target.matches_repo("r") && target.matches_repo("o/r"));
        assert!(!target.matches_repo("R") && !target.matches_repo("x/r"));
    }
}
