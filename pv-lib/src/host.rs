//! This host: its clock, its name, its boot, and fresh job ids.
//!
//! Shells call these and pass the results on as values; nothing else in the library reads a clock, draws
//! random numbers or asks the kernel who it is (`fs/os.rs` aside, which is the disk).

use std::time::SystemTime;

use crate::{job::JobId, time::Timestamp};

/// Returns the present time, in whole seconds.
#[must_use]
pub fn now() -> Timestamp {
    system_now().into()
}

/// Mints a job id that no other job has: 48 bits of time in milliseconds, then 74 random bits.
#[must_use]
pub fn new_job_id() -> JobId {
    JobId::from_uuid(uuid::Uuid::now_v7())
}

/// Returns the name of this host, or `unknown` where the kernel does not tell.
#[must_use]
pub fn name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_str().unwrap_or("unknown").to_owned()
}

/// Returns the id of this boot, `None` where the kernel does not tell: two records with different boot ids
/// were written on different sides of a restart of the host.
#[must_use]
pub fn boot_id() -> Option<String> {
    let id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for the shells")]
fn system_now() -> SystemTime {
    SystemTime::now()
}
