//! Prompts whose run folder is gone: what their jobs keep, and what nobody gets by writing it by hand.

use std::{sync::Arc, time::Duration};

use camino::Utf8PathBuf;
use pv_lib::{
    fs::{
        Fault, FaultCause, FaultFs, Fs, FsExt, MemFs,
        durable::{self, Durability},
        sweep::sweep,
    },
    job::{Delivery, FailReason, JobId, JobRecord, JobState, Outcome, Phase, Started, Undelivered},
    prompt::{Source, Submission},
    store::{Store, StoreLimits},
    time::Timestamp,
};

use crate::machine::{AtOnce, TEXT, disk, id, now, reconciler, started, store, submit, witnesses};

/// A disk on which job 1 is over: its work is saved and could not be delivered.
fn undelivered() -> MemFs {
    let fs = Arc::new(disk());
    let store = store(&fs);
    submit(&store, 1).expect("submits");
    fail_delivery(&store, &id(1));
    fs.settle();
    fs.fork()
}

fn fail_delivery(store: &Store, id: &JobId) {
    let prompt = store.find_prompt(id).expect("lists").expect("waits");
    assert!(store.claim(&prompt, id).expect("claims"));
    let mut writer = store.writer(id).expect("is free");
    writer.write_prompt().expect("copies");
    writer.start(Started { phase: Phase::Delivering, ..started() }).expect("starts");
    let saved = |record: &mut JobRecord| {
        record.base_commit = Some("1".repeat(40));
        let branch = Some("codex/work".to_owned());
        record.delivery = Some(Delivery { branch, commit: Some("2".repeat(40)), ..Delivery::default() });
    };
    writer.update(Durability::Full, saved).expect("notes");
    let message = "the remote said no".to_owned();
    writer.finish(Outcome::Failed { reason: FailReason::Delivery, message }, now()).expect("ends");
    writer.archive().expect("archives");
    assert!(Undelivered::of(writer.record()).is_some());
}

fn record(store: &Store, id: &JobId) -> JobRecord {
    store.read_run(id).expect("there is a run").into_record().expect("with a record")
}

/// Adopts the prompt that carries this id, as a watcher does that finds no run of it.
fn adopt(store: &Store, id: &JobId) -> JobRecord {
    let prompt = store.find_prompt(id).expect("lists").expect("waits");
    let adopted = store.adopt(&prompt, true, &mut || unreachable!("it has an id"), now()).expect("adopts");
    assert_eq!(adopted.as_ref(), Some(id));
    record(store, id)
}

#[test]
fn b09_a_retry_keeps_what_it_repeats_whenever_the_power_fails_and_without_its_run_folder() {
    let base = undelivered();
    let report = sweep(
        &base,
        |fs| store(fs).retry(&id(1), &id(2), now()),
        |image| {
            let store = store(&image.fs);
            let Some(_) = store.find_prompt(&id(2)).expect("lists") else {
                assert!(!image.acknowledged, "{image}: lost");
                return;
            };
            let check = |what: &str, record: &JobRecord| {
                assert_eq!(record.retry_of, Some(id(1)), "{image}: {what}");
                assert_eq!(record.title.as_deref(), Some("Do it"), "{image}: {what}");
                assert_eq!((record.state(), record.created_at), (JobState::Created, Some(now())), "{image}: {what}");
            };
            check("adopted", &adopt(&store, &id(2)));
            durable::remove_tree(store.fs(), &store.layout().run_path(&id(2))).expect("removes");
            check("adopted again", &adopt(&store, &id(2)));
        },
    );
    assert!(report.images >= report.steps && report.steps > 0, "{report:?}");
}

#[test]
fn b09_what_a_submitted_job_is_survives_its_run_folder() {
    let fs = Arc::new(disk());
    let store = store(&fs);
    let one = |markdown: &str| Submission {
        repo: "o/r".into(),
        branch: "main".into(),
        markdown: markdown.into(),
        filename: Some("x.md".into()),
        source: Source::Cli,
        retry_of: None,
    };
    for (n, markdown) in
        ["# Heading\n", "---\npv: {title: Mine, retry_of: x}\n---\ntext\n", "no heading\n"].into_iter().enumerate()
    {
        let id = id(n as u64 + 1);
        store.submit(&[one(markdown)], &mut || id.clone(), now()).expect("submits");
        let before = record(&store, &id);
        durable::remove_tree(store.fs(), &store.layout().run_path(&id)).expect("removes");
        let prompt = store.find_prompt(&id).expect("lists").expect("waits");
        let later = Timestamp::from_unix_seconds(now().unix_seconds() + 60);
        store.adopt(&prompt, true, &mut || unreachable!("it has an id"), later).expect("adopts");
        let mut after = record(&store, &id);
        assert_eq!(after.updated_at, Some(later));
        after.updated_at = before.updated_at;
        assert_eq!(after, before, "{markdown}");
    }
}

