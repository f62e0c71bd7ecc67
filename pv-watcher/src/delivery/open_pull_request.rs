//! Opening the pull request of a branch that was pushed: by the way that is configured, heartbeats included.

use std::{
    fs::File,
    io::{self, Read, Seek},
    process::Command,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use pv_lib::{
    config, host,
    job::{JobRecord, Outcome},
    store::Store,
    supervise::Cause,
};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    pending::{PendingDelivery, undelivered},
    pull_request::{
        Extras, Gh, GhAnswer, GhLogin, Method, Opened, Patience, PullRequest, Rest, SkipReason, Verified, Work,
        read_token,
    },
};
use crate::{
    git::{GitFailure, Origin, Repository, read_start},
    process::Interruptible,
    session::Session,
};

/// How long to wait for the thread that asks the host, which ends by itself before.
const REST_LIMIT: Duration = Duration::from_secs(60);

/// How long adding labels and reviewers may take.
const EXTRAS_LIMIT: Duration = Duration::from_secs(20);

/// How much of an agent's last message is read, in bytes; what a pull request shows of it is less.
const LAST_MESSAGE_BYTES_MAX: u64 = 256 << 10;

/// The list of changed files: its width, that of a name, and how many files are listed.
const CHANGES_FORMAT: &str = "--stat=100,80,50";

/// How many jobs that only deliver again are gone back over in search of what the agent said.
const RETRIES_MAX: usize = 64;

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
        Method::Rest => ask_host(session, &wanted),
        Method::Gh => ask_gh(session, &wanted),
        Method::Branch(why) => Err(NotOpened::NoWay(why)),
    };
    match opened {
        Err(NotOpened::Stopped) => {
            let message = format!("{pushed}; it was to stop then, and whether its pull request is open is not known");
            Outcome::Succeeded { message: Some(message) }
        }
        Err(NotOpened::NoWay(why)) if !is_asked_for => Outcome::Succeeded { message: Some(format!("{pushed}; {why}")) },
        Ok(opened) => {
            let url = opened.url.clone();
            session.update_record(|patch| {
                let delivery = patch.delivery.get_or_insert_default();
                (delivery.pr_url, delivery.error) = (Some(url.clone()), None);
            });
            let done = Outcome::Succeeded { message: Some(format!("{pushed}; pull request {url}")) };
            // It is open: what it lacks is said, and fails nothing.
            let warnings = complete(session, &wanted, &opened, &way);
            warnings.iter().fold(done, |done, warning| done.adding(warning))
        }
        Err(why) => undelivered(session, &format!("{pushed}, but there is no pull request"), &why.to_string()),
    }
}

fn request(session: &mut Session<'_>, repository: &Repository, pending: &PendingDelivery) -> Option<PullRequest> {
    let changes = list_changes(session, &repository.mirror.path, pending).unwrap_or_default();
    let url_owner = repository.origin.pushed_to().into_iter().find_map(owner_in);
    let owner = pending.target.owner().or(url_owner)?;
    let record = session.writer.record();
    let prompt = session.writer.write_prompt().ok();
    let prompt = prompt.as_deref().map(String::from_utf8_lossy);
    let last_message = last_message(session.store, record);
    let work = Work {
        job: &record.job_id,
        target: &pending.target,
        title: record.title.as_deref(),
        prompt: prompt.as_deref(),
        include_prompt: session.plan.delivery.include_prompt,
        agent: record.agent.as_deref().unwrap_or_default(),
        model: record.model.as_deref(),
        last_message: last_message.as_deref(),
        changes: &changes,
        verified: Verified {
            checks: record.checks.as_deref().unwrap_or_default(),
            verified: record.verified,
            rerun: record.checks_rerun == Some(true),
            changed: record.checks_changed.as_deref().unwrap_or_default(),
            attempts: record.attempts.as_deref().unwrap_or_default(),
        },
    };
    Some(work.request(owner, &pending.branch, session.plan.delivery.draft))
}

/// Reads what the agent said last: where a job only delivers again, that of the one that it repeats.
fn last_message(store: &Store, record: &JobRecord) -> Option<String> {
    let mut spoke = record.clone();
    for _ in 0..RETRIES_MAX {
        match spoke.retry_of.clone().filter(|_| spoke.pid.is_none()) {
            Some(earlier) => spoke = store.read_run(&earlier).ok()?.into_record().ok()?,
            None => break,
        }
    }
    read_start(&store.layout().last_message_path(&spoke.job_id), LAST_MESSAGE_BYTES_MAX)
}

