//! Opening the pull request of a branch that was pushed: by the way that is configured, heartbeats included.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{config, job::Outcome};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    pending::{PendingDelivery, undelivered},
    pull_request::{Gh, GhAnswer, Method, Patience, PullRequest, Rest, SkipReason, Verified, Work, read_token},
};
use crate::{
    git::{GitFailure, Origin, Repository, read_start},
    process::Interruptible,
    session::Session,
};

/// How long to wait for the thread that asks the host, which ends by itself before.
const REST_LIMIT: Duration = Duration::from_secs(60);

/// How much of an agent's last message is read, in bytes; what a pull request shows of it is less.
const LAST_MESSAGE_BYTES_MAX: u64 = 256 << 10;

/// How much of the list of changed files is read, in bytes.
const CHANGES_BYTES_MAX: u64 = 64 << 10;

/// Opens the pull request of a pushed branch, or finds it; `pushed` says that the branch is there.
pub(super) fn open_pull_request(
    session: &mut Session<'_>,
    repository: &Repository,
    pending: &PendingDelivery,
    pushed: &str,
) -> Outcome {
    if let Origin::Local(dir) = &repository.origin {
        let message = format!("{pushed}; no pull request: {dir} has no remote");
        return Outcome::Succeeded { message: Some(message) };
    }
    let delivery = &session.plan.delivery;
    let is_asked_for = delivery.pull_request != config::PullRequest::Auto;
    if !is_asked_for && !repository.origin.pushed_to().into_iter().any(|url| delivery.is_host_of(url)) {
        let message = format!(
            "{pushed}; no pull request: that is not on {} (delivery.pull_request: rest or gh insists on one)",
            delivery.git_host
        );
        return Outcome::Succeeded { message: Some(message) };
    }
    let Some(wanted) = request(session, repository, pending) else {
        let why = "the repository has no owner: set git_owner, or use an inbox with owners";
        return undelivered(session, "cannot open a pull request", why);
    };
    let delivery = &session.plan.delivery;
    let way = Method::choose(delivery.pull_request, delivery.token_file.is_some(), has_gh(session));
    let opened = match way {
        Method::Rest => ask_host(session, wanted),
        Method::Gh => ask_gh(session, &wanted),
        Method::Branch(why) => Err(NotOpened::NoWay(why)),
    };
    match opened {
        Err(NotOpened::NoWay(why)) if !is_asked_for => Outcome::Succeeded { message: Some(format!("{pushed}; {why}")) },
        Ok(url) => {
            session.update_record(|patch| {
                let delivery = patch.delivery.get_or_insert_default();
                (delivery.pr_url, delivery.error) = (Some(url.clone()), None);
            });
            Outcome::Succeeded { message: Some(format!("{pushed}; pull request {url}")) }
        }
        Err(why) => undelivered(session, &format!("{pushed}, but there is no pull request"), &why.to_string()),
    }
}

fn request(session: &mut Session<'_>, repository: &Repository, pending: &PendingDelivery) -> Option<PullRequest> {
    let changes = list_changes(session, &repository.mirror.path, pending).unwrap_or_default();
    let url_owner = repository.origin.pushed_to().into_iter().find_map(owner_in);
    let owner = pending.target.owner().or(url_owner)?;
    let record = session.writer.record();
    let prompt = session.writer.write_prompt().unwrap_or_default();
    // A delivery that is done again shows what the agent of the first one said.
    let spoke = record.retry_of.as_ref().filter(|_| record.pid.is_none()).unwrap_or(&record.job_id);
    let last_message = read_start(&session.store.layout().last_message_path(spoke), LAST_MESSAGE_BYTES_MAX);
    let work = Work {
        job: &record.job_id,
        target: &pending.target,
        title: record.title.as_deref(),
        prompt: &String::from_utf8_lossy(&prompt),
        agent: record.agent.as_deref().unwrap_or_default(),
        model: record.model.as_deref(),
        last_message: last_message.as_deref(),
        changes: &changes,
        verified: Verified {
            checks: record.checks.as_deref().unwrap_or_default(),
            verified: record.verified,
            rerun: record.checks_rerun == Some(true),
            changed: record.checks_changed.as_deref().unwrap_or_default(),
        },
    };
    Some(work.request(owner, &pending.branch))
}

