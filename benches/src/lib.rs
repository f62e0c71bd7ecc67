//! Benchmarks of Prompt Valet; each is a file beside this package.
