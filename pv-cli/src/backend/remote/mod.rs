//! Jobs of an API over HTTP.

mod client;
mod log_stream;
mod operations;

pub(super) use operations::Remote;
