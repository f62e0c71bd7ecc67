//! What prepares a checkout before its agent starts: copied files, and the commands of setup.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use pv_lib::job::{FailReason, JobState};

use super::fixture::{self, Fixture};

#[test]
fn setup_runs_before_the_agent_and_what_it_made_is_not_delivered() {
    let setup = "echo '*.log' > .gitignore; echo made > made.txt; echo l > x.log; echo more >> README.md\n\
                 mkdir deps; echo dep > deps/one; echo dep > deps/two";
    let fixture = Fixture::new("cat made.txt x.log deps/one README.md; echo work > work.txt; echo mine > deps/two")
        .set(fixture::SETUP, setup);
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    let log = fixture.log_text();
    assert!(log.starts_with("[pv: setup: echo '*.log'") && log.contains("made\nl\ndep\nhello\nmore\n"), "{log}");
    assert_eq!(fixture.kept_file("work.txt").as_deref(), Some("work\n"));
    assert_eq!(fixture.kept_file("deps/two").as_deref(), Some("mine\n"), "what the agent changed of it is its work");
    assert_eq!(fixture.kept_file("README.md").as_deref(), Some("hello\n"));
    for made in ["made.txt", "deps/one", ".gitignore"] {
        assert_eq!(fixture.kept_file(made), None, "{made}");
    }
    assert_eq!(record.delivery.unwrap().ignored, None, "and what git ignores of it is not archived");
}

#[test]
fn setup_that_fails_or_takes_too_long_starts_no_agent() {
    let check = |setup: &str, expected: &str| {
        let fixture = Fixture::new("touch ../../ran").set(fixture::SETUP, setup).set(fixture::SETUP_MS, "700");
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Setup)), "{record:?}");
        let message = record.message.unwrap();
        assert!(message.contains(expected), "{message}");
        assert!(!fixture.root.join("ran").exists() && record.attempts.is_none());
        assert_eq!(fixture.alive(), Vec::<String>::new());
        assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
    };
    check("true\necho sad; exit 5", "setup: `echo sad; exit 5` exited with code 5; its output is in the log");
    check("sleep 0.1\nsleep 1000", "setup: `sleep 1000` was ended: setup may take 0 s in all (setup_timeout)");
    check("kill -9 $$", "was ended by signal 9");
}

#[test]
fn an_abort_while_setup_runs_starts_no_agent() {
    let fixture = Fixture::new("touch ../../ran").set(fixture::SETUP, "echo begun; sleep 1000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("begun");
    fixture.abort();
    assert!(supervisor.wait(), "{}", fixture.errors());
    assert_eq!(fixture.record().state(), JobState::Aborted);
    assert!(!fixture.root.join("ran").exists());
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn copied_files_are_there_for_setup_and_agent_and_never_delivered() {
    let script = "cat .env config/a.local; echo work > work.txt; echo NEW=1 >> .env; rm config/a.local";
    let fixture = Fixture::new(script).set(fixture::COPY, ".env\nconfig/*.local").set(fixture::SETUP, "grep KEY .env");
    let clone = fixture.root.join("repos/o/r");
    fs::create_dir(clone.join("config")).unwrap();
    for (file, text) in [(".env", "KEY=1\n"), ("config/a.local", "a\n"), ("config/b.local", "b\n"), ("other", "o\n")] {
        fs::write(clone.join(file), text).unwrap();
    }
    fs::set_permissions(clone.join(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {} {}", fixture.log_text(), fixture.errors());
    assert!(fixture.log_text().contains("KEY=1\na\n"), "{}", fixture.log_text());
    assert_eq!(fixture.kept_file("work.txt").as_deref(), Some("work\n"));
    for copied in [".env", "config/a.local", "config/b.local", "other"] {
        assert_eq!(fixture.kept_file(copied), None, "{copied}");
    }
    let message = record.message.unwrap();
    let said = "copied files that the agent changed are kept in changed_copies, not delivered: .env; copied files that the \
                agent removed: config/a.local";
    assert!(message.contains(said), "{message}");
    let kept = fixture.store.layout().changed_copies_path(&fixture.id).join(".env");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "KEY=1\nNEW=1\n");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(clone.join(".env")).unwrap(), "KEY=1\n", "the clone is as it was");
    assert!(!fixture.run_file("changes.patch").contains("KEY"));
}

#[test]
fn copied_files_that_git_ignores_are_not_archived() {
    let fixture = Fixture::new("echo '.env*' > .gitignore; echo mine > .env.mine").set(fixture::COPY, ".env");
    fs::write(fixture.root.join("repos/o/r/.env"), "KEY=1\n").unwrap();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    let archived = pv_watcher::list_archive(&fixture.store.layout().ignored_archive_path(&fixture.id), 9).unwrap();
    let names: Vec<&str> = archived.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, [".env.mine"]);
}

#[test]
fn what_cannot_be_copied_starts_no_agent_and_is_named() {
    let check = |copy: &str, prepare: &dyn Fn(&Fixture), expected: &str| {
        let fixture = Fixture::new("touch ../../ran").set(fixture::COPY, copy);
        prepare(&fixture);
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Setup)), "{record:?}");
        let message = record.message.unwrap();
        assert!(message.contains(expected) && message.starts_with("repos.o/r.copy: "), "{message}");
        assert!(!fixture.root.join("ran").exists());
    };
    check(".env", &|_| {}, "`.env` cannot be copied from");
    check("README.md", &|_| {}, "`README.md` is tracked by git");
    check("*.md", &|_| {}, "`README.md` is tracked by git");
    let link = |fixture: &Fixture| symlink("/etc/passwd", fixture.root.join("repos/o/r/.env")).unwrap();
    check(".env", &link, "`.env` is a link");
}

#[test]
fn a_link_that_git_tracks_leads_no_copy_out_of_the_checkout() {
    let fixture = Fixture::new("touch ../../ran").set(fixture::COPY, "conf/local");
    let (clone, outside) = (fixture.root.join("repos/o/r"), fixture.root.join("outside"));
    fs::create_dir(&outside).unwrap();
    symlink(&outside, clone.join("conf")).unwrap();
    fixture::commit(&clone, "a link");
    fs::remove_file(clone.join("conf")).unwrap();
    fs::create_dir(clone.join("conf")).unwrap();
    fs::write(clone.join("conf/local"), "x").unwrap();
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Setup)), "{record:?}");
    assert!(record.message.unwrap().contains("cannot copy `conf/local`: a link is on its way"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn what_was_prepared_is_told_apart_after_a_crash_too() {
    let script = "echo begun; echo work > work.txt; echo NEW >> .env; until [ -e ../go ]; do sleep 0.01; done";
    let fixture = Fixture::new(script).set(fixture::COPY, ".env").set(fixture::SETUP, "echo made > made.txt");
    fs::write(fixture.root.join("repos/o/r/.env"), "KEY=1\n").unwrap();
    let mut first = fixture.start();
    fixture.wait_for_log("begun");
    let work = fixture.store.layout().checkout_path(&fixture.id).join(".env");
    fixture::wait_until("it is changed", || fs::read_to_string(&work).is_ok_and(|text| text.contains("NEW")));
    first.signal(rustix::process::Signal::KILL);
    first.wait();
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)), "{record:?}");
    assert_eq!(fixture.kept_file("work.txt").as_deref(), Some("work\n"));
    assert_eq!((fixture.kept_file("made.txt"), fixture.kept_file(".env")), (None, None));
    assert_eq!(fixture.run_file("changed_copies/.env"), "KEY=1\nNEW\n");
}
