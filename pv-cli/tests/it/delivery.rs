//! Many jobs of one repository, run by the real services: each with its own checkout and branch, and nothing left over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::fixture::{CliFixture, add_remote, git, wait_until};

/// How many run at once in the first of these tests.
const AT_ONCE: usize = 8;

/// An installation whose clone has a bare remote.
fn with_remote(agent: &str) -> (CliFixture, PathBuf) {
    let fixture = CliFixture::with_agent(agent);
    let remote = add_remote(&fixture);
    (fixture, remote)
}

/// Lists every file below a folder with its contents.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).expect("lists").map(|entry| entry.expect("an entry")) {
            if entry.file_type().expect("a kind").is_dir() {
                waiting.push(entry.path());
            } else {
                found.insert(entry.path().display().to_string(), fs::read(entry.path()).expect("reads"));
            }
        }
    }
    found
}

fn size(dir: &Path) -> usize {
    contents(dir).values().map(Vec::len).sum()
}

#[test]
fn eight_jobs_of_one_repository_run_at_once_and_see_nothing_of_one_another() {
    // Each waits until all eight have begun, then lists what it sees of the others.
    let (fixture, remote) = with_remote(
        "echo $PV_JOB_ID > $PV_JOB_ID.txt; touch ../begun-$PV_JOB_ID
         while [ $(ls .. | grep -c begun-) -lt 8 ]; do sleep 0.05; done; ls; git branch --list",
    );
    let _watcher = fixture.start("watcher");
    let _api = fixture.start_api();
    let ids: Vec<String> = (0..AT_ONCE).map(|n| fixture.post(&format!("# Job {n}\n"))).collect();
    let records: Vec<Value> = ids.iter().map(|id| fixture.wait_for_end(id)).collect();
    let mut branches = BTreeSet::new();
    for (id, record) in ids.iter().zip(&records) {
        assert_eq!(record["state"], "succeeded", "{record:#}");
        assert_eq!(fixture.log(id), format!("{id}.txt\nREADME.md\n* main\n"));
        let branch = record["delivery"]["branch"].as_str().expect("a branch");
        let changed = git(&remote, &["diff", "--name-only", "main", branch]);
        assert_eq!(changed, format!("{id}.txt"));
        branches.insert(branch.to_owned());
    }
    assert_eq!(branches.len(), AT_ONCE);
    assert_eq!(git(&remote, &["for-each-ref", "--format=x", "refs/heads/codex"]).lines().count(), AT_ONCE);
}

/// What the agent of the mixed runs does, by the last word of its prompt.
const MIXED: &str = r#"
git config user.name agent; git config user.email agent@localhost
head -c 100000 /dev/urandom | base64 > .git/scratch
case $(tail -n 1) in
    writes) echo $PV_JOB_ID >> README.md ;;
    commits) echo $PV_JOB_ID > own.txt; git add own.txt; git commit -qm own; echo more >> README.md ;;
    nothing) ;;
    fails) echo half >> README.md; exit 3 ;;
    hangs) echo half >> README.md; sleep 600 ;;
    *) echo half >> README.md; touch ready; sleep 600 ;;
esac
"#;

#[test]
fn fifty_mixed_runs_leave_sound_repositories_an_untouched_clone_and_no_checkout() {
    const WORDS: [(&str, &str); 6] = [
        ("writes", "succeeded"),
        ("commits", "succeeded"),
        ("nothing", "succeeded"),
        ("fails", "failed"),
        ("hangs", "failed"),
        ("aborted", "aborted"),
    ];
    let (fixture, remote) = with_remote(MIXED);
    let (clone, work) = (fixture.path("repos/o/r"), fixture.path("work"));
    fs::write(clone.join("mine.txt"), "a person's own\n").expect("writes");
    let before = contents(&clone);
    let _watcher = fixture.start("watcher");
    let _api = fixture.start_api();
    let mirror = fixture.path("repos/.mirrors/o/r.git");
    let mut sizes = Vec::new();
    for batch in 0..5 {
        let jobs: Vec<_> = (0..10)
            .map(|n| {
                let (word, state) = WORDS[(batch * 10 + n) % WORDS.len()];
                (fixture.post(&format!("---\npv:\n  timeout: 3s\n---\n# Run\n\n{word}")), word, state)
            })
            .collect();
        for (id, _, _) in jobs.iter().filter(|(_, word, _)| *word == "aborted") {
            wait_until("its agent runs", || work.join(id).join("ready").exists().then_some(()));
            assert_eq!(fixture.request("POST", &format!("/jobs/{id}/abort"), "").0, 200);
        }
        for (id, word, state) in jobs {
            let record = fixture.wait_for_end(&id);
            assert_eq!(record["state"], state, "{word}: {record:#}");
            let kept = record["delivery"]["commit"].as_str();
            assert_eq!(kept.is_some(), word != "nothing", "{word}: {record:#}");
            if let Some(commit) = kept {
                assert_eq!(git(&mirror, &["rev-parse", &format!("refs/pv/{id}")]), commit);
            }
        }
        wait_until("no checkout is left", || (fs::read_dir(&work).expect("lists").count() == 0).then_some(()));
        sizes.push(size(&mirror));
    }
    for repository in [&mirror, &remote, &clone] {
        assert_eq!(git(repository, &["fsck", "--strict", "--no-dangling"]), "");
    }
    assert!(contents(&clone) == before, "the person's clone changed");
    assert_eq!(git(&remote, &["for-each-ref", "--format=x", "refs/heads/codex"]).lines().count(), 18);
    eprintln!("the mirror's size in bytes after 10, 20, 30, 40 and 50 runs: {sizes:?}");
    let growth = (sizes[4] - sizes[0]) / 40;
    assert!(growth < 20_000, "each run leaves {growth} bytes: more than its work");
}

#[test]
fn a_repository_has_an_agent_a_delivery_and_a_checkout_of_its_own() {
    let (fixture, remote) = with_remote("echo the default; false");
    let other = fixture.path("agent.sh").with_file_name("other.sh");
    fs::write(&other, "#!/bin/sh\ncat .git/objects/info/alternates; echo more >> README.md\n").expect("writes");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).expect("is executable");
    let mut settings = fs::read_to_string(fixture.config()).expect("reads");
    settings = settings.replace("agents:\n", &format!("agents:\n  other:\n    command: {}\n", other.display()));
    settings += "repos:\n  default: {agent: other}\n  o/r: {checkout: full, deliver: none}\n";
    fs::write(fixture.config(), settings).expect("writes");
    let _watcher = fixture.start("watcher");
    let id = fixture.submit("o/r");
    let record = fixture.wait_for_end(&id);
    assert_eq!((record["state"].as_str(), record["agent"].as_str()), (Some("succeeded"), Some("other")), "{record}");
    assert!(fixture.log(&id).contains("alternates: No such file"), "it borrows nothing: {}", fixture.log(&id));
    assert_eq!(git(&remote, &["for-each-ref", "--format=%(refname:short)"]).trim(), "main", "nothing is pushed");
}
