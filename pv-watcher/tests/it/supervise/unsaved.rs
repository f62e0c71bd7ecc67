//! Whatever an agent leaves, its bytes are on the remote, in the run folder, or in a checkout that the record names.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::Command,
};

use pv_lib::job::{JobRecord, JobState};
use pv_watcher::list_archive;

use super::{
    deliver::fixture as with_remote,
    fixture::{self, Fixture, commit, git, wait_until},
};

/// An installation whose repository ignores `out/`, `*.log`, and what build tools make.
fn with_ignored(script: &str) -> Fixture {
    let fixture = with_remote(script).set(fixture::DELIVER, "branch");
    let clone = fixture.root.join("repos/o/r");
    fs::write(clone.join(".gitignore"), "out/\n*.log\nnode_modules/\ntarget/\n").unwrap();
    fs::create_dir(clone.join("docs")).unwrap();
    fs::write(clone.join("docs/index.md"), "index\n").unwrap();
    commit(&clone, "with ignored files");
    git(&clone, &["push", "--quiet", "origin", "main"]);
    fixture.without_privileges()
}

use Kept::{Archive, Branch, Checkout, Nowhere};

/// Where the bytes of a file are after its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Branch,
    Archive,
    Checkout,
    Nowhere,
}

fn where_is(fixture: &Fixture, record: &JobRecord, path: &[u8], contents: &[u8]) -> Kept {
    let delivery = record.delivery.clone().unwrap_or_default();
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    if let Some(commit) = &delivery.commit {
        let mut object = std::ffi::OsString::from(format!("{commit}:"));
        object.push(path);
        let remote = fixture.root.join("remote.git");
        let shown = Command::new("git").args(["--git-dir", remote.as_str(), "show"]).arg(object).output().unwrap();
        if shown.status.success() && shown.stdout == contents {
            return Branch;
        }
    }
    if delivery.ignored.is_some_and(|ignored| ignored.archive_path.is_some()) {
        let archive = fixture.store.layout().ignored_archive_path(&fixture.id);
        assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
        let to = tempfile::tempdir().unwrap();
        let packed = fs::File::open(&archive).unwrap();
        tar::Archive::new(zstd::Decoder::new(packed).unwrap()).unpack(to.path()).unwrap();
        if fs::read(to.path().join(path)).is_ok_and(|bytes| bytes == contents) {
            return Archive;
        }
    }
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    if delivery.checkout_path.as_deref() == Some(checkout.as_str())
        && fs::read(checkout.as_std_path().join(path)).is_ok_and(|bytes| bytes == contents)
    {
        return Checkout;
    }
    Nowhere
}

/// Runs an agent, and checks where the bytes of each file are and what the message says.
fn check(script: &str, files: &[(&[u8], &[u8], Kept)], said: &[&str]) {
    check_in(&with_ignored(script), script, files, said);
}

fn check_in(fixture: &Fixture, script: &str, files: &[(&[u8], &[u8], Kept)], said: &[&str]) {
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{script}: {record:?} {}", fixture.errors());
    let message = record.message.clone().unwrap();
    println!("{script}\n    {message}");
    for (path, contents, expected) in files {
        let kept = where_is(fixture, &record, path, contents);
        println!("    {} {kept:?}", String::from_utf8_lossy(path).escape_debug());
        assert_eq!(kept, *expected, "{script}: {}: {message}", String::from_utf8_lossy(path));
    }
    for said in said {
        assert!(message.contains(said), "{script}: `{said}` is missing: {message}");
    }
    let checkout = fixture.store.layout().checkout_path(&fixture.id);
    let stays = record.delivery.as_ref().is_some_and(|delivery| delivery.checkout_path.is_some());
    assert_eq!(checkout.exists(), stays, "{script}: {message}");
}

#[test]
fn c04_ignored_files_are_kept_and_named() {
    check(
        "mkdir -p out; echo a > out/report.md; echo x >> README.md",
        &[(b"out/report.md", b"a\n", Archive), (b"README.md", b"hello\nx\n", Branch)],
        &["pushed codex/", "1 ignored file is in no commit but kept in ignored.tar.zst: out/report.md"],
    );
    // With nothing else made, it is not just "no changes".
    check(
        "mkdir -p out/sub; echo a > out/sub/a; echo b > docs/b.log",
        &[(b"out/sub/a", b"a\n", Archive), (b"docs/b.log", b"b\n", Archive)],
        &["nothing to commit", "2 ignored files are"],
    );
    // A rule that the agent made itself.
    check(
        "echo notes > .gitignore; echo mine > notes",
        &[(b"notes", b"mine\n", Archive), (b".gitignore", b"notes\n", Branch)],
        &["notes"],
    );
    // A rule in the clone's own repository hides nothing from us.
    check("echo notes >> .git/info/exclude; echo mine > notes", &[(b"notes", b"mine\n", Branch)], &["pushed"]);
    check(
        "mkdir -p node_modules/x target; echo a > node_modules/x/a; echo b > target/b",
        &[],
        &["no changes but in known caches (2 files), which are not kept"],
    );
    check(
        "echo x >> README.md; mkdir target; echo b > target/b",
        &[(b"README.md", b"hello\nx\n", Branch)],
        &["pushed"],
    );
}

