//! Why jobs of an agent wait, and what a person does about it.

use serde::Serialize;

use crate::{
    Result,
    job::{HoldKind, JobId},
    store::{AgentHold, Store},
    time::Timestamp,
};

/// A hold as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldItem {
    /// The agent whose jobs wait.
    pub agent: String,
    /// Why they wait.
    pub kind: HoldKind,
    /// When one of them may be tried again.
    pub until: Timestamp,
    /// What the agent, or the system, said.
    pub message: String,
    /// The job that found out.
    pub job_id: JobId,
    /// When it was put.
    pub since: Timestamp,
    /// Whether all jobs of the agent wait, or one at a time is tried.
    pub state: HoldState,
    /// What to do about it.
    pub remedy: String,
}

/// What a hold does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// No job of the agent starts.
    Held,
    /// Its time is over: one job at a time is tried, and the others wait until one works.
    Probing,
}

/// All holds, by the agent's name and the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldList {
    /// The holds.
    pub holds: Vec<HoldItem>,
}

impl HoldItem {
    /// Returns what clients see of a hold at `now`.
    #[must_use]
    pub fn new(hold: AgentHold, now: Timestamp) -> Self {
        let state = if hold.is_active(now) { HoldState::Held } else { HoldState::Probing };
        let remedy = remedy(&hold.agent, hold.kind);
        let AgentHold { agent, kind, until, message, job_id, unknown_ends: _, since } = hold;
        Self { agent, kind, until, message, job_id, since, state, remedy }
    }
}

impl HoldList {
    /// Reads the holds at `now`. Files that cannot be understood hold nothing; the status names them.
    ///
    /// # Errors
    /// Where their folder cannot be listed.
    pub fn read(store: &Store, now: Timestamp) -> Result<Self> {
        let holds = store.holds(now)?.all();
        Ok(Self { holds: holds.into_iter().map(|hold| HoldItem::new(hold, now)).collect() })
    }
}

fn remedy(agent: &str, kind: HoldKind) -> String {
    let resume = format!("pv resume --agent {} --all", shell_word(agent));
    match kind {
        HoldKind::Quota => format!("wait, or once the limit is gone: {resume}"),
        HoldKind::Auth => format!("log in as the user that the watcher runs as, then: {resume}"),
        HoldKind::Start => format!("install its program, or set agents.{agent}.command, then: {resume}"),
        HoldKind::Paused => format!("to let its jobs start: {resume}"),
    }
}

/// Returns a word as a shell takes it for one.
fn shell_word(word: &str) -> String {
    let is_plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c02_every_kind_has_a_remedy_that_lifts_it() {
        let at = Timestamp::from_unix_seconds;
        let hold = |agent: &str, kind| AgentHold {
            agent: agent.into(),
            kind,
            until: at(9),
            message: "401".into(),
            job_id: "a".parse().unwrap(),
            unknown_ends: 1,
            since: at(1),
        };
        for (kind, words) in [
            (HoldKind::Quota, "wait"),
            (HoldKind::Auth, "log in as the user that the watcher runs as"),
            (HoldKind::Start, "set agents.codex.command"),
            (HoldKind::Paused, "start"),
        ] {
            let item = HoldItem::new(hold("codex", kind), at(8));
            assert!(item.remedy.starts_with(words) || item.remedy.contains(words), "{}", item.remedy);
            assert!(item.remedy.ends_with(": pv resume --agent codex --all"), "{}", item.remedy);
            assert_eq!(item.state, HoldState::Held);
            assert_eq!(HoldItem::new(hold("codex", kind), at(9)).state, HoldState::Probing);
        }
        let odd = HoldItem::new(hold("it's $HOME", HoldKind::Quota), at(8));
        assert!(odd.remedy.ends_with(r"--agent 'it'\''s $HOME' --all"), "{}", odd.remedy);
    }
}
