//! A throw-away installation with one repository, one job, and a shell script for an agent.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    config::{
        self, Agent, AgentEvents, CheckoutMode, Command as ShellCommand, EmptyWork, Launcher, Overrides, PullRequest,
        RepoSettings, Repos, SubmoduleMode,
    },
    fs::OsFs,
    host,
    job::{JobId, JobRecord},
    layout::{InboxMode, Layout},
    prompt::{Deliver, Source, Submission},
    store::{Store, StoreLimits},
    target::Target,
};
use pv_watcher::{DeliveryPlan, Plan, VerificationPlan, supervise};
use tempfile::TempDir;

/// How long any one wait of these tests may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A user who owns nothing else.
pub(super) const NOBODY: u32 = 65534;

const ROOT: &str = "PV_TEST_ROOT";
const JOB: &str = "PV_TEST_JOB";

/// What a test changes about the plan, by the variables that carry it to the supervisor's process.
pub(super) const AGENT: &str = "PV_TEST_AGENT";
pub(super) const COMMAND: &str = "PV_TEST_COMMAND";
pub(super) const TIMEOUT_MS: &str = "PV_TEST_TIMEOUT_MS";
pub(super) const IDLE_MS: &str = "PV_TEST_IDLE_MS";
pub(super) const SETTLE_MS: &str = "PV_TEST_SETTLE_MS";
pub(super) const EVENTS: &str = "PV_TEST_EVENTS";
pub(super) const CHECKOUT: &str = "PV_TEST_CHECKOUT";
pub(super) const GRACE_MS: &str = "PV_TEST_GRACE_MS";
pub(super) const LOG_BYTES: &str = "PV_TEST_LOG_BYTES";
pub(super) const IGNORED_BYTES: &str = "PV_TEST_IGNORED_BYTES";
pub(super) const GIT_MS: &str = "PV_TEST_GIT_MS";
pub(super) const GIT_IDLE_MS: &str = "PV_TEST_GIT_IDLE_MS";
pub(super) const REMOTE: &str = "PV_TEST_REMOTE";
pub(super) const EMPTY: &str = "PV_TEST_EMPTY";
pub(super) const PAUSE_MS: &str = "PV_TEST_PAUSE_MS";
pub(super) const PREFIX: &str = "PV_TEST_PREFIX";
pub(super) const DELIVER: &str = "PV_TEST_DELIVER";
pub(super) const INCLUDE_PROMPT: &str = "PV_TEST_INCLUDE_PROMPT";
pub(super) const DRAFT: &str = "PV_TEST_DRAFT";
pub(super) const LABELS: &str = "PV_TEST_LABELS";
pub(super) const REVIEWERS: &str = "PV_TEST_REVIEWERS";
pub(super) const API_BASE: &str = "PV_TEST_API_BASE";
pub(super) const TOKEN_FILE: &str = "PV_TEST_TOKEN_FILE";
/// Checks and setup commands, one a line: `name=command`, and `command`.
pub(super) const CHECKS: &str = "PV_TEST_CHECKS";
pub(super) const SETUP: &str = "PV_TEST_SETUP";
pub(super) const COPY: &str = "PV_TEST_COPY";
pub(super) const ATTEMPTS: &str = "PV_TEST_ATTEMPTS";
pub(super) const CHECKS_MS: &str = "PV_TEST_CHECKS_MS";
pub(super) const SETUP_MS: &str = "PV_TEST_SETUP_MS";
pub(super) const CHECKS_PATHS: &str = "PV_TEST_CHECKS_PATHS";
pub(super) const SUBMODULES: &str = "PV_TEST_SUBMODULES";
pub(super) const PULL_REQUEST: &str = "PV_TEST_PULL_REQUEST";
pub(super) const NO_CGROUP: &str = "PV_TEST_NO_CGROUP";
/// The launcher `box`, as the settings would have it.
pub(super) const LAUNCHER: &str = "PV_TEST_LAUNCHER";

pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) id: JobId,
    pub(super) root: Utf8PathBuf,
    settings: Vec<(&'static str, String)>,
    user: Option<u32>,
    _dir: TempDir,
}

/// A supervisor in its own process; it is ended if a test gives up on it.
pub(super) struct Supervisor(Child);

impl Fixture {
    /// Makes an installation whose agent is this shell script, and submits and claims one prompt.
    pub(super) fn new(script: &str) -> Self {
        Self::with_prompt(script, "do the work\n")
    }

    /// Makes one on another file system.
    pub(super) fn new_in(parent: &Path, script: &str) -> Self {
        Self::make(TempDir::new_in(parent).unwrap(), script, "do the work\n", "main")
    }

