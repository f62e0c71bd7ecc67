//! The remote of a person's clone, however git finds it: work goes there, and never into a clone that has one.

use std::{fs, os::unix::fs::chown, path::Path};

use pv_lib::job::{FailReason, JobState};

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, git},
};

/// A user that is not the one of these tests.
const NOBODY: u32 = 65534;

/// Where the work of a job is to be.
enum Expected {
    /// In these repositories and no other.
    Pushed(&'static [&'static str]),
    /// Nowhere: the job fails for this reason, and says this.
    Failed(FailReason, &'static str),
}

use Expected::{Failed, Pushed};

/// The repositories that work could get into: the remote, another one, and the clone.
const PLACES: [&str; 3] = ["remote.git", "second.git", "repos/o/r"];

/// Runs a job whose clone was changed like this, with a global configuration of its own, and checks where the work is.
fn check(what: &str, change: impl FnOnce(&Fixture), expected: &Expected) {
    let fixture = with_remote("echo more >> README.md").set(fixture::DELIVER, "branch");
    let global = fixture.root.join("gitconfig");
    fs::write(&global, "").unwrap();
    let fixture = fixture.set("GIT_CONFIG_GLOBAL", global.as_str());
    git(&fixture.root, &["clone", "--quiet", "--bare", "remote.git", "second.git"]);
    change(&fixture);
    let record = fixture.run();
    let message = record.message.clone().unwrap_or_default();
    // Read as files, since some of these repositories are broken on purpose.
    let has_branch = |place: &&&str| {
        let dir = fixture.root.join(place);
        [dir.join("refs/heads/codex"), dir.join(".git/refs/heads/codex")].iter().any(|branches| branches.is_dir())
    };
    let found: Vec<&str> = PLACES.iter().filter(has_branch).copied().collect();
    match expected {
        Pushed(places) => {
            assert_eq!(record.state(), JobState::Succeeded, "{what}: {message} {}", fixture.errors());
            assert_eq!(found, *places, "{what}: {message}");
        }
        Failed(reason, says) => {
            assert_eq!(record.reason, Some(*reason), "{what}: {message}");
            assert!(message.contains(says), "{what}: {message}");
            assert!(found.is_empty(), "{what}: {found:?}");
        }
    }
}

fn config(fixture: &Fixture, arguments: &[&str]) {
    git(&fixture.root.join("repos/o/r"), &[&["config"], arguments].concat());
}

/// Writes settings to the file of git's settings that all repositories share.
fn globally(fixture: &Fixture, text: &str) {
    let file = fixture.root.join("gitconfig");
    let text = text.replace("ROOT", fixture.root.as_str());
    fs::write(&file, fs::read_to_string(&file).unwrap() + &text).unwrap();
}

