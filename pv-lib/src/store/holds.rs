//! Agents that are held: one ran into a usage limit, and further jobs of it wait instead of running into it too.
//!
//! A hold is a small file for each agent, written by the supervisor that found out. Whether it still holds is derived
//! from the time inside; nobody needs to remove it, and a person may, to end it. A file that cannot be understood has
//! no effect.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::{
    Result,
    fs::{FsExt, Kind, durable, durable::Durability, optional},
    job::JobId,
    time::Timestamp,
    unusable::{Severity, Unusable},
};

/// How many files of holds are read, at most.
const HOLDS_MAX: usize = 256;

/// The longest file of a hold that is read, in bytes.
const HOLD_LIMIT_BYTES: usize = 64 << 10;

/// What is left of a longer message, in characters.
const MESSAGE_CHARS: usize = 2000;

/// An agent whose jobs wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHold {
    /// The agent's name.
    pub agent: String,
    /// When its jobs may start again.
    pub until: Timestamp,
    /// A sentence for people: what the agent said.
    pub message: String,
    /// The job that ran into the limit.
    pub job_id: JobId,
}

/// The holds at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    /// Those that are in effect, by the agent's name.
    pub active: Vec<AgentHold>,
    /// The files that cannot be understood; they have no effect.
    pub unusable: Vec<Unusable>,
}

