//! Whether an agent is logged in, asked the agent's own way: by a command of its own, in the environment that a job's agent
//! gets.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
    time::Duration,
};

use pv_lib::{config::Agent, supervise::TimeLimits};

use super::{env::given, known::adapter, login_check::LoginAnswer};
use crate::process::{OutputSink, Source, spawn_apart, wait_unsupervised};

/// How long an agent may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long it has to end by itself then.
const GRACE: Duration = Duration::from_secs(1);

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Whether an agent is logged in, as far as it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It says that it is.
    LoggedIn,
    /// It says that it is not.
    LoggedOut {
        /// The command that logs it in.
        remedy: &'static str,
    },
    /// It is a program that is not known here, and cannot be asked.
    NotAsked,
    /// It was asked, and its answer is not understood.
    Unknown,
}

/// Asks the agent of this name whether it is logged in.
///
/// Takes as long as the agent does, seconds perhaps. An agent that cannot be started is [`Login::Unknown`].
#[must_use]
pub fn ask_login(name: &str, plan: &Agent, environment: &[(OsString, OsString)]) -> Login {
    let adapter = adapter(name);
    let Some(check) = adapter.login() else { return Login::NotAsked };
    let environment = given(adapter, plan, plan.model.as_deref(), environment);
    let answers = check.questions.iter().filter_map(|(arguments, judge)| judge(&ask(plan, arguments, &environment)?));
    match first(answers) {
        Some(true) => Login::LoggedIn,
        Some(false) => Login::LoggedOut { remedy: check.remedy },
        None => Login::Unknown,
    }
}

fn first(mut answers: impl Iterator<Item = bool>) -> Option<bool> {
    answers.next()
}

fn ask(plan: &Agent, arguments: &[&str], environment: &[(OsString, OsString)]) -> Option<LoginAnswer> {
    let mut words = plan.command.iter();
    let mut command = Command::new(words.next()?);
    command.args(words).args(arguments).env_clear().envs(environment.iter().cloned()).stdin(Stdio::null());
    let process = spawn_apart(command, None).ok()?;
    let limits = TimeLimits {
        timeout: Some(ANSWER_LIMIT),
        idle_timeout: None,
        settle: None,
        heartbeat: ANSWER_LIMIT,
        grace: GRACE,
        kill: GRACE,
        clean_scans: 1,
    };
    let mut output = Output::default();
    let ending = wait_unsupervised(process, &mut output, &limits);
    let code = ending.exit_code().filter(|code| ending.cause.is_none() && *code >= 0);
    Some(LoginAnswer { code, output: String::from_utf8_lossy(&output.0).into_owned() })
}

/// The standard output of a program, up to a limit.
#[derive(Debug, Default)]
struct Output(Vec<u8>);

impl OutputSink for Output {
    fn append(&mut self, source: Source, bytes: &[u8]) {
        let room = ANSWER_BYTES_MAX.saturating_sub(self.0.len());
        if source == Source::Output {
            self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn is_done(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::known::KNOWN;

    fn check(agent: &str, question: usize, code: i32, output: &str, expected: Option<bool>) {
        let check = adapter(agent).login().unwrap();
        let answer = LoginAnswer { code: Some(code), output: output.to_owned() };
        assert_eq!((check.questions[question].1)(&answer), expected, "{agent} {code} {output}");
    }

    #[test]
    fn codex_tells_by_its_exit_code_and_by_its_own_diagnosis() {
        check("codex", 0, 0, "Logged in using ChatGPT", Some(true));
        check("codex", 0, 1, "Not logged in", None);
        let diagnosis = |status: &str| format!(r#"{{"checks":{{"auth.credentials":{{"status":"{status}"}}}}}}"#);
        // A provider of one's own needs no login, and the exit code is that of all checks.
        check("codex", 1, 1, &diagnosis("ok"), Some(true));
        check("codex", 1, 1, &diagnosis("fail"), Some(false));
        // A version without such a diagnosis: what it said before counts.
        check("codex", 1, 2, "error: unrecognized subcommand 'doctor'", Some(false));
    }

    #[test]
    fn claude_tells_by_a_field() {
        check("claude", 0, 0, r#"{"loggedIn": true, "authMethod": "api_key"}"#, Some(true));
        check("claude", 0, 1, r#"{"loggedIn": false, "authMethod": "none"}"#, Some(false));
        check("claude", 0, 1, "error: unknown command", None);
    }

    #[test]
    fn opencode_tells_by_how_many_it_counts() {
        let none = "\n┌  Credentials \u{1b}[90m~/.local/share/opencode/auth.json\n│\n└  0 credentials\n";
        check("opencode", 0, 0, none, Some(false));
        check("opencode", 0, 0, &none.replace("0 c", "2 c"), Some(true));
        let by_variable =
            format!("{none}\n┌  Environment\n│\n●  OpenAI OPENAI_API_KEY\n│\n└  1 environment variable\n");
        check("opencode", 0, 0, &by_variable, Some(true));
        check("opencode", 0, 0, "something else", None);
        check("opencode", 0, 1, none, None);
    }

    #[test]
    fn every_known_agent_is_asked_and_no_other() {
        let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, pv_lib::config::KNOWN_AGENTS);
        assert!(KNOWN.iter().all(|(_, adapter)| adapter.login().is_some()));
        assert_eq!(ask_login("mine", &Agent::default(), &[]), Login::NotAsked);
    }

    #[test]
    fn a_program_is_asked_in_the_environment_of_an_agent_and_one_that_fails_is_not_known() {
        let agent =
            |script: &str| Agent { command: ["sh", "-c", script].map(str::to_owned).into(), ..Agent::default() };
        let environment: Vec<(OsString, OsString)> =
            [("PATH", "/usr/bin:/bin"), ("PV_API_TOKEN", "x"), ("CODEX_HOME", "/c")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
        let tells = r#"test "$0 $1" = "login status" && test -z "$PV_API_TOKEN" && test "$CODEX_HOME" = /c"#;
        assert_eq!(ask_login("codex", &agent(tells), &environment), Login::LoggedIn);
        assert_eq!(ask_login("codex", &agent("exit 1"), &environment), Login::LoggedOut { remedy: "codex login" });
        let missing = Agent { command: vec!["/no/such/program".into()], ..Agent::default() };
        assert_eq!(ask_login("claude", &missing, &environment), Login::Unknown);
    }
}
