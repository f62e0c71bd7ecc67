//! The Claude command line: `claude -p --output-format stream-json`, the prompt on standard input.
//!
//! It exits with 0 even where it was not allowed to write, so its last event, `result`, is what counts: `is_error`,
//! and `permission_denials`. A denial is no failure of the job: the turn completed, and what could be done was done.
//! The log shows it where it happened, and the job's message says it again.

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
    homes::named_or_below_home,
    log_renderer::{LogRenderer, one_line},
    login_check::LoginCheck,
    reader::{EventParser, EventReader, Progress, list, text},
    report::{Report, Verdict},
    reset::Reset,
    usage::Usage,
};

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

/// What its own failures say. Its list of errors has others, too, such as those of a tool server.
const OWN_WORDS: [&str; 4] = ["run /login", "credit balance is too low", "hit your", "usage limit reached"];

/// How many denied calls a message names.
const DENIALS_NAMED: usize = 3;

pub(super) struct Claude;

impl Adapter for Claude {
    fn arguments(&self, plan: &Agent, places: &Placeholders<'_>) -> Vec<String> {
        let events: &[&str] = match plan.events {
            AgentEvents::Auto => &["--output-format", "stream-json", "--verbose"],
            AgentEvents::None => &[],
        };
        let mut arguments: Vec<String> = [&["-p"], events].concat().into_iter().map(str::to_owned).collect();
        arguments.extend(places.session.into_iter().flat_map(|session| ["--resume".to_owned(), session.to_owned()]));
        arguments.extend(places.model.into_iter().flat_map(|model| ["--model".to_owned(), model.to_owned()]));
        let configured = command::configured(plan, places);
        let says = |name: &str| configured.iter().any(|arg| arg.split('=').next() == Some(name));
        if !PERMISSIONS.into_iter().any(says) {
            arguments.push(ALLOWED_TOOLS.to_owned());
        }
        arguments.extend(configured);
        arguments
    }

