//! The Claude command line: `claude -p --output-format stream-json`, the prompt on standard input.
//!
//! It exits with 0 even where it was not allowed to write, so its last event, `result`, is what counts: `is_error`,
//! and `permission_denials`. A denial is no failure of the job: the turn completed, and what could be done was done.
//! The log shows it where it happened, and the job's message says it again.

use serde_json::{Map, Value};

use super::{
    Adapter, EventReader, Placeholders, Report, command,
    log_renderer::{LogRenderer, one_line},
    reader::{EventParser, list, text},
    report::{Usage, Verdict},
    reset::Reset,
};
use crate::plan::{AgentPlan, StopSignal};

/// What it may use unless the configured arguments say what it may: all that work on a checkout needs. Without a
/// terminal there is nobody to ask, and it would be denied.
const ALLOWED_TOOLS: &str = "--allowedTools=Bash,Edit,Write";

/// Arguments that say what it may.
const PERMISSIONS: [&str; 5] = [
    "--allowedTools",
    "--allowed-tools",
    "--permission-mode",
    "--permission-prompt-tool",
    "--dangerously-skip-permissions",
];

/// How many denied calls a message names.
const DENIALS_NAMED: usize = 3;

pub(super) struct Claude;

impl Adapter for Claude {
    fn arguments(&self, plan: &AgentPlan, places: &Placeholders<'_>) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["-p", "--output-format", "stream-json", "--verbose"].map(str::to_owned).into();
        arguments.extend(places.model.into_iter().flat_map(|model| ["--model".to_owned(), model.to_owned()]));
        let configured = command::configured(plan, places);
        let says = |name: &str| configured.iter().any(|arg| arg.split('=').next() == Some(name));
        if !PERMISSIONS.into_iter().any(says) {
            arguments.push(ALLOWED_TOOLS.to_owned());
        }
        arguments.extend(configured);
        arguments
    }

    fn variables(&self) -> &'static [&'static str] {
        &["ANTHROPIC_*"]
    }

    /// Of all signals SIGINT alone makes it end its tools.
    fn stop_signal(&self) -> StopSignal {
        StopSignal::Interrupt
    }

    fn reader(&self) -> Option<EventReader> {
        Some(EventReader::new(Box::<Events>::default()))
    }
}

#[derive(Debug, Default)]
struct Events {
    report: Report,
    /// When the limit ends that it ran into, where an event told.
    reset: Option<Reset>,
}

impl EventParser for Events {
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>) {
        let part = |key: &str| event.get(key).unwrap_or(&Value::Null);
        match part("type").as_str().unwrap_or_default() {
            "system" if part("subtype") == "api_retry" => {
                let (error, status) = (part("error").as_str().unwrap_or_default(), part("error_status"));
                let (attempt, of) = (part("attempt"), part("max_retries"));
                log.warning(&format!("the model answers {status} ({error}), retry {attempt} of {of}"));
                self.report.verdict.note_error(error);
            }
            "rate_limit_event" => {
                let limit = part("rate_limit_info");
                if text(limit, "/status") == "rejected" {
                    let at = limit.get("resetsAt").and_then(Value::as_i64);
                    self.reset = at.map(|at| Reset::At(pv_lib::time::Timestamp::from_unix_seconds(at)));
                }
            }
            // The words of an error are said again by the result.
            "assistant" if part("error").is_null() => {
                list(part("message"), "/content").iter().for_each(|part| self.assistant(part, log));
            }
            "user" => list(part("message"), "/content").iter().for_each(|part| user(part, log)),
            "result" => self.result(&Value::Object(event.clone()), log),
            _ => {}
        }
    }

    fn report(self: Box<Self>) -> Report {
        self.report
    }
}

impl Events {
    fn assistant(&mut self, part: &Value, log: &mut LogRenderer<'_>) {
        match text(part, "/type") {
            "text" => {
                log.text(text(part, "/text"));
                self.report.last_message = Some(text(part, "/text").to_owned());
            }
            "thinking" => log.tool_call("think", text(part, "/thinking")),
            "tool_use" => show_call(text(part, "/name"), part.get("input").unwrap_or(&Value::Null), log),
            _ => {}
        }
    }

    fn result(&mut self, result: &Value, log: &mut LogRenderer<'_>) {
        self.report.usage = Some(usage(result));
        let said = text(result, "/result");
        let denials = list(result, "/permission_denials");
        if result["is_error"].as_bool() == Some(true) || text(result, "/subtype").starts_with("error") {
            let message = if said.is_empty() { text(result, "/subtype") } else { said };
            log.error(message);
            self.report.verdict = match Verdict::of_failure(message) {
                Verdict::Failed(message) if result["api_error_status"] == 429 => {
                    Verdict::Limited { reset: Reset::read(&message), message }
                }
                verdict => verdict,
            };
            if let (Verdict::Limited { reset, .. }, Some(told)) = (&mut self.report.verdict, self.reset) {
                *reset = Some(told);
            }
            return;
        }
        if !said.is_empty() {
            self.report.last_message = Some(said.to_owned());
        }
        self.report.verdict = if denials.is_empty() {
            Verdict::Completed
        } else {
            let but = denied(denials);
            log.warning(&but);
            Verdict::CompletedBut(but)
        };
    }
}

fn user(part: &Value, log: &mut LogRenderer<'_>) {
    if text(part, "/type") != "tool_result" {
        return;
    }
    log.output(text(part, "/content"));
    list(part, "/content").iter().for_each(|part| log.output(text(part, "/text")));
    if part["is_error"].as_bool() == Some(true) {
        log.ended("failed");
    }
}

fn show_call(tool: &str, input: &Value, log: &mut LogRenderer<'_>) {
    match tool {
        "Bash" => log.command(text(input, "/command")),
        _ => log.tool_call(tool, &subject(input)),
    }
}

/// Returns what a call is about: the file, the pattern, or whatever it was given.
fn subject(input: &Value) -> String {
    let keys = ["/file_path", "/notebook_path", "/path", "/pattern", "/url", "/query", "/command", "/description"];
    let known = keys.into_iter().map(|key| text(input, key)).find(|text| !text.is_empty());
    known.map_or_else(|| input.to_string(), str::to_owned)
}

fn denied(denials: &[Value]) -> String {
    let name = |denial: &Value| {
        format!(
            "{} {}",
            text(denial, "/tool_name"),
            one_line(&subject(denial.get("tool_input").unwrap_or(&Value::Null)))
        )
    };
    let named = denials.iter().take(DENIALS_NAMED).map(name).collect::<Vec<_>>().join("; ");
    let more = denials.len().saturating_sub(DENIALS_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("denied tool calls: {} ({named}{more}); agents.claude.args says what it may use", denials.len())
}

/// Sums what each model took, since `usage` alone leaves out what its helpers did.
fn usage(result: &Value) -> Usage {
    let models = || result["modelUsage"].as_object().into_iter().flat_map(Map::values);
    let sum = |keys: &[&str]| {
        let counts = models().flat_map(|model| keys.iter().filter_map(|key| model[*key].as_u64()));
        counts.fold(None, |sum: Option<u64>, count| Some(sum.unwrap_or(0).saturating_add(count)))
    };
    Usage {
        input_tokens: sum(&["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"]),
        cached_input_tokens: sum(&["cacheReadInputTokens"]),
        output_tokens: sum(&["outputTokens"]),
        cost_usd: result["total_cost_usd"].as_f64(),
        turns: result["num_turns"].as_u64(),
    }
}
