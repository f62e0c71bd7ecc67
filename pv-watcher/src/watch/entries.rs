//! What a round says of prompts and records that a person should look at.

use pv_lib::{
    job::{JobId, JobRecord},
    store::InboxPrompt,
    unusable::{Severity, Unusable},
};

/// What to do about a record that cannot be understood, where its prompt is in the inbox.
pub(crate) const REPAIR: &str = "repair its job.json, or move the folder away: its prompt then becomes a job again";

/// What to do about a file that came back.
pub(crate) const BROUGHT_BACK: &str = "where a synchronizer brought it back, let it not send again what was taken from the inbox, and \
                            abort the job";

/// Says of a live job's prompt that it is the same file as one before; `None` where it is not known to be.
pub(crate) fn same_file_entry(record: &JobRecord, own: Option<&InboxPrompt>) -> Option<Unusable> {
    let (same, own) = (record.same_file_as.as_deref()?, own?);
    let why =
        format!("it is the same file as {same}, by name, contents and time, and runs again as job {}", record.job_id);
    Some(Unusable::new(own.path.clone(), Severity::Warning, &why, BROUGHT_BACK))
}

/// Says of a claimed file that it is not its job's own.
pub(crate) fn claimed_copy_entry(copy: &InboxPrompt, id: &JobId, record: Option<&JobRecord>) -> Unusable {
    let target = record.and_then(JobRecord::target).map(|target| format!("{target}, ")).unwrap_or_default();
    let job = record.map(|record| format!(" ({target}{})", record.state())).unwrap_or_default();
    let why = format!(
        "it is marked as running under the id of job {id}{job}, whose record names another place: it is taken for a \
         copy, and not run"
    );
    let remedy = format!("remove it, or rename it to {}.prompt.md to make it a job of its own", copy.stem);
    Unusable::new(copy.path.clone(), Severity::Warning, &why, &remedy)
}
