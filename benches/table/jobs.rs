//! Jobs with a real watcher: how soon they run, how many a second, and what they take of a large repository.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use pv_lib::{
    host,
    job::JobId,
    prompt::{Source, Submission},
};
use serde_json::Value;

use crate::{
    Sizes,
    process::Pv,
    report::{Report, median_ms, ms},
    root::{Agent, Root, git, now, sync},
};

/// How long a job may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How often a record is looked at.
const LOOK: Duration = Duration::from_micros(200);

/// Measures a watcher above a long history, whose jobs that seem to run it ends first.
pub(crate) fn long_history(root: &Root, pvs: &[Pv], sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    for pv in pvs {
        let watcher = pv.watcher(root.path())?;
        report.put("watcher/start", pv, ms(watcher.busy_for()?));
        report.put("watcher/start/cpu", pv, watcher.cpu_seconds()? * 1e3);
        wait_for(|| Ok(read_json(&root.path().join("runs/.locks/.watcher.json"))["running"] == 0))?;
        thread::sleep(Duration::from_secs(1));
        report.put("watcher/idle", pv, watcher.cpu_percent(sizes.idle)?);
        report.put("watcher/memory", pv, watcher.resident_mb()?);
        let api = pv.api(root.path())?;
        let mut client = api.client()?;
        client.get("/status")?;
        let mut times = Vec::new();
        for _ in 0..sizes.posts {
            let body = r##"{"repo":"o/small","branch":"main","markdown_text":"# Do nothing"}"##;
            let begun = Instant::now();
            let answer = client.ask("POST", "/jobs", "Content-Type: application/json\r\n", body)?;
            let receipt: Value = serde_json::from_slice(&answer.body)?;
            let id = receipt["job_id"].as_str().unwrap_or_default();
            let record = root.path().join("runs").join(id).join("job.json");
            wait_for(|| Ok(read_json(&record)["state"] != "created"))?;
            times.push(begun.elapsed());
            wait_for(|| Ok(is_over(&read_json(&record))))?;
            thread::sleep(Duration::from_millis(300));
        }
        report.put_ms("watcher/running", pv, &mut times);
    }
    Ok(())
}

