//! Integration tests of the `pv` binary: one binary, one module a subject.

mod house;
mod services;
