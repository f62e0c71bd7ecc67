//! Agents that are held: a job found out what would befall every further job of its agent, and these wait instead of
//! running into it too.
//!
//! A hold is a small file for each agent and kind, written by the supervisor that found out. Until its end nothing of that
//! agent starts; after it one job at a time is tried, until one of them removes the file or writes it anew. A person may
//! remove it sooner. A file that cannot be understood has no effect.

use std::{collections::BTreeMap, io::ErrorKind};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::{
    Error, Result,
    fs::{FsExt, Kind, LockGuard, durable, durable::Durability, optional},
    job::{HoldKind, JobId},
    time::Timestamp,
    unusable::{Severity, Unusable},
};

/// How many files of holds are looked at, at most.
const HOLDS_MAX: usize = 256;

/// The longest file of a hold that is read, in bytes.
pub(super) const HOLD_LIMIT_BYTES: usize = 64 << 10;

/// What is left of a longer message, in characters.
const MESSAGE_CHARS: usize = 2000;

/// An agent whose jobs wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "HoldFile")]
pub struct AgentHold {
    /// The agent's name.
    pub agent: String,
    /// Why its jobs wait.
    pub kind: HoldKind,
    /// When one of its jobs may be tried again.
    pub until: Timestamp,
    /// A sentence for people: what the agent, or the system, said.
    pub message: String,
    /// The job that found out.
    pub job_id: JobId,
    /// How many holds in a row had no end that could be trusted, this one included.
    pub unknown_ends: u32,
    /// When it was put: only a job that was started later can prove that it is over.
    pub since: Timestamp,
}

/// A hold as its file has it; version 0.1.0 wrote neither kind nor time.
#[derive(Deserialize)]
struct HoldFile {
    agent: String,
    kind: Option<HoldKind>,
    until: Timestamp,
    message: String,
    job_id: JobId,
    #[serde(default)]
    unknown_ends: u32,
    since: Option<Timestamp>,
}

impl From<HoldFile> for AgentHold {
    fn from(file: HoldFile) -> Self {
        let HoldFile { agent, kind, until, message, job_id, unknown_ends, since } = file;
        let kind = kind.unwrap_or(HoldKind::Quota);
        Self { agent, kind, until, message, job_id, unknown_ends, since: since.unwrap_or(until) }
    }
}

impl AgentHold {
    /// Tells whether it keeps every job of its agent waiting at `now`; else one at a time is tried.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until > now
    }
}

/// The holds at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    /// Those that hold now, by the agent's name and the kind.
    pub active: Vec<AgentHold>,
    /// Those whose time is over and that nobody has lifted yet: one job at a time is tried. In the same order.
    pub probing: Vec<AgentHold>,
    /// The files that cannot be understood; they have no effect.
    pub unusable: Vec<Unusable>,
}

impl Holds {
    /// Returns all of them, by the agent's name and the kind.
    #[must_use]
    pub fn all(self) -> Vec<AgentHold> {
        let mut all = self.active;
        all.extend(self.probing);
        all.sort_by(|a, b| (&a.agent, a.kind).cmp(&(&b.agent, b.kind)));
        all
    }
}

