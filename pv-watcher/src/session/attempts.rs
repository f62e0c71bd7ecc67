//! The attempts of a job in its record.

use pv_lib::{
    Error, host,
    job::{Attempt, CheckResult, Phase, verified},
};

use super::{Session, Verification};

impl Session<'_> {
    /// Returns the attempts so far.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        self.writer.record().attempts.as_deref().unwrap_or_default()
    }

    /// Returns the number of the last attempt; 0 where there is none.
    pub(crate) fn attempt_number(&self) -> u32 {
        self.attempts().last().map_or(0, |last| last.number)
    }

    /// Writes the entry of the next attempt, durably: its agent may be executed once that is done, and not before. What
    /// checks said of the work before counts no more.
    ///
    /// # Errors
    /// Where the record could not be written: a crash would leave work that nobody knows of.
    pub(crate) fn begin_attempt(&mut self) -> Result<(), Error> {
        let attempt =
            Attempt { number: self.attempt_number() + 1, started_at: Some(host::now()), ..Attempt::default() };
        self.update_record(|patch| {
            patch.phase = Some(Phase::Agent);
            patch.verification = Some(Verification::default());
            patch.attempts.get_or_insert_default().push(attempt);
        });
        self.flush()
    }

    /// Notes what the checks said of the work as it is, and whether all of them are green. Where they did not all run to
    /// their end, only the attempt's entry has what they said: for the work as it is, that cannot be told, and a supervisor
    /// that takes over runs them again.
    pub(crate) fn note_checks(&mut self, results: &[CheckResult], is_whole: bool) {
        let verification = if is_whole {
            Verification { checks: Some(results.to_vec()), verified: verified(results) }
        } else {
            Verification::default()
        };
        self.update_record(|patch| {
            patch.verification = Some(verification);
            if let Some(attempt) = patch.attempts.iter_mut().flatten().last() {
                attempt.checks = Some(results.to_vec());
            }
        });
    }
}
