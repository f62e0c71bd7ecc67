//! What becomes of an agent's work: pushed to a bare remote, proposed to a small GitHub, kept whatever happens.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use camino::Utf8PathBuf;
use pv_lib::{
    host,
    job::{FailReason, JobState, Phase},
};
use pv_watcher::pull_request::fake::{FakeGitHub, Mood, TOKEN, UNKNOWN};
use rustix::process::Signal;
use serde_json::json;

use super::{
    fixture::{self, Fixture, commit, git, wait_until},
    is_alive,
};

/// An installation whose clone has a bare remote, at `<root>/remote.git`.
pub(super) fn fixture(script: &str) -> Fixture {
    with_prompt(script, "do the work\n")
}

fn with_prompt(script: &str, markdown: &str) -> Fixture {
    with_remote(Fixture::with_prompt(script, markdown))
}

/// Gives the clone of an installation a bare remote.
pub(super) fn with_remote(fixture: Fixture) -> Fixture {
    let clone = fixture.root.join("repos/o/r");
    git(&fixture.root, &["clone", "--quiet", "--bare", clone.as_str(), "remote.git"]);
    git(&clone, &["remote", "add", "origin", "../../../remote.git"]);
    fixture
}

pub(super) fn remote(fixture: &Fixture) -> Utf8PathBuf {
    fixture.root.join("remote.git")
}

/// Lets `fixture` ask this host for pull requests.
pub(super) fn with_host(fixture: Fixture, host: &FakeGitHub) -> Fixture {
    let token = fixture.root.join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fixture.set(fixture::TOKEN_FILE, token.as_str()).set(fixture::API_BASE, &host.api_base())
}

/// Puts a hook before what the remote takes.
pub(super) fn refuse_with(fixture: &Fixture, script: &str) -> Utf8PathBuf {
    let hook = remote(fixture).join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    hook
}

pub(super) fn branches(fixture: &Fixture) -> String {
    git(&remote(fixture), &["for-each-ref", "--format=%(refname:short)", "refs/heads/codex"])
}

#[test]
fn work_becomes_a_commit_on_the_remote_and_a_pull_request() {
    let host = FakeGitHub::start().unwrap();
    let markdown = "---\npv:\n  title: Mend the gate\n---\n# Gate\n";
    let fixture =
        with_host(with_prompt("echo more >> README.md; printf '\\0\\1' > bin; echo gone > x", markdown), &host);
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    let delivery = record.delivery.unwrap();
    let branch = format!("codex/mend-the-gate-{}", fixture.id);
    assert_eq!(delivery.branch.as_deref(), Some(branch.as_str()));
    let commit = delivery.commit.unwrap();
    assert_eq!(git(&remote(&fixture), &["rev-parse", &format!("refs/heads/{branch}")]), commit);
    assert_eq!(fixture.kept(), commit);
    let shown = git(&remote(&fixture), &["show", "--no-patch", "--format=%an <%ae>|%cn|%s|%P", &commit]);
    let base = record.base_commit.unwrap();
    assert_eq!(shown, format!("Valet <valet@example.org>|Valet|Mend the gate|{base}"));
    assert_eq!(git(&remote(&fixture), &["rev-parse", "refs/heads/main"]), base, "the branch itself is left alone");
    assert_eq!(delivery.pr_url.as_deref(), host.pulls()[0]["html_url"].as_str());
    let asked = &host.seen()[0].json;
    assert_eq!((asked["title"].as_str(), asked["base"].as_str()), (Some("Mend the gate"), Some("main")));
    assert_eq!(asked["head"].as_str(), Some(branch.as_str()));
    assert!(asked["body"].as_str().unwrap().contains("README.md"), "{asked}");
    assert!(record.message.unwrap().contains("pull request http"));
}

