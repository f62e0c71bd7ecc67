//! Which agent runs a job: one that is installed and logged in, asked the agent's own way.

use std::ffi::OsString;

use pv_lib::{
    config::{Config, KNOWN_AGENTS},
    host,
};
use pv_watcher::{Login, ask_login};

use crate::exit::{Exit, Failure};

/// What is known of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    name: String,
    /// Whether its program is there.
    is_installed: bool,
    /// What it says of its login; `None` where it was not asked.
    login: Option<Login>,
}

/// The agent that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenAgent {
    /// Its name.
    pub(super) name: String,
    /// Why it is this one, in a few words.
    pub(super) why: String,
}

/// Chooses the agent: the one that is named, else the first that is installed and logged in, beginning with the preferred one.
///
/// # Errors
/// None is: exit code 5, with what to type. The one that is named is not there: exit code 5.
pub(super) fn choose(
    config: &Config,
    preferred: &str,
    named: Option<&str>,
    environment: &[(OsString, OsString)],
) -> Result<ChosenAgent, Failure> {
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
    let look = |name: &str| {
        let agent = config.agent(name)?;
        let program = agent.command.first()?;
        let is_installed = !host::find_programs(program, &path).is_empty();
        Some((agent, Candidate { name: name.to_owned(), is_installed, login: None }))
    };
    let ask = |name: &str| {
        look(name).map(|(agent, seen)| {
            let login = seen.is_installed.then(|| ask_login(name, agent, environment));
            Candidate { login, ..seen }
        })
    };
    let decided = match named {
        Some(name) => decide_named(name, ask(name), &config.agent_names()),
        None => {
            let mut candidates = Vec::new();
            for name in order(preferred, &config.agent_names()) {
                candidates.extend(ask(&name));
                // The others need not be asked.
                if candidates.last().is_some_and(is_ready) {
                    break;
                }
            }
            decide(&candidates)
        }
    };
    decided.map_err(|why| Failure::new(Exit::Refused, why))
}

/// Returns the agents in the order in which they are preferred.
fn order(preferred: &str, names: &[&str]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for name in [preferred].into_iter().chain(KNOWN_AGENTS).chain(names.iter().copied()) {
        if names.contains(&name) && !order.iter().any(|known| known == name) {
            order.push(name.to_owned());
        }
    }
    order
}

/// Tells whether an agent can be used as it is. One that nobody knows how to ask is the person's own program.
fn is_ready(candidate: &Candidate) -> bool {
    matches!(candidate.login, Some(Login::LoggedIn | Login::NotAsked))
}

/// Chooses among agents, the best first.
fn decide(candidates: &[Candidate]) -> Result<ChosenAgent, String> {
    let passed_over = |chosen: &Candidate| {
        let others = candidates.iter().filter(|other| other.name != chosen.name);
        let out = others.filter_map(|other| match other.login {
            Some(Login::LoggedOut { remedy }) => Some(format!("{} is not logged in (`{remedy}`)", other.name)),
            _ => None,
        });
        out.map(|words| format!("; {words}")).collect::<String>()
    };
    if let Some(ready) = candidates.iter().find(|candidate| is_ready(candidate)) {
        let says = if ready.login == Some(Login::LoggedIn) { "logged in" } else { "configured" };
        return Ok(ChosenAgent { name: ready.name.clone(), why: format!("{says}{}", passed_over(ready)) });
    }
    if let Some(unclear) = candidates.iter().find(|candidate| candidate.login == Some(Login::Unknown)) {
        let why = format!("does not tell whether it is logged in{}", passed_over(unclear));
        return Ok(ChosenAgent { name: unclear.name.clone(), why });
    }
    let out: Vec<String> = candidates
        .iter()
        .filter_map(|candidate| match candidate.login {
            Some(Login::LoggedOut { remedy }) => {
                Some(format!("{} is installed and says that it is not logged in: type `{remedy}`", candidate.name))
            }
            _ => None,
        })
        .collect();
    if let (false, Some(first)) = (out.is_empty(), candidates.iter().find(|candidate| candidate.is_installed)) {
        return Err(format!(
            "{}; `--agent {}` runs it all the same, as where its provider needs no login",
            out.join("; "),
            first.name
        ));
    }
    let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    Err(format!(
        "no agent is installed for this user: none of {} is on the PATH. Install one, such as `npm install -g @openai/codex` \
         and `codex login`, or name a program of your own under `agents` in the settings (`pv init` writes them)",
        names.join(", ")
    ))
}

