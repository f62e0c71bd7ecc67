//! The cgroups of jobs: none stays when its job is over, whatever became of its supervisor.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::fixture::{CliFixture, processes_of, wait_until};

/// Returns where cgroups can be made here; `None` where there is no writable cgroup v2.
fn writable() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("reads");
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let mount = PathBuf::from(line.split(' ').nth(4)?);
    let own = fs::read_to_string("/proc/self/cgroup").expect("reads");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let probe = mount.join(own).join(format!("pv-probe-{}", std::process::id()));
    let is_writable = fs::create_dir(&probe).is_ok() && probe.join("cgroup.kill").exists();
    let _ = fs::remove_dir(&probe);
    if !is_writable {
        eprintln!("NOT CHECKED: no writable cgroup v2 at {}", mount.display());
    }
    is_writable.then(|| probe.parent().expect("a folder").to_owned())
}

fn make(parent: &Path, id: &str) -> PathBuf {
    let dir = parent.join(format!("pv-{id}"));
    fs::create_dir_all(dir.join("inner/most")).expect("makes");
    dir
}

#[test]
fn empty_cgroups_of_jobs_that_are_over_are_removed_and_others_are_not() {
    let Some(parent) = writable() else { return };
    let fixture = CliFixture::with_agent("echo done\n");
    let unique = |n: u32| format!("{:024x}{n:08x}", std::process::id());
    let (over, live, strange, busy) = (unique(1), unique(2), unique(3), unique(4));
    fixture.put_record(&over, &json!({ "state": "failed" }));
    fixture.put_record(&busy, &json!({ "state": "aborted" }));
    fixture.put_record(&live, &json!({ "state": "created" }));
    let [over, live, strange, busy] = [&over, &live, &strange, &busy].map(|id| make(&parent, id));
    let mut process = Command::new("sleep").arg("1000").spawn().expect("starts");
    fs::write(busy.join("inner/most/cgroup.procs"), process.id().to_string()).expect("moves");
    fixture.output(&["watcher", "--once"], 0);
    let there = [&over, &live, &strange, &busy].map(|dir| dir.exists());
    process.kill().expect("kills");
    process.wait().expect("waits");
    for dir in [&over, &live, &strange, &busy] {
        for below in ["inner/most", "inner", ""] {
            let _ = fs::remove_dir(dir.join(below));
        }
    }
    // Of one that another installation may have, and of one in which something runs, nothing is known.
    assert_eq!(there, [false, true, true, true]);
}

#[test]
fn a_killed_supervisor_leaves_no_cgroup_not_even_one_that_its_agent_made() {
    if writable().is_none() {
        return;
    }
    // An agent that puts a child into a cgroup of its own below the job's, as containers do.
    let agent = r#"own=$(sed -n 's/^0:://p' /proc/self/cgroup)
mount=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo)
mkdir -p "$mount$own/inner/most"
sleep 1000 & echo $! > "$mount$own/inner/most/cgroup.procs"
echo "at $mount$own"
while :; do sleep 0.1; done
"#;
    let fixture = CliFixture::with_agent(agent);
    let _watcher = fixture.start("watcher");
    let id = fixture.submit("o/r");
    let cgroup = wait_until("it is in its cgroup", || {
        fixture.log(&id).lines().find_map(|line| line.strip_prefix("at ")).map(PathBuf::from)
    });
    assert!(cgroup.ends_with(format!("pv-{id}")), "{}", cgroup.display());
    assert!(!fs::read_to_string(cgroup.join("inner/most/cgroup.procs")).expect("reads").is_empty());
    let pid = wait_until("its pid is known", || fixture.record(&id)["pid"].as_i64());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the agent lives");
    let supervisor = stat.split(' ').nth(3).expect("its parent");
    assert!(Command::new("kill").args(["-9", supervisor]).status().expect("kills").success());
    let record = fixture.wait_for_state(&id, "failed");
    assert_eq!(record["reason"], "interrupted");
    wait_until("nothing of it lives", || processes_of(&id).is_empty().then_some(()));
    wait_until("its cgroup is gone", || (!cgroup.exists()).then_some(()));
}
