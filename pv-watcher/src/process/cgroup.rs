//! A cgroup of its own for each agent: where one can be had, ending the agent is a proof.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use fs_err as fs;
use pv_lib::{job::JobId, supervise::KILL_PAUSE};
use rustix::process::Pid;

/// What the name of a job's cgroup begins with; its id follows.
const NAME_PREFIX: &str = "pv-";

/// How deep an agent may have made cgroups below its own.
const DEPTH_MAX: usize = 32;

/// How many folders a search for a leftover cgroup looks into.
const SEARCH_MAX: usize = 10_000;

/// How often the removal of one that is busy is tried.
const REMOVE_TRIES: usize = 20;

/// A job's cgroup. It is not removed when this value goes: its processes may outlive us.
#[derive(Debug)]
pub(crate) struct Cgroup {
    dir: PathBuf,
    name: String,
}

impl Cgroup {
    /// Makes the cgroup of a job below our own; `None` where there is no writable cgroup v2 that can kill.
    pub(crate) fn create(id: &JobId) -> Option<Self> {
        let cgroup = Self::below(&own_cgroup()?, id);
        fs::create_dir(&cgroup.dir).ok()?;
        if cgroup.dir.join("cgroup.kill").exists() {
            Some(cgroup)
        } else {
            let _ = fs::remove_dir(&cgroup.dir);
            None
        }
    }

    /// Finds the cgroup that an earlier supervisor of the job made, wherever it was.
    pub(super) fn find(id: &JobId) -> Option<Self> {
        let near = own_cgroup().map(|own| Self::below(&own, id));
        near.filter(|cgroup| cgroup.dir.is_dir()).or_else(|| search(id))
    }

    fn below(parent: &Path, id: &JobId) -> Self {
        let name = format!("{NAME_PREFIX}{id}");
        Self { dir: parent.join(&name), name }
    }

    /// Returns the file through which a process puts itself into the cgroup by writing `0`.
    pub(super) fn open_procs(&self) -> Option<OwnedFd> {
        let procs = fs::OpenOptions::new().write(true).open(self.dir.join("cgroup.procs")).ok()?;
        Some(procs.into_parts().0.into())
    }

    /// Returns the file that tells how long its processes have computed.
    pub(super) fn cpu_stat_path(&self) -> PathBuf {
        self.dir.join("cpu.stat")
    }

    /// Returns the file that counts what the kernel did to its processes when memory was out.
    pub(super) fn memory_events_path(&self) -> PathBuf {
        self.dir.join("memory.events")
    }

    /// Tells whether a process is in it.
    pub(crate) fn holds(&self, pid: Pid) -> bool {
        let own = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).unwrap_or_default();
        own.lines().filter_map(|line| line.strip_prefix("0::")).any(|path| path.ends_with(&format!("/{}", self.name)))
    }

    /// Kills every process in it and below it, and returns how many there were, as far as they were seen.
    pub(super) fn kill(&self) -> usize {
        let inside = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default().lines().count();
        // Those in cgroups that the agent made below it are not among them.
        let inside = inside.max(usize::from(is_populated(&self.dir)));
        // Written even if nothing was seen: a process in the middle of a fork is not seen, and still ended.
        let _ = fs::OpenOptions::new()
            .write(true)
            .open(self.dir.join("cgroup.kill"))
            .and_then(|mut file| io::Write::write_all(&mut file, b"1"));
        inside
    }

    /// Removes it, with those that the agent made below it, if they are empty: processes that were just killed need a moment
    /// to be gone.
    pub(crate) fn remove(&self) {
        for _ in 0..REMOVE_TRIES {
            match remove_tree(&self.dir, DEPTH_MAX) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(KILL_PAUSE),
                _ => return,
            }
        }
    }
}

/// Removes the cgroups of jobs of which no process is left, with all below them, and returns how many. `is_over` tells
/// whether a job is, and is asked for empty ones only.
pub(crate) fn remove_empty_cgroups(is_over: &mut dyn FnMut(&JobId) -> bool) -> usize {
    let Some((mount, _)) = mount() else { return 0 };
    let mut removed = 0;
    walk(&mount, &mut |dir, name| {
        let Some(id) = name.strip_prefix(NAME_PREFIX).and_then(JobId::minted) else { return Walk::Enter };
        let is_needless = !is_populated(dir) && is_over(&id);
        removed += usize::from(is_needless && remove_tree(dir, DEPTH_MAX).is_ok());
        Walk::Pass
    });
    removed
}

/// Tells whether a process is in a cgroup, or below it. Where that is not known, one is.
fn is_populated(dir: &Path) -> bool {
    let events = fs::read_to_string(dir.join("cgroup.events")).unwrap_or_default();
    !events.lines().any(|line| line == "populated 0")
}

