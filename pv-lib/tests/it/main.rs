//! Integration tests.

mod config;
mod fs_conformance;
mod fs_power_cut;
