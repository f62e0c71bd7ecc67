//! What fails again and again: when each thing is tried again, how often it is logged, and what `status` shows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use camino::Utf8PathBuf;
use pv_lib::{
    Error,
    fs::Stat,
    unusable::{Unusable, UnusableList},
};
use tracing::warn;

use crate::watch::backoff::Backoff;

/// How long nothing more is logged of a thing.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// After how many failures a watcher that runs once waits no more for a thing to succeed.
const GIVE_UP_TRIES: u32 = 3;

/// A thing, and what is tried with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt {
    /// The file or the folder.
    pub(crate) path: Utf8PathBuf,
    /// What is tried, in words that follow "cannot".
    pub(crate) doing: &'static str,
}

/// What fails. All of it can be lost: it is found out again, at once.
#[derive(Debug)]
pub(crate) struct Failing {
    first_pause: Duration,
    failures: BTreeMap<Attempt, Failure>,
    /// When something was last logged of a thing.
    logged_at: HashMap<String, Duration>,
    /// The lines of the last round that were logged.
    logged_lines: HashSet<String>,
}

#[derive(Debug)]
struct Failure {
    backoff: Backoff,
    stamp: Option<Stamp>,
    entry: Unusable,
    /// Whether this round came to it.
    is_current: bool,
}

/// What of a file shows that somebody changed it; our own renames leave it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified_ns: i128,
    inode: u64,
}

impl From<Stat> for Stamp {
    fn from(stat: Stat) -> Self {
        Self { len: stat.len, modified_ns: stat.modified_ns, inode: stat.inode }
    }
}

impl Failing {
    /// Begins with nothing that fails. `first_pause` is that after the first failure of a thing.
    pub(crate) fn new(first_pause: Duration) -> Self {
        Self { first_pause, failures: BTreeMap::new(), logged_at: HashMap::new(), logged_lines: HashSet::new() }
    }

    /// Tells whether something is to be tried now: it did not fail, its pause is over, or its file was changed since.
    pub(crate) fn is_due(&mut self, attempt: &Attempt, stat: Option<Stat>, uptime: Duration) -> bool {
        let Some(failure) = self.failures.get_mut(attempt) else { return true };
        failure.is_current = true;
        failure.stamp != stat.map(Stamp::from) || failure.backoff.is_due(uptime)
    }

    /// Notes a failure, and logs it where that was not done lately.
    pub(crate) fn failed(&mut self, attempt: Attempt, stat: Option<Stat>, uptime: Duration, error: &Error) {
        let stamp = stat.map(Stamp::from);
        let before =
            self.failures.get(&attempt).filter(|failure| failure.stamp == stamp).map(|failure| failure.backoff);
        let backoff = Backoff::after(before, uptime, self.first_pause);
        let entry = Unusable::failing(attempt.path.clone(), attempt.doing, error);
        self.log_limited(entry.path.as_str(), &format!("{entry}; trying again"), uptime);
        self.failures.insert(attempt, Failure { backoff, stamp, entry, is_current: true });
    }

    /// Forgets a failure: it succeeded.
    pub(crate) fn succeeded(&mut self, attempt: &Attempt) {
        self.failures.remove(attempt);
    }

    /// Adds what fails to what cannot be used, and logs what of that is new. Forgets what this round did not come to.
    /// Returns how much of what fails may succeed yet.
    pub(crate) fn end_round(&mut self, unusable: &mut UnusableList, uptime: Duration) -> usize {
        self.failures.retain(|_, failure| std::mem::take(&mut failure.is_current));
        self.log_new(unusable, uptime);
        self.failures.values().for_each(|failure| unusable.push(failure.entry.clone()));
        self.failures.values().filter(|failure| failure.backoff.tries < GIVE_UP_TRIES).count()
    }

