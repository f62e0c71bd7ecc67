//! By which method a pull request is made, from what is configured and what is there.

use std::fmt;

use pv_lib::config;

/// By which method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The git host's REST API, with the configured token.
    Rest,
    /// The program `gh`, with its own login.
    Gh,
    /// Not at all: the branch is all that is delivered.
    Branch(SkipReason),
}

/// Why no pull request can be made; its text is for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// `auto`, and neither is there.
    NeitherTokenNorGh,
    /// `rest`, and no token is configured.
    NoToken,
    /// `gh`, and it is not on the PATH.
    NoGh,
    /// `gh` is there, and nobody is logged in.
    LoggedOut,
}

impl Method {
    /// Chooses: what is asked for, or for `auto` REST where a token is configured, else `gh` where it is on the PATH.
    #[must_use]
    pub fn choose(wanted: config::PullRequest, has_token: bool, has_gh: bool) -> Self {
        use config::PullRequest::{Auto, Gh, Rest};
        match (wanted, has_token, has_gh) {
            (Auto | Rest, true, _) => Self::Rest,
            (Auto, false, true) | (Gh, _, true) => Self::Gh,
            (Auto, false, false) => Self::Branch(SkipReason::NeitherTokenNorGh),
            (Rest, false, _) => Self::Branch(SkipReason::NoToken),
            (Gh, _, false) => Self::Branch(SkipReason::NoGh),
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the branch was pushed, but no pull request was made: ")?;
        f.write_str(match self {
            Self::NeitherTokenNorGh => "set delivery.token_file, or install `gh` and log in with `gh auth login`",
            Self::NoToken => "delivery.pull_request is `rest`, which needs delivery.token_file",
            Self::NoGh => "delivery.pull_request is `gh`, which is not on the PATH of the watcher",
            Self::LoggedOut => "run `gh auth login` as the watcher's user, or set delivery.token_file",
        })
    }
}

#[cfg(test)]
mod tests {
    use config::PullRequest::{Auto, Gh, Rest};

    use super::*;

    #[test]
    fn chooses_what_is_asked_for_and_says_what_is_missing() {
        let check = |wanted, has_token, has_gh, method| assert_eq!(Method::choose(wanted, has_token, has_gh), method);
        for has_gh in [false, true] {
            check(Auto, true, has_gh, Method::Rest);
            check(Rest, true, has_gh, Method::Rest);
            check(Rest, false, has_gh, Method::Branch(SkipReason::NoToken));
        }
        for has_token in [false, true] {
            check(Gh, has_token, true, Method::Gh);
            check(Gh, has_token, false, Method::Branch(SkipReason::NoGh));
        }
        check(Auto, false, true, Method::Gh);
        check(Auto, false, false, Method::Branch(SkipReason::NeitherTokenNorGh));
        assert!(SkipReason::NoGh.to_string().starts_with("the branch was pushed, but no pull request was made: "));
    }
}
