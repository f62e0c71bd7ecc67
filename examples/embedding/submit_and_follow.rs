//! Submits a prompt to a throw-away root, follows its log, and shows how the job ended.
//!
//! `cargo run -p pv-examples --example submit_and_follow`
//!
//! A scripted worker stands in for the watcher and its supervisor, so that this runs by itself. Against a real
//! installation [`work`] is not needed: open the store with its folders, then [`submit`] and [`follow`].

use std::{
    error::Error,
    fs::OpenOptions,
    io::{self, Write},
    sync::Arc,
    thread::{self, sleep},
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    Error as PvError,
    fs::OsFs,
    host,
    job::{JobId, JobRecord, Outcome, Phase, Started},
    layout::{InboxMode, Layout},
    prompt::{Source, Submission},
    store::{Store, StoreLimits},
    target::Target,
};

type Anything<T> = Result<T, Box<dyn Error + Send + Sync>>;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const FOLLOW_AT_MOST: Duration = Duration::from_secs(20);
const READ_BYTES: usize = 64 << 10;

fn main() -> Anything<()> {
    let root = tempfile::tempdir()?;
    let root = Utf8Path::from_path(root.path()).ok_or("the temporary folder's name is not UTF-8")?;
    let layout = Layout::under(root, InboxMode::MultiOwner);
    let store = Store::new(Arc::new(OsFs), layout, StoreLimits::default(), &host::name());
    store.add_target(&Target::new(Some("nova-rey"), "example", "main")?)?;

    let id = submit(&store)?;
    println!("submitted {id}");
    let worker = thread::spawn({
        let (store, id) = (store.clone(), id.clone());
        move || work(&store, &id)
    });
    let record = follow(&store, &id)?;
    worker.join().map_err(|_| "the worker panicked")??;
    println!("{}: {}", record.state(), record.message.as_deref().unwrap_or("no message"));
    Ok(())
}

/// Submits the prompt. Once this returns, the job survives a power cut.
fn submit(store: &Store) -> Anything<JobId> {
    let submission = Submission {
        repo: "nova-rey/example".into(),
        branch: "main".into(),
        markdown: b"# Say hello\n\nAdd a file that says hello.\n".to_vec(),
        filename: Some("hello.md".into()),
        source: Source::Cli,
        retry_of: None,
    };
    let receipts = store.submit(&[submission], &mut host::new_job_id, host::now())?;
    Ok(receipts.into_iter().next().ok_or("no receipt")?.job_id)
}

/// Prints the log as it grows, and returns the record once the job is over.
fn follow(store: &Store, id: &JobId) -> Anything<JobRecord> {
    let mut offset = 0;
    for _ in 0..FOLLOW_AT_MOST.as_millis() / LOOK_EVERY.as_millis() {
        // First the record, then the log: what was written before the end is printed.
        let record = store.read_run(id)?.into_record()?;
        loop {
            let bytes = match store.read_log(id, offset, READ_BYTES) {
                Err(PvError::LogNotFound(_)) => break,
                read => read?,
            };
            if bytes.is_empty() {
                break;
            }
            io::stdout().write_all(&bytes)?;
            offset += bytes.len() as u64;
        }
        if record.state().is_terminal() {
            return Ok(record);
        }
        sleep(LOOK_EVERY);
    }
    Err("the job did not end in time".into())
}

/// What a watcher and a supervisor do to a job, with three lines of log instead of an agent.
fn work(store: &Store, id: &JobId) -> Anything<()> {
    let prompt = store.find_prompt(id)?.ok_or("the prompt is gone")?;
    store.claim(&prompt, id)?;
    let mut writer = store.writer(id)?;
    writer.write_prompt()?;
    let log_path = store.layout().log_path(id);
    writer.start(Started {
        now: host::now(),
        boot_id: host::boot_id(),
        agent: "scripted".into(),
        model: None,
        title: None,
        log_path: log_path.to_string(),
        phase: Phase::Agent,
    })?;
    let mut log = OpenOptions::new().create(true).append(true).open(&log_path)?;
    for line in ["reading the prompt", "writing hello.txt", "done"] {
        writeln!(log, "  agent: {line}")?;
        sleep(Duration::from_millis(150));
    }
    writer.finish(Outcome::Succeeded { message: Some("hello.txt says hello".into()) }, host::now())?;
    Ok(writer.archive()?)
}
