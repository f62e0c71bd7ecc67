//! Whether the remotes of this installation's repositories answer, as a job would ask them.

use std::{
    collections::BTreeSet,
    rc::Rc,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pv_lib::{
    store::{RepoClone, Store},
    supervise::{Cause, Ending, TimeLimits},
    target::Target,
};

use crate::{
    git::{Attendant, GitFailure, GitSettings, Origin, Repository, Runner},
    plan::Plan,
    process::{Interruptible, JOB_ID_VARIABLE, OutputSink, Spawned, wait_plainly},
};

/// How many repositories are asked for.
const REMOTES_MAX: usize = 32;

/// How many are asked for at once.
const AT_ONCE: usize = 4;

/// How long one remote may take.
const EACH: Duration = Duration::from_secs(8);

/// What marks the processes of a checkup where a job's have its id.
const NO_JOB: &str = "checkup";

/// Whether one remote answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAnswer {
    /// The repository.
    pub repo: String,
    /// Its address, without a password; `None` where it has no remote, or that is not known.
    pub address: Option<String>,
    /// Why it cannot be used, and what to do; `None` where it answers, or where there is none.
    pub problem: Option<String>,
}

/// Whether the remotes answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteAnswers {
    /// Those that were asked, by repository.
    pub asked: Vec<RemoteAnswer>,
    /// How many were not, since there are too many or the time was over.
    pub not_asked: usize,
}

/// Asks the remote of each clone and mirror of this installation, as `git ls-remote` does, with the plan's environment and
/// credentials; 32 at most, four at once, and no longer than `limit`.
#[must_use]
pub fn try_remotes(store: &Store, plan: &Plan, limit: Duration) -> RemoteAnswers {
    let clones = store.clones().found;
    let repos: BTreeSet<(Option<String>, String)> =
        clones.into_iter().map(|RepoClone { owner, repo, .. }| (owner, repo)).collect();
    let targets: Vec<Target> =
        repos.iter().filter_map(|(owner, repo)| Target::new(owner.as_deref(), repo, "main").ok()).collect();
    let (deadline, next) = (Instant::now() + limit, AtomicUsize::new(0));
    let answers = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(targets.len()) {
            scope.spawn(|| {
                loop {
                    let target = targets.iter().take(REMOTES_MAX).nth(next.fetch_add(1, Ordering::Relaxed));
                    let left = deadline.saturating_duration_since(Instant::now()).min(EACH);
                    let Some(target) = target.filter(|_| !left.is_zero()) else { return };
                    let answer = ask(store, plan, target, left);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                }
            });
        }
    });
    let mut asked = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    asked.sort_by(|one, other| one.repo.cmp(&other.repo));
    let not_asked = targets.len() - asked.len();
    RemoteAnswers { asked, not_asked }
}

fn ask(store: &Store, plan: &Plan, target: &Target, limit: Duration) -> RemoteAnswer {
    let settings = GitSettings {
        environment: plan.environment.clone(),
        marker: (JOB_ID_VARIABLE, NO_JOB.to_owned()),
        grace: Duration::ZERO,
        timeout: limit,
        idle_timeout: limit,
        retry_pauses: Vec::new(),
        heartbeat: limit,
    };
    let mut waiter = PlainWaiter;
    let mut git = Runner::new(Rc::new(settings), Interruptible::No, &mut waiter).until(Instant::now() + limit);
    let repo = target.full_repo();
    let located = Repository::locate(&mut git, store.layout(), target, plan.remote.as_deref(), None);
    let repository = match located.map_err(|failure| failure.explained("").into_message()) {
        Ok(repository) => repository,
        Err(why) => return RemoteAnswer { repo, address: None, problem: Some(why) },
    };
    let origin = &repository.origin;
    if !matches!(origin, Origin::Remote(_)) {
        return RemoteAnswer { repo, address: None, problem: None };
    }
    let (rules, address) = origin.as_it_is(origin.url());
    let damaged = origin.fetched_from().into_iter().find_map(|url| plan.delivery.check_token(url).err());
    let credentials = plan.delivery.credentials_of(&origin.fetched_from());
    let settings: Vec<&str> =
        rules.iter().map(String::as_str).chain(credentials.iter().flat_map(|setting| ["-c", setting])).collect();
    let problem = if let Some(error) = damaged {
        Some(error.to_string())
    } else {
        let asked = git.remote_tip(&settings, &address, "HEAD");
        problem_of(asked.map_err(|failure| failure.explained(origin.url())), limit)
    };
    RemoteAnswer { repo, address: Some(origin.public_url()), problem }
}

fn problem_of(asked: Result<Option<String>, GitFailure>, limit: Duration) -> Option<String> {
    match asked {
        Ok(_) => None,
        Err(GitFailure::Stopped(_)) => Some(format!("it did not answer within {} s", limit.as_secs())),
        Err(failure) => Some(failure.into_message()),
    }
}

/// Waits for git, and for nothing else.
struct PlainWaiter;

impl Attendant for PlainWaiter {
    fn wait_for(
        &mut self,
        process: Spawned,
        output: &mut dyn OutputSink,
        _: Interruptible,
        limits: &TimeLimits,
    ) -> Ending {
        wait_plainly(process, output, limits.timeout.unwrap_or(EACH))
    }

    fn pause(&mut self, time: Duration, _: Interruptible) -> Result<(), Cause> {
        thread::sleep(time.min(EACH));
        Ok(())
    }

    fn run_blocking(&mut self, _: Duration, work: Box<dyn FnOnce() + Send>) -> bool {
        work();
        true
    }
}
