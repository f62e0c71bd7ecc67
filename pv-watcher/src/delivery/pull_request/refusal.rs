//! Why a git host did not open a pull request, and what can be done about it.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::TokenError;

/// Why there is no pull request. Its text is one sentence that says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// There is no token to ask with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address of the API is none.
    #[error(
        "delivery.api_base is `{}`, which is no address of an API: write it like https://api.github.com",
        pv_lib::config::redact_address(.0)
    )]
    Address(String),
    /// The host did not do it.
    #[error("{host} {refusal}")]
    Refused {
        /// The host that was asked.
        host: String,
        /// What it said or did.
        refusal: Refusal,
    },
}

/// What a host said or did instead of opening a pull request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 401.
    #[error("refuses the token (401{}): it may have expired; put a valid one into {token_file}", words(.said))]
    Unauthorized {
        /// The host's words.
        said: String,
        /// The file that the token came from.
        token_file: Utf8PathBuf,
    },
    /// 403.
    #[error("does not allow it (403{}): let the token in {token_file} write pull requests of {repo}", words(.said))]
    Forbidden {
        /// The host's words.
        said: String,
        /// The repository.
        repo: String,
        /// The file that the token came from.
        token_file: Utf8PathBuf,
    },
    /// 429, or 403 with the same meaning.
    #[error("asks for fewer requests{}: try again later with `pv retry`", after(.wait))]
    RateLimited {
        /// How long it asks to wait, if it said so.
        wait: Option<Duration>,
    },
    /// 404.
    #[error("shows this token no repository {repo} (404): check the name, and what the token in {token_file} may see")]
    NotFound {
        /// The repository.
        repo: String,
        /// The file that the token came from.
        token_file: Utf8PathBuf,
    },
    /// 422.
    #[error("does not take it (422{}): put that right, then `pv retry`", words(.said))]
    Invalid {
        /// The host's words.
        said: String,
    },
    /// 422 about a branch that was just pushed: the API may know it a moment later than git does.
    #[error("does not know the pushed branch, or what is new on it (422{}): try again later with `pv retry`", words(.said))]
    NotYet {
        /// The host's words.
        said: String,
    },
    /// A redirect, which is not followed.
    #[error(
        "sends elsewhere ({status}{}): correct delivery.api_base, or the repository's name if it was renamed; \
         the token was not sent there",
        to(.location)
    )]
    Moved {
        /// The status.
        status: u16,
        /// Where to, if it said so.
        location: Option<String>,
    },
    /// 5xx.
    #[error("has a fault of its own ({status}): try again later with `pv retry`")]
    Fault {
        /// The status.
        status: u16,
    },
    /// No connection, or one that ended before the answer.
    #[error("gives no answer ({problem}): check the network and delivery.api_base, then `pv retry`")]
    NoAnswer {
        /// What the system said.
        problem: String,
    },
    /// No answer in time.
    #[error("did not answer in time: check the network and delivery.api_base, then `pv retry`")]
    Timeout,
    /// No safe connection.
    #[error(
        "cannot be trusted ({problem}): install the certificate of its authority on this machine, or name it in \
         SSL_CERT_FILE"
    )]
    Untrusted {
        /// What is wrong.
        problem: String,
    },
    /// An answer that is none of such an API.
    #[error("answers ({status}) like no GitHub API: check delivery.api_base")]
    Unexpected {
        /// The status.
        status: u16,
    },
    /// An answer beyond the limit.
    #[error("answers with more than {limit_bytes} bytes: check delivery.api_base")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
}

impl RestError {
    /// Tells whether the same request may succeed a little later, with nothing changed by anybody.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if refusal.is_transient())
    }
}

impl Refusal {
    /// Tells whether the same request may succeed a little later, with nothing changed by anybody.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::NotYet { .. }
            | Self::Fault { .. }
            | Self::NoAnswer { .. }
            | Self::Timeout => true,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Moved { .. }
            | Self::Untrusted { .. }
            | Self::Unexpected { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

fn words(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn after(wait: &Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!(", and to wait {} s", wait.as_secs()))
}

fn to(location: &Option<String>) -> String {
    location.as_ref().map_or_else(String::new, |location| format!(", to {location}"))
}
