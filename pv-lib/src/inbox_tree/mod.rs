//! The inbox tree: its branch folders, which ones are wanted, and which a sync is to make. Values and a pure decision:
//! the settings say what is wanted, and the store makes the folders.

mod inbox_target;
mod longer_branch;
mod plan;
mod rules;

pub use inbox_target::InboxTarget;
pub use longer_branch::longer_branch;
pub use plan::{Branches, TREE_FOLDERS_MAX, TreePlan, plan_tree};
pub use rules::{BranchMode, TreeRules};
