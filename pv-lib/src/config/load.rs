//! The list of all settings: each one's keys, variable, kind and default stand here, once.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;

use super::{
    Agent, Api, Command, Config, ConfigError, Folders, Git, GitProtocol, InboxStyle, Limits, Overrides, RepoSettings,
    Repos, Secret, TreeBuilder, Ui, Warning, Watcher, agents, delivery, launcher, repos,
    sources::{Environment, Name, Sources, below, keys, unusable, var},
    token_file::token_of,
    types, vars, verification,
};
use crate::{
    fs::Fs,
    inbox_tree::BranchMode,
    layout::{InboxMode, Layout},
    target::Target,
};

const MIB: u64 = 1 << 20;

/// Loads the settings: the YAML file, overridden by the environment, overridden by flags.
///
/// An empty variable counts as unset; a comment at the end of one is dropped with a warning, but not of a secret, which
/// is read whole. A missing file is fine.
///
/// # Errors
/// [`ConfigError`] when the file cannot be read or understood, or a value anywhere cannot be used: it names the
/// place, the value and what would be right; of a secret only the place, and what may be wrong with it.
pub fn load(fs: &dyn Fs, env: &Environment, flags: &Overrides) -> Result<(Config, Vec<Warning>), ConfigError> {
    let mut s = Sources::new(env, flags);
    let default = s.default_place(&vars::CONFIG_PATH, |root| &root.config_path);
    let config_path = s.with_default_from(&var(&vars::CONFIG_PATH), &types::FILE, default)?;
    s.read_file(fs, &config_path)?;
    let git = git(&mut s)?;
    let folders = folders(&mut s, git.owner.value.is_some())?;
    let (api, ui) = (api(&mut s)?, ui(&mut s)?);
    let watcher = watcher(&mut s)?;
    let tree_builder = tree_builder(&mut s)?;
    let launchers = launcher::launchers(&mut s)?;
    let agents = agents::agents(&mut s, &launchers)?;
    let default_agent = s.with_default(&keys(&["default_agent"]), &types::TEXT, "codex".into())?;
    let allowed_agents = s.with_default(&keys(&["allowed_agents"]), &types::LIST, Vec::new())?;
    agents::check_names(&agents, &default_agent, &allowed_agents)?;
    let verification = verification::verification(&mut s)?;
    let repos = repos(&mut s, &agents, &allowed_agents.value, &verification.checks)?;
    let (delivery, limits) = (delivery::find(&mut s)?, limits(&mut s)?);
    let without_effect = s.finish();
    let config = Config {
        config_path,
        folders,
        git,
        api,
        ui,
        watcher,
        tree_builder,
        agents,
        launchers,
        default_agent,
        allowed_agents,
        repos,
        verification,
        delivery,
        limits,
        rows: s.rows,
        without_effect,
    };
    Ok((config, s.warnings))
}

/// Returns the token that a client sends to an API: the one in `PV_API_TOKEN`, else the one in the file that
/// `PV_API_TOKEN_FILE` names. No other setting is read.
///
/// # Errors
/// [`ConfigError`] when either cannot be used.
pub fn client_token(fs: &dyn Fs, env: &Environment) -> Result<Option<Secret>, ConfigError> {
    let flags = Overrides::default();
    let mut s = Sources::new(env, &flags);
    let token = s.optional(&var(&vars::API_TOKEN), &types::SECRET)?;
    let file = s.optional(&var(&vars::API_TOKEN_FILE), &types::SECRET_FILE)?;
    token_of(fs, token.value.as_ref(), vars::API_TOKEN_FILE.name, file.value.as_deref())
}

fn folders(s: &mut Sources<'_>, has_owner: bool) -> Result<Folders, ConfigError> {
    let root = Name { keys: &["pv_root"], var: Some(&vars::ROOT) };
    let default = s.default_place(&vars::ROOT, |root| &root.root);
    let root = s.with_default_from(&root, &types::FOLDER, default)?;
    let default = Layout::under(&root.value, InboxMode::MultiOwner);
    let inbox = Name { keys: &["inbox"], var: Some(&vars::REPOS_ROOT) };
    // One configured owner and no mode: an installation of the time before there were several owners.
    let mode = if has_owner { InboxStyle::LegacySingleOwner } else { InboxStyle::MultiOwner };
    let folders = Folders {
        inbox: s.with_default(&inbox, &types::FOLDER, default.inbox)?,
        inbox_mode: s.with_default(&keys(&["inbox_mode", "watcher.inbox_mode"]), &types::INBOX_STYLE, mode)?,
        finished: s.with_default(&keys(&["finished"]), &types::FOLDER, default.finished)?,
        runs: s.with_default(&var(&vars::RUNS_ROOT), &types::FOLDER, default.runs)?,
        repos: s.with_default(&keys(&["repos_root"]), &types::FOLDER, default.repos)?,
        work: s.with_default(&keys(&["work_root"]), &types::FOLDER, default.work)?,
        root,
    };
    check_apart(&folders)?;
    Ok(folders)
}

