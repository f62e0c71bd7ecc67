//! Server-sent events: the changes of all jobs, and the log of one.

mod change_detector;
mod event_log;
mod fs_watch;
mod log_stream;
mod open_streams;
mod sse;

pub(crate) use event_log::{Feed, Reader};
pub(crate) use log_stream::Follower;
pub(crate) use open_streams::OpenStreams;
