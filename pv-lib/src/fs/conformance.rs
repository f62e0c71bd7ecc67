//! What every file system must do: one behaviour for each function, for all implementations.
//!
//! Each case gets an empty folder of its own and panics where the behaviour differs.
#![expect(clippy::disallowed_methods, reason = "this is where the verbs themselves are tested")]
#![expect(clippy::unwrap_used, reason = "a panic is the verdict of the suite")]

use std::{fmt::Debug, io::ErrorKind as K};

use camino::Utf8Path;

use super::{Entry, Fs, FsExt, FsResult, Kind, Replace};

type Case = fn(&dyn Fs, &Utf8Path);
type ForeignCase = fn(&dyn Fs, &Utf8Path, &Props<'_>);

const CASES: &[(&str, Case)] = &[
    ("creating-is-exclusive", creating_is_exclusive),
    ("creating-needs-a-folder", creating_needs_a_folder),
    ("creating-several", creating_several),
    ("overwriting-keeps-the-file", overwriting_keeps_the_file),
    ("rename-to-a-free-name", rename_to_a_free_name),
    ("rename-without-replace-keeps-what-is-there", rename_without_replace_keeps_what_is_there),
    ("rename-with-replace-swaps", rename_with_replace_swaps),
    ("rename-exchanges", rename_exchanges),
    ("rename-to-itself", rename_to_itself),
    ("rename-moves-folders", rename_moves_folders),
    ("rename-minds-kinds", rename_minds_kinds),
    ("rename-needs-both-folders", rename_needs_both_folders),
    ("list-is-sorted", list_is_sorted),
    ("reads-are-bounded", reads_are_bounded),
    ("read-whole-has-a-limit", read_whole_has_a_limit),
    ("missing-is-not-found", missing_is_not_found),
    ("files-are-no-folders", files_are_no_folders),
    ("folders-are-removed-empty", folders_are_removed_empty),
    ("names-may-be-odd", names_may_be_odd),
    ("names-have-a-limit", names_have_a_limit),
    ("stat-distinguishes-files", stat_distinguishes_files),
    ("locks-exclude", locks_exclude),
    ("locks-are-freed", locks_are_freed),
    ("trying-a-lock-changes-nothing", trying_a_lock_changes_nothing),
    ("errors-name-verb-and-path", errors_name_verb_and_path),
    ("space-is-measured", space_is_measured),
];

/// Runs every case that needs nothing but the verbs, each in a new folder in `root`, an empty folder.
///
/// # Panics
/// Where a behaviour differs.
pub fn all(fs: &dyn Fs, root: &Utf8Path) {
    for (name, case) in CASES {
        let dir = root.join(name);
        fs.create_dir(&dir).unwrap();
        case(fs, &dir);
    }
}

/// Makes the entries that no verb makes.
pub struct Props<'a> {
    /// Makes a symbolic link at the first path to the second.
    pub link: &'a dyn Fn(&Utf8Path, &Utf8Path),
    /// Gives a file another name: a hard link at the first path to the second.
    pub hard_link: &'a dyn Fn(&Utf8Path, &Utf8Path),
    /// Makes a pipe or another entry of kind [`Kind::Other`].
    pub special: &'a dyn Fn(&Utf8Path),
    /// Makes an entry in this folder whose name is `bad`, a byte that is not UTF-8, and `.md`.
    pub not_utf8: &'a dyn Fn(&Utf8Path),
}

/// Runs every case about entries that no verb makes, each in a new folder in `root`.
///
/// # Panics
/// Where a behaviour differs.
pub fn foreign(fs: &dyn Fs, root: &Utf8Path, props: &Props<'_>) {
    let cases: [(&str, ForeignCase); 5] = [
        ("links-are-not-followed", links_are_not_followed),
        ("links-are-followed-on-the-way", links_are_followed_on_the_way),
        ("hard-links-are-counted", hard_links_are_counted),
        ("special-entries-are-not-opened", special_entries_are_not_opened),
        ("names-that-are-not-utf8-are-shown", names_that_are_not_utf8_are_shown),
    ];
    for (name, case) in cases {
        let dir = root.join(name);
        fs.create_dir(&dir).unwrap();
        case(fs, &dir, props);
    }
}

