//! This host: its clock, its name, its boot, its users, its programs, and fresh job ids.
//!
//! Shells call these and pass the results on as values; nothing else in the library reads a clock, draws
//! random numbers or asks the kernel who it is (`fs/os.rs` aside, which is the disk).

use std::{
    ffi::OsStr,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, stat};

use crate::{job::JobId, time::Timestamp};

/// How much of the file of users is read, in bytes.
const USERS_BYTES_MAX: u64 = 4 << 20;

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

/// Returns the name of the user that this process acts as; `uid N` for one that `/etc/passwd` does not name.
#[must_use]
pub fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let mut users = String::new();
    let file = fs_err::File::open("/etc/passwd");
    // What cannot be read names nobody.
    let _ = file.map(|file| file.take(USERS_BYTES_MAX).read_to_string(&mut users));
    name_of_user(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// Returns the name that a file of users, in the form of `/etc/passwd`, gives to a number.
fn name_of_user(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Returns the files that this user may run as `program`, the first being the one that runs: those of that name in the
/// folders of `path`, a `PATH`, or the file itself where `program` has a slash. Empty names of folders are skipped.
#[must_use]
pub fn find_programs(program: &str, path: &OsStr) -> Vec<PathBuf> {
    program_candidates(program, path).into_iter().filter(|path| is_program(path)).collect()
}

/// Returns where `program` may be, in the order in which it is looked for, whether it is there or not.
#[must_use]
pub fn program_candidates(program: &str, path: &OsStr) -> Vec<PathBuf> {
    if program.contains('/') {
        return vec![program.into()];
    }
    let dirs = path.as_bytes().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
    dirs.map(|dir| Path::new(OsStr::from_bytes(dir)).join(program)).collect()
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
    fn a_user_is_called_as_the_file_of_users_says() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\n:x:5:\npv:x:998:998::/srv:/bin/false\ntwin:x:998:\n";
        for (uid, expected) in [(0, Some("root")), (998, Some("pv")), (5, None), (1, None)] {
            assert_eq!(name_of_user(users, uid), expected, "{uid}");
        }
        assert!(!user_name().is_empty());
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
