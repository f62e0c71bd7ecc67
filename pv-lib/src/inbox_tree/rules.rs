//! For which repositories and branches folders are wanted.

use crate::target::Target;

/// How the two lists of branches are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BranchMode {
    /// Not at all.
    #[default]
    All,
    /// Only branches of the first are wanted.
    Whitelist,
    /// Branches of the second are not wanted.
    Blacklist,
    /// Only branches of the first that are not of the second.
    Both,
}

/// For which repositories and branches folders are wanted. In every list `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeRules {
    /// How `whitelist` and `blacklist` are used.
    pub mode: BranchMode,
    /// Names of branches.
    pub whitelist: Vec<String>,
    /// Beginnings of names of branches.
    pub blacklist: Vec<String>,
    /// Names that are never branches.
    pub never: Vec<String>,
    /// `repo`, `owner/repo`, or either with `@branch`: what is wanted; empty means all.
    pub allow: Vec<String>,
    /// The same: what is not wanted, whatever else says so.
    pub deny: Vec<String>,
    /// What the names of branches begin with that deliveries push; none of them is wanted. Empty for none.
    pub delivered_prefix: String,
}

impl TreeRules {
    /// Tells whether a folder is wanted for a repository and branch.
    #[must_use]
    pub fn want(&self, target: &Target) -> bool {
        let branch = target.branch();
        let is_delivered = !self.delivered_prefix.is_empty() && branch.starts_with(&self.delivered_prefix);
        let is_white = || self.whitelist.iter().any(|name| matches(name, branch));
        let is_black = || self.blacklist.iter().any(|beginning| matches(&format!("{beginning}*"), branch));
        let is_of_mode = match self.mode {
            BranchMode::All => true,
            BranchMode::Whitelist => is_white(),
            BranchMode::Blacklist => !is_black(),
            BranchMode::Both => is_white() && !is_black(),
        };
        let is_listed = |list: &[String]| list.iter().any(|pattern| names(pattern, target));
        is_of_mode
            && !is_delivered
            && !self.never.iter().any(|name| matches(name, branch))
            && (self.allow.is_empty() || is_listed(&self.allow))
            && !is_listed(&self.deny)
    }
}

impl BranchMode {
    /// Reads the name that the settings file uses, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "all" => Some(Self::All),
            "whitelist" => Some(Self::Whitelist),
            "blacklist" => Some(Self::Blacklist),
            "both" => Some(Self::Both),
            _ => None,
        }
    }

    /// Returns the name that the settings file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Whitelist => "whitelist",
            Self::Blacklist => "blacklist",
            Self::Both => "both",
        }
    }
}

/// Tells whether `pattern`, for a repository and maybe `@` its branches, names a target.
fn names(pattern: &str, target: &Target) -> bool {
    let (repo, branch) = pattern.split_once('@').unwrap_or((pattern, "*"));
    let is_repo = if repo.contains('/') { matches(repo, &target.full_repo()) } else { matches(repo, target.repo()) };
    is_repo && matches(branch, target.branch())
}

/// Tells whether `pattern`, in which `*` stands for any characters, is the whole of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The first place leaves most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("main", "main", true),
            ("main", "main2", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("release-*", "release-1", true),
            ("release-*", "prerelease-1", false),
            ("*-x", "a-x-x", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("**é*", "xéy", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
