//! What a checkup needs to know of this crate: as whom jobs are run, and whether remotes answer.

mod remotes;
mod runs_as;

pub use remotes::{RemoteAnswer, RemoteAnswers, try_remotes};
pub use runs_as::runs_as;
