//! The Codex command line: `codex exec --json`, the prompt on standard input.
//!
//! Exit code 0 says that the turn completed, and 1 that the model could not be used; its last event, `turn.completed`
//! or `turn.failed`, says the same with words. Its own last message is written by `--output-last-message`, which
//! leaves an empty file behind where there is none.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use pv_lib::config::{Agent, AgentEvents};
use rustix::process::Signal;
use serde_json::{Map, Value};

use super::{
    adapter::{Adapter, Placeholders, Sessions},
    cloud::{Cloud, UsedWhen},
    command,
    fault::{Failure, Fault},
    homes::{named, named_or_below_home},
    log_renderer::LogRenderer,
    login_check::LoginCheck,
    reader::{EventParser, EventReader, Progress, list, text},
    report::{Report, Verdict},
    usage::Usage,
};

pub(super) struct Codex;

impl Adapter for Codex {
    /// The configured arguments come last, before the session, since most options are refused after that, and before the
    /// `-` that reads the prompt. A session remembers neither model nor sandbox: all is said again.
    fn arguments(&self, plan: &Agent, places: &Placeholders<'_>) -> Vec<String> {
        let fixed = ["exec", "--skip-git-repo-check", "--cd", places.workdir.as_str()];
        let fixed = fixed.into_iter().chain(["--output-last-message", places.last_message_file.as_str()]);
        let model = places.model.map(|model| ["--model", model]).into_iter().flatten();
        let sandbox = plan.sandbox.as_deref().map(|sandbox| ["--sandbox", sandbox]).into_iter().flatten();
        let events = (plan.events == AgentEvents::Auto).then_some("--json");
        let mut arguments: Vec<String> = fixed.chain(model).chain(sandbox).chain(events).map(str::to_owned).collect();
        arguments.extend(command::configured(plan, places));
        arguments.extend(places.session.into_iter().flat_map(|session| ["resume".to_owned(), session.to_owned()]));
        arguments.push("-".to_owned());
        arguments
    }

    /// By developers.openai.com/codex/environment-variables. A key of a provider of one's own is named by
    /// `agents.codex.env`.
    fn variables(&self) -> Vec<&'static str> {
        ["CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_CA_CERTIFICATE", "OPENAI_*"]
            .into()
    }

    fn clouds(&self) -> &'static [Cloud] {
        &[
            Cloud { used_when: UsedWhen::Argument("amazon-bedrock"), variables: &["AWS_*"] },
            Cloud { used_when: UsedWhen::Argument("azure"), variables: &["AZURE_OPENAI_API_KEY"] },
        ]
    }

    fn homes(&self, variables: &[(OsString, OsString)]) -> Vec<Utf8PathBuf> {
        let home = named_or_below_home(variables, "CODEX_HOME", ".codex");
        home.into_iter().chain(named(variables, "CODEX_SQLITE_HOME")).collect()
    }

    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }

    fn sessions(&self) -> Sessions {
        Sessions::UsageOfSession
    }

    /// A provider of one's own, and a key in a variable, count only in the diagnosis. A version that has none ends otherwise
    /// and is believed at its first word.
    fn login(&self) -> Option<LoginCheck> {
        Some(LoginCheck {
            questions: &[
                (&["login", "status"], |answer| (answer.code == Some(0)).then_some(true)),
                (&["doctor", "--json"], |answer| {
                    let diagnosis: Option<Value> = serde_json::from_str(&answer.output).ok();
                    Some(diagnosis.is_some_and(|found| found["checks"]["auth.credentials"]["status"] == "ok"))
                }),
            ],
            remedy: "codex login",
        })
    }

    fn reader(&self) -> Option<EventReader> {
        Some(EventReader::new(Box::<Events>::default()))
    }
}

#[derive(Debug, Default)]
struct Events {
    report: Report,
    progress: Progress,
    /// The failure that was shown last: `turn.failed` repeats it.
    shown: String,
}

