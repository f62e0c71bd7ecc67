//! Integration tests.

mod config;
mod env_templates;
mod fs_conformance;
mod fs_power_cut;
