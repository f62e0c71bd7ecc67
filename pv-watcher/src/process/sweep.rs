//! Ending whatever is left of a job, wherever it went.
//!
//! A process belongs to a job if it descends from the job's supervisor, which adopts orphans, or if it was started with
//! the job's marker in its environment. Ids that a record holds play no part: they may name another process by now.
//!
//! A supervisor looks after every call. After one of its own it looks at its own children first: where there are none, nothing
//! descends from it. What carries the marker without that is looked for after the agent, and once more before the job is over.
//! Such a look costs what is new: nothing is read of processes that were started before the supervisor was, but that they
//! were. What an earlier one left was ended before this one started anything.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    os::unix::fs::DirEntryExt,
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pv_lib::{job::JobId, supervise::KILL_PAUSE};
use rustix::{
    param::clock_ticks_per_second,
    process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid},
};

use super::{Cgroup, tool::is_tool};

/// The variable that marks every process of a job.
pub(crate) const JOB_ID_VARIABLE: &str = "PV_JOB_ID";

/// How long the leftovers of a job are swept before what is left is given up on.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(20);

/// How much of a file of a process is read at once, in bytes: nearly always all of it.
const FILE_BYTES: usize = 8 << 10;

/// How many looks in a row must find nothing.
const CLEAN_LOOKS: usize = 2;

