//! Which branch folders a sync is to make.

use std::collections::BTreeSet;

use super::{InboxTarget, TreeRules};
use crate::target::Target;

/// The most folders that one sync makes.
pub const TREE_FOLDERS_MAX: usize = 1000;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox_tree::BranchMode;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn repository(owner: Option<&str>, repo: &str, branches: &str) -> Branches {
        Branches { owner: owner.map(str::to_owned), repo: repo.to_owned(), branches: list(branches) }
    }

    fn added(repositories: &[Branches], existing: &[InboxTarget], rules: &TreeRules) -> String {
        let plan = plan_tree(repositories, existing, rules);
        plan.add.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn makes_what_is_missing_and_only_that() {
        let repositories =
            [repository(Some("o"), "r", "main feature/x main HEAD"), repository(None, "s", "main ../x .a")];
        let rules = TreeRules { never: list("HEAD"), ..TreeRules::default() };
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
                whitelist: list("main release-* agent/1"),
                blacklist: list("agent/ dev"),
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
                allow: list(allow),
                deny: list(deny),
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
