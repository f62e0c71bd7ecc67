//! Pushing the branch to one address, and looking whether the remote has it there.

use std::time::{Duration, Instant};

use pv_lib::{job::JobId, text::without_credentials};

use super::{
    name_conflict::{self, Remedy},
    pending::PendingDelivery,
    verdict::{End, Seen},
};
use crate::{
    git::{GitFailure, Origin, PushAnswer, PushReport, Repository, Runner, explain},
    process::Interruptible,
    session::Session,
};

/// How long the remote is asked after a push that was stopped. What is asked when this is over has a moment to end, so that
/// all is done within 10 s.
const ASK_LIMIT: Duration = Duration::from_secs(8);

/// The pause before it is asked again: what a remote took in before its connection broke may still arrive.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// What came of pushing to one address.
pub(super) struct Attempt {
    /// How the push ended.
    pub(super) end: End,
    /// What the remote has.
    pub(super) seen: Seen,
    /// Whether something that was sent may still arrive.
    pub(super) may_arrive: bool,
    /// What git and the remote said of a push that failed, for people; empty where none did.
    why: String,
    /// What was said when the remote was looked at; where it has another commit, that one.
    looked: String,
    /// What git reports of the branch, where the remote says no.
    pub(super) refusal: Option<String>,
    /// All that was said.
    pub(super) answer: PushAnswer,
}

/// One of the addresses that a repository is pushed to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) repository: &'a Repository,
    pub(super) url: &'a str,
}

/// A branch at an address, as git is given them.
struct Address {
    /// The mirror and the settings that come before every command.
    args: Vec<String>,
    url: String,
    reference: String,
}

impl Place<'_> {
    /// Returns the address as it may be shown.
    pub(super) fn shown(&self) -> String {
        without_credentials(self.url)
    }

    /// Looks what the remote has.
    pub(super) fn look(&self, session: &mut Session<'_>, pending: &PendingDelivery) -> Seen {
        let (address, id) = (self.address(session, pending), session.id().clone());
        address.look(&mut session.git(Interruptible::AfterGrace), &id, pending).0
    }

    /// Returns what a person can do where it is the branch's name that the remote does not take, or may be.
    pub(super) fn name_remedy(
        &self,
        session: &mut Session<'_>,
        pending: &PendingDelivery,
        attempt: &mut Attempt,
    ) -> Option<Remedy> {
        let reason = attempt.refusal.clone()?;
        let (address, branch) = (self.address(session, pending), &pending.branch);
        let mut git = session.git(Interruptible::AfterGrace);
        // Where the remote cannot be asked, what it said is all that is known.
        let conflict = name_conflict::find(&mut git, &address.args(), &address.url, branch).ok().flatten();
        let said = [vec![reason], attempt.answer.causes()].concat();
        let may_be_the_name = name_conflict::may_be_the_name(said.iter().map(String::as_str));
        name_conflict::remedy(conflict.as_ref(), may_be_the_name, &session.plan.delivery.branch_prefix)
    }

    fn address(&self, session: &Session<'_>, pending: &PendingDelivery) -> Address {
        let (mut settings, url) = self.repository.origin.as_it_is(self.url);
        for setting in session.plan.delivery.git_credentials(self.url) {
            settings.extend(["-c".to_owned(), setting]);
        }
        let mirror = ["--git-dir".to_owned(), self.repository.mirror.path.to_string()];
        Address {
            args: [&mirror, settings.as_slice()].concat(),
            url,
            reference: format!("refs/heads/{}", pending.branch),
        }
    }
}

impl Address {
    fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }

    /// Looks what the remote has.
    fn look(&self, git: &mut Runner<'_>, id: &JobId, pending: &PendingDelivery) -> (Seen, String) {
        let tip = match git.remote_tip(&self.args(), &self.url, &self.reference) {
            Ok(Some(tip)) if tip == pending.commit => return (Seen::Ours, String::new()),
            Ok(Some(tip)) => tip,
            Ok(None) => return (Seen::Nothing, String::new()),
            Err(failure) => return (Seen::NoAnswer, no_answer(failure)),
        };
        // Somebody may have added to the branch since it was pushed, now or by a delivery that was cut short after that.
        let seen = format!("+{}:refs/pv-seen/{id}", self.reference);
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", &self.url, &seen];
        let is_in = ["merge-base", "--is-ancestor", &pending.commit, &tip];
        let fetched = git.run(&[&self.args()[..], &fetch].concat());
        match fetched.and_then(|_| git.exit(&[&self.args()[..], &is_in].concat())) {
            Ok((Some(0), _)) => (Seen::Ours, String::new()),
            Ok((Some(1), _)) => (Seen::Other, tip),
            Ok((_, words)) => (Seen::NoAnswer, words),
            Err(failure) => (Seen::NoAnswer, no_answer(failure)),
        }
    }

    /// Asks a remote that a push was stopped to: again and again where that may still arrive, until the time for it is over.
    fn ask(&self, session: &mut Session<'_>, pending: &PendingDelivery, may_arrive: bool) -> (Seen, String) {
        let deadline = Instant::now() + ASK_LIMIT;
        let id = session.id().clone();
        let mut git = session.git(Interruptible::No).until(deadline);
        loop {
            let answer = self.look(&mut git, &id, pending);
            let is_final = answer.0 == Seen::Ours || (!may_arrive && answer.0 != Seen::NoAnswer);
            if is_final || Instant::now() + ASK_PAUSE >= deadline || git.pause(ASK_PAUSE).is_err() {
                return answer;
            }
        }
    }
}

