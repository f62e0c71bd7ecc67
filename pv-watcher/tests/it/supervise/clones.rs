//! What an agent finds in its checkout: what `git clone` would have made there.

use std::{fs, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use pv_lib::job::JobState;

use super::{
    deliver::{fixture as with_remote, remote, with_remote as of_remote},
    fixture::{Fixture, commit, git, wait_until},
};

/// What an agent prints of its checkout; of the folder itself its name is left out.
const SHOW: &str = "
    git for-each-ref --format='%(refname) %(objectname) %(upstream)'; git rev-parse HEAD 'HEAD^{tree}'
    git status --porcelain=v2 --branch; git log --format=%H%d; git fsck --connectivity-only 2>&1; git config --get-all core.bare
    git config --local --get-regexp '^(branch|remote)[.]'; git describe --tags; git stash list; cat .git/HEAD
    git ls-files --stage; git count-objects -v | grep -v -e alternate; ls -d .git/hooks .git/info";

/// Runs the job, and returns what its agent printed.
fn shown(fixture: &Fixture) -> String {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    String::from_utf8(fixture.log()).unwrap()
}

#[test]
fn a_checkout_is_what_git_would_have_cloned() {
    let fixture = with_remote(SHOW);
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["tag", "v1"]);
    git(&clone, &["-c", "user.name=n", "-c", "user.email=e", "tag", "-a", "-m", "annotated", "v2"]);
    git(&clone, &["push", "--quiet", "--tags", "origin"]);
    let made = shown(&fixture);
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    let by_git = fixture.root.join("by-git");
    git(
        &fixture.root,
        &["clone", "--quiet", "--shared", "--single-branch", "--branch", "main", mirror.as_str(), "by-git"],
    );
    git(&by_git, &["config", "remote.origin.url", remote(&fixture).as_str()]);
    git(&by_git, &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    let output = std::process::Command::new("/bin/sh").args(["-c", SHOW]).current_dir(&by_git).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    assert!(expected.contains("refs/tags/v2") && expected.contains("branch.main.merge refs/heads/main"), "{expected}");
    let of_settings = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(of_settings(&made), of_settings(&expected));
}

#[test]
fn what_a_persons_templates_have_is_in_the_checkout() {
    let script = "cat .git/hooks/*; cat .git/info/exclude; git symbolic-ref HEAD";
    let put = |folder: &Utf8Path| {
        fs::create_dir_all(folder.join("hooks")).unwrap();
        fs::write(folder.join("hooks/commit-msg"), "of the person\n").unwrap();
    };
    for by_configuration in [true, false] {
        let fixture = with_remote(script);
        let templates = fixture.root.join("templates");
        put(&templates);
        let fixture = if by_configuration {
            let fixture = fixture.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "init.templateDir");
            fixture.set("GIT_CONFIG_VALUE_0", templates.as_str())
        } else {
            fixture.set("GIT_TEMPLATE_DIR", templates.as_str())
        };
        assert_eq!(
            shown(&fixture),
            "of the person\ncat: .git/info/exclude: No such file or directory\nrefs/heads/main\n"
        );
    }
}

#[test]
fn a_branch_of_any_name_is_checked_out_and_followed() {
    for branch in ["feature/a/b", "it's-\"quoted\"#;", "\u{fc}n\u{ef}", "a.b"] {
        let script = "git rev-parse --abbrev-ref HEAD '@{upstream}'; git -c core.quotePath=false status -s --branch";
        let fixture = of_remote(Fixture::on_branch(script, branch));
        let clone = fixture.root.join("repos/o/r");
        git(&clone, &["push", "--quiet", "origin", &format!("main:refs/heads/{branch}")]);
        assert_eq!(shown(&fixture), format!("{branch}\norigin/{branch}\n## {branch}...origin/{branch}\n"));
    }
}

/// How often in a row a supervisor must be seen without a process of its own to wait for another job.
const LOOKS: usize = 100;

#[test]
fn jobs_that_wait_for_the_same_fetch_share_it_and_one_that_begins_later_asks_again() {
    let fixture = with_remote("cat README.md");
    // A remote that counts who asks, and lets them wait.
    let [asked, go_on, ssh] = ["asked", "go-on", "ssh"].map(|name| fixture.root.join(name));
    let wait = format!("while ! test -e {go_on}; do sleep 0.01; done");
    fs::write(&ssh, format!("#!/bin/sh\necho x >> {asked}\n{wait}\nfor last; do :; done\neval \"$last\"\n")).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&go_on, "").unwrap();
    let mut fixture = fixture.set("GIT_SSH_COMMAND", ssh.as_str());
    let clone = fixture.root.join("repos/o/r");
    git(&clone, &["remote", "set-url", "origin", &format!("ssh://host.example{}", remote(&fixture))]);
    let count = || fs::read_to_string(&asked).unwrap_or_default().lines().count();
    assert_eq!(shown(&fixture), "hello\n");
    let before = count();
    fs::remove_file(&go_on).unwrap();
    let mut jobs: Vec<_> = (0..4)
        .map(|number| {
            fixture.submit_another();
            let supervisor = fixture.start();
            if number == 0 {
                // It has the lock of the mirror from here on.
                wait_until("the first one asks", || count() == before + 1);
            } else {
                let mut looks = 0;
                wait_until("it waits for the fetch", || {
                    looks = if supervisor.has_children() { 0 } else { looks + 1 };
                    fixture.record().state() == JobState::Running && looks >= LOOKS
                });
            }
            (fixture.id.clone(), supervisor)
        })
        .collect();
    fs::write(&go_on, "").unwrap();
    for (id, supervisor) in &mut jobs {
        assert!(supervisor.wait());
        let record = fixture.store.read_run(id).unwrap().into_record().unwrap();
        assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    }
    // The three that came while it was asked share one of their own, which began when all of them waited.
    assert_eq!(count(), before + 2);
    fs::write(clone.join("README.md"), "more\n").unwrap();
    commit(&clone, "more");
    git(&clone, &["push", "--quiet", remote(&fixture).as_str(), "main"]);
    fixture.submit_another();
    assert_eq!((shown(&fixture).as_str(), count()), ("more\n", before + 3));
}
