//! What the API answers, at several lengths of history.

use std::{
    fs, io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Sizes,
    disk::stat_all_ms,
    http::Client,
    process::{Pv, Service},
    report::{Report, ms},
    root::Root,
};

/// How often a quick request is repeated.
const QUICK: usize = 200;
/// The least that a job takes in a list, by which its wholeness is told.
const ROW_BYTES_MIN: usize = 600;

/// Measures on a short, a middle and a long history.
pub(crate) fn measure(roots: &[(usize, Root)], pvs: &[Pv], sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    for (at, (jobs, root)) in roots.iter().enumerate() {
        let ids = |rows: [&'static str; 4]| rows[at];
        let whole = ids(["whole/100", "whole/1000", "whole/10000", "whole/100000"]);
        if at >= 2 {
            report.put_baseline(whole, stat_all_ms(&root.path().join("runs"))?);
        }
        for pv in pvs {
            let api = pv.api(root.path())?;
            match at {
                0 => report.put("health", pv, ms(api.started_in)),
                3 => start(&api, pv, report)?,
                _ => {}
            }
            let mut client = api.client()?;
            client.get("/status")?;
            if at == 0 {
                // What a start leaves behind is freed by then.
                thread::sleep(Duration::from_secs(1));
                report.put("idle", pv, api.resident_mb()?);
            }
            if at == 3 {
                memory(&api, pv, *jobs, report)?;
                // The first connection was idle meanwhile, with a long history for longer than one may be.
                client = api.client()?;
            }
            let repeats = if *jobs > 50_000 { 3 } else { 9 };
            let read = |client: &mut Client| whole_list(client, *jobs);
            let mut times = (0..repeats).map(|_| read(&mut client)).collect::<io::Result<Vec<_>>>()?;
            times.sort_by_key(|(total, _)| *total);
            let (total, first) = times[times.len() / 2];
            report.put(whole, pv, ms(total));
            match at {
                2 => compressed(&mut client, pv, report)?,
                3 => {
                    report.put("whole/first", pv, ms(first));
                    ten_clients(&api, *jobs, pv, report)?;
                }
                _ => {}
            }
            // The first connection may have been idle for too long.
            pages(&mut api.client()?, at, pv, report)?;
        }
    }
    if let Some((_, root)) = roots.last() {
        for pv in pvs {
            arriving(root, pv, sizes, report)?;
        }
    }
    Ok(())
}

fn start(api: &Service, pv: &Pv, report: &mut Report) -> io::Result<()> {
    let begun = Instant::now();
    report.put("health/100000", pv, ms(api.started_in));
    let mut client = api.client()?;
    client.get("/jobs?limit=50")?;
    report.put("start/page", pv, ms(api.started_in + begun.elapsed()));
    client.get("/status")?;
    report.put("start/counts", pv, ms(api.started_in + begun.elapsed()));
    Ok(())
}

/// Measures what the API takes when it knows all jobs and nobody has asked for a list, and with one reader of all.
fn memory(api: &Service, pv: &Pv, jobs: usize, report: &mut Report) -> io::Result<()> {
    thread::sleep(Duration::from_secs(1));
    let before = api.resident_mb()?;
    report.put("idle/100000", pv, before);
    report.put("idle/job", pv, before * 1e6 / jobs as f64);
    api.forget_peak()?;
    whole_list(&mut api.client()?, jobs)?;
    report.put("whole/memory", pv, api.peak_mb()? - before);
    Ok(())
}

fn ten_clients(api: &Service, jobs: usize, pv: &Pv, report: &mut Report) -> io::Result<()> {
    let before = api.resident_mb()?;
    api.forget_peak()?;
    let read: io::Result<Vec<_>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(|| whole_list(&mut api.client()?, jobs).map(drop))).collect();
        clients.into_iter().map(|client| client.join().unwrap_or(Err(io::Error::other("panicked")))).collect()
    });
    read?;
    report.put("whole/ten", pv, api.peak_mb()? - before);
    Ok(())
}

fn compressed(client: &mut Client, pv: &Pv, report: &mut Report) -> io::Result<()> {
    let plain = client.get("/jobs")?;
    let answer = client.ask("GET", "/jobs", "Accept-Encoding: gzip\r\n", "")?;
    if answer.body.starts_with(&[0x1f, 0x8b]) {
        report.put("whole/gzip", pv, ms(answer.total));
        report.put("whole/gzip/size", pv, answer.len as f64 / plain.len as f64 * 100.0);
    }
    Ok(())
}

fn pages(client: &mut Client, at: usize, pv: &Pv, report: &mut Report) -> io::Result<()> {
    let page = ["page/100", "", "page/10000", "page/100000"][at];
    if !page.is_empty() {
        report.put_ms(page, pv, &mut quick(client, "/jobs?limit=50")?);
    }
    let status = ["", "", "status/10000", "status/100000"][at];
    if !status.is_empty() {
        report.put_ms(status, pv, &mut quick(client, "/status")?);
    }
    if at == 3 {
        report.put_ms("running/100000", pv, &mut quick(client, "/jobs?state=running")?);
        let page = client.get("/jobs?limit=50")?;
        let page: serde_json::Value = serde_json::from_slice(&page.body)?;
        let id = page["jobs"][49]["job_id"].as_str().unwrap_or_default().to_owned();
        report.put_ms("job", pv, &mut quick(client, &format!("/jobs/{id}"))?);
    }
    Ok(())
}

/// Measures a page while jobs arrive; what has arrived is removed again.
fn arriving(root: &Root, pv: &Pv, sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    let api = pv.api(root.path())?;
    let mut client = api.client()?;
    client.get("/status")?;
    client.get("/jobs?limit=50")?;
    let is_over = AtomicBool::new(false);
    let mut times = Vec::new();
    let added: io::Result<Vec<_>> = thread::scope(|scope| {
        let adding = scope.spawn(|| {
            let mut added = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                added.push(root.add_running(added.len() + 100)?.1);
                thread::sleep(Duration::from_millis(100));
            }
            Ok(added)
        });
        let begun = Instant::now();
        while begun.elapsed() < sizes.arriving {
            match client.get("/jobs?limit=50") {
                Ok(answer) => times.push(answer.total),
                Err(error) => return Err(error),
            }
            thread::sleep(Duration::from_millis(3));
        }
        is_over.store(true, Ordering::Relaxed);
        adding.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))
    });
    for run in added? {
        fs::remove_dir_all(run)?;
    }
    report.put_ms("page/arriving", pv, &mut times);
    Ok(())
}

fn quick(client: &mut Client, path: &str) -> io::Result<Vec<Duration>> {
    (0..QUICK).map(|_| Ok(client.get(path)?.total)).collect()
}

/// Reads the whole list, and returns how long that took, and its first row.
fn whole_list(client: &mut Client, jobs: usize) -> io::Result<(Duration, Duration)> {
    let answer = client.get("/jobs")?;
    if answer.len < jobs * ROW_BYTES_MIN {
        return Err(io::Error::other(format!("the list of {jobs} jobs has only {} bytes", answer.len)));
    }
    Ok((answer.total, answer.first))
}
