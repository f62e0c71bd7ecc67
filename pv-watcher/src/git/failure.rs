//! Why a git call did not do what it was to.

use pv_lib::supervise::{Cause, Ending};

use super::refusal::explain;

/// What git says when a network failed that may work again in a moment.
const TRANSIENT: [&str; 16] = [
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
    "returned error: 429",
    "rpc failed; curl",
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

    /// Returns it as words, which name the setting where a time limit stopped the call.
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Stopped(Ending { cause: Some(Cause::Timeout), .. }) => {
                "git took longer than git.timeout and was stopped".to_owned()
            }
            Self::Stopped(Ending { cause: Some(Cause::Idle), .. }) => {
                "git received nothing for longer than git.idle_timeout and was stopped".to_owned()
            }
            Self::Stopped(_) => "git was stopped".to_owned(),
            Self::Failed(words) if words.is_empty() => "git failed without a word".to_owned(),
            Self::Failed(words) => words,
        }
    }

    /// Returns it with what a person can do about a remote at this address that could not be reached, or refused.
    pub(crate) fn explained(self, address: &str) -> Self {
        match self {
            Self::Failed(words) => Self::Failed(explain(&words, address)),
            stopped @ Self::Stopped(_) => stopped,
        }
    }

    /// Tells whether somebody stopped the call, and not its time limits.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self, Self::Stopped(ending) if !matches!(ending.cause, Some(Cause::Timeout | Cause::Idle)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failing_network_is_worth_another_try() {
        for words in [
            "fatal: unable to access 'http://h/': Failed to connect to h port 1: Connection refused",
            "fatal: unable to access 'https://h/': Could not resolve host: h",
            "fatal: unable to access 'https://h/': The requested URL returned error: 503",
            "fatal: unable to access 'https://h/': The requested URL returned error: 429",
            "error: RPC failed; curl 56 GnuTLS recv error (-54): Error in the pull function.",
            "ssh: connect to host h port 22: Connection timed out",
        ] {
            assert!(is_transient(words), "{words}");
        }
        for words in [
            "fatal: couldn't find remote ref refs/heads/x",
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "git@h: Permission denied (publickey).",
            "remote: Repository not found.\nfatal: repository 'https://h/o/r/' not found",
            "error: corrupt",
        ] {
            assert!(!is_transient(words), "{words}");
        }
    }
}
