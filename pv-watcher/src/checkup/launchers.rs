//! Whether launchers start anything: each is tried with a command that does no harm.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use pv_lib::{
    config::{Agent, Launcher},
    host,
    job::JobId,
    layout::Layout,
    supervise::{Closed, Closing},
};

use crate::{
    agent::agent_homes,
    launcher::{AgentPlaces, Hidden, Launch, LaunchFile, Launched, NotLaunched, Request, adapter, close_with},
    plan::Plan,
    process::{ToolEnd, run_tool},
};

/// How long a try may take.
const TRY_LIMIT: Duration = Duration::from_secs(15);

/// How long its end may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// What the command says.
const WORD: &str = "pv-launcher-works";

/// What a launcher did with a command that does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LauncherAnswer {
    /// It ran it, and nothing of it is left.
    Works {
        /// How long that took.
        took: Duration,
        /// What is proved of an agent's end.
        proof: Option<&'static str>,
    },
    /// It did not run it, and why.
    Fails(String),
    /// It has not begun within the time for a try, and why.
    Waits(String),
    /// It ran it, and whether that is gone is not proved.
    Remains(String),
}

/// Runs a command that does no harm by a launcher, as this user, in the folder of checkouts. Takes 45 seconds at most.
#[must_use]
pub fn try_launcher(launcher: &Launcher, plan: &Plan, layout: &Layout) -> LauncherAnswer {
    run(launcher, plan, layout, &["sh".to_owned(), "-c".to_owned(), format!("echo {WORD}")], AgentPlaces::default())
}

/// Looks, by the launcher of an agent, whether the agent's program is there for it; nothing of the agent is run. `None` where it
/// is; else why not. Takes 45 seconds at most.
#[must_use]
pub fn try_agent_program(
    agent: &str,
    settings: &Agent,
    launcher: &Launcher,
    plan: &Plan,
    layout: &Layout,
) -> Option<String> {
    let program = settings.command.first()?;
    let homes = agent_homes(agent, &crate::agent::basic(&plan.environment));
    let places = AgentPlaces { homes, ..AgentPlaces::default() };
    // What would not be seen in a sandbox is known before anything is started.
    if let Err(why) = prepared(launcher, plan, layout, &settings.command, places.clone(), |_, launch| launch) {
        return Some(why);
    }
    let look = format!("command -v -- \"$0\" >/dev/null && echo {WORD}");
    let words = ["sh".to_owned(), "-c".to_owned(), look, program.clone()];
    match run(launcher, plan, layout, &words, places) {
        LauncherAnswer::Works { .. } | LauncherAnswer::Remains(_) => None,
        LauncherAnswer::Waits(why) => Some(format!("it did not begin within {} s: {why}", TRY_LIMIT.as_secs())),
        LauncherAnswer::Fails(_) => Some(format!("`{program}` is no program there")),
    }
}

/// Prepares the start of a command, and does something with that.
fn prepared<T>(
    launcher: &Launcher,
    plan: &Plan,
    layout: &Layout,
    words: &[String],
    agent: AgentPlaces,
    act: impl FnOnce(&JobId, Launch) -> T,
) -> Result<T, String> {
    let id = host::new_job_id();
    let path = |path: &camino::Utf8PathBuf| path.clone();
    let hidden = Hidden {
        folders: [&layout.inbox, &layout.finished, &layout.runs, &layout.repos].map(path).into(),
        files: plan.secret_files.clone(),
    };
    let workdir = if layout.work.is_dir() { layout.work.clone() } else { "/".into() };
    let request = Request {
        id: &id,
        launch_id: format!("{id}.try"),
        words: words.to_vec(),
        variables: crate::agent::basic(&plan.environment),
        environment: &plan.environment,
        workdir,
        run_dir: layout.runs.clone(),
        mirror: Some(layout.repos.clone()),
        agent: AgentPlaces { last_message_file: Some("/dev/null".into()), ..agent },
        is_joined: true,
        hidden: &hidden,
        env_file: "/dev/null".into(),
    };
    match adapter(launcher).prepare(launcher, &request) {
        Ok(launch) => Ok(act(&id, launch)),
        Err(NotLaunched::Program(error)) => Err(format!("`{}` cannot be executed: {error}", words.join(" "))),
        Err(NotLaunched::Other(why)) => Err(why),
    }
}

fn run(launcher: &Launcher, plan: &Plan, layout: &Layout, words: &[String], agent: AgentPlaces) -> LauncherAnswer {
    let ran = prepared(launcher, plan, layout, words, agent, |id, launch| run_to_its_end(launcher, id, launch));
    ran.unwrap_or_else(LauncherAnswer::Fails)
}

fn run_to_its_end(launcher: &Launcher, id: &JobId, launch: Launch) -> LauncherAnswer {
    let begun = Instant::now();
    let end = run_tool(&launch.words, &launch.variables, TRY_LIMIT, &mut || {});
    let took = begun.elapsed();
    let waits =
        launch.tools.waiting.as_ref().map(|words| run_tool(words, &launch.tools.variables, TRY_LIMIT, &mut || {}));
    let file = LaunchFile::new(&launcher.name, None, &launch.tools, host::now());
    let mut launched = Launched::new(launcher, launch.tools, true);
    launched.stop(None, &mut || {});
    let closed =
        file.map(|file| close_with(&file, id, Closing::after_client(), CLOSE_LIMIT, &mut || {}, &Cell::new(false)));
    answer(&end, waits.as_ref(), closed, took, adapter(launcher).proof())
}

fn answer(
    end: &ToolEnd,
    waits: Option<&ToolEnd>,
    closed: Option<Closed>,
    took: Duration,
    proof: Option<&'static str>,
) -> LauncherAnswer {
    let has_run = end.code == Some(0) && end.output.contains(WORD);
    let reason = waits.filter(|waits| waits.code == Some(0) && !waits.output.is_empty());
    match (has_run, reason, closed) {
        (false, Some(reason), _) => LauncherAnswer::Waits(reason.output.clone()),
        (false, None, _) => LauncherAnswer::Fails(end.complaint.clone()),
        (true, _, Some(Closed::Unproven(why))) => LauncherAnswer::Remains(why),
        (true, ..) => LauncherAnswer::Works { took, proof },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_try_comes_to() {
        let end = |code: Option<i32>, output: &str, complaint: &str| ToolEnd {
            code,
            output: output.into(),
            complaint: complaint.into(),
        };
        let check = |ran: &ToolEnd, waits: Option<&ToolEnd>, closed: Option<Closed>, expected: &LauncherAnswer| {
            assert_eq!(&answer(ran, waits, closed, Duration::ZERO, Some("x")), expected);
        };
        let (ran, works) = (end(Some(0), WORD, ""), LauncherAnswer::Works { took: Duration::ZERO, proof: Some("x") });
        check(&ran, None, None, &works);
        check(&ran, Some(&end(Some(0), "", "")), Some(Closed::Gone), &works);
        let remains = Some(Closed::Unproven("still there".into()));
        check(&ran, None, remains, &LauncherAnswer::Remains("still there".into()));
        let late = end(None, "", "`srun` took longer than 15 s");
        check(&late, Some(&end(Some(0), "PENDING", "")), None, &LauncherAnswer::Waits("PENDING".into()));
        check(&late, Some(&end(Some(1), "", "no")), None, &LauncherAnswer::Fails(late.complaint.clone()));
        let silent = end(Some(0), "", "`bwrap` ended with 0");
        check(&silent, None, None, &LauncherAnswer::Fails(silent.complaint.clone()));
    }
}
