//! A root that the earlier service left: nothing of it is lost, and nothing is run twice.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::fixture::{CliFixture, Service, append, finish, git, text, wait_for_port, wait_until};

/// A runner of the earlier service's kind: it writes plain text, and notes that it ran.
const RUNNER: &str = r#"#!/bin/sh
prompt=$(cat)
echo "ran" >> "$(dirname "$0")/ran-$(printf '%s' "$prompt" | sed -n 's/^# //p' | tr ' ' -)"
echo "worked on it"
echo "$prompt" > work.md
"#;

/// The jobs that the earlier service had, with what becomes of each.
const EARLIER: [(&str, &str, &str); 6] = [
    ("20261127-2209-23", "succeeded", "succeeded"),
    ("20261127-2209-37", "failed", "failed"),
    ("20261127-2209-51", "succeeded", "succeeded"),
    ("20261127-2210-05", "aborted", "aborted"),
    ("20261127-2210-25", "running", "failed"),
    ("by-hand-1", "Succeeded", "succeeded"),
];

/// The prompts that waited: their titles, where they lay, and where they go.
const WAITED: [(&str, &str, &str); 4] = [
    ("Waits by the API", "api-@ID@.prompt.md", "api.done.md"),
    ("Waits in the branch", "waits.prompt.md", "waits.done.md"),
    ("Waits below", "notes/waits.prompt.md", "notes/waits.done.md"),
    ("Waits with an empty head", "Empty.prompt.MD", "Empty.done.md"),
];

struct EarlierRoot {
    fixture: CliFixture,
    /// The id of the prompt that the earlier API took. Each test has its own: a job is run by one installation at a time.
    id: String,
}

impl EarlierRoot {
    fn new() -> Self {
        let fixture = CliFixture::new();
        let root = fixture.path("root");
        let id = pv_lib::host::new_job_id().to_string();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/earlier_root");
        copy(&from, &root, &|text| text.replace("@ROOT@", root.to_str().unwrap()).replace("@ID@", &id));
        fs::write(root.join("codex"), RUNNER).unwrap();
        fs::set_permissions(root.join("codex"), fs::Permissions::from_mode(0o755)).unwrap();
        let clone = root.join("repos/nova-rey/example");
        fs::create_dir_all(&clone).unwrap();
        git(&clone, &["init", "-q", "-b", "main"]);
        git(&clone, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", "x"]);
        git(&root, &["clone", "-q", "--bare", clone.to_str().unwrap(), "remote.git"]);
        git(&clone, &["remote", "add", "origin", root.join("remote.git").to_str().unwrap()]);
        Self { fixture, id }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.fixture.path("root").join(relative)
    }

    /// Prepares `pv` with the variables of the env file as systemd reads them: a remark stays in its value.
    fn pv(&self, args: &[&str]) -> Command {
        let mut pv = self.fixture.pv(args);
        pv.env_remove("PV_ROOT");
        let file = fs::read_to_string(self.path("etc/pv.env")).unwrap();
        for (name, value) in file.lines().filter_map(|line| line.split_once('=')) {
            pv.env(name, value.replace("8888", &self.fixture.port.to_string()));
        }
        pv
    }

    fn output(&self, args: &[&str], code: i32) -> String {
        let output = finish(self.pv(args).spawn().unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        text(&output)
    }

    fn start(&self, service: &str) -> Service {
        self.fixture.start_as(service, &mut self.pv(&[service]))
    }

    fn jobs(&self) -> Vec<Value> {
        self.fixture.request("GET", "/jobs", "").1["jobs"].as_array().cloned().unwrap_or_default()
    }

    fn job(&self, find: impl Fn(&Value) -> bool) -> Value {
        let found: Vec<Value> = self.jobs().into_iter().filter(find).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

/// Copies a folder, with what stands for its place and the id filled in, in names and files.
fn copy(from: &Path, to: &Path, fill_in: &dyn Fn(&str) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(fill_in(entry.file_name().to_str().unwrap()));
        if entry.path().is_dir() {
            copy(&entry.path(), &target, fill_in);
        } else {
            fs::write(target, fill_in(&fs::read_to_string(entry.path()).unwrap())).unwrap();
        }
    }
}

/// Returns every file below a folder, with its contents.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let each = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => vec![(path.clone(), fs::read(path).unwrap())],
    });
    let mut found: Vec<_> = each.collect();
    found.sort();
    found
}