/// Ends what a supervisor that is gone left of its job, by the job's marker and its cgroup, and returns how many
/// processes were found; one that was slow to go counts more than once.
///
/// For whoever holds the run's lock. Spares this process and those that it descends from.
///
/// # Errors
/// `TimedOut` when something is left after 20 s; or when `/proc` cannot be read.
pub fn sweep_leftovers(id: &JobId) -> io::Result<usize> {
    let begun = Instant::now();
    let (mut killed, mut clean_scans) = (0, 0);
    let cgroup = Cgroup::find(id);
    while clean_scans < CLEAN_LOOKS {
        if begun.elapsed() >= LEFTOVERS_LIMIT {
            let message =
                format!("processes of job {id} do not go: end them by hand, they carry {JOB_ID_VARIABLE}={id}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        let found = cgroup.as_ref().map_or(0, Cgroup::kill) + kill(&Selector { marker: id, descendants: false })?;
        killed += found;
        clean_scans = if found == 0 { clean_scans + 1 } else { 0 };
        std::thread::sleep(KILL_PAUSE);
    }
    if let Some(cgroup) = cgroup {
        cgroup.remove();
    }
    Ok(killed)
}

/// Tells whether processes are found by their mark: always, but in tests of launchers, whose nodes are this host. On a host of
/// its own nobody would find them.
fn finds_marked() -> bool {
    !(cfg!(feature = "testing") && std::env::var_os("PV_TEST_FIND_NO_MARKED").is_some())
}

/// Which processes are meant.
pub(super) struct Selector<'a> {
    /// Those with the marker of this job,
    pub(super) marker: &'a JobId,
    /// and those that descend from us.
    pub(super) descendants: bool,
}

/// Kills once, and returns how many live processes there were. Zombies of ours are reaped, each by its own id.
pub(super) fn kill(selector: &Selector<'_>) -> io::Result<usize> {
    let table = Table::read_for(selector)?;
    let found = table.find(selector);
    for process in &found {
        process.kill();
    }
    Ok(found.len())
}

/// Ends what is left of a job of this process, again and again. Tells whether nothing is.
pub(crate) fn end_all(id: &JobId, limit: Duration) -> bool {
    let (begun, selector) = (Instant::now(), Selector { marker: id, descendants: true });
    while kill(&selector).unwrap_or(1) > 0 {
        if begun.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(KILL_PAUSE);
    }
    true
}

/// Returns for how long the processes that are meant have computed.
pub(super) fn computed(selector: &Selector<'_>) -> io::Result<Duration> {
    let ticks: u64 = Table::read_for(selector)?.find(selector).iter().map(|process| process.computed).sum();
    Ok(Duration::from_millis(ticks.saturating_mul(1000) / clock_ticks_per_second().max(1)))
}

/// Kills whatever descends from this process but `spare`, which has ended, and returns how many live processes there were.
///
/// This process adopts what its descendants leave. So nothing is left where it has no other child, and no other process is
/// looked at then.
pub(super) fn kill_descendants(selector: &Selector<'_>, spare: Pid) -> io::Result<usize> {
    let is_only_child = || Some(children()?.into_iter().all(|pid| pid == spare || is_tool(pid)));
    if is_only_child() == Some(true) { Ok(0) } else { kill(selector) }
}

/// Reaps the orphans that we adopted and that have died, all but `spare`.
pub(super) fn reap(spare: Pid) {
    for pid in children().unwrap_or_default() {
        if pid != spare && !is_tool(pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Returns the children of all threads of this process; `None` where the kernel does not tell, or a thread began or ended
/// meanwhile, which hands its children on. No child goes while the lists are read, since only this process reaps them.
fn children() -> Option<Vec<Pid>> {
    let tasks =
        || -> io::Result<Vec<_>> { std::fs::read_dir("/proc/self/task")?.map(|task| Ok(task?.file_name())).collect() };
    let (before, mut children) = (tasks().ok()?, Vec::new());
    for task in &before {
        let listed = std::fs::read_to_string(Path::new("/proc/self/task").join(task).join("children")).ok()?;
        children.extend(listed.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw));
    }
    (tasks().ok()? == before).then_some(children)
}

/// The processes that are known to be older than this one, by their ids and the numbers of their folders in `/proc`.
#[derive(Default)]
struct Older {
    since: Option<Instant>,
    known: HashSet<(i32, u64)>,
}

/// For how long they are known: the id of one that is gone is not given again so soon.
const OLDER_FOR: Duration = Duration::from_secs(1);

static OLDER: LazyLock<Mutex<Older>> = LazyLock::new(Mutex::default);

/// Returns the ids of all processes, with the numbers of their folders.
fn ids() -> io::Result<impl Iterator<Item = (Pid, u64)>> {
    let of_entry = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        Some((pid?, entry.ino()))
    };
    Ok(std::fs::read_dir("/proc")?.flatten().filter_map(of_entry))
}

/// All processes, or those that are new, at one moment or nearly so.
struct Table(HashMap<i32, Process>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: Pid,
    parent: i32,
    is_dead: bool,
    /// For how long it and those of its children that are gone have computed, in clock ticks.
    computed: u64,
    /// In clock ticks since boot: with the id it names a process for good.
    started: u64,
}

impl Table {
    fn read() -> io::Result<Self> {
        let mut buffer = Vec::with_capacity(FILE_BYTES);
        let read = ids()?.filter_map(|(pid, _)| Process::read(pid, &mut buffer));
        Ok(Self(read.map(|process| (process.pid.as_raw_nonzero().get(), process)).collect()))
    }

    /// Reads those among which the wanted ones are. Nothing that was started before its supervisor can have come of the job
    /// that it began, or went on with after it had ended what was left.
    fn read_for(selector: &Selector<'_>) -> io::Result<Self> {
        if selector.descendants { Self::read_new() } else { Self::read() }
    }

    /// Reads those that were started since this process was: whatever descends from it, and whatever was started with the
    /// marker of its job.
    fn read_new() -> io::Result<Self> {
        let mut buffer = Vec::with_capacity(FILE_BYTES);
        let own = Process::read(getpid(), &mut buffer).ok_or(io::ErrorKind::NotFound)?;
        let (mut table, mut older) = (HashMap::new(), OLDER.lock());
        if older.since.is_none_or(|since| since.elapsed() >= OLDER_FOR) {
            *older = Older { since: Some(Instant::now()), known: HashSet::new() };
        }
        for (pid, number) in ids()? {
            let key = (pid.as_raw_nonzero().get(), number);
            if older.known.contains(&key) {
                continue;
            }
            match Process::read(pid, &mut buffer) {
                Some(process) if process.started < own.started => drop(older.known.insert(key)),
                Some(process) => drop(table.insert(key.0, process)),
                None => {}
            }
        }
        Ok(Self(table))
    }

    fn find(&self, selector: &Selector<'_>) -> Vec<Process> {
        let own = getpid().as_raw_nonzero().get();
        let spared: HashSet<i32> = self.ancestors(own).chain([1, own]).collect();
        let mark = format!("{JOB_ID_VARIABLE}={}", selector.marker);
        let mut buffer = Vec::with_capacity(FILE_BYTES);
        let is_wanted = |process: &&Process| {
            let pid = process.pid.as_raw_nonzero().get();
            !process.is_dead
                && !spared.contains(&pid)
                && ((selector.descendants && self.ancestors(pid).any(|ancestor| ancestor == own))
                    || (finds_marked() && process.has_in_environment(mark.as_bytes(), &mut buffer)))
        };
        self.0.values().filter(is_wanted).copied().collect()
    }

    /// Walks from a process towards the first of all; a walk that goes in circles, which a table read piece by piece
    /// could make it do, ends too.
    fn ancestors(&self, pid: i32) -> impl Iterator<Item = i32> {
        let parent = |pid: &i32| self.0.get(pid).map(|process| process.parent).filter(|parent| *parent > 0);
        std::iter::successors(parent(&pid), parent).take(self.0.len())
    }
}

impl Process {
    fn read(pid: Pid, buffer: &mut Vec<u8>) -> Option<Self> {
        read_file(pid, "stat", buffer).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(buffer))
    }

    /// Reads `/proc/<pid>/stat`: the name in brackets may hold anything, brackets and spaces included.
    fn parse(pid: Pid, stat: &str) -> Option<Self> {
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        // User and system time, its own and its children's: proc(5), fields 14 to 17.
        let times = fields.by_ref().skip(9).take(4).map(str::parse::<u64>);
        let computed = times.sum::<Result<u64, _>>().ok()?;
        let started = fields.nth(4)?.parse().ok()?;
        Some(Self { pid, parent, is_dead, computed, started })
    }

    fn has_in_environment(&self, entry: &[u8], buffer: &mut Vec<u8>) -> bool {
        let is_read = read_file(self.pid, "environ", buffer).is_ok();
        is_read && buffer.split(|byte| *byte == 0).any(|found| found == entry)
    }

    /// Kills this very process: a pidfd pins whatever has the id now, and it is only ended if it started when this did.
    fn kill(&self) {
        if let Ok(pidfd) = pidfd_open(self.pid, PidfdFlags::empty())
            && Self::read(self.pid, &mut Vec::with_capacity(FILE_BYTES)).is_some_and(|now| now.started == self.started)
        {
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
    }
}

/// Reads a file of a process into `buffer`, by as few calls as possible: such files tell no length.
fn read_file(pid: Pid, name: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut file = std::fs::File::open(format!("/proc/{}/{name}", pid.as_raw_nonzero()))?;
    let mut len = 0;
    loop {
        buffer.resize((len + FILE_BYTES).max(buffer.capacity()), 0);
        match file.read(&mut buffer[len..]) {
            Ok(read) => {
                len += read;
                // The kernel fills what it is given, so that a short read is the last.
                if len < buffer.len() {
                    buffer.truncate(len);
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                buffer.clear();
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_whatever_the_name() {
        let pid = getpid();
        for name in ["sh", "a b", ") Z 1 (", "((", ""] {
            let stat = format!("42 ({name}) S 7 42 42 0 -1 4194304 1 0 0 0 5 6 70 80 20 0 1 0 98765 1 2 3");
            let expected = Process { pid, parent: 7, is_dead: false, computed: 161, started: 98_765 };
            assert_eq!(Process::parse(pid, &stat), Some(expected), "{name:?}");
        }
        assert_eq!(Process::parse(pid, "42 (sh"), None);
        assert_eq!(Process::parse(pid, ""), None);
    }

    /// A process that is ended with its test.
    struct Sleeping(std::process::Child);

    impl Drop for Sleeping {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn reads_the_environment_of_a_process_however_long_it_is() {
        let value = "x".repeat(3 * FILE_BYTES);
        let mut sleep = std::process::Command::new("sleep");
        sleep.arg("60").env_clear().env("A", &value).env(JOB_ID_VARIABLE, "job").stdout(std::process::Stdio::null());
        let sleeping = Sleeping(sleep.spawn().unwrap());
        let (pid, mut buffer) = (Pid::from_child(&sleeping.0), Vec::new());
        let process = Process::read(pid, &mut buffer).unwrap();
        let mut has = |entry: &str| process.has_in_environment(entry.as_bytes(), &mut buffer);
        // Its environment is there once it is what it was started as.
        let begun = Instant::now();
        while !has("PV_JOB_ID=job") {
            assert!(begun.elapsed() < LEFTOVERS_LIMIT, "it does not start");
        }
        assert!(has(&format!("A={value}")) && !has("PV_JOB_ID=jo") && !has("A=x"));
        drop(sleeping);
        assert!(read_file(pid, "stat", &mut buffer).is_err());
    }

    #[test]
    fn a_look_at_what_is_new_finds_what_was_started_since_whatever_is_known_of_others() {
        let id: JobId = "0190f5c2a7b97c31b1c5b1d1a1e1f102".parse().unwrap();
        let start = |marker: &str| {
            let mut sleep = std::process::Command::new("sleep");
            sleep.arg("60").env(JOB_ID_VARIABLE, marker).stdout(std::process::Stdio::null());
            Sleeping(sleep.spawn().unwrap())
        };
        // Twice, so that the second look knows the older ones.
        for _ in 0..2 {
            let (own, other) = (start(id.as_str()), start("another"));
            let table = Table::read_new().unwrap();
            let pids = [&own, &other].map(|sleeping| Pid::from_child(&sleeping.0).as_raw_nonzero().get());
            assert!(pids.iter().all(|pid| table.0.contains_key(pid)), "both are new");
            assert!(table.0.len() < Table::read().unwrap().0.len(), "the first of all is older");
            let started = Process::read(getpid(), &mut Vec::new()).unwrap().started;
            assert!(table.0.values().all(|process| process.started >= started));
            assert!(OLDER.lock().known.iter().all(|(pid, _)| !pids.contains(pid)));
        }
    }

    #[test]
    fn finds_ourselves_in_the_table_and_never_wants_us() {
        let table = Table::read().unwrap();
        let own = getpid().as_raw_nonzero().get();
        assert!(table.0.contains_key(&own));
        let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101".parse().unwrap();
        let found = table.find(&Selector { marker: &id, descendants: true });
        let spared: Vec<i32> = table.ancestors(own).chain([own]).collect();
        assert!(found.iter().all(|process| !spared.contains(&process.pid.as_raw_nonzero().get())));
    }
}
