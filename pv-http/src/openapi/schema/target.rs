//! A target as it is listed, only for its description, since the library makes it.

use poem_openapi::{Object, types::Example};

/// A repository and a branch that prompts can be submitted for.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct TargetItem {
    /// The repository, without its owner.
    pub(crate) repo: String,
    /// The branch.
    pub(crate) branch: String,
    /// Its folder in the inbox.
    pub(crate) inbox_path: String,
    /// The owner, where one is known.
    #[oai(nullable)]
    pub(crate) owner: Option<String>,
    /// `owner/repo`, or `repo` where no owner is known.
    pub(crate) full_repo: String,
}

impl Example for TargetItem {
    fn example() -> Self {
        Self {
            repo: "example".into(),
            branch: "main".into(),
            inbox_path: "/srv/prompt-valet/inbox/example/main".into(),
            owner: Some("nova-rey".into()),
            full_repo: "nova-rey/example".into(),
        }
    }
}
