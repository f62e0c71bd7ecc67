//! Whether the kernel ended a process because memory was out.

use std::path::PathBuf;

use pv_lib::supervise::Exit;

use super::{
    Cgroup,
    cgroup::{own_cgroup, own_v1_memory_cgroup},
};

/// The signal by which the kernel ends a process when memory is out.
const KILL: i32 = 9;

/// The exit code of a shell, and of most runtimes, whose child ended by that signal.
const CHILD_KILLED: i32 = 128 + KILL;

/// What the kernel counts for a process and for those that share its limit, from before it starts.
#[derive(Debug)]
pub(crate) struct OomKills {
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    path: PathBuf,
    /// Whether it counts the processes of this job alone.
    is_own: bool,
    before: u64,
}

impl OomKills {
    /// Notes what was counted so far: for the job's cgroup, and for the one that this process is in, of either version.
    pub(crate) fn begin(cgroup: Option<&Cgroup>) -> Self {
        let own = cgroup.map(|cgroup| (cgroup.memory_events_path(), true));
        let shared = own_cgroup().map(|dir| (dir.join("memory.events"), false));
        let shared_v1 = own_v1_memory_cgroup().map(|dir| (dir.join("memory.oom_control"), false));
        let counters = [own, shared, shared_v1].into_iter().flatten();
        let counters = counters.map(|(path, is_own)| Counter { before: count(&path), path, is_own });
        Self { counters: counters.collect() }
    }

    /// Tells whether the kernel has ended a process of the job since: one that its own cgroup counts, or, where others
    /// share the limit, the very process that exited or a child that it gave up over.
    pub(crate) fn explain(&self, exit: Option<Exit>) -> bool {
        let was_killed = matches!(exit, Some(Exit::Signal(KILL) | Exit::Code(CHILD_KILLED)));
        let grown = |counter: &Counter| count(&counter.path) > counter.before;
        self.counters.iter().any(|counter| (counter.is_own || was_killed) && grown(counter))
    }
}

fn count(path: &PathBuf) -> u64 {
    parse(&fs_err::read_to_string(path).unwrap_or_default())
}

/// Reads the line `oom_kill` of `memory.events` or `memory.oom_control`; 0 where it is not counted.
fn parse(events: &str) -> u64 {
    let found = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    found.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_line_of_either_version_is_read() {
        let v2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        for (events, expected) in
            [(v2, 2), ("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n", 7), ("", 0), ("oom 3\noom_kill x\n", 0)]
        {
            assert_eq!(parse(events), expected, "{events}");
        }
    }

    #[test]
    fn c22_what_others_share_counts_only_for_a_process_that_was_killed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.events");
        fs::write(&path, "oom_kill 1\n").unwrap();
        let of = |is_own| OomKills { counters: vec![Counter { path: path.clone(), is_own, before: 1 }] };
        let (own, shared) = (of(true), of(false));
        let killed = [Some(Exit::Signal(9)), Some(Exit::Code(137))];
        let exits = [Some(Exit::Code(0)), Some(Exit::Code(1)), Some(Exit::Signal(15)), None];
        for exit in killed.iter().chain(&exits) {
            assert!(!own.explain(*exit) && !shared.explain(*exit), "nothing was counted since: {exit:?}");
        }
        fs::write(&path, "oom_kill 2\n").unwrap();
        for exit in killed {
            assert!(own.explain(exit) && shared.explain(exit), "{exit:?}");
        }
        for exit in exits {
            assert!(own.explain(exit) && !shared.explain(exit), "{exit:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(!own.explain(Some(Exit::Signal(9))));
    }
}
