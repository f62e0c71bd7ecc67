//! Launchers: where and how the command of an agent, of setup and of checks is run.
//!
//! A launcher starts a *client*, which the supervisor holds as its child: the command itself, or `bwrap`, `srun`, `podman`.
//! What does the work may be no descendant of that. So a launcher also says how what it started is asked to end, how it is
//! ended by name, and how it is told that nothing of it is left ([`Tools`]). What differs between them is behind one trait,
//! [`Adapter`], each in a file of its own; all of it is prepared without doing anything, but for looks at which paths
//! there are.

mod adapter;
mod bubblewrap;
mod client;
mod closing;
mod command;
mod known;
mod launch_file;
mod launched;
mod local;
mod mounts;
mod places;
mod request;
mod slurm;
mod tools;
mod unseen;
mod waiting;

pub(crate) use adapter::{Launch, NotLaunched};
pub(crate) use closing::{close_left, close_with};
pub(crate) use known::adapter;
pub(crate) use launch_file::{LaunchFile, write_variables};
pub(crate) use launched::Launched;
pub(crate) use request::{AgentPlaces, Hidden, Request};
