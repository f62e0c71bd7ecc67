//! The settings of delivery: their keys, kinds and defaults.

use super::{
    ConfigError, Delivery, EmptyWork, PullRequest,
    settings::DELIVERY_TOKEN_FILE,
    sources::{Sources, keys},
    types,
};
use crate::prompt::Deliver;

/// Finds the settings of delivery.
///
/// # Errors
/// As [`super::load`].
pub(super) fn find(s: &mut Sources<'_>) -> Result<Delivery, ConfigError> {
    Ok(Delivery {
        mode: s.with_default(&keys(&["delivery.mode"]), &types::DELIVER, Deliver::PullRequest)?,
        empty: s.with_default(&keys(&["delivery.empty"]), &types::EMPTY_WORK, EmptyWork::Ok)?,
        pull_request: s.with_default(&keys(&["delivery.pull_request"]), &types::PULL_REQUEST, PullRequest::Auto)?,
        api_base: s.with_default(&keys(&["delivery.api_base"]), &types::HTTP_URL, "https://api.github.com".into())?,
        branch_prefix: s.with_default(&keys(&["delivery.branch_prefix"]), &types::BRANCH_PREFIX, "codex/".into())?,
        author_name: s.with_default(&keys(&["delivery.author_name"]), &types::TEXT, "Prompt Valet".into())?,
        author_email: s.with_default(
            &keys(&["delivery.author_email"]),
            &types::TEXT,
            "prompt-valet@localhost".into(),
        )?,
        include_prompt: s.with_default(&keys(&["delivery.include_prompt"]), &types::SWITCH, false)?,
        draft: s.with_default(&keys(&["delivery.draft"]), &types::SWITCH, false)?,
        labels: s.with_default(&keys(&["delivery.labels"]), &types::LABELS, Vec::new())?,
        reviewers: s.with_default(&keys(&["delivery.reviewers"]), &types::REVIEWERS, Vec::new())?,
        token_file: s.optional(&keys(&[DELIVERY_TOKEN_FILE]), &types::SECRET_FILE)?,
    })
}
