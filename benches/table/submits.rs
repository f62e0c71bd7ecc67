//! Durable submissions, and what the disk gives for their syncs alone.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use crate::{
    Sizes,
    disk::syncs_a_second,
    process::Pv,
    report::Report,
    root::{Agent, Root},
};

/// How many clients submit at once.
const CLIENTS: usize = 16;

pub(crate) fn measure(
    row: &'static str,
    below: &Path,
    pvs: &[Pv],
    sizes: &Sizes,
    report: &mut Report,
    kept: &mut Vec<Root>,
) -> io::Result<()> {
    // What was measured stays until the end: where many files were removed, ext4 without a journal makes new ones at a quarter
    // of the rate for the next minutes.
    let mut make = || -> io::Result<usize> {
        kept.push(Root::new(below, &Agent::Nothing)?);
        Ok(kept.len() - 1)
    };
    let roots = (0..2 * pvs.len() + 1).map(|_| make()).collect::<io::Result<Vec<_>>>()?;
    let baseline = |number: usize| syncs_a_second(&kept[roots[number]], CLIENTS, sizes.submitting);
    // Before each and after the last: what a disk gives changes from second to second.
    let mut baselines = vec![baseline(0)?];
    for (number, pv) in pvs.iter().enumerate() {
        let root = &kept[roots[2 * number + 1]];
        let api = pv.api(root.path())?;
        let markdown = "# Add a changelog\\n\\nSummarize the last ten commits.\\n".repeat(15);
        let body = format!(r#"{{"repo":"o/small","branch":"main","markdown_text":"{markdown}"}}"#);
        let (done, begun) = (AtomicUsize::new(0), Instant::now());
        let submit = || -> io::Result<()> {
            let mut client = api.client()?;
            while begun.elapsed() < sizes.submitting {
                let answer = client.ask("POST", "/jobs", "Content-Type: application/json\r\n", &body)?;
                if answer.status != 201 {
                    return Err(io::Error::other(format!(
                        "{}: {}",
                        answer.status,
                        String::from_utf8_lossy(&answer.body)
                    )));
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let ended: io::Result<Vec<()>> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(submit)).collect();
            clients.into_iter().map(|client| client.join().unwrap_or(Err(io::Error::other("panicked")))).collect()
        });
        ended?;
        report.put(row, pv, done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64());
        drop(api);
        baselines.push(baseline(2 * number + 2)?);
    }
    report.put_baseline(row, baselines.iter().sum::<f64>() / baselines.len() as f64);
    Ok(())
}
