//! `pv demo`: a sample job with a built-in agent, in a temporary folder.
//!
//! A sample repository, the real API and the real watcher: a prompt is submitted over HTTP, its log is followed as a stream,
//! and what the agent changed is printed.

pub(crate) mod agent;

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::StreamExt;
use pv_http::api_client;
use pv_lib::{
    job::JobId,
    layout::{InboxMode, Layout, PATCH_NAME},
    target::Target,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::up::serve_both;
use crate::{
    backend::sse::{Event, Events},
    context::Context,
    exit::{Exit, Failure, Outcome},
    services,
};

/// How long the whole demonstration may take.
const LIMIT: Duration = Duration::from_secs(60);

const PROMPT: &str = "\
# Greet the reader

Add a greeting to README.md, and a list of what is in this repository.
";

/// Arguments of `pv demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the demonstration. The folder stays, for the user to look into.
pub(crate) fn run(_args: &Args, _context: &Context) -> Outcome {
    restart_without_settings()?;
    let started = Instant::now();
    let root = make_root()?;
    print_line(&format!("Prompt Valet, demonstrated in {root}\n"))?;
    print_line("  a sample repository, demo/hello, with a branch main")?;
    print_line("  an agent called `scripted`, built in: it reads the prompt and edits files")?;
    let (layout, target) = (Layout::under(&root, InboxMode::MultiOwner), target()?);
    make_repository(&layout.clone_path(&target))?;
    let settings = root.join("config/prompt-valet.yaml");
    write(&settings, &settings_text()?)?;
    std::fs::create_dir_all(layout.branch_path(&target))?;

    let context = Context { config: Some(settings), root: Some(root.clone()), api: None, json: false };
    let config = context.config()?;
    services::block_on(async {
        let api_settings =
            pv_http::ApiSettings { bind_host: "127.0.0.1".into(), bind_port: 0, ..services::api_settings(&config)? };
        let bound = pv_http::Bound::new(api_settings).await.map_err(Failure::usage)?;
        let base = format!("http://{}/api/v1", bound.address());
        print_line(&format!("  API and watcher, on {base}\n"))?;
        let stop = CancellationToken::new();
        let demonstration = async {
            tokio::select! {
                result = tokio::time::timeout(LIMIT, run_job(&base, &root, started)) => {
                    stop.cancel();
                    result.unwrap_or_else(|_| {
                        Err(Failure::new(Exit::JobFailed, format!("the demonstration took longer than {} s", LIMIT.as_secs())))
                    })
                }
                () = services::stop_signal() => {
                    stop.cancel();
                    Err(Failure::new(Exit::Aborted, "stopped; the job goes on under its supervisor until it is over"))
                }
            }
        };
        let (served, outcome) = tokio::join!(serve_both(&config, &context, bound, stop.cancelled()), demonstration);
        served?;
        outcome
    })
}

/// Returns what the prompt is for.
fn target() -> Result<Target, Failure> {
    Target::new(Some("demo"), "hello", "main").map_err(Failure::usage)
}

/// Executes this program again without the variables that lead to a real installation, if there are any: nothing here may
/// touch one.
fn restart_without_settings() -> Result<(), Failure> {
    let ours: Vec<_> =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("PV_")).collect();
    if ours.is_empty() {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    again.arg0("pv").arg("demo");
    for name in ours {
        again.env_remove(name);
    }
    Err(again.exec().into())
}

/// Submits the prompt, and prints its log as it is written, and what came of it.
async fn run_job(base: &str, root: &Utf8Path, started: Instant) -> Outcome {
    let client =
        api_client(base).map_err(Failure::usage)?.build().map_err(|error| Failure::new(Exit::Refused, error))?;
    print_line(
        "$ curl -X POST …/jobs -d '{\"repo\": \"demo/hello\", \"branch\": \"main\", \"markdown_text\": \"# Greet …\"}'",
    )?;
    let body = json!({"repo": "demo/hello", "branch": "main", "markdown_text": PROMPT, "filename": "greet.md"});
    let receipt: Value = request_json(client.post(format!("{base}/jobs")).json(&body)).await?;
    let id = receipt["job_id"].as_str().unwrap_or_default().to_owned();
    print_line(&format!("{receipt:#}\n"))?;

    print_line("$ curl -N …/jobs/{job_id}/log/stream")?;
    follow(&client, &format!("{base}/jobs/{id}/log/stream")).await?;

    print_line("\n$ curl …/jobs/{job_id}")?;
    let job: Value = request_json(client.get(format!("{base}/jobs/{id}"))).await?;
    for key in ["state", "message", "agent", "exit_code", "containment", "started_at", "finished_at"] {
        if let Some(value) = job.get(key) {
            print_line(&format!("  {key:<12} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))?;
        }
    }
    let (layout, target) = (Layout::under(root, InboxMode::MultiOwner), target()?);
    let id: JobId = id.parse().map_err(|error| Failure::new(Exit::Refused, error))?;
    let patch = layout.patch_path(&id);
    print_line(&format!("\nWhat the agent changed ({PATCH_NAME}):"))?;
    for line in std::fs::read_to_string(&patch)?.lines().filter(|line| !line.starts_with("index ")) {
        print_line(&format!("  {line}"))?;
    }
    print_line("\nEverything is a file:")?;
    let finished = layout.finished_folder_path(&layout.branch_path(&target)).unwrap_or_default();
    for (path, what) in [
        (layout.record_path(&id), "the record"),
        (layout.prompt_path(&id), "the exact prompt that was run"),
        (layout.log_path(&id), "the log"),
        (patch, "the work"),
        (finished.join("greet.done.md"), "the prompt, archived"),
    ] {
        print_line(&format!("  {path}  {what}"))?;
    }
    print_line(&format!("\nDone in {:.1} s. Use it further:", started.elapsed().as_secs_f64()))?;
    print_line(&format!("  pv --root {root} --config {root}/config/prompt-valet.yaml up"))?;
    print_line(&format!("or remove it:\n  rm -r {root}"))?;
    let succeeded = job["state"] == "succeeded";
    Ok(if succeeded { Exit::Done } else { Exit::JobFailed })
}

async fn follow(client: &reqwest::Client, url: &str) -> Result<(), Failure> {
    let response = client.get(url).send().await.map_err(unreachable)?;
    let mut stream = response.error_for_status().map_err(unreachable)?.bytes_stream();
    let mut events = Events::default();
    while let Some(bytes) = stream.next().await {
        for event in events.take(&bytes.map_err(unreachable)?) {
            match event {
                Event::Line(text, _) | Event::Part(text) => {
                    print_line(&format!("  {}", String::from_utf8_lossy(&text).trim_end()))?;
                }
                Event::End => return Ok(()),
            }
        }
    }
    Ok(())
}

async fn request_json(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let response = request.send().await.map_err(unreachable)?;
    response.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
}

fn unreachable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, format!("the demonstration's own API did not respond: {error}"))
}

fn make_root() -> Result<Utf8PathBuf, Failure> {
    let dir = tempfile::Builder::new().prefix("pv-demo-").tempdir()?.keep();
    let root = Utf8PathBuf::from_path_buf(dir)
        .map_err(|dir| Failure::usage(format!("{} is not UTF-8: set TMPDIR to another folder", dir.display())))?;
    Ok(root.canonicalize_utf8()?)
}

fn settings_text() -> Result<String, Failure> {
    let this = std::env::current_exe()?;
    let command = serde_json::to_string(&[this.to_string_lossy().as_ref(), "demo-agent"]).unwrap_or_default();
    Ok(format!(
        "inbox_mode: multi_owner\ndefault_agent: scripted\nagents:\n  scripted:\n    command: {command}\n    timeout: 60s\n"
    ))
}

fn make_repository(dir: &Utf8Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    write(&dir.join("README.md"), "# Hello\n")?;
    write(&dir.join("main.py"), "print(\"hello\")\n")?;
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &["-c", "user.name=Prompt Valet", "-c", "user.email=pv@localhost", "commit", "--quiet", "--message=Begin"],
    ] {
        let mut git = Command::new("git");
        git.current_dir(dir).args(args).stdin(Stdio::null()).env("GIT_CONFIG_NOSYSTEM", "1");
        let status = git.status().map_err(|error| Failure::usage(format!("cannot run git: {error}: install git")))?;
        if !status.success() {
            return Err(Failure::usage(format!("git {} failed with {status}", args[0])));
        }
    }
    Ok(())
}

fn write(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(path, text)?)
}

fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
