//! Why a git call did not do what it was to, and what a person can do about it.

use pv_lib::supervise::{Cause, Ending};

/// What git says when a network failed that may work again in a moment.
const TRANSIENT: [&str; 14] = [
    "could not resolve host",
    "temporary failure in name resolution",
    "connection refused",
    "connection timed out",
    "connection reset",
    "connection closed",
    "failed to connect",
    "couldn't connect",
    "network is unreachable",
    "operation timed out",
    "early eof",
    "unexpected disconnect",
    "empty reply from server",
    "returned error: 5",
];

/// What the system says where there is no room, in the words of a program that was started with `LC_ALL=C`.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// Tells whether the words of a program say that there was no room. They decide only whether something is tried again.
pub(crate) fn says_full(words: &str) -> bool {
    FULL.iter().any(|full| words.contains(full))
}

/// Why a git call did not do what it was to.
#[derive(Debug)]
pub(crate) enum GitFailure {
    /// It was stopped.
    Stopped(Ending),
    /// It failed, with these words.
    Failed(String),
}

impl GitFailure {
    /// Returns the failure of something that was waited for and stopped.
    pub(crate) fn stopped(cause: Cause) -> Self {
        Self::Stopped(Ending { cause: Some(cause), exit: None, clean: true })
    }

    /// Returns it as words, where nobody can have stopped the call but its time limit.
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Stopped(_) => "git took too long and was stopped".to_owned(),
            Self::Failed(words) if words.is_empty() => "git failed without a word".to_owned(),
            Self::Failed(words) => words,
        }
    }

    /// Tells whether the same call may work in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Failed(words) if is_transient(words))
    }
}

fn is_transient(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    TRANSIENT.iter().any(|known| words.contains(known))
}

/// Returns git's words with what a person can do about a repository that cannot be reached or read.
pub(crate) fn with_remedy(words: &str) -> String {
    format!("{}{}", words.trim_end_matches('.'), remedy(words))
}

fn remedy(words: &str) -> &'static str {
    let words = words.to_ascii_lowercase();
    let says = |known: &[&str]| known.iter().any(|known| words.contains(known));
    if says(&["detected dubious ownership"]) {
        "; that clone belongs to another user than the one that the watcher runs as: give it to that user (chown -R), or \
         let that user run the command"
    } else if says(&["couldn't find remote ref"]) {
        "; make the branch there, or name another"
    } else if says(&[
        "could not read username",
        "could not read password",
        "authentication failed",
        "permission denied",
    ]) {
        "; nobody is asked for a password: give this user a credential helper, or an ssh key that needs none"
    } else if says(&["not found", "does not exist", "does not appear to be a git repository"]) {
        "; check owner and name, and that this user may read the repository"
    } else if is_transient(&words) {
        "; the remote could not be reached, after several tries: `pv retry` when it can be"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failing_network_is_worth_another_try() {
        let check = |words: &str, transient: bool, expected: &str| {
            assert_eq!(is_transient(words), transient, "{words}");
            assert!(remedy(words).contains(expected), "{words}: {}", remedy(words));
        };
        check("fatal: unable to access 'http://h/': Failed to connect to h port 1: Connection refused", true, "retry");
        check("fatal: unable to access 'https://h/': Could not resolve host: h", true, "retry");
        check("fatal: unable to access 'https://h/': The requested URL returned error: 503", true, "retry");
        check("ssh: connect to host h port 22: Connection timed out", true, "retry");
        check("fatal: couldn't find remote ref refs/heads/x", false, "make the branch");
        check("fatal: could not read Username for 'https://h': terminal prompts disabled", false, "password");
        check("git@h: Permission denied (publickey).", false, "ssh key");
        check("remote: Repository not found.\nfatal: repository 'https://h/o/r/' not found", false, "check owner");
        check("fatal: '/x' does not appear to be a git repository", false, "check owner");
        check("fatal: detected dubious ownership in repository at '/x'", false, "chown -R");
        check("error: corrupt", false, "");
    }
}
