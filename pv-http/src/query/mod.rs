//! What is read of the jobs: the list in memory, its pages, and the values that a query gives.

mod cursor;
mod job_index;
mod params;
mod range;

pub(crate) use cursor::Cursor;
pub(crate) use job_index::{Index, JobFilter};
pub(crate) use params::{AtLeastOne, Given, StateFilter, parse_job_id};
pub(crate) use range::ByteRange;
