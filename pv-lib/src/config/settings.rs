//! The settings as values of their own types.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;

use super::{
    AgentEvents, CheckoutMode, ConfigError, EmptyWork, GitProtocol, InboxStyle, Launcher, NoEffect, PullRequest, Repos,
    Secret, SettingRow, Verification, WithOrigin,
    token_file::{read_token_file, token_of},
    vars,
};
use crate::{
    fs::Fs,
    inbox_tree::{BranchMode, TreeRules},
    job::Thresholds,
    layout::{InboxMode, Layout},
    limits::StoreLimits,
    prompt::Deliver,
};

/// The setting that names the file of the token for the git host.
pub(super) const DELIVERY_TOKEN_FILE: &str = "delivery.token_file";

/// All settings of one installation.
#[derive(Debug, Clone)]
pub struct Config {
    /// The YAML file, there or not.
    pub config_path: WithOrigin<Utf8PathBuf>,
    /// The folders.
    pub folders: Folders,
    /// Where repositories come from.
    pub git: Git,
    /// The API service.
    pub api: Api,
    /// The UI service.
    pub ui: Ui,
    /// The watcher and its supervisors.
    pub watcher: Watcher,
    /// The inbox tree.
    pub tree_builder: TreeBuilder,
    /// The agents that may run prompts, by name; `codex` is always among them, and all that are known by name where the
    /// file says nothing about agents.
    pub agents: BTreeMap<String, Agent>,
    /// The launchers by name: those of the settings, and `local`, `bubblewrap` and `slurm`, which need none.
    pub launchers: BTreeMap<String, Launcher>,
    /// The agent for prompts that name none.
    pub default_agent: WithOrigin<String>,
    /// The agents that prompts may name; empty means all of [`Config::agents`].
    pub allowed_agents: WithOrigin<Vec<String>>,
    /// What is set for repositories.
    pub repos: Repos,
    /// How work is verified.
    pub verification: Verification,
    /// How a job's work is delivered.
    pub delivery: Delivery,
    /// How much is accepted and kept.
    pub limits: Limits,
    /// Every setting as it is shown, in the order of the documentation.
    pub rows: Vec<SettingRow>,
    /// Keys of the file that are accepted and change nothing.
    pub without_effect: Vec<NoEffect>,
}

/// The folders. All are absolute.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Under it are the others by default.
    pub root: WithOrigin<Utf8PathBuf>,
    /// Where prompts wait.
    pub inbox: WithOrigin<Utf8PathBuf>,
    /// How the inbox's folders spell a target.
    pub inbox_mode: WithOrigin<InboxStyle>,
    /// Where prompts go when they are over.
    pub finished: WithOrigin<Utf8PathBuf>,
    /// Where the run folders are.
    pub runs: WithOrigin<Utf8PathBuf>,
    /// Where clones of the repositories are.
    pub repos: WithOrigin<Utf8PathBuf>,
    /// Where checkouts are made.
    pub work: WithOrigin<Utf8PathBuf>,
}

/// Where repositories come from.
#[derive(Debug, Clone)]
pub struct Git {
    /// The owner of repositories that are named without one.
    pub owner: WithOrigin<Option<String>>,
    /// The host that has the repositories.
    pub host: WithOrigin<String>,
    /// How it is talked to.
    pub protocol: WithOrigin<GitProtocol>,
    /// Whether a repository without a local clone is cloned from the host.
    pub auto_clone: WithOrigin<bool>,
    /// How long one call of git may take, whatever arrives.
    pub timeout: WithOrigin<Duration>,
    /// How long one may receive nothing: neither say that something arrives, nor compute, nor change files of the checkout.
    pub idle_timeout: WithOrigin<Duration>,
}

