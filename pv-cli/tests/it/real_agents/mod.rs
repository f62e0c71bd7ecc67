//! The real agents, run by the real binary against a model on loopback. Their programs are named by `PV_TEST_CODEX` and
//! `PV_TEST_CLAUDE`; `.ci/run agents` installs both and sets these. An agent that is not there is a failure.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

mod delivery;
mod model;

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use self::{
    Agent::{Claude, Codex},
    model::{LAST_WORDS, Model, Script},
};
use crate::house::{House, Service, processes_of, until};

const WRITES: Script = Script::Runs("printf 'from the model\\n' > HELLO.txt");

/// Long enough for an agent to start and be heard, in seconds.
const SHORT_TIMEOUT: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Codex,
    Claude,
}

/// An installation whose default agent is a real one.
struct Real {
    house: House,
    model: Option<Model>,
    url: String,
}

/// What a job left.
struct Left {
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
        }
    }

    fn program(self) -> String {
        let variable = format!("PV_TEST_{}", self.name().to_uppercase());
        std::env::var(&variable).unwrap_or_else(|_| panic!("{variable} does not say where {} is", self.name()))
    }
}

impl Real {
    /// Makes an installation with this agent, whose jobs may take so many seconds, and a model that does this.
    fn new(agent: Agent, script: Script, timeout: u32) -> Self {
        let model = Model::start(script);
        let url = model.url();
        Self::with(agent, Some(model), url, timeout)
    }

    fn with(agent: Agent, model: Option<Model>, url: String, timeout: u32) -> Self {
        let house = House::new("");
        add_remote(&house);
        let (name, program) = (agent.name(), agent.program());
        let settings = format!(
            "inbox_mode: multi_owner\ndefault_agent: {name}\nagents:\n  {name}:\n    command: {program}\n    \
             model: test-model\n    timeout: {timeout}s\n    env: [TEST_API_KEY, CLAUDE_CODE_*]\n\
             watcher:\n  max_concurrent: 1\n  abort_grace_seconds: 2\n  settle_seconds: 0.2\n  poll_seconds: 0.3\n\
             delivery:\n  mode: branch\n"
        );
        fs::write(house.path("config/pv.yaml"), settings).unwrap();
        fs::create_dir_all(house.path("home/codex")).unwrap();
        // A model that answers is asked once; one that is not there as often as the agent likes.
        let retries = if model.is_some() { "request_max_retries = 0\nstream_max_retries = 0\n" } else { "" };
        let codex = format!(
            "model_provider = \"test\"\n[model_providers.test]\nname = \"test\"\nbase_url = \"{url}/v1\"\n\
             wire_api = \"responses\"\nenv_key = \"TEST_API_KEY\"\n{retries}"
        );
        fs::write(house.path("home/codex/config.toml"), codex).unwrap();
        Self { house, model, url }
    }

    fn model(&self) -> &Model {
        self.model.as_ref().unwrap()
    }

