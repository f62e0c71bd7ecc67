//! Streams of server-sent events: the changes of all jobs, and the log of one.
//!
//! Uses `query` to find what changed, and `context` for blocking reads in a queue of their own.

mod change_detector;
mod event_log;
mod event_ring;
mod fs_watch;
mod log_followers;
mod log_position;
mod log_stream;
mod open_streams;
mod sse;

pub(crate) use event_log::EventLog;
pub(crate) use log_stream::LogStream;
pub(crate) use open_streams::OpenStreams;