/// Lists which files changed and how much, for people.
fn list_changes(session: &mut Session<'_>, mirror: &Utf8Path, pending: &PendingDelivery) -> io::Result<String> {
    let mut listing = File::from(memfd_create("changes", MemfdFlags::CLOEXEC)?);
    let args = ["--git-dir", mirror.as_str(), "diff-tree", CHANGES_FORMAT, "--no-color"];
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
fn ask_host(session: &mut Session<'_>, wanted: &PullRequest) -> Result<Opened, NotOpened> {
    let Some(rest) = rest(session) else { return Err(NotOpened::NoWay(SkipReason::NoToken)) };
    let wanted = wanted.clone();
    let Some(opened) = session.blocking_until_abort(REST_LIMIT, move || rest.open(&wanted)) else {
        let is_stopped = session.abort_requested();
        return Err(if is_stopped { NotOpened::Stopped } else { refused(&"the host was asked and nothing came back") });
    };
    opened.map_err(|error| refused(&error))
}

fn rest(session: &Session<'_>) -> Option<Rest> {
    let delivery = &session.plan.delivery;
    let token_file = delivery.token_file.clone()?;
    Some(Rest { api_base: delivery.api_base.clone(), token_file, patience: Patience::default() })
}

/// Adds what a pull request that is open is to have, and returns a sentence for each that it lacks.
fn complete(session: &mut Session<'_>, wanted: &PullRequest, opened: &Opened, way: &Method) -> Vec<String> {
    let delivery = &session.plan.delivery;
    let extras = Extras { labels: delivery.labels.clone(), reviewers: delivery.reviewers.clone() };
    let no_draft = "it is no draft, since the host takes none there".to_owned();
    let mut warnings: Vec<String> = opened.lacks_draft.then_some(no_draft).into_iter().collect();
    let Some(number) = opened.number().filter(|_| !extras.is_empty()) else { return warnings };
    let added = match (way, rest(session)) {
        (Method::Rest, Some(mut rest)) => {
            rest.patience.total = EXTRAS_LIMIT;
            let wanted = wanted.clone();
            // A little more than it takes by itself.
            session.blocking_until_abort(EXTRAS_LIMIT * 2, move || rest.add(&wanted, number, &extras))
        }
        (Method::Gh, _) => add_by_gh(session, wanted, number, &extras).ok(),
        _ => None,
    };
    let unknown = || vec!["whether it has its labels and reviewers is not known".to_owned()];
    warnings.extend(added.unwrap_or_else(unknown));
    warnings
}

fn ask_gh(session: &mut Session<'_>, wanted: &PullRequest) -> Result<Opened, NotOpened> {
    let (mut answer, mut words) = create_by_gh(session, wanted)?;
    for pause in Patience::default().pauses {
        if !matches!(answer, GhAnswer::NotYet(_)) {
            break;
        }
        session.git(Interruptible::AfterGrace).pause(pause).map_err(|_| NotOpened::Stopped)?;
        (answer, words) = create_by_gh(session, wanted)?;
    }
    match answer {
        GhAnswer::NoDrafts => {
            let opened = ask_gh(session, &PullRequest { draft: false, ..wanted.clone() })?;
            Ok(Opened { lacks_draft: true, ..opened })
        }
        GhAnswer::Opened(opened) => Ok(opened),
        GhAnswer::LoggedOut => Err(NotOpened::NoWay(SkipReason::LoggedOut)),
        GhAnswer::Refused(why) | GhAnswer::NotYet(why) => Err(refused(&why)),
        GhAnswer::Exists => {
            let (_, listed) = with_gh(session, |gh| Ok(gh.list(wanted)))?;
            let page = GhAnswer::page(&listed, wanted);
            let url = page.ok_or_else(|| refused(&format!("`gh` names no pull request: {words}")))?;
            Ok(Opened { url, was_there: true, lacks_draft: false })
        }
    }
}

fn create_by_gh(session: &mut Session<'_>, wanted: &PullRequest) -> Result<(GhAnswer, String), NotOpened> {
    let (succeeded, words) = with_gh(session, |gh| gh.create(wanted))?;
    Ok((GhAnswer::read(succeeded, &words, wanted), words))
}

fn add_by_gh(
    session: &mut Session<'_>,
    wanted: &PullRequest,
    number: u64,
    extras: &Extras,
) -> Result<Vec<String>, NotOpened> {
    let (begun, mut stopped) = (Instant::now(), None);
    let warnings = extras.add(&format!("repos/{}", wanted.full_repo()), number, &mut |path, json| {
        if stopped.is_some() || begun.elapsed() > EXTRAS_LIMIT {
            return Err("there was no time for it".to_owned());
        }
        match with_gh(session, |gh| gh.post(path, json)) {
            Ok((true, _)) => Ok(()),
            Ok((false, words)) => Err(GhAnswer::refusal(&words)),
            Err(failure) => {
                let why = failure.to_string();
                stopped = Some(failure);
                Err(why)
            }
        }
    });
    stopped.map_or(Ok(warnings), Err)
}

/// Runs a call of `gh` to its end and returns whether it succeeded, and its last words.
fn with_gh(
    session: &mut Session<'_>,
    command: impl FnOnce(&Gh<'_>) -> io::Result<Command>,
) -> Result<(bool, String), NotOpened> {
    let delivery = &session.plan.delivery;
    let token = delivery.token_file.as_deref().map(read_token).transpose().map_err(|error| refused(&error))?;
    let (environment, host, id) = (&session.plan.environment, &delivery.git_host, session.id().clone());
    let dir = session.store.layout().snapshot_repository_path(&id).join("gh");
    let login = token.map(|token| GhLogin::write(dir, host, &token, environment)).transpose();
    let login = login.map_err(|error| refused(&format!("cannot log `gh` in: {error}")))?;
    let gh = Gh { environment, job: &id, host, login: login.as_ref() };
    let command = command(&gh).map_err(|error| refused(&error))?;
    run_gh(session, command)
}

/// Runs `gh` to its end and returns whether it succeeded, and its last words.
fn run_gh(session: &mut Session<'_>, command: Command) -> Result<(bool, String), NotOpened> {
    let ran = session.git(Interruptible::AfterGrace).run_program("gh", command);
    ran.map_err(|failure| match failure {
        GitFailure::Stopped(ending) if ending.cause == Some(Cause::Abort) => NotOpened::Stopped,
        GitFailure::Stopped(_) => refused(&"gh took too long and was stopped"),
        GitFailure::Failed(why) => refused(&why),
    })
}

fn has_gh(session: &Session<'_>) -> bool {
    let path = session.plan.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str());
    path.is_some_and(|path| !host::find_programs("gh", path).is_empty())
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
    /// The job was to stop.
    #[error("the job was to stop")]
    Stopped,
}

fn refused(why: &impl ToString) -> NotOpened {
    NotOpened::Refused(why.to_string())
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
