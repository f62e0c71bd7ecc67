//! The inbox tree on a disk: finding clones, and making folders that leave the others what they are.

use std::sync::Arc;

use pv_lib::{
    fs::{FsExt, MemFs},
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
    target::Target,
};

fn store(fs: &Arc<MemFs>, inbox_mode: InboxMode) -> Store {
    Store::new(fs.clone(), Layout::under("/pv".into(), inbox_mode), StoreLimits::default(), "host")
}

fn single(owner: Option<&str>) -> InboxMode {
    InboxMode::SingleOwner { owner: owner.map(str::to_owned) }
}

fn targets(store: &Store) -> Vec<String> {
    store.targets().found.iter().map(|found| found.target.to_string()).collect()
}

#[test]
fn clones_are_found_where_each_inbox_has_them() {
    let fs = Arc::new(MemFs::new());
    for place in
        ["o/r/.git/HEAD", "p/linked/.git", ".mirrors/o/r.git/HEAD", ".mirrors/q/bare.git/HEAD", "lone/.git/HEAD"]
    {
        fs.put(format!("/pv/repos/{place}"), "x");
    }
    for other in ["o/no-clone", "o/.hidden/.git", "o/-x/.git", ".mirrors/o/odd/refs"] {
        fs.put_dir(format!("/pv/repos/{other}"));
    }
    fs.put_link("/pv/repos/o/link", "/pv/repos/o/r");
    let clones = |mode| {
        let found = store(&fs, mode).clones().found;
        let shown = found.iter().map(|clone| {
            let owner = clone.owner.as_deref().unwrap_or("-");
            format!("{owner}/{} {}", clone.repo, clone.dir.strip_prefix("/pv/repos").unwrap())
        });
        shown.collect::<Vec<_>>()
    };
    let of_o = ["o/r .mirrors/o/r.git", "o/r o/r"];
    assert_eq!(clones(single(Some("o"))), of_o);
    assert_eq!(clones(single(None)), ["-/lone lone"]);
    let all = [of_o[0], of_o[1], "p/linked p/linked", "q/bare .mirrors/q/bare.git"];
    assert_eq!(clones(InboxMode::MultiOwner), all);
    assert_eq!(store(&Arc::new(MemFs::new()), InboxMode::MultiOwner).clones().found, []);
}

#[test]
fn a_new_folder_takes_no_target_away() {
    let fs = Arc::new(MemFs::new());
    let store = store(&fs, single(None));
    let add = |branch| store.add_target(&Target::new(None, "r", branch).unwrap()).unwrap();
    fs.put("/pv/inbox/r/feature/waiting.prompt.md", "# x");
    add("feature/x/feature");
    assert_eq!(targets(&store), ["r@feature", "r@feature/x/feature"]);
    // The other way round, and twice.
    add("fix/1");
    for _ in 0..2 {
        add("fix");
        assert_eq!(targets(&store), ["r@feature", "r@feature/x/feature", "r@fix", "r@fix/1"]);
    }
    // A folder on the way that nobody uses does not become one.
    fs.put_dir("/pv/inbox/r/part");
    add("part/way");
    assert!(targets(&store).contains(&"r@part/way".to_owned()) && !targets(&store).contains(&"r@part".to_owned()));
    assert!(fs.stat_opt("/pv/inbox/r/feature/waiting.prompt.md".into()).unwrap().is_some());
}