#[test]
fn a_pull_request_gets_what_the_settings_say_and_what_it_lacks_fails_nothing() {
    let host = FakeGitHub::start().unwrap();
    let said = "Done. @octocat fixes #1 <!-- hidden --> **well**";
    let script = format!("echo more >> README.md; printf '%s' '{said}' > \"$PV_RUN_ROOT/last_message.md\"");
    let fixture = with_host(with_prompt(&script, "# Gate, fixes #1 for @octocat\n\nMend it.\n"), &host)
        .set(fixture::DRAFT, "1")
        .set(fixture::INCLUDE_PROMPT, "1")
        .set(fixture::LABELS, &format!("agent,{UNKNOWN}"))
        .set(fixture::REVIEWERS, "octocat,o/core");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    let message = record.message.unwrap();
    assert!(
        message.contains("pull request https://") && message.contains(&format!("the label `{UNKNOWN}` could not")),
        "{message}"
    );
    let pull = &host.pulls()[0];
    assert_eq!((&pull["draft"], &pull["labels"]), (&json!(true), &json!(["agent"])));
    assert_eq!(pull["requested_reviewers"], json!(["octocat", "core"]));
    let body = pull["body"].as_str().unwrap().replace('\u{200b}', "^");
    assert!(body.contains("> Done. @^octocat f^ixes #^1 \\<!-- hidden --\\> **well**\n"), "{body}");
    assert!(body.contains("What the agent was asked") && body.contains("> Mend it."), "{body}");
    assert!(body.contains(&format!("`pv show {}`", fixture.id)), "{body}");
    let commit = record.delivery.unwrap().commit.unwrap();
    let subject = git(&remote(&fixture), &["show", "--no-patch", "--format=%s", &commit]);
    assert_eq!(subject.replace('\u{200b}', "^"), "Gate, f^ixes #^1 for @^octocat", "a commit mentions nobody, either");
}

#[test]
fn commits_of_the_agent_are_handed_over_as_they_are_and_the_rest_on_top() {
    let own = "git config user.name a; git config user.email a@b
        echo one > one; git add one; git commit -qm 'own one'; echo two > two; git add two; git commit -qm 'own two'";
    for (more, expected) in
        [("", "own two\nown one\nstart"), ("echo three > three", "Work of script\nown two\nown one\nstart")]
    {
        let fixture = fixture(&format!("{own}\n{more}")).set(fixture::DELIVER, "branch");
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
        let commit = record.delivery.unwrap().commit.unwrap();
        assert_eq!(git(&remote(&fixture), &["log", "--format=%s", &commit]), expected);
    }
}

#[test]
fn history_that_does_not_begin_at_the_start_counts_as_files() {
    let fixture = fixture(
        "git config user.name a; git config user.email a@b; git checkout -q --orphan other; echo x > x
        git add -A; git commit -qm own",
    )
    .set(fixture::DELIVER, "branch");
    let record = fixture.run();
    let commit = record.delivery.unwrap().commit.unwrap();
    assert_eq!(git(&remote(&fixture), &["log", "--format=%s", &commit]), "Work of script\nstart");
    assert_eq!(git(&remote(&fixture), &["show", &format!("{commit}:x")]), "x");
}

#[test]
fn a_prompt_says_how_its_work_is_handed_over() {
    for (mode, expected) in [("none", ""), ("branch", "codex/")] {
        let fixture = with_prompt("echo more >> README.md", &format!("---\npv:\n  deliver: {mode}\n---\ndo it\n"));
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
        assert!(
            branches(&fixture).starts_with(expected) && branches(&fixture).is_empty() == expected.is_empty(),
            "{mode}"
        );
        assert_eq!(fixture.kept(), record.delivery.unwrap().commit.unwrap());
    }
}

#[test]
fn a_refused_push_fails_the_job_and_a_retry_delivers_the_saved_work_without_the_agent() {
    let mut fixture = fixture("echo ran >> ../../witness; echo more >> README.md").set(fixture::DELIVER, "branch");
    let hook = refuse_with(&fixture, "echo not on a Friday >&2; exit 1");
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Delivery)), "{record:?}");
    assert_eq!(record.phase, Some(Phase::Delivering));
    let message = record.message.unwrap();
    assert!(message.contains("not on a Friday") && message.contains("pv retry"), "{message}");
    let delivery = record.delivery.unwrap();
    assert!(delivery.error.unwrap().contains("not on a Friday"));
    assert!(fs::read_to_string(delivery.patch_path.unwrap()).unwrap().contains("+more"));
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
    assert_eq!(branches(&fixture), "");

    fs::remove_file(hook).unwrap();
    let first = fixture.retry();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(record.retry_of.as_ref(), Some(&first));
    let again = record.delivery.unwrap();
    assert_eq!((again.branch.as_ref(), again.commit.as_ref()), (delivery.branch.as_ref(), delivery.commit.as_ref()));
    assert_eq!((again.error, record.changed), (None, Some(true)), "what it delivers is a change");
    assert_eq!(branches(&fixture), delivery.branch.unwrap());
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
    assert!(fs::read_to_string(again.patch_path.unwrap()).unwrap().contains("+more"));
}

