//! Git as an agent finds it in its checkout, and repositories inside the repository.

use std::fs;

use pv_lib::job::{JobRecord, JobState};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, commit, git},
};

fn succeeds(fixture: &Fixture) -> JobRecord {
    let record = fixture.run();
    let log = String::from_utf8_lossy(&fixture.log()).into_owned();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {log} {}", fixture.errors());
    record
}

/// Lists the entries of a commit on the remote that are repositories.
fn gitlinks(fixture: &Fixture, commit: &str) -> Vec<String> {
    let listed = git(&fixture.root.join("remote.git"), &["ls-tree", "-r", commit]);
    let links = listed.lines().filter(|line| line.starts_with("160000"));
    links.map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn c05_a_nested_repository_is_never_delivered_and_its_folder_is_kept() {
    let own = "git config user.name a; git config user.email a@b";
    for (script, named) in [
        ("git clone -q . vendor/lib; git worktree add -q .claude/worktrees/a -b w".to_owned(), "vendor/lib"),
        (format!("git clone -q . vendor/lib; {own}; git add -A 2> /dev/null; git commit -qm mine"), "vendor/lib"),
        (format!("git clone -q . vendor/lib; {own}; git add -A 2> /dev/null; git commit -qm mine; rm -r vendor"), ""),
        ("git clone -q . a/b; git clone -q . c; printf '[submodule \"c\"]\n\tpath = other\n\turl = ../c\n' > .gitmodules".to_owned(), "a/b, c"),
    ] {
        let fixture = with_remote(&format!("{script}; echo x > real.txt")).set(fixture::DELIVER, "branch");
        let record = succeeds(&fixture);
        let (message, delivery) = (record.message.unwrap(), record.delivery.unwrap());
        let commit = delivery.commit.unwrap();
        assert_eq!(gitlinks(&fixture, &commit), [""; 0], "{script}");
        assert_eq!(git(&fixture.root.join("remote.git"), &["show", &format!("{commit}:real.txt")]), "x", "{script}");
        assert!(!fs::read_to_string(delivery.patch_path.unwrap()).unwrap().contains("160000"), "{script}");
        assert_eq!(delivery.checkout_path.is_some(), !named.is_empty(), "{script}: {message}");
        assert!(message.contains(named), "{script}: {message}");
        let clone = fixture.root.join("cloned");
        git(&fixture.root, &["clone", "-q", "--recurse-submodules", "-b", &delivery.branch.unwrap(), "remote.git", "cloned"]);
        git(&clone, &["submodule", "status"]);
    }
}

#[test]
fn c05_a_start_that_names_a_repository_nobody_knows_is_checked_out() {
    for with_modules in [false, true] {
        let fixture = with_remote("cat README.md; echo x > real.txt").set(fixture::DELIVER, "branch");
        let clone = fixture.root.join("repos/o/r");
        let oid = git(&clone, &["rev-parse", "HEAD"]);
        git(&clone, &["update-index", "--add", "--cacheinfo", &format!("160000,{oid},dangling")]);
        if with_modules {
            fs::write(clone.join(".gitmodules"), "[submodule \"x\"]\n\tpath = x\n\turl = ../x\n").unwrap();
            git(&clone, &["add", ".gitmodules"]);
        }
        let author = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
        git(&clone, &[&author[..], &["commit", "-q", "-m", "dangling"]].concat());
        git(&clone, &["push", "-q", "origin", "main"]);
        let record = succeeds(&fixture);
        let delivery = record.delivery.unwrap();
        assert_eq!(gitlinks(&fixture, &delivery.commit.unwrap()), ["dangling"], "it was there before");
        assert_eq!(delivery.checkout_path, None, "{:?}", record.message);
    }
}

#[test]
fn c07_the_agent_can_commit() {
    let script = "git commit -q --allow-empty -m x && git log -1 --format='%an %ae'";
    let fixture = with_remote(script).set("GIT_CONFIG_NOSYSTEM", "1");
    let home = fixture.root.join("home");
    fs::create_dir(&home).unwrap();
    let fixture = fixture.set("HOME", home.as_str()).set("XDG_CONFIG_HOME", home.as_str());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"Valet valet@example.org\n");

    let fixture = with_remote(script);
    let home = fixture.root.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.org\n").unwrap();
    let fixture = fixture.set("HOME", home.as_str()).set("XDG_CONFIG_HOME", home.as_str());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"Ada ada@example.org\n", "a person's own configuration counts");

    // One of the two alone is completed.
    let fixture = with_remote(script);
    let home = fixture.root.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[user]\n\tname = Ada\n").unwrap();
    let fixture = fixture.set("HOME", home.as_str()).set("XDG_CONFIG_HOME", home.as_str());
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"Ada valet@example.org\n");
}