/// Decides about an agent that the person named.
fn decide_named(name: &str, found: Option<Candidate>, usable: &[&str]) -> Result<ChosenAgent, String> {
    let Some(candidate) = found else {
        return Err(format!(
            "the agent `{}` cannot be used here: name one of {}, or configure it under `agents`",
            name.escape_debug(),
            usable.join(", ")
        ));
    };
    if !candidate.is_installed {
        return Err(format!("{name} is not installed for this user: its program is not on the PATH"));
    }
    let why = match candidate.login {
        Some(Login::LoggedOut { remedy }) => format!("named; it says that it is not logged in (`{remedy}`)"),
        Some(Login::LoggedIn) => "named, logged in".to_owned(),
        _ => "named".to_owned(),
    };
    Ok(ChosenAgent { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Login = Login::LoggedOut { remedy: "codex login" };

    fn candidate(name: &str, login: Option<Login>) -> Candidate {
        Candidate { name: name.to_owned(), is_installed: login.is_some(), login }
    }

    #[test]
    fn agents_are_preferred_in_a_fixed_order() {
        let all = ["aider", "claude", "codex", "opencode"];
        assert_eq!(order("codex", &all), ["codex", "claude", "opencode", "aider"]);
        assert_eq!(order("aider", &all), ["aider", "codex", "claude", "opencode"]);
        assert_eq!(order("codex", &["claude"]), ["claude"], "an agent that is not allowed is none");
    }

    #[test]
    fn the_first_that_is_logged_in_runs_and_the_others_are_named() {
        let check = |logins: &[(&str, Option<Login>)], expected: Result<(&str, &str), &[&str]>| {
            let candidates: Vec<_> = logins.iter().map(|(name, login)| candidate(name, login.clone())).collect();
            match (decide(&candidates), expected) {
                (Ok(found), Ok((name, why))) => assert_eq!((found.name.as_str(), found.why.as_str()), (name, why)),
                (Err(why), Err(parts)) => assert!(parts.iter().all(|part| why.contains(part)), "{why}"),
                (found, expected) => panic!("{found:?} is not {expected:?}"),
            }
        };
        let (yes, asked, odd) = (Some(Login::LoggedIn), Some(Login::NotAsked), Some(Login::Unknown));
        check(&[("codex", yes.clone())], Ok(("codex", "logged in")));
        check(&[("codex", None), ("claude", yes.clone())], Ok(("claude", "logged in")));
        let out = "logged in; codex is not logged in (`codex login`)";
        check(&[("codex", Some(OUT)), ("claude", yes.clone())], Ok(("claude", out)));
        check(&[("mine", asked)], Ok(("mine", "configured")));
        check(&[("codex", odd.clone()), ("claude", yes)], Ok(("claude", "logged in")));
        check(&[("codex", odd), ("claude", None)], Ok(("codex", "does not tell whether it is logged in")));
        check(
            &[("codex", Some(OUT)), ("claude", None)],
            Err(&["codex is installed", "`codex login`", "--agent codex"]),
        );
        check(&[("codex", None), ("claude", None)], Err(&["none of codex, claude is on the PATH", "npm install"]));
    }

    #[test]
    fn an_agent_that_is_named_runs_even_if_it_says_that_it_is_logged_out() {
        let named = |found| decide_named("codex", found, &["codex"]);
        assert_eq!(named(Some(candidate("codex", Some(Login::LoggedIn)))).unwrap().why, "named, logged in");
        assert!(named(Some(candidate("codex", Some(OUT)))).unwrap().why.contains("`codex login`"));
        assert!(named(Some(candidate("codex", None))).unwrap_err().contains("not installed"));
        assert!(decide_named("x\u{1b}", None, &["codex", "mine"]).unwrap_err().contains("name one of codex, mine"));
    }
}
