//! The token for the git host: which addresses it is meant for, and how git gets it.

use camino::Utf8Path;

use super::pull_request::{TokenError, read_token};
use crate::{
    git::{host_in, host_of, http_base},
    plan::DeliveryPlan,
};

impl DeliveryPlan {
    /// Returns the settings that let git, for this one address, read the token from its file when it is asked for one. The
    /// token itself is in no argument and in no environment.
    pub(crate) fn git_credentials(&self, url: &str) -> Vec<String> {
        match (&self.token_file, http_base(url)) {
            (Some(file), Some(base)) if self.trusts(base) => credential_settings(base, file),
            _ => Vec::new(),
        }
    }

    /// Returns the settings that let git fetch from this address with the token, and its submodules from the same host over
    /// HTTPS; none where the address leads to another host.
    pub(crate) fn fetch_credentials(&self, url: &str) -> Vec<String> {
        let Some(file) = self.token_file.as_ref().filter(|_| self.is_host_of(url)) else { return Vec::new() };
        let own = http_base(url).filter(|base| self.trusts(base)).map(str::to_owned);
        let https = format!("https://{}", self.git_host);
        let bases = own.iter().filter(|own| **own != https).chain([&https]);
        bases.flat_map(|base| credential_settings(base, file)).collect()
    }

    /// Returns the settings of [`Self::fetch_credentials`] for a remote that is known by these addresses.
    pub(crate) fn credentials_of(&self, addresses: &[&str]) -> Vec<String> {
        let found = addresses.iter().map(|address| self.fetch_credentials(address));
        found.into_iter().find(|settings| !settings.is_empty()).unwrap_or_default()
    }