impl Store {
    /// Holds an agent, durably. Where it is held for longer already, for the same kind of reason, it stays so.
    ///
    /// Returns `false`, with nothing done, while another process writes a hold: try again then. After a crash the old
    /// hold is there, or the new one.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn put_hold(&self, hold: &AgentHold) -> Result<bool> {
        let (fs, layout) = (self.fs(), self.layout());
        durable::ensure_dir(fs, &layout.holds_path())?;
        let _lock = match self.lock_holds() {
            Err(Error::HoldsLocked) => return Ok(false),
            locked => locked?,
        };
        if self.hold(&hold.agent, hold.kind)?.is_some_and(|held| held.until >= hold.until) {
            return Ok(true);
        }
        let message = hold.message.chars().take(MESSAGE_CHARS).collect();
        let mut bytes = serde_json::to_vec_pretty(&AgentHold { message, ..hold.clone() }).unwrap_or_default();
        bytes.push(b'\n');
        durable::replace(fs, &layout.hold_path(&hold.agent, hold.kind), &bytes, Durability::Full)?;
        Ok(true)
    }

    /// Returns the hold of this kind on an agent, over or not, until it is lifted; `None` where there is none that can be
    /// understood.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn hold(&self, agent: &str, kind: HoldKind) -> Result<Option<AgentHold>> {
        let mut longest: Option<AgentHold> = None;
        for path in self.hold_paths(agent, kind) {
            let bytes = match optional(self.fs().read(&path, HOLD_LIMIT_BYTES)) {
                Err(error) if error.kind() == ErrorKind::FileTooLarge => None,
                read => read?,
            };
            let hold: Option<AgentHold> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let hold = hold.filter(|hold| hold.agent == agent && hold.kind == kind);
            longest = longest.into_iter().chain(hold).max_by_key(|hold| hold.until);
        }
        Ok(longest)
    }

    /// Lifts the hold of this kind on an agent, durably: its jobs may start at once. Tells whether there was one.
    ///
    /// Doing it again changes nothing. After a crash the hold is there, or it is not; once this returns it stays lifted.
    ///
    /// # Errors
    /// [`Error::HoldsLocked`] while another process writes a hold; else any error of the file system.
    pub fn lift_hold(&self, agent: &str, kind: HoldKind) -> Result<bool> {
        self.lift_hold_if(agent, kind, |_| true)
    }

    /// Does what [`Store::lift_hold`] does, for a job that proved that what the hold was put for is over: only where it was
    /// started after the hold was put. One that ran before knows nothing of it.
    ///
    /// # Errors
    /// As [`Store::lift_hold`].
    pub fn lift_hold_proved_over(&self, agent: &str, kind: HoldKind, started_at: Timestamp) -> Result<bool> {
        self.lift_hold_if(agent, kind, |hold| hold.is_some_and(|hold| started_at > hold.since))
    }

    fn lift_hold_if(&self, agent: &str, kind: HoldKind, may: impl Fn(Option<&AgentHold>) -> bool) -> Result<bool> {
        let fs = self.fs();
        let is_there = |path: &Utf8Path| Ok::<_, Error>(fs.stat_opt(path)?.is_some_and(|stat| stat.kind == Kind::File));
        let mut files = Vec::new();
        for path in self.hold_paths(agent, kind) {
            // Asked before the lock is taken: mostly there is none.
            if is_there(&path)? {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Ok(false);
        }
        let _lock = self.lock_holds()?;
        if !may(self.hold(agent, kind)?.as_ref()) {
            return Ok(false);
        }
        let mut was_there = false;
        for path in files {
            was_there |= is_there(&path)?;
            durable::remove(fs, &path)?;
        }
        Ok(was_there)
    }

    /// Looks which agents are held at `now`: up to 256 files.
    ///
    /// # Errors
    /// Where the folder cannot be listed. A file that cannot be read or understood is no error.
    pub fn holds(&self, now: Timestamp) -> Result<Holds> {
        let dir = self.layout().holds_path();
        let mut holds = Holds::default();
        let mut longest: BTreeMap<(String, HoldKind), AgentHold> = BTreeMap::new();
        let entries = self.fs().list_or_empty(&dir)?;
        // A temporary file.
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')).take(HOLDS_MAX) {
            let path = dir.join(&entry.name);
            let read = if entry.kind == Kind::File { self.fs().read(&path, HOLD_LIMIT_BYTES).ok() } else { None };
            match read.and_then(|bytes| serde_json::from_slice::<AgentHold>(&bytes).ok()) {
                Some(hold) if self.hold_paths(&hold.agent, hold.kind).contains(&path) => {
                    let key = (hold.agent.clone(), hold.kind);
                    if longest.get(&key).is_none_or(|other| other.until < hold.until) {
                        longest.insert(key, hold);
                    }
                }
                _ => {
                    let why = "it is no hold that can be understood, and has no effect";
                    holds.unusable.push(Unusable::new(path, Severity::Warning, why, "remove it"));
                }
            }
        }
        (holds.active, holds.probing) = longest.into_values().partition(|hold| hold.is_active(now));
        Ok(holds)
    }

    /// Returns where a hold may be.
    fn hold_paths(&self, agent: &str, kind: HoldKind) -> Vec<Utf8PathBuf> {
        let legacy = (kind == HoldKind::Quota).then(|| self.layout().legacy_hold_path(agent));
        [self.layout().hold_path(agent, kind)].into_iter().chain(legacy).collect()
    }

    fn lock_holds(&self) -> Result<LockGuard> {
        durable::ensure_dir(self.fs(), &self.layout().locks_path())?;
        match self.fs().try_lock(&self.layout().holds_lock_path()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::HoldsLocked),
            locked => Ok(locked?),
        }
    }
}