/// Measures how many jobs a second end that do nothing; `kept` takes what is to be removed at the end.
pub(crate) fn drain(
    row: &'static str,
    below: &Path,
    pvs: &[Pv],
    sizes: &Sizes,
    report: &mut Report,
    kept: &mut Vec<Root>,
) -> io::Result<()> {
    for pv in pvs {
        kept.push(Root::new(below, &Agent::Nothing)?.with_repository(20)?);
        let root = &kept[kept.len() - 1];
        let _watcher = pv.watcher(root.path())?;
        // The first one makes the mirror.
        let first = submit(root, 1)?;
        wait_for(|| Ok(first.iter().all(|record| is_over(&read_json(record)))))?;
        // They run already while further ones are submitted.
        let begun = Instant::now();
        let records = submit(root, sizes.no_ops)?;
        // They end nearly in their order. To look at all of them again and again would take the time of what is measured.
        let mut left: Vec<&PathBuf> = records.iter().rev().collect();
        while !left.is_empty() {
            while left.last().is_some_and(|record| is_over(&read_json(record))) {
                left.pop();
            }
            if begun.elapsed() > LIMIT {
                return Err(io::Error::other(format!("{} of {} jobs do not end", left.len(), sizes.no_ops)));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let succeeded = records.iter().filter(|record| read_json(record)["state"] == "succeeded").count();
        if succeeded != records.len() {
            return Err(io::Error::other(format!("only {succeeded} of {} jobs succeeded", records.len())));
        }
        report.put(row, pv, records.len() as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Measures a job that changes one file of a large repository, and what git alone takes to make and look at a checkout.
pub(crate) fn large_repository(below: &Path, pvs: &[Pv], sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    let root = Root::new(below, &Agent::Script("echo more >> dir7/file701.txt"))?.with_repository(sizes.files)?;
    let mut plain = Vec::new();
    let mut times = vec![Vec::new(); pvs.len()];
    for round in 0..sizes.large_jobs {
        for (pv, times) in pvs.iter().zip(&mut times) {
            let _watcher = pv.watcher(root.path())?;
            if round == 0 {
                // The first one makes the mirror.
                one_job(&root)?;
            }
            sync(root.path())?;
            times.push(one_job(&root)?);
        }
        plain.push(checkout_by_git(&root)?);
    }
    report.put_baseline("big", median_ms(&mut plain));
    for (pv, times) in pvs.iter().zip(&mut times) {
        report.put_ms("big", pv, times);
    }
    Ok(())
}

fn one_job(root: &Root) -> io::Result<Duration> {
    let begun = Instant::now();
    let records = submit(root, 1)?;
    wait_for(|| Ok(is_over(&read_json(&records[0]))))?;
    let record = read_json(&records[0]);
    if record["state"] != "succeeded" {
        return Err(io::Error::other(format!("a job ended as {record}")));
    }
    Ok(begun.elapsed())
}

fn checkout_by_git(root: &Root) -> io::Result<Duration> {
    sync(root.path())?;
    let (bare, tree) = (root.path().join("remote/small.git"), root.path().join("tree"));
    let tree_name = tree.display().to_string();
    let begun = Instant::now();
    git(&bare, &["worktree", "add", "-q", "--detach", &tree_name, "main"])?;
    git(&tree, &["status", "--porcelain"])?;
    let elapsed = begun.elapsed();
    git(&bare, &["worktree", "remove", "--force", &tree_name])?;
    Ok(elapsed)
}

/// Measures how long it takes from an abort until the agent is gone.
pub(crate) fn abort(below: &Path, pvs: &[Pv], sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    for pv in pvs {
        let root = Root::new(below, &Agent::Script("exec sleep 600"))?.with_repository(20)?;
        let (_watcher, api) = (pv.watcher(root.path())?, pv.api(root.path())?);
        let mut client = api.client()?;
        let mut times = Vec::new();
        for _ in 0..sizes.posts {
            let records = submit(&root, 1)?;
            let pid = || read_json(&records[0])["pid"].as_u64();
            wait_for(|| Ok(pid().is_some()))?;
            thread::sleep(Duration::from_millis(200));
            let agent = PathBuf::from(format!("/proc/{}", pid().unwrap_or_default()));
            let id = records[0].parent().and_then(|run| run.file_name()?.to_str().map(str::to_owned));
            let begun = Instant::now();
            client.ask("POST", &format!("/jobs/{}/abort", id.unwrap_or_default()), "", "")?;
            wait_for(|| Ok(!agent.exists()))?;
            times.push(begun.elapsed());
            wait_for(|| Ok(is_over(&read_json(&records[0]))))?;
        }
        report.put_ms("abort", pv, &mut times);
    }
    Ok(())
}

/// Submits so many jobs, and returns where their records are.
fn submit(root: &Root, count: usize) -> io::Result<Vec<PathBuf>> {
    let store = root.store()?;
    let submission = Submission {
        repo: "o/small".into(),
        branch: "main".into(),
        markdown: b"# Do it\n".to_vec(),
        filename: None,
        source: Source::Cli,
        retry_of: None,
    };
    let mut records = Vec::new();
    for _ in 0..count {
        let receipts = store.submit(std::slice::from_ref(&submission), &mut host::new_job_id, now());
        let receipts = receipts.map_err(io::Error::other)?;
        records.extend(receipts.iter().map(|receipt| record_path(root, &receipt.job_id)));
    }
    Ok(records)
}

fn record_path(root: &Root, id: &JobId) -> PathBuf {
    root.path().join("runs").join(id.as_str()).join("job.json")
}

fn is_over(record: &Value) -> bool {
    ["succeeded", "failed", "aborted"].iter().any(|state| record["state"] == *state)
}

fn read_json(path: &Path) -> Value {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn wait_for(mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > LIMIT {
            return Err(io::Error::other("something that was waited for did not happen"));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
