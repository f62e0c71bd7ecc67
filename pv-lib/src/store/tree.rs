//! The inbox tree: which branch folders the repositories that are cloned here should have.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::{InboxTarget, Listing, Store, listing::folders_in};
use crate::{
    fs::{FsError, FsExt, Kind},
    layout::InboxMode,
    target::Target,
    unusable::Unusable,
};

/// The most folders that one sync makes.
pub const TREE_FOLDERS_MAX: usize = 1000;

/// The most clones that are looked at.
const CLONES_MAX: usize = 1000;

/// Where the bare mirrors are, below the folder of the clones.
const MIRRORS: &str = ".mirrors";

/// A clone of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoClone {
    /// Its owner, where the inbox knows owners.
    pub owner: Option<String>,
    /// Its name.
    pub repo: String,
    /// Its folder, absolute.
    pub dir: Utf8PathBuf,
}

/// A repository and the branches that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches {
    /// Its owner, where the inbox knows owners.
    pub owner: Option<String>,
    /// Its name.
    pub repo: String,
    /// Their names.
    pub branches: Vec<String>,
}

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

/// What a sync is to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreePlan {
    /// The targets to make, sorted; at most [`TREE_FOLDERS_MAX`].
    pub add: Vec<Target>,
    /// How many more are left for the next sync.
    pub left_out: usize,
}

