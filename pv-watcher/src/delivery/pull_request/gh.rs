//! The program `gh`: how it is called, and what it said. Whoever supervises processes runs it.

use std::{
    fs::File,
    io::{self, Seek, Write},
    process::{Command, Stdio},
};

use pv_lib::job::JobId;
use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::Value;

use super::{GhLogin, Opened, PullRequest, page_address, sanitize};
use crate::{
    environment::Environment,
    process::{JOB_ID_VARIABLE, without_ours},
};

/// The host that `gh` means when none is named.
const GITHUB: &str = "github.com";

/// How much of its words is repeated, in characters.
const SAID_CHARS_MAX: usize = 500;

/// What a host says of a branch that git has seen there and its API does not know yet.
const BEHIND: [&str; 2] = ["Head ref must be a branch", "No commits between"];

/// Variables that would make `gh` speak otherwise, or of another repository.
const SCRUBBED_ENV: [&str; 8] =
    ["GH_REPO", "GH_DEBUG", "DEBUG", "GH_FORCE_TTY", "GH_PAGER", "GH_BROWSER", "CLICOLOR_FORCE", "GH_HOST"];

/// Variables in which `gh` looks for a token, in its order.
const TOKENS: [&str; 4] = ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// Builds calls of `gh` for one job.
#[derive(Debug, Clone, Copy)]
pub struct Gh<'a> {
    /// The environment that it is given, but for what is ours: so its own login is found.
    pub environment: &'a Environment,
    /// The job, which marks the process.
    pub job: &'a JobId,
    /// The git host.
    pub host: &'a str,
    /// The login to use instead of its own.
    pub login: Option<&'a GhLogin>,
}

/// What `gh pr create` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GhAnswer {
    /// There is a pull request.
    Opened(Opened),
    /// It says that there is one, without an address: [`Gh::list`] finds it.
    Exists,
    /// There is none, since nobody is logged in.
    LoggedOut,
    /// There is none, since the host takes no drafts there.
    NoDrafts,
    /// There is none, since the host does not know yet what was pushed.
    NotYet(String),
    /// There is none, for this reason.
    Refused(String),
}

impl Gh<'_> {
    /// Builds the call that opens a pull request. Its words, errors included, are for [`GhAnswer::read`].
    ///
    /// The body comes by standard input: an argument has a limit, and any user of the machine can read it.
    ///
    /// # Errors
    /// When the system has no memory for the body.
    pub fn create(&self, wanted: &PullRequest) -> io::Result<Command> {
        let mut body = File::from(memfd_create("pull-request", MemfdFlags::CLOEXEC)?);
        body.write_all(wanted.body.as_bytes())?;
        body.rewind()?;
        let mut gh = self.command(&["pr", "create"], wanted);
        // One word each, so that nothing that a person wrote is taken for an option.
        gh.arg(format!("--title={}", wanted.title)).arg("--body-file=-").stdin(Stdio::from(body));
        gh.arg(format!("--base={}", wanted.base)).arg(format!("--head={}", wanted.head));
        gh.args(wanted.draft.then_some("--draft"));
        Ok(gh)
    }

    /// Builds the call that sends JSON to a path of the host's API: `gh pr edit` asks for more than a label needs, and fails
    /// where that is not there any more.
    ///
    /// # Errors
    /// When the system has no memory for it.
    pub fn post(&self, path: &str, json: &Value) -> io::Result<Command> {
        let mut body = File::from(memfd_create("pull-request", MemfdFlags::CLOEXEC)?);
        body.write_all(json.to_string().as_bytes())?;
        body.rewind()?;
        let mut gh = self.program();
        gh.args(["api", "--method=POST", "--silent", "--input=-"]).arg(format!("--hostname={}", self.host)).arg(path);
        gh.stdin(Stdio::from(body));
        Ok(gh)
    }

    /// Builds the call that prints the page of the open pull request for the same two branches, if there is one. Its
    /// words are for [`GhAnswer::page`].
    #[must_use]
    pub fn list(&self, wanted: &PullRequest) -> Command {
        let mut gh = self.command(&["pr", "list"], wanted);
        gh.arg(format!("--base={}", wanted.base)).arg(format!("--head={}", wanted.head));
        gh.args(["--state=open", "--limit=1", "--json=url", "--jq=.[].url"]);
        gh
    }

    fn command(&self, verb: &[&str], wanted: &PullRequest) -> Command {
        let mut gh = self.program();
        gh.args(verb).arg(format!("--repo={}/{}", self.host, wanted.full_repo()));
        gh
    }

    fn program(&self) -> Command {
        let mut gh = Command::new("gh");
        // It asks git about the folder in which it runs; that must not be one in which an agent has been.
        gh.current_dir("/").stdin(Stdio::null());
        gh.env_clear().envs(without_ours(self.environment.iter().cloned()));
        for name in SCRUBBED_ENV {
            gh.env_remove(name);
        }
        gh.env("GH_PROMPT_DISABLED", "1").env("GH_NO_UPDATE_NOTIFIER", "1").env("NO_COLOR", "1");
        gh.env(JOB_ID_VARIABLE, self.job.as_str());
        let is_github = self.host == GITHUB;
        if !is_github {
            gh.env("GH_HOST", self.host);
        }
        if let Some(login) = self.login {
            for name in TOKENS {
                gh.env_remove(name);
            }
            gh.env("GH_CONFIG_DIR", login.dir());
        }
        gh
    }
}

