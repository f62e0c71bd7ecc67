//! What a job has while its supervisor works on it: its run lock, the changes of its record, its heartbeat.

mod abort_grace;
mod attempts;
mod command_start;
mod heartbeats;
mod hooks;
mod job_session;
mod launching;
mod log_file;
mod record_patch;
mod room;
mod saved_work;
mod saving;
mod unwritten;

pub(crate) use command_start::{CommandStart, NotStarted, StartedCommand};
pub(crate) use job_session::Session;

pub(crate) use log_file::open_log;
pub(crate) use record_patch::Verification;
pub(crate) use room::{NotDone, OfRoom, Patience, Want, want_of};
pub(crate) use saving::Unfinished;
