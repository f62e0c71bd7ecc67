//! File systems of their own for tests: small ones that become full, and those that name their devices in two ways.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use fs_err as fs;

/// A file system that is mounted for a test, and unmounted when this goes.
#[derive(Debug)]
pub struct TestMount {
    /// Where it is.
    dir: PathBuf,
    /// What it is made of.
    files: PathBuf,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestFs {
    /// A disk in memory, of so many bytes.
    Tmpfs(u64),
    /// ext4 on a file of so many bytes, nothing of it reserved for root.
    Ext4(u64),
    /// btrfs on a file of so many bytes.
    Btrfs(u64),
    /// An overlay of two folders.
    Overlay,
}

impl TestMount {
    /// Mounts a file system of its own; `None` for a user who may not, which is nobody but root.
    ///
    /// # Panics
    /// Where root cannot mount it: a check that is not made must not look like one that is.
    #[must_use]
    pub fn new(what: TestFs) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("NOT CHECKED on {what:?}: only root may mount");
            return None;
        }
        Some(Self::mount(what).unwrap_or_else(|error| panic!("cannot mount {what:?}: {error}")))
    }

    /// Returns where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    fn mount(what: TestFs) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pv-mount-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let files = std::env::temp_dir().join(name);
        let path = |name: &str| files.join(name).display().to_string();
        let dir = files.join("mnt");
        fs::create_dir_all(&dir)?;
        let at = dir.display().to_string();
        let image = |bytes: u64| fs::File::create(path("image"))?.file().set_len(bytes);
        match what {
            TestFs::Tmpfs(bytes) => run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", &at])?,
            TestFs::Ext4(bytes) => {
                image(bytes)?;
                run("mkfs.ext4", &["-q", "-F", "-m", "0", &path("image")])?;
                run("mount", &["-o", "loop", &path("image"), &at])?;
            }
            TestFs::Btrfs(bytes) => {
                image(bytes)?;
                run("mkfs.btrfs", &["-q", "-f", &path("image")])?;
                run("mount", &["-o", "loop", &path("image"), &at])?;
            }
            TestFs::Overlay => {
                ["lower", "upper", "work"].into_iter().try_for_each(|name| fs::create_dir(path(name)))?;
                let how = format!("lowerdir={},upperdir={},workdir={}", path("lower"), path("upper"), path("work"));
                run("mount", &["-t", "overlay", "-o", &how, "overlay", &at])?;
            }
        }
        Ok(Self { dir, files })
    }
}

impl Drop for TestMount {
    fn drop(&mut self) {
        // Lazily: whatever a failed test left may still be in it.
        if run("umount", &["-l", &self.dir.display().to_string()]).is_ok() {
            let _ = fs::remove_dir_all(&self.files);
        }
    }
}

fn run(program: &str, args: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {args:?}: {}", words.trim())))
}
