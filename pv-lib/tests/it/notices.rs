//! Files of the inbox that will never run: each is named with what is wrong and what to do; and sub-folders of branches.

use std::{sync::Arc, time::Duration};

use pv_lib::{
    fs::{Kind, MemFs},
    layout::{BRANCH_MARKER, InboxMode, Layout},
    limits::UNUSABLE_MAX,
    store::{InboxSnapshot, Store, StoreLimits},
    target::Target,
    time::Timestamp,
    unusable::Severity,
};

fn store(fs: &Arc<MemFs>, inbox_mode: InboxMode) -> Store {
    Store::new(fs.clone(), Layout::under("/pv".into(), inbox_mode), StoreLimits::default(), "host")
}

fn single() -> InboxMode {
    InboxMode::SingleOwner { owner: Some("o".into()) }
}

fn later(fs: &MemFs, seconds: u64) -> Timestamp {
    fs.now().after(Duration::from_secs(seconds))
}

/// Scans when everything has been there for a while.
fn scan(store: &Store, fs: &MemFs) -> InboxSnapshot {
    store.scan_inbox(later(fs, 10))
}

/// Returns the prompts, by target and path below the inbox.
fn prompts(snapshot: &InboxSnapshot) -> Vec<String> {
    let shown = snapshot.prompts.iter().map(|prompt| {
        let path = prompt.path.strip_prefix("/pv/inbox").expect("is in the inbox");
        format!("{} {path}", prompt.target)
    });
    shown.collect()
}

/// Returns what is said of a path: why, and what to do.
fn said(snapshot: &InboxSnapshot, path: &str) -> (String, String) {
    let of = snapshot.unusable.entries.iter().filter(|entry| entry.path == format!("/pv/inbox/{path}"));
    let [entry] = &of.collect::<Vec<_>>()[..] else { panic!("{path} in {:?}", snapshot.unusable) };
    assert_eq!(entry.level, Severity::Warning, "{path}");
    (entry.why.clone(), entry.remedy.clone())
}

#[test]
fn c26_every_file_that_never_runs_is_named_with_what_to_do() {
    let fs = Arc::new(MemFs::new());
    fs.put_dir("/pv/inbox/o/r/main");
    let wrong: [(&str, &str, &str); 12] = [
        ("task.prompt.md", "above the folders of branches", "move it to /pv/inbox/OWNER/REPO/BRANCH/"),
        ("o/task.prompt.md", "above the folders of branches", "`pv targets`"),
        ("o/r/task.prompt.md", "beside the folders of branches", "such as /pv/inbox/o/r/main/"),
        ("o/r/main/task.md", "does not end with `.prompt.md`", "rename it to `task.prompt.md` to run it"),
        ("o/r/main/task.prompt.txt", "not Markdown", "rename it to `task.prompt.md` to run it"),
        ("o/r/main/task.done.md", "job is over", "rename it to `task.prompt.md` to run it again"),
        ("o/r/main/a.sync-conflict-1.prompt.md", "conflict copy", "compare it"),
        ("o/r/main/photo.png", "not Markdown", "move it out of the inbox"),
        ("o/r/main/deep/notes.md", "does not end with", "`notes.prompt.md`"),
        ("o/r/-x/task.prompt.md", "cannot be a branch: it begins with a dash", "rename the folder"),
        ("o/r/old.running.md", "beside the folders", "move it into"),
        ("README.md", "does not end with", "move it out of the inbox"),
    ];
    for (path, ..) in wrong {
        fs.put(format!("/pv/inbox/{path}"), "# Do it");
    }
    fs.put_dir("/pv/inbox/o/r/main/folder.prompt.md");
    fs.put_link("/pv/inbox/o/r/main/link.prompt.md", "/elsewhere");
    fs.put_link("/pv/inbox/o/r/linked", "/elsewhere");
    fs.put_special("/pv/inbox/o/r/main/pipe.prompt.md", Kind::Other);
    fs.put_special("/pv/inbox/o/latin1\u{fffd}.prompt.md", Kind::NotUtf8);
    for noise in [".DS_Store", "o/.directory", "o/r/main/task.prompt.md~", "o/r/main/.task.prompt.md.swp"] {
        fs.put(format!("/pv/inbox/{noise}"), "x");
    }
    fs.put("/pv/inbox/o/r/main/task.prompt.MD", "# Do it");
    let store = store(&fs, InboxMode::MultiOwner);
    let snapshot = scan(&store, &fs);
    assert_eq!(prompts(&snapshot), ["o/r@main o/r/main/task.prompt.MD"], "its ending counts in any case");
    for (path, why, remedy) in wrong.into_iter().chain([
        ("o/r/main/folder.prompt.md", "it is a folder", "put a file in its place"),
        ("o/r/main/link.prompt.md", "it is a link", "put what it leads to in its place"),
        ("o/r/linked", "it is a link", "put what it leads to in its place"),
        ("o/r/main/pipe.prompt.md", "no regular file", "put a file"),
        ("o/latin1\u{fffd}.prompt.md", "not UTF-8", "rename it"),
    ]) {
        let found = said(&snapshot, path);
        assert!(found.0.contains(why) && found.1.contains(remedy), "{path}: {found:?}");
    }
    assert_eq!(snapshot.unusable.total(), wrong.len() + 5, "{:?}", snapshot.unusable);
    assert_eq!(store.survey(&[], later(&fs, 10)).unusable, snapshot.unusable, "status and doctor name the same");
}