#[test]
fn c04_a_persons_own_ignore_file_hides_nothing_that_is_delivered() {
    let script = "echo mine > NOTES.md";
    let fixture = with_ignored(script);
    fs::write(fixture.root.join(".gitconfig"), format!("[core]\n\texcludesFile = {}\n", fixture.root.join("ignore")))
        .unwrap();
    fs::write(fixture.root.join("ignore"), "NOTES.md\n").unwrap();
    let home = fixture.root.to_string();
    check_in(&fixture.set("HOME", &home), script, &[(b"NOTES.md", b"mine\n", Branch)], &["pushed"]);
}

#[test]
fn c04_ignored_files_beyond_the_limit_stay_in_the_checkout() {
    let script = "mkdir out; head -c 5000 /dev/zero > out/big; echo x >> README.md";
    let fixture = with_ignored(script).set(fixture::IGNORED_BYTES, "4096");
    let files: [(&[u8], &[u8], Kept); 2] = [(b"out/big", &[0; 5000], Checkout), (b"README.md", b"hello\nx\n", Branch)];
    check_in(
        &fixture,
        script,
        &files,
        &["files that git ignores (out/big): they have 5000 bytes", "limits.ignored_bytes"],
    );
    let delivery = fixture.record().delivery.unwrap();
    assert!(delivery.checkout_bytes.unwrap() > 5000 && delivery.checkout_reason.unwrap().contains("out/big"));
    assert!(!fixture.store.layout().ignored_archive_path(&fixture.id).exists());
}

#[test]
fn c04_the_work_of_a_failed_job_is_kept_just_so() {
    let fixture = with_ignored("mkdir out; echo a > out/report.md; exit 3");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Failed);
    assert_eq!(where_is(&fixture, &record, b"out/report.md", b"a\n"), Archive);
    assert!(record.message.unwrap().contains("out/report.md"));
}

#[test]
fn c06_what_its_owner_may_not_read_is_made_readable_and_delivered() {
    check(
        "echo good > good.txt; echo s > secret; chmod 000 secret",
        &[(b"good.txt", b"good\n", Branch), (b"secret", b"s\n", Branch)],
        &["pushed"],
    );
    check("mkdir -p d/e; echo p > d/e/z; chmod 000 d/e d", &[(b"d/e/z", b"p\n", Branch)], &["pushed"]);
    check(
        "echo more >> README.md; chmod 000 README.md docs; mkdir out; echo a > out/a; chmod 000 out",
        &[
            (b"README.md", b"hello\nmore\n", Branch),
            (b"docs/index.md", b"index\n", Branch),
            (b"out/a", b"a\n", Archive),
        ],
        &["pushed"],
    );
    let own = "git -c user.name=a -c user.email=b";
    check(
        &format!("echo x >> README.md; {own} commit -qam own; chmod 000 .git/objects .git"),
        &[(b"README.md", b"hello\nx\n", Branch)],
        &["pushed"],
    );
}

/// Only root can make files of two owners.
#[test]
fn c06_a_folder_of_another_owner_is_named_and_the_rest_delivered() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: no folder of another owner can be made");
        return;
    }
    for (folder, file) in [("private", "private/a"), ("docs", "docs/index.md"), ("out", "out/a")] {
        let script = format!(
            "mkdir -p {folder}; echo good > good.txt; echo mine > {file}; touch ../made; while [ ! -e ../go ]; do sleep 0.01; done"
        );
        let fixture = with_ignored(&script);
        let mut supervisor = fixture.start();
        wait_until("the agent has worked", || fixture.root.join("work/made").exists());
        let dir = fixture.store.layout().checkout_path(&fixture.id).join(folder);
        assert!(Command::new("chown").args(["-R", "0:0", dir.as_str()]).status().unwrap().success());
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(fixture.root.join("work/go"), "").unwrap();
        supervisor.wait();
        let record = fixture.record();
        assert_eq!(record.state(), JobState::Succeeded, "{folder}: {record:?}");
        assert_eq!(where_is(&fixture, &record, b"good.txt", b"good\n"), Branch, "{folder}");
        assert_eq!(where_is(&fixture, &record, file.as_bytes(), b"mine\n"), Checkout, "{folder}");
        let message = record.message.unwrap();
        assert!(message.contains(&format!("what this user may not read ({folder}")), "{message}");
    }
}

#[test]
fn b10_what_git_refuses_is_named_whatever_its_number() {
    check(
        "for i in $(seq 8); do git init -q f/r$i; echo d > f/r$i/x; done; echo good > good.txt",
        &[(b"good.txt", b"good\n", Branch), (b"f/r1/x", b"d\n", Checkout), (b"f/r8/x", b"d\n", Checkout)],
        &["pushed", "files that git does not take (f/r1, f/r2", "and 3 more"],
    );
    check(
        "mkdir n; for i in $(seq 300); do mkdir n/$i; echo $i > n/$i/git~1; done; echo good > good.txt",
        &[(b"good.txt", b"good\n", Branch), (b"n/300/git~1", b"300\n", Checkout)],
        &["pushed", "and 295 more"],
    );
}

