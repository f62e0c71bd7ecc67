//! Integration tests: one binary, one module a subject.

mod adopted;
mod claiming;
mod copied;
mod failing;
mod full_disk;
#[cfg(feature = "real-gh")]
mod gh;
mod holds;
mod machine;
mod power_cut;
mod pull_request;
mod resumes;
mod rounds;
mod supervise;
mod tree;
mod unreadable;
