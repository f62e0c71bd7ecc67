//! Integration tests of the `pv` binary: one binary, one module a subject.

mod desk;
mod diff;
mod house;
mod jobs;
mod remote;
mod services;
mod targets;
