//! What a round of the watcher needs, and what it finds.

use std::time::Duration;

use pv_lib::{config::Repos, job::JobId, unusable::UnusableList};

/// How much of its work is done at a time, and how patiently.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How many jobs run at once.
    pub max_concurrent: usize,
    /// How many jobs of one repository run at once; `None` is no limit.
    pub max_per_repo: Option<usize>,
    /// For how long a file that was dropped by hand must not have changed.
    pub settle: Duration,
    /// The pause after something failed, until it is tried again; it doubles with each further failure, up to a minute.
    pub retry_pause: Duration,
    /// How long after an unanswered abort a supervisor counts as hung.
    pub hung_after: Duration,
    /// The agent of a prompt that names none: its jobs wait while it is held.
    pub default_agent: String,
    /// What is set for repositories.
    pub repos: Repos,
}

/// What a round found, and what it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickReport {
    /// The jobs that a supervisor has in hand.
    pub running: usize,
    /// The jobs that are over, whose supervisor is still there and has not archived their prompt.
    pub finishing: usize,
    /// The jobs that wait for room.
    pub waiting: usize,
    /// The jobs that wait because their agent is held, or because another job of it is tried first.
    pub held: usize,
    /// The jobs that wait because they could not be started.
    pub stuck: usize,
    /// The prompts and jobs that wait because a disk has too little room.
    pub no_room: usize,
    /// The jobs under way whose supervisor waits for room.
    pub blocked_for_room: usize,
    /// The jobs under way whose supervisor waits for a launcher.
    pub blocked_by_launcher: usize,
    /// The files that were dropped and have not settled yet.
    pub settling: usize,
    /// How much of what failed was tried so few times that it may succeed yet.
    pub retrying: usize,
    /// Whether a disk has too little room to begin anything.
    pub is_full: bool,
    /// What cannot be read, what is left as it is, and what fails.
    pub unusable: UnusableList,
    /// The jobs that wait or run, whose run folders are worth watching.
    pub live: Vec<JobId>,
    /// When the next file may have settled, on the clock that the round was given.
    pub next_settled: Option<Duration>,
    /// When something is to be tried again, on the clock that the round was given.
    pub next_due: Option<Duration>,
    /// Whether something was done that the next look should see at once.
    pub again: bool,
}

impl TickReport {
    /// Notes that another round is wanted at that time.
    pub(crate) fn is_due_at(&mut self, at: Duration) {
        self.next_due = Some(self.next_due.map_or(at, |known| known.min(at)));
    }

    /// Tells whether a later round may bring something on without anybody doing anything: not what failed again and
    /// again, nor what waits because its agent is held.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.running + self.finishing + self.waiting + self.settling + self.retrying > 0
    }
}
