//! What a job has while its supervisor works on it: its lock, the changes of its record, its heartbeat.

pub(crate) mod session;
