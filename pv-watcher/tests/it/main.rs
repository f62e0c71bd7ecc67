//! Integration tests: one binary, one module a subject.

mod adopted;
mod claiming;
mod copied;
mod failing;
mod full_disk;
mod full_disk_sweeps;
#[cfg(feature = "real-gh")]
mod gh;
mod holds;
mod machine;
mod mirrors;
mod power_cut;
mod pull_request;
mod resumes;
mod rounds;
mod same_file;
mod sub_folders;
mod supervise;
mod taken_over;
mod tree;
mod unreadable;