#[track_caller]
fn fails<T: Debug>(result: FsResult<T>, kind: K) {
    match result {
        Ok(value) => panic!("should fail with {kind:?}, and gave {value:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}: {}", error.source),
    }
}

#[track_caller]
fn holds(fs: &dyn Fs, path: &Utf8Path, contents: &str) {
    assert_eq!(String::from_utf8(fs.read(path, 100).unwrap()).unwrap(), contents);
}

fn names(fs: &dyn Fs, dir: &Utf8Path) -> Vec<String> {
    fs.list(dir).unwrap().into_iter().map(|entry| entry.name).collect()
}

fn creating_is_exclusive(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"one").unwrap();
    fails(fs.create_new(&dir.join("a"), b"two"), K::AlreadyExists);
    holds(fs, &dir.join("a"), "one");
    fs.create_dir(&dir.join("d")).unwrap();
    fails(fs.create_dir(&dir.join("d")), K::AlreadyExists);
    fails(fs.create_dir(&dir.join("a")), K::AlreadyExists);
    fails(fs.create_new(&dir.join("d"), b""), K::AlreadyExists);
}

fn creating_needs_a_folder(fs: &dyn Fs, dir: &Utf8Path) {
    fails(fs.create_new(&dir.join("no/a"), b""), K::NotFound);
    fails(fs.create_dir(&dir.join("no/a")), K::NotFound);
    fails(fs.try_lock(&dir.join("no/a")), K::NotFound);
    assert!(names(fs, dir).is_empty());
}

fn creating_several(fs: &dyn Fs, dir: &Utf8Path) {
    let [a, b, c, none] = ["a", "b", "c", "no/a"].map(|name| dir.join(name));
    fs.create_all(&[]).unwrap();
    fs.create_all(&[(&a, b"one"), (&b, b"")]).unwrap();
    holds(fs, &a, "one");
    holds(fs, &b, "");
    fails(fs.create_all(&[(&a, b"two"), (&c, b"three")]), K::AlreadyExists);
    assert_eq!(names(fs, dir), ["a", "b"], "nothing is made after the first that fails");
    fails(fs.create_all(&[(&c, b"three"), (&none, b"")]), K::NotFound);
    holds(fs, &c, "three");
    holds(fs, &a, "one");
}

fn overwriting_keeps_the_file(fs: &dyn Fs, dir: &Utf8Path) {
    let path = dir.join("a");
    fails(fs.overwrite(&path, b"x"), K::NotFound);
    fs.create_new(&path, b"hello").unwrap();
    let before = fs.stat(&path).unwrap();
    for (contents, expected) in [("HE", "HEllo"), ("", "HEllo"), ("world", "world"), ("longer text", "longer text")] {
        fs.overwrite(&path, contents.as_bytes()).unwrap();
        holds(fs, &path, expected);
    }
    let after = fs.stat(&path).unwrap();
    assert_eq!((after.inode, after.len), (before.inode, 11));
    assert!(after.modified_ns >= before.modified_ns);
    fails(fs.overwrite(dir, b"x"), K::IsADirectory);
    fails(fs.overwrite(&path.join("b"), b"x"), K::NotADirectory);
    assert_eq!(names(fs, dir), ["a"]);
}

fn rename_exchanges(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"a").unwrap();
    fails(fs.rename(&dir.join("a"), &dir.join("b"), Replace::Exchange), K::NotFound);
    fails(fs.rename(&dir.join("b"), &dir.join("a"), Replace::Exchange), K::NotFound);
    fs.create_new(&dir.join("b"), b"b").unwrap();
    let inode = |name: &str| fs.stat(&dir.join(name)).unwrap().inode;
    let (a, b) = (inode("a"), inode("b"));
    fs.rename(&dir.join("a"), &dir.join("b"), Replace::Exchange).unwrap();
    assert_eq!((inode("a"), inode("b")), (b, a));
    holds(fs, &dir.join("a"), "b");
    fs.create_dir(&dir.join("d")).unwrap();
    fs.create_new(&dir.join("d/f"), b"f").unwrap();
    fs.rename(&dir.join("a"), &dir.join("d"), Replace::Exchange).unwrap();
    holds(fs, &dir.join("a/f"), "f");
    holds(fs, &dir.join("d"), "b");
    fs.rename(&dir.join("b"), &dir.join("b"), Replace::Exchange).unwrap();
    assert_eq!(names(fs, dir), ["a", "b", "d"]);
}