    /// Makes one whose job is for a branch of this name, which the remote is still to get.
    pub(super) fn on_branch(script: &str, branch: &str) -> Self {
        Self::make(TempDir::new().unwrap(), script, "do the work\n", branch)
    }

    pub(super) fn with_prompt(script: &str, markdown: &str) -> Self {
        Self::make(TempDir::new().unwrap(), script, markdown, "main")
    }

    fn make(dir: TempDir, script: &str, markdown: &str, branch: &str) -> Self {
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        fs::write(root.join("agent.sh"), script).unwrap();
        make_repository(&root.join("repos/o/r"));
        let store = store(&root);
        store.add_target(&Target::new(Some("o"), "r", branch).unwrap()).unwrap();
        let id = submit(&store, markdown, branch);
        Self { store, id, root, settings: vec![], user: None, _dir: dir }
    }

    /// Submits another prompt for the same branch and claims it; the fixture's job is that one then.
    pub(super) fn submit_another(&mut self) {
        self.id = submit(&self.store, "do more\n", "main");
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Lets the supervisor run as a user without privileges, who owns the whole installation. Where the tests run as such
    /// a user, it is that one.
    pub(super) fn without_privileges(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            let owner = format!("{NOBODY}:{NOBODY}");
            assert!(Command::new("chown").args(["-R", &owner, self.root.as_str()]).status().unwrap().success());
            self.user = Some(NOBODY);
        }
        self
    }

    /// Starts a supervisor of the job: this very test program, made by its environment to be one.
    pub(super) fn start(&self) -> Supervisor {
        // Whatever its parent ignored or left open is no matter of the agent's.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' HUP INT QUIT USR1 USR2 ALRM TERM CHLD; exec 7< /dev/null; exec \"$0\" \"$@\""]);
        if let Some(user) = self.user {
            // The program may lie where that user cannot go: it is executed by a descriptor that is open already.
            let user = [format!("--reuid={user}"), format!("--regid={user}")];
            command.args(["/usr/bin/setpriv", &user[0], &user[1], "--clear-groups", "/bin/sh", "-c"]);
            command.args(["exec 8<&0 0< /dev/null; exec /proc/self/fd/8 \"$@\"", "sh"]);
        } else {
            command.arg(std::env::current_exe().unwrap());
        }
        command.args(["--exact", "supervise::supervisor_process", "--nocapture"]);
        command.env(ROOT, &self.root).env(JOB, self.id.as_str()).env("PV_API_TOKEN", "secret");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let errors = fs::File::create(self.root.join("supervisor.err")).unwrap();
        let stdin = self.user.map_or_else(Stdio::null, |_| fs::File::open("/proc/self/exe").unwrap().into());
        Supervisor(command.stdin(stdin).stdout(Stdio::null()).stderr(errors).spawn().unwrap())
    }

    /// Runs the job to its end and returns its record.
    pub(super) fn run(&self) -> JobRecord {
        self.start().wait();
        self.record()
    }

    /// Submits the job again and claims it; the fixture's job is that one then. Returns the old one.
    pub(super) fn retry(&mut self) -> JobId {
        let old = std::mem::replace(&mut self.id, host::new_job_id());
        self.store.retry(&old, &self.id, host::now()).unwrap();
        let prompt = self.store.find_prompt(&self.id).unwrap().unwrap();
        assert!(self.store.claim(&prompt, &self.id).unwrap());
        old
    }

    /// Submits a job that runs the checks on this one's work, and claims it; the fixture's job is that one then.
    pub(super) fn retry_checks(&mut self) {
        let old = std::mem::replace(&mut self.id, host::new_job_id());
        self.store.retry_checks(&old, &self.id, host::now()).unwrap();
        let prompt = self.store.find_prompt(&self.id).unwrap().unwrap();
        assert!(self.store.claim(&prompt, &self.id).unwrap());
    }

    pub(super) fn record(&self) -> JobRecord {
        self.store.read_run(&self.id).unwrap().into_record().unwrap()
    }

    pub(super) fn log_text(&self) -> String {
        String::from_utf8_lossy(&self.log()).into_owned()
    }

    /// Returns a file of the run folder.
    pub(super) fn run_file(&self, name: &str) -> String {
        fs::read_to_string(self.store.layout().run_path(&self.id).join(name)).unwrap_or_default()
    }

