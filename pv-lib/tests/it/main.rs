//! Integration tests: one binary, one module a subject.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod architecture;
mod closing;
mod config;
mod config_defaults;
mod doc_links;
mod env_templates;
mod front_matter;
mod fs_conformance;
mod fs_power_cut;
mod fuzz_bodies;
mod guarantees;
mod job;
mod launchers;
mod notices;
mod recorded;
mod secrets;
mod settings_page;
mod structure;
mod submission;
mod submitting;
mod supervise;
mod tree;
