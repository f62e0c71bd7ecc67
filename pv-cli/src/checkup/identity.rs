//! What a user may do with a file: this process by asking the kernel, another user by owners and modes.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use pv_lib::store::RunsAs;
use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    process::{getegid, geteuid, getgroups},
};

/// A user with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// To read it.
    Read,
    /// To write to a folder: to add and remove names.
    WriteFolder,
    /// To execute it.
    Execute,
}

/// Whether somebody may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Permission {
    /// They may.
    Yes,
    /// They may not, because of this file or folder; it may not be there.
    No(PathBuf),
    /// This process cannot see that, because of this folder.
    Unknown(PathBuf),
}

impl Identity {
    /// Returns the one that a watcher told.
    pub(super) fn of(runs_as: &RunsAs) -> Self {
        Self { uid: runs_as.uid, gid: runs_as.gid, groups: runs_as.groups.clone() }
    }

    /// Tells whether it is the user of this process.
    pub(super) fn is_this_user(&self) -> bool {
        self.uid == geteuid().as_raw()
    }

    /// Tells whether it may do something with a file; links are followed.
    pub(super) fn may(&self, want: Want, path: &Path) -> Permission {
        if self.is_this_process() {
            return if this_process_may(want, path) { Permission::Yes } else { Permission::No(path.to_owned()) };
        }
        match self.may_by_modes(want, path) {
            Permission::Yes => {}
            other => return other,
        }
        // Where a link leads, the folders above count, too.
        match path.canonicalize() {
            Ok(real) if real != path => self.may_by_modes(want, &real),
            Ok(_) => Permission::Yes,
            Err(error) => refused(&error, path),
        }
    }

    /// Judges by modes: access lists are not looked at.
    fn may_by_modes(&self, want: Want, path: &Path) -> Permission {
        let above: Vec<&Path> = path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        for dir in above.into_iter().rev() {
            match dir.metadata() {
                Ok(stat) if self.has(&stat, 0o1) => {}
                Ok(_) => return Permission::No(dir.to_owned()),
                Err(error) => return refused(&error, dir),
            }
        }
        let bits = match want {
            Want::Read => 0o4,
            Want::WriteFolder => 0o3,
            Want::Execute => 0o1,
        };
        match path.metadata() {
            Ok(stat) if self.has(&stat, bits) => Permission::Yes,
            Ok(_) => Permission::No(path.to_owned()),
            Err(error) => refused(&error, path),
        }
    }

    fn has(&self, stat: &std::fs::Metadata, bits: u32) -> bool {
        let mode = stat.mode();
        if self.uid == 0 {
            // To execute a file, somebody must be meant to.
            return bits != 0o1 || stat.is_dir() || mode & 0o111 != 0;
        }
        let shift = if stat.uid() == self.uid {
            6
        } else if stat.gid() == self.gid || self.groups.contains(&stat.gid()) {
            3
        } else {
            0
        };
        (mode >> shift) & bits == bits
    }

    fn is_this_process(&self) -> bool {
        let sorted = |mut groups: Vec<u32>| {
            groups.sort_unstable();
            groups
        };
        let groups: Vec<u32> = getgroups().unwrap_or_default().into_iter().map(rustix::process::Gid::as_raw).collect();
        self.is_this_user() && self.gid == getegid().as_raw() && sorted(groups) == sorted(self.groups.clone())
    }
}

fn this_process_may(want: Want, path: &Path) -> bool {
    let access = match want {
        Want::Read => Access::READ_OK,
        Want::WriteFolder => Access::WRITE_OK | Access::EXEC_OK,
        Want::Execute => Access::EXEC_OK,
    };
    accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

fn refused(error: &io::Error, path: &Path) -> Permission {
    if error.kind() == io::ErrorKind::PermissionDenied {
        Permission::Unknown(path.to_owned())
    } else {
        Permission::No(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    /// A user and a group that own nothing here.
    const NOBODY: u32 = 65_533;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn c24_another_user_is_judged_by_owners_and_modes_of_a_file_and_all_above_it() {
        let temp = tempfile::tempdir_in("/tmp").unwrap();
        set(temp.path(), 0o755);
        let (dir, file, link) = (temp.path().join("d"), temp.path().join("d/tool"), temp.path().join("link"));
        fs::create_dir(&dir).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        let gid = fs::metadata(&file).unwrap().gid();
        let stranger = Identity { uid: NOBODY, gid: NOBODY, groups: vec![] };
        let member = Identity { groups: vec![1, gid], ..stranger };
        let root = Identity { uid: 0, gid: 0, groups: vec![4711] };
        let check = |who: &Identity, modes: (u32, u32), want, expected: Option<&Path>| {
            set(&file, modes.1);
            set(&dir, modes.0);
            let expected = expected.map_or(Permission::Yes, |at| Permission::No(at.to_owned()));
            assert_eq!(who.may(want, &file), expected, "{who:?} {modes:?} {want:?}");
            let by_link = matches!(who.may(want, &link), Permission::Yes);
            assert_eq!(by_link, expected == Permission::Yes, "by the link: {who:?} {modes:?} {want:?}");
            set(&dir, 0o755);
        };
        check(&stranger, (0o755, 0o755), Want::Execute, None);
        check(&stranger, (0o755, 0o750), Want::Execute, Some(&file));
        check(&stranger, (0o750, 0o755), Want::Execute, Some(&dir));
        check(&stranger, (0o755, 0o711), Want::Read, Some(&file));
        check(&member, (0o750, 0o750), Want::Execute, None);
        check(&member, (0o755, 0o705), Want::Execute, Some(&file));
        check(&root, (0o700, 0o700), Want::Execute, None);
        check(&root, (0o700, 0o600), Want::Execute, Some(&file));
        check(&root, (0o700, 0o600), Want::Read, None);
        let none = temp.path().join("none/tool");
        assert_eq!(stranger.may(Want::Read, &none), Permission::No(temp.path().join("none")));
        set(&dir, 0o733);
        assert_eq!(stranger.may(Want::WriteFolder, &dir), Permission::Yes);
        set(&dir, 0o732);
        assert_eq!(stranger.may(Want::WriteFolder, &dir), Permission::No(dir.clone()));
        set(&dir, 0o755);
    }

    #[test]
    fn c24_this_process_is_judged_by_the_kernel() {
        let own = Identity::of(&pv_watcher::runs_as(&[]));
        assert!(own.is_this_user() && own.is_this_process());
        assert_eq!(own.may(Want::Execute, Path::new("/bin/sh")), Permission::Yes);
        assert_eq!(own.may(Want::Read, Path::new("/no/such")), Permission::No("/no/such".into()));
        assert!(!Identity { uid: NOBODY, ..own }.is_this_user());
    }
}
