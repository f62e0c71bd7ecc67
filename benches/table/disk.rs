//! What the machine itself can do: the baselines.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::root::Root;

/// Returns how long it takes to look at the record of every run, in milliseconds.
pub(crate) fn stat_all_ms(runs: &Path) -> io::Result<f64> {
    let paths: Vec<_> = fs::read_dir(runs)?.filter_map(|entry| Some(entry.ok()?.path().join("job.json"))).collect();
    let begun = Instant::now();
    let found = paths.iter().filter(|path| path.symlink_metadata().is_ok()).count();
    let elapsed = begun.elapsed();
    if found == 0 { Err(io::ErrorKind::NotFound.into()) } else { Ok(elapsed.as_secs_f64() * 1e3) }
}

/// Returns how many million bytes a second the memory copies.
pub(crate) fn memcpy_mb() -> f64 {
    let (from, mut to) = (vec![7_u8; 64 << 20], vec![0_u8; 64 << 20]);
    to.copy_from_slice(&from);
    let begun = Instant::now();
    for _ in 0..8 {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
    }
    8.0 * from.len() as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

/// Returns how many times a second this many threads together can do in a new root what makes a submission durable, and nothing
/// else: a file in one folder with its sync and that of the folder after its rename, and a new folder with a synced file and the
/// spare one of an abort, synced, renamed, and the sync of the folder above.
pub(crate) fn syncs_a_second(root: &Root, threads: usize, during: Duration) -> io::Result<f64> {
    let (inbox, runs) = (root.path().join("inbox/o/small/main"), root.path().join("runs"));
    let (number, begun) = (AtomicUsize::new(0), Instant::now());
    let one = |name: &str| -> io::Result<()> {
        let sync_dir = |dir: &Path| File::open(dir)?.sync_all();
        let temp = inbox.join(format!(".{name}"));
        write_synced(&temp, &[b'x'; 1200])?;
        fs::rename(&temp, inbox.join(name))?;
        sync_dir(&inbox)?;
        let temp = runs.join(format!(".{name}"));
        fs::create_dir(&temp)?;
        write_synced(&temp.join("job.json"), &[b'x'; 600])?;
        write_synced(&temp.join(".spare"), b"")?;
        sync_dir(&temp)?;
        fs::rename(&temp, runs.join(name))?;
        sync_dir(&runs)
    };
    let work = || -> io::Result<()> {
        while begun.elapsed() < during {
            one(&number.fetch_add(1, Ordering::Relaxed).to_string())?;
        }
        Ok(())
    };
    let done: io::Result<Vec<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))).collect()
    });
    done?;
    Ok(number.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
