//! Guarantees 1, 3, 7, 10, 11 and 12 over every disk image that a power cut can leave.
//!
//! Each sweep cuts the power before every step of a procedure, starts a fresh watcher on every image that the cut may
//! leave, and counts where the prompt is. The watcher is the real one; only its supervisors are scripted.

use std::{cell::RefCell, sync::Arc};

use pv_lib::{
    fs::{
        FsExt, LostSyncs, MemFs,
        sweep::{Image, Report, sweep, sweep_twice},
    },
    job::{JobId, JobState, Outcome},
    store::Store,
};

use crate::machine::{
    AtOnce, TEXT, copies, disk, id, now, prepare, reconciler, recover, started, store, submit, text, witness, witnesses,
};

/// Recovers an image and checks that the prompt is there exactly once, its job over, its agent run at most once.
fn check(image: &Image, wanted: Option<&JobId>) {
    recover(&image.fs).unwrap_or_else(|error| panic!("{image}: {error}"));
    conserved(image, wanted);
}

fn conserved(image: &Image, wanted: Option<&JobId>) {
    let store = store(&image.fs);
    let (waiting, over) = (copies(&image.fs, "/pv/inbox", TEXT), copies(&image.fs, "/pv/finished", TEXT));
    let runs = store.runs().expect("the list is never broken");
    assert!(runs.iter().all(|run| run.state().is_some()), "{image}: a torn record: {runs:?}");
    assert!(waiting.is_empty(), "{image}: still waiting: {waiting:?}");
    assert!(over.len() <= 1, "{image}: doubled: {over:?}");
    assert_eq!(runs.len(), over.len(), "{image}: {runs:?} {over:?}");
    for run in &runs {
        assert!(run.state().is_some_and(JobState::is_terminal), "{image}: {run:?}");
        assert!(witnesses(&store, run.id()) <= 1, "{image}: {} was executed twice", run.id());
    }
    if image.acknowledged {
        assert_eq!(over.len(), 1, "{image}: lost");
        if let Some(wanted) = wanted {
            assert_eq!(runs[0].id(), wanted, "{image}: another id");
        }
    }
}

fn say(procedure: &str, report: Report) {
    eprintln!("{procedure}: {} steps, {} images, 0 lost, 0 doubled", report.steps, report.images);
    assert!(report.steps > 0 && report.images >= report.steps, "a sweep that checks nothing: {report:?}");
}

/// A disk on which one prompt was submitted, under id 1.
fn submitted() -> MemFs {
    let fs = Arc::new(disk());
    submit(&store(&fs), 1).expect("submits");
    fs.settle();
    fs.fork()
}

/// A disk on which that prompt is claimed as well.
fn claimed() -> MemFs {
    let fs = Arc::new(submitted());
    claim(&store(&fs)).expect("claims");
    fs.settle();
    fs.fork()
}

/// A disk on which its supervisor has started it, and is gone.
fn running() -> MemFs {
    let fs = Arc::new(claimed());
    start(&store(&fs)).expect("starts");
    fs.settle();
    fs.fork()
}

fn claim(store: &Store) -> pv_lib::Result<()> {
    let prompt = store.find_prompt(&id(1))?.expect("the prompt waits");
    assert!(store.claim(&prompt, &id(1))?);
    Ok(())
}

fn start(store: &Store) -> pv_lib::Result<()> {
    let mut writer = store.writer(&id(1))?;
    writer.write_prompt()?;
    writer.start(started())?;
    witness(store, &id(1))
}

fn finish(store: &Store) -> pv_lib::Result<()> {
    let mut writer = store.writer(&id(1))?;
    writer.finish(Outcome::Succeeded { message: None }, now())?;
    writer.archive()
}

/// What was durable before the procedure began is acknowledged, whether the procedure ended or not.
fn acknowledged_before(image: &Image) -> Image {
    Image { acknowledged: true, ..image.clone() }
}

#[test]
fn g01_an_acknowledged_submission_survives_a_power_cut_after_every_step() {
    let report = sweep(&disk(), |fs| submit(&store(fs), 1), |image| check(image, Some(&id(1))));
    say("submit", report);
}

#[test]
fn g01_a_batch_is_acknowledged_whole() {
    let report = sweep(
        &disk(),
        |fs| submit(&store(fs), 2),
        |image| {
            recover(&image.fs).unwrap_or_else(|error| panic!("{image}: {error}"));
            let over = copies(&image.fs, "/pv/finished", TEXT).len();
            assert!(over <= 2 && (!image.acknowledged || over == 2), "{image}: {over} of 2");
        },
    );
    say("submit two", report);
}