fn rename_to_a_free_name(fs: &dyn Fs, dir: &Utf8Path) {
    for replace in [Replace::Yes, Replace::No] {
        fs.create_new(&dir.join("a"), b"a").unwrap();
        let inode = fs.stat(&dir.join("a")).unwrap().inode;
        fs.rename(&dir.join("a"), &dir.join("b"), replace).unwrap();
        fails(fs.stat(&dir.join("a")), K::NotFound);
        holds(fs, &dir.join("b"), "a");
        assert_eq!(fs.stat(&dir.join("b")).unwrap().inode, inode);
        fails(fs.rename(&dir.join("a"), &dir.join("c"), replace), K::NotFound);
        fs.remove_file(&dir.join("b")).unwrap();
    }
}

fn rename_without_replace_keeps_what_is_there(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"a").unwrap();
    fs.create_new(&dir.join("b"), b"b").unwrap();
    fs.create_dir(&dir.join("empty")).unwrap();
    fs.create_dir(&dir.join("folder")).unwrap();
    for (from, to) in [("a", "b"), ("a", "empty"), ("folder", "empty"), ("folder", "b"), ("a", "a")] {
        fails(fs.rename(&dir.join(from), &dir.join(to), Replace::No), K::AlreadyExists);
    }
    holds(fs, &dir.join("a"), "a");
    holds(fs, &dir.join("b"), "b");
    assert_eq!(names(fs, dir), ["a", "b", "empty", "folder"]);
}

fn rename_with_replace_swaps(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"a").unwrap();
    fs.create_new(&dir.join("b"), b"b").unwrap();
    fs.rename(&dir.join("a"), &dir.join("b"), Replace::Yes).unwrap();
    holds(fs, &dir.join("b"), "a");
    assert_eq!(names(fs, dir), ["b"]);
    fs.create_dir(&dir.join("x")).unwrap();
    fs.create_new(&dir.join("x/f"), b"f").unwrap();
    fs.create_dir(&dir.join("empty")).unwrap();
    fs.rename(&dir.join("x"), &dir.join("empty"), Replace::Yes).unwrap();
    holds(fs, &dir.join("empty/f"), "f");
    assert_eq!(names(fs, dir), ["b", "empty"]);
}

fn rename_to_itself(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"a").unwrap();
    fs.rename(&dir.join("a"), &dir.join("a"), Replace::Yes).unwrap();
    holds(fs, &dir.join("a"), "a");
}

fn rename_moves_folders(fs: &dyn Fs, dir: &Utf8Path) {
    for path in ["x", "x/y", "z"] {
        fs.create_dir(&dir.join(path)).unwrap();
    }
    fs.create_new(&dir.join("x/y/f"), b"f").unwrap();
    fs.rename(&dir.join("x"), &dir.join("z/w"), Replace::No).unwrap();
    holds(fs, &dir.join("z/w/y/f"), "f");
    fails(fs.stat(&dir.join("x/y/f")), K::NotFound);
    fails(fs.rename(&dir.join("z"), &dir.join("z/w/v"), Replace::No), K::InvalidInput);
}

fn rename_minds_kinds(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("file"), b"a").unwrap();
    fs.create_dir(&dir.join("empty")).unwrap();
    fs.create_dir(&dir.join("full")).unwrap();
    fs.create_new(&dir.join("full/f"), b"").unwrap();
    fails(fs.rename(&dir.join("file"), &dir.join("empty"), Replace::Yes), K::IsADirectory);
    fails(fs.rename(&dir.join("empty"), &dir.join("file"), Replace::Yes), K::NotADirectory);
    fails(fs.rename(&dir.join("empty"), &dir.join("full"), Replace::Yes), K::DirectoryNotEmpty);
}

