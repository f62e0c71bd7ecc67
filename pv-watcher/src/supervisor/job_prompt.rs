//! What a job's prompt and the settings together say.

use pv_lib::{
    Error,
    config::{CheckoutMode, Command, RepoSettings, SubmoduleMode},
    prompt::{self, Deliver, ParsedPrompt},
};

use crate::{agent::RunSpec, plan::Plan, session::Session};

/// A job's prompt, checked.
pub(super) struct JobPrompt<'a> {
    /// How its agent is run.
    pub(super) spec: RunSpec<'a>,
    /// What its agent's checkout borrows.
    pub(super) checkout: CheckoutMode,
    /// What becomes of its submodules.
    pub(super) submodules: SubmoduleMode,
    /// As what its work is delivered.
    pub(super) deliver: Deliver,
    /// What it is about, in a line.
    pub(super) title: Option<String>,
    /// What is copied into its checkout.
    pub(super) copy: Vec<String>,
    /// What is run in its checkout before its agent.
    pub(super) setup: Vec<Command>,
    /// The checks of its work, by name, in their order.
    pub(super) checks: Vec<(String, Command)>,
    /// How often its agent may be run.
    pub(super) attempts: u32,
}

impl<'a> JobPrompt<'a> {
    /// Copies the prompt to the run folder, and reads it.
    ///
    /// # Errors
    /// [`Error::InvalidPrompt`] and [`Error::TooLarge`] where it cannot be run; else what the disk says.
    pub(super) fn read(session: &Session<'a>) -> Result<Self, Error> {
        let ParsedPrompt { settings, title, .. } = parse(session)?;
        let plan: &'a Plan = session.plan;
        let repo = repo_settings(session);
        let agent = settings.agent.or(repo.agent).unwrap_or_else(|| plan.default_agent.clone());
        let is_allowed = plan.allowed_agents.is_empty() || plan.allowed_agents.contains(&agent);
        let Some(found) = plan.agents.get(&agent).filter(|_| is_allowed) else {
            let usable = |name: &&String| plan.allowed_agents.is_empty() || plan.allowed_agents.contains(name);
            let usable: Vec<&str> = plan.agents.keys().filter(usable).map(String::as_str).collect();
            return Err(Error::InvalidPrompt(format!(
                "the agent `{agent}` cannot be used here: name one of {}, or configure it under `agents`",
                usable.join(", ")
            )));
        };
        let spec = RunSpec {
            agent,
            plan: found,
            model: settings.model.or_else(|| found.model.clone()),
            timeout: settings.timeout.or(found.timeout),
            idle_timeout: settings.idle_timeout.or(found.idle_timeout),
        };
        let deliver = settings.deliver.or(repo.deliver).unwrap_or(plan.delivery.mode);
        Ok(Self {
            spec,
            checkout: repo.checkout.unwrap_or(found.checkout),
            submodules: repo.submodules.unwrap_or_default(),
            deliver,
            title,
            copy: repo.copy.unwrap_or_default(),
            setup: repo.setup.unwrap_or_default(),
            checks: checks_of(settings.checks.or(repo.checks).unwrap_or_default(), plan)?,
            attempts: attempts_of(settings.attempts, repo.attempts)?,
        })
    }
}

/// Returns as what the job's work is delivered.
///
/// # Errors
/// As [`JobPrompt::read`].
pub(super) fn delivery_mode(session: &Session<'_>) -> Result<Deliver, Error> {
    let chosen = parse(session)?.settings.deliver.or(repo_settings(session).deliver);
    Ok(chosen.unwrap_or(session.plan.delivery.mode))
}

/// Returns the commands of checks.
fn checks_of(names: Vec<String>, plan: &Plan) -> Result<Vec<(String, Command)>, Error> {
    let known = &plan.verification.checks;
    let check = |name: String| match known.get(&name) {
        Some(command) => Ok((name, command.clone())),
        None if known.is_empty() => Err(Error::InvalidPrompt(format!(
            "there is no check `{name}`: none is configured (`checks.<name>: command` in the settings)"
        ))),
        None => {
            let names = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Error::InvalidPrompt(format!("there is no check `{name}`: name one of {names}")))
        }
    };
    names.into_iter().map(check).collect()
}

/// Returns how many attempts a job has: as many as are configured, or fewer.
fn attempts_of(wanted: Option<u32>, configured: Option<u32>) -> Result<u32, Error> {
    let most = configured.unwrap_or(1);
    match wanted {
        Some(wanted) if wanted > most => Err(Error::InvalidPrompt(format!(
            "{wanted} attempts are more than the repository may have: ask for {most} at most, or raise \
             repos.<owner/name>.attempts in the settings"
        ))),
        wanted => Ok(wanted.unwrap_or(most)),
    }
}

/// Returns what is set for the job's repository.
fn repo_settings(session: &Session<'_>) -> RepoSettings {
    let repos = &session.plan.repos;
    session.writer.record().target().map_or_else(|| repos.default.clone(), |target| repos.of(&target.full_repo()))
}

fn parse(session: &Session<'_>) -> Result<ParsedPrompt, Error> {
    let bytes = session.writer.write_prompt()?;
    prompt::check(&bytes, session.store.limits().prompt_bytes)
}
