//! Reading `agents`, and the earlier keys that still mean the one agent there was.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Agent, AgentEvents, CheckoutMode, ConfigError, Launcher, LauncherKind, Origin, WithOrigin,
    sources::{Sources, keys, unusable},
    types::{self, SettingType},
};

/// The agents that are known by name. They need no settings; the first is the one of prompts that name none.
pub const KNOWN_AGENTS: [&str; 3] = ["codex", "claude", "opencode"];

/// Keys that say something about agents, besides those below `agents`.
const SAYING_AGENTS: [&str; 5] =
    ["default_agent", "allowed_agents", "watcher.runner_cmd", "watcher.runner_model", "watcher.runner_sandbox"];

/// The agents: those in the file, and `codex`, which need not be in it. Where the file says nothing about agents, all that
/// are known by name.
pub(super) fn agents(
    s: &mut Sources<'_>,
    launchers: &BTreeMap<String, Launcher>,
) -> Result<BTreeMap<String, Agent>, ConfigError> {
    let mut names = s.names_below("agents");
    let is_silent = names.is_empty() && !SAYING_AGENTS.iter().any(|key| s.is_in_file(key));
    for known in KNOWN_AGENTS.iter().take(if is_silent { KNOWN_AGENTS.len() } else { 1 }) {
        if !names.iter().any(|(name, _)| name == known) {
            names.push(((*known).to_owned(), Origin::Default));
        }
    }
    let mut agents = BTreeMap::new();
    for (name, origin) in names {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            let key = format!("agents.{name}");
            return Err(unusable(&origin, &key, &name, "a name of letters, digits, `-` and `_`"));
        }
        agents.insert(name.clone(), agent(s, &name, launchers)?);
    }
    Ok(agents)
}

fn agent(s: &mut Sources<'_>, name: &str, launchers: &BTreeMap<String, Launcher>) -> Result<Agent, ConfigError> {
    let key = |leaf: &str| format!("agents.{name}.{leaf}");
    let is_codex = name == "codex";
    // The earlier service knew one agent, and its keys still mean that one.
    let with_old = |own: &str, old: &str, s: &mut Sources<'_>, setting_type: &SettingType<String>| {
        let both = [own, old];
        let value = s.optional(&keys(if is_codex { &both } else { &both[..1] }), setting_type)?.value;
        Ok::<_, ConfigError>(value)
    };
    let command_keys = [&*key("command"), "watcher.runner_cmd"];
    let command_keys = keys(if is_codex { &command_keys } else { &command_keys[..1] });
    let command = s.with_default(&command_keys, &types::ARGUMENTS, vec![name.to_owned()])?;
    if command.value.first().is_none_or(String::is_empty) {
        return Err(unusable(&command.origin, &key("command"), "", "the program to call, such as `codex`"));
    }
    let sandbox = with_old(&key("sandbox"), "watcher.runner_sandbox", s, &types::TEXT)?;
    let launcher = s.with_default(&keys(&[&key("launcher")]), &types::WORD, Launcher::local().name)?;
    let Some(chosen) = launchers.get(&launcher.value) else {
        let known = launchers.keys().cloned().collect::<Vec<_>>().join(", ");
        let wanted = format!("one that there is: {known} (`launchers.<name>` configures another)");
        return Err(unusable(&launcher.origin, &key("launcher"), &launcher.value, &wanted));
    };
    let checkout = chosen.checkout.unwrap_or(CheckoutMode::Shared);
    Ok(Agent {
        command: command.value,
        args: s.with_default(&keys(&[&key("args")]), &types::ARGUMENTS, Vec::new())?.value,
        model: with_old(&key("model"), "watcher.runner_model", s, &types::TEXT)?,
        sandbox: sandbox.or_else(|| is_codex.then(|| codex_sandbox(chosen).to_owned())),
        env: s.with_default(&keys(&[&key("env")]), &types::VARIABLES, Vec::new())?.value,
        timeout: s.with_default(&keys(&[&key("timeout")]), &types::TIME_OR_NONE, Some(DEFAULT_TIMEOUT))?.value,
        idle_timeout: s.with_default(&keys(&[&key("idle_timeout")]), &types::TIME_OR_NONE, None)?.value,
        settle_after_done: s
            .with_default(&keys(&[&key("settle_after_done")]), &types::TIME, DEFAULT_SETTLE_AFTER_DONE)?
            .value,
        checkout: s.with_default(&keys(&[&key("checkout")]), &types::CHECKOUT_MODE, checkout)?.value,
        launcher: launcher.value,
        events: s.with_default(&keys(&[&key("events")]), &types::AGENT_EVENTS, AgentEvents::Auto)?.value,
        hold_when: s.with_default(&keys(&[&key("hold_when")]), &types::PHRASES, Vec::new())?.value,
    })
}

/// The agent may change its checkout and nothing else; its own default would let it change nothing at all. Inside a sandbox
/// of ours its own cannot be made, and it would do nothing and say that it went well.
fn codex_sandbox(launcher: &Launcher) -> &'static str {
    if matches!(launcher.kind, LauncherKind::Bubblewrap(_)) { "danger-full-access" } else { "workspace-write" }
}

/// An agent that said that it is done has written what it had to; what it started may keep it for ever.
const DEFAULT_SETTLE_AFTER_DONE: Duration = Duration::from_secs(30);
/// An agent whose model does not answer may try again for ever: every job has an end.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2 * 3600);

/// The agent of prompts that name none, and those that may be named, must be configured.
pub(super) fn check_names(
    agents: &BTreeMap<String, Agent>,
    default: &WithOrigin<String>,
    allowed: &WithOrigin<Vec<String>>,
) -> Result<(), ConfigError> {
    let configured = agents.keys().cloned().collect::<Vec<_>>().join(", ");
    let wanted = format!("one that is configured: {configured} (`agents.<name>: {{}}` configures another)");
    if !agents.contains_key(&default.value) {
        return Err(unusable(&default.origin, "default_agent", &default.value, &wanted));
    }
    if let Some(unknown) = allowed.value.iter().find(|name| !agents.contains_key(*name)) {
        return Err(unusable(&allowed.origin, "allowed_agents", unknown, &wanted));
    }
    if !allowed.value.is_empty() && !allowed.value.contains(&default.value) {
        let wanted = format!("one of `allowed_agents`: {}", allowed.value.join(", "));
        return Err(unusable(&default.origin, "default_agent", &default.value, &wanted));
    }
    Ok(())
}
