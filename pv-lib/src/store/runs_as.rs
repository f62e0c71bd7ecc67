//! As whom a watcher runs: what its jobs find, for somebody else who has to judge whether they can run.

use serde::{Deserialize, Serialize};

/// The user, the groups and the privileges of a watcher, and of its environment what decides which programs its jobs find.
/// No value of any other variable is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsAs {
    /// The name of its user; `uid N` for one that has none.
    pub user: String,
    /// The number of its user.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// The numbers of its further groups.
    #[serde(default)]
    pub groups: Vec<u32>,
    /// Whether nothing that it starts can get other privileges, as by `sudo` or a setuid sandbox.
    #[serde(default)]
    pub no_new_privs: bool,
    /// Its `PATH`.
    #[serde(default)]
    pub path: String,
    /// The names of the credentials and locations in its environment that some agent knows; of switches those that are on.
    #[serde(default)]
    pub variables: Vec<String>,
}
