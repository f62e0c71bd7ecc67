//! What can go wrong: typed for branching, worded for people.

mod fs_error;
mod procedure;
pub mod unusable;

pub use fs_error::{FsError, FsResult};
pub use procedure::{Error, ErrorKind, Result};
