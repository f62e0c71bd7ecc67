//! All implementations of the file system behave alike.
#![expect(clippy::disallowed_methods, reason = "compares the verbs themselves")]
#![expect(clippy::unwrap_used, reason = "a panic is a failed test, also in its helpers")]

use std::{
    fs,
    io::ErrorKind,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
};

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use pv_lib::fs::{
    Fault, FaultCause, FaultFs, Fs, FsExt, Kind, MemFs, OsFs, Replace, Verb,
    conformance::{self, Props},
};

fn temp() -> (tempfile::TempDir, Utf8PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(temp.path().canonicalize().unwrap()).unwrap();
    (temp, root)
}

fn in_memory() -> MemFs {
    let fs = MemFs::new();
    fs.put_dir("/root");
    fs
}

#[test]
fn the_real_disk_conforms() {
    let (_temp, root) = temp();
    conformance::all(&OsFs, &root);
}

#[test]
fn memory_conforms() {
    conformance::all(&in_memory(), "/root".into());
}

#[test]
fn a_fault_injector_without_faults_conforms() {
    let fs = FaultFs::new(in_memory());
    conformance::all(&fs, "/root".into());
    assert_eq!(fs.failed(), 0);
    let uncalled: Vec<_> = Verb::ALL.into_iter().filter(|&verb| fs.calls(verb) == 0).collect();
    assert_eq!(uncalled, [], "the suite uses every verb");
}

#[test]
fn the_real_disk_conforms_with_foreign_entries() {
    let (_temp, root) = temp();
    let not_utf8 = |dir: &Utf8Path| {
        fs::write(dir.as_std_path().join(std::ffi::OsStr::from_bytes(b"bad\xff.md")), "").unwrap();
    };
    // A socket can neither be read nor opened; `a_pipe_does_not_hold_a_reader` has the pipe.
    let special = |path: &Utf8Path| drop(UnixListener::bind(path).unwrap());
    let props = Props {
        link: &|at, to| symlink(to, at).unwrap(),
        hard_link: &|at, to| fs::hard_link(to, at).unwrap(),
        special: &special,
        not_utf8: &not_utf8,
    };
    conformance::foreign(&OsFs, &root, &props);
}

#[test]
fn memory_conforms_with_foreign_entries() {
    let fs = in_memory();
    let props = Props {
        link: &|at, to| fs.put_link(at, to),
        hard_link: &|at, to| fs.put_hard_link(at, to),
        special: &|path| fs.put_special(path, Kind::Other),
        not_utf8: &|dir| fs.put_special(dir.join("bad\u{fffd}.md"), Kind::NotUtf8),
    };
    conformance::foreign(&fs, "/root".into(), &props);
}

