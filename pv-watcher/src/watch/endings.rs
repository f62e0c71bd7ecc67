//! Jobs whose supervisor is gone, hangs, or ends again and again before it could start them.

use std::{collections::HashSet, time::Duration};

use pv_lib::{
    Error, Result,
    fs::FsExt,
    job::{FailReason, JobId, JobRecord, KeptWork, Outcome, Phase, Undelivered},
    time::Timestamp,
};
use tracing::warn;

use crate::{
    process::LockHolder,
    watch::launch::Launcher,
    watch::reconcile::{At, Reconciler, failed},
};

/// How often a supervisor may end before it wrote `running`, or before it ended a job that it took over, until the
/// watcher ends the job itself.
const MAX_LAUNCHES: u32 = 3;

/// When a supervisor that was killed and is still there is looked at again.
const KILL_AGAIN: Duration = Duration::from_secs(5);

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
        let (layout, run) = (self.store.layout(), self.store.read_run(id)?);
        let (checkout, record) = (layout.checkout_path(id), run.record());
        let is_checked = record.is_some_and(|record| record.phase == Some(Phase::Checking));
        let kept = if record.and_then(Undelivered::of).is_some() {
            format!("; `pv retry {id}` delivers its work")
        } else if is_checked && record.is_some_and(|record| KeptWork::of(record).is_ok()) {
            format!("; its work is saved: `pv retry --checks {id}` checks it, and delivers it where it is green")
        } else if self.store.fs().is_dir(&checkout)? {
            format!("; what its agent did is still in {checkout}")
        } else {
            String::new()
        };
        let message = format!(
            "its supervisor ended before the job did, and {MAX_LAUNCHES} more ended before they had brought it to its end: \
             {} may say why{kept}",
            layout.supervisor_log_path(id)
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
            let log = self.store.layout().supervisor_log_path(&id);
            let message =
                format!("its supervisor ended {MAX_LAUNCHES} times before it had started the job: {log} may say why");
            let outcome = if self.store.abort_requested(&id).unwrap_or(false) {
                Outcome::Aborted { message: Some(format!("aborted before it started; {message}")) }
            } else {
                Outcome::failed(FailReason::Start, message)
            };
            let end = |this: &mut Self| match this.store.end_unstarted(&id, &outcome, at.now) {
                Err(Error::Illegal(_) | Error::JobNotFound(_)) => Ok(()),
                ended => ended,
            };
            if self.attempt(&self.store.layout().run_path(&id), "end it", None, at, end).is_some() {
                self.launches.remove(&id);
            }
        }
    }

    /// Ends a supervisor that has not answered an abort for so long that it must be stopped or hung. One that saves or
    /// delivers does not answer until that is done, and shows by its heartbeat that it lives. Returns when it is to be
    /// looked at again, on the watcher's clock.
    pub(crate) fn kill_if_hung(&mut self, id: &JobId, record: Option<&JobRecord>, at: At) -> Option<Duration> {
        let asked = self.store.abort_requested_at(id).unwrap_or_default();
        let beat = record.and_then(|record| record.heartbeat_at);
        let silent_for = at.now.since(asked.map(|asked| beat.map_or(asked, |beat| asked.max(beat)))?);
        if silent_for <= self.tuning.hung_after {
            // Times in records are whole seconds.
            return Some(at.uptime + (self.tuning.hung_after - silent_for) + Duration::from_secs(1));
        }
        let lock = self.store.layout().lock_path(id);
        let end = |this: &mut Self| {
            let ended = this.launcher.kill_hung(&lock);
            ended.map_err(|source| failed("end the supervisor that holds", lock.clone(), source))
        };
        let run = self.store.layout().run_path(id);
        let seen = words_for(self.attempt(&run, "end its supervisor", None, at, end)?)?;
        let line = format!("{run}: its supervisor did not answer an abort for {} s, {seen}", silent_for.as_secs());
        self.failing.log_limited(run.as_str(), &line, at.uptime);
        Some(at.uptime + KILL_AGAIN)
    }
}

/// Returns what there is to say of a supervisor that did not answer, by what was seen of its end; nothing of one that had
/// ended by itself.
fn words_for(seen: LockHolder) -> Option<&'static str> {
    match seen {
        LockHolder::Nobody => None,
        LockHolder::Gone => Some("and was killed"),
        LockHolder::Remains => Some("and is still there after SIGKILL, as one is that waits for a disk"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_8_that_a_supervisor_was_killed_is_said_where_it_was_seen() {
        assert_eq!(words_for(LockHolder::Nobody), None);
        assert_eq!(words_for(LockHolder::Gone), Some("and was killed"));
        assert!(words_for(LockHolder::Remains).is_some_and(|words| words.contains("still there")));
    }
}
