//! The OpenCode command line: `opencode run --format json`, the prompt on standard input.
//!
//! It has no event that says that all is done: the step that finishes with `stop` is the last. It says that it failed
//! with an `error` event. A model that answers 429 or 500 is asked again for ever, without a word: only a timeout ends
//! that.

use std::{ffi::OsString, time::Duration};

use camino::Utf8PathBuf;
use pv_lib::config::{Agent, AgentEvents};
use rustix::process::Signal;
use serde_json::{Map, Value};

use super::{
    adapter::{Adapter, Placeholders, Sessions},
    cloud::Cloud,
    command,
    fault::{Failure, Fault},
    homes::{named, named_or_below_home},
    log_renderer::LogRenderer,
    login_check::LoginCheck,
    provider_keys,
    reader::{EventParser, EventReader, Progress, text},
    report::{Report, Verdict},
    reset::Reset,
};

pub(super) struct Opencode;

impl Adapter for Opencode {
    fn arguments(&self, plan: &Agent, places: &Placeholders<'_>) -> Vec<String> {
        let events = (plan.events == AgentEvents::Auto).then_some(["--format", "json"]).into_iter().flatten();
        let session = places.session.map(|session| ["--session", session]).into_iter().flatten();
        let model = places.model.map(|model| ["-m", model]).into_iter().flatten();
        let mut arguments: Vec<String> =
            ["run", "--auto"].into_iter().chain(events).chain(session).chain(model).map(str::to_owned).collect();
        arguments.extend(command::configured(plan, places));
        arguments
    }

    fn variables(&self) -> Vec<&'static str> {
        ["OPENCODE_*"].into_iter().chain(provider_keys::model_keys()).collect()
    }

    fn clouds(&self) -> &'static [Cloud] {
        &provider_keys::ACCOUNTS
    }

    fn homes(&self, variables: &[(OsString, OsString)]) -> Vec<Utf8PathBuf> {
        let folders = [
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        ];
        let own = folders.iter().filter_map(|(name, below)| named_or_below_home(variables, name, below));
        let named_files = ["OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR"].iter().filter_map(|name| named(variables, name));
        own.map(|folder| folder.join("opencode")).chain(named_files).collect()
    }

    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }

    fn sessions(&self) -> Sessions {
        Sessions::UsageOfRun
    }

    /// It prints a list for people, each part of which ends with a count.
    fn login(&self) -> Option<LoginCheck> {
        Some(LoginCheck {
            questions: &[(&["auth", "list"], |answer| {
                let counts: Vec<u64> = answer.output.lines().filter_map(counted).collect();
                (answer.code == Some(0) && !counts.is_empty()).then(|| counts.iter().any(|count| *count > 0))
            })],
            remedy: "opencode auth login",
        })
    }

    fn reader(&self) -> Option<EventReader> {
        Some(EventReader::new(Box::<Events>::default()))
    }
}

/// Reads a line that ends a list: `└  2 credentials`, `└  1 environment variable`.
fn counted(line: &str) -> Option<u64> {
    let (count, what) = line.strip_prefix('└')?.trim_start().split_once(' ')?;
    let is_meant = what.starts_with("credential") || what.starts_with("environment variable");
    count.parse().ok().filter(|_| is_meant)
}

#[derive(Debug, Default)]
struct Events {
    report: Report,
    progress: Progress,
}

impl EventParser for Events {
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>) {
        let part = event.get("part").unwrap_or(&Value::Null);
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        self.report.note_session(event.get("sessionID").and_then(Value::as_str).unwrap_or_default());
        self.progress.has_proved_login |= matches!(kind, "text" | "reasoning" | "tool_use" | "step_finish");
        if matches!(kind, "step_start" | "text" | "reasoning" | "tool_use") {
            self.progress.completed_at_event = false;
        }
        match kind {
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

    fn progress(&self) -> Progress {
        self.progress
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
            reason => Verdict::Failed(Failure::new(Some(Fault::Other), &format!("the model stopped early: {reason}"))),
        };
        self.progress.completed_at_event = self.report.verdict != Verdict::Unfinished;
    }

    fn error(&mut self, error: &Value, log: &mut LogRenderer<'_>) {
        let said = text(error, "/data/message");
        let message = if said.is_empty() { text(error, "/name") } else { said };
        log.error(message);
        let mut failure = Failure::new(fault(error), message);
        if let Fault::Quota(reset) = &mut failure.fault {
            *reset = retry_after(error).or(reset.take());
        }
        self.report.verdict = Verdict::Failed(failure);
        self.progress.completed_at_event = true;
    }
}

/// Returns what the error's name, the code in the provider's answer, and the status of HTTP say, in this order: some
/// answer 401 where a model does not exist.
fn fault(error: &Value) -> Option<Fault> {
    let body = text(error, "/data/responseBody");
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let codes = ["/error/code", "/error/type", "/error/status", "/code", "/type"].map(|path| text(&body, path));
    let status = || Fault::of_status(error.pointer("/data/statusCode")?.as_u64()?);
    Fault::of_code(text(error, "/name")).or_else(|| codes.into_iter().find_map(Fault::of_code)).or_else(status)
}

/// Returns when the provider says that it may be asked again: after seconds, or at a date of HTTP.
fn retry_after(error: &Value) -> Option<Reset> {
    let after = text(error, "/data/responseHeaders/retry-after");
    let seconds = after.parse().ok().map(|seconds| Reset::In(Duration::from_secs(seconds)));
    seconds.or_else(|| {
        let at = jiff::fmt::rfc2822::parse(after).ok()?.timestamp().as_second();
        Some(Reset::At(pv_lib::time::Timestamp::from_unix_seconds(at)))
    })
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