/// The API service.
#[derive(Debug, Clone)]
pub struct Api {
    /// The address that it listens on: an IP address or a host name.
    pub bind_host: WithOrigin<String>,
    /// The port that it listens on.
    pub bind_port: WithOrigin<u16>,
    /// A heartbeat older than this means that the job is stalled.
    pub stall_threshold: WithOrigin<Duration>,
    /// The token that it asks for, as it was set; see [`Config::api_token`].
    pub token: WithOrigin<Option<Secret>>,
    /// The file that holds the token.
    pub token_file: WithOrigin<Option<Utf8PathBuf>>,
    /// Further `Host` values that are answered.
    pub allowed_hosts: WithOrigin<Vec<String>>,
    /// Whether it may listen beyond loopback without a token.
    pub allow_insecure_bind: WithOrigin<bool>,
    /// The user that its unit drops to.
    pub user: WithOrigin<String>,
    /// Its address for clients, without a slash at the end.
    pub base_url: WithOrigin<String>,
}

/// The UI service.
#[derive(Debug, Clone)]
pub struct Ui {
    /// The address that it listens on: an IP address or a host name.
    pub bind_host: WithOrigin<String>,
    /// The port that it listens on.
    pub bind_port: WithOrigin<u16>,
    /// How long it waits for the API.
    pub api_timeout: WithOrigin<Duration>,
    /// The user that its unit drops to.
    pub user: WithOrigin<String>,
    /// Whether peers from elsewhere may submit and abort without a token.
    pub allow_remote_write: WithOrigin<bool>,
}

/// The watcher and its supervisors.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// How many jobs run at once.
    pub max_concurrent: WithOrigin<usize>,
    /// How many jobs of one repository run at once; 0 for no limit.
    pub max_per_repo: WithOrigin<usize>,
    /// How long a file that was dropped by hand must be unchanged before it is adopted.
    pub settle: WithOrigin<Duration>,
    /// How often everything is scanned, whatever was notified.
    pub poll: WithOrigin<Duration>,
    /// How often a supervisor writes a heartbeat.
    pub heartbeat: WithOrigin<Duration>,
    /// How long an agent may take to end by itself after it was asked to.
    pub abort_grace: WithOrigin<Duration>,
    /// Output older than this means that the agent is quiet.
    pub quiet: WithOrigin<Duration>,
    /// Whether the folders may lie on a network file system.
    pub allow_network_fs: WithOrigin<bool>,
}

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

/// An agent: what is called, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// The program, a path or a name on the `PATH`, and the arguments that always come first; never empty where it was
    /// loaded.
    pub command: Vec<String>,
    /// Further arguments, after our own, with `{workdir}`, `{prompt_file}`, `{last_message_file}` and `{model}` for what
    /// they say.
    pub args: Vec<String>,
    /// The model that it is called with.
    pub model: Option<String>,
    /// The sandbox that it is called with.
    pub sandbox: Option<String>,
    /// Names of further environment variables that it gets; `NAME*` stands for all that begin so.
    pub env: Vec<String>,
    /// How long it may take; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// How long it may write nothing; `None` for as long as it likes.
    pub idle_timeout: Option<Duration>,
    /// How long its process may stay after its events said that its turn is over.
    pub settle_after_done: Duration,
    /// What its checkout borrows.
    pub checkout: CheckoutMode,
    /// In what it tells how its turn goes.
    pub events: AgentEvents,
    /// The name of the launcher that runs it, one of [`Config::launchers`]; empty for `local`.
    pub launcher: String,
    /// Texts at the end of its output that mean that a limit is reached; they count where it does not speak in events.
    pub hold_when: Vec<String>,
}