/// A key that asks for its passphrase, or is not there, holds nobody up: what is delivered is a commit of ours, or the
/// agent's as it is.
#[test]
fn c07_the_agent_can_commit_where_a_person_signs_theirs() {
    for key in ["[gpg]\n\tprogram = /bin/false\n", "[gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tprogram = /bin/false\n"] {
        let script = "echo x > x.txt; git add x.txt; git commit -q -m x; echo $?; git tag -m t v1; echo $?";
        let fixture = with_remote(script).set(fixture::DELIVER, "branch");
        let home = fixture.root.join("home");
        fs::create_dir(&home).unwrap();
        let signs = "[user]\n\tname = Ada\n\temail = ada@example.org\n\tsigningKey = x\n[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n\tforceSignAnnotated = true\n[push]\n\tgpgSign = if-asked\n";
        fs::write(home.join(".gitconfig"), format!("{signs}{key}")).unwrap();
        let fixture = fixture.set("HOME", home.as_str()).set("XDG_CONFIG_HOME", home.as_str());
        let record = succeeds(&fixture);
        assert_eq!(String::from_utf8(fixture.log()).unwrap(), "0\n0\n", "{key}");
        let commit = record.delivery.unwrap().commit.unwrap();
        assert_eq!(git(&fixture.root.join("remote.git"), &["log", "-1", "--format=%an %s", &commit]), "Ada x");
    }
}

#[test]
fn c08_a_full_checkout_needs_nothing_outside_of_it() {
    // Where nobody may make namespaces, the mirror is moved away instead.
    let script = "mv ../../repos ../../hidden; git status --short && git log -1 --format=%s && echo new > new.txt \
        && git add new.txt && git commit -q -m 'from inside' && git fsck --strict 2>&1; echo rc $?; mv ../../hidden ../../repos";
    let fixture = with_remote(script).set(fixture::CHECKOUT, "full").set(fixture::DELIVER, "branch");
    let record = succeeds(&fixture);
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), "start\nrc 0\n");
    let commit = record.delivery.unwrap().commit.unwrap();
    assert_eq!(git(&fixture.root.join("remote.git"), &["log", "-1", "--format=%s", &commit]), "from inside");

    // The same with a shared one fails, so that the test can.
    let fixture = with_remote(script).set(fixture::DELIVER, "branch");
    fixture.run();
    assert!(!fixture.log().ends_with(b"rc 0\n"), "{}", String::from_utf8_lossy(&fixture.log()));
}

/// No object of another job comes with a full checkout.
#[test]
fn c08_a_full_checkout_holds_no_other_jobs_work() {
    let mut fixture = with_remote("if [ -e ../../second ]; then git cat-file --batch-check --batch-all-objects | grep -c . ; else echo secret > secret.txt; fi").set(fixture::CHECKOUT, "full").set(fixture::DELIVER, "none");
    succeeds(&fixture);
    fs::write(fixture.root.join("second"), "").unwrap();
    fixture.retry();
    succeeds(&fixture);
    assert_eq!(fixture.log(), b"3\n", "one commit, one tree, one file");
}

/// Adds a commit to the clone of `o/r`, and pushes its branch.
fn move_on(fixture: &Fixture, name: &str) {
    let clone = fixture.root.join("repos/o/r");
    fs::write(clone.join(name), name).unwrap();
    commit(&clone, name);
    git(&clone, &["push", "-q", "--force", "origin", "main"]);
}

