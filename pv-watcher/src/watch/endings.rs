//! Jobs whose supervisor is gone, hangs, or ends again and again before it could start them.

use std::collections::HashSet;

use pv_lib::{
    Error, Result,
    job::{FailReason, JobId, JobRecord, Outcome, Phase},
    time::Timestamp,
};
use tracing::warn;

use crate::{
    watch::launch::Launcher,
    watch::reconcile::{At, Reconciler, failed},
};

/// How often a supervisor may end before it wrote `running`, or before it ended a job that it took over, until the
/// watcher ends the job itself.
const MAX_LAUNCHES: u32 = 3;

impl<L: Launcher> Reconciler<L> {
    /// Gives a running job a supervisor again, since its own is gone; after several that could not end it either, it is
    /// ended here, its checkout left as it is.
    pub(crate) fn resume(&mut self, id: &JobId, now: Timestamp) -> Result<()> {
        let tries = self.resumes.entry(id.clone()).or_default();
        if *tries < MAX_LAUNCHES {
            self.launcher.launch(id).map_err(|source| failed("start a supervisor for", id.as_str().into(), source))?;
            *tries += 1;
            warn!(job = %id, "its supervisor is gone: another one brings it to its end");
            return Ok(());
        }
        let ended = self.launcher.kill_orphans(id);
        let ended = ended.map_err(|source| failed("end the processes of", id.as_str().into(), source))?;
        let delivering =
            self.store.read_run(id)?.record().is_some_and(|record| record.phase == Some(Phase::Delivering));
        let kept = if delivering {
            format!("`pv retry {id}` delivers its work")
        } else {
            format!("what its agent did is still in {}", self.store.layout().checkout_path(id))
        };
        let message = format!(
            "its supervisor ended before the job did, and {MAX_LAUNCHES} more could not end it: the watcher's log says \
             why; {kept}"
        );
        self.store.interrupt(id, &message, now)?;
        warn!(job = %id, ended, "interrupted: no supervisor could bring it to its end");
        Ok(())
    }

    /// Tells whether a job's supervisor ended again and again before it wrote `running`: it is not started again.
    pub(crate) fn is_unstartable(&self, id: &JobId) -> bool {
        self.launches.get(id).is_some_and(|count| *count >= MAX_LAUNCHES)
    }

    /// A job whose supervisor ended again and again before it wrote `running` is failed, instead of tried for ever.
    pub(crate) fn fail_unstartable(&mut self, active: &HashSet<JobId>, at: At) {
        let tired = self.launches.keys().filter(|id| self.is_unstartable(id) && !active.contains(*id));
        let tired: Vec<JobId> = tired.cloned().collect();
        for id in tired {
            let message = format!(
                "its supervisor ended {MAX_LAUNCHES} times before it could start the job: the watcher's log says why"
            );
            let outcome = Outcome::Failed { reason: FailReason::Start, message };
            let end = |this: &mut Self| match this.store.end_unstarted(&id, outcome, at.now) {
                Err(Error::Illegal(_) | Error::JobNotFound(_)) => Ok(()),
                ended => ended,
            };
            if self.attempt(&self.store.layout().run_path(&id), "end it", None, at, end).is_some() {
                self.launches.remove(&id);
            }
        }
    }

    /// Ends a supervisor that has not answered an abort for so long that it must be stopped or hung. One that saves or
    /// delivers does not answer until that is done, and shows by its heartbeat that it lives.
    pub(crate) fn kill_if_hung(&mut self, id: &JobId, record: Option<&JobRecord>, at: At) {
        let asked = self.store.abort_requested_at(id).unwrap_or_default();
        let beat = record.and_then(|record| record.heartbeat_at);
        let silent_since = asked.map(|asked| beat.map_or(asked, |beat| asked.max(beat)));
        if silent_since.is_none_or(|since| at.now.since(since) <= self.tuning.hung_after) {
            return;
        }
        let lock = self.store.layout().lock_path(id);
        let end = |this: &mut Self| {
            let ended = this.launcher.kill_hung(&lock);
            ended.map_err(|source| failed("end the supervisor that holds", lock.clone(), source))
        };
        let run = self.store.layout().run_path(id);
        if self.attempt(&run, "end its supervisor", None, at, end).is_some() {
            // Until it is gone, which may take long where it waits for a dead disk.
            self.failing.log_limited(
                run.as_str(),
                &format!("{run}: its supervisor did not answer an abort, and was ended"),
                at.uptime,
            );
        }
    }
}
