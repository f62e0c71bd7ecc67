//! The structure of the workspace, as tables that the code must keep: which folder of a crate may name which, no circle
//! of files, and no file that is too long to read.

mod allowed;
mod conditions;
mod graph;
mod imports;
mod tokens;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use allowed::{CRATES, Layer, PV_LIB, Rules};
use graph::Crate;

/// How long a file should be at most, and must be, in lines.
const AIM_LINES: usize = 400;
const MAX_LINES: usize = 600;

/// How many files may lie directly in the folder of the page's modules.
const PAGE: (&str, usize) = ("pv-http/ui/js", 8);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> Crate {
    Crate::read(&root().join(name).join("src"))
}

fn layer(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// Returns every edge between layers that the rules do not allow, and every row and edge of the rules that nothing
/// uses.
fn broken(rules: &Rules, table: &[Layer<'_>]) -> Vec<String> {
    let found = read(rules.name);
    let mut broken: Vec<String> = found.undeclared.iter().map(|file| format!("no `mod` declares `{file}`")).collect();
    let mut used = BTreeSet::new();
    for (from, named) in &found.edges {
        let own = layer(from);
        let allowed = table.iter().find(|(name, _)| *name == own).map_or(&[][..], |(_, allowed)| *allowed);
        for to in named.iter().filter(|to| layer(to) != own) {
            used.insert((own, layer(to)));
            if !allowed.contains(&layer(to)) {
                broken.push(format!("`{from}` names `{to}`, but `{own}` may not name `{}`", layer(to)));
            }
        }
    }
    for (at, (own, allowed)) in table.iter().enumerate() {
        for other in *allowed {
            if !used.contains(&(*own, *other)) {
                broken.push(format!("the table lets `{own}` name `{other}`, and nothing does"));
            }
            let is_above = table[..at].iter().any(|(name, _)| name == other);
            if is_above == rules.upward.contains(&(*own, *other)) {
                broken.push(format!("`{own}` stands above `{other}` in the table, or is said to, and is not"));
            }
        }
    }
    let layers: BTreeSet<_> = found.edges.keys().map(|file| layer(file)).collect();
    let rows: BTreeSet<_> = table.iter().map(|(own, _)| *own).collect();
    let differ = layers.symmetric_difference(&rows);
    broken.extend(differ.map(|name| format!("`{name}` is no layer of both the crate and the table")));
    broken.into_iter().map(|line| format!("{}: {line}", rules.name)).collect()
}

#[test]
fn a_layer_names_only_those_that_the_table_allows() {
    let broken: Vec<String> = CRATES.iter().flat_map(|rules| broken(rules, rules.layers)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_table_that_is_not_true_is_found() {
    type Rows = Vec<(&'static str, Vec<&'static str>)>;
    let check = |change: &dyn Fn(&mut Rows), expected: &str| {
        let mut rows: Rows = PV_LIB.layers.iter().map(|(own, may)| (*own, may.to_vec())).collect();
        change(&mut rows);
        let rows: Vec<Layer<'_>> = rows.iter().map(|(own, may)| (*own, may.as_slice())).collect();
        let found = broken(&PV_LIB, &rows);
        assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:#?}");
    };
    fn of<'r>(rows: &'r mut [(&'static str, Vec<&'static str>)], name: &str) -> &'r mut Vec<&'static str> {
        rows.iter_mut().find(|(own, _)| *own == name).map(|(_, may)| may).expect("a row")
    }
    check(&|rows| of(rows, "store").retain(|other| *other != "prompt"), "`store` may not name `prompt`");
    check(&|rows| of(rows, "store").push("supervise"), "lets `store` name `supervise`, and nothing does");
    check(&|rows| rows.swap(0, 4), "`job` stands above `time` in the table, or is said to, and is not");
    check(&|rows| drop(rows.remove(0)), "`time` is no layer of both");
    check(&|rows| rows.push(("cellar", vec![])), "`cellar` is no layer of both");
}

#[test]
fn no_files_of_a_crate_need_each_other() {
    for rules in CRATES {
        assert_eq!(read(rules.name).circles(), rules.circles, "{}", rules.name);
    }
}

#[test]
fn a_folders_own_file_only_declares_and_re_exports() {
    for rules in CRATES {
        let (src, defining) = (root().join(rules.name).join("src"), read(rules.name).defining);
        let has_own_file = |folder: &&String| src.join(folder.replace("::", "/")).join("mod.rs").exists();
        let found: Vec<&String> = defining.iter().filter(has_own_file).filter(|folder| !folder.is_empty()).collect();
        assert_eq!(found, rules.defining, "{}", rules.name);
        assert!(!src.join("lib.rs").exists() || !defining.contains(""), "lib.rs of {}", rules.name);
    }
}

/// Returns the files that people read, and how many lines each has.
fn sources() -> Vec<(String, usize)> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if entry.is_dir() && !["target", ".git", "node_modules", "corpus", "vendor"].contains(&name.as_str()) {
                folders.push(entry);
            } else if [".rs", ".js", ".css"].iter().any(|ending| name.ends_with(ending)) {
                let lines = fs::read_to_string(&entry).expect("reads").lines().count();
                let below = entry.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((below, lines));
            }
        }
    }
    found
}

#[test]
fn files_are_short_enough_to_read() {
    let sources = sources();
    assert!(sources.len() > 200, "{}", sources.len());
    for (file, lines) in sources.iter().filter(|(_, lines)| *lines > AIM_LINES) {
        println!("{file} has {lines} lines, more than {AIM_LINES}");
    }
    let long: Vec<_> = sources.iter().filter(|(_, lines)| *lines > MAX_LINES).collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn few_files_lie_outside_a_folder() {
    let crates = CRATES.iter().map(|rules| (format!("{}/src", rules.name), "rs", rules.loose_max));
    for (folder, ending, max) in crates.chain([(PAGE.0.to_owned(), "js", PAGE.1)]) {
        let entries = fs::read_dir(root().join(&folder)).expect("lists").map(|entry| entry.expect("an entry").path());
        let loose = entries.filter(|path| path.extension().is_some_and(|own| own == ending)).count();
        assert!((1..=max).contains(&loose), "{folder} has {loose} files outside a folder, and {max} are allowed");
    }
}
