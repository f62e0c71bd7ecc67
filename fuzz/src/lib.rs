//! The bodies of the fuzz targets, as plain functions: the same ones run under libFuzzer and under proptest.

#[path = "../../pv-watcher/src/agent/bounded_json.rs"]
mod bounded_json;

pub mod events;
pub mod values;
