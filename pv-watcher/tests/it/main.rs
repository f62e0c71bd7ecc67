//! Integration tests: one binary, one module a subject.

mod holds;
mod machine;
mod power_cut;
mod rounds;
mod supervise;
