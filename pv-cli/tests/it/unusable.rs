//! Folders and files that the services' user may not use, with the real binary: as another user, where this is root.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::fixture::{CliFixture, finish, text, wait_until};

/// The ids of the user and the group `nobody`.
const NOBODY: u32 = 65534;

/// An installation whose services are another user's, where this is root; root may read everything.
struct OtherUser {
    fixture: CliFixture,
    is_root: bool,
    closed: Vec<PathBuf>,
}

impl OtherUser {
    fn new(agent: &str) -> Self {
        let fixture = CliFixture::with_agent(agent);
        let settings = fs::read_to_string(fixture.config()).expect("reads");
        let quick = settings.replace("settle_seconds: 0.2", "settle_seconds: 0.2\n  poll_seconds: 0.5");
        fs::write(fixture.config(), quick).expect("writes");
        let is_root = fs::metadata(fixture.path("config")).expect("there").uid() == 0;
        if is_root {
            fs::copy(env!("CARGO_BIN_EXE_pv"), fixture.path("pv")).expect("copies");
            let owner = format!("{NOBODY}:{NOBODY}");
            let given = Command::new("chown").arg("-R").arg(owner).arg(fixture.path("")).status().expect("runs chown");
            assert!(given.success());
        }
        Self { fixture, is_root, closed: Vec::new() }
    }

    /// Makes a folder that the services may not read.
    fn close(&mut self, folder: &str) -> String {
        let path = self.fixture.path(folder);
        fs::create_dir(&path).expect("makes a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(if self.is_root { 0o700 } else { 0 }))
            .expect("closes it");
        self.closed.push(path.clone());
        path.display().to_string()
    }

    /// Prepares `pv`, of which root runs a copy that the other user may read.
    fn pv(&self, args: &[&str]) -> Command {
        let mut pv = self.fixture.pv(args);
        if self.is_root {
            let mut copy = Command::new(self.fixture.path("pv"));
            copy.args(args).env_clear().current_dir(self.fixture.path("")).uid(NOBODY).gid(NOBODY);
            copy.envs(pv.get_envs().filter_map(|(name, value)| Some((name, value?))));
            copy.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            pv = copy;
        }
        pv
    }

    /// Runs a command that is to end with `code`, and returns all that it prints.
    fn output(&self, args: &[&str], code: i32) -> String {
        let output = finish(self.pv(args).spawn().expect("runs pv"));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        text(&output)
    }
}

impl Drop for OtherUser {
    fn drop(&mut self) {
        for path in &self.closed {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
    }
}

#[test]
fn b01_folders_that_may_not_be_read_are_named_and_stop_nothing_else() {
    let mut other = OtherUser::new("cat > /dev/null\necho more >> README.md\n");
    fs::create_dir_all(other.fixture.path("inbox/o/r/dev")).expect("makes a folder");
    let given = Command::new("chown").arg(NOBODY.to_string()).arg(other.fixture.path("inbox/o/r/dev")).status();
    assert!(given.is_ok());
    let lost_and_found = other.close("inbox/lost+found");
    let closed = ["inbox/secret", "inbox/o/r/locked", "repos/o/hidden"].map(|folder| other.close(folder));
    let submit = |repo, branch| ["submit", "task.md", "--repo", repo, "--branch", branch, "--json"];

    let _up = other.fixture.start_as("up", &mut other.pv(&["up"]));
    wait_until("it watches", || other.fixture.service_log("up").contains("watching").then_some(()));
    let id = other.fixture.post("# Do it\n");
    other.fixture.wait_for_state(&id, "succeeded");
    let file = other.fixture.path("inbox/o/r/main/drop.prompt.md");
    fs::write(&file, "# Dropped\n").expect("writes");
    wait_until("a dropped file has run", || {
        other.fixture.path("finished/o/r/main/drop.done.md").exists().then_some(())
    });
    let printed = other.output(&submit("r", "main"), 0);
    let receipt: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
    let id = receipt["job_id"].as_str().unwrap_or_else(|| panic!("{printed}"));
    other.fixture.wait_for_state(id, "succeeded");
    // What its supervisor does last: it writes here no more.
    wait_until("its checkout is gone", || (!other.fixture.path(format!("work/{id}")).exists()).then_some(()));
    let refused = other.output(&submit("o/r", "locked"), 5);
    assert!(refused.contains(&closed[1]) && refused.contains("owner and mode"), "{refused}");

    let run = other.close("runs/closed");
    for (args, code) in [(&["status"][..], 0), (&["doctor"], 1)] {
        let printed = other.output(args, code);
        for path in closed.iter().chain([&lost_and_found, &run]) {
            assert_eq!(printed.matches(&format!("{path}: ")).count(), 1, "{path} in {printed}");
        }
        assert!(printed.contains("it may stay"), "{printed}");
    }
    assert!(other.output(&["list"], 0).contains("closed"), "a run that cannot be read is no run that is not there");
    assert!(other.output(&["targets"], 0).contains("o/r"));
    let (_, status) = other.fixture.request("GET", "/status", "");
    let named: Vec<&str> =
        status["unusable"]["entries"].as_array().expect("entries").iter().filter_map(|e| e["path"].as_str()).collect();
    assert!(closed.iter().chain([&lost_and_found, &run]).all(|path| named.contains(&path.as_str())), "{named:?}");
    let (code, jobs) = other.fixture.request("GET", "/jobs?state=unknown", "");
    assert_eq!((code, &jobs["jobs"][0]["job_id"]), (200, &"closed".into()));
}

#[test]
fn b02_a_watcher_that_runs_once_ends_and_names_what_it_left() {
    let mut other = OtherUser::new("cat > /dev/null\n");
    fs::write(other.fixture.path("inbox/o/r/main/a.prompt.md"), "# A\n").expect("writes");
    other.close("inbox/lost+found");
    assert!(other.output(&["watcher", "--once"], 0).contains("lost+found"), "which is no failure");
    assert!(other.fixture.path("finished/o/r/main/a.done.md").exists());

    // A prompt whose job is over cannot be archived.
    fs::rename(other.fixture.path("finished/o"), other.fixture.path("finished/p")).expect("renames");
    fs::write(other.fixture.path("finished/o"), "a file").expect("writes");
    fs::write(other.fixture.path("inbox/o/r/main/b.prompt.md"), "# B\n").expect("writes");
    let printed = other.output(&["watcher", "--once"], 5);
    let left: Vec<&str> = printed.lines().filter(|line| line.starts_with("pv: left as it is: ")).collect();
    assert!(left.len() == 2 && left[0].contains("cannot archive its prompt: "), "{printed}");
    assert!(printed.lines().filter(|line| line.contains("; trying again")).count() <= 2, "{printed}");
    fs::remove_file(other.fixture.path("finished/o")).expect("removes");
    other.output(&["watcher", "--once"], 0);
    assert!(other.fixture.path("finished/o/r/main/b.done.md").exists());
}
