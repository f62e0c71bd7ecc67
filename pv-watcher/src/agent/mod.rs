//! What differs between agents, each an adapter in a file of its own: how it is called, what of the environment it
//! needs, how it is asked to end, and what its events mean.
//!
//! An adapter is chosen by the agent's configured name: `codex`, `claude` and `opencode`; every other name runs the
//! configured command as it is ([`command`]). Agents that speak in events (one JSON object a line on standard output)
//! have an [`EventParser`](reader::EventParser): an [`EventReader`] splits what they write into lines, the parser renders
//! each event for people, and at the end there is a [`Report`]: what came of the turn, and whether further jobs should
//! wait. None of that does any I/O, but that time zones are looked up by name: bytes in, text and facts out.

mod attempt;
mod bounded_json;
mod claude;
mod codex;
mod command;
mod env;
mod fault;
mod hold;
mod hold_when;
mod hold_writer;
mod judgement;
mod log;
mod log_renderer;
mod log_sink;
mod opencode;
mod provider_keys;
mod reader;
mod report;
mod reset;
mod reset_phrase;
mod run_spec;
mod usage;

#[cfg(test)]
mod bounded_json_tests;
#[cfg(test)]
#[expect(unreachable_pub, reason = "the fuzz target calls it from its own package")]
#[path = "../../../fuzz/src/events.rs"]
mod event_fuzz_bodies;
#[cfg(test)]
mod faults_told;
#[cfg(test)]
mod one_cause_tests;
#[cfg(test)]
mod recorded;

use camino::Utf8Path;
use rustix::process::Signal;

use crate::plan::{AgentPlan, StopSignal};

pub(crate) use attempt::run;
pub use env::withheld_variables;
pub(crate) use env::{Cloud, given};
pub(crate) use hold_when::HoldWhen;
pub(crate) use reader::EventReader;
pub(crate) use report::Report;
pub(crate) use run_spec::RunSpec;

/// The names that arguments may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholders<'a> {
    /// The checkout.
    pub(crate) workdir: &'a Utf8Path,
    /// The prompt as a file.
    pub(crate) prompt_file: &'a Utf8Path,
    /// Where the agent may leave its last message.
    pub(crate) last_message_file: &'a Utf8Path,
    /// The model that it is to use.
    pub(crate) model: Option<&'a str>,
}

/// What is particular to one agent. The prompt comes on its standard input.
pub(crate) trait Adapter: Sync {
    /// Returns the arguments that the agent is called with; the configured ones are added so that they win.
    fn arguments(&self, plan: &AgentPlan, places: &Placeholders<'_>) -> Vec<String>;

    /// Returns the variables of its credentials and locations, by its documentation; `*` stands for any ending.
    fn variables(&self) -> Vec<&'static str>;

    /// Returns the accounts that it is given where it is told to use them.
    fn clouds(&self) -> &'static [Cloud];

    /// Returns the signal that makes it stop tidily.
    fn stop_signal(&self) -> StopSignal;

    /// Returns a reader of its events; `None` where it speaks in none, and its output is the log.
    fn reader(&self) -> Option<EventReader>;
}

/// Returns the adapter for the agent of this name.
pub(crate) fn adapter(name: &str) -> &'static dyn Adapter {
    match name {
        "codex" => &codex::Codex,
        "claude" => &claude::Claude,
        "opencode" => &opencode::Opencode,
        _ => &command::AnyCommand,
    }
}

/// Returns the adapters of the agents that are known by name.
fn known_adapters() -> [&'static dyn Adapter; 3] {
    [&codex::Codex, &claude::Claude, &opencode::Opencode]
}

/// Returns the signal that asks the agent to end: the configured one, else its own.
pub(crate) fn stop_signal_of(adapter: &dyn Adapter, plan: &AgentPlan) -> Signal {
    match plan.stop_signal.unwrap_or_else(|| adapter.stop_signal()) {
        StopSignal::Interrupt => Signal::INT,
        StopSignal::Term => Signal::TERM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, plan: &AgentPlan, model: Option<&str>, expected: &str) {
        let places = Placeholders {
            workdir: "/w".into(),
            prompt_file: "/r/prompt.md".into(),
            last_message_file: "/r/last.md".into(),
            model,
        };
        assert_eq!(adapter(name).arguments(plan, &places).join(" "), expected);
    }

    fn with_args(args: &[&str]) -> AgentPlan {
        AgentPlan { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..AgentPlan::default() }
    }

    #[test]
    fn codex_is_called_with_the_prompt_on_its_standard_input() {
        let plan = AgentPlan { sandbox: Some("workspace-write".into()), ..AgentPlan::default() };
        let expected = "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --model m \
            --sandbox workspace-write --json -";
        check("codex", &plan, Some("m"), expected);
        let plan = with_args(&["-c", "model_provider={model}"]);
        let expected =
            "exec --skip-git-repo-check --cd /w --output-last-message /r/last.md --json -c model_provider= -";
        check("codex", &plan, None, expected);
    }

    #[test]
    fn claude_may_use_its_tools_unless_the_arguments_say_what_it_may() {
        let begin = "-p --output-format stream-json --verbose";
        check("claude", &AgentPlan::default(), Some("m"), &format!("{begin} --model m --allowedTools=Bash,Edit,Write"));
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
        check("opencode", &AgentPlan::default(), Some("p/m"), "run --auto --format json -m p/m");
        check("opencode", &with_args(&["--agent", "{model}"]), None, "run --auto --format json --agent ");
    }

    #[test]
    fn any_other_agent_gets_its_arguments_filled_in() {
        let args = ["--message-file", "{prompt_file}", "--in={workdir}", "{last_message_file}", "{model}", "{x}", "{"];
        let expected = "--message-file /r/prompt.md --in=/w /r/last.md {workdir} {x} {";
        check("aider", &with_args(&args), Some("{workdir}"), expected);
        check("Codex", &AgentPlan::default(), Some("m"), "");
    }

    #[test]
    fn claude_is_asked_to_end_as_by_ctrl_c_unless_configured() {
        let signal = |name, plan: &AgentPlan| stop_signal_of(adapter(name), plan);
        let plan = AgentPlan::default();
        assert_eq!(signal("claude", &plan), Signal::INT);
        assert_eq!(signal("codex", &plan), Signal::TERM);
        let plan = AgentPlan { stop_signal: Some(StopSignal::Term), ..plan };
        assert_eq!(signal("claude", &plan), Signal::TERM);
    }
}
