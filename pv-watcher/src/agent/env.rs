//! Which part of the environment an agent is given: a short list, and nothing that is ours.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
};

use pv_lib::config::Agent;

use super::{
    adapter::Adapter,
    known::{KNOWN, adapter},
};
use crate::process::is_ours;

/// What every agent is given, as far as it is there. `*` stands for any ending.
const EVERY_AGENT: [&str; 26] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    UNBUFFERED,
];

/// Lets Python write what it has at once: what waits in a buffer is no sign of life. Set where it is not there.
const UNBUFFERED: &str = "PYTHONUNBUFFERED";

/// Returns what every program is given that runs in a checkout: no credentials, and nothing of ours.
pub(crate) fn basic(environment: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    allowed_of(environment, &EVERY_AGENT)
}

/// Returns what an agent is given of `environment`: what every agent needs, its own credentials and locations, those of
/// the clouds that it uses, and what is configured.
///
/// Names that begin with `PV_` are ours, tokens among them, and are never given, whatever is configured.
pub(crate) fn given(
    adapter: &dyn Adapter,
    plan: &Agent,
    model: Option<&str>,
    environment: &[(OsString, OsString)],
) -> Vec<(OsString, OsString)> {
    let used = adapter.clouds().iter().filter(|cloud| cloud.is_used(plan, model, environment));
    let mut allowed: Vec<&str> = EVERY_AGENT.into();
    allowed.extend(adapter.variables());
    allowed.extend(used.flat_map(|cloud| cloud.variables));
    allowed.extend(plan.env.iter().map(String::as_str));
    allowed_of(environment, &allowed)
}

fn allowed_of(environment: &[(OsString, OsString)], allowed: &[&str]) -> Vec<(OsString, OsString)> {
    let is_given = |name: &OsStr| !is_ours(name) && is_any_of(name, allowed);
    let mut given: Vec<_> = environment.iter().filter(|(name, _)| is_given(name)).cloned().collect();
    if !given.iter().any(|(name, _)| name == UNBUFFERED) {
        given.push((UNBUFFERED.into(), "1".into()));
    }
    given
}

/// Returns the names of credentials and locations in `environment` that an agent knows and will not be given, sorted:
/// those of a cloud that it does not use and, for a program of no known kind, those that any known agent uses.
///
/// `agents.<name>.env` passes one on.
#[must_use]
pub fn withheld_variables(agent: &str, plan: &Agent, environment: &[(OsString, OsString)]) -> Vec<String> {
    let used = adapter(agent);
    let given = given(used, plan, None, environment);
    let own: [&dyn Adapter; 1] = [used];
    let known = KNOWN.map(|(_, adapter)| adapter);
    let adapters = if used.reader().is_some() { &own[..] } else { &known[..] };
    let names: Vec<&str> = adapters
        .iter()
        .flat_map(|adapter| {
            adapter.variables().into_iter().chain(adapter.clouds().iter().flat_map(|cloud| cloud.variables).copied())
        })
        .collect();
    let withheld: BTreeSet<String> = environment
        .iter()
        .map(|(name, _)| name)
        .filter(|name| is_any_of(name, &names) && !is_ours(name))
        .filter(|name| !given.iter().any(|(given, _)| given == *name))
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    withheld.into_iter().collect()
}

/// Returns the names of an agent's own variables, its credentials and locations and those that are configured, that two
/// environments do not have alike, sorted.
#[must_use]
pub fn differing_variables(
    agent: &str,
    plan: &Agent,
    one: &[(OsString, OsString)],
    other: &[(OsString, OsString)],
) -> Vec<String> {
    let own = |environment: &[(OsString, OsString)]| {
        let given = given(adapter(agent), plan, plan.model.as_deref(), environment);
        let own = given.into_iter().filter(|(name, _)| !is_any_of(name, &EVERY_AGENT));
        own.collect::<BTreeSet<_>>()
    };
    let (one, other) = (own(one), own(other));
    let names: BTreeSet<String> =
        one.symmetric_difference(&other).map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.into_iter().collect()
}

