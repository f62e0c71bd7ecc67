//! The bodies of the fuzz targets, as plain functions: the same ones run under libFuzzer and under proptest.

pub mod values;