#[test]
fn a_pull_request_that_is_refused_fails_the_job_and_says_what_to_do() {
    for (status, expected) in [(401, "token"), (403, "token"), (404, "o/r"), (422, "Validation Failed")] {
        let host = FakeGitHub::start().unwrap();
        host.next(Mood::says(status, &json!({"message": "Validation Failed"})));
        let fixture = with_host(fixture("echo more >> README.md"), &host);
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Delivery)), "{record:?}");
        let message = record.message.unwrap();
        assert!(message.contains("pushed codex/") && message.contains(expected), "{status}: {message}");
        assert!(!message.contains(TOKEN));
        assert_eq!(branches(&fixture), record.delivery.unwrap().branch.unwrap(), "the branch is there");
    }
}

#[test]
fn a_delivery_that_a_killed_supervisor_left_is_done_again_and_once() {
    let host = FakeGitHub::start().unwrap();
    let fixture = with_host(fixture("echo ran >> ../../witness; echo more >> README.md"), &host);
    let hook = refuse_with(&fixture, "echo $$ > ../pushing; until [ -e ../go ]; do sleep 0.01; done");
    let mut first = fixture.start();
    wait_until("the push has begun", || {
        fs::read_to_string(fixture.root.join("pushing")).is_ok_and(|pid| !pid.is_empty())
    });
    first.signal(Signal::KILL);
    assert!(!first.wait());
    let record = fixture.record();
    assert_eq!((record.state(), record.phase), (JobState::Running, Some(Phase::Delivering)), "{record:?}");
    fs::write(fixture.root.join("go"), "").unwrap();
    let pushing = fs::read_to_string(fixture.root.join("pushing")).unwrap();
    wait_until("the push of the first is over", || !is_alive(&pushing));
    fs::remove_file(hook).unwrap();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
    assert_eq!(branches(&fixture), record.delivery.unwrap().branch.unwrap());
    assert_eq!(host.pulls().len(), 1);
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
}

#[test]
fn a_push_that_has_begun_wins_over_an_abort() {
    let fixture = fixture("echo more >> README.md").set(fixture::DELIVER, "branch");
    refuse_with(&fixture, "echo $$ > ../pushing; until [ -e ../go ]; do sleep 0.01; done");
    let mut supervisor = fixture.start();
    wait_until("the push has begun", || fixture.root.join("pushing").exists());
    fixture.abort();
    fs::write(fixture.root.join("go"), "").unwrap();
    assert!(supervisor.wait());
    assert_eq!(fixture.record().state(), JobState::Succeeded);
    assert!(!branches(&fixture).is_empty());
}

#[test]
fn an_abort_before_the_push_keeps_the_work_and_pushes_nothing() {
    let fixture = fixture("echo more >> README.md; echo ready; while :; do sleep 0.01; done");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    fixture.abort();
    assert!(supervisor.wait());
    let record = fixture.record();
    assert_eq!(record.state(), JobState::Aborted);
    let delivery = record.delivery.unwrap();
    assert_eq!((delivery.branch, branches(&fixture).as_str()), (None, ""));
    assert_eq!(fixture.kept(), delivery.commit.unwrap());
    assert!(fs::read_to_string(delivery.patch_path.unwrap()).unwrap().contains("+more"));
}

/// Lists every file of a folder with its contents.
fn contents(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            contents(&entry.path(), into);
        } else {
            into.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
    into.sort();
}

