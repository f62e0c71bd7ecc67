//! What the composite operations promise about power cuts, and proof that a missing sync would be noticed.
#![expect(clippy::disallowed_methods, reason = "shows what the verbs alone leave open")]
#![expect(clippy::unwrap_used, reason = "a panic is a failed test, also in its helpers")]

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use camino::Utf8Path;
use pv_lib::fs::{
    Fs, FsExt, FsResult, LostSyncs, MAX_PENDING_NAMES, MemFs, Replace, durable,
    sweep::{Image, Report, sweep, sweep_twice},
};

const LIMIT: usize = 100;

/// Returns a file's contents as text, or `-` where there is none.
fn text(fs: &dyn Fs, path: &str) -> String {
    match fs.read(path.into(), LIMIT) {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(error) if error.kind() == ErrorKind::NotFound => "-".into(),
        Err(error) => panic!("{error}"),
    }
}

/// Returns what each image holds under these paths, sorted, each once.
fn outcomes(fs: &MemFs, paths: &[&str]) -> Vec<String> {
    let describe = |image: &MemFs| paths.iter().map(|path| text(image, path)).collect::<Vec<_>>().join(" ");
    fs.power_cut_images().iter().map(describe).collect::<BTreeSet<_>>().into_iter().collect()
}

fn with(files: &[(&str, &str)]) -> MemFs {
    let fs = MemFs::new();
    for (path, contents) in files {
        fs.put(path, contents);
    }
    fs
}

/// An operation: what it starts from, what it does, and what must hold of every image.
struct Promise {
    name: &'static str,
    base: MemFs,
    act: fn(&dyn Fs) -> FsResult<()>,
    check: fn(&Image),
    /// Which syncs, counted from 1, no image of this operation alone needs; each with its reason in the table.
    idle_syncs: &'static [usize],
}

impl Promise {
    fn sweep(&self) -> Report {
        sweep(&self.base, |fs| (self.act)(fs.as_ref()), self.check)
    }

    fn holds_with(&self, lost: LostSyncs) -> bool {
        self.base.lose_syncs(lost);
        let result = catch_unwind(AssertUnwindSafe(|| self.sweep()));
        self.base.lose_syncs(LostSyncs::None);
        result.is_ok()
    }
}

