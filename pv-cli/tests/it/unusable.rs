//! Folders and files that the services' user may not use, with the real binary: as another user, where this is root.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Output},
};

use crate::house::{House, Service, until};

/// The user and the group that nobody is.
const NOBODY: u32 = 65534;

/// An installation whose services are another user's, where this is root; root may read everything.
struct Place {
    house: House,
    is_root: bool,
    closed: Vec<PathBuf>,
}

impl Place {
    fn new(agent: &str) -> Self {
        let house = House::new(agent);
        let settings = fs::read_to_string(house.path("config/pv.yaml")).expect("reads");
        let quick = settings.replace("settle_seconds: 0.2", "settle_seconds: 0.2\n  poll_seconds: 0.5");
        fs::write(house.path("config/pv.yaml"), quick).expect("writes");
        let is_root = fs::metadata(house.path("config")).expect("there").uid() == 0;
        if is_root {
            fs::copy(env!("CARGO_BIN_EXE_pv"), house.path("pv")).expect("copies");
            let owner = format!("{NOBODY}:{NOBODY}");
            let given = Command::new("chown").arg("-R").arg(owner).arg(house.path("")).status().expect("runs chown");
            assert!(given.success());
        }
        Self { house, is_root, closed: Vec::new() }
    }

    /// Makes a folder that the services may not read.
    fn close(&mut self, folder: &str) -> String {
        let path = self.house.path(folder);
        fs::create_dir(&path).expect("makes a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(if self.is_root { 0o700 } else { 0 }))
            .expect("closes it");
        self.closed.push(path.clone());
        path.display().to_string()
    }

    fn pv(&self) -> Command {
        let mut pv = self.house.pv();
        if self.is_root {
            let mut as_nobody = Command::new(self.house.path("pv"));
            as_nobody.args(pv.get_args()).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
            as_nobody.envs(pv.get_envs().filter_map(|(name, value)| Some((name, value?))));
            as_nobody.env("HOME", self.house.path("")).stdin(std::process::Stdio::null());
            as_nobody.current_dir(self.house.path("")).uid(NOBODY).gid(NOBODY);
            pv = as_nobody;
        }
        pv
    }

    fn run(&self, args: &[&str]) -> Output {
        self.pv().args(args).output().expect("runs pv")
    }

    /// Runs a command that is to end with `code`, and returns all that it says.
    fn said(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for path in &self.closed {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
    }
}

#[test]
fn b01_folders_that_may_not_be_read_are_named_and_stop_nothing_else() {
    let mut place = Place::new("cat > /dev/null\necho more >> README.md\n");
    fs::create_dir_all(place.house.path("inbox/o/r/dev")).expect("makes a folder");
    let given = Command::new("chown").arg(NOBODY.to_string()).arg(place.house.path("inbox/o/r/dev")).status();
    assert!(given.is_ok());
    let own = place.close("inbox/lost+found");
    let closed = ["inbox/secret", "inbox/o/r/locked", "repos/o/hidden"].map(|folder| place.close(folder));
    let task = place.house.path("task.md");
    fs::write(&task, "# Do it\n").expect("writes");
    let submit =
        |repo, branch| ["submit", task.to_str().expect("a name"), "--repo", repo, "--branch", branch, "--json"];

    let log = fs::File::create(place.house.path("up.log")).expect("a log");
    let _up = Service::spawn(place.pv().arg("up").stderr(log));
    let said = || fs::read_to_string(place.house.path("up.log")).unwrap_or_default();
    until("it watches", || said().contains("watching").then_some(()));
    let id = place.house.post("# Do it\n");
    place.house.until_state(&id, "succeeded");
    let file = place.house.path("inbox/o/r/main/drop.prompt.md");
    fs::write(&file, "# Dropped\n").expect("writes");
    until("a dropped file has run", || place.house.path("finished/o/r/main/drop.done.md").exists().then_some(()));
    let output = place.run(&submit("r", "main"));
    let taken: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let id = taken["job_id"].as_str().unwrap_or_else(|| panic!("{output:?}"));
    place.house.until_state(id, "succeeded");
    // What its supervisor does last: it writes here no more.
    until("its checkout is gone", || (!place.house.path(&format!("work/{id}")).exists()).then_some(()));
    let refused = place.said(&submit("o/r", "locked"), 5);
    assert!(refused.contains(&closed[1]) && refused.contains("owner and mode"), "{refused}");

    let run = place.close("runs/closed");
    for (args, code) in [(&["status"][..], 0), (&["doctor"], 1)] {
        let told = place.said(args, code);
        for path in closed.iter().chain([&own, &run]) {
            assert_eq!(told.matches(&format!("{path}: ")).count(), 1, "{path} in {told}");
        }
        assert!(told.contains("it may stay"), "{told}");
    }
    assert!(place.said(&["list"], 0).contains("closed"), "a run that cannot be read is no run that is not there");
    assert!(place.said(&["targets"], 0).contains("o/r"));
    let (_, status) = place.house.ask("GET", "/status", "");
    let told: Vec<&str> =
        status["unusable"]["entries"].as_array().expect("entries").iter().filter_map(|e| e["path"].as_str()).collect();
    assert!(closed.iter().chain([&own, &run]).all(|path| told.contains(&path.as_str())), "{told:?}");
    let (code, jobs) = place.house.ask("GET", "/jobs?state=unknown", "");
    assert_eq!((code, &jobs["jobs"][0]["job_id"]), (200, &"closed".into()));
}

#[test]
fn b02_a_watcher_that_runs_once_ends_and_names_what_it_left() {
    let mut place = Place::new("cat > /dev/null\n");
    fs::write(place.house.path("inbox/o/r/main/a.prompt.md"), "# A\n").expect("writes");
    place.close("inbox/lost+found");
    assert!(place.said(&["watcher", "--once"], 0).contains("lost+found"), "which is no failure");
    assert!(place.house.path("finished/o/r/main/a.done.md").exists());

    // What is done cannot be filed away.
    fs::rename(place.house.path("finished/o"), place.house.path("finished/p")).expect("renames");
    fs::write(place.house.path("finished/o"), "a file").expect("writes");
    fs::write(place.house.path("inbox/o/r/main/b.prompt.md"), "# B\n").expect("writes");
    let told = place.said(&["watcher", "--once"], 5);
    let left: Vec<&str> = told.lines().filter(|line| line.starts_with("pv: left as it is: ")).collect();
    assert!(left.len() == 2 && left[0].contains("cannot archive its prompt: "), "{told}");
    assert!(told.lines().filter(|line| line.contains("; trying again")).count() <= 2, "{told}");
    fs::remove_file(place.house.path("finished/o")).expect("removes");
    place.said(&["watcher", "--once"], 0);
    assert!(place.house.path("finished/o/r/main/b.done.md").exists());
}