/// Lists which files changed and how much, for people.
fn list_changes(session: &mut Session<'_>, mirror: &Utf8Path, pending: &PendingDelivery) -> io::Result<String> {
    let mut listing = File::from(memfd_create("changes", MemfdFlags::CLOEXEC)?);
    let args = ["--git-dir", mirror.as_str(), "diff-tree", "--stat=100", "--summary", "--no-color"];
    let between = [pending.base_commit.as_str(), pending.commit.as_str(), "--"];
    let mut git = session.git(Interruptible::No);
    let listed = git.run_into(&[&args[..], &between].concat(), listing.try_clone()?);
    listed.map_err(|failure| io::Error::other(failure.into_message()))?;
    listing.rewind()?;
    let mut bytes = Vec::new();
    listing.take(CHANGES_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Asks the host from a thread of its own, so that the heart beats meanwhile.
fn ask_host(session: &mut Session<'_>, wanted: PullRequest) -> Result<String, NotOpened> {
    let delivery = &session.plan.delivery;
    let Some(token_file) = delivery.token_file.clone() else {
        return Err(NotOpened::NoWay(SkipReason::NoToken));
    };
    let rest = Rest { api_base: delivery.api_base.clone(), token_file, patience: Patience::default() };
    let opened = session.blocking(REST_LIMIT, move || rest.open(&wanted));
    let opened = opened.ok_or_else(|| refused(&"the host was asked and nothing came back"))?;
    opened.map(|opened| opened.url).map_err(|error| refused(&error))
}

fn ask_gh(session: &mut Session<'_>, wanted: &PullRequest) -> Result<String, NotOpened> {
    let delivery = &session.plan.delivery;
    let token = delivery.token_file.as_deref().map(read_token).transpose().map_err(|error| refused(&error))?;
    let (environment, host, id) = (&session.plan.environment, &delivery.git_host, session.id().clone());
    let gh = Gh { environment, job: &id, host, token: token.as_ref() };
    let (succeeded, words) = run_gh(session, gh.create(wanted).map_err(|error| refused(&error))?)?;
    match GhAnswer::read(succeeded, &words, wanted) {
        GhAnswer::Opened(opened) => Ok(opened.url),
        GhAnswer::LoggedOut => Err(NotOpened::NoWay(SkipReason::LoggedOut)),
        GhAnswer::Refused(why) => Err(refused(&why)),
        GhAnswer::Exists => {
            let (_, listed) = run_gh(session, gh.list(wanted))?;
            let page = GhAnswer::page(&listed, wanted);
            page.ok_or_else(|| refused(&format!("`gh` names no pull request: {words}")))
        }
    }
}

/// Runs `gh` to its end and returns whether it succeeded, and its last words.
fn run_gh(session: &mut Session<'_>, command: std::process::Command) -> Result<(bool, String), NotOpened> {
    let ran = session.git(Interruptible::No).run_program("gh", command);
    ran.map_err(|failure| match failure {
        GitFailure::Stopped(_) => refused(&"gh took too long and was stopped"),
        GitFailure::Failed(why) => refused(&why),
    })
}

fn has_gh(session: &Session<'_>) -> bool {
    let path = session.plan.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_bytes());
    let dirs = path.unwrap_or_default().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
    dirs.map(|dir| Path::new(std::ffi::OsStr::from_bytes(dir)).join("gh")).any(|program| is_executable(&program))
}

/// Why there is no pull request.
#[derive(Debug, thiserror::Error)]
enum NotOpened {
    /// There is no way to open one.
    #[error("{0}")]
    NoWay(SkipReason),
    /// Somebody said no.
    #[error("{0}")]
    Refused(String),
}

fn refused(why: &impl ToString) -> NotOpened {
    NotOpened::Refused(why.to_string())
}

fn is_executable(program: &Path) -> bool {
    program.metadata().is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}

/// Returns the owner that the path of a repository's address names: the part before its name.
fn owner_in(url: &str) -> Option<&str> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut parts = path.trim_end_matches('/').rsplit(['/', ':']);
    parts.nth(1).filter(|owner| !owner.is_empty() && !owner.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_stands_before_the_name() {
        let check = |url: &str, expected: Option<&str>| assert_eq!(owner_in(url), expected, "{url}");
        check("https://github.com/o/r.git", Some("o"));
        check("git@github.com:o/r.git", Some("o"));
        check("ssh://git@h:22/o/r/", Some("o"));
        check("r", None);
    }
}
