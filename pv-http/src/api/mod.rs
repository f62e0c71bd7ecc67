//! The operations of the API, one file for each noun.
//!
//! An operation reads its parameters, calls one function of the library off the async runtime, and renders the result.

mod batches;
mod compressor;
mod events;
mod health;
mod holds;
mod job_list;
mod job_work;
mod jobs;
mod logs;
mod operations;
mod patch;
mod submissions;
mod submit;
mod targets;
mod texts;

pub use operations::openapi_json;

pub(crate) use health::status;
pub(crate) use operations::{description, service};