/// A filter that must work and does not makes git stage nothing at all.
#[test]
fn b10_one_file_that_stops_git_stops_only_itself() {
    let script = "mkdir many; for i in $(seq 200); do echo $i > many/$i; done
        echo '*.bad filter=bad' > .gitattributes; echo bytes > many/x.bad; echo good > good.txt";
    let fixture = with_ignored(script).set("GIT_CONFIG_COUNT", "2");
    let fixture = fixture.set("GIT_CONFIG_KEY_0", "filter.bad.clean").set("GIT_CONFIG_VALUE_0", "false");
    let fixture = fixture.set("GIT_CONFIG_KEY_1", "filter.bad.required").set("GIT_CONFIG_VALUE_1", "true");
    check_in(
        &fixture,
        script,
        &[
            (b"good.txt", b"good\n", Branch),
            (b"many/1", b"1\n", Branch),
            (b"many/200", b"200\n", Branch),
            (b"many/x.bad", b"bytes\n", Checkout),
        ],
        &["pushed", "files that git does not take (many/x.bad)"],
    );
}

#[test]
fn twenty_things_that_an_agent_can_leave_are_not_lost() {
    let twins = "mkdir case; echo one > case/Twin; echo two > case/twin; ";
    let names = r"mkdir names; printf a > names/$(printf '\377'); printf b > 'names/new
line'; printf c > 'names/-rf'; printf d > 'names/ blank '; printf e > 'names/tab	x'; ";
    let refused = "mkdir -p bad/sub; for n in 'git~1' '.git::$INDEX_ALLOCATION' '.git ' '.GIT' 'GIT~1' '.git.' '.git...' '.Git'; do printf r > bad/\"$n\"; done; ";
    let special = "mkfifo pipe out-pipe; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")' 2> /dev/null; ln -s loop loop; ln -s /nowhere dangling; ";
    let large = "mkdir out; head -c 104857600 /dev/zero > out/large; ";
    let small = "mkdir out; printf i > out/file; mkdir out/folder; printf j > out/folder/file; printf k > docs/k.log; ";
    let caches = "mkdir -p node_modules; cd node_modules; seq 5000 | xargs touch; cd ..; ";
    let sparse = "truncate -s 3000000 sparse; printf s >> sparse; ";
    let private = "echo u > unreadable; chmod 000 unreadable; mkdir closed; printf v > closed/file; chmod 000 closed; ";
    let nested = "git init -q empty1; printf n > empty1/x; git init -q empty2; ";
    let modes = "printf m > run.sh; chmod 755 run.sh; rm docs/index.md; printf d > docs/index.md; ";
    let most = [twins, names, special, small, caches, sparse, private, modes].concat();
    let sparse_bytes = [vec![0; 3_000_000], b"s".to_vec()].concat();
    check(
        &most,
        &[
            (b"case/Twin", b"one\n", Branch),
            (b"case/twin", b"two\n", Branch),
            (b"names/\xff", b"a", Branch),
            (b"names/new\nline", b"b", Branch),
            (b"names/-rf", b"c", Branch),
            (b"names/ blank ", b"d", Branch),
            (b"names/tab\tx", b"e", Branch),
            (b"loop", b"loop", Branch),
            (b"dangling", b"/nowhere", Branch),
            (b"out/file", b"i", Archive),
            (b"out/folder/file", b"j", Archive),
            (b"docs/k.log", b"k", Archive),
            (b"sparse", &sparse_bytes, Branch),
            (b"unreadable", b"u\n", Branch),
            (b"closed/file", b"v", Branch),
            (b"run.sh", b"m", Branch),
            (b"docs/index.md", b"d", Branch),
        ],
        &["pushed", "3 ignored files", "pipes, sockets and devices hold nothing that could be kept: "],
    );
    check(
        &[refused, nested, large, "printf g > good"].concat(),
        &[
            (b"bad/git~1", b"r", Checkout),
            (b"bad/.git::$INDEX_ALLOCATION", b"r", Checkout),
            (b"bad/.git ", b"r", Checkout),
            (b"bad/.GIT", b"r", Checkout),
            (b"bad/GIT~1", b"r", Checkout),
            (b"bad/.git.", b"r", Checkout),
            (b"bad/.git...", b"r", Checkout),
            (b"bad/.Git", b"r", Checkout),
            (b"empty1/x", b"n", Checkout),
            (b"out/large", &vec![0; 104_857_600], Checkout),
            (b"good", b"g", Branch),
        ],
        &["pushed", "files that git does not take (", "out/large"],
    );
}

#[test]
fn c04_the_archive_lists_what_it_holds() {
    let fixture = with_ignored("mkdir out; echo a > out/a; ln -s a out/b");
    fixture.run();
    let listed = list_archive(&fixture.store.layout().ignored_archive_path(&fixture.id), 10).unwrap();
    let listed: Vec<(&str, u64)> = listed.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
    assert_eq!(listed, [("out/a", 2), ("out/b", 0)]);
}
