//! Which files of this crate may use which: a folder uses only what stands above it in a table, and no two files of a
//! folder need each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Each folder of `src/` and each file directly in it, from the lowest to the highest, with what it may use of the
/// crate. `lib.rs` only re-exports.
const LAYERS: [(&str, &[&str]); 13] = [
    ("settings", &[]),
    ("openapi", &[]),
    ("context", &["settings", "openapi"]),
    ("query", &["context", "openapi"]),
    ("access", &["openapi"]),
    ("server", &["openapi"]),
    ("streams", &["context", "openapi", "query"]),
    ("state", &["access", "context", "query", "settings", "streams"]),
    ("api", &["context", "openapi", "query", "settings", "state", "streams"]),
    ("metrics", &["api", "context", "openapi", "query", "streams"]),
    ("page", &["access", "api", "openapi", "server", "settings"]),
    ("app", &["access", "api", "metrics", "openapi", "page", "server", "state"]),
    ("service", &["app", "server", "settings", "state"]),
];

/// Returns the text of each file below `src/`, by its path without `.rs`.
fn files() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (BTreeMap::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&src).unwrap().with_extension("");
                found.insert(name.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// Returns what follows `root::` (`crate::` or `super::`) in the code of a file: `a` and `d` of `{a::{b, c}, d}`.
fn used(root: &str, text: &str) -> BTreeSet<String> {
    // Unit tests may use anything.
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim()).collect();
    code.match_indices(root).flat_map(|(at, _)| first_names(&code[at + root.len()..])).collect()
}

fn first_names(tree: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = tree.strip_prefix('{') else { return vec![name(tree)] };
    let (mut names, mut depth, mut is_first) = (Vec::new(), 1, true);
    for (at, c) in list.char_indices() {
        if is_first && c.is_alphabetic() {
            names.push(name(&list[at..]));
            is_first = false;
        }
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => is_first = true,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn a_folder_uses_only_what_it_may() {
    let mut wrong = Vec::new();
    for (file, text) in files().iter().filter(|(file, _)| *file != "lib") {
        let layer = file.split('/').next().unwrap();
        let allowed = LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("add `{layer}` to LAYERS, with what it may use"));
        let others =
            used("crate::", text).into_iter().filter(|name| name != layer && !allowed.contains(&name.as_str()));
        wrong.extend(others.map(|name| format!("{file}.rs uses `crate::{name}`")));
    }
    assert!(wrong.is_empty(), "not allowed by LAYERS: {wrong:#?}");
    for (at, (layer, allowed)) in LAYERS.iter().enumerate() {
        let above: Vec<_> = LAYERS[..at].iter().map(|(name, _)| name).collect();
        assert!(allowed.iter().all(|name| above.contains(&name)), "`{layer}` may use only what stands above it");
    }
}

#[test]
fn no_two_files_of_a_folder_need_each_other() {
    let files = files();
    // Takes away, again and again, the files that need none of those that are left.
    let mut left: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in &files {
        let Some((folder, name)) = file.rsplit_once('/').filter(|(_, name)| *name != "mod") else { continue };
        let siblings = used("super::", text).into_iter().filter(|sibling| sibling != name);
        left.insert(file, siblings.map(|sibling| format!("{folder}/{sibling}")).collect());
    }
    loop {
        let names: BTreeSet<String> = left.keys().map(|name| (*name).to_owned()).collect();
        let before = left.len();
        left.retain(|_, siblings| siblings.iter().any(|sibling| names.contains(sibling)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "these need each other: {left:#?}");
}

#[test]
fn names_are_found_in_every_way_to_write_them() {
    let names = |code: &str| used("crate::", code).into_iter().collect::<Vec<_>>().join(" ");
    for (code, expected) in [
        ("use crate::a::B;", "a"),
        ("use crate::{\n    a::{b, c},\n    d,\n    e::F,\n};", "a d e"),
        ("let x = crate::a::b(crate::c::D);", "a c"),
        ("// use crate::a;", ""),
        ("use a::crate_::b;", ""),
        ("use crate::a;\n#[cfg(test)]\nmod tests { use crate::b; }", "a"),
    ] {
        assert_eq!(names(code), expected, "{code}");
    }
    assert!(files().len() > 40 && files().values().any(|text| !used("super::", text).is_empty()));
}
