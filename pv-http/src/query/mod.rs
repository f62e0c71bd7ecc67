//! Queries: the list of jobs, kept in memory, its pages, and the parameters of operations.
//!
//! Uses `context` for the time of a request, and `openapi` for its refusals.

mod cursor;
mod job_index;
mod params;
mod range;

pub(crate) use cursor::Cursor;
pub(crate) use job_index::{JobIndex, Liveness};
pub(crate) use params::{AtLeastOne, OptionalParam, PathText, parse_job_id};
pub(crate) use range::ByteRange;
