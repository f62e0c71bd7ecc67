//! What the checks of a repository said of a job's work.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckResult {
    /// Its name in the settings.
    pub name: String,
    /// The command that was run, as it is shown.
    pub command: String,
    /// How it exited, minus the signal's number if a signal ended it; absent where it was not started, or could not be
    /// ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// Whether it was ended because it ran longer than its limit.
    pub timed_out: bool,
    /// Why it was not run to its end, where it was not, in a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl CheckResult {
    /// Reads the results in a record's JSON; those that are none are left out.
    #[must_use]
    pub fn list(json: Option<&Value>) -> Vec<Self> {
        let items = json.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Self::deserialize(item).ok()).collect()
    }

    /// Tells whether it was started, ended by itself, and exited with 0.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.exit_code == Some(0) && !self.timed_out && self.error.is_none()
    }

    /// Returns how it ended, in a few words: `exit 0, 41 s`.
    #[must_use]
    pub fn ending(&self) -> String {
        let how = match (self.timed_out, &self.error, self.exit_code) {
            (true, ..) => "ended at its time limit".to_owned(),
            (false, Some(error), _) => error.clone(),
            (false, None, Some(code)) if code < 0 => format!("signal {}", code.unsigned_abs()),
            (false, None, Some(code)) => format!("exit {code}"),
            (false, None, None) => "not known how it ended".to_owned(),
        };
        format!("{how}, {}", seconds(self.seconds))
    }
}

/// Tells whether all of these checks are green; `None` where there are none.
#[must_use]
pub fn verified(checks: &[CheckResult]) -> Option<bool> {
    (!checks.is_empty()).then(|| checks.iter().all(CheckResult::is_green))
}

/// Returns a time as people say it: with a decimal below ten seconds, in whole seconds above.
fn seconds(seconds: f64) -> String {
    if seconds < 9.95 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> CheckResult {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn green_is_only_what_was_started_and_ended_by_itself_with_0() {
        let green = r#"{"name":"test","command":"cargo test","exit_code":0,"seconds":41.2,"timed_out":false}"#;
        let table = [
            (green, true, "exit 0, 41 s"),
            (r#"{"exit_code":101,"seconds":1.23}"#, false, "exit 101, 1.2 s"),
            (r#"{"exit_code":-9,"seconds":10}"#, false, "signal 9, 10 s"),
            (r#"{"exit_code":0,"timed_out":true,"seconds":900}"#, false, "ended at its time limit, 900 s"),
            (r#"{"seconds":0,"error":"could not be started"}"#, false, "could not be started, 0.0 s"),
            (r#"{"exit_code":0,"error":"stopped on request"}"#, false, "stopped on request, 0.0 s"),
            ("{}", false, "not known how it ended, 0.0 s"),
        ];
        for (json, is_green, ending) in table {
            assert_eq!((check(json).is_green(), check(json).ending().as_str()), (is_green, ending), "{json}");
            assert_eq!(verified(&[check(green), check(json)]), Some(is_green), "{json}");
        }
        assert_eq!(verified(&[]), None);
    }

    #[test]
    fn what_a_newer_version_wrote_of_a_check_stays() {
        let json = r#"{"name":"a","command":"b","seconds":1.0,"timed_out":false,"retries":3}"#;
        assert_eq!(serde_json::to_value(check(json)).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    }
}