/// Puts a prompt into the inbox by hand, and returns what a watcher makes of it that starts nothing.
fn dropped(store: &Store, fs: &MemFs, name: &str, front: &str) -> JobRecord {
    let path = Utf8PathBuf::from(format!("/pv/inbox/o/r/main/{name}"));
    fs.put(path.as_str(), format!("---\npv: {{{front}}}\n---\n# By hand\n").as_str());
    let prompts = store.scan_inbox(now()).prompts;
    let prompt = prompts.iter().find(|prompt| prompt.path == path).expect("is seen");
    let keep = prompt.id.as_ref().is_some_and(|id| store.read_run(id).is_err());
    let adopted = store.adopt(prompt, keep, &mut || id(77), now()).expect("adopts").expect("is there");
    let record = record(store, &adopted);
    let prompt = store.find_prompt(&adopted).expect("lists").expect("waits").path;
    durable::remove(store.fs(), &prompt).expect("removes");
    durable::remove_tree(store.fs(), &store.layout().run_path(&adopted)).expect("removes");
    record
}

#[test]
fn a_job_is_recorded_by_the_path_under_which_its_prompt_was_dropped() {
    let (own, other) = (id(9), id(5));
    let stamp = format!("job_id: '{own}', source: api");
    for (name, front, expected) in [
        ("task.prompt.md".to_owned(), "", "task.prompt.md".to_owned()),
        ("Task.Prompt.MD".into(), "", "Task.Prompt.MD".into()),
        ("two words.prompt.md".into(), "", "two words.prompt.md".into()),
        // Its id was given to it before a crash, or when it was submitted.
        (format!("task-{own}.prompt.md"), "", "task.prompt.md".into()),
        (format!("task-{own}.prompt.md"), &*stamp, format!("task-{own}.prompt.md")),
        (format!("task-{own}.prompt.md"), "job_id: x", "task.prompt.md".into()),
        // It is that of another job, and part of the name under which this was dropped.
        (format!("task-{other}.prompt.md"), "", format!("task-{other}.prompt.md")),
    ] {
        let fs = Arc::new(disk());
        let store = store(&fs);
        store.submit(&[submission("o/r")], &mut || other.clone(), now()).expect("submits");
        let record = dropped(&store, &fs, &name, front);
        assert_eq!(record.inbox_rel, Some(format!("o/r/main/{expected}")), "{name} {front}");
        let named = record.inbox_file.expect("is named");
        assert!(named.starts_with("/pv/inbox/o/r/main/") && named.contains(record.job_id.as_str()), "{named}");
    }
    // Claimed by the earlier service, which gave no id.
    let fs = Arc::new(disk());
    let store = store(&fs);
    fs.put("/pv/inbox/o/r/main/old.running.md", "# By hand\n");
    let prompt = store.scan_inbox(now()).prompts.remove(0);
    let orphan = store.archive_orphan(&prompt, &mut || id(3), now()).expect("archives");
    assert_eq!(record(&store, &orphan).inbox_rel.as_deref(), Some("o/r/main/old.prompt.md"));
}

fn submission(repo: &str) -> Submission {
    Submission {
        repo: repo.into(),
        branch: "main".into(),
        markdown: "x".into(),
        filename: None,
        source: Source::Cli,
        retry_of: None,
    }
}

#[test]
fn b09_nothing_is_gained_by_writing_a_stamp_by_hand() {
    let fs = Arc::new(undelivered());
    let store = store(&fs);
    // Jobs of another target, and one that is not over.
    for (n, repo) in [(3, "other"), (4, "r")] {
        fs.put_dir(format!("/pv/inbox/o/{repo}/main"));
        store.submit(&[submission(&format!("o/{repo}"))], &mut || id(n), now()).expect("submits");
    }
    fail_delivery(&store, &id(3));
    let (own, name) = (id(9), format!("x-{}.prompt.md", id(9)));
    let stamp = |job: u64, source: &str, retry_of: &str| {
        format!("job_id: '{}', source: {source}, retry_of: '{retry_of}'", id(job))
    };
    let first = id(1).to_string();
    for (file, front, why) in [
        ("x.prompt.md", stamp(9, "retry", &first), "the file carries no id"),
        (&name, stamp(8, "retry", &first), "the stamp is of another job"),
        (&name, stamp(9, "api", &first), "it did not come as a repetition"),
        (&name, format!("source: retry, retry_of: '{first}'"), "it has no id"),
        (&name, stamp(9, "retry", id(3).as_str()), "that job was for another target"),
        (&name, stamp(9, "retry", id(4).as_str()), "that job is not over"),
        (&name, stamp(9, "retry", id(5).as_str()), "there is no such job"),
        (&name, stamp(9, "retry", own.as_str()), "it cannot repeat itself"),
        (&name, stamp(9, "retry", "../../x"), "that is no id"),
        (&name, format!("{}, deliver: fax", stamp(9, "retry", &first)), "the prompt cannot be run"),
    ] {
        let record = dropped(&store, &fs, file, &front);
        assert_eq!(record.retry_of, None, "{why}");
    }
    let forged = format!("{}, created_at: '2999-01-01T00:00:00Z'", stamp(9, "retry", &first));
    let record = dropped(&store, &fs, &name, &forged);
    assert_eq!((record.created_at, record.title.as_deref()), (Some(now()), Some("By hand")), "not before it was made");
    assert_eq!(record.retry_of, Some(id(1)), "what `retry` would have made of it");
}

