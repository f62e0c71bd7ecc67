//! Integration tests of the `pv` binary: one binary, one module a subject.

mod cgroups;
mod delivery;
mod descriptors;
mod detached;
mod diff;
mod doctor;
mod first_minutes;
mod fixture;
mod full_disk;
mod holds;
mod jobs;
mod kept;
mod launchers;
mod mirrors;
#[cfg(feature = "real-agents")]
mod real_agents;
#[cfg(feature = "real-slurm")]
mod real_slurm;
mod remote;
mod secrets;
mod services;
mod shapes;
mod switching_over;
mod targets;
mod terminal;
mod texts;
mod tls;
mod unusable;
mod verified;
