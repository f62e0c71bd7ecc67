//! Integration tests of the `pv` binary: one binary, one module a subject.

mod delivery;
mod descriptors;
mod diff;
mod doctor;
mod first_minutes;
mod fixture;
mod holds;
mod jobs;
mod kept;
mod mirrors;
#[cfg(feature = "real-agents")]
mod real_agents;
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