#[test]
fn b09_a_claimed_retry_without_its_run_is_not_started_and_can_be_repeated() {
    let fs = Arc::new(undelivered());
    let store = store(&fs);
    store.retry(&id(1), &id(2), now()).expect("retries");
    let prompt = store.find_prompt(&id(2)).expect("lists").expect("waits");
    assert!(store.claim(&prompt, &id(2)).expect("claims"));
    durable::remove_tree(store.fs(), &store.layout().run_path(&id(2))).expect("removes");
    let mut reconciler = reconciler(&store, AtOnce { store: store.clone() });
    reconciler.round(Duration::ZERO, now());
    let orphan = record(&store, &id(2));
    assert_eq!((orphan.state(), orphan.reason), (JobState::Failed, Some(FailReason::Interrupted)));
    assert_eq!((orphan.retry_of, orphan.title.as_deref()), (Some(id(1)), Some("Do it")));
    assert_eq!(witnesses(&store, &id(2)), 0, "its agent was not run");
    store.retry(&id(2), &id(3), now()).expect("its prompt is kept");
    assert_eq!(record(&store, &id(3)).retry_of, Some(id(2)));
}

#[test]
fn b09_a_disk_that_fails_for_a_moment_makes_no_other_job_of_a_retry() {
    let base = undelivered();
    let made = Arc::new(base.fork());
    store(&made).retry(&id(1), &id(2), now()).expect("retries");
    let layout = store(&made).layout().clone();
    durable::remove_tree(made.as_ref(), &layout.run_path(&id(2))).expect("removes");
    made.settle();
    for cause in [FaultCause::Device, FaultCause::Stale, FaultCause::ManyFiles] {
        let mut failed = 0;
        for nth in 1..1000 {
            let faulty = Arc::new(FaultFs::new(made.fork()));
            let store = Store::new(Arc::clone(&faulty) as Arc<dyn Fs>, layout.clone(), StoreLimits::default(), "host");
            let prompt = store.find_prompt(&id(2)).expect("lists").expect("waits");
            faulty.set(Fault::of_any(nth, cause));
            let adopted = store.adopt(&prompt, true, &mut || unreachable!("it has an id"), now());
            let was_hit = faulty.failed() > 0;
            faulty.clear();
            match store.read_run(&id(2)) {
                Ok(run) => {
                    assert_eq!(run.record().and_then(|record| record.retry_of.clone()), Some(id(1)), "{cause:?} {nth}");
                }
                Err(_) => assert!(adopted.is_err(), "{cause:?} {nth}"),
            }
            if !was_hit {
                break;
            }
            failed += 1;
        }
        assert!(failed > 3, "{failed}");
    }
}

#[test]
fn c26_what_was_added_to_a_prompt_after_it_was_read_is_not_passed_over_in_silence() {
    for (written, changed) in [
        (Some("# Do it\nplease\n\nand the rest\n"), Some(true)),
        (Some("# Do it\nthanks\n"), Some(true)),
        (Some(""), Some(true)),
        (Some(TEXT), None),
        (None, None),
    ] {
        let fs = Arc::new(disk());
        let store = store(&fs);
        fs.put("/pv/inbox/o/r/main/a.prompt.md", TEXT);
        let dropped = store.scan_inbox(now()).prompts.remove(0);
        store.adopt(&dropped, false, &mut || id(1), now()).expect("adopts").expect("is there");
        let prompt = store.find_prompt(&id(1)).expect("lists").expect("waits");
        assert!(store.claim(&prompt, &id(1)).expect("claims"));
        let mut writer = store.writer(&id(1)).expect("is free");
        assert_eq!(writer.write_prompt().expect("copies"), TEXT.as_bytes());
        writer.start(started()).expect("starts");
        if let Some(written) = written {
            fs.write(format!("/pv/inbox/o/r/main/a-{}.running.md", id(1)), written);
        }
        writer.finish(Outcome::Succeeded { message: None }, now()).expect("ends");
        writer.archive().expect("archives");
        assert_eq!(record(&store, &id(1)).prompt_changed, changed, "{written:?}");
        let archived = store.fs().read("/pv/finished/o/r/main/a.done.md".into(), 1000).expect("is archived");
        assert_eq!(archived, written.unwrap_or(TEXT).as_bytes(), "all of it is kept");
    }
}