    /// Returns a file of the work that the mirror keeps; `None` where it has none of that name.
    pub(super) fn kept_file(&self, path: &str) -> Option<String> {
        let dir = self.root.join("repos/.mirrors/o/r.git");
        let object = format!("refs/pv/{}:{path}", self.id);
        let shown = Command::new("git").arg("-C").arg(dir).args(["cat-file", "blob", &object]).output().unwrap();
        shown.status.success().then(|| String::from_utf8_lossy(&shown.stdout).into_owned())
    }

    pub(super) fn log(&self) -> Vec<u8> {
        fs::read(self.store.layout().log_path(&self.id)).unwrap_or_default()
    }

    pub(super) fn abort(&self) {
        self.store.request_abort(&self.id, host::now()).unwrap();
    }

    /// Waits until the agent has written this to its log.
    pub(super) fn wait_for_log(&self, text: &str) {
        let seen = || self.log().windows(text.len()).any(|window| window == text.as_bytes());
        wait_until(&format!("`{text}` in the log"), seen);
    }

    /// Lists the live processes that carry the job's marker.
    pub(super) fn alive(&self) -> Vec<String> {
        let mark = format!("PV_JOB_ID={}", self.id);
        let has_mark = |dir: &Path| {
            let environment = fs::read(dir.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        };
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        all.filter(|dir| has_mark(dir)).map(|dir| dir.display().to_string()).collect()
    }

    /// Returns the commit that the mirror keeps as the job's work.
    pub(super) fn kept(&self) -> String {
        git(&self.root.join("repos/.mirrors/o/r.git"), &["rev-parse", &format!("refs/pv/{}", self.id)])
    }

    pub(super) fn errors(&self) -> String {
        fs::read_to_string(self.root.join("supervisor.err")).unwrap_or_default()
    }
}

impl Supervisor {
    /// Waits for it to end, for a bounded time, and tells whether it ended well.
    pub(super) fn wait(&mut self) -> bool {
        let mut ended = None;
        wait_until("the supervisor ends", || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap().success()
    }

    /// Tells whether a process of its own runs, or is still to be reaped.
    pub(super) fn has_children(&self) -> bool {
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        fs::read_to_string(children).is_ok_and(|children| !children.is_empty())
    }

    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < TIMEOUT, "waited too long: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Reads the launcher `box` as the settings would have it: a line of YAML.
fn launchers(yaml: Option<&str>) -> BTreeMap<String, Launcher> {
    let Some(yaml) = yaml else { return BTreeMap::new() };
    let dir = TempDir::new().unwrap();
    let file = Utf8PathBuf::from_path_buf(dir.path().join("pv.yaml")).unwrap();
    fs::write(&file, format!("launchers: {{box: {yaml}}}\n")).unwrap();
    let named = |name: &str| (name == "PV_CONFIG_PATH").then(|| file.as_str().into());
    config::load(&OsFs, &named, &Overrides::default()).unwrap().0.launchers
}

/// Is the supervisor, where the environment says so; the test that holds this does nothing otherwise.
pub(super) fn be_the_supervisor() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(root), Some(job)) = (variable(ROOT), variable(JOB)) else { return };
    let root = Utf8PathBuf::from(root);
    let milliseconds = |name| variable(name).map(|ms| Duration::from_millis(ms.parse().unwrap()));
    let script = vec!["/bin/sh".to_owned(), root.join("agent.sh").into_string()];
    let agent = Agent {
        command: variable(COMMAND).map_or(script, |command| vec![command]),
        env: vec!["PV_API_TOKEN".into()],
        timeout: milliseconds(TIMEOUT_MS),
        idle_timeout: milliseconds(IDLE_MS),
        settle_after_done: milliseconds(SETTLE_MS).unwrap_or(Duration::from_secs(30)),
        checkout: variable(CHECKOUT).map_or(CheckoutMode::Shared, |_| CheckoutMode::Full),
        events: variable(EVENTS).map_or(AgentEvents::Auto, |events| AgentEvents::named(&events).unwrap()),
        launcher: variable(LAUNCHER).map_or_else(String::new, |_| "box".into()),
        ..Agent::default()
    };
    let words = |name: &str| variable(name).map_or(vec![], |words| words.split(',').map(str::to_owned).collect());
    let name = variable(AGENT).unwrap_or_else(|| "script".into());
    let lines = |name| variable(name).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    let checks: Vec<(String, ShellCommand)> = lines(CHECKS)
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, command)| (name.to_owned(), ShellCommand::Shell(command.to_owned())))
        .collect();
    let of_all = RepoSettings {
        setup: Some(lines(SETUP).into_iter().map(ShellCommand::Shell).collect()),
        copy: Some(lines(COPY)),
        checks: Some(checks.iter().map(|(name, _)| name.clone()).collect()),
        attempts: variable(ATTEMPTS).map(|attempts| attempts.parse().unwrap()),
        submodules: variable(SUBMODULES).map(|mode| SubmoduleMode::named(&mode).unwrap()),
        ..RepoSettings::default()
    };
    let plan = Plan {
        verification: VerificationPlan {
            checks: checks.into_iter().collect(),
            setup_timeout: milliseconds(SETUP_MS).unwrap_or(Duration::from_secs(20)),
            checks_timeout: milliseconds(CHECKS_MS).unwrap_or(Duration::from_secs(20)),
            checks_paths: lines(CHECKS_PATHS),
        },
        agents: BTreeMap::from([(name.clone(), agent)]),
        launchers: launchers(variable(LAUNCHER).as_deref()),
        secret_files: vec![root.join("token")],
        closing_limit: Duration::from_secs(2),
        default_agent: name,
        allowed_agents: vec![],
        repos: Repos { default: of_all, ..Repos::default() },
        heartbeat: Duration::from_millis(200),
        abort_grace: milliseconds(GRACE_MS).unwrap_or(Duration::from_millis(500)),
        git_timeout: milliseconds(GIT_MS).unwrap_or(Duration::from_secs(20)),
        git_idle_timeout: milliseconds(GIT_IDLE_MS).unwrap_or(Duration::from_secs(20)),
        log_bytes: variable(LOG_BYTES).map_or(1 << 30, |bytes| bytes.parse().unwrap()),
        ignored_bytes: variable(IGNORED_BYTES).map_or(64 << 20, |bytes| bytes.parse().unwrap()),
        known_caches: vec!["node_modules".into(), "target".into(), "*.o".into()],
        git_retry_pauses: vec![milliseconds(PAUSE_MS).unwrap_or(Duration::from_millis(50))],
        delivery: DeliveryPlan {
            mode: variable(DELIVER).map_or(Deliver::PullRequest, |mode| Deliver::named(&mode).unwrap()),
            empty: variable(EMPTY).map_or(EmptyWork::Ok, |empty| EmptyWork::named(&empty).unwrap()),
            branch_prefix: variable(PREFIX).unwrap_or_else(|| "codex/".into()),
            author_name: "Valet".into(),
            author_email: "valet@example.org".into(),
            pull_request: variable(PULL_REQUEST).map_or(PullRequest::Rest, |way| PullRequest::named(&way).unwrap()),
            api_base: variable(API_BASE).unwrap_or_else(|| "http://127.0.0.1:1".into()),
            git_host: "github.com".into(),
            include_prompt: variable(INCLUDE_PROMPT).is_some(),
            draft: variable(DRAFT).is_some(),
            labels: words(LABELS),
            reviewers: words(REVIEWERS),
            token_file: variable(TOKEN_FILE).map(Utf8PathBuf::from),
        },
        remote: variable(REMOTE),
        environment: std::env::vars_os().collect(),
        use_cgroup: variable(NO_CGROUP).is_none(),
    };
    supervise(&store(&root), &plan, &job.parse().unwrap()).unwrap();
}