fn rename_needs_both_folders(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"a").unwrap();
    fails(fs.rename(&dir.join("a"), &dir.join("no/a"), Replace::No), K::NotFound);
    fails(fs.rename(&dir.join("no/a"), &dir.join("b"), Replace::No), K::NotFound);
    fails(fs.rename(&dir.join("a"), &dir.join("a/b"), Replace::No), K::NotADirectory);
    holds(fs, &dir.join("a"), "a");
}

fn list_is_sorted(fs: &dyn Fs, dir: &Utf8Path) {
    for name in ["b", ".hidden", "a", "B", "a.md"] {
        fs.create_new(&dir.join(name), b"").unwrap();
    }
    fs.create_dir(&dir.join("ab")).unwrap();
    fs.create_new(&dir.join("ab/below"), b"").unwrap();
    let entry = |name: &str, kind| Entry { name: name.into(), kind };
    let expected = [".hidden", "B", "a", "a.md", "ab", "b"].map(|name| match name {
        "ab" => entry(name, Kind::Dir),
        _ => entry(name, Kind::File),
    });
    assert_eq!(fs.list(dir).unwrap(), expected);
}

fn reads_are_bounded(fs: &dyn Fs, dir: &Utf8Path) {
    let path = dir.join("a");
    fs.create_new(&path, b"hello").unwrap();
    let reads =
        [(0, 5, "hello"), (0, usize::MAX, "hello"), (1, 3, "ell"), (4, 3, "o"), (5, 1, ""), (99, 9, ""), (0, 0, "")];
    for (offset, limit, expected) in reads {
        assert_eq!(fs.read_at(&path, offset, limit).unwrap(), expected.as_bytes(), "{limit} bytes from {offset}");
    }
    assert_eq!(fs.stat(&path).unwrap().len, 5);
}

fn read_whole_has_a_limit(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"hello").unwrap();
    assert_eq!(fs.read(&dir.join("a"), 5).unwrap(), b"hello");
    fails(fs.read(&dir.join("a"), 4), K::FileTooLarge);
}

fn missing_is_not_found(fs: &dyn Fs, dir: &Utf8Path) {
    let path = dir.join("no");
    fails(fs.read_at(&path, 0, 1), K::NotFound);
    fails(fs.stat(&path), K::NotFound);
    fails(fs.list(&path), K::NotFound);
    fails(fs.remove_file(&path), K::NotFound);
    fails(fs.remove_dir(&path), K::NotFound);
    fails(fs.sync_dir(&path), K::NotFound);
    fails(fs.space(&path), K::NotFound);
    assert_eq!(fs.stat_opt(&path).unwrap(), None);
    assert_eq!(fs.list_or_empty(&path).unwrap(), []);
}

fn files_are_no_folders(fs: &dyn Fs, dir: &Utf8Path) {
    let file = dir.join("file");
    fs.create_new(&file, b"a").unwrap();
    fails(fs.list(&file), K::NotADirectory);
    fails(fs.sync_dir(&file), K::NotADirectory);
    fails(fs.remove_dir(&file), K::NotADirectory);
    fails(fs.create_new(&file.join("b"), b""), K::NotADirectory);
    fails(fs.stat(&file.join("b")), K::NotADirectory);
    fails(fs.read_at(dir, 0, 1), K::IsADirectory);
    fails(fs.remove_file(dir), K::IsADirectory);
    fails(fs.try_lock(dir), K::IsADirectory);
}

fn folders_are_removed_empty(fs: &dyn Fs, dir: &Utf8Path) {
    let inner = dir.join("x");
    fs.create_dir(&inner).unwrap();
    fs.create_new(&inner.join("f"), b"").unwrap();
    fails(fs.remove_dir(&inner), K::DirectoryNotEmpty);
    fs.remove_file(&inner.join("f")).unwrap();
    fs.sync_dir(&inner).unwrap();
    fs.remove_dir(&inner).unwrap();
    fails(fs.stat(&inner), K::NotFound);
    fs.create_dir(&inner).unwrap();
    assert!(names(fs, &inner).is_empty());
}

