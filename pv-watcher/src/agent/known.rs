//! The agents that are known by name. A new one is a file with its adapter, and a row of [`KNOWN`].

use std::ffi::OsString;

use camino::Utf8PathBuf;

use super::{adapter::Adapter, claude::Claude, codex::Codex, command::AnyCommand, opencode::Opencode};

/// The agents that are known by name, with their adapters.
pub(super) const KNOWN: [(&str, &dyn Adapter); 3] = [("codex", &Codex), ("claude", &Claude), ("opencode", &Opencode)];

/// Returns the adapter for the agent of this name; for a name that is not known, the one that runs any command.
pub(crate) fn adapter(name: &str) -> &'static dyn Adapter {
    KNOWN.iter().find(|(known, _)| *known == name).map_or(&AnyCommand, |(_, adapter)| *adapter)
}

/// Returns the folders and files with an agent's login, its settings and its sessions, by the variables that it is given.
pub(crate) fn agent_homes(name: &str, variables: &[(OsString, OsString)]) -> Vec<Utf8PathBuf> {
    adapter(name).homes(variables)
}

#[cfg(test)]
mod tests {
    use pv_lib::config::{Agent, AgentEvents};
    use rustix::process::Signal;

    use super::*;
    use crate::agent::adapter::{Placeholders, Sessions};

    fn check(name: &str, plan: &Agent, model: Option<&str>, expected: &str) {
        let places = Placeholders {
            workdir: "/w".into(),
            prompt_file: "/r/prompt.md".into(),
            last_message_file: "/r/last.md".into(),
            model,
            session: None,
        };
        assert_eq!(adapter(name).arguments(plan, &places).join(" "), expected);
    }

    fn with_args(args: &[&str]) -> Agent {
        Agent { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..Agent::default() }
    }

    #[test]
    fn codex_is_called_with_the_prompt_on_its_standard_input() {
        let plan = Agent { sandbox: Some("workspace-write".into()), ..Agent::default() };
        let expected = "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --model m \
            --sandbox workspace-write --json -";
        check("codex", &plan, Some("m"), expected);
        let plan = with_args(&["-c", "model_provider={model}"]);
        let expected =
            "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --json -c model_provider= -";
        check("codex", &plan, None, expected);
    }

    #[test]
    fn a_session_is_gone_on_with_by_its_id_and_all_options_are_said_again() {
        let check = |name: &str, plan: &Agent, expected: &str| {
            let places = Placeholders {
                workdir: "/w".into(),
                prompt_file: "/r/prompt-2.md".into(),
                last_message_file: "/r/last.md".into(),
                model: Some("m"),
                session: Some("s-1"),
            };
            assert_eq!(adapter(name).arguments(plan, &places).join(" "), expected);
        };
        let plan =
            Agent { sandbox: Some("read-only".into()), args: vec!["-c".into(), "a=b".into()], ..Agent::default() };
        let codex = "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --model m --sandbox read-only --json \
             -c a=b resume s-1 -";
        check("codex", &plan, codex);
        let claude = "-p --output-format stream-json --verbose --resume s-1 --model m --allowedTools=Bash,Edit,Write";
        check("claude", &Agent::default(), claude);
        check("opencode", &Agent::default(), "run --auto --format json --session s-1 -m m");
        let of_command = Agent { args: vec!["{prompt_file}".into()], ..Agent::default() };
        check("mine", &of_command, "/r/prompt-2.md");
        let resumes = |name: &str| adapter(name).sessions() != Sessions::None;
        assert_eq!(["codex", "claude", "opencode", "mine"].map(resumes), [true, true, true, false]);
    }

    #[test]
    fn the_first_event_that_names_a_session_says_which_it_is() {
        let check = |name: &str, lines: &[&str], expected: Option<&str>| {
            let mut reader = adapter(name).reader().unwrap();
            lines.iter().for_each(|line| reader.take(format!("{line}\n").as_bytes(), &mut Vec::new()));
            assert_eq!(reader.finish(&mut Vec::new()).session.as_deref(), expected, "{name} {lines:?}");
        };
        check(
            "codex",
            &[r#"{"type":"thread.started","thread_id":"01a2-b"}"#, r#"{"type":"turn.started"}"#],
            Some("01a2-b"),
        );
        check(
            "claude",
            &[r#"{"type":"system","subtype":"init","session_id":"a"}"#, r#"{"type":"user","session_id":"b"}"#],
            Some("a"),
        );
        check("opencode", &[r#"{"type":"step_start","sessionID":"ses_1"}"#], Some("ses_1"));
        check("codex", &[r#"{"type":"turn.started"}"#], None);
        // It becomes an argument.
        for odd in ["--last", "a b", "", "a\\u0000", "x/../y"] {
            check("codex", &[&format!(r#"{{"type":"thread.started","thread_id":"{odd}"}}"#)], None);
        }
    }

    #[test]
    fn claude_may_use_its_tools_unless_the_arguments_say_what_it_may() {
        let begin = "-p --output-format stream-json --verbose";
        check("claude", &Agent::default(), Some("m"), &format!("{begin} --model m --allowedTools=Bash,Edit,Write"));
        let more = with_args(&["--max-turns", "9"]);
        check("claude", &more, None, &format!("{begin} --allowedTools=Bash,Edit,Write --max-turns 9"));
        for args in [&["--allowedTools", "Edit"][..], &["--allowed-tools=Edit"], &["--permission-mode", "plan"]] {
            check("claude", &with_args(args), None, &format!("{begin} {}", args.join(" ")));
        }
        let args = ["--dangerously-skip-permissions"];
        check("claude", &with_args(&args), None, &format!("{begin} {}", args[0]));
    }

    #[test]
    fn opencode_asks_nobody() {
        check("opencode", &Agent::default(), Some("p/m"), "run --auto --format json -m p/m");
        check("opencode", &with_args(&["--agent", "{model}"]), None, "run --auto --format json --agent ");
    }

    #[test]
    fn who_is_to_write_no_events_is_called_for_plain_text() {
        let plain = |sandbox: Option<&str>| Agent {
            events: AgentEvents::None,
            sandbox: sandbox.map(str::to_owned),
            ..with_args(&["x"])
        };
        let codex = "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --model m --sandbox s x -";
        check("codex", &plain(Some("s")), Some("m"), codex);
        check("claude", &plain(None), None, "-p --allowedTools=Bash,Edit,Write x");
        check("opencode", &plain(None), None, "run --auto x");
        check("mine", &plain(None), None, "x");
    }

    #[test]
    fn any_other_agent_gets_its_arguments_filled_in() {
        let args = ["--message-file", "{prompt_file}", "--in={workdir}", "{last_message_file}", "{model}", "{x}", "{"];
        let expected = "--message-file /r/prompt.md --in=/w /r/last.md {workdir} {x} {";
        check("aider", &with_args(&args), Some("{workdir}"), expected);
        check("Codex", &Agent::default(), Some("m"), "");
    }

    #[test]
    fn claude_is_asked_to_end_as_by_ctrl_c() {
        assert_eq!(adapter("claude").stop_signal(), Signal::INT);
        assert_eq!(adapter("codex").stop_signal(), Signal::TERM);
    }
}
