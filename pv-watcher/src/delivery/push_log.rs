//! `push.log` in the run folder: all that git and the remote said about a push that failed.

use pv_lib::fs::durable::{Durability, replace};
use tracing::warn;

use super::push_to::Attempt;
use crate::session::Session;

/// Keeps what was said, where anything was, and notes it in the record; tells whether it did.
pub(super) fn keep_push_log(session: &mut Session<'_>, branch: &str, place: &str, attempt: &Attempt) -> bool {
    let said = attempt.answer.text();
    if said.is_empty() && attempt.refusal.is_none() {
        return false;
    }
    let refusal = attempt.refusal.as_ref().map_or_else(String::new, |reason| format!(": refused ({reason})"));
    let text = format!("git push of {branch} to {place}{refusal}\n\n{said}");
    let path = session.store.layout().push_log_path(session.id());
    if let Err(error) = replace(session.store.fs(), &path, text.as_bytes(), Durability::OldOrNew) {
        warn!(job = %session.id(), "cannot keep what was said about the push: {error}: {}", error.source);
        return false;
    }
    session.update_record(|patch| patch.delivery.get_or_insert_default().push_log_path = Some(path.into_string()));
    true
}
