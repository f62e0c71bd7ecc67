//! What `pv doctor` checks, one file for each subject. Nothing here writes or takes a lock.

mod examine;
mod finding;
mod folders;
mod programs;
mod tokens;
mod work;

pub(crate) use examine::examine;
pub(crate) use finding::{Finding, Level};