/// Returns the names of the credentials and locations in `environment` that any known agent knows, sorted; of the switches of
/// clouds those that are on. [`withheld_variables`] says the same of an environment of these names as of the whole, but for
/// switches that are off.
#[must_use]
pub(crate) fn known_variables(environment: &[(OsString, OsString)]) -> Vec<String> {
    let adapters = KNOWN.map(|(_, adapter)| adapter);
    let patterns: Vec<&str> = adapters
        .iter()
        .flat_map(|adapter| {
            adapter.variables().into_iter().chain(adapter.clouds().iter().flat_map(|cloud| cloud.variables).copied())
        })
        .collect();
    let is_off = |name: &OsStr| {
        let mut clouds = adapters.iter().flat_map(|adapter| adapter.clouds());
        clouds.any(|cloud| cloud.is_switch(name) && !cloud.is_used(&Agent::default(), None, environment))
    };
    let is_known = |name: &&OsString| is_any_of(name, &patterns) && !is_ours(name) && !is_off(name);
    let names = environment.iter().map(|(name, _)| name).filter(is_known);
    names.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn is_any_of(variable: &OsStr, patterns: &[&str]) -> bool {
    let variable = variable.as_encoded_bytes();
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => variable.starts_with(prefix.as_bytes()),
        None => variable == pattern.as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `A B=x`: names, with the value `1` where none is said.
    fn environment(names: &str) -> Vec<(OsString, OsString)> {
        let pair = |name: &str| {
            let (name, value) = name.split_once('=').unwrap_or((name, "1"));
            (name.into(), value.into())
        };
        names.split(' ').filter(|name| !name.is_empty()).map(pair).collect()
    }

    fn plan(env: &[&str], args: &[&str], model: Option<&str>) -> Agent {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Agent { env: owned(env), args: owned(args), model: model.map(str::to_owned), ..Agent::default() }
    }

    fn names_given(agent: &str, plan: &Agent, names: &str) -> String {
        let given = given(adapter(agent), plan, None, &environment(names));
        let names = given.iter().map(|(name, _)| name.to_str().unwrap()).filter(|name| *name != UNBUFFERED);
        names.collect::<Vec<_>>().join(" ")
    }

    /// Names of which each agent gets what is its own.
    const ALL: &str = "PATH LC_ALL PATHEXT PV_API_TOKEN PV_API_TOKEN_FILE GITHUB_TOKEN GH_TOKEN SSH_AUTH_SOCK \
        OPENAI_API_KEY OPENAI_BASE_URL CODEX_HOME CODEX_SQLITE_HOME CODEX_API_KEY CODEX_ACCESS_TOKEN CODEX_SANDBOX \
        ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL CLAUDE_CODE_OAUTH_TOKEN CLAUDE_CONFIG_DIR CLAUDECODE \
        CLAUDE_CODE_SSE_PORT GEMINI_API_KEY OPENROUTER_API_KEY OPENCODE_CONFIG OPENCODE_CONFIG_DIR AWS_REGION AWS_PROFILE \
        GOOGLE_APPLICATION_CREDENTIALS AZURE_CLIENT_ID XDG_CONFIG_HOME TZ LOGNAME SHELL EXTRA_1";

    #[test]
    fn c03_an_agent_is_given_its_own_credentials_and_locations_and_nothing_of_ours() {
        let check = |agent: &str, env: &[&str], own: &str| {
            let expected = format!("PATH LC_ALL {own} XDG_CONFIG_HOME TZ LOGNAME SHELL");
            let expected: Vec<&str> = expected.split_ascii_whitespace().collect();
            assert_eq!(names_given(agent, &plan(env, &[], None), ALL), expected.join(" "), "{agent}");
        };
        check("mine", &[], "");
        let codex = "OPENAI_API_KEY OPENAI_BASE_URL CODEX_HOME CODEX_SQLITE_HOME CODEX_API_KEY CODEX_ACCESS_TOKEN";
        check("codex", &[], codex);
        let claude =
            "ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL CLAUDE_CODE_OAUTH_TOKEN CLAUDE_CONFIG_DIR";
        check("claude", &[], claude);
        let opencode =
            "OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY OPENROUTER_API_KEY OPENCODE_CONFIG OPENCODE_CONFIG_DIR";
        check("opencode", &[], opencode);
        check("mine", &["GEMINI_*", "PV_API_TOKEN"], "GEMINI_API_KEY");
        let all = names_given("mine", &plan(&["*"], &[], None), ALL);
        let expected = ALL.split_ascii_whitespace().filter(|name| !name.starts_with("PV_")).collect::<Vec<_>>();
        assert_eq!(all, expected.join(" "), "all but ours");
    }

    #[test]
    fn c03_a_cloud_is_given_to_an_agent_that_is_told_to_use_it() {
        const CLOUDS: &str = "AWS_REGION AWS_BEARER_TOKEN_BEDROCK CLOUD_ML_REGION GOOGLE_CLOUD_PROJECT AZURE_CLIENT_ID GITHUB_TOKEN HF_TOKEN";
        let cloud_variables = |agent: &str, switch: &str, args: &[&str], model: Option<&str>| {
            names_given(agent, &plan(&[], args, model), &format!("{switch} {CLOUDS}"))
        };
        let (aws, google) = ("AWS_REGION AWS_BEARER_TOKEN_BEDROCK", "CLOUD_ML_REGION GOOGLE_CLOUD_PROJECT");
        for (switch, expected) in [
            ("CLAUDE_CODE_USE_BEDROCK", aws),
            ("CLAUDE_CODE_USE_BEDROCK=true", aws),
            ("CLAUDE_CODE_USE_MANTLE", aws),
            ("CLAUDE_CODE_USE_VERTEX", google),
            ("CLAUDE_CODE_USE_FOUNDRY", "AZURE_CLIENT_ID"),
        ] {
            let name = switch.split('=').next().unwrap();
            assert_eq!(cloud_variables("claude", switch, &[], None), format!("{name} {expected}"));
            assert_eq!(cloud_variables("codex", switch, &[], None), "", "another agent's switch");
        }
        for off in ["CLAUDE_CODE_USE_BEDROCK=", "CLAUDE_CODE_USE_BEDROCK=0", "CLAUDE_CODE_USE_BEDROCK=False"] {
            assert_eq!(cloud_variables("claude", off, &[], None), "CLAUDE_CODE_USE_BEDROCK", "{off}");
        }
        assert_eq!(cloud_variables("codex", "", &["-c", "model_provider=amazon-bedrock"], None), aws);
        assert_eq!(cloud_variables("codex", "", &[], None), "");
        assert_eq!(cloud_variables("opencode", "", &[], Some("amazon-bedrock/m")), aws);
        assert_eq!(cloud_variables("opencode", "", &[], Some("google-vertex-anthropic/m")), "GOOGLE_CLOUD_PROJECT");
        assert_eq!(cloud_variables("opencode", "", &[], Some("github-copilot/m")), "GITHUB_TOKEN");
        assert_eq!(cloud_variables("opencode", "", &[], Some("huggingface/m")), "HF_TOKEN");
        assert_eq!(cloud_variables("opencode", "", &[], Some("openai/m")), "");
        let by_prompt = plan(&[], &[], Some("amazon-bedrock/m"));
        let given = given(adapter("opencode"), &by_prompt, Some("openai/m"), &environment(CLOUDS));
        assert_eq!(given.len(), 1, "the prompt's model wins: {given:?}");
    }

    #[test]
    fn c24_the_names_of_what_agents_know_tell_the_same_as_the_whole_environment() {
        let whole = environment(&format!("{ALL} CLAUDE_CODE_USE_BEDROCK=1 CLAUDE_CODE_USE_VERTEX=0"));
        let names = known_variables(&whole);
        assert!(
            names.contains(&"CLAUDE_CODE_USE_BEDROCK".to_owned()) && !names.contains(&"PATH".to_owned()),
            "{names:?}"
        );
        assert!(
            !names.contains(&"CLAUDE_CODE_USE_VERTEX".to_owned()) && !names.iter().any(|name| name.starts_with("PV_"))
        );
        let by_name: Vec<_> = names.iter().map(|name| (OsString::from(name), OsString::from("1"))).collect();
        for agent in ["claude", "codex", "opencode", "aider"] {
            for agents_plan in
                [plan(&[], &[], None), plan(&["GEMINI_*"], &["amazon-bedrock"], Some("amazon-bedrock/m"))]
            {
                let of = |environment: &[_]| withheld_variables(agent, &agents_plan, environment);
                let mut expected = of(&whole);
                expected.retain(|name| name != "CLAUDE_CODE_USE_VERTEX");
                assert_eq!(of(&by_name), expected, "{agent}");
            }
        }
    }

    #[test]
    fn c18_python_does_not_buffer_unless_somebody_said_so() {
        for (names, expected) in [("", "1"), ("PYTHONUNBUFFERED=", ""), ("PYTHONUNBUFFERED=x", "x")] {
            let given = given(adapter("mine"), &Agent::default(), None, &environment(names));
            assert_eq!(given, [(OsString::from(UNBUFFERED), OsString::from(expected))]);
        }
    }

    #[test]
    fn c03_what_an_agent_would_use_and_does_not_get_is_named() {
        let check = |agent: &str, plan: &Agent, expected: &str| {
            assert_eq!(withheld_variables(agent, plan, &environment(ALL)).join(" "), expected, "{agent}");
        };
        check("claude", &plan(&[], &[], None), "AWS_PROFILE AWS_REGION AZURE_CLIENT_ID GOOGLE_APPLICATION_CREDENTIALS");
        check("claude", &plan(&["AWS_*", "A*", "GOOGLE_*"], &[], None), "");
        check("codex", &plan(&[], &[], None), "AWS_PROFILE AWS_REGION");
        check("codex", &plan(&[], &["amazon-bedrock"], None), "");
        let clouds = "AZURE_CLIENT_ID GITHUB_TOKEN GOOGLE_APPLICATION_CREDENTIALS";
        check("opencode", &plan(&[], &[], Some("amazon-bedrock/m")), clouds);
        let every_key = "ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL AWS_PROFILE AWS_REGION AZURE_CLIENT_ID \
            CLAUDE_CODE_OAUTH_TOKEN CLAUDE_CONFIG_DIR CODEX_ACCESS_TOKEN CODEX_API_KEY CODEX_HOME CODEX_SQLITE_HOME \
            GEMINI_API_KEY GITHUB_TOKEN GOOGLE_APPLICATION_CREDENTIALS OPENAI_API_KEY OPENAI_BASE_URL OPENCODE_CONFIG \
            OPENCODE_CONFIG_DIR OPENROUTER_API_KEY";
        check("aider", &plan(&[], &[], None), every_key);
        check("aider", &plan(&["*"], &[], None), "");
        let none = withheld_variables("claude", &plan(&[], &[], None), &environment("PATH HOME PV_API_TOKEN GH_TOKEN"));
        assert_eq!(none, [""; 0]);
    }

    #[test]
    fn only_an_agents_own_variables_tell_two_environments_apart() {
        let check = |one: &str, other: &str, expected: &[&str]| {
            let plan = Agent { env: vec!["MINE".into()], ..Agent::default() };
            let found = differing_variables("codex", &plan, &environment(one), &environment(other));
            assert_eq!(found, expected, "{one} | {other}");
        };
        check("PATH=/a TERM=x PV_API_TOKEN=1", "PATH=/b", &[]);
        check("CODEX_HOME=/a MINE=1 GITHUB_TOKEN=1", "CODEX_HOME=/b", &["CODEX_HOME", "MINE"]);
        check("OPENAI_API_KEY=1", "OPENAI_API_KEY=1 ANTHROPIC_API_KEY=2", &[]);
        check("", "OPENAI_API_KEY=1", &["OPENAI_API_KEY"]);
    }
}
