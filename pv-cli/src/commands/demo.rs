//! `pv demo`: the whole of Prompt Valet in one command, in a folder that can be thrown away.
//!
//! A sample repository, a built-in agent, the real API and the real watcher: one prompt goes in over HTTP, its log comes
//! back as a stream, and what the agent changed is shown.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::StreamExt;
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

/// Runs the demonstration. The folder stays, to be looked at.
pub(crate) fn run(_args: &Args, _context: &Context) -> Outcome {
    forget_settings()?;
    let begun = Instant::now();
    let root = make_root()?;
    say(&format!("Prompt Valet, demonstrated in {root}\n"))?;
    say("  a sample repository, demo/hello, with a branch main")?;
    say("  an agent called `scripted`, built in: it reads the prompt and edits files")?;
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
        say(&format!("  API and watcher, on {base}\n"))?;
        let stop = CancellationToken::new();
        let told = async {
            tokio::select! {
                result = tokio::time::timeout(LIMIT, tell(&base, &root, begun)) => {
                    stop.cancel();
                    result.unwrap_or_else(|_| {
                        Err(Failure::new(Exit::JobFailed, format!("the demonstration took longer than {} s", LIMIT.as_secs())))
                    })
                }
                () = services::told_to_stop() => {
                    stop.cancel();
                    Err(Failure::new(Exit::Aborted, "stopped; the job goes on under its supervisor until it is over"))
                }
            }
        };
        let (served, told) = tokio::join!(serve_both(&config, &context, bound, stop.cancelled()), told);
        served?;
        told
    })
}

/// Returns what the prompt is for.
fn target() -> Result<Target, Failure> {
    Target::new(Some("demo"), "hello", "main").map_err(Failure::usage)
}

/// Starts over without the variables that lead to a real installation, if there are any: nothing here may touch one.
fn forget_settings() -> Result<(), Failure> {
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

/// Submits the prompt, shows its log as it is written, and what came of it.
async fn tell(base: &str, root: &Utf8Path, begun: Instant) -> Outcome {
    let client = reqwest::Client::new();
    say(
        "$ curl -X POST …/jobs -d '{\"repo\": \"demo/hello\", \"branch\": \"main\", \"markdown_text\": \"# Greet …\"}'",
    )?;
    let body = json!({"repo": "demo/hello", "branch": "main", "markdown_text": PROMPT, "filename": "greet.md"});
    let receipt: Value = ask(client.post(format!("{base}/jobs")).json(&body)).await?;
    let id = receipt["job_id"].as_str().unwrap_or_default().to_owned();
    say(&format!("{receipt:#}\n"))?;

    say("$ curl -N …/jobs/{job_id}/log/stream")?;
    follow(&client, &format!("{base}/jobs/{id}/log/stream")).await?;

    say("\n$ curl …/jobs/{job_id}")?;
    let job: Value = ask(client.get(format!("{base}/jobs/{id}"))).await?;
    for key in ["state", "message", "agent", "exit_code", "containment", "started_at", "finished_at"] {
        if let Some(value) = job.get(key) {
            say(&format!("  {key:<12} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))?;
        }
    }
    let (layout, target) = (Layout::under(root, InboxMode::MultiOwner), target()?);
    let id: JobId = id.parse().map_err(|error| Failure::new(Exit::Refused, error))?;
    let patch = layout.patch_path(&id);
    say(&format!("\nWhat the agent changed ({PATCH_NAME}):"))?;
    for line in std::fs::read_to_string(&patch)?.lines().filter(|line| !line.starts_with("index ")) {
        say(&format!("  {line}"))?;
    }
    say("\nEverything is a file:")?;
    let finished = layout.finished_folder_path(&layout.branch_path(&target)).unwrap_or_default();
    for (path, what) in [
        (layout.record_path(&id), "the record"),
        (layout.prompt_path(&id), "the exact prompt that was run"),
        (layout.log_path(&id), "the log"),
        (patch, "the work"),
        (finished.join("greet.done.md"), "the prompt, filed away"),
    ] {
        say(&format!("  {path}  {what}"))?;
    }
    say(&format!("\nDone in {:.1} s. Go on with it:", begun.elapsed().as_secs_f64()))?;
    say(&format!("  pv --root {root} --config {root}/config/prompt-valet.yaml up"))?;
    say(&format!("or throw it away:\n  rm -r {root}"))?;
    let succeeded = job["state"] == "succeeded";
    Ok(if succeeded { Exit::Done } else { Exit::JobFailed })
}

async fn follow(client: &reqwest::Client, url: &str) -> Result<(), Failure> {
    let answer = client.get(url).send().await.map_err(unreachable)?;
    let mut stream = answer.error_for_status().map_err(unreachable)?.bytes_stream();
    let mut events = Events::default();
    while let Some(bytes) = stream.next().await {
        for event in events.take(&bytes.map_err(unreachable)?) {
            match event {
                Event::Line(text, _) | Event::Part(text) => {
                    say(&format!("  {}", String::from_utf8_lossy(&text).trim_end()))?;
                }
                Event::End => return Ok(()),
            }
        }
    }
    Ok(())
}

async fn ask(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await.map_err(unreachable)?;
    answer.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
}

fn unreachable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, format!("the demonstration's own API did not answer: {error}"))
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

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// The built-in agent: what a coding agent does, in little and by rote.
pub(crate) mod agent {
    use std::{
        io::{self, Read, Write},
        time::Duration,
    };

    use crate::{
        context::Context,
        exit::{Exit, Outcome},
    };

    /// How long the agent pretends to think between two steps.
    const THOUGHT: Duration = Duration::from_millis(350);

    /// The longest prompt that it reads, in bytes.
    const PROMPT_LIMIT_BYTES: u64 = 1 << 20;

    /// Arguments of `pv demo-agent`.
    #[derive(Debug, clap::Args)]
    pub(crate) struct Args {}

    /// Reads a prompt from standard input and edits README.md in this folder.
    pub(crate) fn run(_args: &Args, _context: &Context) -> Outcome {
        let mut prompt = String::new();
        io::stdin().lock().take(PROMPT_LIMIT_BYTES).read_to_string(&mut prompt)?;
        let title = prompt.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("no title").to_owned();
        step(&format!("reading the prompt: {title}"))?;
        let mut names: Vec<String> = std::fs::read_dir(".")?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        step(&format!("looking around: {} files: {}", names.len(), names.join(", ")))?;
        let mut readme = std::fs::read_to_string("README.md").unwrap_or_default();
        readme += "\nWelcome, reader.\n\nIn this repository:\n\n";
        for name in &names {
            readme += &format!("- `{name}`\n");
        }
        step("editing README.md")?;
        std::fs::write("README.md", readme)?;
        step("done: README.md greets its readers")?;
        Ok(Exit::Done)
    }

    fn step(line: &str) -> io::Result<()> {
        std::thread::sleep(THOUGHT);
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}
