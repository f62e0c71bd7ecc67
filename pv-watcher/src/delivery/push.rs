//! Handing over an agent's work: the branch pushed and seen on the remote, then the pull request.
//!
//! Everything is named by the job and pinned to one commit, so that a delivery that was cut short is simply done again:
//! the push finds its branch there already, and the pull request is found instead of opened. The record names branch and
//! commit before the push begins; `succeeded` comes only after the remote has them.

use pv_lib::{
    job::{FailReason, Outcome, Phase, Undelivered, branch_name},
    prompt::Deliver,
    target::Target,
    text::without_credentials,
};

use crate::{
    git::mirror::{Origin, Repository},
    git::runner::{GitFailure, Interruptible, with_remedy},
    session::session::Session,
};

/// What is to be handed over, and where.
#[derive(Debug, Clone)]
pub(crate) struct PendingDelivery {
    /// Where to.
    pub(crate) target: Target,
    /// As what.
    pub(crate) mode: Deliver,
    /// Under which branch.
    pub(crate) branch: String,
    /// The commit that holds it.
    pub(crate) commit: String,
    /// The commit that it began with.
    pub(crate) base_commit: String,
}

impl Session<'_> {
    /// Hands over the work of a job that went well. From here on no abort counts: what the remote says wins.
    pub(crate) fn deliver_work(&mut self, commit: &str, base_commit: &str, mode: Deliver) -> Outcome {
        let Some(target) = self.writer.record().target() else {
            return Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch");
        };
        let title = self.writer.record().title.clone();
        let pending = PendingDelivery {
            target,
            mode,
            branch: branch_name(&self.plan.delivery.branch_prefix, title.as_deref(), self.id()),
            commit: commit.to_owned(),
            base_commit: base_commit.to_owned(),
        };
        self.deliver(&pending)
    }

    /// Takes over what another job did and could not hand over, and hands it over: under the branch that it has.
    pub(crate) fn deliver_again(&mut self, work: &Undelivered, mode: Deliver) -> Outcome {
        let taken = self.mirror().ok_or_else(|| "the record names no usable repository".to_owned());
        if let Err(why) = taken.and_then(|mirror| self.take_over(&mirror, work)) {
            return Outcome::failed(
                FailReason::Delivery,
                format!("cannot deliver the work of job {}: {why}", work.job_id),
            );
        }
        let base_commit = work.base_commit.clone();
        self.update_record(|patch| patch.base_commit = Some(base_commit));
        self.note_commit(&work.commit);
        self.deliver_on(work, mode)
    }

    /// Goes on with handing over work that is saved.
    pub(crate) fn deliver_on(&mut self, work: &Undelivered, mode: Deliver) -> Outcome {
        let Some(target) = self.writer.record().target() else {
            return Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch");
        };
        let pending = PendingDelivery {
            target,
            mode,
            branch: work.branch.clone(),
            commit: work.commit.clone(),
            base_commit: work.base_commit.clone(),
        };
        self.deliver(&pending)
    }

    /// Hands over what is in the mirror already. May be repeated.
    fn deliver(&mut self, pending: &PendingDelivery) -> Outcome {
        if pending.mode == Deliver::Nothing {
            let message = "the work is saved as changes.patch and in the mirror; it is not pushed, as configured";
            return Outcome::Succeeded { message: Some(message.to_owned()) };
        }
        self.update_record(|patch| {
            patch.phase = Some(Phase::Delivering);
            let delivery = patch.delivery.get_or_insert_default();
            delivery.branch = Some(pending.branch.clone());
            delivery.commit = Some(pending.commit.clone());
        });
        let Err(why) = self.flush() else {
            return self.push_and_propose(pending);
        };
        // What a crash now would leave behind could not be told from a job that was never delivered.
        Outcome::failed(FailReason::Delivery, format!("the record could not be written before the push: {why}"))
    }

    fn push_and_propose(&mut self, pending: &PendingDelivery) -> Outcome {
        let repository = match self.repository(&pending.target, Interruptible::No) {
            Ok(repository) => repository,
            Err(failure) => {
                return self.undelivered("cannot find where to push", &with_remedy(&failure.into_message()));
            }
        };
        // A remote may have several addresses to push to: git pushes to each.
        let (branch, mut have_it) = (&pending.branch, Vec::new());
        for url in repository.origin.push_urls() {
            let place = without_credentials(url);
            if let Err(failure) = self.push(&repository, pending, url) {
                let why = with_remedy(&failure.into_message());
                let but = if have_it.is_empty() { "" } else { ", but others have it" };
                return self.undelivered(&format!("cannot push {branch} to {place}{but}"), &why);
            }
            have_it.push(place);
        }
        let pushed = format!("pushed {branch} to {}", have_it.join(" and "));
        if pending.mode == Deliver::Branch {
            return Outcome::Succeeded { message: Some(pushed) };
        }
        self.propose(&repository, pending, &pushed)
    }

    /// Pushes the branch to one address, and looks whether the remote has it there.
    fn push(&mut self, repository: &Repository, pending: &PendingDelivery, url: &str) -> Result<(), GitFailure> {
        self.plan.delivery.check_token(url).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let credentials = self.plan.delivery.git_credentials(url);
        let (rules, address) = repository.origin.as_it_is(url);
        let url = address.as_str();
        let mut settings: Vec<&str> = rules.iter().map(String::as_str).collect();
        credentials.iter().for_each(|setting| settings.extend(["-c", setting]));
        let git = [&["--git-dir", repository.mirror.as_str()], settings.as_slice()].concat();
        let reference = format!("refs/heads/{}", pending.branch);
        let refspec = format!("{}:{reference}", pending.commit);
        // A person's own repository tidies itself up when it likes. Its hooks count: they are the remote's.
        let receive = "--receive-pack=git -c gc.auto=0 -c maintenance.auto=false -c receive.autogc=false receive-pack";
        let own = matches!(repository.origin, Origin::Local(_)).then_some(receive);
        let mut push = [&git[..], &["push", "--quiet", "--no-verify"]].concat();
        push.extend(own);
        push.extend(["--", url, &refspec]);
        let pushed = self.git_with_retry(&push, Interruptible::No);
        let there = self.remote_tip(&settings, url, &reference, Interruptible::No);
        match (pushed, there) {
            (_, Ok(Some(tip))) if tip == pending.commit => Ok(()),
            (_, Ok(Some(tip))) if self.remote_advanced(&git, pending, url, &reference, &tip) => Ok(()),
            (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure),
            (Ok(_), Ok(tip)) => {
                let tip = tip.as_deref().unwrap_or("nothing");
                Err(GitFailure::Failed(format!("git pushed {}, but the remote has {tip} there", pending.commit)))
            }
        }
    }

    /// Tells whether somebody added to the branch since it was pushed, now or by a delivery that was cut short after that.
    fn remote_advanced(
        &mut self,
        git: &[&str],
        pending: &PendingDelivery,
        url: &str,
        reference: &str,
        tip: &str,
    ) -> bool {
        let seen = format!("+{reference}:refs/pv-seen/{}", self.id());
        let fetch = [git, &["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", url, &seen]].concat();
        let is_in = [git, &["merge-base", "--is-ancestor", &pending.commit, tip]].concat();
        self.git(&fetch, Interruptible::No).is_ok() && self.git(&is_in, Interruptible::No).is_ok()
    }

    /// Notes why the work could not be handed over, and returns the outcome.
    pub(crate) fn undelivered(&mut self, what: &str, why: &str) -> Outcome {
        self.update_record(|patch| patch.delivery.get_or_insert_default().error = Some(why.to_owned()));
        let id = self.id();
        let kept = format!("the work is saved: `pv diff {id}` shows it, `pv retry {id}` tries to deliver it again");
        Outcome::failed(FailReason::Delivery, format!("{what}: {why}; {kept}"))
    }
}
