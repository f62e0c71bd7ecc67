//! The settings of the inbox tree: for which repositories and branches a sync makes folders, and how often.

use std::time::Duration;

use super::{
    Config, ConfigError, WithOrigin,
    reader::{self, Reader},
    sources::{Sources, keys},
};
use crate::store::{BranchMode, TreeRules};

/// The inbox tree.
#[derive(Debug, Clone)]
pub struct TreeBuilder {
    /// How the two lists of branches are used.
    pub branch_mode: WithOrigin<BranchMode>,
    /// The branches that are wanted.
    pub branch_whitelist: WithOrigin<Vec<String>>,
    /// The beginnings of branches that are not wanted.
    pub branch_blacklist: WithOrigin<Vec<String>>,
    /// Names that are never branches.
    pub branch_name_blacklist: WithOrigin<Vec<String>>,
    /// Which repositories and branches are wanted; empty means all.
    pub allow: WithOrigin<Vec<String>>,
    /// Which are not, whatever else says so.
    pub deny: WithOrigin<Vec<String>>,
    /// How often the watcher syncs; `None` for never.
    pub scan_interval: WithOrigin<Option<Duration>>,
}

const BRANCH_MODE: Reader<BranchMode> = Reader {
    wanted: "all, whitelist, blacklist or both",
    read: |text| match text.to_ascii_lowercase().as_str() {
        "all" => Some(BranchMode::All),
        "whitelist" => Some(BranchMode::Whitelist),
        "blacklist" => Some(BranchMode::Blacklist),
        "both" => Some(BranchMode::Both),
        _ => None,
    },
    read_list: |_| None,
    show: |mode| mode.as_str().into(),
    hides_wrong: false,
};

/// Takes the settings. The first four, and the last, are the earlier service's.
pub(super) fn tree_builder(s: &mut Sources<'_>) -> Result<TreeBuilder, ConfigError> {
    let words = |s: &mut Sources<'_>, key: &str, default: &[&str]| {
        let default = default.iter().map(|word| (*word).to_owned()).collect();
        s.take(&keys(&[key]), &reader::WORDS, default)
    };
    Ok(TreeBuilder {
        branch_mode: s.take(&keys(&["tree_builder.branch_mode"]), &BRANCH_MODE, BranchMode::All)?,
        branch_whitelist: words(s, "tree_builder.branch_whitelist", &[])?,
        branch_blacklist: words(s, "tree_builder.branch_blacklist", &[])?,
        branch_name_blacklist: words(s, "tree_builder.branch_name_blacklist", &["HEAD"])?,
        allow: words(s, "tree_builder.allow", &[])?,
        deny: words(s, "tree_builder.deny", &[])?,
        scan_interval: s.take(&keys(&["tree_builder.scan_interval_seconds"]), &reader::TIME_OR_NONE, None)?,
    })
}

impl Config {
    /// Returns for which repositories and branches a sync makes folders. The branches that deliveries push are none of
    /// them.
    #[must_use]
    pub fn tree_rules(&self) -> TreeRules {
        let tree = &self.tree_builder;
        TreeRules {
            mode: tree.branch_mode.value,
            whitelist: tree.branch_whitelist.value.clone(),
            blacklist: tree.branch_blacklist.value.clone(),
            never: tree.branch_name_blacklist.value.clone(),
            allow: tree.allow.value.clone(),
            deny: tree.deny.value.clone(),
            delivered_prefix: self.delivery.branch_prefix.value.clone(),
        }
    }
}