/// Folders with different purposes must not be one: a run would count as a repository.
fn check_apart(folders: &Folders) -> Result<(), ConfigError> {
    let all: [(&'static str, &Utf8PathBuf); 5] = [
        ("inbox", &folders.inbox.value),
        ("finished", &folders.finished.value),
        ("PV_RUNS_ROOT", &folders.runs.value),
        ("repos_root", &folders.repos.value),
        ("work_root", &folders.work.value),
    ];
    for (i, (first, path)) in all.iter().enumerate() {
        if let Some((second, _)) = all[i + 1..].iter().find(|(_, other)| other == path) {
            return Err(ConfigError::SameFolder { first, second, path: (*path).clone() });
        }
    }
    Ok(())
}

fn git(s: &mut Sources<'_>) -> Result<Git, ConfigError> {
    Ok(Git {
        owner: s.optional(&keys(&["git_owner", "watcher.git_default_owner"]), &types::OWNER)?,
        host: s.with_default(&keys(&["git_host", "watcher.git_default_host"]), &types::HOST, "github.com".into())?,
        protocol: s.with_default(
            &keys(&["git_protocol", "watcher.git_protocol"]),
            &types::GIT_PROTOCOL,
            GitProtocol::Https,
        )?,
        auto_clone: s.with_default(&keys(&["watcher.auto_clone_missing_repos"]), &types::SWITCH, true)?,
        timeout: s.with_default(&keys(&["git.timeout"]), &types::TIME_ABOVE_ZERO, seconds(2 * 3600))?,
        idle_timeout: s.with_default(&keys(&["git.idle_timeout"]), &types::TIME_ABOVE_ZERO, seconds(600))?,
    })
}

fn api(s: &mut Sources<'_>) -> Result<Api, ConfigError> {
    Ok(Api {
        bind_host: s.with_default(&var(&vars::BIND_HOST), &types::HOST, vars::BIND_HOST.default.into())?,
        bind_port: s.with_default(&var(&vars::BIND_PORT), &types::PORT, 8888)?,
        stall_threshold: s.with_default(&var(&vars::STALL_THRESHOLD_SECONDS), &types::TIME, seconds(60))?,
        token: s.optional(&var(&vars::API_TOKEN), &types::SECRET)?,
        token_file: s.optional(&var(&vars::API_TOKEN_FILE), &types::SECRET_FILE)?,
        allowed_hosts: s.with_default(&var(&vars::ALLOWED_HOSTS), &types::HOSTS, Vec::new())?,
        allow_insecure_bind: s.with_default(&var(&vars::ALLOW_INSECURE_BIND), &types::SWITCH, false)?,
        user: s.with_default(&var(&vars::API_USER), &types::USER, vars::API_USER.default.into())?,
        base_url: s.with_default(&var(&vars::API_BASE_URL), &types::BASE_URL, vars::API_BASE_URL.default.into())?,
    })
}

fn ui(s: &mut Sources<'_>) -> Result<Ui, ConfigError> {
    Ok(Ui {
        bind_host: s.with_default(&var(&vars::UI_BIND_HOST), &types::HOST, vars::UI_BIND_HOST.default.into())?,
        bind_port: s.with_default(&var(&vars::UI_BIND_PORT), &types::PORT, 8080)?,
        api_timeout: s.with_default(&var(&vars::UI_API_TIMEOUT_SECONDS), &types::TIME_ABOVE_ZERO, seconds(5))?,
        user: s.with_default(&var(&vars::UI_USER), &types::USER, vars::UI_USER.default.into())?,
        allow_remote_write: s.with_default(&var(&vars::UI_ALLOW_REMOTE_WRITE), &types::SWITCH, false)?,
    })
}

fn watcher(s: &mut Sources<'_>) -> Result<Watcher, ConfigError> {
    let above_zero = &types::TIME_ABOVE_ZERO;
    Ok(Watcher {
        max_concurrent: s.with_default(&keys(&["watcher.max_concurrent"]), &types::COUNT, 2)?,
        max_per_repo: s.with_default(&keys(&["watcher.max_per_repo"]), &types::COUNT_OR_ZERO, 0)?,
        settle: s.with_default(&keys(&["watcher.settle_seconds"]), &types::TIME, seconds(2))?,
        poll: s.with_default(&keys(&["watcher.poll_seconds"]), above_zero, seconds(5))?,
        heartbeat: s.with_default(&keys(&["watcher.heartbeat_seconds"]), above_zero, seconds(5))?,
        abort_grace: s.with_default(&keys(&["watcher.abort_grace_seconds"]), &types::TIME, seconds(10))?,
        quiet: s.with_default(&keys(&["watcher.quiet_seconds"]), above_zero, seconds(300))?,
        allow_network_fs: s.with_default(&keys(&["watcher.allow_network_fs"]), &types::SWITCH, false)?,
    })
}

/// The inbox tree. The first four settings, and the last, are the earlier service's.
fn tree_builder(s: &mut Sources<'_>) -> Result<TreeBuilder, ConfigError> {
    let list = |s: &mut Sources<'_>, key: &str, default: &[&str]| {
        let default = default.iter().map(|name| (*name).to_owned()).collect();
        s.with_default(&keys(&[key]), &types::LIST, default)
    };
    Ok(TreeBuilder {
        branch_mode: s.with_default(&keys(&["tree_builder.branch_mode"]), &types::BRANCH_MODE, BranchMode::All)?,
        branch_whitelist: list(s, "tree_builder.branch_whitelist", &[])?,
        branch_blacklist: list(s, "tree_builder.branch_blacklist", &[])?,
        branch_name_blacklist: list(s, "tree_builder.branch_name_blacklist", &["HEAD"])?,
        allow: list(s, "tree_builder.allow", &[])?,
        deny: list(s, "tree_builder.deny", &[])?,
        scan_interval: s.with_default(&keys(&["tree_builder.scan_interval_seconds"]), &types::TIME_OR_NONE, None)?,
    })
}

