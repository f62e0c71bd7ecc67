//! What a supervisor needs of this installation: values only, read by whoever started it.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use pv_lib::{
    config::{Agent, Command, EmptyWork, Launcher, PullRequest, Repos},
    prompt::Deliver,
};

use crate::environment::Environment;

/// Everything that a supervisor does not decide itself.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The agents that are configured, by name.
    pub agents: BTreeMap<String, Agent>,
    /// The launchers that run them, by name.
    pub launchers: BTreeMap<String, Launcher>,
    /// Files with secrets, which no agent is to see that is confined: tokens, settings.
    pub secret_files: Vec<Utf8PathBuf>,
    /// How long the end of what a launcher started may take before the job says that there is no proof of it.
    pub closing_limit: Duration,
    /// The agent of a prompt that names none.
    pub default_agent: String,
    /// The agents that a prompt may name; empty allows every configured one.
    pub allowed_agents: Vec<String>,
    /// What is set for repositories.
    pub repos: Repos,
    /// How work is verified.
    pub verification: VerificationPlan,
    /// The time between two heartbeats.
    pub heartbeat: Duration,
    /// How long an agent has between the gentle signal and SIGKILL.
    pub abort_grace: Duration,
    /// How long one git call may take.
    pub git_timeout: Duration,
    /// How long one may receive nothing: neither say that something arrives, nor compute, nor change files of the checkout.
    pub git_idle_timeout: Duration,
    /// The pauses before each further try where a network failed; none for one try.
    pub git_retry_pauses: Vec<Duration>,
    /// How long a log may get, in bytes; its tail is kept beyond that.
    pub log_bytes: u64,
    /// How much of the ignored files that an agent made is kept, in bytes.
    pub ignored_bytes: u64,
    /// The names of caches and products, with `*` for any text, which are not kept.
    pub known_caches: Vec<String>,
    /// Where a repository without a local clone comes from, with `{owner}` and `{repo}` for its names, such as
    /// `https://github.com/{owner}/{repo}.git`; `None` where missing repositories are not to be cloned.
    pub remote: Option<String>,
    /// How work is delivered.
    pub delivery: DeliveryPlan,
    /// The environment from which agents are given the allowed part, and our own git calls all.
    pub environment: Environment,
    /// Whether an agent gets a cgroup of its own where one can be had.
    pub use_cgroup: bool,
}

/// How checkouts are prepared and work is verified.
#[derive(Debug, Clone, Default)]
pub struct VerificationPlan {
    /// The checks that there are, by name.
    pub checks: BTreeMap<String, Command>,
    /// How long preparing a checkout may take, all commands together.
    pub setup_timeout: Duration,
    /// How long each check may take.
    pub checks_timeout: Duration,
    /// The files that checks run from, as globs.
    pub checks_paths: Vec<String>,
}

/// How work is delivered.
#[derive(Debug, Clone)]
pub struct DeliveryPlan {
    /// As what, unless the prompt says otherwise.
    pub mode: Deliver,
    /// What a job comes to that changed nothing.
    pub empty: EmptyWork,
    /// What the names of branches begin with.
    pub branch_prefix: String,
    /// The author of commits that are ours.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// By which way pull requests are opened.
    pub pull_request: PullRequest,
    /// The address of the host's REST API, without a slash at the end.
    pub api_base: String,
    /// The host that has the repositories, such as `github.com`.
    pub git_host: String,
    /// Whether a pull request shows the prompt.
    pub include_prompt: bool,
    /// Whether a pull request is opened as a draft.
    pub draft: bool,
    /// The labels that it gets.
    pub labels: Vec<String>,
    /// Who is asked to review it: names of users, and of teams as `org/team`.
    pub reviewers: Vec<String>,
    /// The file with the token for the git host: for fetching, pushing and pull requests, read at that moment and given to nothing else.
    pub token_file: Option<Utf8PathBuf>,
}
