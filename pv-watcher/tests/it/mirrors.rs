//! Maintenance of mirrors: they become small, and nothing that anybody may need vanishes.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{MirrorsStatus, Store, StoreLimits},
};
use pv_watcher::{MirrorLimits, MirrorSettings, maintain_mirrors};

/// How long one call of git may take here.
const GIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything is due, always.
const ALWAYS: MirrorLimits = MirrorLimits { loose_objects: 0, loose_refs: 0, packs: 0 };

/// An installation with one mirror as jobs leave it, and a checkout that borrows from it.
struct Fixture {
    _dir: tempfile::TempDir,
    mirror: Utf8PathBuf,
    checkout: Utf8PathBuf,
    store: Store,
    objects: BTreeSet<String>,
    refs: String,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let layout = Layout::under(&root, InboxMode::MultiOwner);
        let (mirror, checkout) = (root.join("repos/.mirrors/o/r.git"), root.join("work/checkout"));
        fs::create_dir_all(&mirror).unwrap();
        git(&mirror, &["init", "-q", "--bare"], "");
        let first = commit(&mirror, "first", None);
        git(&mirror, &["update-ref", "refs/heads/main", &first], "");
        git(
            &root,
            &["clone", "-q", "--shared", "--single-branch", "--branch", "main", mirror.as_str(), checkout.as_str()],
            "",
        );
        // The branch was pushed by force: what the checkout began with is reached by no reference any more.
        let second = commit(&mirror, "second", None);
        git(&mirror, &["update-ref", "refs/heads/main", &second], "");
        for job in 0..12 {
            let work = commit(&mirror, &format!("work {job}"), Some(&second));
            git(&mirror, &["update-ref", &format!("refs/pv/{job:032x}"), &work], "");
        }
        // Packs as fetches leave them, with what no reference reaches in one, and one that is just being used.
        for pack in 0..4 {
            let oid = blob(&mirror, &format!("only in pack {pack}"));
            let base = mirror.join("objects/pack/pack");
            let name = git(&mirror, &["pack-objects", "-q", base.as_str()], &format!("{oid}\n"));
            if pack == 3 {
                fs::write(mirror.join(format!("objects/pack/pack-{name}.keep")), "").unwrap();
            }
        }
        blob(&mirror, "only a file of its own");
        let store = Store::new(Arc::new(OsFs), layout, StoreLimits::default(), "host");
        let mut fixture = Self { _dir: dir, mirror, checkout, store, objects: BTreeSet::new(), refs: String::new() };
        (fixture.objects, fixture.refs) = (fixture.objects_now(), fixture.refs_now());
        assert!(fixture.objects.len() > 40 && fixture.refs.lines().count() == 13);
        fixture
    }

    fn objects_now(&self) -> BTreeSet<String> {
        let args = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"];
        git(&self.mirror, &args, "").lines().map(str::to_owned).collect()
    }

    fn refs_now(&self) -> String {
        git(&self.mirror, &["for-each-ref"], "")
    }

    /// Checks that all is there, whole, for the mirror and for whoever borrows from it.
    fn has_lost_nothing(&self) {
        assert_eq!(self.objects_now(), self.objects);
        assert_eq!(self.refs_now(), self.refs);
        git(&self.mirror, &["fsck", "--full", "--strict", "--no-dangling"], "");
        git(&self.checkout, &["fsck", "--full", "--no-dangling"], "");
        assert_eq!(git(&self.checkout, &["log", "--format=%s"], ""), "first");
        assert_eq!(git(&self.checkout, &["status", "--porcelain"], ""), "");
    }

    async fn maintain(&self, limits: MirrorLimits) -> MirrorsStatus {
        let settings = MirrorSettings { limits, git_timeout: GIT_TIMEOUT };
        maintain_mirrors(&self.store, &settings, &mut BTreeMap::new()).await
    }
}

