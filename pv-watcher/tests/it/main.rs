//! Integration tests: one binary, one module a subject.

mod machine;
mod power_cut;
mod pull_request;
mod rounds;
mod supervise;
