//! A hold as it is listed, only for its description, since the library makes it.

use poem_openapi::{Enum, Object, types::Example};

/// All holds.
#[derive(Debug, Object)]
pub(crate) struct HoldList {
    /// The holds, by the agent's name and the kind.
    pub(crate) holds: Vec<Hold>,
}

/// Why the jobs of an agent wait.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Hold {
    /// The agent's name.
    pub(crate) agent: String,
    // No comments here: with one, a reference is wrapped in an `allOf`, which client generators do not take.
    pub(crate) kind: HoldKind,
    /// When one of its jobs may be tried again.
    pub(crate) until: String,
    /// What the agent, or the system, said.
    pub(crate) message: String,
    /// The job that found out.
    pub(crate) job_id: String,
    /// When that was.
    pub(crate) since: String,
    pub(crate) state: HoldState,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// Why jobs wait.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum HoldKind {
    /// The agent's usage or rate limit is reached.
    Quota,
    /// The agent is not logged in, its login has expired, or its account has no credit.
    Auth,
    /// The agent's program could not be started.
    Start,
    /// Somebody paused it.
    Paused,
}

/// What a hold does at the moment: `held`, no job of the agent starts; `probing`, its time is over, and one job at a time is
/// tried until one works.
#[derive(Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum HoldState {
    /// No job of the agent starts.
    Held,
    /// One job at a time is tried.
    Probing,
}

impl Example for Hold {
    fn example() -> Self {
        Self {
            agent: "codex".into(),
            kind: HoldKind::Auth,
            until: "2026-01-31T12:15:00Z".into(),
            message: "401 Unauthorized".into(),
            job_id: "0190f5c2a7b97c31b1c5b1d1a1e1f101".into(),
            since: "2026-01-31T12:00:00Z".into(),
            state: HoldState::Held,
            remedy: "log in as the user that the watcher runs as, then: pv resume --agent codex --all".into(),
        }
    }
}