#[test]
fn a_persons_clone_with_a_remote_is_only_read() {
    let fixture = fixture("echo more >> README.md; git push -q origin HEAD:refs/heads/mine 2>/dev/null; true")
        .set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    fs::write(clone.join("unsaved.txt"), "a person's own\n").unwrap();
    let mut before = Vec::new();
    contents(clone.as_std_path(), &mut before);
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    let mut after = Vec::new();
    contents(clone.as_std_path(), &mut after);
    assert_eq!(before, after);
    git(&fixture.root.join("repos/.mirrors/o/r.git"), &["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn a_retry_of_a_retry_delivers_what_the_first_job_did() {
    let mut fixture = fixture("echo ran >> ../../witness; echo more >> README.md").set(fixture::DELIVER, "branch");
    let hook = refuse_with(&fixture, "exit 1");
    assert_eq!(fixture.run().reason, Some(FailReason::Delivery));
    // The second finds nothing to deliver, since the mirror is away.
    let (mirrors, away) = (fixture.root.join("repos/.mirrors"), fixture.root.join("away"));
    fs::rename(&mirrors, &away).unwrap();
    fixture.retry();
    assert_eq!(fixture.run().reason, Some(FailReason::Delivery));
    fs::remove_dir_all(&mirrors).unwrap_or_default();
    fs::rename(&away, &mirrors).unwrap();
    fs::remove_file(hook).unwrap();
    fixture.retry();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
}

#[test]
fn b09_a_retry_whose_run_folder_is_gone_delivers_what_is_saved_and_runs_no_agent() {
    // The prompt of the second is claimed when that happens: it is not started again, but can be repeated.
    for is_claimed in [false, true] {
        let mut fixture = fixture("echo ran >> ../../witness; echo more >> README.md").set(fixture::DELIVER, "branch");
        let hook = refuse_with(&fixture, "exit 1");
        assert_eq!(fixture.run().reason, Some(FailReason::Delivery));
        let first = fixture.id.clone();
        fs::remove_file(hook).unwrap();
        let store = fixture.store.clone();
        let mut repeated = host::new_job_id();
        store.retry(&first, &repeated, host::now()).unwrap();
        let waiting = store.find_prompt(&repeated).unwrap().unwrap();
        fs::remove_dir_all(store.layout().run_path(&repeated)).unwrap();
        if is_claimed {
            assert!(store.claim(&waiting, &repeated).unwrap());
            let claimed = store.find_prompt(&repeated).unwrap().unwrap();
            store.archive_orphan(&claimed, &mut host::new_job_id, host::now()).unwrap();
            let again = host::new_job_id();
            store.retry(&repeated, &again, host::now()).unwrap();
            repeated = again;
        } else {
            store.adopt(&waiting, true, &mut host::new_job_id, host::now()).unwrap();
        }
        let waiting = store.find_prompt(&repeated).unwrap().unwrap();
        assert!(store.claim(&waiting, &repeated).unwrap());
        fixture.id = repeated;
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
        assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n", "{is_claimed}");
        assert_eq!(branches(&fixture), record.delivery.unwrap().branch.unwrap());
    }
}

#[test]
fn a_retry_pushes_nothing_where_nothing_is_to_be_pushed_any_more() {
    let mut fixture = fixture("echo more >> README.md").set(fixture::DELIVER, "branch");
    let hook = refuse_with(&fixture, "exit 1");
    assert_eq!(fixture.run().reason, Some(FailReason::Delivery));
    fs::remove_file(hook).unwrap();
    fixture.retry();
    let fixture = fixture.set(fixture::DELIVER, "none");
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    assert_eq!(branches(&fixture), "");
}

#[test]
fn a_branch_that_has_grown_since_it_was_pushed_counts_as_delivered() {
    let mut fixture = fixture("echo more >> README.md");
    let host = FakeGitHub::start().unwrap();
    host.next(Mood::says(422, &json!({"message": "not now"})));
    fixture = with_host(fixture, &host);
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Delivery));
    let branch = record.delivery.unwrap().branch.unwrap();
    let other = fixture.root.join("other");
    git(&fixture.root, &["clone", "--quiet", "--branch", &branch, "remote.git", "other"]);
    fs::write(other.join("review.txt"), "by a person\n").unwrap();
    commit(&other, "review");
    git(&other, &["push", "--quiet", "origin", &branch]);
    fixture.retry();
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    assert_eq!(git(&remote(&fixture), &["show", &format!("{branch}:review.txt")]), "by a person");
    assert_eq!(host.pulls().len(), 1);
}

#[test]
fn verified_work_is_proposed_with_what_verifies_it_after_a_failed_delivery_too() {
    let host = FakeGitHub::start().unwrap();
    let script = "mkdir tests; echo easy > tests/a; echo more >> README.md";
    let fixture = with_host(fixture(script), &host).set(fixture::CHECKS, "ok=test -s README.md");
    let mut fixture = fixture.set(fixture::CHECKS_PATHS, "tests/**");
    let hook = refuse_with(&fixture, "echo not today >&2; exit 1");
    let record = fixture.run();
    assert_eq!((record.reason, record.verified), (Some(FailReason::Delivery), Some(true)), "{record:?}");
    fs::remove_file(hook).unwrap();
    fixture.retry();
    let record = fixture.run();
    assert_eq!((record.state(), record.verified), (JobState::Succeeded, Some(true)), "{record:?}");
    assert!(record.attempts.is_none() && record.checks.is_some_and(|checks| checks[0].is_green()));
    let body = host.seen()[0].json["body"].as_str().unwrap().to_owned();
    assert!(body.contains("\nVerified by `test -s README.md` (exit 0, "), "{body}");
    assert!(body.contains("\nThis change touches what the checks run from: `tests/a`.\n"), "{body}");
    if let Ok(file) = std::env::var("PV_TEST_BODY") {
        fs::write(file, body).unwrap();
    }
}
