//! What a job has while its supervisor works on it: its run lock, the changes of its record, its heartbeat.

mod abort_grace;
mod hooks;
mod job_session;
mod log_file;
mod record_patch;

pub(crate) use job_session::Session;
pub(crate) use log_file::open_log;
