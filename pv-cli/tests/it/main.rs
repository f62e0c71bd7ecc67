//! Integration tests of the `pv` binary: one binary, one module a subject.

mod desk;
mod house;
mod jobs;
mod remote;
mod services;