fn promises() -> Vec<Promise> {
    vec![
        Promise {
            name: "replace",
            base: with(&[("/s/job.json", "OLD!")]),
            act: |fs| durable::replace(fs, "/s/job.json".into(), b"NEW!", durable::Durability::Full),
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/job.json");
                assert!(found == "NEW!" || (found == "OLD!" && !image.acknowledged), "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "replace without the folder",
            base: with(&[("/s/job.json", "OLD!")]),
            act: |fs| durable::replace(fs, "/s/job.json".into(), b"NEW!", durable::Durability::OldOrNew),
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/job.json");
                assert!(found == "NEW!" || found == "OLD!", "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "replace in place",
            base: with(&[("/s/job.json", "OLD!"), ("/s/.job.json.spare", "\n\n\n\n\n\n")]),
            act: |fs| durable::replace_in_place(fs, "/s/job.json".into(), b"NEW!"),
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/job.json");
                assert!(found == "NEW!\n\n" || (found == "OLD!" && !image.acknowledged), "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "replace in place, twice",
            base: with(&[("/s/job.json", "OLD!"), ("/s/.job.json.spare", "\n\n\n\n\n\n")]),
            act: |fs| {
                durable::replace_in_place(fs, "/s/job.json".into(), b"MID!")?;
                durable::replace_in_place(fs, "/s/job.json".into(), b"NEW!")
            },
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/job.json");
                let is_old = ["OLD!", "MID!"].contains(&found.trim_end());
                assert!(found == "NEW!" || (is_old && !image.acknowledged), "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "replace in place past a short file",
            base: {
                // What has the name is short, and nothing is free.
                let (short, long) = ("OLD!", "\n".repeat(9000));
                let fs = with(&[("/s/job.json", short), ("/s/.job.json.spare", &long), ("/s/.job.json.spare2", &long)]);
                fs.set_limits(7 * 4096, 100);
                fs
            },
            act: |fs| {
                for byte in *b"123" {
                    durable::replace_in_place(fs, "/s/job.json".into(), &[byte; 6000])?;
                }
                durable::replace_in_place(fs, "/s/job.json".into(), &[b'N'; 5000])
            },
            check: |image| {
                let found = image.fs.read("/s/job.json".into(), 20_000).unwrap();
                let found = found.trim_ascii_end();
                let is_old = found == b"OLD!" || b"123".iter().any(|byte| found == [*byte; 6000]);
                assert!(found == [b'N'; 5000] || (is_old && !image.acknowledged), "{image}");
            },
            // The second time the other spare is taken, so that the first exchange may still be on its way.
            idle_syncs: &[2],
        },
        Promise {
            name: "use a spare",
            base: with(&[("/s/.ABORT.spare", "x")]),
            act: |fs| durable::use_spare(fs, "/s/ABORT".into()),
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/ABORT");
                assert!(found == "x" || (found == "-" && !image.acknowledged), "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "stage and publish",
            base: with(&[("/s/other", "")]),
            act: |fs| {
                durable::write_temp(fs, "/s/p.md".into(), b"prompt")?;
                durable::publish(fs, "/s/p.md".into())
            },
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/p.md");
                assert!(found == "prompt" || (found == "-" && !image.acknowledged), "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "publish_dir",
            base: with(&[("/s/other", "")]),
            act: |fs| durable::publish_dir(fs, "/s/run".into(), "me", &[("job.json", b"{}"), ("b", b"bb")]),
            check: |image| {
                let fs = image.fs.as_ref();
                if fs.is_dir("/s/run".into()).unwrap() {
                    assert_eq!(
                        (text(fs, "/s/run/job.json"), text(fs, "/s/run/b")),
                        ("{}".into(), "bb".into()),
                        "{image}"
                    );
                } else {
                    assert!(!image.acknowledged, "{image}: {fs:?}");
                }
            },
            idle_syncs: &[],
        },
        Promise {
            name: "take within a folder",
            base: with(&[("/s/a", "prompt")]),
            act: |fs| durable::move_noreplace(fs, "/s/a".into(), "/s/b".into()),
            check: |image| moved_whole(image, "/s/a", "/s/b", false),
            idle_syncs: &[],
        },
        Promise {
            name: "take into another folder",
            base: with(&[("/in/a", "prompt"), ("/out/other", "")]),
            act: |fs| durable::move_noreplace(fs, "/in/a".into(), "/out/b".into()),
            check: |image| moved_whole(image, "/in/a", "/out/b", true),
            // The name in the old folder goes only after the new one is there, so syncing the old folder is enough
            // here.
            idle_syncs: &[1],
        },
        Promise {
            name: "archive",
            base: with(&[("/in/a", "prompt"), ("/out/other", "")]),
            act: |fs| durable::archive(fs, "/in/a".into(), "/out/b".into(), LIMIT),
            check: |image| moved_whole(image, "/in/a", "/out/b", true),
            idle_syncs: &[1],
        },
        Promise {
            name: "archive across devices",
            base: {
                let fs = with(&[("/in/a", "prompt")]);
                fs.put_mount("/out");
                fs
            },
            act: |fs| durable::archive(fs, "/in/a".into(), "/out/b".into(), LIMIT),
            check: |image| moved_whole(image, "/in/a", "/out/b", true),
            idle_syncs: &[],
        },
        Promise {
            name: "create",
            base: with(&[("/s/other", "")]),
            act: |fs| durable::create(fs, "/s/ABORT".into(), b"now"),
            check: |image| {
                let found = text(image.fs.as_ref(), "/s/ABORT");
                assert!(found == "now" || !image.acknowledged, "{image}: {:?}", image.fs);
            },
            idle_syncs: &[],
        },
        Promise {
            name: "remove",
            base: with(&[("/s/a", "x")]),
            act: |fs| durable::remove(fs, "/s/a".into()),
            check: |image| assert!(text(image.fs.as_ref(), "/s/a") == "-" || !image.acknowledged, "{image}"),
            idle_syncs: &[],
        },
        Promise {
            name: "ensure_dir",
            base: with(&[("/s/a", "x")]),
            act: |fs| durable::ensure_dir(fs, "/s/b/c/d".into()),
            check: |image| {
                let there = image.fs.is_dir("/s/b/c/d".into()).unwrap();
                assert!(there || !image.acknowledged, "{image}: {:?}", image.fs);
            },
            // Making each folder is tried again after its parents were made.
            idle_syncs: &[],
        },
    ]
}

/// Checks that a file is under the old name or the new one, whole, and under the new one once acknowledged.
#[track_caller]
fn moved_whole(image: &Image, from: &str, to: &str, both_before: bool) {
    let names = (text(image.fs.as_ref(), from), text(image.fs.as_ref(), to));
    match (names.0.as_str(), names.1.as_str()) {
        ("-", "prompt") => {}
        ("prompt", "-") if !image.acknowledged => {}
        ("prompt", "prompt") if both_before && !image.acknowledged => {}
        _ => panic!("{image}: {:?}", image.fs),
    }
}

#[test]
fn composites_keep_their_promises_over_every_image() {
    for promise in promises() {
        let report = promise.sweep();
        assert!(report.images >= 2, "{}: {report:?}", promise.name);
    }
}

#[test]
fn g04_every_sync_of_the_composites_carries_weight() {
    for promise in promises() {
        let whole = promise.base.fork();
        (promise.act)(&whole).unwrap();
        let idle: Vec<_> = (1..=whole.syncs()).filter(|&nth| promise.holds_with(LostSyncs::Nth(nth))).collect();
        assert_eq!(idle, promise.idle_syncs, "{}: syncs that no image needs", promise.name);
    }
}

#[test]
fn a_disk_that_ignores_syncs_breaks_the_promises() {
    for promise in promises() {
        let (mut folders, mut contents) = (true, true);
        match promise.name {
            // Old or new is all that is promised.
            "replace without the folder" => folders = false,
            // No contents are written.
            "take within a folder"
            | "take into another folder"
            | "archive"
            | "remove"
            | "ensure_dir"
            | "use a spare" => {
                contents = false;
            }
            _ => {}
        }
        assert_eq!(promise.holds_with(LostSyncs::Folders), !folders, "{}", promise.name);
        assert_eq!(promise.holds_with(LostSyncs::Contents), !contents, "{}", promise.name);
    }
}

#[test]
fn g08_archiving_again_ends_what_a_cut_left() {
    let archive = |fs: &Arc<MemFs>| durable::archive(fs.as_ref(), "/in/a".into(), "/out/b".into(), LIMIT);
    let recover = |fs: &Arc<MemFs>| match fs.stat_opt("/in/a".into())? {
        Some(_) => archive(fs),
        None => Ok(()),
    };
    for mounted in [false, true] {
        let base = with(&[("/in/a", "prompt"), ("/out/other", "")]);
        if mounted {
            base.put_mount("/out");
        }
        let report = sweep_twice(&base, archive, recover, |image| {
            let fs = image.fs.as_ref();
            assert_eq!((text(fs, "/in/a"), text(fs, "/out/b")), ("-".into(), "prompt".into()), "{image}: {fs:?}");
            assert_eq!(fs.list("/out".into()).unwrap().len(), 2, "nothing temporary is left: {fs:?}");
        });
        assert!(report.images >= 3, "{report:?}");
    }
}

#[test]
fn g01_two_publishers_of_one_name_do_not_clear_each_other_away() {
    let fs = with(&[("/s/other", "")]);
    let broken = fs.fork();
    broken.cut_after(4);
    durable::publish_dir(&broken, "/s/run".into(), "submit", &[("job.json", b"mine")]).unwrap_err();
    let halfway = broken.power_cut_images().pop().unwrap();
    let staged: Vec<_> = halfway.files().into_iter().filter(|path| path.as_str().contains("submit")).collect();
    assert_eq!(staged, ["/s/.run.submit.tmp/job.json"]);
    durable::publish_dir(&halfway, "/s/run".into(), "adopt", &[("job.json", b"yours")]).unwrap();
    assert!(halfway.stat(&staged[0]).is_ok(), "the other publisher is still at work on it");
    assert_eq!(text(&halfway, "/s/run/job.json"), "yours");
    let error = durable::publish_dir(&halfway, "/s/run".into(), "submit", &[("job.json", b"mine")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(halfway.files(), ["/s/other", "/s/run/job.json"]);
}

#[test]
fn two_files_of_one_name_and_content_are_both_kept() {
    let fs = with(&[("/in/a", "prompt"), ("/out/b", "prompt")]);
    let error = durable::archive(&fs, "/in/a".into(), "/out/b".into(), LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(text(&fs, "/in/a"), "prompt");
}

#[test]
fn names_in_one_folder_survive_independently() {
    let fs = with(&[("/s/x", "x")]);
    fs.create_new("/s/a".into(), b"a").unwrap();
    fs.create_new("/s/b".into(), b"b").unwrap();
    assert_eq!(outcomes(&fs, &["/s/a", "/s/b"]), ["- -", "- b", "a -", "a b"]);
    fs.remove_file("/s/a".into()).unwrap();
    assert_eq!(outcomes(&fs, &["/s/a", "/s/b"]), ["- -", "- b", "a -", "a b"]);
    fs.sync_dir("/s".into()).unwrap();
    assert_eq!(outcomes(&fs, &["/s/a", "/s/b"]), ["- b"]);
}

#[test]
fn changes_of_one_name_keep_their_order() {
    let fs = with(&[("/s/job", "0")]);
    for n in ["1", "2"] {
        fs.create_new("/s/tmp".into(), n.as_bytes()).unwrap();
        fs.rename("/s/tmp".into(), "/s/job".into(), Replace::Yes).unwrap();
    }
    assert_eq!(outcomes(&fs, &["/s/job", "/s/tmp"]), ["0 -", "0 1", "1 -", "1 2", "2 -"]);
}

#[test]
fn a_rename_into_another_folder_may_leave_both_names_and_never_none() {
    let base = with(&[("/a/f", "f"), ("/b/x", ""), ("/c/x", "")]);
    base.rename("/a/f".into(), "/b/f".into(), Replace::No).unwrap();
    let check = |synced: &[&str], expected: &[&str]| {
        let fs = base.fork();
        for &dir in synced {
            fs.sync_dir(dir.into()).unwrap();
        }
        assert_eq!(outcomes(&fs, &["/a/f", "/b/f"]), expected, "{synced:?}");
    };
    check(&[], &["- f", "f -", "f f"]);
    check(&["/b"], &["- f", "f f"]);
    check(&["/a"], &["- f"]);
    base.rename("/b/f".into(), "/c/f".into(), Replace::No).unwrap();
    assert!(!outcomes(&base, &["/a/f", "/b/f", "/c/f"]).contains(&"- - -".to_owned()));
    base.sync_dir("/b".into()).unwrap();
    assert_eq!(outcomes(&base, &["/b/f", "/c/f"]), ["- f"]);
}

#[test]
fn unsynced_contents_are_old_empty_torn_zero_or_new() {
    let fs = with(&[("/s/f", "old")]);
    fs.write("/s/f", "newer!");
    assert_eq!(outcomes(&fs, &["/s/f"]), ["", "\0\0\0\0\0\0", "new", "newer!", "old"]);
    fs.cut_after(2);
    assert!(fs.create_new("/s/g".into(), b"gg").is_err());
    assert!(fs.stat("/".into()).is_err(), "a machine that is off answers nothing");
    assert!(fs.list("/".into()).is_err() && fs.try_lock("/l".into()).is_err());
    assert_eq!(outcomes(&fs, &["/s/g"]), ["", "\0\0", "-", "g", "gg"]);
}

#[test]
fn an_emptied_folder_goes_after_what_was_moved_out_of_it() {
    let fs = with(&[("/a/f", "f"), ("/b/x", "")]);
    fs.rename("/a/f".into(), "/b/f".into(), Replace::No).unwrap();
    fs.remove_dir("/a".into()).unwrap();
    assert_eq!(outcomes(&fs, &["/a/f", "/b/f"]), ["- f", "f -", "f f"]);
    fs.sync_dir("/".into()).unwrap();
    assert_eq!(outcomes(&fs, &["/a/f", "/b/f"]), ["- f"]);
}

#[test]
fn what_lies_in_a_folder_is_lost_with_the_folders_name() {
    let fs = with(&[("/in/f", "f")]);
    fs.create_dir("/new".into()).unwrap();
    durable::move_noreplace(&fs, "/in/f".into(), "/new/f".into()).unwrap();
    assert_eq!(outcomes(&fs, &["/in/f", "/new/f"]), ["- -", "- f"]);
}

#[test]
fn folders_that_swap_never_vanish_into_one_another() {
    let fs = with(&[("/a/b/f", "f")]);
    fs.rename("/a/b".into(), "/b".into(), Replace::No).unwrap();
    fs.rename("/a".into(), "/b/a".into(), Replace::No).unwrap();
    assert_eq!(outcomes(&fs, &["/a/b/f", "/b/f"]), ["- f", "f -"]);
}

#[test]
fn a_cut_frees_locks_and_a_fork_holds_none() {
    let fs = with(&[("/s/l", "")]);
    let held = fs.try_lock("/s/l".into()).unwrap();
    assert!(fs.try_lock("/s/l".into()).is_err());
    assert!(fs.fork().try_lock("/s/l".into()).is_ok());
    assert!(fs.power_cut_images()[0].try_lock("/s/l".into()).is_ok());
    drop(held);
    assert!(fs.try_lock("/s/l".into()).is_ok());
}

#[test]
fn clock_and_numbers_tell_of_every_change() {
    let fs = with(&[("/s/f", "one")]);
    let stat = |path: &str| fs.stat(path.into()).unwrap();
    let first = stat("/s/f");
    fs.write("/s/f", "two");
    assert!(stat("/s/f").modified_ns > first.modified_ns && stat("/s/f").inode == first.inode);
    let then = fs.now();
    fs.advance(std::time::Duration::from_secs(60));
    assert_eq!(fs.now().since(then).as_secs(), 60);
    let modified = stat("/s/f").modified_ns;
    fs.rename("/s/f".into(), "/s/g".into(), Replace::No).unwrap();
    assert!(stat("/s/g").changed_ns > modified && stat("/s/g").modified_ns == modified);
}

#[test]
fn too_many_pending_names_are_refused_aloud() {
    let fs = with(&[("/s/x", "")]);
    for n in 0..MAX_PENDING_NAMES {
        fs.create_new(&Utf8Path::new("/s").join(n.to_string()), b"").unwrap();
    }
    assert_eq!(fs.power_cut_images().len(), 1 << MAX_PENDING_NAMES);
    fs.create_new("/s/more".into(), b"").unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| fs.power_cut_images())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("13 names are pending"));
    fs.sync_dir("/s".into()).unwrap();
    assert_eq!(fs.power_cut_images().len(), 1);
}
