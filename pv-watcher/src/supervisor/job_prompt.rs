//! What a job's prompt and the settings together say.

use pv_lib::{
    Error,
    prompt::{self, Deliver, ParsedPrompt},
};

use crate::{agent::RunSpec, plan::Plan, session::Session};

/// A job's prompt, checked.
pub(super) struct JobPrompt<'a> {
    /// How its agent is run.
    pub(super) spec: RunSpec<'a>,
    /// As what its work is delivered.
    pub(super) deliver: Deliver,
    /// What it is about, in a line.
    pub(super) title: Option<String>,
}

impl<'a> JobPrompt<'a> {
    /// Copies the prompt to the run folder, and reads it.
    ///
    /// # Errors
    /// [`Error::InvalidPrompt`] and [`Error::TooLarge`] where it cannot be run; else what the disk says.
    pub(super) fn read(session: &Session<'a>) -> Result<Self, Error> {
        let ParsedPrompt { settings, title, .. } = parse(session)?;
        let plan: &'a Plan = session.plan;
        let agent = settings.agent.unwrap_or_else(|| plan.default_agent.clone());
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
        Ok(Self { spec, deliver: settings.deliver.unwrap_or(plan.delivery.mode), title })
    }
}

/// Returns as what the job's work is delivered.
///
/// # Errors
/// As [`JobPrompt::read`].
pub(super) fn delivery_mode(session: &Session<'_>) -> Result<Deliver, Error> {
    Ok(parse(session)?.settings.deliver.unwrap_or(session.plan.delivery.mode))
}

fn parse(session: &Session<'_>) -> Result<ParsedPrompt, Error> {
    let bytes = session.writer.write_prompt()?;
    prompt::check(&bytes, session.store.limits().prompt_bytes)
}