#[test]
fn c08_a_full_checkout_is_whole_where_its_history_came_in_several_fetches() {
    // Everything else of the installation is out of its reach, and git may tidy up what it has.
    let script = "mv ../../repos ../../remote.git ../../hidden/ 2> /dev/null || { mkdir ../../hidden; mv ../../repos ../../remote.git ../../hidden/; }
        git gc -q --prune=now && git fsck --full --strict 2>&1; git log --format=%s; git blame -s a.txt | wc -l
        git stash list; echo more > more.txt; git add more.txt; git commit -qm more; git repack -adq; echo rc $?
        mv ../../hidden/* ../../; rm -r ../../hidden";
    let mut fixture = with_remote(script).set(fixture::CHECKOUT, "full").set(fixture::DELIVER, "branch");
    succeeds(&fixture);
    for name in ["a.txt", "b.txt", "c.txt"] {
        move_on(&fixture, name);
        fixture.retry();
        succeeds(&fixture);
    }
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), "c.txt\nb.txt\na.txt\nstart\n1\nrc 0\n");
    let commit = fixture.record().delivery.unwrap().commit.unwrap();
    assert_eq!(git(&fixture.root.join("remote.git"), &["show", &format!("{commit}:more.txt")]), "more");
}

#[test]
fn c08_a_full_checkout_of_a_repository_with_longer_names_needs_nothing_outside_of_it() {
    let script =
        "mv ../../repos ../../hidden; git fsck --full --strict 2>&1; git rev-parse --show-object-format HEAD | wc -c
        test -e .git/objects/info/alternates; echo borrows $?; echo new > new.txt; mv ../../hidden ../../repos";
    let fixture = with_remote(script).set(fixture::CHECKOUT, "full").set(fixture::DELIVER, "branch");
    let (clone, remote) = (fixture.root.join("repos/o/r"), fixture.root.join("remote.git"));
    for dir in [clone.join(".git"), remote.clone()] {
        fs::remove_dir_all(dir).unwrap();
    }
    git(&clone, &["init", "-q", "--object-format=sha256", "-b", "main"]);
    commit(&clone, "start");
    git(&fixture.root, &["clone", "-q", "--bare", clone.as_str(), "remote.git"]);
    git(&clone, &["remote", "add", "origin", remote.as_str()]);
    let record = succeeds(&fixture);
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), "72\nborrows 1\n", "the word and a name of 64 digits");
    let commit = record.delivery.unwrap().commit.unwrap();
    assert_eq!(git(&remote, &["show", &format!("{commit}:new.txt")]), "new");
}

#[test]
fn c10_a_branch_that_was_rewritten_is_seen_as_it_is_now() {
    let refs = "git for-each-ref --format='%(refname) %(objectname) %(symref)'; git status --porcelain --branch";
    for mode in ["shared", "full"] {
        let mut fixture = with_remote(refs).set(fixture::DELIVER, "branch");
        if mode == "full" {
            fixture = fixture.set(fixture::CHECKOUT, mode);
        }
        move_on(&fixture, "a.txt");
        succeeds(&fixture);
        git(&fixture.root.join("repos/o/r"), &["reset", "-q", "--hard", "HEAD~1"]);
        move_on(&fixture, "b.txt");
        fixture.retry();
        succeeds(&fixture);
        let main = git(&fixture.root.join("remote.git"), &["rev-parse", "main"]);
        let expected = format!("refs/heads/main {main} \nrefs/remotes/origin/main {main} \n## main...origin/main\n");
        assert_eq!(String::from_utf8(fixture.log()).unwrap(), expected, "{mode}");
    }
}

#[test]
fn c10_a_tag_that_was_moved_or_removed_is_seen_as_it_is_now() {
    let mut fixture = with_remote("git for-each-ref --format='%(refname:short) %(objectname)' refs/tags")
        .set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    for name in ["moved", "removed", "stays"] {
        git(&clone, &["tag", name]);
    }
    git(&clone, &["push", "-q", "--tags", "origin"]);
    // One that only the person's clone has is no matter of the agent's.
    git(&clone, &["tag", "private"]);
    succeeds(&fixture);
    let start = git(&clone, &["rev-parse", "main"]);
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), format!("moved {start}\nremoved {start}\nstays {start}\n"));
    move_on(&fixture, "a.txt");
    git(&clone, &["tag", "-f", "moved"]);
    git(&clone, &["push", "-q", "--force", "origin", "moved", ":removed"]);
    fixture.retry();
    succeeds(&fixture);
    let main = git(&clone, &["rev-parse", "main"]);
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), format!("moved {main}\nstays {start}\n"));
}

#[test]
fn c10_the_agent_sees_no_branch_as_it_no_longer_is() {
    let refs = "git for-each-ref --format='%(refname:short) %(objectname)' refs/remotes | grep -v HEAD";
    let mut fixture = with_remote(refs).set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    // The mirror gets a branch, which then moves on at the remote.
    git(&clone, &["push", "-q", "origin", "main:dev"]);
    let mirror = fixture.root.join("repos/.mirrors/o/r.git");
    succeeds(&fixture);
    git(&mirror, &["fetch", "-q", fixture.root.join("remote.git").as_str(), "dev:dev"]);
    fs::write(clone.join("new.txt"), "new\n").unwrap();
    commit(&clone, "new");
    git(&clone, &["push", "-q", "origin", "main:dev"]);
    fixture.retry();
    succeeds(&fixture);
    let main = git(&fixture.root.join("remote.git"), &["rev-parse", "main"]);
    assert_eq!(String::from_utf8(fixture.log()).unwrap(), format!("origin/main {main}\n"));

    // What the agent fetches itself, it gets as it is now.
    let mut fetching = with_remote("git fetch -q origin && git rev-parse origin/dev");
    git(&fetching.root.join("repos/o/r"), &["push", "-q", "origin", "main:dev"]);
    succeeds(&fetching);
    let dev = git(&fetching.root.join("remote.git"), &["rev-parse", "dev"]);
    assert_eq!(String::from_utf8(fetching.log()).unwrap(), format!("{dev}\n"));
    git(&fetching.root.join("remote.git"), &["branch", "-q", "-D", "dev"]);
    fetching.retry();
    let record = fetching.run();
    assert!(!String::from_utf8(fetching.log()).unwrap().contains(&dev), "{record:?}");
}