#[test]
fn g01_submissions_published_together_are_each_there_once() {
    let receipts = RefCell::new(Vec::new());
    let act = |fs: &Arc<MemFs>| {
        receipts.borrow_mut().clear();
        let store = store(fs);
        let prepared = [1, 2].map(|n| prepare(&store, n)).into_iter().collect::<pv_lib::Result<Vec<_>>>()?;
        let results = store.publish_submissions(prepared);
        receipts.borrow_mut().extend(results.iter().flatten().map(|receipts| receipts[0].job_id.clone()));
        results.into_iter().collect::<pv_lib::Result<Vec<_>>>()
    };
    let report = sweep(&disk(), act, |image| {
        recover(&image.fs).unwrap_or_else(|error| panic!("{image}: {error}"));
        let store = store(&image.fs);
        let runs = store.runs().expect("the list is never broken");
        for n in [1, 2] {
            let over = copies(&image.fs, "/pv/finished", &text(n)).len();
            assert!(copies(&image.fs, "/pv/inbox", &text(n)).is_empty() && over <= 1, "{image}: job {n}: {over}");
            let has_run = runs.iter().any(|run| *run.id() == id(n) && run.state() == Some(JobState::Succeeded));
            assert_eq!(has_run, over == 1, "{image}: job {n}: {runs:?}");
            assert!(has_run || !receipts.borrow().contains(&id(n)), "{image}: job {n} is lost");
        }
        assert!(runs.len() <= 2, "{image}: doubled: {runs:?}");
    });
    say("submit two together", report);
}

#[test]
fn g03_adopting_a_dropped_prompt_conserves_it() {
    let base = disk();
    base.put("/pv/inbox/o/r/main/demo.prompt.md", TEXT);
    let adopt = |fs: &Arc<MemFs>| {
        let store = store(fs);
        let look = store.scan_inbox(now());
        store.adopt(&look.prompts[0], false, &mut || id(7), now())
    };
    let report = sweep(&base, adopt, |image| check(&acknowledged_before(image), None));
    say("adopt", report);
}

#[test]
fn g03_claiming_conserves_the_prompt() {
    let report = sweep(&submitted(), |fs| claim(&store(fs)), |image| check(&acknowledged_before(image), Some(&id(1))));
    say("claim", report);
}

#[test]
fn g10_starting_executes_the_agent_at_most_once() {
    let report = sweep(&claimed(), |fs| start(&store(fs)), |image| check(&acknowledged_before(image), Some(&id(1))));
    say("start", report);
}

#[test]
fn g07_finishing_is_final_and_archives_once() {
    let act = |fs: &Arc<MemFs>| finish(&store(fs));
    let report = sweep(&running(), act, |image| {
        check(&acknowledged_before(image), Some(&id(1)));
        let state = store(&image.fs).read_run(&id(1)).expect("the run is there").state();
        if image.acknowledged {
            assert_eq!(state, Some(JobState::Succeeded), "{image}: what was acknowledged changed");
        }
    });
    say("finish", report);
}

#[test]
fn g08_archiving_across_file_systems_survives_a_power_cut() {
    let base = running();
    base.put_mount("/pv/finished");
    let act = |fs: &Arc<MemFs>| finish(&store(fs));
    let report = sweep(&base, act, |image| check(&acknowledged_before(image), Some(&id(1))));
    say("finish across file systems", report);
}

#[test]
fn g03_a_second_cut_inside_recovery_conserves_every_job() {
    let report = sweep_twice(&disk(), |fs| submit(&store(fs), 1), recover, |image| conserved(image, Some(&id(1))));
    say("submit, then a cut inside recovery", report);
    let report = sweep_twice(
        &running(),
        |fs| finish(&store(fs)),
        recover,
        |image| conserved(&acknowledged_before(image), Some(&id(1))),
    );
    say("finish, then a cut inside recovery", report);
}

#[test]
fn g03_a_whole_life_survives_a_power_cut_after_every_step() {
    let live = |fs: &Arc<MemFs>| {
        let store = store(fs);
        submit(&store, 1)?;
        let guard = store.acquire_watcher_lock()?;
        let mut reconciler = reconciler(&store, AtOnce { store: store.clone() });
        reconciler.round(std::time::Duration::ZERO, now());
        drop(guard);
        // A round logs what goes wrong with one job; here that is the power.
        store.fs().is_dir(&store.layout().runs)?;
        Ok::<(), pv_lib::Error>(())
    };
    say("submit to finished", sweep(&disk(), live, |image| check(image, Some(&id(1)))));
}

/// The sweep of a submission, on a disk that forgets to sync.
fn submit_without(lost: LostSyncs) {
    let base = disk();
    base.lose_syncs(lost);
    sweep(&base, |fs| submit(&store(fs), 1), |image| check(image, Some(&id(1))));
}

#[test]
#[should_panic(expected = "of the cut after step")]
fn g04_a_submission_that_syncs_no_folder_is_caught() {
    submit_without(LostSyncs::Folders);
}

#[test]
#[should_panic(expected = "of the cut after step")]
fn g04_a_submission_that_syncs_no_contents_is_caught() {
    submit_without(LostSyncs::Contents);
}
