//! Whether the remotes answer, as jobs would ask them.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pv_lib::store::Store;
use pv_watcher::{Plan, RemoteAnswer, try_remotes};

use super::{Finding, job_side::JobSide};

const CHECK: &str = "remotes";

/// How long asking all of them may take.
const LIMIT: Duration = Duration::from_secs(15);

/// For how long what they answered counts, where somebody asks again and again.
const FRESH: Duration = Duration::from_secs(60);

/// How long somebody waits who asks for the first time.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Asks the remote of each clone and mirror. As another user than the watcher nobody is asked: keys, helpers and known hosts
/// are the watcher's.
pub(super) fn ask(store: &Store, plan: &Plan, side: &JobSide) -> Vec<Finding> {
    if side.watcher.is_some() && !side.identity.is_this_user() {
        let user = &side.runs_as.user;
        let message = format!("not asked: jobs reach them as {user}, with that user's keys and helpers");
        let any = !store.clones().found.is_empty();
        return any
            .then(|| Finding::warning(CHECK, message).with_remedy(format!("sudo -u {user} pv doctor")))
            .into_iter()
            .collect();
    }
    let plan = Plan { environment: side.environment().into_iter().collect(), ..plan.clone() };
    let answers = try_remotes(store, &plan, LIMIT);
    let mut found: Vec<Finding> = answers.asked.into_iter().map(finding).collect();
    if answers.not_asked > 0 {
        let message = format!("{} more were not asked: they are too many, or others took too long", answers.not_asked);
        found.push(Finding::warning(CHECK, message));
    }
    found
}

fn finding(answer: RemoteAnswer) -> Finding {
    let RemoteAnswer { repo, address, problem } = answer;
    let check = format!("remote of {repo}");
    match (problem, address) {
        (None, Some(address)) => Finding::ok(check, format!("{address} answers")),
        (None, None) => Finding::ok(check, "none: branches are pushed into the clone itself"),
        (Some(problem), address) => {
            let address = address.map(|address| format!("{address}: ")).unwrap_or_default();
            // What to do is in it.
            Finding::problem(check, format!("{address}{problem}"))
        }
    }
}

/// What the remotes answered last, for a service that is asked again and again: they are asked in a thread beside it, and no
/// more often than each minute.
#[derive(Debug, Default)]
pub(crate) struct RemoteCache {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    found: Option<(Instant, Vec<Finding>)>,
    is_asking: bool,
}

impl RemoteCache {
    /// Returns what was found last, and asks anew where that is old. Waits for two seconds at most.
    pub(super) fn latest(self: &Arc<Self>, ask: impl FnOnce() -> Vec<Finding> + Send + 'static) -> Vec<Finding> {
        let mut state = self.state();
        let is_fresh = state.found.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH);
        if !is_fresh && !state.is_asking {
            state.is_asking = true;
            let cache = Arc::clone(self);
            thread::spawn(move || {
                let found = ask();
                *cache.state() = State { found: Some((Instant::now(), found)), is_asking: false };
                cache.changed.notify_all();
            });
        }
        let is_waiting = |state: &mut State| state.found.is_none();
        let waited = self.changed.wait_timeout_while(state, FIRST_WAIT, is_waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.found {
            Some((_, found)) => found.clone(),
            None => vec![Finding::ok(CHECK, "they are being asked: look again in some seconds")],
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    };

    use super::*;
    use crate::checkup::Level;

    #[test]
    fn c24_a_remote_that_refuses_is_a_problem_that_says_what_to_do() {
        let answer = |address: Option<&str>, problem: Option<&str>| {
            let (address, problem) = (address.map(str::to_owned), problem.map(str::to_owned));
            finding(RemoteAnswer { repo: "o/r".into(), address, problem })
        };
        let (ok, none) = (answer(Some("https://h/o/r"), None), answer(None, None));
        assert_eq!((ok.level, ok.message.as_str()), (Level::Ok, "https://h/o/r answers"));
        assert_eq!((none.level, none.message.contains("none")), (Level::Ok, true));
        let bad = answer(Some("git@h:o/r"), Some("Host key verification failed; do this"));
        assert_eq!((bad.level, bad.check.as_str()), (Level::Problem, "remote of o/r"));
        assert_eq!(bad.message, "git@h:o/r: Host key verification failed; do this");
    }

    #[test]
    fn c24_a_service_asks_beside_its_answers_and_once_at_a_time() {
        let (cache, asked) = (Arc::new(RemoteCache::default()), Arc::new(AtomicUsize::new(0)));
        let (sender, receiver) = channel();
        let count = Arc::clone(&asked);
        let first = cache.latest(move || {
            count.fetch_add(1, Ordering::Relaxed);
            receiver.recv().unwrap();
            vec![Finding::ok("remote of a", "answers")]
        });
        assert!(first[0].message.contains("being asked"), "{first:?}");
        sender.send(()).unwrap();
        let found = loop {
            let found = cache.latest(|| panic!("it is being asked, or fresh"));
            if found[0].check == "remote of a" {
                break found;
            }
        };
        assert_eq!((found.len(), asked.load(Ordering::Relaxed)), (1, 1));
    }
}
