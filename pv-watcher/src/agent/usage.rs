//! What an agent's work took.

use std::fmt;

use serde::Serialize;

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
    fn usage_is_a_small_object_of_what_was_told() {
        let usage = Usage { input_tokens: Some(300), cached_input_tokens: Some(0), ..Usage::default() };
        assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"input_tokens":300,"cached_input_tokens":0}"#);
        assert_eq!(usage.to_string(), "usage: 300 tokens in");
        let usage = Usage { output_tokens: Some(9), cost_usd: Some(0.003), turns: Some(2), ..usage };
        assert_eq!(usage.to_string(), "usage: 300 tokens in, 9 tokens out, 0.0030 USD, 2 turns");
    }
}