/// The repositories that have a section of their own, and the section for all.
fn repos(
    s: &mut Sources<'_>,
    agents: &BTreeMap<String, Agent>,
    allowed: &[String],
    checks: &BTreeMap<String, Command>,
) -> Result<Repos, ConfigError> {
    let mut repos = Repos { default: repo(s, repos::DEFAULT, agents, allowed, checks)?, by_name: BTreeMap::new() };
    for (name, origin) in s.names_below("repos") {
        if name == repos::DEFAULT {
            continue;
        }
        let (owner, own_name) = name.split_once('/').map_or((None, &*name), |(owner, name)| (Some(owner), name));
        if Target::new(owner, own_name, "main").is_err() {
            let wanted = "the name of a repository, such as `octo-org/hello`, or `default` for all";
            return Err(unusable(&origin, "repos", &name, wanted));
        }
        let settings = repo(s, &name, agents, allowed, checks)?;
        repos.by_name.insert(name, settings);
    }
    Ok(repos)
}

fn repo(
    s: &mut Sources<'_>,
    name: &str,
    agents: &BTreeMap<String, Agent>,
    allowed: &[String],
    checks: &BTreeMap<String, Command>,
) -> Result<RepoSettings, ConfigError> {
    let key = |leaf: &str| below("repos", name, leaf);
    let agent = s.optional(&keys(&[&key("agent")]), &types::TEXT)?;
    if let Some(chosen) = &agent.value {
        let is_allowed = |name: &&String| allowed.is_empty() || allowed.contains(name);
        let usable: Vec<&str> = agents.keys().filter(is_allowed).map(String::as_str).collect();
        if !usable.contains(&chosen.as_str()) {
            let wanted = format!("one that prompts may use: {}", usable.join(", "));
            return Err(unusable(&agent.origin, &key("agent"), chosen, &wanted));
        }
    }
    Ok(RepoSettings {
        agent: agent.value,
        deliver: s.optional(&keys(&[&key("deliver")]), &types::DELIVER)?.value,
        checkout: s.optional(&keys(&[&key("checkout")]), &types::CHECKOUT_MODE)?.value,
        submodules: s.optional(&keys(&[&key("submodules")]), &types::SUBMODULE_MODE)?.value,
        ..verification::of_repo(s, &key, checks)?
    })
}

fn limits(s: &mut Sources<'_>) -> Result<Limits, ConfigError> {
    Ok(Limits {
        prompt_bytes: s.with_default(&keys(&["limits.prompt_bytes"]), &types::BYTES_ABOVE_ZERO, 16 * MIB)?,
        log_bytes: s.with_default(&keys(&["limits.log_bytes"]), &types::BYTES_ABOVE_ZERO, 64 * MIB)?,
        disk_floor_bytes: s.optional(&keys(&["limits.disk_floor_bytes"]), &types::BYTES)?,
        ignored_bytes: s.with_default(&keys(&["limits.ignored_bytes"]), &types::BYTES, 64 * MIB)?,
        known_caches: s.with_default(&keys(&["limits.known_caches"]), &types::FILE_NAMES, known_caches())?,
    })
}

/// What build tools and package managers make, and make again: the common names, none that people give to their own.
fn known_caches() -> Vec<String> {
    const NAMES: [&str; 43] = [
        "node_modules",
        "bower_components",
        "target",
        "build",
        "dist",
        ".next",
        ".nuxt",
        ".svelte-kit",
        ".turbo",
        ".parcel-cache",
        ".angular",
        ".venv",
        "venv",
        "__pycache__",
        ".cache",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".tox",
        ".nox",
        ".eggs",
        "*.egg-info",
        ".gradle",
        ".terraform",
        ".dart_tool",
        ".stack-work",
        "dist-newstyle",
        "_build",
        "DerivedData",
        "CMakeFiles",
        "cmake-build-*",
        "*.o",
        "*.obj",
        "*.a",
        "*.so",
        "*.dylib",
        "*.pyc",
        "*.pyo",
        "*.class",
        "*.rlib",
        "*.tsbuildinfo",
        ".eslintcache",
        ".DS_Store",
    ];
    NAMES.map(str::to_owned).into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
