//! Folders and files that the services' user may not use, with the real binary: as another user, where this is root.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
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

    /// Makes a file one that the services may not read, though they may move it.
    fn close_file(&mut self, file: &str) {
        let path = self.fixture.path(file);
        if self.is_root {
            chown(&path, Some(0), Some(0)).expect("takes it");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(if self.is_root { 0o600 } else { 0 }))
            .expect("closes it");
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

/// Files that never run as they are: below the inbox, with what is in them, and part of what is said.
const WRONG: [(&str, &[u8], &str); 12] = [
    ("task.prompt.md", b"# Do it\n", "above the folders of branches"),
    ("o/task.prompt.md", b"# Do it\n", "above the folders of branches"),
    ("o/r/task.prompt.md", b"# Do it\n", "beside the folders of branches"),
    ("o/r/main/task.md", b"# Do it\n", "rename it to `task.prompt.md`"),
    ("o/r/main/other.prompt.txt", b"# Do it\n", "rename it to `other.prompt.md`"),
    ("o/r/main/folder.prompt.md/x", b"# Do it\n", "rename it to `x.prompt.md`"),
    ("o/r/two words/task.prompt.md", b"# Do it\n", "cannot be a branch"),
    ("o/r/feature/y/task.prompt.md", b"# Do it\n", "pv targets add o/r feature/y"),
    ("o/r/main/latin1.prompt.md", b"Do it \xe4\n", "not UTF-8"),
    ("o/r/main/open.prompt.md", b"---\ntitle: x\n", "unterminated"),
    ("o/r/main/large.prompt.md", &[b'x'; 20_000], "limits.prompt_bytes"),
    ("o/r/main/secret.prompt.md", b"# Secret\n", "cannot read it"),
];

/// Of those, the ones that become jobs which say what is wrong.
const FAIL: [&str; 3] = ["latin1", "open", "large"];

#[test]
fn c26_every_file_that_never_runs_is_named_in_status_and_doctor() {
    let mut other = OtherUser::new("cat > /dev/null\n");
    let settings = fs::read_to_string(other.fixture.config()).expect("reads");
    fs::write(other.fixture.config(), settings + "limits:\n  prompt_bytes: 1000\n").expect("writes");
    let inbox = other.fixture.path("inbox");
    fs::create_dir_all(inbox.join("o/r/feature/x")).expect("makes a folder");
    fs::write(inbox.join("o/r/feature/x/.pv_inbox"), "").expect("writes");
    for (path, contents, _) in WRONG {
        fs::create_dir_all(inbox.join(path).parent().expect("has one")).expect("makes a folder");
        fs::write(inbox.join(path), contents).expect("writes");
    }
    symlink("/etc/passwd", inbox.join("o/r/main/link.prompt.md")).expect("links");
    fs::create_dir(inbox.join("o/r/main/sub")).expect("makes a folder");
    for good in ["o/r/main/good.prompt.MD", "o/r/main/sub/below.prompt.md"] {
        fs::write(inbox.join(good), "# Good\n").expect("writes");
    }
    let all = Command::new("chown").arg("-R").arg(NOBODY.to_string()).arg(&inbox).status();
    assert!(!other.is_root || all.is_ok_and(|status| status.success()));
    other.close_file("inbox/o/r/main/secret.prompt.md");
    let links = ("o/r/main/link.prompt.md", &b""[..], "links are not followed");
    let folder = ("o/r/main/folder.prompt.md", &b""[..], "it is a folder");
    let line_of = |printed: &str, (path, _, said): (&str, &[u8], &str)| {
        let path = format!("{}: ", inbox.join(path).display());
        printed.lines().any(|line| line.contains(&path) && line.contains(said))
    };
    let every: Vec<_> = WRONG.into_iter().chain([links, folder]).collect();
    wait_until("all are named", || {
        let printed = other.output(&["status"], 0);
        every.iter().all(|wrong| line_of(&printed, *wrong)).then_some(())
    });
    let printed = other.output(&["doctor"], 1);
    for wrong in &every {
        assert!(line_of(&printed, *wrong), "{wrong:?} in {printed}");
    }
    assert!(!printed.contains("good.prompt.MD") && !printed.contains("below.prompt.md"), "{printed}");

    // With services, those that have a name and a place become jobs, of which some fail and say why.
    let _up = other.fixture.start_as("up", &mut other.pv(&["up"]));
    wait_until("the good ones have run", || {
        let files = ["good.done.md", "sub/below.done.md"].map(|file| format!("finished/o/r/main/{file}"));
        files.iter().all(|file| other.fixture.path(file).exists()).then_some(())
    });
    for stem in FAIL {
        wait_until("it is over", || {
            other.fixture.path(format!("finished/o/r/main/{stem}.error.md")).exists().then_some(())
        });
    }
    let list = other.output(&["list"], 0);
    assert!(["unterminated", "not UTF-8", "20000 bytes"].iter().all(|said| list.contains(said)), "{list}");
    let stays = |path: &str| !FAIL.iter().any(|stem| path.contains(&format!("/{stem}.")));
    let (_, status) = other.fixture.request("GET", "/status", "");
    let printed = other.output(&["doctor"], 1);
    for wrong in every.iter().filter(|(path, ..)| stays(path)) {
        let (path, said) = (inbox.join(wrong.0).display().to_string(), wrong.2.trim_end_matches(" it"));
        let entries = status["unusable"]["entries"].as_array().expect("entries");
        let entry = entries.iter().find(|entry| entry["path"] == path.as_str());
        assert!(entry.is_some_and(|entry| entry.to_string().contains(said)), "{wrong:?} in {status}");
        assert!(line_of(&printed, (wrong.0, wrong.1, said)), "{wrong:?} in {printed}");
    }
    assert_eq!(status["unusable"]["entries"].as_array().map(Vec::len), Some(every.len() - FAIL.len()), "{status}");

    // What is corrected runs.
    fs::rename(inbox.join("o/r/main/task.md"), inbox.join("o/r/main/task.prompt.md")).expect("renames");
    fs::remove_file(inbox.join("o/r/main/secret.prompt.md")).expect("removes");
    fs::write(inbox.join("o/r/main/secret.prompt.md"), "# No secret\n").expect("writes");
    for stem in ["task", "secret"] {
        wait_until("it has run", || {
            other.fixture.path(format!("finished/o/r/main/{stem}.done.md")).exists().then_some(())
        });
    }
}
