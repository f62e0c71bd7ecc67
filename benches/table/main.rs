//! One table of what Prompt Valet costs as the history grows: `benches/run`, or this program beside a `pv` that is built.
//!
//! Everything is measured from outside, on real processes and real files, so that any version of `pv` can be measured:
//! `pv-table --pv 0.1.0=/path/to/old/pv --pv now=target/release/pv`. What a row is compared with (the disk's own syncs,
//! git alone, memcpy) is measured in the same run.

mod cli;
mod disk;
mod http;
mod jobs;
mod lists;
mod process;
mod report;
mod root;
mod streams;
mod submits;
mod targets;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use process::Pv;
use report::Report;
use root::{Agent, Root};

const HELP: &str = "Prints a table of what Prompt Valet costs, with targets and verdicts.

Usage: pv-table [OPTIONS] [GROUP]...

Groups: lists cli watcher drain large abort streams submits; all of them by default

  --pv [NAME=]PATH  a pv to measure; may be repeated, the last one is judged [default: pv beside this program]
  --dir DIR         where to measure, on a disk [default: the folder for temporary files]
  --tmpfs DIR       where to measure in memory [default: /dev/shm]
  --longest JOBS    the length of the longest history; another one than 100,000 is not judged
  --small           a short form that shows that everything can be measured, and judges nothing";

/// How much is measured.
#[derive(Clone)]
struct Sizes {
    histories: [usize; 4],
    arriving: Duration,
    idle: Duration,
    posts: usize,
    no_ops: usize,
    files: usize,
    large_jobs: usize,
    streams: usize,
    log_bytes: usize,
    submitting: Duration,
}

const WHOLE: Sizes = Sizes {
    histories: [100, 1000, 10_000, 100_000],
    arriving: Duration::from_secs(3),
    idle: Duration::from_secs(10),
    posts: 10,
    no_ops: 160,
    files: 50_000,
    large_jobs: 3,
    streams: 5000,
    log_bytes: 200_000_000,
    submitting: Duration::from_secs(2),
};

const SMALL: Sizes = Sizes {
    histories: [20, 50, 100, 300],
    arriving: Duration::from_millis(300),
    idle: Duration::from_millis(500),
    posts: 2,
    no_ops: 4,
    files: 900,
    large_jobs: 1,
    streams: 60,
    log_bytes: 2_000_000,
    submitting: Duration::from_millis(200),
};

struct Args {
    pvs: Vec<Pv>,
    dir: PathBuf,
    tmpfs: PathBuf,
    is_small: bool,
    longest: Option<usize>,
    groups: Vec<String>,
}

impl Args {
    /// Returns how much is measured.
    fn sizes(&self) -> Sizes {
        let mut sizes = if self.is_small { SMALL } else { WHOLE };
        sizes.histories[3] = self.longest.unwrap_or(sizes.histories[3]);
        sizes
    }

    fn is_judged(&self) -> bool {
        !self.is_small && self.longest.is_none()
    }

    fn wants(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|wanted| wanted == group)
    }
}

