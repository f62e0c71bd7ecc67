//! Server-sent events: the changes of all jobs, and the log of one.

mod change_detector;
mod event_log;
mod fs_watch;
mod log_stream;
mod sse;

pub(crate) use event_log::{Feed, Reader};
pub(crate) use fs_watch::Wakes;
pub(crate) use log_stream::{Follower, begin};
