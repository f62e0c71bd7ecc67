//! Copies of claimed prompts are never executed, wherever they come from, and are named; one job, one branch.

use camino::Utf8Path;
use pv_lib::{
    fs::{Fs, FsExt},
    job::JobState,
};

use crate::{
    machine::{TEXT, copies, id, now, reconciler, submit},
    rounds::{Fixture, HeldBy, INBOX, fixture},
};

impl Fixture {
    /// Copies a folder of the inbox, as `cp -r` does.
    fn copy_folder(&self, from: &str, to: &str) {
        for entry in self.fs.list(Utf8Path::new(from)).expect("lists") {
            let bytes = self.fs.read(&Utf8Path::new(from).join(&entry.name), 1 << 20).expect("reads");
            self.fs.put(format!("{to}/{}", entry.name), bytes);
        }
    }

    fn rename(&self, from: &str, to: &str) {
        let bytes = self.fs.read(Utf8Path::new(from), 1 << 20).expect("reads");
        self.fs.remove_file(Utf8Path::new(from)).expect("removes");
        self.fs.put(to, bytes);
    }

    fn restart(&mut self) {
        let launcher = HeldBy { store: self.store.clone(), launcher: self.launcher.clone() };
        self.reconciler = reconciler(&self.store, launcher);
    }

    fn unusable_lines(&mut self) -> Vec<String> {
        let entries = self.settle().unusable.entries;
        entries.into_iter().map(|entry| entry.to_string()).collect()
    }

    fn run_count(&self) -> usize {
        self.store.run_ids().expect("lists").len()
    }
}

fn claimed(folder: &str) -> String {
    format!("{folder}/demo1-{}.running.md", id(1))
}

#[test]
fn b07_a_folder_that_is_copied_while_its_job_runs_is_no_second_job() {
    // Before and after the job's own in the order of names, and of another repository.
    for copy in ["/pv/inbox/o/r/a", "/pv/inbox/o/r/z", "/pv/inbox/o/a/main", "/pv/inbox/z/z/z"] {
        let mut fixture = fixture();
        submit(&fixture.store, 1).expect("submits");
        fixture.settle();
        fixture.copy_folder(INBOX, copy);
        for _ in 0..3 {
            let named = fixture.unusable_lines();
            assert!(named.len() == 1 && named[0].starts_with(&claimed(copy)), "{named:?}");
            assert!(
                named[0].contains("taken for a copy") && named[0].contains("rename it to demo1.prompt.md"),
                "{named:?}"
            );
        }
        fixture.restart();
        fixture.settle();
        assert_eq!((fixture.launcher.running(), fixture.run_count()), (vec![id(1)], 1), "{copy}");
        fixture.launcher.finish(&id(1));
        fixture.restart();
        assert_eq!(fixture.unusable_lines().len(), 1, "it stays when the job is over");
        assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.done.md"]);
        assert_eq!(copies(&fixture.fs, "/pv/inbox", TEXT), [claimed(copy)]);
        assert_eq!((fixture.launcher.0.borrow().executed.len(), fixture.run_count()), (1, 1), "{copy}");
        // What it says helps.
        fixture.rename(&claimed(copy), &format!("{copy}/demo1.prompt.md"));
        assert_eq!(fixture.unusable_lines(), [""; 0]);
        assert_eq!((fixture.launcher.running(), fixture.run_count()), (vec![id(1000)], 2));
    }
}

#[test]
fn b07_a_copy_that_comes_when_the_job_is_over_is_no_second_job() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.copy_folder(INBOX, "/elsewhere");
    fixture.launcher.finish(&id(1));
    fixture.settle();
    fixture.copy_folder("/elsewhere", "/pv/inbox/o/r/dev");
    assert_eq!(fixture.unusable_lines().len(), 1);
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!(record.inbox_file.as_deref(), Some("/pv/finished/o/r/main/demo1.done.md"), "the record is as it was");
    assert_eq!((fixture.run_count(), copies(&fixture.fs, "/pv/finished", TEXT).len()), (1, 1));
}