impl Store {
    /// Holds an agent, durably. Where it is held for longer already, it stays so.
    ///
    /// Returns `false`, with nothing done, while another process writes a hold: try again then. After a crash the old
    /// hold is there, or the new one.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn put_hold(&self, hold: &AgentHold) -> Result<bool> {
        let (fs, layout) = (self.fs(), self.layout());
        for dir in [layout.locks_path(), layout.holds_path()] {
            durable::ensure_dir(fs, &dir)?;
        }
        let _lock = match fs.try_lock(&layout.holds_lock_path()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            locked => locked?,
        };
        if self.hold(&hold.agent)?.is_some_and(|held| held.until >= hold.until) {
            return Ok(true);
        }
        let message = hold.message.chars().take(MESSAGE_CHARS).collect();
        let mut bytes = serde_json::to_vec_pretty(&AgentHold { message, ..hold.clone() }).unwrap_or_default();
        bytes.push(b'\n');
        durable::replace(fs, &self.layout().hold_path(&hold.agent), &bytes, Durability::Full)?;
        Ok(true)
    }

    /// Returns the last hold of an agent, over or not; `None` where there is none that can be understood.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn hold(&self, agent: &str) -> Result<Option<AgentHold>> {
        let bytes = match optional(self.fs().read(&self.layout().hold_path(agent), HOLD_LIMIT_BYTES)) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => None,
            read => read?,
        };
        let hold: Option<AgentHold> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(hold.filter(|hold| hold.agent == agent))
    }

    /// Returns the holds that are in effect at `now`: up to 256.
    ///
    /// # Errors
    /// Where the folder cannot be listed. A file that cannot be read or understood is no error.
    pub fn holds(&self, now: Timestamp) -> Result<Holds> {
        let dir = self.layout().holds_path();
        let mut holds = Holds::default();
        let entries = self.fs().list_or_empty(&dir)?;
        // A temporary file.
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')).take(HOLDS_MAX) {
            let path = dir.join(&entry.name);
            let read = if entry.kind == Kind::File { self.fs().read(&path, HOLD_LIMIT_BYTES).ok() } else { None };
            match read.and_then(|bytes| serde_json::from_slice::<AgentHold>(&bytes).ok()) {
                Some(hold) if self.layout().hold_path(&hold.agent) == path => {
                    holds.active.extend(Some(hold).filter(|hold| hold.until > now));
                }
                _ => {
                    let why = "it is no hold that can be understood, and has no effect";
                    holds.unusable.push(Unusable::new(path, Severity::Warning, why, "remove it"));
                }
            }
        }
        holds.active.sort_by(|a, b| a.agent.cmp(&b.agent));
        Ok(holds)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use camino::Utf8Path;

    use super::*;
    use crate::{
        fs::{Fs, MemFs, sweep::sweep},
        layout::{InboxMode, Layout},
        store::StoreLimits,
    };

    fn store() -> (Arc<MemFs>, Store) {
        let fs = Arc::new(MemFs::new());
        let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
        fs.put_dir("/pv/runs");
        (Arc::clone(&fs), Store::new(fs, layout, StoreLimits::default(), "host"))
    }

    fn hold(agent: &str, until: i64) -> AgentHold {
        let job_id = "0190f5c2a7b97c31b1c5b1d1a1e1f101".parse().unwrap();
        AgentHold { agent: agent.into(), until: Timestamp::from_unix_seconds(until), message: "enough".into(), job_id }
    }

    fn active(store: &Store, now: i64) -> Vec<String> {
        let holds = store.holds(Timestamp::from_unix_seconds(now)).unwrap();
        holds.active.into_iter().map(|hold| format!("{} {}", hold.agent, hold.until.unix_seconds())).collect()
    }

    #[test]
    fn a_hold_is_over_by_the_clock_and_the_longer_one_counts() {
        let (_, store) = store();
        assert_eq!(active(&store, 0), [""; 0]);
        for (agent, until) in [("codex", 100), ("claude", 50), ("codex", 60)] {
            assert!(store.put_hold(&hold(agent, until)).unwrap());
        }
        assert_eq!(active(&store, 49), ["claude 50", "codex 100"]);
        assert_eq!(active(&store, 50), ["codex 100"]);
        assert_eq!(active(&store, 100), [""; 0]);
        assert_eq!(store.hold("claude").unwrap(), Some(hold("claude", 50)));
        assert_eq!(store.hold("other").unwrap(), None);
    }

    #[test]
    fn any_name_of_an_agent_is_safe() {
        let (fs, store) = store();
        let names = ["../../inbox/x", ".hidden", "a/b", "a%2fb", "é", "", "c:\\x\0y"];
        for name in names {
            assert!(store.put_hold(&hold(name, 9)).unwrap());
            assert_eq!(store.hold(name).unwrap(), Some(hold(name, 9)));
        }
        assert_eq!(active(&store, 0).len(), names.len());
        let inside = fs.list(Utf8Path::new("/pv/runs/.holds")).unwrap();
        assert_eq!(inside.len(), names.len());
    }

    #[test]
    fn what_cannot_be_understood_has_no_effect_and_is_an_entry() {
        let (fs, store) = store();
        store.put_hold(&hold("codex", 9)).unwrap();
        fs.put("/pv/runs/.holds/claude.json", "{");
        fs.put("/pv/runs/.holds/other.json", serde_json::to_vec(&hold("codex", 99)).unwrap());
        fs.put("/pv/runs/.holds/long.json", vec![b' '; HOLD_LIMIT_BYTES + 1]);
        fs.put_dir("/pv/runs/.holds/folder.json");
        fs.put("/pv/runs/.holds/.codex.json.tmp", "{");
        assert_eq!(active(&store, 0), ["codex 9"]);
        assert_eq!(store.holds(Timestamp::EPOCH).unwrap().unusable.len(), 4);
        assert_eq!(store.hold("claude").unwrap(), None);
        assert_eq!(store.hold("long").unwrap(), None);
        assert!(store.put_hold(&hold("claude", 9)).unwrap(), "and it can be written over");
        assert_eq!(active(&store, 0), ["claude 9", "codex 9"]);
    }

    #[test]
    fn g04_a_hold_survives_a_power_cut_once_it_is_acknowledged() {
        let on = |fs: &Arc<MemFs>| {
            let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
            Store::new(Arc::clone(fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host")
        };
        let first = store().0;
        let report = sweep(
            &first,
            |fs| on(fs).put_hold(&hold("codex", 9)),
            |image| {
                let held = active(&on(&image.fs), 0);
                assert!(held == ["codex 9"] || (held.is_empty() && !image.acknowledged), "{image}: {held:?}");
            },
        );
        assert!(report.images > 3, "{report:?}");
        on(&first).put_hold(&hold("codex", 9)).unwrap();
        sweep(
            &first,
            |fs| on(fs).put_hold(&hold("codex", 99)),
            |image| {
                let held = active(&on(&image.fs), 0);
                assert!(held == ["codex 99"] || (held == ["codex 9"] && !image.acknowledged), "{image}: {held:?}");
            },
        );
    }

    #[test]
    fn of_two_writers_one_writes_at_a_time() {
        let (fs, store) = store();
        store.put_hold(&hold("codex", 9)).unwrap();
        let other = fs.try_lock(&store.layout().holds_lock_path()).unwrap();
        assert!(!store.put_hold(&hold("codex", 99)).unwrap());
        drop(other);
        assert!(store.put_hold(&hold("codex", 99)).unwrap());
        assert_eq!(active(&store, 10), ["codex 99"]);
        let long = AgentHold { message: "x".repeat(HOLD_LIMIT_BYTES), ..hold("codex", 200) };
        store.put_hold(&long).unwrap();
        assert_eq!(active(&store, 100).len(), 1, "a long message is cut, so that it can be read again");
    }
}
