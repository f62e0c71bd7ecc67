//! A user with an empty home, clones, and an agent that is a script.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::fixture::{finish, git, text, wait_until};

/// A codex that is logged in unless `~/logged-out` is there. Its turn waits for `~/go` where `~/wait` is there, and writes
/// what `~/work.sh` says, else a line to `WORK.txt`.
const AGENT: &str = r#"#!/bin/sh
case "$1 $2" in
"login status") test ! -e "$HOME/logged-out"; exit ;;
"exec "*) ;;
*) exit 2 ;;
esac
cat > /dev/null
echo '{"type":"thread.started","thread_id":"t"}'
echo '{"type":"turn.started"}'
echo '{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"At work."}}'
while [ -e "$HOME/wait" ] && [ ! -e "$HOME/go" ]; do sleep 0.05; done
if [ -e "$HOME/work.sh" ]; then . "$HOME/work.sh"; else echo worked >> WORK.txt; fi
echo '{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":1}}'
"#;

/// A user with an empty home. The watcher that a test of theirs started is stopped when this is dropped.
pub(crate) struct NewUser {
    dir: tempfile::TempDir,
}

impl NewUser {
    /// Makes a user without any agent.
    pub(crate) fn new() -> Self {
        let user = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["home", "bin", "run"] {
            fs::create_dir(user.path(folder)).unwrap();
        }
        user
    }

    /// Makes a user with a codex that is logged in.
    pub(crate) fn with_agent() -> Self {
        let user = Self::new();
        user.install("codex", AGENT);
        user
    }

    /// Puts a script on the user's PATH.
    pub(crate) fn install(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns a path below the user's folder.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(relative)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns a path below the user's own root.
    pub(crate) fn root(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path("state/prompt-valet").join(relative)
    }

    /// Makes the bare repository `remote/NAME.git` with one commit on main, and a clone of it, which is returned.
    pub(crate) fn clone_of(&self, name: &str) -> PathBuf {
        let (remote, clone) = (self.path(format!("remote/{name}.git")), self.path(name));
        self.repository(name);
        git(&clone, &["clone", "-q", "--bare", ".", remote.to_str().unwrap()]);
        git(&clone, &["remote", "add", "origin", remote.to_str().unwrap()]);
        git(&clone, &["fetch", "-q", "origin"]);
        git(&clone, &["branch", "-q", "-u", "origin/main"]);
        clone
    }

    /// Makes a repository with one commit on main and no remote.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        let clone = self.path(name);
        fs::create_dir_all(&clone).unwrap();
        git(&clone, &["init", "-q", "-b", "main"]);
        fs::write(clone.join("README.md"), "hello\n").unwrap();
        commit(&clone, "Begin");
        clone
    }

    /// Prepares `pv` in a folder, with nothing set but the user's folders. Tests may run as root, who may write everywhere,
    /// so that the root is named as it would be chosen.
    pub(crate) fn pv(&self, dir: &Path, args: &[&str]) -> Command {
        let mut pv = Command::new(env!("CARGO_BIN_EXE_pv"));
        pv.args(args).env_clear().current_dir(dir);
        let path = std::env::var("PATH").unwrap_or_default();
        pv.env("PATH", format!("{}:{path}", self.path("bin").display()));
        pv.env("HOME", self.home()).env("NO_COLOR", "1").env("PV_ROOT", self.root(""));
        pv.env("XDG_STATE_HOME", self.path("state")).env("XDG_CONFIG_HOME", self.path("config"));
        pv.env("XDG_RUNTIME_DIR", self.path("run"));
        pv.env("PV_CONFIG_PATH", self.path("config/prompt-valet/config.yaml"));
        pv.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pv
    }

    /// Runs `pv` in a folder, which must end with `code`; returns what it prints, errors last.
    pub(crate) fn output(&self, dir: &Path, args: &[&str], code: i32) -> String {
        let output = finish(self.pv(dir, args).spawn().unwrap());
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(code), "pv {args:?}: {printed}\n{}", self.service_log());
        printed
    }

    /// Runs `pv … --json`, which must end with 0.
    pub(crate) fn json(&self, dir: &Path, args: &[&str]) -> Value {
        let output = finish(self.pv(dir, &[args, &["--json"]].concat()).spawn().unwrap());
        assert!(output.status.success(), "pv {args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Returns the records of all jobs, in the order in which they were submitted.
    pub(crate) fn records(&self) -> Vec<Value> {
        // A run that is hidden was never published: who is killed while making one leaves that, until it is old.
        let entries = fs::read_dir(self.root("runs")).into_iter().flatten().flatten();
        let published = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        let mut paths: Vec<PathBuf> = published.map(|entry| entry.path()).collect();
        paths.sort();
        let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path.join("job.json")).ok()?).ok();
        paths.iter().filter_map(read).collect()
    }

    /// Waits until every job is over, and returns their records.
    pub(crate) fn wait_for_all(&self) -> Vec<Value> {
        let is_over = |record: &Value| ["succeeded", "failed", "aborted"].iter().any(|state| record["state"] == *state);
        wait_until("every job is over", || Some(self.records()).filter(|records| records.iter().all(is_over)))
    }

    /// Returns the log of what runs in the background.
    pub(crate) fn service_log(&self) -> String {
        fs::read_to_string(self.root("background.log")).unwrap_or_default()
    }
}

impl Drop for NewUser {
    fn drop(&mut self) {
        // Whatever a test started that is still there: by the lock that it holds.
        let _ = fs::write(self.home().join("go"), "");
        let _ = finish(self.pv(&self.home(), &["down"]).spawn().unwrap());
    }
}

/// Commits everything in a clone.
pub(crate) fn commit(clone: &Path, message: &str) {
    git(clone, &["add", "-A"]);
    git(clone, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", message]);
}

/// Returns what must not change in a clone: its files, index, HEAD and references, but for those of delivered branches.
pub(crate) fn state_of(clone: &Path) -> Vec<String> {
    let git_dir = PathBuf::from(git(clone, &["rev-parse", "--absolute-git-dir"]));
    let refs = git(clone, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    let mut state: Vec<String> =
        refs.lines().filter(|line| !line.starts_with("refs/heads/codex/")).map(str::to_owned).collect();
    for file in ["index", "HEAD", "config"] {
        state.push(format!("{file} {:?}", fs::read(git_dir.join(file)).ok()));
    }
    let mut folders = vec![clone.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.file_name().is_some_and(|name| name != ".git")) {
            if path.is_dir() {
                folders.push(path);
            } else {
                state.push(format!("{} {:?}", path.display(), fs::read(&path).ok()));
            }
        }
    }
    state
}