#[test]
fn c26_what_was_just_made_is_not_named_and_what_stays_empty_is() {
    let fs = Arc::new(MemFs::new());
    fs.put("/pv/inbox/r/main/task.md", "# Do it");
    fs.put("/pv/inbox/r/main/empty.prompt.md", "");
    fs.put("/pv/inbox/r/main/upload.prompt.md.part", "# Do");
    let store = store(&fs, single());
    let named = |seconds| store.scan_inbox(later(&fs, seconds)).unusable.total();
    assert_eq!([0, 4, 50, 70, 3500, 3700].map(named), [0, 1, 1, 2, 2, 3]);
    let empty = said(&store.scan_inbox(later(&fs, 70)), "r/main/empty.prompt.md");
    assert_eq!(empty, ("it is empty".into(), "write into it what is to be done, or remove it".into()));
    // A later change begins anew.
    fs.advance(Duration::from_secs(4000));
    fs.write("/pv/inbox/r/main/upload.prompt.md.part", "# Do it");
    assert_eq!([4, 3700].map(named), [2, 3]);
    // A clock that was wrong when the file was written, by a day.
    let before = Timestamp::from_unix_seconds(fs.now().unix_seconds() - 86_400);
    assert_eq!(store.scan_inbox(before).unusable.total(), 3);
}

#[test]
fn c26_however_many_there_are_so_many_are_named_and_the_rest_is_counted() {
    let fs = Arc::new(MemFs::new());
    (0..UNUSABLE_MAX + 25).for_each(|n| fs.put(format!("/pv/inbox/r/main/{n}.txt"), "x"));
    fs.put("/pv/inbox/r/main/good.prompt.md", "# Do it");
    let snapshot = scan(&store(&fs, single()), &fs);
    assert_eq!((snapshot.unusable.entries.len(), snapshot.unusable.more), (UNUSABLE_MAX, 25));
    assert_eq!(prompts(&snapshot), ["o/r@main r/main/good.prompt.md"]);
}

#[test]
fn c26_a_prompt_below_a_branch_folder_is_for_that_branch() {
    let fs = Arc::new(MemFs::new());
    let put = |path: &str| fs.put(format!("/pv/inbox/{path}"), "# Do it");
    ["r/main/a.prompt.md", "r/main/sub/b.prompt.md", "r/main/sub/deeper/c.running.md"].into_iter().for_each(put);
    // A marked folder is a branch of its own, and so is what lies below it.
    put(&format!("r/feature/x/{BRANCH_MARKER}"));
    ["r/feature/x/d.prompt.md", "r/feature/x/notes/e.prompt.md"].into_iter().for_each(put);
    // One above it is none by itself, and neither is one beside it.
    ["r/feature/f.prompt.md", "r/feature/y/g.prompt.md", "r/feature/y/z/h.prompt.md"].into_iter().for_each(put);
    put(&format!("r/fix/{BRANCH_MARKER}"));
    put(&format!("r/fix/1/{BRANCH_MARKER}"));
    ["r/fix/i.prompt.md", "r/fix/2/j.prompt.md", "r/fix/1/k.prompt.md", "r/main/.git/l.prompt.md"]
        .into_iter()
        .for_each(put);
    let store = store(&fs, single());
    let snapshot = scan(&store, &fs);
    let expected = [
        "o/r@feature/x r/feature/x/d.prompt.md",
        "o/r@feature/x r/feature/x/notes/e.prompt.md",
        "o/r@fix r/fix/i.prompt.md",
        "o/r@fix r/fix/2/j.prompt.md",
        "o/r@fix/1 r/fix/1/k.prompt.md",
        "o/r@main r/main/a.prompt.md",
        "o/r@main r/main/sub/b.prompt.md",
        "o/r@main r/main/sub/deeper/c.running.md",
    ];
    assert_eq!(prompts(&snapshot), expected);
    let targets: Vec<_> = store.targets().found.iter().map(|found| found.target.to_string()).collect();
    assert_eq!(targets, ["o/r@feature/x", "o/r@fix", "o/r@fix/1", "o/r@main"], "sub-folders are no targets");
    for (path, branch) in [("f", "feature"), ("y/g", "feature/y"), ("y/z/h", "feature/y/z")] {
        let (why, remedy) = said(&snapshot, &format!("r/feature/{path}.prompt.md"));
        assert!(why.contains("`feature` has branch folders of its own"), "{why}");
        assert!(remedy.starts_with(&format!("`pv targets add o/r {branch}` makes it one")), "{remedy}");
    }
    assert_eq!(snapshot.unusable.total(), 3, "{:?}", snapshot.unusable);
    // The command does what is said of it, and takes nothing from anybody.
    store.add_target(&Target::new(Some("o"), "r", "feature/y").unwrap()).unwrap();
    let after = prompts(&scan(&store, &fs));
    assert!(after.contains(&"o/r@feature/y r/feature/y/g.prompt.md".to_owned()), "{after:?}");
    assert!(after.contains(&"o/r@feature/y r/feature/y/z/h.prompt.md".to_owned()), "{after:?}");
    assert_eq!(after.len(), expected.len() + 2);
}

