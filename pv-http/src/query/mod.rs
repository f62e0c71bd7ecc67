//! Queries: the list of jobs, kept in memory, its pages, and the parameters of operations.
//!
//! Uses `context` for the time of a request, and `openapi` for its refusals.

mod cached_jobs;
mod content_coding;
mod cursor;
mod entries;
mod first_load;
mod folder_events;
mod job_index;
mod kept_rows;
mod names;
mod params;
mod range;
mod read_job;
mod record;

pub(crate) use content_coding::ContentCoding;
pub(crate) use cursor::Cursor;
pub(crate) use job_index::{JobIndex, Listing};
pub(crate) use params::{AtLeastOne, OptionalParam, PathText, parse_job_id};
pub(crate) use range::ByteRange;
pub(crate) use read_job::Liveness;