#[test]
fn a_pipe_does_not_hold_a_reader() {
    let (_temp, root) = temp();
    let pipe = root.join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, pipe.as_std_path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(OsFs.read_at(&pipe, 0, 1).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(OsFs.try_lock(&pipe).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(OsFs.list(&root).unwrap()[0].kind, Kind::Other);
}

#[test]
fn faults_strike_the_calls_they_name() {
    let check = |fault: Fault, expected: [bool; 4]| {
        let fs = FaultFs::new(in_memory());
        fs.set(fault);
        let calls = ["/root/a", "/root/b", "/root/c"].map(|path| fs.create_new(path.into(), b"hello").is_ok());
        let listed = fs.list("/root".into()).is_ok();
        assert_eq!([calls[0], calls[1], calls[2], listed], expected, "{fault:?}");
        assert_eq!(fs.failed(), expected.into_iter().filter(|ok| !ok).count());
        assert_eq!((fs.calls(Verb::CreateNew), fs.all_calls()), (3, 4));
        fs.clear();
        fs.create_dir("/root/d".into()).unwrap();
    };
    check(Fault::of(Verb::CreateNew, 2, FaultCause::Device), [true, false, true, true]);
    check(Fault::of(Verb::CreateNew, 2, FaultCause::Device).sticky(), [true, false, false, true]);
    check(Fault::of(Verb::Rename, 1, FaultCause::Device).sticky(), [true, true, true, true]);
    check(Fault::of_any(3, FaultCause::NoSpace), [true, true, false, true]);
    check(Fault::of_any(3, FaultCause::NoSpace).sticky(), [true, true, false, false]);
}

#[test]
fn a_failed_creation_may_leave_part_of_the_file() {
    let fs = FaultFs::new(in_memory());
    fs.set(Fault::of(Verb::CreateNew, 1, FaultCause::NoSpace).leaving(2));
    let error = fs.create_new("/root/a".into(), b"hello").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(fs.read("/root/a".into(), 9).unwrap(), b"he");
}

#[test]
fn causes_have_the_kinds_of_the_system() {
    use ErrorKind as K;
    let causes = FaultCause::COMMON.into_iter().chain([FaultCause::CrossDevice, FaultCause::Kind(K::TimedOut)]);
    let kinds: Vec<_> = causes.map(|cause| cause.error().kind()).collect();
    let io = kinds[0];
    assert_eq!(
        kinds,
        [
            io,
            K::StorageFull,
            K::QuotaExceeded,
            K::ReadOnlyFilesystem,
            K::PermissionDenied,
            K::StaleNetworkFileHandle,
            kinds[6],
            K::CrossesDevices,
            K::TimedOut
        ]
    );
    assert_eq!(FaultCause::Device.error().raw_os_error(), Some(5));
    assert_eq!(FaultCause::ManyFiles.error().raw_os_error(), Some(24));
}

#[test]
fn a_rename_between_mounts_crosses_devices() {
    let fs = in_memory();
    fs.put("/root/a", "a");
    fs.put_mount("/root/other");
    let error = fs.rename("/root/a".into(), "/root/other/a".into(), Replace::No).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CrossesDevices);
    fs.put_dir("/root/other/b");
    fs.rename("/root/other/b".into(), "/root/other/c".into(), Replace::No).unwrap();
}

#[derive(Debug, Clone)]
enum Call {
    Create(usize, u8),
    CreateDir(usize),
    Rename(usize, usize, bool),
    RemoveFile(usize),
    RemoveDir(usize),
    Sync(usize),
    Read(usize, u64, usize),
    Lock(usize),
}

/// Few names, so that calls meet; deep enough for folders to move into one another.
const PATHS: [&str; 12] = ["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/a", "a/a/b", "b/a/c", "c/a/b", "a/b/c"];

fn call() -> impl Strategy<Value = Call> {
    let path = || 0..PATHS.len();
    prop_oneof![
        3 => (path(), any::<u8>()).prop_map(|(path, byte)| Call::Create(path, byte)),
        4 => path().prop_map(Call::CreateDir),
        5 => (path(), path(), any::<bool>()).prop_map(|(from, to, replace)| Call::Rename(from, to, replace)),
        1 => path().prop_map(Call::RemoveFile),
        1 => path().prop_map(Call::RemoveDir),
        1 => path().prop_map(Call::Sync),
        2 => (path(), 0..4u64, 0..4usize).prop_map(|(path, offset, limit)| Call::Read(path, offset, limit)),
        1 => path().prop_map(Call::Lock),
    ]
}

/// Makes the call, and returns what can be compared of its outcome.
fn outcome(fs: &dyn Fs, root: &Utf8Path, call: &Call) -> Result<Vec<u8>, ErrorKind> {
    let path = |index: usize| root.join(PATHS[index]);
    match *call {
        Call::Create(at, byte) => fs.create_new(&path(at), &[byte; 3]).map(|()| Vec::new()),
        Call::CreateDir(at) => fs.create_dir(&path(at)).map(|()| Vec::new()),
        Call::Rename(from, to, replace) => {
            let replace = if replace { Replace::Yes } else { Replace::No };
            fs.rename(&path(from), &path(to), replace).map(|()| Vec::new())
        }
        Call::RemoveFile(at) => fs.remove_file(&path(at)).map(|()| Vec::new()),
        Call::RemoveDir(at) => fs.remove_dir(&path(at)).map(|()| Vec::new()),
        Call::Sync(at) => fs.sync_dir(&path(at)).map(|()| Vec::new()),
        Call::Read(at, offset, limit) => fs.read_at(&path(at), offset, limit),
        Call::Lock(at) => fs.try_lock(&path(at)).map(|_| Vec::new()),
    }
    .map_err(|error| error.kind())
}

/// Returns every path below `dir` with its kind and contents.
fn tree(fs: &dyn Fs, root: &Utf8Path, dir: &Utf8Path) -> Vec<(Utf8PathBuf, Kind, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        let contents = if entry.kind == Kind::File { fs.read(&path, 9).unwrap() } else { Vec::new() };
        found.push((path.strip_prefix(root).unwrap().to_owned(), entry.kind, contents));
        if entry.kind == Kind::Dir {
            found.extend(tree(fs, root, &path));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn memory_does_what_the_real_disk_does(calls in prop::collection::vec(call(), 1..40)) {
        let (_temp, real) = temp();
        let (fs, root) = (in_memory(), Utf8Path::new("/root"));
        for call in &calls {
            prop_assert_eq!(outcome(&fs, root, call), outcome(&OsFs, &real, call), "{:?}", call);
        }
        prop_assert_eq!(tree(&fs, root, root), tree(&OsFs, &real, &real));
    }
}