/// Decides which targets to make. Nothing is ever to be removed: a folder may be somebody's, and an empty one does no
/// harm.
#[must_use]
pub fn plan_tree(repositories: &[Branches], existing: &[InboxTarget], rules: &TreeRules) -> TreePlan {
    let existing: BTreeSet<&Target> = existing.iter().map(|found| &found.target).collect();
    let all = repositories.iter().flat_map(|repository| {
        let target = |branch: &String| Target::new(repository.owner.as_deref(), &repository.repo, branch).ok();
        repository.branches.iter().filter_map(target)
    });
    let missing: BTreeSet<Target> = all.filter(|target| rules.want(target) && !existing.contains(target)).collect();
    let left_out = missing.len().saturating_sub(TREE_FOLDERS_MAX);
    TreePlan { add: missing.into_iter().take(TREE_FOLDERS_MAX).collect(), left_out }
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

impl Store {
    /// Returns the clones that belong to this inbox, sorted, at most 1,000: those in `<repos>/<owner>/<repo>`, and the
    /// bare mirrors in `<repos>/.mirrors/<owner>/<repo>.git`. Without owners in the inbox, those in `<repos>/<repo>`.
    ///
    /// One repository may have both. Links and the file system's own `lost+found` are none. What cannot be read is noted;
    /// a missing folder has no clones.
    #[must_use]
    pub fn clones(&self) -> Listing<RepoClone> {
        let repos = &self.layout().repos;
        let mut listing = Listing::default();
        let owners = match &self.layout().inbox_mode {
            InboxMode::SingleOwner { owner } => vec![owner.clone()],
            InboxMode::MultiOwner => {
                folders_in(self.fs(), repos, &mut listing.unusable).into_iter().map(Some).collect()
            }
        };
        for owner in owners {
            let below = |dir: &Utf8Path| owner.as_ref().map_or_else(|| dir.to_owned(), |owner| dir.join(owner));
            self.collect_clones(owner.as_deref(), &below(repos), "", &mut listing);
            self.collect_clones(owner.as_deref(), &below(&repos.join(MIRRORS)), ".git", &mut listing);
        }
        if self.layout().inbox_mode == InboxMode::MultiOwner {
            // Owners of whom there are mirrors only.
            for owner in folders_in(self.fs(), &repos.join(MIRRORS), &mut listing.unusable) {
                self.collect_clones(Some(&owner), &repos.join(MIRRORS).join(&owner), ".git", &mut listing);
            }
        }
        listing.found.sort();
        listing.found.dedup();
        listing.found.truncate(CLONES_MAX);
        listing
    }

    fn collect_clones(&self, owner: Option<&str>, dir: &Utf8Path, suffix: &str, into: &mut Listing<RepoClone>) {
        for name in folders_in(self.fs(), dir, &mut into.unusable) {
            let place = dir.join(&name);
            let Some(repo) = name.strip_suffix(suffix) else { continue };
            let is_ours = Target::new(owner, repo, "main").is_ok();
            // A bare repository holds HEAD itself; a checkout holds it below `.git`, which may be a file that says where.
            let dot_git = self.fs().stat_opt(&place.join(".git")).map(|stat| stat.is_some());
            let head = || self.fs().stat_opt(&place.join("HEAD"));
            let is_clone =
                dot_git.and_then(|is_there| Ok(is_there || head()?.is_some_and(|stat| stat.kind == Kind::File)));
            match is_clone {
                Ok(is_clone) if is_clone && is_ours => {
                    into.found.push(RepoClone { owner: owner.map(str::to_owned), repo: repo.to_owned(), dir: place });
                }
                Ok(_) => {}
                Err(error) => into.unusable.push(Unusable::unread(&FsError { path: place, ..error })),
            }
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

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn repository(owner: Option<&str>, repo: &str, branches: &str) -> Branches {
        Branches { owner: owner.map(str::to_owned), repo: repo.to_owned(), branches: words(branches) }
    }

    fn added(repositories: &[Branches], existing: &[InboxTarget], rules: &TreeRules) -> String {
        let plan = plan_tree(repositories, existing, rules);
        plan.add.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

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

    #[test]
    fn makes_what_is_missing_and_only_that() {
        let repositories =
            [repository(Some("o"), "r", "main feature/x main HEAD"), repository(None, "s", "main ../x .a")];
        let rules = TreeRules { never: words("HEAD"), ..TreeRules::default() };
        assert_eq!(added(&repositories, &[], &rules), "s@main o/r@feature/x o/r@main");
        let target = Target::new(Some("o"), "r", "main").unwrap();
        let existing = [InboxTarget { target, dir: "/in/o/r/main".into() }];
        assert_eq!(added(&repositories, &existing, &rules), "s@main o/r@feature/x");
    }

    #[test]
    fn lists_of_branches_mean_what_they_did() {
        let repositories = [repository(Some("o"), "r", "main dev agent/1 agentless release-1")];
        let check = |mode, expected: &str| {
            let rules = TreeRules {
                mode,
                whitelist: words("main release-* agent/1"),
                blacklist: words("agent/ dev"),
                ..TreeRules::default()
            };
            assert_eq!(added(&repositories, &[], &rules), expected, "{mode:?}");
        };
        check(BranchMode::All, "o/r@agent/1 o/r@agentless o/r@dev o/r@main o/r@release-1");
        check(BranchMode::Whitelist, "o/r@agent/1 o/r@main o/r@release-1");
        check(BranchMode::Blacklist, "o/r@agentless o/r@main o/r@release-1");
        check(BranchMode::Both, "o/r@main o/r@release-1");
    }

    #[test]
    fn deny_wins_over_allow_and_what_was_delivered_is_never_wanted() {
        let repositories = [repository(Some("o"), "r", "main pv/1 tmp/a"), repository(Some("p"), "r", "main dev")];
        let check = |allow: &str, deny: &str, expected: &str| {
            let rules = TreeRules {
                allow: words(allow),
                deny: words(deny),
                delivered_prefix: "pv/".into(),
                ..TreeRules::default()
            };
            assert_eq!(added(&repositories, &[], &rules), expected, "{allow} | {deny}");
        };
        check("", "", "o/r@main o/r@tmp/a p/r@dev p/r@main");
        check("o/*", "", "o/r@main o/r@tmp/a");
        check("r@main", "", "o/r@main p/r@main");
        check("o/r p/r@d*", "*@tmp/*", "o/r@main p/r@dev");
        check("*", "*", "");
        check("o/r@pv/1", "", "");
    }

    #[test]
    fn one_sync_makes_so_many_and_no_more() {
        let names: String = (0..TREE_FOLDERS_MAX + 7).map(|n| format!("b{n} ")).collect();
        let plan = plan_tree(&[repository(None, "r", &names)], &[], &TreeRules::default());
        assert_eq!((plan.add.len(), plan.left_out), (TREE_FOLDERS_MAX, 7));
    }
}
