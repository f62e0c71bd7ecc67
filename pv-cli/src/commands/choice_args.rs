//! The flags that say for one job what its prompt may say itself.

use pv_lib::{
    prompt::{self, Choices, Deliver, VerificationChoice},
    time::parse_duration,
};

use crate::exit::{Exit, Failure};

/// What one job is run with. Each wins over what the prompt says.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ChoiceArgs {
    /// The agent that runs it
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// The model that the agent uses
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// How long it may run: seconds, or such as 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = a_duration)]
    timeout: Option<String>,
    /// How long it may be silent
    #[arg(long, value_name = "TIME", value_parser = a_duration)]
    idle_timeout: Option<String>,
    /// As what its work is delivered: pr, branch, or none
    #[arg(long, value_name = "AS", value_parser = a_delivery)]
    deliver: Option<Deliver>,
    /// What it is about, in a line
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// The checks that run on the work, instead of the repository's own; with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    checks: Vec<String>,
    /// How often the agent may be run, at most as often as the settings allow
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
}

impl ChoiceArgs {
    /// Returns the choices, with another agent or title where a command finds one itself.
    fn choices<'a>(&'a self, agent: Option<&'a str>, title: Option<&'a str>) -> Choices<'a> {
        Choices {
            agent: self.agent.as_deref().or(agent),
            model: self.model.as_deref(),
            timeout: self.timeout.as_deref(),
            idle_timeout: self.idle_timeout.as_deref(),
            deliver: self.deliver,
            title: self.title.as_deref().or(title),
        }
    }

    /// Puts the choices into a prompt. `agent` and `title` count where no flag says otherwise.
    ///
    /// # Errors
    /// Front matter that cannot be used: exit code 5. A prompt that is not UTF-8 stays as it is: submitting refuses it.
    pub(crate) fn put_into(&self, text: Vec<u8>, agent: Option<&str>, title: Option<&str>) -> Result<Vec<u8>, Failure> {
        let text = match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => return Ok(error.into_bytes()),
        };
        let chosen = prompt::choose(&text, &self.choices(agent, title));
        let chosen = chosen.map(String::into_bytes).map_err(|error| Failure::new(Exit::Refused, error))?;
        let verification = VerificationChoice { checks: self.checks.clone(), attempts: self.attempts };
        Ok(verification.write_into(chosen)?)
    }
}

/// Checks a duration, which the prompt then holds as it was given.
fn a_duration(text: &str) -> Result<String, String> {
    parse_duration(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn a_delivery(text: &str) -> Result<Deliver, String> {
    Deliver::named(text).ok_or_else(|| "one of pr, branch, none".to_owned())
}
