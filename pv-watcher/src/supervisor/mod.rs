//! One job from its claim to its end: [`sequence`] shows the phases in their order, each has a file of its own.

mod attempts;
mod check;
mod copy;
mod error;
mod finish;
mod job_prompt;
mod prepare;
mod process;
mod repeated;
mod resume;
mod save;
mod sequence;

pub use error::SuperviseError;
pub use sequence::supervise;
