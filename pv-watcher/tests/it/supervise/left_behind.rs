//! What an agent leaves that no commit of ours holds: the checkout stays then, the record says where, and none of it runs.

use std::{fs, os::unix::process::ExitStatusExt, process::Command};

use pv_lib::job::{FailReason, JobState};
use rustix::process::Signal;

use super::{
    deliver::{branches, fixture as with_remote, refuse_with},
    fixture::{self, Fixture, commit, git, wait_until},
};

/// An installation whose repository has a submodule, `sub`.
fn with_submodule(script: &str) -> Fixture {
    let fixture = with_remote(script).set(fixture::DELIVER, "branch").set("GIT_CONFIG_COUNT", "1");
    let fixture = fixture.set("GIT_CONFIG_KEY_0", "protocol.file.allow").set("GIT_CONFIG_VALUE_0", "always");
    let clone = fixture.root.join("repos/o/r");
    let submodule = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", "../sub.git", "sub"];
    git(&fixture.root, &["clone", "--quiet", "--bare", clone.as_str(), "sub.git"]);
    git(&clone, &submodule);
    commit(&clone, "with a submodule");
    git(&clone, &["push", "--quiet", "origin", "main"]);
    fixture
}

/// Runs the job well, and checks whether the checkout stays and the record says so.
fn check(fixture: &Fixture, script: &str, left: Option<&str>) {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{script}: {record:?} {}", fixture.errors());
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    let message = record.message.unwrap();
    assert_eq!(checkout.exists(), left.is_some(), "{script}: {message}");
    assert!(
        left.is_none_or(|left| message.contains(left) && message.contains(checkout.as_str())),
        "{script}: {message}"
    );
    let named = record.delivery.and_then(|delivery| delivery.checkout_path);
    assert_eq!(named.as_deref(), left.map(|_| checkout.as_str()), "{script}");
    assert!(!fixture.root.join("pwned").exists(), "{script}");
}

const NESTED: Option<&str> = Some("what changed in repositories inside the repository");
const BRANCHES: Option<&str> = Some("commits on other branches, on none, or in the stash");

#[test]
fn submodules_are_there_and_what_is_changed_in_them_stays_in_the_checkout() {
    let own = "git config user.name a; git config user.email a@b";
    for (script, left) in [
        ("cat sub/README.md; echo more >> README.md".to_owned(), None),
        ("echo more >> README.md; echo more >> sub/README.md".to_owned(), NESTED),
        (format!("cd sub; {own}; git commit -q --allow-empty -m x"), NESTED),
        (format!("mkdir mine; cd mine; git init -q; {own}; git commit -q --allow-empty -m x"), NESTED),
        (format!("cd sub; {own}; git checkout -q -b fix; git commit -q --allow-empty -m x; git checkout -q -"), NESTED),
        (
            "cd sub; echo x > x; git stash -q -u 2> /dev/null || git -c user.name=a -c user.email=b stash -q -u"
                .to_owned(),
            NESTED,
        ),
    ] {
        check(&with_submodule(&script), &script, left);
    }
}

#[test]
fn nothing_that_an_agent_configured_is_executed_when_its_work_is_saved() {
    for script in [
        "for ours in ../*.git; do
                printf '[filter \"x\"]\\n\\tclean = \"touch ../../pwned; cat\"\\n' | tee -a $ours/config.start > $ours/config
            done; echo '* filter=x' > .gitattributes; echo x > sub/x",
        "git -C sub config core.fsmonitor 'touch ../../../pwned; false'; echo x > sub/x",
        "git -C sub config filter.x.clean 'touch ../../../pwned; cat'; echo '* filter=x' > sub/.gitattributes; sleep 1.1; touch sub/.git/index .git/modules/sub/index; echo HELLO > sub/README.md",
        "rm sub/.git; cp -r .git/modules/sub sub/.git; git -C sub config --unset core.worktree
            git -C sub config filter.x.clean 'touch ../../../pwned; cat'; echo '* filter=x' > sub/.gitattributes; sleep 1.1; touch sub/.git/index .git/modules/sub/index; echo HELLO > sub/README.md",
    ] {
        check(&with_submodule(script), script, NESTED);
    }
}

