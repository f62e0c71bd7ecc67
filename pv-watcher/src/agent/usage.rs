//! What an agent's work took.

use std::fmt;

use pv_lib::job::Attempt;
use serde::Serialize;
use serde_json::{Map, Value};

/// What the work took, as far as the agent reported; the object `usage` of a record. A number that was not reported is not
/// there. `input_tokens` counts all input, what came from a cache included, which `cached_input_tokens` counts too.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Usage {
    /// Tokens that the model read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_tokens: Option<u64>,
    /// Of these, tokens that came from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cached_input_tokens: Option<u64>,
    /// Tokens that the model wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_tokens: Option<u64>,
    /// What it cost, in US dollars, by the agent's own price list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_usd: Option<f64>,
    /// How many times the model answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turns: Option<u64>,
}

/// Returns what one run took, where its agent reports what its whole session took so far: what earlier runs of that session
/// took is taken away.
pub(super) fn own_usage(reported: Value, session: Option<&str>, earlier: &[Attempt]) -> Value {
    let same = earlier.iter().filter(|attempt| session.is_some() && attempt.session.as_deref() == session);
    same.filter_map(|attempt| attempt.usage.as_ref())
        .fold(reported, |rest, taken| combine(&rest, taken, u64::saturating_sub, |left, taken| (left - taken).max(0.0)))
}

/// Returns what all attempts together took; `None` where none of them reported anything.
pub(super) fn total_usage(attempts: &[Attempt]) -> Option<Value> {
    let reported = attempts.iter().filter_map(|attempt| attempt.usage.clone());
    reported.reduce(|sum, more| {
        let mut sum = combine(&sum, &more, u64::saturating_add, |sum, more| sum + more);
        if let (Value::Object(sum), Value::Object(more)) = (&mut sum, more) {
            for (key, value) in more {
                sum.entry(key).or_insert(value);
            }
        }
        sum
    })
}

/// Combines the numbers that two objects have under the same keys, and leaves the others of the first as they are.
fn combine(first: &Value, second: &Value, whole: fn(u64, u64) -> u64, fraction: fn(f64, f64) -> f64) -> Value {
    let entry = |(key, value): (&String, &Value)| {
        let other = &second[key.as_str()];
        let combined = match (value.as_u64(), other.as_u64(), value.as_f64(), other.as_f64()) {
            (Some(a), Some(b), ..) => whole(a, b).into(),
            (_, _, Some(a), Some(b)) => fraction(a, b).into(),
            _ => value.clone(),
        };
        (key.clone(), combined)
    };
    first.as_object().into_iter().flatten().map(entry).collect::<Map<_, _>>().into()
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: Option<u64>, what: &str| n.map(|n| format!("{n} {what}"));
        let parts = [
            count(self.input_tokens, "tokens in"),
            count(self.cached_input_tokens.filter(|n| *n > 0), "of them cached"),
            count(self.output_tokens, "tokens out"),
            self.cost_usd.filter(|cost| *cost > 0.0).map(|cost| format!("{cost:.4} USD")),
            count(self.turns, if self.turns == Some(1) { "turn" } else { "turns" }),
        ];
        write!(f, "usage: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_sum_becomes_what_each_run_took_and_the_job_all_of_it() {
        let attempt = |session: &str, input: u64, cost: Option<f64>| {
            let mut usage = serde_json::json!({ "input_tokens": input });
            if let Some(cost) = cost {
                usage["cost_usd"] = cost.into();
            }
            Attempt { session: Some(session.to_owned()), usage: Some(usage), ..Attempt::default() }
        };
        let sum = serde_json::json!({ "input_tokens": 600, "turns": 3 });
        let earlier = [attempt("a", 200, None), attempt("b", 50, Some(0.5)), attempt("a", 150, Some(0.25))];
        let own = |session: Option<&str>| own_usage(sum.clone(), session, &earlier)["input_tokens"].clone();
        assert_eq!(
            (own(Some("a")), own(Some("b")), own(Some("c")), own(None)),
            (250.into(), 550.into(), 600.into(), 600.into())
        );
        assert_eq!(total_usage(&earlier), Some(serde_json::json!({ "input_tokens": 400, "cost_usd": 0.75 })));
        assert_eq!(total_usage(&[Attempt::default()]), None);
    }

    #[test]
    fn usage_is_a_small_object_of_what_was_told() {
        let usage = Usage { input_tokens: Some(300), cached_input_tokens: Some(0), ..Usage::default() };
        assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"input_tokens":300,"cached_input_tokens":0}"#);
        assert_eq!(usage.to_string(), "usage: 300 tokens in");
        let usage = Usage { output_tokens: Some(9), cost_usd: Some(0.003), turns: Some(2), ..usage };
        assert_eq!(usage.to_string(), "usage: 300 tokens in, 9 tokens out, 0.0030 USD, 2 turns");
    }
}
