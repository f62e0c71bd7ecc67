//! The branches that repositories are known to have, asked for where a prompt lies in a folder below that of its branch.

use std::{collections::HashMap, time::Duration};

use pv_lib::{
    inbox_tree::longer_branch,
    layout::Layout,
    store::InboxPrompt,
    target::Target,
    unusable::{Severity, Unusable},
};

/// Returns the branches that the clones of a target's repository have; none where there is no clone, or it cannot be read.
pub type BranchLookup = Box<dyn FnMut(&Target) -> Vec<String> + Send>;

/// For how long an answer counts.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// Of how many repositories an answer is kept.
const REPOSITORIES_MAX: usize = 256;

/// What is known of the branches of repositories. All of it can be lost: it is asked for again.
#[derive(Default)]
pub(crate) struct KnownBranches {
    lookup: Option<BranchLookup>,
    known: HashMap<String, (Duration, Vec<String>)>,
}

impl KnownBranches {
    /// Knows what `lookup` says.
    pub(crate) fn new(lookup: BranchLookup) -> Self {
        Self { lookup: Some(lookup), known: HashMap::new() }
    }

    /// Returns what is said of a prompt that lies in a folder which may be meant for a longer branch than its own; `None`
    /// where it may run for its own.
    pub(crate) fn unclear(&mut self, layout: &Layout, prompt: &InboxPrompt, uptime: Duration) -> Option<Unusable> {
        let target = &prompt.target;
        let below = layout.below_branch(target, &prompt.path)?;
        let (repo, branch) = (target.full_repo(), target.branch());
        let longer = longer_branch(self.of(target, uptime), branch, below)?;
        let why =
            format!("`{longer}` is a branch of {repo}, whose folder this is not yet: it is not run for `{branch}`");
        let remedy = format!(
            "`pv targets add {repo} {longer}` makes the folder that of `{longer}`; or move the file to that of its branch"
        );
        Some(Unusable::new(prompt.path.clone(), Severity::Warning, &why, &remedy))
    }

    fn of(&mut self, target: &Target, uptime: Duration) -> &[String] {
        self.known.retain(|_, (at, _)| uptime.saturating_sub(*at) < COUNTS_FOR);
        if self.known.len() >= REPOSITORIES_MAX {
            self.known.clear();
        }
        let Some(lookup) = &mut self.lookup else { return &[] };
        let (_, branches) = self.known.entry(target.full_repo()).or_insert_with(|| (uptime, lookup(target)));
        branches
    }
}
