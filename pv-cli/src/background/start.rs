//! Starting a service in the background, and waiting until it is ready.

use std::{
    ffi::OsString,
    fs::File,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::store::Store;

use super::{
    log_file,
    running::{IN_BACKGROUND, Running, running},
    systemd,
};
use crate::{
    context::Context,
    exit::{Exit, Failure},
};

/// How long a service may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The watcher alone, which opens no port.
    Watcher,
    /// The watcher, the API and the page.
    All,
}

/// A service that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// What runs now.
    pub(crate) running: Running,
    /// Whether another command was quicker, whose service that is.
    pub(crate) is_of_another: bool,
    /// Its log.
    pub(crate) log: Utf8PathBuf,
    /// Who keeps it, in a few words.
    pub(crate) kept_by: &'static str,
}

impl Service {
    fn command(self) -> &'static str {
        match self {
            Self::Watcher => "watcher",
            Self::All => "up",
        }
    }
}

/// Starts a service in the background on the installation of these flags, and waits until it watches. It sees this process's
/// environment and `variables`.
///
/// # Errors
/// Its last words where it ends at once, and where it is not ready in a minute: exit code 5.
pub(crate) fn start(
    service: Service,
    store: &Store,
    root: &Utf8Path,
    context: &Context,
    variables: &[(&str, String)],
) -> Result<Started, Failure> {
    let refused =
        |error: std::io::Error| Failure::new(Exit::Refused, format!("cannot start a service in {root}: {error}"));
    let (log, file) = log_file::open(root).map_err(refused)?;
    let begin = file.metadata().map_err(refused)?.len();
    let mut program: Vec<OsString> = vec![std::env::current_exe()?.into()];
    program.extend(context.as_flags());
    program.extend([service.command().into(), IN_BACKGROUND.into()]);

    let unit = format!("prompt-valet-{}", std::process::id());
    if let Some(mut command) = systemd::command(&unit, &log, &program, variables) {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Where it refuses, a session of its own does as well.
        if command.status().is_ok_and(|status| status.success())
            && let Some(running) = running(store)?
        {
            return Ok(Started { running, is_of_another: false, log, kept_by: "systemd" });
        }
    }
    let child = spawn(&program, variables, &file).map_err(refused)?;
    let (running, is_of_another) = wait_until_ready(child, store, &log, begin)?;
    Ok(Started { running, is_of_another, log, kept_by: "itself" })
}

/// Starts the program: it takes a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.
fn spawn(program: &[OsString], variables: &[(&str, String)], log: &File) -> std::io::Result<Child> {
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).envs(variables.iter().map(|(name, value)| (name, value))).current_dir("/");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    command.spawn()
}

/// Waits until a service watches: the child, or another that was quicker.
fn wait_until_ready(mut child: Child, store: &Store, log: &Utf8Path, begin: u64) -> Result<(Running, bool), Failure> {
    let begun = Instant::now();
    let failed = |why: &str| {
        let words = log_file::tail(log, begin).join("\n  ");
        Failure::new(Exit::Refused, format!("{why}; the end of {log}:\n  {words}"))
    };
    loop {
        let exited = child.try_wait()?;
        // Its first status says that it has its folders and looks at them.
        if let Some(running) = running(store)?
            && (running.status.is_some() || exited.is_some())
        {
            return Ok((running, exited.is_some()));
        } else if let Some(status) = exited {
            return Err(failed(&format!("the service ended at once ({status})")));
        } else if begun.elapsed() > READY_LIMIT {
            let seconds = READY_LIMIT.as_secs();
            return Err(failed(&format!("the service (pid {}) is not ready after {seconds} s", child.id())));
        }
        thread::sleep(POLL);
    }
}