impl GhAnswer {
    /// Understands what [`Gh::create`] led to: whether `gh` said it succeeded, and its words.
    #[must_use]
    pub fn read(succeeded: bool, words: &str, wanted: &PullRequest) -> Self {
        let exists = words.contains("already exists");
        match Self::page(words, wanted) {
            Some(url) if succeeded || exists => Self::Opened(Opened { url, was_there: !succeeded, lacks_draft: false }),
            _ if succeeded || exists => Self::Exists,
            _ if words.contains("gh auth login") && !words.contains("HTTP 401") => Self::LoggedOut,
            _ if wanted.draft && words.to_lowercase().contains("draft pull requests are not supported") => {
                Self::NoDrafts
            }
            _ if words.is_empty() => Self::Refused("`gh` failed and said nothing".to_owned()),
            _ => {
                let said = format!("`gh` says: {}", sanitize::words(words, SAID_CHARS_MAX));
                let is_not_yet = BEHIND.iter().any(|known| words.contains(known));
                if is_not_yet { Self::NotYet(said) } else { Self::Refused(said) }
            }
        }
    }

    /// Returns why [`Gh::post`] failed.
    #[must_use]
    pub fn refusal(words: &str) -> String {
        let own = words.lines().find_map(|line| line.trim().strip_prefix("gh: "));
        sanitize::words(own.unwrap_or(words), SAID_CHARS_MAX)
    }

    /// Returns the page of a pull request of that repository that the words name on a line of its own; the last one.
    #[must_use]
    pub fn page(words: &str, wanted: &PullRequest) -> Option<String> {
        let page = format!("/{}/pull/", wanted.full_repo()).to_lowercase();
        let is_page = |line: &&str| {
            let line = line.to_lowercase();
            let number = line.find(&page).map(|at| &line[at + page.len()..]);
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        };
        words.lines().rev().map(str::trim).filter(is_page).find_map(page_address).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, ffi::OsStr};

    use pv_lib::config::Secret;

    use super::*;

    fn wanted() -> PullRequest {
        PullRequest {
            owner: "o".into(),
            repo: "r".into(),
            base: "main".into(),
            head: "pv/1".into(),
            title: "--body=x".into(),
            body: "Text\n".into(),
            draft: false,
        }
    }