    /// By code.claude.com/docs/en/env-vars.
    fn variables(&self) -> Vec<&'static str> {
        [
            "ANTHROPIC_*",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_REFRESH_TOKEN",
            "CLAUDE_CODE_OAUTH_SCOPES",
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
            "CLAUDE_CODE_CLIENT_CERT",
            "CLAUDE_CODE_CLIENT_KEY",
            "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
            "CLAUDE_CODE_CERT_STORE",
            "CLAUDE_CODE_TMPDIR",
            "CLAUDE_CODE_USE_ANTHROPIC_AWS",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_USE_MANTLE",
            "CLAUDE_CODE_USE_VERTEX",
            "CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH",
            "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
            "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
            "CLAUDE_CODE_SKIP_MANTLE_AUTH",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH",
        ]
        .into()
    }

    fn clouds(&self) -> &'static [Cloud] {
        const GOOGLE: &[&str] = &["GOOGLE_*", "GCLOUD_*", "CLOUDSDK_*", "CLOUD_ML_REGION", "VERTEX_REGION_*"];
        &[
            Cloud { used_when: UsedWhen::Switch("CLAUDE_CODE_USE_ANTHROPIC_AWS"), variables: &["AWS_*"] },
            Cloud { used_when: UsedWhen::Switch("CLAUDE_CODE_USE_BEDROCK"), variables: &["AWS_*"] },
            Cloud { used_when: UsedWhen::Switch("CLAUDE_CODE_USE_MANTLE"), variables: &["AWS_*"] },
            Cloud { used_when: UsedWhen::Switch("CLAUDE_CODE_USE_VERTEX"), variables: GOOGLE },
            Cloud { used_when: UsedWhen::Switch("CLAUDE_CODE_USE_FOUNDRY"), variables: &["AZURE_*"] },
        ]
    }

    /// `~/.claude.json` is none of them: it is replaced by a rename, which a file that is shown alone does not allow.
    fn homes(&self, variables: &[(OsString, OsString)]) -> Vec<Utf8PathBuf> {
        named_or_below_home(variables, "CLAUDE_CONFIG_DIR", ".claude").into_iter().collect()
    }

    /// Of all signals SIGINT alone makes it end its tools.
    fn stop_signal(&self) -> Signal {
        Signal::INT
    }

    fn sessions(&self) -> Sessions {
        Sessions::UsageOfRun
    }

    fn login(&self) -> Option<LoginCheck> {
        Some(LoginCheck {
            questions: &[(&["auth", "status"], |answer| {
                let status: Value = serde_json::from_str(&answer.output).ok()?;
                status["loggedIn"].as_bool()
            })],
            remedy: "claude auth login",
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
    /// When the limit ends that it ran into, where an event reported.
    reset: Option<Reset>,
    /// The kind of error that its last answer was instead of the model's.
    error: Option<String>,
}

impl EventParser for Events {
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>) {
        let part = |key: &str| event.get(key).unwrap_or(&Value::Null);
        let kind = part("type").as_str().unwrap_or_default();
        self.report.note_session(part("session_id").as_str().unwrap_or_default());
        if matches!(kind, "assistant" | "user") || (kind == "system" && part("subtype") == "init") {
            self.progress.completed_at_event = false;
        }
        match kind {
            "system" if part("subtype") == "api_retry" => {
                let (error, status) = (part("error").as_str().unwrap_or_default(), part("error_status"));
                let (attempt, of) = (part("attempt"), part("max_retries"));
                let message = format!("the model answers {status} ({error}), retry {attempt} of {of}");
                log.warning(&message);
                let reported = Fault::of_code(error).or_else(|| Fault::of_status(status.as_u64()?));
                self.report.verdict.note_error(Failure::new(reported, &message));
            }
            "rate_limit_event" => {
                let limit = part("rate_limit_info");
                if text(limit, "/status") == "rejected" {
                    let at = limit.get("resetsAt").and_then(Value::as_i64);
                    self.reset = at.map(|at| Reset::At(pv_lib::time::Timestamp::from_unix_seconds(at)));
                }
            }
            // Of a helper, which the agent may do without.
            "assistant" if !part("error").is_null() && !part("parent_tool_use_id").is_null() => {}
            // The words of an error are said again by the result.
            "assistant" if !part("error").is_null() => self.error = part("error").as_str().map(str::to_owned),
            "assistant" => {
                self.progress.has_proved_login = true;
                self.error = None;
                list(part("message"), "/content").iter().for_each(|part| self.assistant(part, log));
            }
            "user" => list(part("message"), "/content").iter().for_each(|part| user(part, log)),
            "result" => {
                self.progress.completed_at_event = true;
                self.result(&Value::Object(event.clone()), log);
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
        // Some versions call a turn a success whose last answer was an error.
        let is_failed = result["is_error"].as_bool() == Some(true) || self.error.is_some();
        if is_failed || text(result, "/subtype").starts_with("error") {
            let failure = self.failure(result);
            log.error(&failure.message);
            self.report.verdict = Verdict::Failed(failure);
            return;
        }
        if !said.is_empty() {
            self.report.last_message = Some(said.to_owned());
        }
        let denials = list(result, "/permission_denials");
        let denied = (!denials.is_empty()).then(|| denied(denials));
        let buts: Vec<String> = denied.into_iter().chain(stopped_early(result)).collect();
        buts.iter().for_each(|but| log.warning(but));
        self.report.verdict = if buts.is_empty() { Verdict::Completed } else { Verdict::CompletedBut(buts.join("; ")) };
    }

    /// Returns the failure that a result tells.
    fn failure(&self, result: &Value) -> Failure {
        let (said, error, subtype) = (text(result, "/result"), text(result, "/errors/0"), text(result, "/subtype"));
        let message = [said, error, subtype].into_iter().find(|text| !text.is_empty());
        let message = message.unwrap_or("it did not say why");
        let by_status = || Fault::of_status(result["api_error_status"].as_u64()?);
        let is_foreign = || said.is_empty() && !OWN_WORDS.iter().any(|words| error.to_lowercase().contains(words));
        let reported = if subtype.starts_with("error_max_") {
            // A limit from its command line, none of the account.
            Some(Fault::Other)
        } else {
            let by_kind = self.error.as_deref().and_then(Fault::of_code);
            by_kind.or_else(by_status).or_else(|| is_foreign().then_some(Fault::Other))
        };
        let mut failure = Failure::new(reported, message);
        if let (Fault::Quota(reset), Some(reported)) = (&mut failure.fault, &self.reset) {
            *reset = Some(reported.clone());
        }
        failure
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

/// Returns what a person should know of a turn that ended although the model had not come to its end.
fn stopped_early(result: &Value) -> Option<String> {
    let reason = text(result, "/stop_reason");
    let is_end = matches!(reason, "" | "end_turn" | "stop_sequence");
    (!is_end).then(|| format!("the last answer of its model ended with `{}`: it may not be done", one_line(reason)))
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