#[test]
fn the_earlier_services_root_is_taken_over_and_nothing_is_lost_or_run_twice() {
    let earlier = EarlierRoot::new();
    let root = &earlier;
    // As the page says of a runner that writes plain text.
    append(&root.path("config/prompt-valet.yaml"), "agents:\n  codex:\n    events: none\n");
    let (finished, processed) = (files(&root.path("finished")), files(&root.path("processed")));
    let config = root.output(&["config"], 0);
    assert!(config.contains(root.path("inbox").to_str().unwrap()) && config.contains("PV_REPOS_ROOT"), "{config}");
    let doctor = root.output(&["doctor"], 0);
    assert!(
        doctor.contains("comments need a line of their own") && doctor.contains("`queue` has no effect"),
        "{doctor}"
    );
    // Its jobs are read before anything runs; by the state of any of them, in any case.
    let list = root.output(&["list"], 0);
    assert!(EARLIER.iter().all(|(id, ..)| list.contains(&id[..14.min(id.len())])), "{list}");
    assert!(root.output(&["list", "--state", "succeeded"], 0).contains("by-hand-1"));

    let _api = root.start("api");
    wait_for_port(root.fixture.port);
    let _watcher = root.start("watcher");
    wait_until("all is over", || {
        let is_over = |job: &Value| !["created", "running"].iter().any(|state| job["state"] == *state);
        let waits = files(&root.path("inbox/example"));
        (waits.is_empty() && root.jobs().iter().all(is_over)).then_some(())
    });
    for (id, before, after) in EARLIER {
        let record = root.job(|job| job["job_id"] == id);
        assert_eq!(record["state"], after, "{record}");
        if before != "running" {
            let file =
                files(&root.path(&format!("runs/{id}"))).into_iter().find(|(path, _)| path.ends_with("job.json"));
            let original = format!("{}/tests/it/earlier_root/runs/{id}/job.json", env!("CARGO_MANIFEST_DIR"));
            let original = fs::read_to_string(original)
                .unwrap()
                .replace("@ROOT@", root.path("").to_str().unwrap().trim_end_matches('/'));
            assert_eq!(String::from_utf8(file.unwrap().1).unwrap(), original, "what is over stays as it was");
        }
    }
    let killed = root.job(|job| job["job_id"] == "20261127-2210-25");
    assert_eq!(
        (&killed["reason"], &killed["inbox_rel"]),
        (&"interrupted".into(), &"example/main/left.prompt.md".into())
    );
    // Its prompt is archived, and can be repeated; it was not run again.
    let left = root.job(|job| job["job_id"] != "20261127-2210-25" && job["inbox_rel"] == "example/main/left.prompt.md");
    assert_eq!((&left["state"], &left["reason"]), (&"failed".into(), &"interrupted".into()));
    assert!(root.path("finished/example/main/left.error.md").exists());

    for (title, dropped, archived) in WAITED {
        let job = root.job(|job| job["title"] == title);
        assert_eq!((&job["state"], &job["branch_name"]), (&"succeeded".into(), &"main".into()), "{job}");
        assert_eq!(job["inbox_rel"], format!("example/main/{}", dropped.replace("@ID@", &root.id)));
        assert!(root.path(&format!("finished/example/main/{archived}")).exists(), "{archived}");
        let ran = fs::read_to_string(root.path(&format!("ran-{}", title.replace(' ', "-")))).unwrap();
        assert_eq!(ran.lines().count(), 1, "{title} ran once");
        let branch = job["delivery"]["branch"].as_str().unwrap();
        assert!(git(&root.path("remote.git"), &["branch", "--list", branch]).contains(branch), "{branch}");
    }
    // The id that the earlier API returned is still the job's.
    let by_api = root.job(|job| job["title"] == WAITED[0].0);
    assert_eq!(by_api["job_id"], root.id.as_str());
    assert_eq!(root.jobs().len(), EARLIER.len() + WAITED.len() + 1);
    let now = files(&root.path("finished"));
    assert!(finished.iter().all(|file| now.contains(file)), "what was archived stays");
    assert_eq!(files(&root.path("processed")), processed);
    assert!(!root.path("ran-slow-and-left").exists(), "nobody knows how far it came");
}

#[test]
fn a_runner_that_writes_plain_text_is_told_what_to_set() {
    let root = EarlierRoot::new();
    let printed = root.output(&["watcher", "--once"], 0);
    assert!(!printed.contains("left as it is"), "{printed}");
    let shown = root.output(&["show", &root.id], 0);
    assert!(shown.contains("failed") && shown.contains("`events: none`"), "{shown}");
}

#[test]
fn a_runner_that_prints_what_the_page_says_counts_as_success() {
    let root = EarlierRoot::new();
    let page = include_str!("../../../docs/switching-over.md");
    let (_, section) = page.split_once("## What a runner must print").unwrap();
    let lines = section.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    fs::write(root.path("events"), lines).unwrap();
    fs::write(root.path("codex"), "#!/bin/sh\ncat > work.md\ncat \"$(dirname \"$0\")/events\"\n").unwrap();
    root.output(&["watcher", "--once"], 0);
    let shown = root.output(&["show", &root.id], 0);
    assert!(shown.contains("succeeded"), "{shown}");
    let message = fs::read_to_string(root.path(&format!("runs/{}/last_message.md", root.id))).unwrap();
    assert!(message.contains("What the log shows"), "{message}");
    let failed = r#"{"type":"turn.failed","error":{"message":"why"}}"#;
    assert!(section.contains(failed));
    fs::write(root.path("events"), failed).unwrap();
    fs::write(root.path("inbox/example/main/again.prompt.md"), "# Fails\n").unwrap();
    root.output(&["watcher", "--once"], 0);
    let records = files(&root.path("runs")).into_iter().filter(|(path, _)| path.ends_with("job.json"));
    let records: Vec<Value> = records.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()).collect();
    let again = records.iter().find(|job| job["inbox_rel"] == "example/main/again.prompt.md").unwrap();
    assert_eq!(again["state"], "failed", "{again}");
    assert!(again["message"].as_str().unwrap().contains("why"), "{again}");
}