#[test]
fn c26_a_new_branch_folder_takes_no_prompt_from_a_branch_above_it() {
    let fs = Arc::new(MemFs::new());
    fs.put("/pv/inbox/r/feature/y/waiting.prompt.md", "# Do it");
    let store = store(&fs, single());
    store.add_target(&Target::new(Some("o"), "r", "feature/x").unwrap()).unwrap();
    assert_eq!(prompts(&scan(&store, &fs)), ["o/r@feature r/feature/y/waiting.prompt.md"]);
    // Its own folder is another matter.
    store.add_target(&Target::new(Some("o"), "r", "feature/y").unwrap()).unwrap();
    assert_eq!(prompts(&scan(&store, &fs)), ["o/r@feature/y r/feature/y/waiting.prompt.md"]);
}

#[test]
fn c26_what_lies_too_deep_is_named_and_proves_nothing() {
    let fs = Arc::new(MemFs::new());
    let deep = "r/main/2/3/4/5/6/7/8";
    fs.put(format!("/pv/inbox/{deep}/here.prompt.md"), "# Do it");
    fs.put(format!("/pv/inbox/{deep}/9/there.prompt.md"), "# Do it");
    let snapshot = scan(&store(&fs, single()), &fs);
    assert_eq!(prompts(&snapshot), [format!("o/r@main {deep}/here.prompt.md")]);
    let (why, remedy) = said(&snapshot, &format!("{deep}/9"));
    assert!(why.contains("nothing in it is looked at") && remedy.contains("out of the inbox"), "{why}: {remedy}");
    assert!(!snapshot.unread.is_empty());
}

#[test]
fn c26_a_text_that_cannot_be_run_is_named_while_it_waits() {
    let fs = Arc::new(MemFs::new());
    let limits = StoreLimits { prompt_bytes: 1000, disk_floor_bytes: None };
    let layout = Layout::under("/pv".into(), single());
    let store = Store::new(fs.clone(), layout, limits, "host");
    let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    let large = "x".repeat(40_000);
    for (name, text, why) in [
        ("open.prompt.md", &b"---\ntitle: x\n# Do it\n"[..], "front matter is unterminated"),
        ("list.prompt.md", b"---\n- a\n---\nDo it\n", "must be a mapping"),
        ("timeout.prompt.md", b"---\npv: {timeout: soon}\n---\nDo it\n", "pv.timeout"),
        ("latin1.prompt.md", b"Do it \xe4\n", "not UTF-8"),
        ("utf16.prompt.md", b"\xff\xfeD\0o\0", "not UTF-8"),
        ("blank.prompt.md", b" \n\t\n", "no text"),
        ("large.prompt.md", large.as_bytes(), "1000"),
        (&format!("adopted-{id}.prompt.md"), b"---\n", "unterminated"),
    ] {
        fs.put(format!("/pv/inbox/r/main/{name}"), text);
        let survey = store.survey(&[], later(&fs, 10));
        let [entry] = &survey.unusable.entries[..] else { panic!("{name}: {:?}", survey.unusable) };
        assert!(entry.path.ends_with(name) && entry.why.contains(why), "{name}: {entry:?}");
        assert_eq!((entry.level, &*entry.remedy), (Severity::Warning, "correct it before it is started"));
        fs.write(format!("/pv/inbox/r/main/{name}"), "---\nnull\n---\nDo it\n");
        assert!(store.survey(&[], later(&fs, 10)).unusable.is_empty(), "{name} was corrected");
    }
}
