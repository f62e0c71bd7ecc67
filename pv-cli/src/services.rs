//! What the services share: their settings from the configuration, logging, signals, readiness.

use std::{future::Future, io, os::fd::AsFd, time::Duration};

use pv_http::{ApiSettings, UiSettings};
use pv_lib::{
    config::{Config, ConfigError, GitProtocol},
    fs::OsFs,
    supervise::ClosingLimits,
};
use pv_watcher::{
    DeliveryPlan, MirrorLimits, MirrorSettings, Plan, SupervisorCommand, TreeSettings, Tuning, VerificationPlan,
    WatchError, WatchSettings, runs_as,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    context::Context,
    exit::{Exit, Failure},
    terminal::Terminal,
    version,
};

/// How long after the grace period an unanswered abort means that a supervisor hangs.
const HUNG_AFTER_GRACE: Duration = Duration::from_secs(30);

/// The pauses before each further try where a network failed.
const GIT_RETRY_PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// File systems whose locks and renames may be shared with other hosts, by the kernel's magic numbers (statfs(2)).
const NETWORK_FILE_SYSTEMS: [(i64, &str); 5] =
    [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB"), (0x0102_1997, "9p"), (0x00C3_6400, "Ceph")];

/// Logs to standard error: plain for the journal, which has its own times, and with colours on a terminal.
pub(crate) fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("PV_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // Where a line cannot be written (a full disk, a pipe whose reader is gone) the service goes on without it.
    let log = log.log_internal_errors(false);
    let started = if is_journal(io::stderr(), std::env::var("JOURNAL_STREAM").ok().as_deref()) {
        log.without_time().with_ansi(false).try_init()
    } else {
        log.with_ansi(Terminal::stderr().colours).try_init()
    };
    // Logging that was set up already goes on as it is.
    drop(started);
}

/// Tells whether this is the stream to the journal that `JOURNAL_STREAM` names, by device and number: systemd.exec(5). A
/// process that one of its services started may have another.
fn is_journal(stream: impl AsFd, named: Option<&str>) -> bool {
    let named = named.and_then(|named| named.split_once(':'));
    let Ok(stat) = rustix::fs::fstat(stream) else { return false };
    named.is_some_and(|(device, inode)| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

/// Runs a service on a runtime of its own.
///
/// # Errors
/// What the service fails with, and where the system grants no runtime.
pub(crate) fn block_on<T>(service: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(service);
    // A call that hangs on a dead disk must not keep the process: the next process does what it would do.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

/// Resolves when this process gets SIGTERM or SIGINT, which Ctrl-C sends.
pub(crate) async fn stop_signal() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Gives this process a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.
pub(crate) fn leave_the_terminal() {
    // Already the leader of a group, as where systemd started it: then no terminal is its own.
    let _ = rustix::process::setsid();
}

/// Notifies systemd, where it asks for that, that the service is ready.
pub(crate) fn notify_ready() {
    // Without systemd there is nothing to notify.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Returns the settings of the API.
///
/// # Errors
/// A token that cannot be read: exit code 2.
pub(crate) fn api_settings(config: &Config) -> Result<ApiSettings, Failure> {
    Ok(ApiSettings {
        bind_host: config.api.bind_host.value.clone(),
        bind_port: config.api.bind_port.value,
        allow_insecure_bind: config.api.allow_insecure_bind.value,
        token: config.api_token(&OsFs).map_err(Failure::usage)?,
        allowed_hosts: config.api.allowed_hosts.value.clone(),
        thresholds: config.thresholds(),
        version: version::RELEASE.into(),
        commit: version::COMMIT.map(str::to_owned),
        ..ApiSettings::default()
    })
}

/// Returns the settings of the page's service.
///
/// # Errors
/// A token that cannot be read: exit code 2.
pub(crate) fn ui_settings(config: &Config) -> Result<UiSettings, Failure> {
    Ok(UiSettings {
        bind_host: config.ui.bind_host.value.clone(),
        bind_port: config.ui.bind_port.value,
        api_base: config.api.base_url.value.clone(),
        api_timeout: config.ui.api_timeout.value,
        prompt_bytes: config.limits.prompt_bytes.value,
        allowed_hosts: config.api.allowed_hosts.value.clone(),
        token: config.api_token(&OsFs).map_err(Failure::usage)?,
        allow_remote_write: config.ui.allow_remote_write.value,
        ..UiSettings::default()
    })
}

/// Refuses a token for the git host that its file holds only in part or with something else: every job would run its agent and
/// then fail. A file that is missing or cannot be read yet may be put right while the watcher runs.
///
/// # Errors
/// One sentence that names the file: exit code 2.
pub(crate) fn refuse_damaged_token(config: &Config) -> Result<(), Failure> {
    match config.delivery_token(&OsFs) {
        Err(error @ ConfigError::TokenFile { kind: io::ErrorKind::InvalidData, .. }) => Err(Failure::usage(error)),
        _ => Ok(()),
    }
}

/// Returns the settings of the watcher.
pub(crate) fn watch_settings(config: &Config, context: &Context) -> WatchSettings {
    let watcher = &config.watcher;
    let mut args = context.as_flags();
    args.push("supervise".into());
    WatchSettings {
        tuning: Tuning {
            max_concurrent: watcher.max_concurrent.value,
            max_per_repo: Some(watcher.max_per_repo.value).filter(|limit| *limit > 0),
            settle: watcher.settle.value,
            retry_pause: watcher.poll.value,
            hung_after: watcher.abort_grace.value + HUNG_AFTER_GRACE,
            default_agent: config.default_agent.value.clone(),
            repos: config.repos.clone(),
        },
        poll: watcher.poll.value,
        tree: config.tree_builder.scan_interval.value.map(|every| TreeSettings { every, rules: config.tree_rules() }),
        mirrors: Some(MirrorSettings { limits: MirrorLimits::default(), git_timeout: config.git.timeout.value }),
        runs_as: runs_as(&std::env::vars_os().collect::<Vec<_>>()),
        supervisor: SupervisorCommand { program: "/proc/self/exe".into(), args },
        version: version::RELEASE.into(),
        commit: version::COMMIT.map(str::to_owned),
        page: None,
    }
}

/// Returns the settings of a supervisor.
pub(crate) fn plan(config: &Config) -> Plan {
    Plan {
        agents: config.agents.clone(),
        launchers: config.launchers.clone(),
        secret_files: secret_files(config),
        closing_limit: ClosingLimits::default().whole,
        default_agent: config.default_agent.value.clone(),
        allowed_agents: config.allowed_agents.value.clone(),
        repos: config.repos.clone(),
        verification: VerificationPlan {
            checks: config.verification.checks.clone(),
            setup_timeout: config.verification.setup_timeout.value,
            checks_timeout: config.verification.checks_timeout.value,
            checks_paths: config.verification.checks_paths.value.clone(),
        },
        heartbeat: config.watcher.heartbeat.value,
        abort_grace: config.watcher.abort_grace.value,
        git_timeout: config.git.timeout.value,
        git_idle_timeout: config.git.idle_timeout.value,
        git_retry_pauses: GIT_RETRY_PAUSES.to_vec(),
        delivery: delivery_plan(config),
        log_bytes: config.limits.log_bytes.value,
        ignored_bytes: config.limits.ignored_bytes.value,
        known_caches: config.limits.known_caches.value.clone(),
        remote: config.git.auto_clone.value.then(|| remote(config)),
        environment: std::env::vars_os().collect(),
        use_cgroup: true,
    }
}

/// Returns the files with secrets of this installation, which are there or not.
fn secret_files(config: &Config) -> Vec<camino::Utf8PathBuf> {
    let tokens = [&config.api.token_file.value, &config.delivery.token_file.value];
    tokens.into_iter().flatten().chain([&config.config_path.value]).cloned().collect()
}

fn delivery_plan(config: &Config) -> DeliveryPlan {
    let delivery = &config.delivery;
    DeliveryPlan {
        mode: delivery.mode.value,
        empty: delivery.empty.value,
        branch_prefix: delivery.branch_prefix.value.clone(),
        author_name: delivery.author_name.value.clone(),
        author_email: delivery.author_email.value.clone(),
        pull_request: delivery.pull_request.value,
        api_base: delivery.api_base.value.clone(),
        git_host: config.git.host.value.clone(),
        include_prompt: delivery.include_prompt.value,
        draft: delivery.draft.value,
        labels: delivery.labels.value.clone(),
        reviewers: delivery.reviewers.value.clone(),
        token_file: delivery.token_file.value.clone(),
    }
}

fn remote(config: &Config) -> String {
    let host = &config.git.host.value;
    match config.git.protocol.value {
        GitProtocol::Https => format!("https://{host}/{{owner}}/{{repo}}.git"),
        GitProtocol::Ssh => format!("git@{host}:{{owner}}/{{repo}}.git"),
    }
}

/// Refuses folders on network file systems, whose locks other hosts share or do not, as it happens.
///
/// # Errors
/// One sentence that names the folder and the setting that overrides: exit code 2.
pub(crate) fn refuse_network_folders(config: &Config) -> Result<(), Failure> {
    if config.watcher.allow_network_fs.value {
        return Ok(());
    }
    let layout = config.layout();
    for dir in [&layout.inbox, &layout.runs] {
        if let Some(kind) = network_file_system(dir) {
            return Err(Failure::usage(format!(
                "{dir} is on {kind}: the locks of jobs need a disk of this host. Point it elsewhere, or set \
                 watcher.allow_network_fs where no other host uses these folders"
            )));
        }
    }
    Ok(())
}

/// Returns the name of the network file system that holds a folder, or would; `None` for a disk of this host.
pub(crate) fn network_file_system(dir: &camino::Utf8Path) -> Option<&'static str> {
    let stat = dir.ancestors().find_map(|dir| rustix::fs::statfs(dir.as_std_path()).ok())?;
    NETWORK_FILE_SYSTEMS.iter().find(|(number, _)| *number == stat.f_type).map(|(_, name)| *name)
}

/// Makes the failure of a watcher that cannot work: another one has its folders (4), or they cannot be used (5).
pub(crate) fn watch_failure(error: WatchError) -> Failure {
    match error {
        WatchError::Store(error) => error.into(),
        WatchError::Ended(_) => Failure::new(Exit::Refused, error),
    }
}
