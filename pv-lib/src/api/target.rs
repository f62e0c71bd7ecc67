//! A target, as it is listed.

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::store::InboxTarget;

/// A repository and a branch that prompts can be submitted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetItem {
    /// The repository, without its owner.
    pub repo: String,
    /// The branch.
    pub branch: String,
    /// Its folder in the inbox.
    pub inbox_path: Utf8PathBuf,
    /// The owner, where one is known.
    pub owner: Option<String>,
    /// `owner/repo`, or `repo` where no owner is known.
    pub full_repo: String,
}

impl From<&InboxTarget> for TargetItem {
    fn from(InboxTarget { target, dir }: &InboxTarget) -> Self {
        Self {
            repo: target.repo().to_owned(),
            branch: target.branch().to_owned(),
            inbox_path: dir.clone(),
            owner: target.owner().map(str::to_owned),
            full_repo: target.full_repo(),
        }
    }
}
