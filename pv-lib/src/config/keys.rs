//! Every key of the YAML file, once: its name, what it means. `docs/settings.md` is made of this and of [`super::vars`].

/// A key of the YAML file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, with `<name>` or `<owner/name>` where a name of one's own stands.
    pub name: &'static str,
    /// What it means, in a sentence or two; units are named.
    pub meaning: &'static str,
}

impl Key {
    /// Returns the pattern to which the name of a setting belongs: `agents.<name>.model` for `agents.codex.model`.
    #[must_use]
    pub fn pattern(name: &str) -> String {
        let between = |prefix: &str, placeholder: &str| {
            let (_, key) = name.strip_prefix(prefix)?.rsplit_once('.')?;
            Some(format!("{prefix}{placeholder}.{key}"))
        };
        between("agents.", "<name>")
            .or_else(|| between("repos.", "<owner/name>"))
            .or_else(|| between("launchers.", "<name>"))
            .or_else(|| name.strip_prefix("checks.").map(|_| "checks.<name>".to_owned()))
            .unwrap_or_else(|| name.to_owned())
    }
}

macro_rules! keys {
    ($($name:literal: $meaning:literal;)+) => {
        /// All of them, in the order in which the documentation lists them.
        pub const ALL: &[Key] = &[$(Key { name: $name, meaning: $meaning }),+];
    };
}