fn names_may_be_odd(fs: &dyn Fs, dir: &Utf8Path) {
    let odd = [" two  words ", "-dash", "a\nb", "büro 日本.md", "e\u{301}", "é", "*?[x]", "\\", "...", "~"];
    for name in odd {
        fs.create_new(&dir.join(name), name.as_bytes()).unwrap();
    }
    for name in odd {
        holds(fs, &dir.join(name), name);
    }
    let mut sorted = odd.map(str::to_owned);
    sorted.sort();
    assert_eq!(names(fs, dir), sorted);
}

fn names_have_a_limit(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("x".repeat(255)), b"").unwrap();
    fails(fs.create_new(&dir.join("x".repeat(256)), b""), K::InvalidFilename);
    fails(fs.create_new(&dir.join("a\0b"), b""), K::InvalidInput);
}

fn stat_distinguishes_files(fs: &dyn Fs, dir: &Utf8Path) {
    fs.create_new(&dir.join("a"), b"1").unwrap();
    let before = fs.stat(&dir.join("a")).unwrap();
    assert_eq!((before.kind, before.len), (Kind::File, 1));
    assert_eq!(fs.stat(&dir.join("a")).unwrap(), before, "stat changes nothing");
    fs.create_new(&dir.join("b"), b"2").unwrap();
    fs.rename(&dir.join("b"), &dir.join("a"), Replace::Yes).unwrap();
    let after = fs.stat(&dir.join("a")).unwrap();
    assert_ne!(after.inode, before.inode, "a replaced file has another number");
    // Real clocks may stand still between two changes, but never go back.
    assert!(after.modified_ns >= before.modified_ns && after.changed_ns >= before.changed_ns);
    assert_eq!(fs.stat(dir).unwrap().kind, Kind::Dir);
}

fn locks_exclude(fs: &dyn Fs, dir: &Utf8Path) {
    let lock = fs.try_lock(&dir.join("l")).unwrap();
    // Another open file description is another holder, also within one process.
    fails(fs.try_lock(&dir.join("l")), K::WouldBlock);
    let other = fs.try_lock(&dir.join("m")).unwrap();
    fails(fs.try_lock(&dir.join("l")), K::WouldBlock);
    drop(other);
    fails(fs.try_lock(&dir.join("l")), K::WouldBlock);
    drop(lock);
}

fn locks_are_freed(fs: &dyn Fs, dir: &Utf8Path) {
    for _ in 0..3 {
        drop(fs.try_lock(&dir.join("l")).unwrap());
    }
    fs.create_new(&dir.join("there"), b"kept").unwrap();
    drop(fs.try_lock(&dir.join("there")).unwrap());
    holds(fs, &dir.join("there"), "kept");
    // The lock belongs to the file, not to its name.
    let held = fs.try_lock(&dir.join("l")).unwrap();
    fs.rename(&dir.join("l"), &dir.join("moved"), Replace::No).unwrap();
    fails(fs.try_lock(&dir.join("moved")), K::WouldBlock);
    drop(fs.try_lock(&dir.join("l")).unwrap());
    drop(held);
    drop(fs.try_lock(&dir.join("moved")).unwrap());
}

fn trying_a_lock_changes_nothing(fs: &dyn Fs, dir: &Utf8Path) {
    drop(fs.try_lock(&dir.join("l")).unwrap());
    let before = (fs.stat(&dir.join("l")).unwrap(), fs.stat(dir).unwrap());
    assert_eq!(before.0.len, 0);
    drop(fs.try_lock(&dir.join("l")).unwrap());
    assert_eq!((fs.stat(&dir.join("l")).unwrap(), fs.stat(dir).unwrap()), before);
}

fn errors_name_verb_and_path(fs: &dyn Fs, dir: &Utf8Path) {
    let path = dir.join("no");
    let error = fs.stat(&path).unwrap_err();
    assert_eq!((error.verb, &*error.path), ("look at", &*path));
    let error = fs.create_new(&path.join("x"), b"").unwrap_err();
    assert_eq!(error.verb, "create");
    assert!(!error.source.to_string().contains(path.as_str()), "the path is said once: {}", error.source);
}

fn space_is_measured(fs: &dyn Fs, dir: &Utf8Path) {
    let space = fs.space(dir).unwrap();
    assert!(space.available <= space.total && space.total > 0, "{space:?}");
}

