//! The real agents, run by the real binary against a model on loopback. Their programs are named by `PV_TEST_CODEX`,
//! `PV_TEST_CLAUDE` and `PV_TEST_OPENCODE`; `.ci/run agents` installs them and sets these. An agent that is not there is a
//! failure.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

mod delivery;
mod mending;
mod model;
mod sandboxed;

use std::fs;

use serde_json::{Value, json};

use self::{
    Agent::{Claude, Codex, Opencode},
    model::{LAST_MESSAGE, Model, Script},
};
use crate::fixture::{CliFixture, Service, add_remote, free_port, processes_of, wait_until};

const WRITES: Script = Script::Runs("printf 'from the model\\n' > HELLO.txt");

/// Long enough for an agent to start and be heard, in seconds.
const SHORT_TIMEOUT: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Codex,
    Claude,
    Opencode,
}

const ALL: [Agent; 3] = [Codex, Claude, Opencode];

/// An installation whose default agent is a real one.
struct RealAgentFixture {
    fixture: CliFixture,
    model: Option<Model>,
    url: String,
}

/// What became of a job.
struct JobResult {
    record: Value,
    log: String,
    /// Every event that the agent wrote.
    events: Vec<Value>,
    last_message: Option<String>,
    patch: Option<String>,
}

impl Agent {
    fn name(self) -> &'static str {
        match self {
            Codex => "codex",
            Claude => "claude",
            Opencode => "opencode",
        }
    }

    /// Returns the name by which it is told to use the model.
    fn model(self) -> &'static str {
        match self {
            Codex | Claude => "test-model",
            Opencode => "test/test-model",
        }
    }

    fn program(self) -> String {
        let variable = format!("PV_TEST_{}", self.name().to_uppercase());
        std::env::var(&variable).unwrap_or_else(|_| panic!("{variable} does not say where {} is", self.name()))
    }
}

impl RealAgentFixture {
    /// Makes an installation with this agent, whose jobs may take so many seconds, and a model that does this.
    fn new(agent: Agent, script: Script, timeout: u32) -> Self {
        let model = Model::start(script);
        let url = model.url();
        Self::with(agent, Some(model), url, timeout)
    }

    fn with(agent: Agent, model: Option<Model>, url: String, timeout: u32) -> Self {
        let fixture = CliFixture::with_agent("");
        add_remote(&fixture);
        let (name, program, model_name) = (agent.name(), agent.program(), agent.model());
        let settings = format!(
            "inbox_mode: multi_owner\ndefault_agent: {name}\nagents:\n  {name}:\n    command: {program}\n    \
             model: {model_name}\n    timeout: {timeout}s\n    env: [TEST_API_KEY, CLAUDE_CODE_*]\n\
             watcher:\n  max_concurrent: 1\n  abort_grace_seconds: 2\n  settle_seconds: 0.2\n  poll_seconds: 0.3\n\
             delivery:\n  mode: branch\n"
        );
        fs::write(fixture.config(), settings).unwrap();
        fs::create_dir_all(fixture.path("home/codex")).unwrap();
        // A model that responds gets one request; one that is unreachable as many as the agent sends.
        let retries = if model.is_some() { "request_max_retries = 0\nstream_max_retries = 0\n" } else { "" };
        let codex = format!(
            "model_provider = \"test\"\n[model_providers.test]\nname = \"test\"\nbase_url = \"{url}/v1\"\n\
             wire_api = \"responses\"\nenv_key = \"TEST_API_KEY\"\n{retries}"
        );
        fs::write(fixture.path("home/codex/config.toml"), codex).unwrap();
        let provider = json!({ "npm": "@ai-sdk/openai-compatible", "name": "test", "models": { "test-model": {} },
            "options": { "baseURL": format!("{url}/v1"), "apiKey": "k" } });
        let opencode = json!({ "$schema": "https://opencode.ai/config.json", "provider": { "test": provider } });
        fs::write(fixture.path("home/opencode.json"), opencode.to_string()).unwrap();
        Self { fixture, model, url }
    }

    fn model(&self) -> &Model {
        self.model.as_ref().unwrap()
    }

    /// Starts a watcher whose agents know nothing of this user's home.
    fn watch(&self) -> Service {
        let mut pv = self.fixture.pv(&["watcher"]);
        pv.env("HOME", self.fixture.path("home")).env("CODEX_HOME", self.fixture.path("home/codex"));
        pv.env("TEST_API_KEY", "k").env("ANTHROPIC_API_KEY", "k").env("ANTHROPIC_BASE_URL", &self.url);
        pv.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        pv.env("OPENCODE_CONFIG", self.fixture.path("home/opencode.json"));
        // It asks neither for the list of models nor for a version of itself.
        pv.env("OPENCODE_DISABLE_MODELS_FETCH", "1").env("OPENCODE_DISABLE_AUTOUPDATE", "1");
        if self.model.is_some() {
            pv.env("CLAUDE_CODE_MAX_RETRIES", "0");
        }
        self.fixture.start_as("watcher", &mut pv)
    }

