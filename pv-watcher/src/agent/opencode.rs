//! The OpenCode command line: `opencode run --format json`, the prompt on standard input.
//!
//! It has no event that says that all is done: the step that finishes with `stop` is the last. It says that it failed
//! with an `error` event. A model that answers 429 or 500 is asked again for ever, without a word: only a timeout ends
//! that.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Adapter, EventReader, Placeholders, Report, command,
    log_renderer::{LogRenderer, one_line},
    reader::{EventParser, text},
    report::Verdict,
    reset::Reset,
};
use crate::plan::{AgentPlan, StopSignal};

pub(super) struct Opencode;

impl Adapter for Opencode {
    fn arguments(&self, plan: &AgentPlan, places: &Placeholders<'_>) -> Vec<String> {
        let fixed = ["run", "--auto", "--format", "json"];
        let model = places.model.map(|model| ["-m", model]).into_iter().flatten();
        let mut arguments: Vec<String> = fixed.into_iter().chain(model).map(str::to_owned).collect();
        arguments.extend(command::configured(plan, places));
        arguments
    }

    fn variables(&self) -> &'static [&'static str] {
        &["OPENCODE_*"]
    }

    fn stop_signal(&self) -> StopSignal {
        StopSignal::Term
    }

    fn reader(&self) -> Option<EventReader> {
        Some(EventReader::new(Box::<Events>::default()))
    }
}

#[derive(Debug, Default)]
struct Events {
    report: Report,
}

impl EventParser for Events {
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>) {
        let part = event.get("part").unwrap_or(&Value::Null);
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => {
                log.text(text(part, "/text"));
                self.report.last_message = Some(text(part, "/text").to_owned());
            }
            "reasoning" => log.tool_call("think", text(part, "/text")),
            "tool_use" => show_call(part, log),
            "step_finish" => self.step(part),
            "error" => self.error(event.get("error").unwrap_or(&Value::Null), log),
            _ => {}
        }
    }

    fn report(self: Box<Self>) -> Report {
        self.report
    }
}

impl Events {
    fn step(&mut self, part: &Value) {
        let usage = self.report.usage.get_or_insert_default();
        let add = |sum: &mut Option<u64>, paths: &[&str]| {
            for tokens in paths.iter().filter_map(|path| part.pointer(path).and_then(Value::as_u64)) {
                *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
            }
        };
        add(&mut usage.input_tokens, &["/tokens/input", "/tokens/cache/read", "/tokens/cache/write"]);
        add(&mut usage.cached_input_tokens, &["/tokens/cache/read"]);
        add(&mut usage.output_tokens, &["/tokens/output", "/tokens/reasoning"]);
        usage.cost_usd = part["cost"].as_f64().map(|cost| usage.cost_usd.unwrap_or(0.0) + cost).or(usage.cost_usd);
        usage.turns = Some(usage.turns.unwrap_or(0) + 1);
        self.report.verdict = match text(part, "/reason") {
            "stop" => Verdict::Completed,
            // It goes on with what the tools said.
            "tool-calls" | "unknown" | "" => Verdict::Unfinished,
            reason => Verdict::Failed(format!("the model stopped early: {}", one_line(reason))),
        };
    }

    fn error(&mut self, error: &Value, log: &mut LogRenderer<'_>) {
        let said = text(error, "/data/message");
        let message = if said.is_empty() { text(error, "/name") } else { said };
        log.error(message);
        self.report.verdict = Verdict::of_failure(message);
        if error.pointer("/data/statusCode").and_then(Value::as_u64) == Some(429) {
            let after = text(error, "/data/responseHeaders/retry-after").parse().ok().map(Duration::from_secs);
            let reset = after.map(Reset::In).or_else(|| Reset::read(message));
            self.report.verdict = Verdict::Limited { message: one_line(message), reset };
        }
    }
}

fn show_call(part: &Value, log: &mut LogRenderer<'_>) {
    let tool = text(part, "/tool");
    if tool == "bash" {
        log.command(text(part, "/state/input/command"));
        log.output(text(part, "/state/output"));
        if let Some(code) = part.pointer("/state/metadata/exit").and_then(Value::as_i64) {
            log.ended(&format!("exit {code}"));
        }
    } else {
        let path = text(part, "/state/input/filePath");
        log.tool_call(tool, if path.is_empty() { text(part, "/state/title") } else { path });
    }
    if text(part, "/state/status") == "error" {
        log.output(text(part, "/state/error"));
        log.ended("failed");
    }
}
