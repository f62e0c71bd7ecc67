//! Keeping the inbox tree: a folder for each branch that the clones of this host have.
//!
//! The clones are looked at as they are; nothing is fetched. Folders are only made, never removed.

use std::time::Duration;

use camino::Utf8Path;
use pv_lib::{
    fs::FsExt,
    store::{Branches, InboxTarget, RepoClone, Store, TreeRules, plan_tree},
    unusable::{Severity, UnusableList},
};
use tokio::{runtime::Handle, task::block_in_place, time};
use tracing::{info, warn};

use super::known_branches::BranchLookup;
use crate::git::GitCall;

/// How long git may take to list the branches of one clone.
const GIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest list of branches that is read, in bytes.
const REFS_BYTES_MAX: u64 = 4 << 20;

/// Where a clone keeps what its remote has.
const REMOTE: &str = "refs/remotes/origin/";

/// Where a repository keeps its own branches.
const LOCAL: &str = "refs/heads/";

/// How the watcher keeps the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSettings {
    /// How long between two syncs.
    pub every: Duration,
    /// For which repositories and branches folders are made.
    pub rules: TreeRules,
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Synced {
    /// The folders that were made, or would be.
    pub made: Vec<InboxTarget>,
    /// How many are left for the next sync.
    pub left_out: usize,
    /// What went wrong with single clones and folders, in sentences.
    pub problems: Vec<String>,
}

impl Synced {
    fn add_problems(&mut self, unusable: &UnusableList) {
        let problems = unusable.entries.iter().filter(|entry| entry.level == Severity::Problem);
        self.problems.extend(problems.map(ToString::to_string));
    }
}

/// Makes the inbox folders that are missing; with `is_trial` only says which. Call it on a runtime of several threads.
///
/// One bad clone or folder is a problem in [`Synced`], and keeps no other from its folders.
pub async fn sync_tree(store: &Store, rules: &TreeRules, is_trial: bool) -> Synced {
    let mut synced = Synced::default();
    let mut repositories = Vec::new();
    let clones = block_in_place(|| store.clones());
    synced.add_problems(&clones.unusable);
    for RepoClone { owner, repo, dir } in clones.found {
        match branches(&dir).await {
            Ok(branches) => repositories.push(Branches { owner, repo, branches }),
            Err(words) => synced.problems.push(format!("cannot list the branches of {dir}: {words}")),
        }
    }
    block_in_place(|| {
        let targets = store.targets();
        synced.add_problems(&targets.unusable);
        let plan = plan_tree(&repositories, &targets.found, rules);
        synced.left_out = plan.left_out;
        for target in plan.add {
            let made = if is_trial { Ok(store.layout().branch_path(&target)) } else { store.add_target(&target) };
            match made {
                Ok(dir) => synced.made.push(InboxTarget { target, dir }),
                Err(error) => synced.problems.push(format!("cannot make the inbox folder of {target}: {error}")),
            }
        }
        synced
    })
}

/// Returns the branch that a clone's remote names as its own, else the one that is checked out; `None` where git knows
/// neither.
pub async fn default_branch(clone: &Utf8Path) -> Option<String> {
    for (name, below) in [("refs/remotes/origin/HEAD", REMOTE), ("HEAD", LOCAL)] {
        let printed = git(clone, &["symbolic-ref", "--quiet", name]).await.unwrap_or_default();
        if let Some(branch) = printed.trim_end().strip_prefix(below) {
            return Some(branch.to_owned());
        }
    }
    None
}

/// Syncs now and then, for as long as it is polled.
pub(crate) async fn keep_tree(store: Store, settings: TreeSettings) {
    let mut logged = Vec::new();
    loop {
        let Synced { made, left_out, problems } = sync_tree(&store, &settings.rules, false).await;
        if !made.is_empty() {
            info!(made = made.len(), left_out, "made inbox folders");
        }
        // What is wrong stays so for long, mostly.
        if problems != logged {
            problems.iter().for_each(|problem| warn!("{problem}"));
            logged = problems;
        }
        time::sleep(settings.every).await;
    }
}

/// Returns a lookup of the branches that the clone and the mirror of a repository have. It is called off the runtime.
pub(crate) fn branch_lookup(store: Store) -> BranchLookup {
    let runtime = Handle::current();
    Box::new(move |target| {
        let places = [store.layout().clone_path(target), store.layout().mirror_path(target)];
        let mut found = Vec::new();
        for place in places.iter().filter(|place| store.fs().is_dir(place).unwrap_or(false)) {
            found.extend(runtime.block_on(branches(place)).unwrap_or_default());
        }
        found
    })
}

/// Lists the branches that a clone has, and those that its remote had when it was last fetched.
async fn branches(clone: &Utf8Path) -> Result<Vec<String>, String> {
    let printed = git(clone, &["for-each-ref", "--format=%(refname)", LOCAL, REMOTE]).await?;
    let name = |line: &str| line.strip_prefix(REMOTE).or_else(|| line.strip_prefix(LOCAL)).map(str::to_owned);
    // What the remote calls its HEAD is another name of a branch.
    Ok(printed.lines().filter(|line| *line != "refs/remotes/origin/HEAD").filter_map(name).collect())
}

/// Runs git in a repository, and returns what it printed; else its complaint.
async fn git(repository: &Utf8Path, args: &[&str]) -> Result<String, String> {
    let args = [&["-C", repository.as_str()], args].concat();
    let call =
        GitCall { args: &args, input: b"", limit: GIT_TIMEOUT, output_bytes_max: REFS_BYTES_MAX, is_background: false };
    call.run().await.map(|printed| String::from_utf8_lossy(&printed).into_owned())
}