/// Submits a prompt and claims it.
fn submit(store: &Store, markdown: &str, branch: &str) -> JobId {
    let submission = Submission {
        repo: "o/r".into(),
        branch: branch.into(),
        markdown: markdown.into(),
        filename: Some("work.md".into()),
        source: Source::Cli,
        retry_of: None,
    };
    let receipts = store.submit(&[submission], &mut host::new_job_id, host::now()).unwrap();
    let id = receipts[0].job_id.clone();
    let prompt = store.find_prompt(&id).unwrap().unwrap();
    assert!(store.claim(&prompt, &id).unwrap());
    id
}

fn store(root: &Utf8Path) -> Store {
    Store::new(Arc::new(OsFs), Layout::under(root, InboxMode::MultiOwner), StoreLimits::default(), "test")
}

fn make_repository(dir: &Utf8Path) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("README.md"), "hello\n").unwrap();
    git(dir, &["init", "--quiet", "--initial-branch", "main"]);
    commit(dir, "start");
}

pub(super) fn commit(dir: &Utf8Path, message: &str) {
    git(dir, &["add", "--all"]);
    let author = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
    git(dir, &[&author[..], &["commit", "--quiet", "-m", message]].concat());
}

/// Runs git and returns what it printed, without the line's end.
pub(super) fn git(dir: &Utf8Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