fn main() -> ExitCode {
    let args = match read_args() {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("pv-table: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let mut report = Report::default();
    println!("{}", machine(&args));
    // Removing so many folders takes a while: at the end, where nothing is measured any more.
    let made = measure(&args, &mut report);
    println!("\n{}", report.table(&args.pvs, args.is_judged(), args.longest));
    if args.is_small {
        println!(
            "The short form, with a few hundred jobs for each row: it shows that all is measured, and the values tell nothing."
        );
    }
    let (values, failures) = report.outcome();
    println!("{values} values in {} s; load at the end: {}", begun.elapsed().as_secs(), load());
    failures.iter().for_each(|failure| println!("NOT MEASURED: {failure}"));
    drop(made);
    if failures.is_empty() && values > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures what is wanted, and returns what is to be removed at the end.
fn measure(args: &Args, report: &mut Report) -> Vec<Root> {
    let sizes = &args.sizes();
    let (pvs, dir) = (&args.pvs, args.dir.as_path());
    let mut made = Vec::new();
    if ["lists", "cli", "watcher"].into_iter().any(|name| args.wants(name)) {
        match histories(dir, sizes) {
            Ok(roots) => {
                let longest = &roots[roots.len() - 1].1;
                group(args, report, "lists", |report| lists::measure(&roots, pvs, sizes, report));
                group(args, report, "cli", |report| cli::measure(longest, pvs, report));
                group(args, report, "watcher", |report| jobs::long_history(longest, pvs, sizes, report));
                made.extend(roots.into_iter().map(|(_, root)| root));
            }
            Err(error) => report.fail("making the histories", &error),
        }
    }
    group(args, report, "streams", |report| streams::measure(dir, pvs, sizes, report));
    let memory = Some(args.tmpfs.as_path()).filter(|dir| dir.is_dir());
    if memory.is_none() {
        eprintln!("{} is no folder: nothing is measured in memory", args.tmpfs.display());
    }
    group(args, report, "submits", |report| {
        submits::measure("submit/disk", dir, pvs, sizes, report, &mut made)?;
        memory.map_or(Ok(()), |memory| submits::measure("submit/tmpfs", memory, pvs, sizes, report, &mut made))
    });
    group(args, report, "drain", |report| {
        jobs::drain("drain/disk", dir, pvs, sizes, report, &mut made)?;
        memory.map_or(Ok(()), |memory| jobs::drain("drain/tmpfs", memory, pvs, sizes, report, &mut made))
    });
    group(args, report, "abort", |report| jobs::abort(dir, pvs, sizes, report));
    group(args, report, "large", |report| jobs::large_repository(dir, pvs, sizes, report));
    made
}

/// Measures a group of rows, if it is wanted. What fails is noted, and the others go on.
fn group(args: &Args, report: &mut Report, name: &str, measure: impl FnOnce(&mut Report) -> io::Result<()>) {
    if args.wants(name) {
        eprintln!("{name}");
        if let Err(error) = measure(report) {
            report.fail(name, &error);
        }
    }
}

/// Makes a root for each length of history.
fn histories(dir: &Path, sizes: &Sizes) -> io::Result<Vec<(usize, Root)>> {
    let make = |jobs: usize| Ok((jobs, Root::new(dir, &Agent::Nothing)?.with_repository(20)?.with_history(jobs)?));
    sizes.histories.into_iter().map(make).collect()
}

/// Says on what is measured.
fn machine(args: &Args) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, Linux {}, in {}; load at the start: {}", kernel.trim(), args.dir.display(), load())
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Reads the arguments; `None` where help is asked for.
fn read_args() -> Result<Option<Args>, String> {
    const GROUPS: [&str; 8] = ["lists", "cli", "watcher", "drain", "large", "abort", "streams", "submits"];
    let mut args = Args {
        pvs: vec![],
        dir: env::temp_dir(),
        tmpfs: "/dev/shm".into(),
        is_small: false,
        longest: None,
        groups: vec![],
    };
    let mut given = env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut value = || given.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--small" => args.is_small = true,
            "--longest" => {
                args.longest = Some(value()?.parse().map_err(|_| "--longest needs a number of jobs".to_owned())?);
            }
            "--dir" => args.dir = value()?.into(),
            "--tmpfs" => args.tmpfs = value()?.into(),
            "--pv" => args.pvs.push(pv(&value()?)?),
            group if GROUPS.contains(&group) => args.groups.push(arg),
            _ => return Err(format!("{arg} is no option and no group")),
        }
    }
    if args.pvs.is_empty() {
        let beside = env::current_exe().map_err(|error| error.to_string())?.with_file_name("pv");
        args.pvs.push(pv(&format!("pv={}", beside.display()))?);
    }
    Ok(Some(args))
}

fn pv(text: &str) -> Result<Pv, String> {
    let (name, path) = text.split_once('=').unwrap_or((text, text));
    let program = fs::canonicalize(path).map_err(|error| format!("{path}: {error}: build it first"))?;
    Ok(Pv { name: name.to_owned(), program })
}