/// How a job's work is delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// As what.
    pub mode: WithOrigin<Deliver>,
    /// What a job comes to that changed nothing.
    pub empty: WithOrigin<EmptyWork>,
    /// By which way a pull request is made.
    pub pull_request: WithOrigin<PullRequest>,
    /// The address of the git host's REST API.
    pub api_base: WithOrigin<String>,
    /// What the names of delivered branches begin with.
    pub branch_prefix: WithOrigin<String>,
    /// The author of commits.
    pub author_name: WithOrigin<String>,
    /// The author's address.
    pub author_email: WithOrigin<String>,
    /// Whether a pull request shows the prompt.
    pub include_prompt: WithOrigin<bool>,
    /// Whether a pull request is opened as a draft.
    pub draft: WithOrigin<bool>,
    /// The labels that a pull request gets.
    pub labels: WithOrigin<Vec<String>>,
    /// Who is asked to review a pull request: names of users, and of teams as `org/team`.
    pub reviewers: WithOrigin<Vec<String>>,
    /// The file that holds the token for the git host: for fetching, pushing and pull requests.
    pub token_file: WithOrigin<Option<Utf8PathBuf>>,
}

/// How much is accepted and kept.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest prompt, in bytes.
    pub prompt_bytes: WithOrigin<u64>,
    /// The largest log, in bytes, before its middle is left out.
    pub log_bytes: WithOrigin<u64>,
    /// What must stay free on the disk, in bytes; `None` for the smaller of 64 MiB and 1 %.
    pub disk_floor_bytes: WithOrigin<Option<u64>>,
    /// How much of the ignored files that an agent made is kept for each job, in bytes; beyond it the checkout stays.
    pub ignored_bytes: WithOrigin<u64>,
    /// The names of caches and products, with `*` for any text: ignored files below them are counted, not kept.
    pub known_caches: WithOrigin<Vec<String>>,
}

impl Config {
    /// Returns where everything lives.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let folders = &self.folders;
        Layout {
            inbox: folders.inbox.value.clone(),
            inbox_mode: match folders.inbox_mode.value {
                InboxStyle::LegacySingleOwner => InboxMode::SingleOwner { owner: self.git.owner.value.clone() },
                InboxStyle::MultiOwner => InboxMode::MultiOwner,
            },
            finished: folders.finished.value.clone(),
            runs: folders.runs.value.clone(),
            work: folders.work.value.clone(),
            repos: folders.repos.value.clone(),
        }
    }

    /// Returns after how long without a heartbeat or output a job counts as stalled or quiet.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        Thresholds { stall: self.api.stall_threshold.value, quiet: self.watcher.quiet.value }
    }

    /// Returns how much a store accepts.
    #[must_use]
    pub fn store_limits(&self) -> StoreLimits {
        StoreLimits {
            prompt_bytes: self.limits.prompt_bytes.value,
            disk_floor_bytes: self.limits.disk_floor_bytes.value,
        }
    }

    /// Returns the agent of that name, if prompts may name it.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<&Agent> {
        let allowed = &self.allowed_agents.value;
        let is_allowed = allowed.is_empty() || allowed.iter().any(|allowed| allowed == name);
        self.agents.get(name).filter(|_| is_allowed)
    }

    /// Returns the names of the agents that prompts may name, sorted.
    #[must_use]
    pub fn agent_names(&self) -> Vec<&str> {
        self.agents.keys().map(String::as_str).filter(|name| self.agent(name).is_some()).collect()
    }

    /// Returns the token that the API asks for: the one that was set, else the one in the file.
    ///
    /// # Errors
    /// [`ConfigError::TokenFile`] when the file is configured and cannot be read, or holds no token.
    pub fn api_token(&self, fs: &dyn Fs) -> Result<Option<Secret>, ConfigError> {
        let (set, file) = (self.api.token.value.as_ref(), self.api.token_file.value.as_deref());
        token_of(fs, set, vars::API_TOKEN_FILE.name, file)
    }

    /// Returns the token for the git host, as it is in its file now; `None` where no file is configured.
    ///
    /// # Errors
    /// [`ConfigError::TokenFile`] when the file cannot be read, or holds no token.
    pub fn delivery_token(&self, fs: &dyn Fs) -> Result<Option<Secret>, ConfigError> {
        let file = self.delivery.token_file.value.as_deref();
        file.map(|path| read_token_file(fs, DELIVERY_TOKEN_FILE, path)).transpose()
    }

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