    /// Waits until a job is over, and returns what became of it.
    fn wait_for_end(&self, id: &str) -> JobResult {
        let record = self.fixture.wait_for_end(id);
        let file = |name: &str| fs::read_to_string(self.fixture.run_file(id, name)).ok();
        let raw = file("agent.jsonl").unwrap_or_default();
        let events = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let log = self.fixture.log(id);
        JobResult { record, log, events, last_message: file("last_message.md"), patch: file("changes.patch") }
    }
}

/// Runs one job with a given agent and model to its end.
fn run(agent: Agent, script: Script, timeout: u32) -> (RealAgentFixture, JobResult) {
    let real = RealAgentFixture::new(agent, script, timeout);
    let _watcher = real.watch();
    let id = real.fixture.submit("o/r");
    let result = real.wait_for_end(&id);
    (real, result)
}

impl JobResult {
    fn assert_failed(&self, reason: &str) {
        let Self { record, log, .. } = self;
        assert_eq!((&record["state"], &record["reason"]), (&json!("failed"), &json!(reason)), "{record:#} {log}");
    }

    fn has_event(&self, kind: &str) -> bool {
        self.events.iter().any(|event| event["type"] == kind)
    }
}

#[test]
fn a_tool_call_that_writes_a_file_becomes_a_result() {
    for agent in ALL {
        let (_real, result) = run(agent, WRITES, 40);
        let JobResult { record, log, last_message, patch, .. } = &result;
        assert_eq!(record["state"], "succeeded", "{record:#} {log}");
        assert_eq!((&record["exit_code"], &record["agent"]), (&json!(0), &json!(agent.name())));
        assert!(patch.as_ref().is_some_and(|patch| patch.contains("+from the model")), "{patch:?}");
        assert_eq!(last_message.as_deref().map(str::trim_end), Some(LAST_MESSAGE));
        let ran = log.lines().any(|line| line.starts_with("$ ") && line.contains("from the model"));
        assert!(ran && log.contains(LAST_MESSAGE) && log.contains("usage: "), "{log}");
        assert!(!log.contains("\"type\""), "events do not stand in the log: {log}");
        let tokens = |key: &str| record["usage"][key].as_u64().unwrap_or(0);
        assert!(tokens("input_tokens") >= 200 && tokens("output_tokens") >= 40, "{record:#}");
        let last = match agent {
            Codex => "turn.completed",
            Claude => "result",
            Opencode => "step_finish",
        };
        assert!(result.has_event(last), "{:?}", result.events);
    }
}

#[test]
fn a_reply_without_a_tool_call_is_no_change() {
    for agent in ALL {
        let (_real, result) = run(agent, Script::Replies, 40);
        assert_eq!(result.record["state"], "succeeded", "{:#} {}", result.record, result.log);
        assert_eq!((result.record["message"].as_str(), &result.patch), (Some("no changes"), &None));
        assert_eq!(result.last_message.as_deref().map(str::trim_end), Some(LAST_MESSAGE));
    }
}