    #[test]
    fn nothing_that_is_handed_over_is_an_option_and_the_token_is_for_that_host_alone() {
        let job: JobId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let environment =
            [("HOME", "/h"), ("GH_TOKEN", "mine"), ("GH_REPO", "x/y"), ("GH_HOST", "z"), ("PV_API_TOKEN", "ours")];
        let environment: Environment =
            environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let check = |host: &str, login: Option<&GhLogin>, expected: &[(&str, Option<&str>)]| {
            let gh = Gh { environment: &environment, job: &job, host, login }.create(&wanted()).unwrap();
            let args: Vec<_> = gh.get_args().map(|arg| arg.to_str().unwrap().to_owned()).collect();
            let repo = format!("--repo={host}/o/r");
            let expected_args =
                ["pr", "create", &repo, "--title=--body=x", "--body-file=-", "--base=main", "--head=pv/1"];
            assert_eq!(args, expected_args);
            let env: HashMap<&OsStr, Option<&OsStr>> = gh.get_envs().collect();
            for (name, value) in expected {
                let found = env.get(OsStr::new(name)).copied().flatten();
                assert_eq!(found, value.map(OsStr::new), "{host}: {name}");
            }
        };
        let temp = tempfile::tempdir().unwrap();
        let dir = camino::Utf8PathBuf::from_path_buf(temp.path().join("gh")).unwrap();
        let login = GhLogin::write(dir.clone(), "github.com", &Secret::new("theirs".into()), &[]).unwrap();
        check(
            "github.com",
            None,
            &[("HOME", Some("/h")), ("GH_TOKEN", Some("mine")), ("GH_REPO", None), ("PV_API_TOKEN", None)],
        );
        let own = [("GH_TOKEN", None), ("GH_CONFIG_DIR", Some(dir.as_str()))];
        check("github.com", Some(&login), &[&own[..], &[("GH_HOST", None), ("NO_COLOR", Some("1"))]].concat());
        check("h.example", Some(&login), &[&own[..], &[("GH_HOST", Some("h.example"))]].concat());
    }

    #[test]
    fn understands_what_gh_says() {
        let opened = |was_there| {
            GhAnswer::Opened(Opened { url: "https://github.com/o/r/pull/7".into(), was_there, lacks_draft: false })
        };
        let check = |succeeded, words: &str, expected: GhAnswer| {
            assert_eq!(GhAnswer::read(succeeded, words, &wanted()), expected, "{words}");
        };
        let page = "https://github.com/o/r/pull/7";
        check(true, page, opened(false));
        check(true, &format!("Creating pull request for pv/1 into main in o/r\n\n{page}\n"), opened(false));
        let exists = "a pull request for branch \"pv/1\" into branch \"main\" already exists:";
        check(false, &format!("{exists}\n{page}"), opened(true));
        check(false, exists, GhAnswer::Exists);
        check(true, "done", GhAnswer::Exists);
        check(false, &format!("no\n{page}"), GhAnswer::Refused(format!("`gh` says: no {page}")));
        check(false, "", GhAnswer::Refused("`gh` failed and said nothing".into()));
        let no_drafts =
            "pull request create failed: GraphQL: Draft pull requests are not supported in this repository.";
        let draft = PullRequest { draft: true, ..wanted() };
        assert_eq!(GhAnswer::read(false, no_drafts, &draft), GhAnswer::NoDrafts);
        let behind = "GraphQL: Head sha can't be blank, No commits between main and x, Head ref must be a branch";
        assert!(matches!(GhAnswer::read(false, behind, &wanted()), GhAnswer::NotYet(_)));
        assert_eq!(GhAnswer::refusal("gh: Not Found (HTTP 404)\n"), "Not Found (HTTP 404)");
        check(false, "To get started with GitHub CLI, please run:  gh auth login", GhAnswer::LoggedOut);
        let stale = "HTTP 401: Bad credentials\nTry authenticating with:  gh auth login";
        let refused = GhAnswer::read(false, stale, &wanted());
        assert!(matches!(&refused, GhAnswer::Refused(why) if why.contains("HTTP 401")), "{refused:?}");
        for other in [
            "https://github.com/x/r/pull/7",
            "see https://github.com/o/r/pull/7",
            "ftp://h/o/r/pull/7",
            "https://github.com/o/r/pull/7x",
            "https://github.com/o/r/pull/",
            "https://u@h/o/r/pull/7",
        ] {
            assert_eq!(GhAnswer::page(other, &wanted()), None, "{other}");
        }
    }
}
