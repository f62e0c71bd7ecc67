//! The operations, one file for each noun.

mod events;
mod health;
mod jobs;
mod logs;
mod operations;
mod patch;
mod submit;
mod targets;

pub use operations::openapi_json;

pub(crate) use health::status;
pub(crate) use operations::{description, service};