fn links_are_not_followed(fs: &dyn Fs, dir: &Utf8Path, props: &Props<'_>) {
    fs.create_new(&dir.join("file"), b"secret").unwrap();
    fs.create_dir(&dir.join("folder")).unwrap();
    fs.create_new(&dir.join("folder/f"), b"").unwrap();
    for (name, target) in [("to-file", "file"), ("to-folder", "folder"), ("dangling", "nowhere")] {
        let link = dir.join(name);
        (props.link)(&link, target.into());
        assert_eq!(fs.stat(&link).unwrap().kind, Kind::Link);
        assert!(fs.list(dir).unwrap().contains(&Entry { name: name.into(), kind: Kind::Link }));
        fails(fs.read_at(&link, 0, 9), K::InvalidInput);
        fails(fs.list(&link), K::NotADirectory);
        fails(fs.sync_dir(&link), K::NotADirectory);
        fails(fs.remove_dir(&link), K::NotADirectory);
        fails(fs.create_new(&link, b"x"), K::AlreadyExists);
        fails(fs.create_dir(&link), K::AlreadyExists);
        fails(fs.overwrite(&link, b"x"), K::InvalidInput);
        fails(fs.try_lock(&link), K::InvalidInput);
        fails(fs.rename(&dir.join("file"), &link, Replace::No), K::AlreadyExists);
        fs.rename(&link, &dir.join("moved"), Replace::No).unwrap();
        assert_eq!(fs.stat(&dir.join("moved")).unwrap().kind, Kind::Link);
        fs.remove_file(&dir.join("moved")).unwrap();
    }
    fails(fs.stat(&dir.join("nowhere")), K::NotFound);
    holds(fs, &dir.join("file"), "secret");
    assert_eq!(names(fs, &dir.join("folder")), ["f"]);
}

fn links_are_followed_on_the_way(fs: &dyn Fs, dir: &Utf8Path, props: &Props<'_>) {
    fs.create_dir(&dir.join("folder")).unwrap();
    (props.link)(&dir.join("near"), "folder".into());
    (props.link)(&dir.join("far"), &dir.join("near"));
    (props.link)(&dir.join("round"), "round".into());
    fs.create_new(&dir.join("far/f"), b"f").unwrap();
    holds(fs, &dir.join("folder/f"), "f");
    assert!(fs.stat(&dir.join("round/f")).is_err());
}

fn hard_links_are_counted(fs: &dyn Fs, dir: &Utf8Path, props: &Props<'_>) {
    let (file, other) = (dir.join("file"), dir.join("other"));
    fs.create_new(&file, b"x").unwrap();
    assert_eq!(fs.stat(&file).unwrap().links, 1);
    (props.hard_link)(&other, &file);
    assert_eq!((fs.stat(&file).unwrap().links, fs.stat(&other).unwrap().links), (2, 2));
    holds(fs, &other, "x");
    fs.remove_file(&other).unwrap();
    assert_eq!(fs.stat(&file).unwrap().links, 1);
}

fn special_entries_are_not_opened(fs: &dyn Fs, dir: &Utf8Path, props: &Props<'_>) {
    let path = dir.join("pipe");
    (props.special)(&path);
    assert_eq!(fs.list(dir).unwrap(), [Entry { name: "pipe".into(), kind: Kind::Other }]);
    assert_eq!(fs.stat(&path).unwrap().kind, Kind::Other);
    fails(fs.read_at(&path, 0, 9), K::InvalidInput);
    fails(fs.try_lock(&path), K::InvalidInput);
    fails(fs.list(&path), K::NotADirectory);
    fails(fs.create_new(&path, b""), K::AlreadyExists);
    fails(fs.overwrite(&path, b""), K::InvalidInput);
    fs.remove_file(&path).unwrap();
}

fn names_that_are_not_utf8_are_shown(fs: &dyn Fs, dir: &Utf8Path, props: &Props<'_>) {
    (props.not_utf8)(dir);
    assert_eq!(fs.list(dir).unwrap(), [Entry { name: "bad\u{fffd}.md".into(), kind: Kind::NotUtf8 }]);
    fails(fs.read_at(&dir.join("bad\u{fffd}.md"), 0, 9), K::NotFound);
    fails(fs.remove_dir(dir), K::DirectoryNotEmpty);
}
