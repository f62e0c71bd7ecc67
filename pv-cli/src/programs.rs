//! Programs as this user would start them.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Returns the file that runs when `program` is called: the first on the `PATH`, or itself where it is a path.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    on_path(program).into_iter().next()
}

/// Returns every program of that name on the `PATH`, in its order.
pub(crate) fn on_path(name: &str) -> Vec<PathBuf> {
    std::env::var_os("PATH").map_or_else(Vec::new, |path| among(&path, name))
}

fn among(path: &OsStr, name: &str) -> Vec<PathBuf> {
    std::env::split_paths(path).map(|dir| dir.join(name)).filter(|path| is_program(path)).collect()
}

fn is_program(path: &Path) -> bool {
    path.is_file() && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_files_that_can_be_run_count_in_the_order_of_the_path() {
        let root = tempfile::tempdir().unwrap();
        for (dir, mode) in [("a", Some(0o644)), ("b", Some(0o755)), ("c", None), ("d", Some(0o755))] {
            let file = root.path().join(dir).join("tool");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            match mode {
                Some(mode) => {
                    std::fs::write(&file, "").unwrap();
                    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
                }
                None => std::fs::create_dir(&file).unwrap(),
            }
        }
        let path = std::env::join_paths(["a", "b", "c", "d", "none"].map(|dir| root.path().join(dir))).unwrap();
        assert_eq!(among(&path, "tool"), [root.path().join("b/tool"), root.path().join("d/tool")]);
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        assert_eq!(find_program("/bin/sh"), Some("/bin/sh".into()));
        assert_eq!(find_program("/bin"), None);
        assert_eq!(find_program("./no such program"), None);
    }
}