    /// Starts a watcher whose agents know nothing of this user's home.
    fn watch(&self) -> Service {
        let mut pv = self.house.pv();
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("ANTHROPIC_") || name.starts_with("CLAUDE"))
        {
            pv.env_remove(name);
        }
        pv.env("HOME", self.house.path("home")).env("CODEX_HOME", self.house.path("home/codex"));
        pv.env("TEST_API_KEY", "k").env("ANTHROPIC_API_KEY", "k").env("ANTHROPIC_BASE_URL", &self.url);
        pv.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        if self.model.is_some() {
            pv.env("CLAUDE_CODE_MAX_RETRIES", "0");
        }
        let log = fs::File::create(self.house.path("watcher.log")).unwrap();
        Service(pv.arg("watcher").stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Hands a prompt over, and returns its job's id.
    fn submit(&self) -> String {
        let prompt = self.house.path("task.md");
        fs::write(&prompt, "# Make a file\n\nPlease.\n").unwrap();
        let said = self.house.run(&["submit", prompt.to_str().unwrap(), "--repo", "o/r", "--branch", "main", "--json"]);
        let taken: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
        taken["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a job is over, and returns what it left.
    fn until_over(&self, id: &str) -> Left {
        let is_over = |record: &Value| ["succeeded", "failed", "aborted"].iter().any(|state| record["state"] == *state);
        let record = until(&format!("{id} is over"), || Some(self.house.record(id)).filter(is_over));
        let file = |name: &str| fs::read_to_string(self.house.path(&format!("runs/{id}/{name}"))).ok();
        let raw = file("agent.jsonl").unwrap_or_default();
        let events = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let log = self.house.log(id);
        Left { record, log, events, last_message: file("last_message.md"), patch: file("changes.patch") }
    }
}

/// Gives the repository an origin: the bare one in `remote.git`.
fn add_remote(house: &House) {
    let (repo, remote) = (house.path("repos/o/r"), house.path("remote.git"));
    let (repo, remote) = (repo.to_str().unwrap(), remote.to_str().unwrap());
    for args in [&["clone", "-q", "--bare", repo, remote][..], &["-C", repo, "remote", "add", "origin", remote]] {
        assert!(Command::new("git").args(args).status().unwrap().success(), "git {args:?}");
    }
}

/// Runs one job with a given agent and model to its end.
fn run(agent: Agent, script: Script, timeout: u32) -> (Real, Left) {
    let real = Real::new(agent, script, timeout);
    let _watcher = real.watch();
    let id = real.submit();
    let left = real.until_over(&id);
    (real, left)
}

impl Left {
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
    for agent in [Codex, Claude] {
        let (_real, left) = run(agent, WRITES, 40);
        let Left { record, log, last_message, patch, .. } = &left;
        assert_eq!(record["state"], "succeeded", "{record:#} {log}");
        assert_eq!((&record["exit_code"], &record["agent"]), (&json!(0), &json!(agent.name())));
        assert!(patch.as_ref().is_some_and(|patch| patch.contains("+from the model")), "{patch:?}");
        assert_eq!(last_message.as_deref().map(str::trim_end), Some(LAST_WORDS));
        let ran = log.lines().any(|line| line.starts_with("$ ") && line.contains("from the model"));
        assert!(ran && log.contains(LAST_WORDS) && log.contains("usage: "), "{log}");
        assert!(!log.contains("\"type\""), "events do not stand in the log: {log}");
        let tokens = |key: &str| record["usage"][key].as_u64().unwrap_or(0);
        assert!(tokens("input_tokens") >= 200 && tokens("output_tokens") >= 40, "{record:#}");
        let last = if agent == Codex { "turn.completed" } else { "result" };
        assert!(left.has_event(last), "{:?}", left.events);
    }
}

#[test]
fn an_answer_in_words_alone_is_no_change() {
    for agent in [Codex, Claude] {
        let (_real, left) = run(agent, Script::Says, 40);
        assert_eq!(left.record["state"], "succeeded", "{:#} {}", left.record, left.log);
        assert_eq!((left.record["message"].as_str(), &left.patch), (Some("no changes"), &None));
        assert_eq!(left.last_message.as_deref().map(str::trim_end), Some(LAST_WORDS));
    }
}

#[test]
fn a_model_that_refuses_fails_the_job_with_its_words() {
    for agent in [Codex, Claude] {
        let overloaded = if agent == Codex { "high demand" } else { "500" };
        for (status, reason, words) in [(401, "auth", "401"), (500, "exit", overloaded)] {
            let (_real, left) = run(agent, Script::Refuses(status), 40);
            left.assert_failed(reason);
            let message = left.record["message"].as_str().unwrap();
            assert!(message.contains(words), "{message}");
            assert!(left.log.contains("error: "), "{}", left.log);
            assert_eq!((&left.last_message, &left.patch), (&None, &None));
        }
    }
}

#[test]
fn an_answer_that_breaks_off_fails_the_job() {
    let (_real, left) = run(Codex, Script::BreaksOff, 40);
    left.assert_failed("exit");
    assert!(left.record["message"].as_str().unwrap().contains("stream"), "{:#}", left.record);
}

#[test]
fn a_limit_without_an_end_holds_the_agent_for_a_while() {
    for agent in [Codex, Claude] {
        let (real, left) = run(agent, Script::Refuses(429), 40);
        left.assert_failed("quota");
        let said = real.house.run(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&said.stdout).unwrap();
        let hold = &status["watcher"]["holds"][0];
        assert_eq!((hold["agent"].as_str(), &hold["job_id"]), (Some(agent.name()), &left.record["job_id"]));
        let until: pv_lib::time::Timestamp = hold["until"].as_str().unwrap().parse().unwrap();
        let minutes = until.since(pv_lib::host::now()).as_secs().div_ceil(60);
        assert!((14..=15).contains(&minutes), "{hold}");
    }
}

#[test]
fn a_limit_with_an_end_keeps_the_next_job_until_then() {
    let real = Real::new(Codex, Script::IsAtItsLimit(3 * 3600), 40);
    let watcher = real.watch();
    let (first, second) = (real.submit(), real.submit());
    real.until_over(&first).assert_failed("quota");
    let asked = real.model().asked();
    let status = || {
        let said = real.house.run(&["status", "--json"]);
        serde_json::from_slice::<Value>(&said.stdout).unwrap()
    };
    let told = until("the watcher tells that one waits", || {
        Some(status()).filter(|status| status["watcher"]["waiting"] == 1 && status["watcher"]["running"] == 0)
    });
    let end: pv_lib::time::Timestamp = told["watcher"]["holds"][0]["until"].as_str().unwrap().parse().unwrap();
    // Codex tells hours and minutes.
    let minutes = end.since(pv_lib::host::now()).as_secs() / 60;
    assert!((177..=180).contains(&minutes), "{told}");
    drop(watcher);
    let _watcher = real.watch();
    until("a new watcher lets it wait, too", || {
        let told = status();
        (told["watcher"]["alive"] == true && told["watcher"]["waiting"] == 1).then_some(())
    });
    assert_eq!((real.house.record(&second)["state"].as_str(), real.model().asked()), (Some("created"), asked));
    real.model().now(WRITES);
    fs::remove_file(real.house.path("runs/.holds/codex.json")).unwrap();
    let left = real.until_over(&second);
    assert_eq!(left.record["state"], "succeeded", "{:#} {}", left.record, left.log);
}

#[test]
fn a_model_that_hangs_ends_with_the_timeout() {
    for agent in [Codex, Claude] {
        let (_real, left) = run(agent, Script::Hangs, SHORT_TIMEOUT);
        left.assert_failed("timeout");
    }
}

#[test]
fn a_model_that_is_not_there_ends_with_the_timeout() {
    for agent in [Codex, Claude] {
        let nowhere = format!("http://127.0.0.1:{}", crate::desk::free_port());
        let real = Real::with(agent, None, nowhere, SHORT_TIMEOUT);
        let _watcher = real.watch();
        real.until_over(&real.submit()).assert_failed("timeout");
    }
}

#[test]
fn an_abort_leaves_no_process() {
    for agent in [Codex, Claude] {
        let real = Real::new(agent, Script::Runs("echo begun > begun.txt; sleep 600"), 50);
        let _watcher = real.watch();
        let id = real.submit();
        until("its tool runs", || real.house.path(&format!("work/{id}/begun.txt")).exists().then_some(()));
        until("the log says so", || real.house.log(&id).contains("sleep 600").then_some(()));
        assert!(!processes_of(&id).is_empty());
        assert!(real.house.run(&["abort", &id]).status.success());
        let left = real.until_over(&id);
        assert_eq!(left.record["state"], "aborted", "{:#}", left.record);
        assert_eq!(processes_of(&id), [""; 0]);
    }
}
