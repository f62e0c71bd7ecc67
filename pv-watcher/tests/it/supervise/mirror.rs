//! The mirror of a repository: where it comes from, and what it survives.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use pv_lib::{
    fs::{Fs, OsFs},
    job::{FailReason, JobState},
};
use pv_watcher::{MirrorLimits, MirrorSettings, maintain_mirrors};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, git},
};

fn succeeds(fixture: &Fixture) {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
}

/// Runs one job, so that there is a mirror, and submits another.
fn with_mirror(script: &str) -> Fixture {
    let mut fixture = with_remote(script).set(fixture::DELIVER, "branch");
    succeeds(&fixture);
    fixture.retry();
    fixture
}

#[test]
fn a_mirror_that_was_not_set_up_to_its_end_is_begun_anew() {
    let fixture = with_mirror("true");
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    fs::remove_file(mirror.join("pv-ready")).unwrap();
    fs::write(mirror.join("HEAD"), "").unwrap();
    fs::write(mirror.join("config.lock"), "").unwrap();
    succeeds(&fixture);
}

#[test]
fn a_mirror_that_holds_work_is_never_begun_anew() {
    let fixture = with_mirror("echo more >> README.md");
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    fs::remove_file(mirror.join("pv-ready")).unwrap();
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Checkout));
    assert!(record.message.unwrap().contains("holds work"));
    assert!(mirror.join("refs/pv").exists());
}

#[test]
fn what_a_killed_fetch_left_is_cleared_away() {
    let fixture = with_mirror("echo more >> README.md").set(fixture::GIT_MS, "10000");
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    let (lock, pack) = (mirror.join("refs/heads/main.lock"), mirror.join("objects/pack/tmp_pack_x"));
    for left in [&lock, &mirror.join("config.lock"), &pack] {
        fs::write(left, "").unwrap();
    }
    // A pack may be one that is just being written by a job that saves its work.
    let old = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&pack).unwrap().set_modified(old).unwrap();
    // Without something new there is nothing to lock.
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--allow-empty", "-m", "new"]);
    git(&clone, &["push", "--quiet", "origin", "main"]);
    succeeds(&fixture);
    assert!(!lock.exists() && !pack.exists());
}

#[test]
fn a_branch_may_become_a_folder_of_branches() {
    let fixture = with_mirror("echo more >> README.md");
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    let commit = git(&mirror, &["rev-parse", "main"]);
    git(&mirror, &["update-ref", "-d", "refs/heads/main"]);
    git(&mirror, &["update-ref", "refs/heads/main/old", &commit]);
    succeeds(&fixture);
}

#[test]
fn a_clone_with_another_name_for_its_remote_is_understood() {
    let fixture = with_remote("echo more >> README.md").set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["remote", "rename", "origin", "upstream"]);
    let fixture = fixture.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "clone.defaultRemoteName");
    let fixture = fixture.set("GIT_CONFIG_VALUE_0", "upstream");
    succeeds(&fixture);
    let fixture = with_remote("true");
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["remote", "rename", "origin", "one"]);
    git(&clone, &["remote", "add", "two", "../../../remote.git"]);
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Checkout));
    assert!(record.message.unwrap().contains("several remotes, none of them named origin"));
}

#[test]
fn a_password_in_the_address_is_used_and_shown_to_nobody() {
    // Only with its password is the address one that git replaces by the remote's.
    let fixture = with_remote("git remote -v; echo more >> README.md").set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    let fixture = fixture.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_VALUE_0", "https://u:pass@h.example/o/r.git");
    let key = format!("url.{}.insteadOf", fixture.root.join("remote.git"));
    let fixture = fixture.set("GIT_CONFIG_KEY_0", Box::leak(key.into_boxed_str()));
    git(&clone, &["remote", "set-url", "origin", "https://u:pass@h.example/o/r.git"]);
    succeeds(&fixture);
    let log = String::from_utf8(fixture.log()).unwrap();
    assert!(log.contains("https://h.example/o/r.git") && !log.contains("pass"), "{log}");
    assert!(!fixture.record().message.unwrap().contains("pass"));
}

#[test]
fn c14_a_mirror_whose_references_are_packed_still_holds_work() {
    let fixture = with_mirror("echo more >> README.md");
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    git(&mirror, &["pack-refs", "--all"]);
    fs::remove_dir(mirror.join("refs/pv")).unwrap();
    fs::remove_file(mirror.join("pv-ready")).unwrap();
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Checkout));
    assert!(record.message.unwrap().contains("holds work"));
    assert!(git(&mirror, &["for-each-ref", "refs/pv"]).contains("refs/pv/"));
}

#[test]
fn c14_a_job_waits_for_no_maintenance() {
    let fixture = with_mirror("echo more >> README.md");
    let _maintained = OsFs.try_lock(&fixture.root.join("repos/.mirrors/o/r.git.maintenance.lock")).unwrap();
    succeeds(&fixture);
}

#[test]
fn c14_jobs_go_on_while_their_mirror_is_maintained() {
    let mut fixture = with_mirror("git log --oneline; echo $PV_JOB_ID >> README.md");
    let (store, is_over) = (fixture.store.clone(), Arc::new(AtomicBool::new(false)));
    let until = Arc::clone(&is_over);
    let maintaining = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let limits = MirrorLimits { loose_objects: 0, loose_refs: 0, packs: 0 };
        let settings = MirrorSettings { limits, git_timeout: Duration::from_secs(60) };
        let mut rounds = 0;
        while !until.load(Ordering::Relaxed) {
            runtime.block_on(maintain_mirrors(&store, &settings, &mut BTreeMap::new()));
            rounds += 1;
        }
        rounds
    });
    let mut ids = vec![fixture.id.clone()];
    for _ in 0..4 {
        succeeds(&fixture);
        fixture.retry();
        ids.push(fixture.id.clone());
    }
    succeeds(&fixture);
    is_over.store(true, Ordering::Relaxed);
    assert!(maintaining.join().unwrap() > 1);
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    git(&mirror, &["fsck", "--full", "--no-dangling"]);
    for id in ids {
        assert!(git(&mirror, &["show", &format!("refs/pv/{id}:README.md")]).ends_with(id.as_str()));
    }
}
