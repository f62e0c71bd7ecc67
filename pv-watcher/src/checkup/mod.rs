//! What a checkup needs to know of this crate: as whom jobs are run, whether remotes answer, and what launchers do.

mod launchers;
mod remotes;
mod runs_as;

pub use launchers::{LauncherAnswer, try_agent_program, try_launcher};
pub use remotes::{RemoteAnswer, RemoteAnswers, try_remotes};
pub use runs_as::runs_as;
