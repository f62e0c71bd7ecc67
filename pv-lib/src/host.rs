//! This host: its clock, its name, its boot, its programs, and fresh job ids.
//!
//! Shells call these and pass the results on as values; nothing else in the library reads a clock, draws
//! random numbers or asks the kernel who it is (`fs/os.rs` aside, which is the disk).

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, stat};

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

/// Returns the files that this user may run as `program`, the first being the one that runs: those of that name in the
/// folders of `path`, a `PATH`, or the file itself where `program` has a slash. Empty names of folders are skipped.
#[must_use]
pub fn find_programs(program: &str, path: &OsStr) -> Vec<PathBuf> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![program.into()]
    } else {
        let dirs = path.as_bytes().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
        dirs.map(|dir| Path::new(OsStr::from_bytes(dir)).join(program)).collect()
    };
    candidates.into_iter().filter(|path| is_program(path)).collect()
}

fn is_program(path: &Path) -> bool {
    let is_file = stat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    is_file && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for the shells")]
fn system_now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "programs are files of the real disk")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn programs_are_files_that_may_be_run_in_the_order_of_the_path() {
        let root = tempfile::tempdir().unwrap();
        for (dir, mode) in [("a", Some(0o644)), ("b", Some(0o755)), ("c", None), ("d", Some(0o755))] {
            let file = root.path().join(dir).join("tool");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            match mode {
                Some(mode) => {
                    fs::write(&file, "").unwrap();
                    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
                }
                None => fs::create_dir(&file).unwrap(),
            }
        }
        let dirs = ["a", "b", "c", "d", "none"].map(|dir| root.path().join(dir).into_os_string());
        let mut path = dirs.join(OsStr::new(":"));
        path.push("::no/such:");
        assert_eq!(find_programs("tool", &path), [root.path().join("b/tool"), root.path().join("d/tool")]);
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        let path = OsStr::new("/bin");
        assert_eq!(find_programs("/bin/sh", path), [PathBuf::from("/bin/sh")]);
        for (program, path) in [("/bin", path), ("./no such program", path), ("sh", OsStr::new(""))] {
            assert!(find_programs(program, path).is_empty(), "{program}");
        }
    }
}