#[test]
fn b11_a_remote_is_found_in_every_file_that_git_reads() {
    let without = |fixture: &Fixture| config(fixture, &["--remove-section", "remote.origin"]);
    check(
        "an included file",
        |fixture| {
            without(fixture);
            let text = format!("[remote \"origin\"]\n\turl = {}/remote.git\n", fixture.root);
            fs::write(fixture.root.join("repos/o/r/.git/more"), text).unwrap();
            config(fixture, &["include.path", "more"]);
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "a file included for some folders by the global one",
        |fixture| {
            without(fixture);
            let more = fixture.root.join("more");
            fs::write(&more, format!("[remote \"work\"]\n\turl = {}/remote.git\n", fixture.root)).unwrap();
            globally(fixture, "[includeIf \"gitdir:ROOT/repos/\"]\n\tpath = ROOT/more\n");
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "the file of a worktree",
        |fixture| {
            without(fixture);
            config(fixture, &["extensions.worktreeConfig", "true"]);
            config(fixture, &["--worktree", "remote.origin.url", "../../../remote.git"]);
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "options of a remote that is not there",
        |fixture| {
            git(&fixture.root.join("repos/o/r"), &["remote", "remove", "origin"]);
            globally(fixture, "[remote \"origin\"]\n\tprune = true\n");
        },
        &Pushed(&["repos/o/r"]),
    );
}

#[test]
fn b11_a_clone_may_keep_its_repository_elsewhere() {
    check(
        "a linked worktree",
        |fixture| {
            let (clone, main) = (fixture.root.join("repos/o/r"), fixture.root.join("main"));
            fs::rename(&clone, &main).unwrap();
            git(&main, &["checkout", "--quiet", "--detach"]);
            git(&main, &["worktree", "add", "--quiet", clone.as_str(), "main"]);
            git(&main, &["remote", "set-url", "origin", fixture.root.join("remote.git").as_str()]);
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "a file that names the repository, as in a submodule, and a relative address",
        |fixture| {
            let clone = fixture.root.join("repos/o/r");
            fs::rename(clone.join(".git"), fixture.root.join("module")).unwrap();
            fs::write(clone.join(".git"), "gitdir: ../../../module\n").unwrap();
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "a bare clone behind a link",
        |fixture| {
            let clone = fixture.root.join("repos/o/r");
            fs::remove_dir_all(&clone).unwrap();
            git(&fixture.root, &["clone", "--quiet", "--bare", "remote.git", "bare.git"]);
            std::os::unix::fs::symlink(fixture.root.join("bare.git"), clone).unwrap();
        },
        &Pushed(&["remote.git"]),
    );
}

#[test]
fn b11_addresses_are_rewritten_as_git_does_it_and_pushed_to_as_git_does_it() {
    let url =
        |fixture: &Fixture, url: &str| git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", url]);
    check(
        "insteadOf",
        |fixture| {
            url(fixture, "work:remote.git");
            config(fixture, &[&format!("url.{}/.insteadOf", fixture.root), "work:"]);
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "rules that would rewrite it twice",
        |fixture| {
            url(fixture, "work:remote.git");
            globally(
                fixture,
                "[url \"ROOT/\"]\n\tinsteadOf = work:\n[url \"ROOT/none\"]\n\tinsteadOf = ROOT/remote.git\n",
            );
        },
        &Pushed(&["remote.git"]),
    );
    check(
        "pushInsteadOf",
        |fixture| {
            url(fixture, "work:remote.git");
            globally(
                fixture,
                "[url \"ROOT/\"]\n\tinsteadOf = work:\n[url \"ROOT/second.git\"]\n\tpushInsteadOf = work:remote.git\n",
            );
        },
        &Pushed(&["second.git"]),
    );
    check(
        "an address to push to, for which no such rule counts",
        |fixture| {
            config(fixture, &["remote.origin.pushurl", fixture.root.join("second.git").as_str()]);
            globally(fixture, "[url \"ROOT/none\"]\n\tpushInsteadOf = ROOT/second.git\n");
        },
        &Pushed(&["second.git"]),
    );
    check(
        "several addresses",
        |fixture| config(fixture, &["--add", "remote.origin.url", "../../../second.git"]),
        &Pushed(&["remote.git", "second.git"]),
    );
}

#[test]
fn b11_an_agent_sees_an_address_that_works_in_its_clone() {
    for (is_own, shown) in [(true, "remote.git"), (false, "work:remote.git")] {
        let fixture = with_remote("git remote get-url origin; git ls-remote -q origin main; true")
            .set(fixture::DELIVER, "branch");
        let global = fixture.root.join("gitconfig");
        fs::write(&global, "").unwrap();
        git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", "work:remote.git"]);
        let rule = format!("url.{}/.insteadOf", fixture.root);
        let file = if is_own { fixture.root.join("repos/o/r/.git/config") } else { global.clone() };
        git(&fixture.root, &["config", "--file", file.as_str(), &rule, "work:"]);
        let fixture = fixture.set("GIT_CONFIG_GLOBAL", global.as_str());
        assert_eq!(fixture.run().state(), JobState::Succeeded, "{}", fixture.errors());
        let log = String::from_utf8(fixture.log()).unwrap();
        assert!(log.lines().next().is_some_and(|address| address.ends_with(shown)), "{log}");
        assert_eq!(log.contains("refs/heads/main"), is_own, "an agent is not given that file: {log}");
    }
}

#[test]
fn b11_whatever_git_cannot_tell_of_a_clone_fails_the_job_and_pushes_nothing() {
    let failed = |says| Failed(FailReason::Checkout, says);
    let append = |fixture: &Fixture, text: &str| {
        let file = fixture.root.join("repos/o/r/.git/config");
        fs::write(&file, fs::read_to_string(&file).unwrap() + text).unwrap();
    };
    check(
        "settings that cannot be read",
        |fixture| append(fixture, "[remote \"origin\"\n"),
        &failed("bad config line"),
    );
    check("an address without a value", |fixture| append(fixture, "[remote \"x\"]\n\turl\n"), &failed("remote.x.url"));
    check(
        "an included file that cannot be read",
        |fixture| {
            append(fixture, "[include]\n\tpath = more\n");
            fs::write(fixture.root.join("repos/o/r/.git/more"), "[\n").unwrap();
        },
        &failed("bad config line"),
    );
    check(
        "no address",
        |fixture| config(fixture, &["--unset", "remote.origin.url"]),
        &failed("names a remote without an address"),
    );
    check(
        "an address that is taken back",
        |fixture| append(fixture, "[remote \"origin\"]\n\turl =\n"),
        &failed("without an address"),
    );
    check(
        "an address to push to alone",
        |fixture| {
            config(fixture, &["--unset", "remote.origin.url"]);
            config(fixture, &["remote.origin.pushurl", "../../../remote.git"]);
        },
        &failed("no address to fetch from"),
    );
    check(
        "a remote that leads to the clone itself",
        |fixture| config(fixture, &["remote.origin.url", "."]),
        &failed("leads to that clone itself"),
    );
    check(
        "a remote in a file of its own",
        |fixture| {
            config(fixture, &["--remove-section", "remote.origin"]);
            let dir = fixture.root.join("repos/o/r/.git/remotes");
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("origin"), format!("URL: {}/remote.git\n", fixture.root)).unwrap();
        },
        &failed("git remote add"),
    );
    check(
        "what only looks like a repository, in another one",
        |fixture| {
            let clone = fixture.root.join("repos/o/r");
            fs::remove_dir_all(clone.join(".git")).unwrap();
            fs::create_dir(clone.join(".git")).unwrap();
            fs::write(clone.join(".git/config"), "[core]\n\tbare = false\n").unwrap();
            git(&fixture.root, &["init", "--quiet", "."]);
            git(&fixture.root, &["remote", "add", "origin", "remote.git"]);
        },
        &failed("not a git repository"),
    );
}

#[test]
fn b11_a_clone_of_another_user_is_refused_with_what_to_do() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let give = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let change = |fixture: &Fixture| {
        let clone = fixture.root.join("repos/o/r");
        give(clone.as_std_path());
        give(clone.join(".git").as_std_path());
        give(clone.join(".git/config").as_std_path());
    };
    check("another user's", change, &Failed(FailReason::Checkout, "safe.directory"));
    let trusted = |fixture: &Fixture| {
        change(fixture);
        globally(fixture, "[safe]\n\tdirectory = ROOT/repos/o/r\n");
    };
    check("another user's, trusted", trusted, &Pushed(&["remote.git"]));
}

#[test]
fn b11_of_several_remotes_the_preferred_one_counts() {
    let several = |fixture: &Fixture| {
        let clone = fixture.root.join("repos/o/r");
        git(&clone, &["remote", "rename", "origin", "one"]);
        git(&clone, &["remote", "add", "two", "../../../second.git"]);
    };
    check("none", several, &Failed(FailReason::Checkout, "checkout.defaultRemote"));
    let prefer = |fixture: &Fixture| {
        several(fixture);
        config(fixture, &["checkout.defaultRemote", "two"]);
    };
    check("two", prefer, &Pushed(&["second.git"]));
}