#[test]
fn commits_that_are_not_on_the_branch_that_is_checked_out_stay_in_the_checkout() {
    let own = "git config user.name a; git config user.email a@b";
    for (script, left) in [
        (
            format!("{own}; git checkout -q -b fix; echo x > x; git add x; git commit -qm x; git checkout -q main"),
            BRANCHES,
        ),
        (format!("{own}; echo x >> README.md; git stash -q"), BRANCHES),
        (format!("{own}; git checkout -q -b fix; echo x > x; git add x; git commit -qm x; git pack-refs --all"), None),
        ("git branch same".to_owned(), None),
        // On no branch, and left there.
        (
            format!("{own}; git checkout -q --detach; echo x > x; git add x; git commit -qm x; git checkout -q main"),
            BRANCHES,
        ),
        (
            format!("{own}; git switch -q -d main; git commit -q --allow-empty -m x; git switch -q -c fix main"),
            BRANCHES,
        ),
        // Of these nothing is left: it came along, was looked at, or was given up.
        (format!("{own}; git checkout -q --detach; echo x > x; git add x; git commit -qm x"), None),
        (
            format!(
                "{own}; git checkout -q --detach; echo x > x; git add x; git commit -qm x; git checkout -q -B main"
            ),
            None,
        ),
        (format!("{own}; echo x > x; git add x; git commit -qm x; git checkout -q HEAD~1; git checkout -q main"), None),
        (
            format!(
                "{own}; echo x > x; git add x; git commit -qm x; git commit -q --amend -m y; git reset -q --hard HEAD~1"
            ),
            None,
        ),
    ] {
        check(&with_remote(&script).set(fixture::DELIVER, "branch"), &script, left);
    }
}

#[test]
fn files_that_git_does_not_take_stay_and_the_others_are_saved() {
    for script in ["echo new > new.txt; git init -q n", "echo new > new.txt; mkdir odd; echo x > 'odd/git~1'"] {
        let fixture = with_remote(script).set(fixture::DELIVER, "branch");
        check(&fixture, script, Some("files that git does not take"));
        let mirror = fixture.root.join("repos/.mirrors/o/r.git");
        assert_eq!(git(&mirror, &["show", &format!("refs/pv/{}:new.txt", fixture.id)]), "new");
    }
}

#[test]
fn files_of_git_lfs_are_not_called_delivered() {
    // Stands in for the filter of git-lfs, which puts contents elsewhere and a pointer into the commit.
    let clean = "cat > ../large; echo version https://git-lfs.github.com/spec/v1; echo oid sha256:$(printf %064d 7); echo size 6";
    let fixture = with_remote("echo large > big.bin; echo '*.bin filter=large' > .gitattributes");
    let fixture = fixture
        .set(fixture::DELIVER, "branch")
        .set("GIT_CONFIG_COUNT", "1")
        .set("GIT_CONFIG_KEY_0", "filter.large.clean")
        .set("GIT_CONFIG_VALUE_0", clean);
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Delivery)), "{record:?}");
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    assert!(record.message.unwrap().contains(checkout.as_str()));
    assert_eq!(fs::read_to_string(checkout.join("big.bin")).unwrap(), "large\n");
    assert_eq!(branches(&fixture), "");
}

#[test]
fn a_checkout_that_stays_is_kept_by_a_supervisor_that_goes_on_with_the_delivery() {
    let fixture = with_submodule("echo more >> README.md; echo more >> sub/README.md");
    let hook = refuse_with(&fixture, "echo $$ > ../pushing; sleep 600");
    let mut first = fixture.start();
    wait_until("the push has begun", || fixture.root.join("pushing").exists());
    first.signal(Signal::KILL);
    assert!(!first.wait());
    fs::remove_file(hook).unwrap();
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    assert_eq!(fs::read_to_string(checkout.join("sub/README.md")).unwrap(), "hello\nmore\n");
}