/// Runs git in a repository, and returns what it printed.
fn git(dir: &Utf8Path, args: &[&str], input: &str) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").stdin(Stdio::piped());
    let author = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    git.envs(author.map(|name| (name, "n"))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut git = git.spawn().unwrap();
    git.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn blob(mirror: &Utf8Path, text: &str) -> String {
    git(mirror, &["hash-object", "-w", "--stdin"], text)
}

/// Makes a commit with one file, and returns it.
fn commit(mirror: &Utf8Path, text: &str, parent: Option<&str>) -> String {
    let file = blob(mirror, &format!("{text}\n"));
    let tree = git(mirror, &["mktree"], &format!("100644 blob {file}\tfile\n"));
    let parents = parent.iter().flat_map(|parent| ["-p", parent]);
    let args: Vec<&str> = ["commit-tree", "-m", text].into_iter().chain(parents).chain([tree.as_str()]).collect();
    git(mirror, &args, "")
}

/// Lets time pass for what a call left that was killed.
fn age(path: &Utf8Path) {
    for entry in path.read_dir_utf8().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if ["tmp_", ".tmp-", "packed-refs."].iter().any(|start| name.starts_with(start)) {
            let long_ago = SystemTime::now() - Duration::from_secs(3600);
            fs::File::options().write(true).open(entry.path()).unwrap().set_modified(long_ago).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_maintenance_keeps_every_object_and_reference_that_anybody_may_need() {
    let fixture = Fixture::new();
    let before = fixture.maintain(MirrorLimits::default()).await;
    let size = &before.largest[0];
    assert_eq!((before.count, size.repo.as_str(), size.packs), (1, "o/r", 4), "nothing is due: {before:?}");
    assert!(size.loose_objects > 40 && fixture.mirror.join("refs/pv").exists());
    let after = fixture.maintain(ALWAYS).await;
    let size = &after.largest[0];
    assert_eq!((size.loose_objects, size.packs, size.problem.as_deref()), (0, 2, None), "one is kept: {after:?}");
    assert!(after.bytes < before.bytes / 2, "{} {}", before.bytes, after.bytes);
    let loose_refs = fs::read_dir(fixture.mirror.join("refs/pv")).into_iter().flatten().count();
    assert_eq!(loose_refs, 0);
    fixture.has_lost_nothing();
    let again = fixture.maintain(ALWAYS).await;
    assert_eq!(again.largest[0].packs, 2, "and it stays so: {again:?}");
    fixture.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_a_maintenance_that_is_cut_short_at_any_moment_loses_nothing() {
    let fixture = Fixture::new();
    let mut cut_short = 0;
    for cut in 0..25_u64 {
        let maintained = tokio::time::timeout(Duration::from_millis(cut * cut), fixture.maintain(ALWAYS)).await;
        cut_short += usize::from(maintained.is_err());
        fixture.has_lost_nothing();
        age(&fixture.mirror);
        age(&fixture.mirror.join("objects/pack"));
    }
    assert!(cut_short > 3, "{cut_short}");
    let after = fixture.maintain(ALWAYS).await;
    assert_eq!((after.largest[0].loose_objects, after.largest[0].problem.as_deref()), (0, None), "{after:?}");
    fixture.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_what_a_killed_maintenance_left_does_not_keep_the_next_from_its_work() {
    let fixture = Fixture::new();
    let pack = fixture.mirror.join("objects/pack");
    for left in ["packed-refs.lock", "packed-refs.new"] {
        fs::write(fixture.mirror.join(left), "").unwrap();
    }
    fs::write(pack.join(".tmp-123-pack-abc.pack"), "half").unwrap();
    let blocked = fixture.maintain(ALWAYS).await;
    assert!(blocked.largest[0].problem.as_ref().unwrap().contains("packed-refs.lock"), "{blocked:?}");
    fixture.has_lost_nothing();
    age(&fixture.mirror);
    age(&pack);
    let after = fixture.maintain(ALWAYS).await;
    assert_eq!((after.largest[0].loose_objects, after.largest[0].problem.as_deref()), (0, None), "{after:?}");
    assert!(!pack.join(".tmp-123-pack-abc.pack").exists());
    fixture.has_lost_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c14_one_mirror_that_is_damaged_keeps_no_other_from_its_maintenance() {
    let fixture = Fixture::new();
    let damaged = fixture.mirror.with_file_name("damaged.git");
    fs::create_dir_all(damaged.join("objects/pack")).unwrap();
    fs::create_dir_all(damaged.join("objects/ab")).unwrap();
    fs::write(damaged.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(damaged.join("objects/ab/cdef"), "no object").unwrap();
    let after = fixture.maintain(ALWAYS).await;
    let of = |repo: &str| after.largest.iter().find(|mirror| mirror.repo == repo).unwrap();
    assert!(of("o/damaged").problem.is_some(), "{after:?}");
    assert_eq!((of("o/r").loose_objects, of("o/r").problem.as_deref()), (0, None), "{after:?}");
    assert!(damaged.join("objects/ab/cdef").exists());
    fixture.has_lost_nothing();
}
