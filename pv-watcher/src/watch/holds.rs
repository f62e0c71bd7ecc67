//! Which jobs wait because their agent is held, and which one is tried once the time of the hold is over.

use std::collections::HashMap;

use pv_lib::{
    Error,
    config::Repos,
    fs::{FsExt, Stat},
    job::{JobId, JobRecord, Phase},
    prompt::{self, SERVICE_FIELDS_BYTES_MAX},
    store::{AgentHold, InboxPrompt, Store},
    time::Timestamp,
    unusable::Unusable,
};

use super::hold_decision::{HoldDecision, LiveJob, decide};

/// What the watcher knows of held agents, and of the agents that waiting prompts name. All of it can be lost.
#[derive(Debug, Default)]
pub(crate) struct AgentHolds {
    /// The agent of a prompt that names none.
    default_agent: String,
    /// The agents of repositories.
    repos: Repos,
    /// The holds on each agent.
    holds: HashMap<String, Vec<AgentHold>>,
    /// The live jobs of each agent that is held.
    live: HashMap<String, Vec<LiveJob>>,
    /// What a prompt is to run, for as long as its file does not change; kept only while an agent is held.
    named: HashMap<JobId, (Stat, Runs)>,
}

/// What a prompt is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Runs {
    /// The agent that it names, or the one that is configured.
    Agent(Option<String>),
    /// Only the checks, so that no hold on an agent concerns it.
    Checks,
}

impl AgentHolds {
    pub(crate) fn new(default_agent: &str, repos: &Repos) -> Self {
        Self { default_agent: default_agent.to_owned(), repos: repos.clone(), ..Self::default() }
    }

    /// Looks which agents are held, and returns what of the holds cannot be read or understood, and so holds nothing.
    /// Which jobs are live is to be noted anew then.
    pub(crate) fn look(&mut self, store: &Store, now: Timestamp) -> Vec<Unusable> {
        self.holds.clear();
        self.live.clear();
        let unusable = match store.holds(now) {
            Ok(mut holds) => {
                let unusable = std::mem::take(&mut holds.unusable);
                for hold in holds.all() {
                    self.holds.entry(hold.agent.clone()).or_default().push(hold);
                }
                unusable
            }
            Err(Error::Fs { source }) => vec![Unusable::unread(&source)],
            Err(error) => vec![Unusable::failing(store.layout().holds_path(), "read it", &error)],
        };
        if self.holds.is_empty() {
            self.named.clear();
        }
        unusable
    }

    /// Notes a job that a supervisor has in hand: it may be the one that is tried. One whose agent has ended is not.
    pub(crate) fn note_live(
        &mut self,
        store: &Store,
        id: &JobId,
        record: Option<&JobRecord>,
        prompt: Option<&InboxPrompt>,
    ) {
        if self.holds.is_empty()
            || record.is_some_and(|record| matches!(record.phase, Some(Phase::Saving | Phase::Delivering)))
        {
            return;
        }
        // Its supervisor has only just begun where the record does not tell yet.
        let recorded = record.and_then(|record| record.agent.clone());
        if record.is_some_and(|record| record.checks_only == Some(true)) {
            return;
        }
        let agent = recorded.or_else(|| prompt.and_then(|prompt| self.agent_of(store, id, prompt)));
        if let Some(agent) = agent.filter(|agent| self.holds.contains_key(agent)) {
            let started_at = record.and_then(|record| record.started_at);
            self.live.entry(agent).or_default().push(LiveJob { id: id.clone(), started_at });
        }
    }

    /// Notes that a job was started in this round.
    pub(crate) fn note_started(&mut self, store: &Store, id: &JobId, prompt: &InboxPrompt) {
        self.note_live(store, id, None, Some(prompt));
    }

    /// Returns what becomes of a job that is due. Its prompt is read only while some agent is held.
    pub(crate) fn decide(&mut self, store: &Store, id: &JobId, prompt: &InboxPrompt, now: Timestamp) -> HoldDecision {
        if self.holds.is_empty() {
            return HoldDecision::Start;
        }
        let Some(agent) = self.agent_of(store, id, prompt) else { return HoldDecision::Start };
        let holds = self.holds.get(&agent).map(Vec::as_slice).unwrap_or_default();
        let live = self.live.get(&agent).map(Vec::as_slice).unwrap_or_default();
        decide(holds, now, live)
    }

    /// Returns the agent that a prompt is to run; `None` where it runs none.
    fn agent_of(&mut self, store: &Store, id: &JobId, prompt: &InboxPrompt) -> Option<String> {
        let known = self.named.get(id).filter(|(stat, _)| *stat == prompt.stat);
        let runs = match known {
            Some((_, runs)) => runs.clone(),
            None => {
                let runs = runs_of(store, id, prompt);
                self.named.insert(id.clone(), (prompt.stat, runs.clone()));
                runs
            }
        };
        let Runs::Agent(named) = runs else { return None };
        let of_repo = || self.repos.of(&prompt.target.full_repo()).agent;
        Some(named.or_else(of_repo).unwrap_or_else(|| self.default_agent.clone()))
    }
}

/// Returns what a prompt is to run. Where it cannot be read, its supervisor says why.
fn runs_of(store: &Store, id: &JobId, prompt: &InboxPrompt) -> Runs {
    let Some(parsed) = parsed(store, prompt) else { return Runs::Agent(None) };
    let own = parsed.service_fields.filter(|fields| fields.job_id == *id);
    if own.is_some_and(|fields| fields.checks_only) { Runs::Checks } else { Runs::Agent(parsed.settings.agent) }
}

fn parsed(store: &Store, prompt: &InboxPrompt) -> Option<prompt::ParsedPrompt> {
    let limit_bytes = store.limits().prompt_bytes.saturating_add(SERVICE_FIELDS_BYTES_MAX as u64);
    let bytes = store.fs().read(&prompt.path, usize::try_from(limit_bytes).ok()?).ok()?;
    prompt::check(&bytes, limit_bytes).ok()
}
