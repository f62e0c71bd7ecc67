//! The attempts of a job: each runs its agent once. What comes after one is decided here, as a pure function.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CheckResult, verified};
use crate::time::Timestamp;

/// One run of a job's agent. Its entry is in the record, durably, before the agent is executed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// Which one it is: 1 for the first.
    pub number: u32,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its agent, and all that this started, was gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The agent's exit code; minus the signal's number if a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The agent's session, by its first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Tokens and cost of this attempt alone, as far as the agent reported them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// The commit of the mirror that holds the work as this attempt left it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What the checks said of that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckResult>>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Where a job stands once an attempt's agent is gone and its work is saved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttemptState<'a> {
    /// Which attempt it is; 0 for a job that runs no agent.
    pub number: u32,
    /// How many attempts the job may have.
    pub allowed: u32,
    /// Whether the agent's turn completed.
    pub completed: bool,
    /// Whether there is a commit to deliver.
    pub changed: bool,
    /// Whether there are checks to run.
    pub has_checks: bool,
    /// What they said, once they ran to their end.
    pub results: Option<&'a [CheckResult]>,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAttempt {
    /// The checks run.
    Check,
    /// The work is delivered.
    Deliver,
    /// Another attempt is to mend what the checks found.
    Repair,
    /// The job ends red: the work is kept, and not delivered.
    EndRed,
    /// There is nothing to deliver.
    EndUnchanged,
    /// The job ends as its agent did.
    EndAsItDid,
}

impl AttemptState<'_> {
    /// Decides what comes next.
    #[must_use]
    pub fn next(&self) -> AfterAttempt {
        match (self.completed, self.changed, self.has_checks, self.results.and_then(verified)) {
            (false, ..) => AfterAttempt::EndAsItDid,
            // What the first attempt did and a later one took back is still kept, and still red.
            (true, false, ..) if self.number > 1 => AfterAttempt::EndRed,
            (true, false, ..) => AfterAttempt::EndUnchanged,
            (true, true, false, None) | (true, true, _, Some(true)) => AfterAttempt::Deliver,
            (true, true, true, None) => AfterAttempt::Check,
            (true, true, _, Some(false)) if self.number > 0 && self.number < self.allowed => AfterAttempt::Repair,
            (true, true, _, Some(false)) => AfterAttempt::EndRed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEN: &str = r#"{"name":"a","exit_code":0}"#;
    const RED: &str = r#"{"name":"b","exit_code":1}"#;

    fn results(json: &str) -> Vec<CheckResult> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_comes_after_an_attempt() {
        use AfterAttempt::{Check, Deliver, EndAsItDid, EndRed, EndUnchanged, Repair};
        let (green, red) = (format!("[{GREEN},{GREEN}]"), format!("[{GREEN},{RED}]"));
        // (attempt, of, completed, changed, has checks, results) -> next
        type Case<'a> = (u32, u32, bool, bool, bool, Option<&'a str>, AfterAttempt);
        let table: [Case<'_>; 18] = [
            (1, 1, true, true, false, None, Deliver),
            (1, 3, true, true, false, None, Deliver),
            (1, 1, true, false, false, None, EndUnchanged),
            (1, 3, true, false, true, None, EndUnchanged),
            (2, 3, true, false, true, None, EndRed),
            (1, 1, false, true, true, None, EndAsItDid),
            (1, 3, false, false, true, None, EndAsItDid),
            (2, 3, false, true, true, None, EndAsItDid),
            (1, 1, true, true, true, None, Check),
            (2, 2, true, true, true, None, Check),
            (1, 1, true, true, true, Some(&green), Deliver),
            (3, 3, true, true, true, Some(&green), Deliver),
            (1, 1, true, true, true, Some(&red), EndRed),
            (1, 2, true, true, true, Some(&red), Repair),
            (2, 2, true, true, true, Some(&red), EndRed),
            (2, 3, true, true, true, Some(&red), Repair),
            // A job that runs no agent, only checks on work that is kept.
            (0, 3, true, true, true, Some(&red), EndRed),
            (0, 0, true, true, true, Some(&green), Deliver),
        ];
        for (number, allowed, completed, changed, has_checks, said, expected) in table {
            let said = said.map(results);
            let state = AttemptState { number, allowed, completed, changed, has_checks, results: said.as_deref() };
            assert_eq!(state.next(), expected, "{state:?}");
        }
    }
}
