//! What differs between agents: how each is called, what of the environment it is given, how it is asked to end.
//!
//! `codex` is called in its own way; every other name runs the configured command with its arguments.

mod codex;
mod command;
mod env;

use camino::Utf8Path;
use rustix::process::Signal;

use crate::plan::{AgentPlan, StopSignal};

pub(crate) use env::given;

/// The names that arguments may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The checkout.
    pub(crate) workdir: &'a Utf8Path,
    /// The prompt as a file.
    pub(crate) prompt_file: &'a Utf8Path,
    /// Where the agent may leave its last message.
    pub(crate) last_message_file: &'a Utf8Path,
    /// The model that it is to use.
    pub(crate) model: Option<&'a str>,
}

/// Returns the arguments that the agent is called with. The prompt comes on standard input.
pub(crate) fn arguments(name: &str, plan: &AgentPlan, places: &Places<'_>) -> Vec<String> {
    match name {
        "codex" => codex::arguments(plan, places),
        _ => command::arguments(plan, places),
    }
}

/// Returns the signal that asks the agent to end.
pub(crate) fn gentle_signal(name: &str, plan: &AgentPlan) -> Signal {
    match (plan.stop_signal, name) {
        // Of all signals SIGINT alone makes claude end its tools.
        (Some(StopSignal::Interrupt), _) | (None, "claude") => Signal::INT,
        (Some(StopSignal::Term), _) | (None, _) => Signal::TERM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, plan: &AgentPlan, model: Option<&str>, expected: &str) {
        let places = Places {
            workdir: "/w".into(),
            prompt_file: "/r/prompt.md".into(),
            last_message_file: "/r/last.md".into(),
            model,
        };
        assert_eq!(arguments(name, plan, &places).join(" "), expected);
    }

    #[test]
    fn codex_is_called_with_the_prompt_on_its_standard_input() {
        let plan = AgentPlan { sandbox: Some("workspace-write".into()), ..AgentPlan::default() };
        let expected = "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --model m \
            --sandbox workspace-write --json -";
        check("codex", &plan, Some("m"), expected);
        let plan = AgentPlan { args: vec!["-c".into(), "model_provider={model}".into()], ..AgentPlan::default() };
        let expected =
            "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --json -c model_provider= -";
        check("codex", &plan, None, expected);
    }

    #[test]
    fn any_other_agent_gets_its_arguments_filled_in() {
        let args = ["--message-file", "{prompt_file}", "--in={workdir}", "{last_message_file}", "{model}", "{x}", "{"];
        let plan = AgentPlan { args: args.map(Into::into).to_vec(), ..AgentPlan::default() };
        check("aider", &plan, Some("{workdir}"), "--message-file /r/prompt.md --in=/w /r/last.md {workdir} {x} {");
        check("claude", &AgentPlan::default(), Some("m"), "");
    }

    #[test]
    fn claude_is_asked_to_end_as_by_ctrl_c_unless_configured() {
        let plan = AgentPlan::default();
        assert_eq!(gentle_signal("claude", &plan), Signal::INT);
        assert_eq!(gentle_signal("codex", &plan), Signal::TERM);
        let plan = AgentPlan { stop_signal: Some(StopSignal::Term), ..plan };
        assert_eq!(gentle_signal("claude", &plan), Signal::TERM);
    }
}