/// Pushes the branch to one address, unless the job is to stop, and looks whether the remote has it.
///
/// An abort meanwhile waits no longer than its grace; the remote is asked then, within 10 s.
pub(super) fn push_to(session: &mut Session<'_>, pending: &PendingDelivery, place: &Place<'_>) -> Attempt {
    let url = place.url;
    if let Err(error) = session.plan.delivery.check_token(url) {
        return Attempt::without_push(End::NotBegun, Seen::NoAnswer, error.to_string());
    }
    let address = place.address(session, pending);
    if session.abort_requested() {
        if !pending.may_be_there {
            return Attempt::without_push(End::NotBegun, Seen::Nothing, String::new());
        }
        let mut attempt = Attempt::without_push(End::Stopped, Seen::NoAnswer, String::new());
        attempt.see(address.ask(session, pending, !is_local(url)), url);
        return attempt;
    }
    let refspec = format!("{}:{}", pending.commit, address.reference);
    // A person's own repository tidies itself up when it likes. Its hooks count: they are the remote's.
    let receive = "--receive-pack=git -c gc.auto=0 -c maintenance.auto=false -c receive.autogc=false receive-pack";
    let own = matches!(place.repository.origin, Origin::Local(_) | Origin::Asked { .. }).then_some(receive);
    let mut args = [&address.args()[..], &["push", "--porcelain", "--progress", "--no-verify"]].concat();
    args.extend(own);
    args.extend(["--", &address.url, &refspec]);
    let (report, answer) = session.git(Interruptible::AfterGrace).push(&args, &address.reference);
    let mut attempt = Attempt::of(report, answer, url);
    let is_doubtless = |attempt: &Attempt| {
        attempt.seen == Seen::Ours || (attempt.end == End::Refused && attempt.seen == Seen::Nothing)
    };
    if attempt.end != End::Stopped || !session.abort_requested() {
        let id = session.id().clone();
        attempt.see(address.look(&mut session.git(Interruptible::AfterGrace), &id, pending), url);
    }
    if session.abort_requested() && !is_doubtless(&attempt) {
        attempt.see(address.ask(session, pending, attempt.may_arrive), url);
    }
    attempt
}

impl Attempt {
    fn without_push(end: End, seen: Seen, why: String) -> Self {
        let (looked, answer) = (String::new(), PushAnswer::default());
        Self { end, seen, may_arrive: false, why, looked, refusal: None, answer }
    }

    fn of(report: Result<PushReport, GitFailure>, answer: PushAnswer, url: &str) -> Self {
        let mut attempt = Self { answer, ..Self::without_push(End::Taken, Seen::NoAnswer, String::new()) };
        match report {
            Ok(PushReport::Taken) => attempt.may_arrive = true,
            Ok(PushReport::Refused(reason)) => {
                let causes = attempt.answer.causes();
                let said = if causes.is_empty() { String::new() } else { format!(": {}", causes.join("; ")) };
                attempt.why = format!("it is refused ({reason}){said}");
                (attempt.end, attempt.refusal) = (End::Refused, Some(reason));
            }
            Ok(PushReport::Unanswered) => {
                let failure = GitFailure::Failed(attempt.answer.last_words());
                (attempt.end, attempt.may_arrive) = (End::Unanswered, failure.is_transient());
                attempt.why = explain(&failure.into_message(), url);
            }
            Err(failure @ GitFailure::Stopped(_)) => {
                // What a local remote was doing was started from here, and is ended with the rest.
                (attempt.end, attempt.may_arrive) = (End::Stopped, !is_local(url));
                attempt.why = failure.into_message();
            }
            Err(failure @ GitFailure::Failed(_)) => {
                attempt.end = End::NotBegun;
                attempt.why = failure.into_message();
            }
        }
        attempt
    }

    /// Notes what the remote at this address has.
    fn see(&mut self, (seen, said): (Seen, String), url: &str) {
        (self.seen, self.looked) = (seen, explain(&said, url));
    }

    /// Returns why the branch does not count as pushed there, in a sentence for people.
    pub(super) fn why(&self) -> String {
        match (self.end, self.seen) {
            (_, Seen::Other) => format!("the remote has another commit there, {}", self.looked),
            (End::Taken, Seen::NoAnswer) => {
                format!("git pushed it, but whether it arrived could not be seen: {}", self.looked)
            }
            (End::Taken, _) => "git pushed it, but the remote has nothing there".to_owned(),
            _ => self.why.clone(),
        }
    }

    /// Returns why nobody knows whether it arrived, in a sentence for people.
    pub(super) fn why_unknown(&self) -> String {
        self.looked.clone()
    }
}

/// Returns why a remote could not be asked.
fn no_answer(failure: GitFailure) -> String {
    match failure {
        GitFailure::Stopped(_) => "it did not answer in time".to_owned(),
        failed => failed.into_message(),
    }
}

/// Tells whether an address is a path: what receives there is started by git here.
fn is_local(url: &str) -> bool {
    url.starts_with(['/', '.', '~']) || url.starts_with("file://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_receives_at_a_path_is_started_here() {
        for (url, expected) in [
            ("/srv/git/r.git", true),
            ("../r.git", true),
            ("~/r.git", true),
            ("file:///srv/git/r.git", true),
            ("https://h/r", false),
            ("ssh://h/r", false),
            ("git@h:r.git", false),
            ("h:/srv/r.git", false),
        ] {
            assert_eq!(is_local(url), expected, "{url}");
        }
    }
}
