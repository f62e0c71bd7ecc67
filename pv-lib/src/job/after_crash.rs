//! What is to be done for a job whose supervisor is gone, by its record alone.

use super::{AfterAttempt, AttemptState, JobRecord, Phase};

/// What is to be done for a started job whose supervisor is gone. No attempt is ever executed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCrash {
    /// It ends as interrupted: no agent was started.
    Interrupted,
    /// What its agent left is saved. It ends as interrupted, unless the record says how its agent had ended.
    SaveWork,
    /// The checks run once more, on a checkout made from the saved work.
    CheckAgain,
    /// The checks were cut short twice: it ends as interrupted, its work being saved.
    Unchecked,
    /// The checks had run to their end; this comes after them.
    Next(AfterAttempt),
    /// Its delivery goes on.
    DeliverOn,
}

impl JobRecord {
    /// Decides what is to be done for the job, where it is `running` and its supervisor is gone. `allowed` is how many
    /// attempts it may have.
    #[must_use]
    pub fn after_crash(&self, allowed: u32) -> AfterCrash {
        let number = self.attempts.as_ref().and_then(|attempts| attempts.last()).map_or(0, |last| last.number);
        match self.phase {
            // One that a launcher let wait may have begun just then.
            Some(Phase::Preparing) if number == 0 => AfterCrash::Interrupted,
            Some(Phase::Delivering) => AfterCrash::DeliverOn,
            Some(Phase::Preparing | Phase::Agent | Phase::Saving) | None => AfterCrash::SaveWork,
            Some(Phase::Checking) => match self.checks.as_deref() {
                None if self.checks_rerun == Some(true) => AfterCrash::Unchecked,
                None => AfterCrash::CheckAgain,
                // Checks that ran once more decide how the job ends, and lead to no further attempt.
                Some(checks) => {
                    let allowed = if self.checks_rerun == Some(true) { 0 } else { allowed };
                    let results = Some(checks);
                    let state =
                        AttemptState { number, allowed, completed: true, changed: true, has_checks: true, results };
                    AfterCrash::Next(state.next())
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEN: &str = r#"{"name":"a","exit_code":0}"#;
    const RED: &str = r#"{"name":"b","exit_code":1}"#;

    #[test]
    fn g17_what_comes_after_a_crash() {
        use AfterCrash::{CheckAgain, DeliverOn, Interrupted, Next, SaveWork, Unchecked};
        let check = |keys: &str, expected: AfterCrash| {
            let json = format!(r#"{{"job_id":"a","state":"running",{keys}}}"#);
            let record = JobRecord::from_bytes(json.as_bytes()).unwrap();
            assert_eq!(record.after_crash(2), expected, "{keys}");
        };
        let attempts = |last: u32| {
            let all: Vec<String> = (1..=last).map(|number| format!(r#"{{"number":{number}}}"#)).collect();
            format!(r#""attempts":[{}]"#, all.join(","))
        };
        let (first, second) = (attempts(1), attempts(2));
        check(r#""phase":"preparing""#, Interrupted);
        check(&format!(r#""phase":"agent",{first}"#), SaveWork);
        check(&format!(r#""phase":"preparing",{first}"#), SaveWork);
        check(&format!(r#""phase":"agent",{second},"checks":[{RED}]"#), SaveWork);
        check(r#""other":1"#, SaveWork);
        check(&format!(r#""phase":"saving",{first}"#), SaveWork);
        check(&format!(r#""phase":"saving",{second},"checks":[{RED}]"#), SaveWork);
        check(&format!(r#""phase":"checking",{first}"#), CheckAgain);
        check(&format!(r#""phase":"checking",{first},"checks_rerun":true"#), Unchecked);
        check(&format!(r#""phase":"checking",{first},"checks":[{RED}]"#), Next(AfterAttempt::Repair));
        check(&format!(r#""phase":"checking",{second},"checks":[{RED}]"#), Next(AfterAttempt::EndRed));
        let rerun = format!(r#""phase":"checking",{first},"checks":[{RED}],"checks_rerun":true"#);
        check(&rerun, Next(AfterAttempt::EndRed));
        check(&format!(r#""phase":"checking",{first},"checks":[{GREEN}]"#), Next(AfterAttempt::Deliver));
        check(r#""phase":"checking""#, CheckAgain);
        check(&format!(r#""phase":"checking","checks":[{RED}]"#), Next(AfterAttempt::EndRed));
        check(&format!(r#""phase":"delivering",{first},"checks":[{GREEN}]"#), DeliverOn);
    }
}