    /// Looks whether the token that is meant for this address, if one is, can be used: git would send whatever its file
    /// holds.
    ///
    /// # Errors
    /// [`TokenError`] where the file holds something else than a token. One that cannot be read is for git to miss.
    pub(crate) fn check_token(&self, url: &str) -> Result<(), TokenError> {
        match &self.token_file {
            Some(file) if !self.fetch_credentials(url).is_empty() => match read_token(file) {
                Err(error) if error.is_damaged => Err(error),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Tells whether a repository's address leads to the configured host, or to the one of its API, where pull requests
    /// are asked for.
    pub(crate) fn is_host_of(&self, url: &str) -> bool {
        host_in(url).is_some_and(|host| self.is_ours(host))
    }

    fn is_ours(&self, host: &str) -> bool {
        let is = |other: &str| host.eq_ignore_ascii_case(other);
        is(&self.git_host) || host_in(&self.api_base).is_some_and(is)
    }

    /// Tells whether the token is meant for this address: for the configured host, or for the one of its API, and never
    /// over a network in the clear.
    fn trusts(&self, base: &str) -> bool {
        let Some((scheme, authority)) = base.split_once("://") else { return false };
        let host = host_of(authority);
        let is_private = scheme == "https" || matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        self.is_ours(host) && is_private
    }
}

/// The first setting forgets the helpers that a person configured for that base: the token is meant to be used there. White
/// space around a token is no part of it, and it has none inside.
fn credential_settings(base: &str, token_file: &Utf8Path) -> Vec<String> {
    let file = token_file.as_str().replace('\'', r"'\''");
    let helper = format!(
        "!f() {{ test \"$1\" = get && echo username=x-access-token && echo \"password=$(tr -d '[:space:]' < '{file}')\"; }}; f"
    );
    vec![format!("credential.{base}.helper="), format!("credential.{base}.helper={helper}")]
}

#[cfg(test)]
mod tests {
    use pv_lib::{config::EmptyWork, prompt::Deliver};

    use super::*;

    fn plan(git_host: &str, api_base: &str) -> DeliveryPlan {
        DeliveryPlan {
            mode: Deliver::PullRequest,
            empty: EmptyWork::Ok,
            branch_prefix: "codex/".into(),
            author_name: "n".into(),
            author_email: "e".into(),
            pull_request: pv_lib::config::PullRequest::Auto,
            api_base: api_base.into(),
            git_host: git_host.into(),
            include_prompt: false,
            draft: false,
            labels: vec![],
            reviewers: vec![],
            token_file: Some("/etc/it's/token".into()),
        }
    }

    #[test]
    fn the_token_is_meant_for_the_configured_host_alone() {
        let github = plan("github.com", "https://api.github.com");
        let check = |plan: &DeliveryPlan, url: &str, expected: bool| {
            assert_eq!(http_base(url).is_some_and(|base| plan.trusts(base)), expected, "{url}");
        };
        check(&github, "https://github.com/o/r.git", true);
        check(&github, "https://github.com:443/o/r.git", true);
        check(&github, "http://github.com/o/r.git", false);
        check(&github, "https://gitlab.com/o/r.git", false);
        check(&github, "https://github.com.evil.example/o/r.git", false);
        check(&github, "https://github.com@evil.example/o/r.git", false);
        check(&github, "git@github.com:o/r.git", false);
        check(&github, "/srv/git/r.git", false);
        let own = plan("github.com", "http://127.0.0.1:4000");
        check(&own, "http://127.0.0.1:5000/r.git", true);
        check(&own, "http://127.0.0.2:5000/r.git", false);
    }

    #[test]
    fn pull_requests_are_asked_for_where_the_repository_is() {
        let github = plan("github.com", "https://api.github.com");
        for url in [
            "https://github.com/o/r",
            "git@github.com:o/r.git",
            "ssh://git@github.com:22/o/r",
            "https://u:p@github.com/o/r",
        ] {
            assert!(github.is_host_of(url), "{url}");
        }
        for url in [
            "https://gitlab.com/o/r",
            "git@gitlab.com:o/r",
            "/srv/github.com/r.git",
            "../r.git",
            "file:///github.com/r",
            "https://github.com.evil/o/r",
        ] {
            assert!(!github.is_host_of(url), "{url}");
        }
    }

    #[test]
    fn c11_a_fetch_gets_the_token_for_the_configured_host_and_no_other() {
        let check = |plan: &DeliveryPlan, url: &str, bases: &[&str]| {
            let settings = plan.fetch_credentials(url);
            let found: Vec<&str> = settings.iter().filter_map(|setting| setting.strip_suffix(".helper=")).collect();
            let expected: Vec<String> = bases.iter().map(|base| format!("credential.{base}")).collect();
            assert_eq!(
                (found, settings.len()),
                (expected.iter().map(String::as_str).collect(), bases.len() * 2),
                "{url}"
            );
        };
        let github = plan("github.com", "https://api.github.com");
        check(&github, "https://github.com/o/r.git", &["https://github.com"]);
        check(&github, "https://github.com:8443/o/r", &["https://github.com:8443", "https://github.com"]);
        check(&github, "git@github.com:o/r.git", &["https://github.com"]);
        check(&github, "http://github.com/o/r", &["https://github.com"]);
        let own = plan("h.example", "http://127.0.0.1:4000");
        check(&own, "http://127.0.0.1:5000/r", &["http://127.0.0.1:5000", "https://h.example"]);
        for other in ["https://gitlab.com/o/r", "https://github.com.evil.example/o", "/srv/r.git", "git@gitlab.com:o/r"]
        {
            check(&github, other, &[]);
        }
        check(&DeliveryPlan { token_file: None, ..github }, "https://github.com/o/r.git", &[]);
    }

    #[test]
    fn git_reads_the_token_from_its_file() {
        let [forget, helper] = credential_settings("https://h", "/etc/it's/token".into()).try_into().unwrap();
        assert_eq!(forget, "credential.https://h.helper=");
        assert!(helper.starts_with("credential.https://h.helper=!f()"), "{helper}");
        assert!(helper.contains(r"< '/etc/it'\''s/token'"), "{helper}");
    }

    #[test]
    fn b04_a_damaged_token_is_sent_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let file = camino::Utf8PathBuf::from_path_buf(dir.path().join("token")).unwrap();
        let plan = DeliveryPlan { token_file: Some(file.clone()), ..plan("h.example", "https://api.h.example") };
        let url = "https://h.example/o/r.git";
        assert_eq!(plan.check_token(url), Ok(()), "git says what a missing one leads to");
        for (holds, is_good) in [("#s3cr3t\r\n", true), ("s3cr3t # mine\n", false), ("", false)] {
            std::fs::write(&file, holds).unwrap();
            let checked = plan.check_token(url).map_err(|error| error.to_string());
            assert_eq!(checked.is_ok(), is_good, "{holds:?}");
            assert_eq!(plan.check_token("https://other.example/o/r.git"), Ok(()), "it is not meant for that one");
        }
    }
}