#[test]
fn b07_a_claimed_job_that_was_not_started_is_started_whatever_copies_there_are() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    // A crash between the claim and the start.
    let prompt = fixture.store.find_prompt(&id(1)).expect("looks").expect("waits");
    fixture.store.claim(&prompt, &id(1)).expect("claims");
    for copy in ["/pv/inbox/o/r/a", "/pv/inbox/z/z/z"] {
        fixture.copy_folder(INBOX, copy);
    }
    fixture.rename(&claimed("/pv/inbox/z/z/z"), &format!("{INBOX}/renamed-{}.running.md", id(1)));
    assert_eq!(fixture.unusable_lines().len(), 2);
    assert_eq!((fixture.launcher.running(), fixture.run_count()), (vec![id(1)], 1));
    fixture.launcher.finish(&id(1));
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.done.md"]);
}

#[test]
fn b07_copies_without_any_run_are_never_executed() {
    let mut fixture = fixture();
    for folder in [INBOX, "/pv/inbox/o/r/dev"] {
        fixture.fs.put(claimed(folder), TEXT);
    }
    for _ in 0..3 {
        fixture.settle();
    }
    assert_eq!((fixture.state(&id(1)), fixture.run_count()), (JobState::Failed, 1));
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT).len() + copies(&fixture.fs, "/pv/inbox", TEXT).len(), 2);
    assert_eq!((fixture.unusable_lines().len(), fixture.launcher.0.borrow().executed.len()), (1, 0));
}

#[test]
fn b07_a_prompt_that_was_moved_before_its_start_is_still_the_jobs() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().refuse = true;
    submit(&fixture.store, 1).expect("submits");
    let moved = format!("/pv/inbox/o/r/dev/other-{}.prompt.md", id(1));
    fixture.rename(&format!("{INBOX}/demo1-{}.prompt.md", id(1)), &moved);
    fixture.settle();
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!(record.inbox_file.as_deref(), Some(moved.as_str()), "the record follows it before it is claimed");
    // A crash now, and a copy where it once was: the moved one is the job's.
    fixture.fs.put(claimed(INBOX), "a copy");
    fixture.restart();
    fixture.launcher.0.borrow_mut().refuse = false;
    assert_eq!(fixture.unusable_lines().len(), 1);
    assert_eq!((fixture.launcher.running(), fixture.run_count()), (vec![id(1)], 1));
    assert!(fixture.store.prompt(&id(1)).expect("there").ends_with(TEXT.as_bytes()));
    // And one that is aborted before its start.
    let mut fixture = crate::rounds::fixture();
    fixture.launcher.0.borrow_mut().refuse = true;
    submit(&fixture.store, 1).expect("submits");
    fixture.rename(&format!("{INBOX}/demo1-{}.prompt.md", id(1)), &moved);
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.settle();
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/dev/other.aborted.md"]);
    assert_eq!((fixture.state(&id(1)), fixture.run_count()), (JobState::Aborted, 1));
}

#[test]
fn b07_what_a_job_is_given_is_its_own_prompt_and_not_a_copys() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    let mut launcher = fixture.launcher.0.borrow_mut();
    let writer = launcher.held.get_mut(&id(1)).expect("runs");
    fixture.fs.put(claimed("/pv/inbox/a/a/a"), "another text");
    let found = fixture.store.find_prompt(&id(1)).expect("looks").expect("there");
    assert_eq!(found.path, claimed(INBOX));
    fixture.fs.remove_file(Utf8Path::new(&claimed(INBOX))).expect("removes");
    assert_eq!(fixture.store.find_prompt(&id(1)).expect("looks"), None);
    writer
        .finish(pv_lib::job::Outcome::Succeeded { message: None }, now())
        .and_then(|()| writer.archive())
        .expect("there is nothing to archive");
    assert!(fixture.fs.stat(Utf8Path::new(&claimed("/pv/inbox/a/a/a"))).is_ok(), "the copy stays where it is");
}

#[test]
fn b07_an_installation_that_was_moved_knows_its_prompts() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.launcher.kill(&id(1));
    let record = Utf8Path::new("/pv/runs").join(id(1).as_str()).join("job.json");
    let text = String::from_utf8(fixture.fs.read(&record, 1 << 20).expect("reads")).expect("text");
    fixture.fs.put(&record, text.replace("/pv/inbox/", "/srv/old/inbox/"));
    fixture.restart();
    assert_eq!(fixture.unusable_lines(), [""; 0]);
    fixture.launcher.finish(&id(1));
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT).len(), 1);
}