impl EventParser for Events {
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>) {
        let part = |key: &str| event.get(key).unwrap_or(&Value::Null);
        let kind = part("type").as_str().unwrap_or_default();
        if kind.starts_with("turn.") || kind.starts_with("item.") {
            self.progress.completed_at_event = matches!(kind, "turn.completed" | "turn.failed");
        }
        // An item of type `error` is a warning, which needs no model.
        self.progress.has_proved_login |=
            kind == "turn.completed" || (kind.starts_with("item.") && text(part("item"), "/type") != "error");
        match kind {
            "thread.started" => self.report.note_session(text(&Value::Object(event.clone()), "/thread_id")),
            "item.started" => started(part("item"), log),
            "item.completed" => self.completed(part("item"), log),
            "error" => {
                let failure = failure(&Value::Object(event.clone()));
                self.show(&failure, log);
                self.report.verdict.note_error(failure);
            }
            "turn.failed" => {
                let failure = failure(part("error"));
                self.show(&failure, log);
                self.report.verdict = Verdict::Failed(failure);
            }
            "turn.completed" => {
                let tokens = |key: &str| part("usage").get(key).and_then(Value::as_u64);
                self.report.usage = Some(Usage {
                    input_tokens: tokens("input_tokens"),
                    cached_input_tokens: tokens("cached_input_tokens"),
                    output_tokens: tokens("output_tokens"),
                    ..Usage::default()
                });
                self.report.verdict = Verdict::Completed;
            }
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
    fn completed(&mut self, item: &Value, log: &mut LogRenderer<'_>) {
        match text(item, "/type") {
            "agent_message" => {
                log.text(text(item, "/text"));
                self.report.last_message = Some(text(item, "/text").to_owned());
            }
            "reasoning" => log.tool_call("think", text(item, "/text")),
            "command_execution" => {
                log.output(text(item, "/aggregated_output"));
                match item.get("exit_code").and_then(Value::as_i64) {
                    Some(code) => log.ended(&format!("exit {code}")),
                    None => log.ended(text(item, "/status")),
                }
            }
            "file_change" => {
                for change in list(item, "/changes") {
                    log.tool_call(text(change, "/kind"), text(change, "/path"));
                }
                if text(item, "/status") == "failed" {
                    log.ended("failed");
                }
            }
            "mcp_tool_call" if text(item, "/status") == "failed" => log.ended("failed"),
            // Inside a turn, an error that did not end it.
            "error" => log.warning(text(item, "/message")),
            _ => {}
        }
    }

    fn show(&mut self, failure: &Failure, log: &mut LogRenderer<'_>) {
        if self.shown != failure.message {
            log.error(&failure.message);
            failure.message.clone_into(&mut self.shown);
        }
    }
}

/// Returns the failure that an error tells. `codex_error_info` is a word, or an object with the word as its only key and
/// a status of HTTP inside; `codex exec` leaves it out so far.
fn failure(error: &Value) -> Failure {
    let info = ["codex_error_info", "codexErrorInfo"].iter().find_map(|key| error.get(key));
    let by_word = || Fault::of_code(info?.as_str()?);
    let by_object = || {
        let (word, inside) = info?.as_object()?.iter().next()?;
        let status = ["http_status_code", "httpStatusCode"].iter().find_map(|key| inside.get(key)?.as_u64());
        status.and_then(Fault::of_status).or_else(|| Fault::of_code(word))
    };
    let message = text(error, "/message");
    // What the backend answered, as it is.
    let body: Value = serde_json::from_str(message).unwrap_or_default();
    let detail = text(&body, "/detail");
    Failure::new(by_word().or_else(by_object), if detail.is_empty() { message } else { detail })
}

fn started(item: &Value, log: &mut LogRenderer<'_>) {
    match text(item, "/type") {
        "command_execution" => log.command(text(item, "/command")),
        "mcp_tool_call" => log.tool_call("call", &format!("{} {}", text(item, "/server"), text(item, "/tool"))),
        "web_search" => log.tool_call("search", text(item, "/query")),
        _ => {}
    }
}
