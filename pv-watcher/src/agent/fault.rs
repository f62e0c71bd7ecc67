//! What kind of failure an agent tells: whether it is one of this job, or one that would befall the next job too.
//!
//! Only what an agent says in its own error events is looked at, never what a tool wrote or a model said. The fields
//! that are meant for programs come first: a status, a code. Words decide where there are none, and they are those that
//! the agents are known to use.

use super::{log_renderer::one_line, reset::Reset, reset_phrase::find_reset};

/// A failure, as the agent reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Of which kind it is.
    pub(crate) fault: Fault,
    /// With which words, in one line.
    pub(crate) message: String,
}

/// What is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A usage or rate limit is reached, until then where it was reported.
    Quota(Option<Reset>),
    /// Nobody is logged in, the login is over, or the account has no credit.
    Auth,
    /// The model does not exist, or the account may not use it. A prompt may choose it, so it is this job's alone.
    Model,
    /// Anything else.
    Other,
}

impl Failure {
    /// Returns a failure whose fault is what fields for programs reported, else what its words say. The words also tell when
    /// a limit ends.
    pub(super) fn new(reported: Option<Fault>, message: &str) -> Self {
        let fault = reported.unwrap_or_else(|| Fault::of_words(message));
        let fault = match fault {
            Fault::Quota(None) => Fault::Quota(find_reset(message)),
            fault => fault,
        };
        Self { fault, message: one_line(message) }
    }
}

impl Fault {
    /// Returns what a status of HTTP says; `None` where it says nothing for sure.
    pub(super) fn of_status(status: u64) -> Option<Self> {
        match status {
            401 | 402 => Some(Self::Auth),
            429 => Some(Self::Quota(None)),
            _ => None,
        }
    }

    /// Returns what the code or the type of an error says, as agents and model providers name it.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        match code.as_str() {
            "ratelimit"
            | "ratelimiterror"
            | "ratelimitexceeded"
            | "ratelimitreached"
            | "insufficientquota"
            | "quotaexceeded"
            | "usagelimitreached"
            | "usagelimitexceeded"
            | "freeusagelimiterror"
            | "gousagelimiterror"
            | "subscriptionusagelimiterror"
            | "monthlylimiterror"
            | "userlimiterror"
            | "resourceexhausted" => Some(Self::Quota(None)),
            "authenticationfailed"
            | "authenticationerror"
            | "oauthorgnotallowed"
            | "billingerror"
            | "autherror"
            | "creditserror"
            | "insufficientcredits"
            | "invalidapikey"
            | "loadapikeyerror"
            | "providerautherror"
            | "tokenexpired"
            | "unauthorized"
            | "unauthenticated"
            | "usagenotincluded" => Some(Self::Auth),
            "modelerror" | "modelnotfound" | "modelnotfounderror" | "providermodelnotfounderror" => Some(Self::Model),
            _ => None,
        }
    }

    /// Returns what a line says of which is known that it is about a login or a limit: the latter, unless its words, or the
    /// name of an error among them, say the former.
    pub(super) fn of_hold_words(line: &str) -> Self {
        let mut names = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        match names.find_map(Self::of_code).unwrap_or_else(|| Self::of_words(line)) {
            Self::Auth => Self::Auth,
            Self::Quota(reset) => Self::Quota(reset),
            Self::Model | Self::Other => Self::Quota(None),
        }
    }

    /// Returns what the words of an error say.
    fn of_words(message: &str) -> Self {
        let text = format!(" {}", message.to_lowercase());
        if let Some(reported) = status_in(&text).and_then(Self::of_status) {
            return reported;
        }
        if is_limit(&text) {
            Self::Quota(None)
        } else if AUTH_WORDS.iter().any(|words| text.contains(words)) {
            Self::Auth
        } else if is_about_the_model(&text) {
            Self::Model
        } else {
            Self::Other
        }
    }
}

/// What the words of a limit are, in lower case.
const LIMIT_WORDS: [&str; 21] = [
    "usage limit",
    "session limit",
    "weekly limit",
    "monthly limit",
    "5-hour limit",
    "opus limit",
    "sonnet limit",
    "rate limit",
    "rate_limit",
    "spend limit",
    "spend cap",
    "hit your limit",
    "reached your limit",
    "out of usage credits",
    "out of extra usage",
    "too many requests",
    "quota exceeded",
    "quota has been exceeded",
    "insufficient_quota",
    "exceeded your current quota",
    "resource_exhausted",
];

/// Limits that are none of the account: a context that is full is no reason to wait.
const OTHER_LIMITS: [&str; 19] = [
    "context",
    "token",
    "tokens",
    "output",
    "length",
    "size",
    "turn",
    "turns",
    "thread",
    "retry",
    "depth",
    "nesting",
    "recursion",
    "stack",
    "iteration",
    "step",
    "time",
    "memory",
    "budget",
];

/// What the words of a missing login or credit are, in lower case.
const AUTH_WORDS: [&str; 34] = [
    "not logged in",
    " /login",
    "codex login",
    "please login again",
    "sign in again",
    "signing in again",
    "failed to authenticate",
    "not able to authenticate",
    "authentication_error",
    "authentication_failed",
    "api key expired",
    "invalid authentication credentials",
    "invalid bearer token",
    "invalid api key",
    "incorrect api key",
    "invalid x-api-key",
    "invalid_api_key",
    "api key not valid",
    "api key is missing",
    "missing api key",
    "missing environment variable",
    "could not load credentials",
    "could not load the default credentials",
    "token has expired",
    "token is expired",
    "token expired",
    "token revoked",
    "token has been revoked",
    "access token could not be refreshed",
    "disabled organization",
    "organization has been disabled",
    "credit balance is too low",
    "insufficient credits",
    "out of credits",
];

/// What is said of a model that cannot be had, in lower case.
const MODEL_WORDS: [&str; 12] = [
    "does not exist",
    "may not exist",
    "not found",
    "not_found",
    "not supported",
    "unsupported model",
    "unknown model",
    "invalid model",
    "not a valid model",
    "not available with",
    "do not have access",
    "not have access to",
];

fn is_limit(text: &str) -> bool {
    LIMIT_WORDS.iter().any(|words| text.contains(words)) || is_some_limit_reached(text)
}

/// Tells whether a text says that a limit of no known name is reached, but for those that are no account's.
fn is_some_limit_reached(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    (0..words.len()).any(|at| {
        let is_said = matches!(words[at..], ["limit", "reached" | "exhausted", ..]);
        is_said && !(at > 0 && OTHER_LIMITS.contains(&words[at - 1]))
    })
}

fn is_about_the_model(text: &str) -> bool {
    text.contains("model") && MODEL_WORDS.iter().any(|words| text.contains(words))
}

/// Finds the status of HTTP that the words of an error tell, such as `unexpected status 401 Unauthorized`,
/// `API Error: 401` and `Request rejected (429)`; a number elsewhere is none.
fn status_in(text: &str) -> Option<u64> {
    const LEADS: [&str; 7] =
        ["status ", "status: ", "status code ", "status code: ", "api error: ", "http ", "rejected ("];
    LEADS.iter().find_map(|lead| {
        let (_, rest) = text.split_once(lead)?;
        let status: u64 = rest.get(..3)?.parse().ok()?;
        (status >= 100 && !rest[3..].starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(status)
    })
}