#[test]
fn a_change_that_keeps_size_and_time_is_seen() {
    let script = "printf 'HELLO\\n' > t; touch -r README.md t; mv t README.md";
    let fixture = with_remote(script).set(fixture::DELIVER, "branch");
    let record = fixture.run();
    let commit = record.delivery.unwrap().commit.unwrap();
    assert_eq!(git(&fixture.root.join("remote.git"), &["show", &format!("{commit}:README.md")]), "HELLO");
}

#[test]
fn what_an_agent_put_in_the_place_of_a_submodule_is_saved_like_any_file() {
    for (script, shown) in [
        ("rm -r sub; mkdir sub; echo mine > sub/x", "sub/x"),
        ("rm -r sub; echo mine > sub", "sub"),
        ("rm sub/.git; echo mine > sub/x", "sub/x"),
    ] {
        let fixture = with_submodule(script);
        let record = fixture.run();
        assert_eq!(record.state(), JobState::Succeeded, "{script}: {record:?}");
        let commit = record.delivery.unwrap().commit.unwrap();
        assert_eq!(git(&fixture.root.join("remote.git"), &["show", &format!("{commit}:{shown}")]), "mine", "{script}");
    }
}

#[test]
fn two_submodules_are_told_apart() {
    let fixture = with_submodule("cat sub/README.md two/README.md");
    let clone = fixture.root.join("repos/o/r");
    let two = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--", "../sub.git", "two"];
    git(&clone, &two);
    commit(&clone, "with two");
    git(&clone, &["push", "--quiet", "origin", "main"]);
    check(&fixture, "two submodules", None);
}

#[test]
fn a_save_that_was_cut_short_is_made_anew() {
    let own = "git config user.name a; git config user.email a@b";
    let fixture = with_submodule(&format!(
        "echo more >> README.md; rm -r sub
        mkdir mine; cd mine; git init -q; {own}; git commit -q --allow-empty -m x
        git config filter.x.clean 'touch ../../../pwned; cat'; echo '* filter=x' > .gitattributes; cd ..
        touch ../ready; while :; do sleep 0.01; done"
    ));
    let mut first = fixture.start();
    wait_until("the agent has worked", || fixture.root.join("work/ready").exists());
    first.signal(Signal::KILL);
    assert!(!first.wait());
    // What a first save of these files leaves that is killed in the middle.
    let saving = fixture.root.join(format!("work/{}.git", fixture.id));
    let (saving, tree) = (saving.as_str(), fixture.store.layout().checkout_path(&fixture.id));
    git(&fixture.root, &["init", "--quiet", "--bare", saving]);
    fs::copy(format!("{saving}/index.start"), format!("{saving}/index")).unwrap();
    git(&tree, &["--git-dir", saving, "--work-tree", ".", "-c", "advice.addEmbeddedRepo=false", "add", "--all"]);
    let record = fixture.run();
    assert_eq!(record.reason, Some(FailReason::Interrupted), "{record:?}");
    let delivery = record.delivery.unwrap();
    assert!(fs::read_to_string(delivery.patch_path.unwrap()).unwrap().contains("+more"));
    assert!(delivery.checkout_path.is_some() && tree.exists());
    assert!(!fixture.root.join("pwned").exists());
}

#[test]
fn what_carries_the_mark_of_a_job_is_ended_before_the_job_is_over_whoever_started_it() {
    let fixture = with_remote("echo more >> README.md").set(fixture::DELIVER, "branch");
    let (pushed, go_on) = (fixture.root.join("pushed"), fixture.root.join("go-on"));
    refuse_with(&fixture, &format!("touch {pushed}; while ! test -e {go_on}; do sleep 0.01; done"));
    let mut supervisor = fixture.start();
    wait_until("the work is pushed", || pushed.exists());
    // As a service manager starts it that a hook asked to: it descends from nothing of the job's.
    let mut sleeping = Command::new("sleep").arg("600").env("PV_JOB_ID", fixture.id.as_str()).spawn().unwrap();
    fs::write(&go_on, "").unwrap();
    assert!(supervisor.wait());
    let ended = sleeping.try_wait().unwrap();
    let _ = sleeping.kill();
    let _ = sleeping.wait();
    assert!(ended.is_some_and(|ended| ended.signal() == Some(9)), "{ended:?}");
    assert_eq!(fixture.record().state(), JobState::Succeeded);
}
