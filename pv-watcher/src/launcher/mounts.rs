//! What a sandbox shows of this host, as the mounts that make it, in their order: a later one covers an earlier one.

use camino::{Utf8Path, Utf8PathBuf};

/// One mount of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mount {
    /// A folder is empty there, and what is written to it is thrown away.
    Empty(Utf8PathBuf),
    /// A file has nothing in it.
    Blank(Utf8PathBuf),
    /// A path is as on this host, and can be read.
    Read(Utf8PathBuf),
    /// A path is as on this host, and can be written.
    Write(Utf8PathBuf),
}

/// All mounts of a sandbox, over a host that can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mounts(pub(super) Vec<Mount>);

impl Mount {
    fn path(&self) -> &Utf8Path {
        match self {
            Self::Empty(path) | Self::Blank(path) | Self::Read(path) | Self::Write(path) => path,
        }
    }
}

impl Mounts {
    /// Hides a folder, unless it is hidden with another one. What was shown below it before is covered.
    pub(super) fn hide(&mut self, dir: &Utf8Path) {
        if self.deciding(dir).is_none_or(|mount| !matches!(mount, Mount::Empty(_))) {
            self.0.push(Mount::Empty(dir.to_owned()));
        }
    }

    /// Hides what is in a file, unless it is not seen anyway.
    pub(super) fn blank(&mut self, file: &Utf8Path) {
        if self.shows(file) {
            self.0.push(Mount::Blank(file.to_owned()));
        }
    }

    /// Tells whether what is on this host at a path is there inside, too.
    pub(super) fn shows(&self, path: &Utf8Path) -> bool {
        !matches!(self.deciding(path), Some(Mount::Empty(_) | Mount::Blank(_)))
    }

    /// Tells whether what is written at a path inside is written on this host.
    #[cfg(test)]
    fn writes(&self, path: &Utf8Path) -> bool {
        matches!(self.deciding(path), Some(Mount::Write(_)))
    }

    fn deciding(&self, path: &Utf8Path) -> Option<&Mount> {
        self.0.iter().rev().find(|mount| path.starts_with(mount.path()))
    }

    /// Returns the options of `bwrap` for them.
    pub(super) fn options(&self) -> Vec<String> {
        let option = |mount: &Mount| {
            let path = mount.path().to_string();
            match mount {
                Mount::Empty(_) => vec!["--tmpfs".to_owned(), path],
                Mount::Blank(_) => vec!["--ro-bind".to_owned(), "/dev/null".to_owned(), path],
                Mount::Read(_) => vec!["--ro-bind".to_owned(), path.clone(), path],
                Mount::Write(_) => vec!["--bind".to_owned(), path.clone(), path],
            }
        };
        self.0.iter().flat_map(option).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mount_that_covers_a_path_decides() {
        let mut mounts = Mounts::default();
        mounts.hide("/home".into());
        mounts.hide("/home/me".into());
        mounts.hide("/srv/pv/runs".into());
        mounts.hide("/srv/pv/work".into());
        mounts.0.push(Mount::Read("/home/me/.cargo".into()));
        mounts.blank("/home/me/.cargo/credentials.toml".into());
        mounts.blank("/srv/pv/runs/token".into());
        mounts.blank("/etc/token".into());
        mounts.0.push(Mount::Write("/srv/pv/work/a1".into()));
        let check = |path: &str, shows: bool, writes: bool| {
            assert_eq!((mounts.shows(path.into()), mounts.writes(path.into())), (shows, writes), "{path}");
        };
        check("/usr/bin/git", true, false);
        check("/home/me/.ssh/id_ed25519", false, false);
        check("/home/me/.cargo/bin/cargo", true, false);
        check("/home/me/.cargo/credentials.toml", false, false);
        check("/home/me/.cargos", false, false);
        check("/srv/pv/runs/a1/job.json", false, false);
        check("/srv/pv/work/a1/src/main.rs", true, true);
        check("/srv/pv/work/a12/x", false, false);
        check("/etc/token", false, false);
        check("/etc/hosts", true, false);
        let expected = "--tmpfs /home --tmpfs /srv/pv/runs --tmpfs /srv/pv/work --ro-bind /home/me/.cargo /home/me/.cargo \
             --ro-bind /dev/null /home/me/.cargo/credentials.toml --ro-bind /dev/null /etc/token \
             --bind /srv/pv/work/a1 /srv/pv/work/a1";
        assert_eq!(mounts.options().join(" "), expected);
    }
}
