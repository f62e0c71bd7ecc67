//! What a mirror becomes over many jobs, while it is maintained beside them. Run by hand: it takes a while.
//!
//! `cargo test -p pv-watcher --test it -- --ignored --nocapture c14_a_thousand`, with `PV_TEST_JOBS` for another number and
//! `PV_TEST_MAINTAINED=no` for what becomes of one that nobody maintains.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pv_lib::job::JobState;
use pv_watcher::{MirrorLimits, MirrorSettings, maintain_mirrors};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, git},
};

/// How many jobs are run, unless `PV_TEST_JOBS` says otherwise.
const JOBS: usize = 1000;

/// After how many jobs the remote has something new.
const ADVANCES_EVERY: usize = 10;

/// How often the mirror is looked at: as often as a watcher does, for jobs that take as long as agents take.
const MAINTAINED_EVERY: Duration = Duration::from_secs(10);

/// Returns how many files there are below a folder, and their bytes as they lie on the disk.
fn measure(dir: &Path) -> (usize, u64) {
    use std::os::unix::fs::MetadataExt;
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(stat) = entry.metadata() else { continue };
        bytes += stat.blocks() * 512;
        if stat.is_dir() {
            let below = measure(&entry.path());
            files += below.0;
            bytes += below.1;
        } else {
            files += 1;
        }
    }
    (files, bytes)
}

/// Returns how long the processes that this one has waited for have computed, in milliseconds.
fn computed_ms() -> u128 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[13].parse::<u128>().unwrap() + fields[14].parse::<u128>().unwrap()) * 10
}

#[test]
#[ignore = "takes many minutes: run it by hand"]
fn c14_a_thousand_jobs_over_one_mirror() {
    let jobs = std::env::var("PV_TEST_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(JOBS);
    let script = "for n in 1 2 3; do seq $$ $(($$ + 300)) > work-$n.txt; done; echo $PV_JOB_ID >> README.md";
    let mut fixture = with_remote(script).set(fixture::DELIVER, "branch");
    let (remote, mirror) = (fixture.root.join("remote.git"), fixture.root.join("repos/.mirrors/o/r.git"));
    let (store, is_over) = (fixture.store.clone(), Arc::new(AtomicBool::new(false)));
    let until = Arc::clone(&is_over);
    let is_left_alone = std::env::var("PV_TEST_MAINTAINED").is_ok_and(|maintained| maintained == "no");
    let maintaining = (!is_left_alone).then(|| {
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let settings = MirrorSettings { limits: MirrorLimits::default(), git_timeout: Duration::from_secs(600) };
            while !until.load(Ordering::Relaxed) {
                runtime.block_on(maintain_mirrors(&store, &settings, &mut BTreeMap::new()));
                thread::sleep(MAINTAINED_EVERY);
            }
        })
    });
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for job in 0..jobs {
        if job > 0 {
            fixture.retry();
        }
        if job % ADVANCES_EVERY == ADVANCES_EVERY - 1 {
            let tree = git(&remote, &["rev-parse", "main^{tree}"]);
            let author = ["-c", "user.name=n", "-c", "user.email=e"];
            let commit = ["commit-tree", "-p", "main", "-m", &format!("upstream {job}"), &tree];
            let commit = git(&remote, &[&author[..], &commit].concat());
            git(&remote, &["update-ref", "refs/heads/main", &commit]);
        }
        let (begun, computed) = (Instant::now(), computed_ms());
        let record = fixture.run();
        times.push(begun.elapsed());
        cpu.push(computed_ms() - computed);
        assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
        if job % 100 == 99 || job == 0 {
            let (files, bytes) = measure(mirror.as_std_path());
            println!(
                "after {} jobs: {} ms, mirror {files} files, {} KiB",
                job + 1,
                times[job].as_millis(),
                bytes >> 10
            );
        }
    }
    is_over.store(true, Ordering::Relaxed);
    maintaining.into_iter().for_each(|maintaining| maintaining.join().unwrap());
    let median = |values: &[u128]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let times: Vec<u128> = times.iter().map(|time| time.as_millis()).collect();
    let some = times.len().min(20);
    let (first, last) = (median(&times[..some]), median(&times[times.len() - some..]));
    println!("the middle of the first {some}: {first} ms, of the last {some}: {last} ms");
    println!("of it computing: {} ms, {} ms", median(&cpu[..some]), median(&cpu[cpu.len() - some..]));
    let (files, bytes) = measure(mirror.as_std_path());
    println!("mirror: {files} files, {} KiB", bytes >> 10);
}
