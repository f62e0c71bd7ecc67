//! Integration tests: one binary, one module a subject.

mod config;
mod env_templates;
mod fs_conformance;
mod fs_power_cut;
mod supervise;