    /// Returns when the first of what fails is to be tried again.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.failures.values().map(|failure| failure.backoff.due).min()
    }

    /// Logs each line that is new, or comes back. One that may not be logged yet is logged later.
    fn log_new(&mut self, unusable: &UnusableList, uptime: Duration) {
        let mut logged = HashSet::new();
        for entry in &unusable.entries {
            let line = entry.to_string();
            if self.logged_lines.contains(&line) || self.log_limited(entry.path.as_str(), &line, uptime) {
                logged.insert(line);
            }
        }
        self.logged_lines = logged;
        self.logged_at.retain(|_, at| uptime.saturating_sub(*at) < LOG_INTERVAL);
    }

    /// Logs a line about a thing, unless something was logged of it within the last minute. Returns whether it did.
    pub(crate) fn log_limited(&mut self, about: &str, line: &str, uptime: Duration) -> bool {
        let may = self.logged_at.get(about).is_none_or(|at| uptime.saturating_sub(*at) >= LOG_INTERVAL);
        if may {
            warn!("{line}");
            self.logged_at.insert(about.to_owned(), uptime);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::{fs::FsError, unusable::Severity};

    use super::*;

    fn refused(path: &str) -> Error {
        Error::Fs {
            source: FsError { verb: "rename", path: path.into(), source: std::io::ErrorKind::PermissionDenied.into() },
        }
    }

    fn attempt(path: &str, doing: &'static str) -> Attempt {
        Attempt { path: path.into(), doing }
    }

    /// Does something each second for ten minutes, and returns how many lines were logged: each sets its thing's time.
    fn lines(mut each: impl FnMut(&mut Failing, Duration)) -> usize {
        let mut failing = Failing::new(Duration::from_secs(1));
        let mut lines = 0;
        for second in 0..600 {
            let uptime = Duration::from_secs(second);
            each(&mut failing, uptime);
            lines += failing.logged_at.values().filter(|at| **at == uptime).count();
        }
        lines
    }

    #[test]
    fn b02_of_each_thing_one_line_a_minute_is_logged() {
        let fail = |failing: &mut Failing, uptime, thing: Attempt, stat| {
            if failing.is_due(&thing, stat, uptime) {
                let error = refused(thing.path.as_str());
                failing.failed(thing, stat, uptime, &error);
            }
        };
        let end = |failing: &mut Failing, uptime| failing.end_round(&mut UnusableList::default(), uptime);
        let one = lines(|failing, uptime| {
            fail(failing, uptime, attempt("/a", "take it in"), None);
            end(failing, uptime);
        });
        assert!((5..=10).contains(&one), "{one}");
        let two_ways = lines(|failing, uptime| {
            fail(failing, uptime, attempt("/a", "start it"), None);
            fail(failing, uptime, attempt("/a", "abort it"), None);
            end(failing, uptime);
        });
        assert!((5..=10).contains(&two_ways), "{two_ways}");
        // One that changes each second, one that works now and then, and one that is there now and then.
        let changing = lines(|failing, uptime| {
            let stat = Stat {
                kind: pv_lib::fs::Kind::File,
                len: uptime.as_secs(),
                modified_ns: 0,
                changed_ns: 0,
                inode: 1,
                links: 1,
            };
            fail(failing, uptime, attempt("/a", "take it in"), Some(stat));
            end(failing, uptime);
        });
        assert_eq!(changing, 10);
        let flapping = lines(|failing, uptime| {
            let thing = attempt("/a", "take it in");
            if uptime.as_secs() % 2 == 0 {
                fail(failing, uptime, thing, None);
            } else {
                failing.succeeded(&thing);
            }
            let mut unusable = UnusableList::default();
            if uptime.as_secs() % 2 == 0 {
                unusable.push(Unusable::new("/b", Severity::Problem, "why", "remedy"));
            }
            failing.end_round(&mut unusable, uptime);
        });
        assert_eq!(flapping, 20, "of two things");
    }

    #[test]
    fn b02_what_is_only_there_is_logged_once_and_again_when_it_comes_back() {
        let there = lines(|failing, uptime| {
            let mut unusable = UnusableList::default();
            if !(200..400).contains(&uptime.as_secs()) {
                unusable.push(Unusable::new("/b", Severity::Warning, "why", "remedy"));
            }
            failing.end_round(&mut unusable, uptime);
        });
        assert_eq!(there, 2);
    }

    #[test]
    fn b02_nothing_is_remembered_of_what_a_round_does_not_come_to() {
        let mut failing = Failing::new(Duration::from_secs(1));
        for n in 0..1000 {
            failing.failed(attempt(&format!("/{n}"), "take it in"), None, Duration::ZERO, &refused("/x"));
        }
        let mut unusable = UnusableList::default();
        assert_eq!(failing.end_round(&mut unusable, Duration::ZERO), 1000, "all of it may succeed yet");
        assert_eq!(unusable.total(), 1000);
        assert!(!failing.is_due(&attempt("/7", "take it in"), None, Duration::ZERO));
        assert_eq!(failing.end_round(&mut UnusableList::default(), Duration::from_secs(99)), 1);
        assert_eq!((failing.failures.len(), failing.logged_at.len()), (1, 0));
    }
}
