//! What a job has while its supervisor works on it: its run lock, the changes of its record, its heartbeat.

mod heartbeats;
mod hooks;
mod job_session;
mod record_patch;
mod room;
mod saving;
mod unwritten;

pub(crate) use job_session::Session;
pub(crate) use room::{NotDone, Patience};
pub(crate) use saving::Unfinished;