keys! {
    "pv_root": "Under it are the other folders by default. `PV_ROOT` wins.";
    "inbox": "Where prompts wait. `PV_REPOS_ROOT` wins.";
    "inbox_mode": "How the inbox spells a target: `<inbox>/<repo>/<branch>` (`legacy_single_owner`), or `<inbox>/<owner>/<repo>/<branch>` (`multi_owner`), which counts where there is no `git_owner`.";
    "finished": "Where prompts go when their jobs are over.";
    "repos_root": "Where clones of your repositories are, `<owner>/<repo>`, which are only read.";
    "work_root": "Where the checkouts of jobs are made.";
    "git_owner": "The owner of repositories that are named without one.";
    "git_host": "The host of a repository that has no clone in `repos_root`.";
    "git_protocol": "How that host is talked to: `https` or `ssh`.";
    "watcher.auto_clone_missing_repos": "Whether a repository without a clone is fetched from that host.";
    "git.timeout": "How long one call of git may take.";
    "git.idle_timeout": "How long one may receive nothing: neither bytes, nor compute, nor change files.";
    "default_agent": "The agent that runs prompts which name none.";
    "allowed_agents": "The agents that prompts may name; empty: all of `agents`.";
    "agents.<name>.command": "The program, with arguments of its own; without it, the agent's name. Where the file says nothing about agents there are `codex`, `claude` and `opencode`.";
    "agents.<name>.args": "Arguments that are added to those that the agent is called with, and win.";
    "agents.<name>.model": "The model that it uses where the prompt names none.";
    "agents.<name>.sandbox": "The sandbox of codex; not set: `workspace-write`, or `danger-full-access` where its launcher is a sandbox itself.";
    "agents.<name>.env": "Further variables of the watcher that it gets, `*` for any ending: see [what an agent gets](agents.md#what-an-agent-gets).";
    "agents.<name>.timeout": "How long a job may run; `none` is for ever. Seconds, or such as `90m`.";
    "agents.<name>.idle_timeout": "How long a job may be silent: neither write nor change files nor compute.";
    "agents.<name>.settle_after_done": "How long its process may stay after its events said that its turn is over; then it is ended, and counts by what it said.";
    "agents.<name>.checkout": "`shared` borrows the objects of the mirror; `full` [needs nothing outside the checkout](agents.md#checkouts-that-need-nothing-outside).";
    "agents.<name>.events": "`none`: a program called `codex`, `claude` or `opencode` that writes plain text; its exit code decides.";
    "agents.<name>.launcher": "Where it runs: `local`, `bubblewrap`, `slurm`, or one of `launchers`: [launchers](launchers.md).";
    "agents.<name>.hold_when": "Texts at the end of its output, in any letter case, that mean that further jobs of it should wait; for agents that do not speak in events.";
    "launchers.<name>.kind": "`local`, `bubblewrap`, `slurm` or `command`; not set: the launcher's name is its kind.";
    "launchers.<name>.checkout": "What the checkout borrows, unless the agent says so: `shared` or `full`.";
    "launchers.<name>.env": "Variables for the launcher's own programs.";
    "launchers.<name>.network": "Of a sandbox: `on` is the host's network; `off` is loopback alone, so that no model is reached either.";
    "launchers.<name>.read": "Of a sandbox: further paths that are seen in it.";
    "launchers.<name>.write": "Of a sandbox: further paths that may be written in it.";
    "launchers.<name>.partition": "Of [a Slurm cluster](cluster.md): the partition.";
    "launchers.<name>.account": "Of a Slurm cluster: the account.";
    "launchers.<name>.cpus": "Of a Slurm cluster: how many CPUs.";
    "launchers.<name>.memory": "Of a Slurm cluster: how much memory, such as `16G`.";
    "launchers.<name>.gres": "Of a Slurm cluster: devices, such as `gpu:1`.";
    "launchers.<name>.time": "Of a Slurm cluster: how long its job may run there, rounded up to whole minutes: a net below the agent's own timeout.";
    "launchers.<name>.options": "Of a Slurm cluster: further options of `srun`.";
    "launchers.<name>.namespace": "Of a Slurm cluster: whether `bwrap` on the node puts a namespace of processes around the agent, as for one that does not track processes by cgroup.";
    "launchers.<name>.run": "Of [commands of yours](launchers.md#commands): what is put before the agent's command, as a list of words.";
    "launchers.<name>.ask": "Of commands: how it is asked to end, a signal such as `TERM` or a list of words.";
    "launchers.<name>.stop": "Of commands: what ends it hard, by its name.";
    "launchers.<name>.alive": "Of commands: what prints something while something is left.";
    "launchers.<name>.outcome": "Of commands: what tells how it ended: exit code 0 counts only where this prints `succeeds`.";
    "launchers.<name>.succeeds": "Of commands: the text that means that it went well.";
    "launchers.<name>.waiting": "Of commands: what prints why it has not started yet.";
    "launchers.<name>.start_failed": "Of commands: the exit codes of `run` that mean that the agent was not started.";
    "repos.<owner/name>.agent": "The agent of one repository's prompts that name none; `repos.default` is for all repositories.";
    "repos.<owner/name>.deliver": "How the work of one repository is delivered: `pr`, `branch` or `none`.";
    "repos.<owner/name>.checkout": "What the checkouts of one repository borrow: `shared` or `full`.";
    "repos.<owner/name>.submodules": "`must`: one that cannot be fetched fails the job; `try`, which counts where nothing is set: it is a warning in log and message; `none`: none is fetched.";
    "repos.<owner/name>.checks": "The checks that run on the work of one repository: [verified results](verify.md).";
    "repos.<owner/name>.attempts": "How often the agent may be run to mend what checks find; not set: once.";
    "repos.<owner/name>.setup": "Commands that prepare a checkout before the agent.";
    "repos.<owner/name>.copy": "Files that git does not track and that are copied from your clone.";
    "checks.<name>": "The command of a check.";
    "setup_timeout": "How long preparing a checkout may take.";
    "checks_timeout": "How long each check may take.";
    "checks_paths": "The files that checks run from, as globs: work that changes one says so.";
    "delivery.mode": "[What becomes of the work](delivery.md): `pr`, `branch` or `none`.";
    "delivery.empty": "What a job comes to that changed nothing: `ok` succeeds, `fail` is `failed` (`empty`).";
    "delivery.pull_request": "How a pull request is opened: `rest` and `gh` insist on that way, `auto` takes what there is.";
    "delivery.api_base": "GitHub's REST API; GitHub Enterprise is `https://HOST/api/v3`, never with a password in it.";
    "delivery.token_file": "The file with the token for `git_host`: for fetching, pushing and pull requests.";
    "delivery.branch_prefix": "What the names of branches begin with.";
    "delivery.author_name": "Who commits.";
    "delivery.author_email": "Their address.";
    "delivery.draft": "Whether a pull request is a draft.";
    "delivery.labels": "The labels of a pull request. One that the host does not take is named in the message and fails nothing.";
    "delivery.reviewers": "Its reviewers: users, and teams as `org/team`.";
    "delivery.include_prompt": "Whether it shows the prompt, folded.";
    "watcher.max_concurrent": "How many jobs run at once.";
    "watcher.max_per_repo": "How many of one repository; 0: as many.";
    "watcher.settle_seconds": "How long a dropped file must be unchanged; raise it where files arrive slowly.";
    "watcher.poll_seconds": "How often everything is looked at without a hint.";
    "watcher.heartbeat_seconds": "How often a supervisor writes a sign of life.";
    "watcher.abort_grace_seconds": "How long there is between the gentle signal and SIGKILL.";
    "watcher.quiet_seconds": "After how long without output a running job is shown as quiet.";
    "watcher.allow_network_fs": "Whether the folders may be on a network file system, whose locks and renames may not hold.";
    "tree_builder.allow": "For which of the clones inbox folders are made: `repo`, `owner/repo`, either with `@branch`; `*` stands for anything; empty: all.";
    "tree_builder.deny": "For which they are not.";
    "tree_builder.branch_mode": "For which branches: `all`, `whitelist`, `blacklist` or `both`, which are the lists below.";
    "tree_builder.branch_whitelist": "Names of branches, the only ones that are wanted; `*` stands for anything.";
    "tree_builder.branch_blacklist": "Beginnings of the names of branches that are not.";
    "tree_builder.branch_name_blacklist": "Names of branches that are never wanted.";
    "tree_builder.scan_interval_seconds": "How often the watcher makes the folders that are missing; not set: never.";
    "limits.prompt_bytes": "The longest prompt that is taken.";
    "limits.log_bytes": "How much of a job's log is kept.";
    "limits.disk_floor_bytes": "What must stay free on the disk; not set: 64 MiB, or 1 % of a smaller disk.";
    "limits.ignored_bytes": "How much of ignored files is kept for each job.";
    "limits.known_caches": "Names of ignored folders that are only counted; `*` stands for anything.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_is_there_once_and_explained() {
        let names: BTreeSet<_> = ALL.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|key| key.meaning.ends_with('.')));
    }

    #[test]
    fn names_of_ones_own_belong_to_a_pattern() {
        for (name, expected) in [
            ("agents.codex.model", "agents.<name>.model"),
            ("agents.my.agent.env", "agents.<name>.env"),
            ("launchers.podman.run", "launchers.<name>.run"),
            ("repos.octo-org/hello.js.checks", "repos.<owner/name>.checks"),
            ("checks.test", "checks.<name>"),
            ("checks_timeout", "checks_timeout"),
            ("watcher.poll_seconds", "watcher.poll_seconds"),
        ] {
            assert_eq!(Key::pattern(name), expected);
        }
    }
}
