//! Which jobs wait because their agent is held.

use std::collections::{HashMap, HashSet};

use pv_lib::{
    Error,
    fs::{FsExt, Stat},
    job::JobId,
    prompt::{self, SERVICE_FIELDS_BYTES_MAX},
    store::{InboxPrompt, Store},
    time::Timestamp,
    unusable::Unusable,
};

/// What the watcher knows of held agents, and of the agents that waiting prompts name. All of it can be lost.
#[derive(Debug, Default)]
pub(crate) struct AgentHolds {
    /// The agent of a prompt that names none.
    default_agent: String,
    held: HashSet<String>,
    /// The agent that a prompt names, for as long as its file does not change; kept only while an agent is held.
    named: HashMap<JobId, (Stat, Option<String>)>,
}

impl AgentHolds {
    pub(crate) fn new(default_agent: &str) -> Self {
        Self { default_agent: default_agent.to_owned(), ..Self::default() }
    }

    /// Looks which agents are held, and returns what of the holds cannot be read or understood, and so holds nothing.
    pub(crate) fn look(&mut self, store: &Store, now: Timestamp) -> Vec<Unusable> {
        self.held.clear();
        let unusable = match store.holds(now) {
            Ok(holds) => {
                self.held.extend(holds.active.into_iter().map(|hold| hold.agent));
                holds.unusable
            }
            Err(Error::Fs { source }) => vec![Unusable::unread(&source)],
            Err(error) => vec![Unusable::failing(store.layout().holds_path(), "read it", &error)],
        };
        if self.held.is_empty() {
            self.named.clear();
        }
        unusable
    }

    /// Tells whether a job that is due must wait. Its prompt is read only while some agent is held.
    pub(crate) fn is_held(&mut self, store: &Store, id: &JobId, prompt: &InboxPrompt) -> bool {
        if self.held.is_empty() {
            return false;
        }
        let known = self.named.get(id).filter(|(stat, _)| *stat == prompt.stat);
        let named = match known {
            Some((_, named)) => named.clone(),
            None => {
                let named = agent_of(store, prompt);
                self.named.insert(id.clone(), (prompt.stat, named.clone()));
                named
            }
        };
        self.held.contains(named.as_deref().unwrap_or(&self.default_agent))
    }
}

/// Returns the agent that a prompt names; `None` where it names none, or cannot be read: its supervisor then says why.
fn agent_of(store: &Store, prompt: &InboxPrompt) -> Option<String> {
    let limit_bytes = store.limits().prompt_bytes.saturating_add(SERVICE_FIELDS_BYTES_MAX as u64);
    let bytes = store.fs().read(&prompt.path, usize::try_from(limit_bytes).ok()?).ok()?;
    prompt::check(&bytes, limit_bytes).ok()?.settings.agent
}
