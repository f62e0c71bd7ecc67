//! The environment of every call of git: the person's own, without what is ours and what would mislead git.
//!
//! Whatever git starts inherits it: hooks of a remote on this host, credential helpers, ssh. A person's own variables reach
//! them all, since their helpers, proxies and keys may need any of them. Of ours there is the job's id alone, by which what a
//! call left running is found.

use std::ffi::{OsStr, OsString};

use crate::process::without_ours;

/// Variables that would point git at another repository than the one we name, or change what we write.
const SCRUBBED: [&str; 20] = [
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "LANGUAGE",
];

/// What every call is given: nobody is asked, git speaks English, and a trace that a person switched on shows no token.
const ALWAYS: [(&str, &str); 4] =
    [("GIT_TERMINAL_PROMPT", "0"), ("SSH_ASKPASS_REQUIRE", "never"), ("LC_ALL", "C"), ("GIT_TRACE_REDACT", "1")];

/// ssh as a person configured it, quotes included, and never a question.
const SSH_COMMAND: &str =
    r#"f() { eval "$(git config --get core.sshCommand || echo ssh) -oBatchMode=yes \"\$@\""; }; f"#;

/// Above which folder git looks for no repository: the one above its own, however that is spelled, links followed.
///
/// So what only looks like a repository does not make it speak of one around it.
pub(crate) const CEILING: (&str, &str) = ("GIT_CEILING_DIRECTORIES", "/proc/self/cwd/..");

/// Returns the whole environment of a call of git, made of the one of this process.
pub(crate) fn git_environment(environment: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_replaced = |name: &OsStr| ALWAYS.iter().any(|(always, _)| name == *always) || name == "GIT_SSH_COMMAND";
    let is_left = |name: &OsStr| !is_replaced(name) && !SCRUBBED.iter().any(|scrubbed| name == *scrubbed);
    let mut given: Vec<_> = without_ours(environment.iter().cloned()).filter(|(name, _)| is_left(name)).collect();
    given.extend(ALWAYS.map(|(name, value)| (name.into(), value.into())));
    let value_of = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    match (value_of("GIT_SSH_COMMAND"), value_of("GIT_SSH")) {
        (Some(own), _) => {
            let mut own = own.clone();
            own.push(" -oBatchMode=yes");
            given.push(("GIT_SSH_COMMAND".into(), own));
        }
        (None, Some(_)) => {}
        (None, None) => given.push(("GIT_SSH_COMMAND".into(), SSH_COMMAND.into())),
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], expected: &[(&str, Option<&str>)]) {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let given = git_environment(&environment);
        for (name, value) in expected {
            let found: Vec<_> = given.iter().filter(|(given, _)| given == name).map(|(_, value)| value).collect();
            let value = value.map(OsString::from);
            assert_eq!(found, value.iter().collect::<Vec<_>>(), "{name} of {environment:?}");
        }
    }

    #[test]
    fn bug_5_git_is_given_what_a_person_set_and_nothing_of_ours() {
        let environment = [
            ("PATH", "/bin"),
            ("HOME", "/h"),
            ("SSH_AUTH_SOCK", "/s"),
            ("GH_TOKEN", "t"),
            ("PV_API_TOKEN", "s"),
            ("PV_JOB_ID", "another"),
            ("GIT_DIR", "/elsewhere"),
            ("GIT_TRACE_REDACT", "0"),
            ("LC_ALL", "de_DE.UTF-8"),
        ];
        let expected = [
            ("PATH", Some("/bin")),
            ("HOME", Some("/h")),
            ("SSH_AUTH_SOCK", Some("/s")),
            ("GH_TOKEN", Some("t")),
            ("PV_API_TOKEN", None),
            ("PV_JOB_ID", None),
            ("GIT_DIR", None),
            ("GIT_TRACE_REDACT", Some("1")),
            ("LC_ALL", Some("C")),
        ];
        check(&environment, &expected);
    }

    #[test]
    fn ssh_is_the_one_that_a_person_configured_and_asks_nobody() {
        check(&[], &[("GIT_SSH_COMMAND", Some(SSH_COMMAND))]);
        check(&[("GIT_SSH_COMMAND", "ssh -v")], &[("GIT_SSH_COMMAND", Some("ssh -v -oBatchMode=yes"))]);
        check(&[("GIT_SSH", "/x")], &[("GIT_SSH_COMMAND", None), ("GIT_SSH", Some("/x"))]);
    }
}