/// Removes a cgroup and those below it. Their files go by themselves.
fn remove_tree(dir: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path(), depth - 1)?;
        }
    }
    fs::remove_dir(dir)
}

/// Returns the folder of the cgroup that we are in ourselves.
pub(super) fn own_cgroup() -> Option<PathBuf> {
    own_of(mount()?, |line| line.strip_prefix("0::"))
}

/// Returns the folder of cgroup v1 that limits our memory.
pub(super) fn own_v1_memory_cgroup() -> Option<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").ok()?;
    own_of(parse_mount(&mountinfo, is_v1_memory)?, |line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|controller| controller == "memory").then_some(path)
    })
}

fn own_of((mount, root): (PathBuf, PathBuf), path: impl Fn(&str) -> Option<&str>) -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(path)?;
    let below = Path::new(own).strip_prefix(&root).ok()?;
    let climbs = below.components().any(|part| part.as_os_str() == "..");
    (!climbs).then(|| mount.join(below))
}

/// Returns where cgroup v2 is mounted, and which of its folders is mounted there. Hybrid hosts have it in odd places.
fn mount() -> Option<(PathBuf, PathBuf)> {
    parse_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?, is_v2)
}

fn is_v2(kind: &str) -> bool {
    kind.starts_with("cgroup2 ")
}

fn is_v1_memory(kind: &str) -> bool {
    kind.starts_with("cgroup ") && kind.split([' ', ',']).skip(2).any(|option| option == "memory")
}

/// Returns the mount whose type, source and options are wanted, and which of its folders is mounted there.
fn parse_mount(mountinfo: &str, is_wanted: impl Fn(&str) -> bool) -> Option<(PathBuf, PathBuf)> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let usable = is_wanted(kind) && !root.contains('\\') && !point.contains('\\');
        usable.then(|| (point.into(), root.into()))
    })
}

fn search(id: &JobId) -> Option<Cgroup> {
    let wanted = format!("{NAME_PREFIX}{id}");
    let mut found = None;
    walk(&mount()?.0, &mut |dir, name| {
        if name != wanted {
            return Walk::Enter;
        }
        found = Some(Cgroup { dir: dir.to_owned(), name: wanted.clone() });
        Walk::Stop
    });
    found
}

/// What a walk over cgroups does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// Looks below it.
    Enter,
    /// Goes on beside it.
    Pass,
    /// Ends.
    Stop,
}

/// Calls `visit` with every cgroup below a folder and its name, up to a limit.
fn walk(root: &Path, visit: &mut dyn FnMut(&Path, &str) -> Walk) {
    let mut waiting = vec![root.to_owned()];
    for _ in 0..SEARCH_MAX {
        let Some(dir) = waiting.pop() else { return };
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            match visit(&entry.path(), &entry.file_name().to_string_lossy()) {
                Walk::Enter => waiting.push(entry.path()),
                Walk::Pass => {}
                Walk::Stop => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cgroup_v2_among_the_mounts() {
        let check = |mountinfo: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(mount, root)| (mount.into(), root.into()));
            assert_eq!(parse_mount(mountinfo, is_v2), expected, "{mountinfo}");
        };
        let v1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
        let hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        check("", None);
        check(v1, None);
        check(&format!("{v1}{hybrid}"), Some(("/sys/fs/cgroup/unified", "/")));
        check("29 23 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 none rw", Some(("/sys/fs/cgroup", "/docker/x")));
        check("29 23 0:26 / /odd\\040place rw - cgroup2 none rw", None);

        let memory = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let found = parse_mount(&format!("{v1}{hybrid}{memory}"), is_v1_memory);
        assert_eq!(found, Some(("/sys/fs/cgroup/memory".into(), "/".into())));
        assert_eq!(parse_mount(&format!("{v1}{hybrid}"), is_v1_memory), None);
    }

    #[test]
    fn a_tree_of_cgroups_goes_from_its_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("pv-x");
        std::fs::create_dir_all(top.join("a/b/c")).unwrap();
        std::fs::create_dir_all(top.join("d")).unwrap();
        remove_tree(&top, DEPTH_MAX).unwrap();
        assert!(!top.exists());
        assert!(is_populated(&top), "what is not known counts as populated");
        std::fs::create_dir_all(top.join("a")).unwrap();
        for (events, expected) in [("populated 0\nfrozen 0\n", false), ("populated 1\nfrozen 0\n", true), ("", true)] {
            std::fs::write(top.join("cgroup.events"), events).unwrap();
            assert_eq!(is_populated(&top), expected, "{events}");
        }
    }
}
