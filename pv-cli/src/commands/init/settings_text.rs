//! The settings as they are first written: few, each with what it means.

use pv_watcher::Login;

/// What was found.
#[derive(Debug)]
pub(super) struct Findings {
    /// The agents that are installed, the preferred one first.
    pub(super) agents: Vec<FoundAgent>,
    /// The root.
    pub(super) root: String,
    /// Whether somebody named the root.
    pub(super) is_root_chosen: bool,
    /// Whether the program `gh` is there.
    pub(super) has_gh: bool,
}

/// An agent that is installed.
#[derive(Debug)]
pub(super) struct FoundAgent {
    pub(super) name: String,
    pub(super) login: Login,
}

impl FoundAgent {
    fn describe(&self) -> String {
        let login = match self.login {
            Login::LoggedIn => "logged in".to_owned(),
            Login::LoggedOut { remedy } => format!("not logged in: `{remedy}`"),
            Login::NotAsked | Login::Unknown => "it does not tell whether it is logged in".to_owned(),
        };
        format!("{} ({login})", self.name)
    }
}

/// Returns the text of a settings file.
pub(super) fn settings_text(found: &Findings) -> String {
    let set = if found.is_root_chosen { "" } else { "#" };
    let requests = if found.has_gh {
        "The program gh opens requests, where it is logged in"
    } else {
        "Without the program gh, or a token (delivery.token_file), a branch is pushed"
    };
    format!(
        "# Prompt Valet, written by `pv init`. Edit it as you like; `pv config` shows every setting and where it came from,
# and `pv doctor` what is wrong. A line that begins with # sets nothing.

# The folder under which everything lies: prompts, records, logs and checkouts.
{set}pv_root: {root}

# The folders of the inbox are OWNER/REPO/BRANCH.
inbox_mode: multi_owner

{agents}
# What becomes of the work: a pull request (pr), a branch alone (branch), or neither (none).
# {requests}.
delivery:
  mode: pr
  # What the names of branches begin with.
  branch_prefix: codex/

watcher:
  # How many jobs run at once.
  max_concurrent: 2
",
        root = serde_json::Value::from(found.root.as_str()),
        agents = agents(&found.agents),
    )
}

fn agents(found: &[FoundAgent]) -> String {
    let preferred = found.iter().find(|agent| agent.login == Login::LoggedIn).or(found.first());
    let Some(preferred) = preferred else {
        return "# The agents, and the one of prompts that name none. None was found: install codex, claude or opencode, or name a
# program of your own, which reads the prompt on standard input and works in the current folder.
#default_agent: mine
#agents:
#  mine:
#    command: my-agent --some-flag
"
        .to_owned();
    };
    let described: Vec<String> = found.iter().map(FoundAgent::describe).collect();
    let mut text = format!(
        "# The agent of prompts that name none. Found: {}.\ndefault_agent: {}\n\n# The agents that prompts may name.\nagents:\n",
        described.join(", "),
        preferred.name
    );
    for agent in found {
        text += &format!("  {}:\n    # How long it may run.\n    timeout: 2h\n    #model: …\n", agent.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use pv_lib::{
        config::{Overrides, load},
        fs::OsFs,
    };

    use super::*;

    /// Writes the text and loads it: there must be no warning.
    fn loaded(found: &Findings) -> pv_lib::config::Config {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("config.yaml");
        std::fs::write(&path, settings_text(found)).unwrap();
        let env = |name: &str| (name == "PV_CONFIG_PATH").then(|| path.as_str().into());
        let (config, warnings) = load(&OsFs, &env, &Overrides::default()).unwrap();
        assert_eq!(warnings, [], "{}", settings_text(found));
        config
    }

    #[test]
    fn what_is_written_is_what_was_found_and_is_understood() {
        let agent = |name: &str, login| FoundAgent { name: name.to_owned(), login };
        let out = Login::LoggedOut { remedy: "codex login" };
        let found = Findings {
            agents: vec![agent("codex", out), agent("claude", Login::LoggedIn)],
            root: "/home/me/a b".into(),
            is_root_chosen: true,
            has_gh: false,
        };
        let config = loaded(&found);
        assert_eq!((config.default_agent.value.as_str(), config.agent_names()), ("claude", vec!["claude", "codex"]));
        assert_eq!(config.folders.root.value, "/home/me/a b");
        let text = settings_text(&found);
        assert!(text.contains("Found: codex (not logged in: `codex login`), claude (logged in)."), "{text}");
        let nothing = Findings { agents: Vec::new(), is_root_chosen: false, ..found };
        let config = loaded(&nothing);
        assert_eq!((config.default_agent.value.as_str(), config.agent_names().len()), ("codex", 3));
        assert!(settings_text(&nothing).contains("None was found: install codex"), "it says what to do");
        assert_ne!(config.folders.root.value, "/home/me/a b");
    }
}
