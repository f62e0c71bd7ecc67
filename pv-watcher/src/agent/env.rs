//! Which part of the environment an agent is given: a short list, and nothing that is ours.

use std::ffi::{OsStr, OsString};

/// What every agent is given, as far as it is there. `*` stands for any ending.
const EVERY_AGENT: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_*",
    "TERM",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

/// Returns the part of `environment` that an agent is given: what every agent needs, `own` names of this one, and `more`
/// names that are configured.
///
/// Names that begin with `PV_` are ours, tokens among them, and are never given, whatever `more` says.
pub(crate) fn given<'a>(
    own: &[&str],
    more: &[String],
    environment: &'a [(OsString, OsString)],
) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> {
    let allowed = EVERY_AGENT.iter().chain(own).map(|name| (*name).to_owned());
    let allowed: Vec<String> = allowed.chain(more.iter().cloned()).collect();
    let is_given = move |variable: &OsStr| {
        let variable = variable.as_encoded_bytes();
        !variable.starts_with(b"PV_") && allowed.iter().any(|pattern| matches(pattern, variable))
    };
    environment
        .iter()
        .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .filter(move |(name, _)| is_given(name))
}

fn matches(pattern: &str, variable: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => variable.starts_with(prefix.as_bytes()),
        None => variable == pattern.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::adapter;

    #[test]
    fn an_agent_is_given_what_it_needs_and_nothing_of_ours() {
        let names = [
            "PATH",
            "LC_ALL",
            "PATHEXT",
            "PV_API_TOKEN",
            "PV_API_TOKEN_FILE",
            "GITHUB_TOKEN",
            "SSH_AUTH_SOCK",
            "OPENAI_API_KEY",
            "ANTHROPIC_API_KEY",
            "OPENCODE_CONFIG",
            "EXTRA_1",
        ];
        let environment: Vec<_> = names.iter().map(|name| (OsString::from(name), OsString::from("v"))).collect();
        let check = |agent: &str, more: &[&str], expected: &str| {
            let more: Vec<String> = more.iter().map(|name| (*name).to_owned()).collect();
            let given: Vec<_> = given(adapter(agent).variables(), &more, &environment)
                .map(|(name, _)| name.to_str().unwrap())
                .collect();
            assert_eq!(given.join(" "), expected, "{agent}");
        };
        check("mine", &[], "PATH LC_ALL");
        check("codex", &[], "PATH LC_ALL OPENAI_API_KEY");
        check("claude", &["EXTRA_*"], "PATH LC_ALL ANTHROPIC_API_KEY EXTRA_1");
        check(
            "opencode",
            &["PV_API_TOKEN", "*"],
            "PATH LC_ALL PATHEXT GITHUB_TOKEN SSH_AUTH_SOCK OPENAI_API_KEY ANTHROPIC_API_KEY OPENCODE_CONFIG EXTRA_1",
        );
    }
}