#[test]
fn a_model_that_fails_fails_the_job_with_its_message() {
    for (agent, status, reason, part) in [
        (Codex, 401, "auth", "401"),
        (Codex, 500, "exit", "high demand"),
        (Claude, 401, "auth", "401"),
        (Claude, 500, "exit", "500"),
        (Opencode, 401, "auth", "401"),
        (Opencode, 400, "exit", "400"),
    ] {
        let (_real, result) = run(agent, Script::Fails(status), 40);
        result.assert_failed(reason);
        let message = result.record["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
        assert!(result.log.contains("error: "), "{}", result.log);
        assert_eq!((&result.last_message, &result.patch), (&None, &None));
    }
}

/// It reports neither a limit nor a server that fails, so only its time, or a person, ends it.
#[test]
fn opencode_asks_a_model_that_fails_again_and_again_without_a_word() {
    for script in [Script::Fails(429), Script::Fails(500), Script::ClosesEarly] {
        let real = RealAgentFixture::new(Opencode, script, 120);
        let _watcher = real.watch();
        let id = real.fixture.submit("o/r");
        // It asks for a title, too: of four requests two at least are for the work.
        wait_until("it asks again", || (real.model().request_count() >= 4).then_some(()));
        assert_eq!(real.fixture.record(&id)["state"], "running", "{script:?}");
        assert!(real.fixture.run(&["abort", &id]).status.success());
        let result = real.wait_for_end(&id);
        assert_eq!(result.record["state"], "aborted", "{script:?}: {:#}", result.record);
        assert!(!result.has_event("error"), "{script:?}: {:?}", result.events);
    }
}

#[test]
fn a_response_that_ends_early_fails_the_job() {
    let (_real, result) = run(Codex, Script::ClosesEarly, 40);
    result.assert_failed("exit");
    assert!(result.record["message"].as_str().unwrap().contains("stream"), "{:#}", result.record);
}

#[test]
fn a_limit_without_an_end_holds_the_agent_for_a_while() {
    for agent in [Codex, Claude] {
        let (real, result) = run(agent, Script::Fails(429), 40);
        result.assert_failed("quota");
        let status = real.fixture.json(&["status"]);
        let hold = &status["watcher"]["holds"][0];
        assert_eq!((hold["agent"].as_str(), &hold["job_id"]), (Some(agent.name()), &result.record["job_id"]));
        let until: pv_lib::time::Timestamp = hold["until"].as_str().unwrap().parse().unwrap();
        let minutes = until.since(pv_lib::host::now()).as_secs().div_ceil(60);
        assert!((14..=15).contains(&minutes), "{hold}");
    }
}

#[test]
fn a_limit_with_an_end_keeps_the_next_job_until_then() {
    let real = RealAgentFixture::new(Codex, Script::RateLimited(3 * 3600), 40);
    let watcher = real.watch();
    let (first, second) = (real.fixture.submit("o/r"), real.fixture.submit("o/r"));
    real.wait_for_end(&first).assert_failed("quota");
    let request_count = real.model().request_count();
    let status = || real.fixture.json(&["status"]);
    let waiting = wait_until("the watcher reports that one waits", || {
        Some(status()).filter(|status| status["watcher"]["waiting"] == 1 && status["watcher"]["running"] == 0)
    });
    let end: pv_lib::time::Timestamp = waiting["watcher"]["holds"][0]["until"].as_str().unwrap().parse().unwrap();
    // Codex reports hours and minutes.
    let minutes = end.since(pv_lib::host::now()).as_secs() / 60;
    assert!((177..=180).contains(&minutes), "{waiting}");
    drop(watcher);
    let _watcher = real.watch();
    wait_until("a new watcher lets it wait, too", || {
        let watcher = &status()["watcher"];
        (watcher["alive"] == true && watcher["waiting"] == 1).then_some(())
    });
    assert_eq!(
        (real.fixture.record(&second)["state"].as_str(), real.model().request_count()),
        (Some("created"), request_count)
    );
    real.model().now(WRITES);
    real.fixture.output(&["resume", "--agent", "codex", "--all"], 0);
    let result = real.wait_for_end(&second);
    assert_eq!(result.record["state"], "succeeded", "{:#} {}", result.record, result.log);
}

#[test]
fn a_model_that_hangs_ends_with_the_timeout() {
    for agent in ALL {
        let (_real, result) = run(agent, Script::Hangs, SHORT_TIMEOUT);
        result.assert_failed("timeout");
    }
}

#[test]
fn a_model_that_is_unreachable_ends_with_the_timeout() {
    for agent in ALL {
        let unreachable = format!("http://127.0.0.1:{}", free_port());
        let real = RealAgentFixture::with(agent, None, unreachable, SHORT_TIMEOUT);
        let _watcher = real.watch();
        real.wait_for_end(&real.fixture.submit("o/r")).assert_failed("timeout");
    }
}

#[test]
fn an_abort_leaves_no_process() {
    for agent in ALL {
        let real = RealAgentFixture::new(agent, Script::Runs("echo begun > begun.txt; sleep 600"), 50);
        let _watcher = real.watch();
        let id = real.fixture.submit("o/r");
        wait_until("its tool runs", || real.fixture.path(format!("work/{id}/begun.txt")).exists().then_some(()));
        if agent != Opencode {
            // That one reports a tool when it has ended.
            wait_until("the log has it", || real.fixture.log(&id).contains("sleep 600").then_some(()));
        }
        assert!(!processes_of(&id).is_empty());
        assert!(real.fixture.run(&["abort", &id]).status.success());
        let result = real.wait_for_end(&id);
        assert_eq!(result.record["state"], "aborted", "{:#}", result.record);
        assert_eq!(processes_of(&id), [""; 0]);
    }
}
