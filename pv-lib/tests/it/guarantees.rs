//! `docs/guarantees.md` names, for each promise, the tests that carry its number: made from their names, and compared.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test, on files of this repository")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// How many promises there are.
const PROMISES: u32 = 31;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the names of the tests that carry each number.
fn numbered_tests() -> BTreeMap<u32, BTreeSet<String>> {
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut folders: Vec<PathBuf> =
        ["pv-lib", "pv-http", "pv-watcher", "pv-cli"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in text.lines().filter_map(test_name) {
                    let digits: String = name[1..].chars().take_while(char::is_ascii_digit).collect();
                    found.entry(digits.parse().unwrap()).or_default().insert(name.to_owned());
                }
            }
        }
    }
    found
}

/// Returns the name of a test that carries a number: `g15_…`.
fn test_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    let name = &name[..name.find(['(', ' ', '<'])?];
    let (number, _) = name.strip_prefix('g')?.split_once('_')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

/// Returns the page with its lists made anew.
fn with_tests(page: &str, tests: &BTreeMap<u32, BTreeSet<String>>) -> String {
    let mut out = String::new();
    let mut is_list = false;
    for line in page.lines() {
        let number = line.trim().strip_prefix("<!-- tests ").and_then(|rest| rest.strip_suffix(" -->"));
        is_list &= line.trim() != "<!-- /tests -->";
        if !is_list {
            out += line;
            out.push('\n');
        }
        if let Some(number) = number {
            is_list = true;
            match tests.get(&number.parse().unwrap()) {
                Some(names) => names.iter().for_each(|name| out += &format!("   - `{name}`\n")),
                None => out += "   - no test carries this number yet\n",
            }
        }
    }
    out
}

#[test]
fn the_page_names_the_tests_that_prove_each_promise() {
    let path = root().join("docs/guarantees.md");
    let page = fs::read_to_string(&path).unwrap();
    let current = with_tests(&page, &numbered_tests());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, current).unwrap();
        return;
    }
    assert!(page == current, "out of date: UPDATE_DOCS=1 cargo test -p pv-lib --test it guarantees");
}

#[test]
fn every_number_is_a_promise_and_every_promise_has_a_list() {
    let page = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    for number in 1..=PROMISES {
        assert!(
            page.contains(&format!("\n{number}. ")) && page.contains(&format!("<!-- tests {number} -->")),
            "{number}"
        );
    }
    let unknown: Vec<_> = numbered_tests().into_keys().filter(|number| !(1..=PROMISES).contains(number)).collect();
    assert!(unknown.is_empty(), "tests carry the numbers {unknown:?}, which are no promises");
}

#[test]
fn names_are_read_from_code() {
    assert_eq!(test_name("    fn g15_x_y() {"), Some("g15_x_y"));
    assert_eq!(test_name("async fn g01_x() {"), Some("g01_x"));
    for other in ["fn gone() {", "// fn g15_x() {", "fn g_x() {", "let g15_x = 1;"] {
        assert_eq!(test_name(other), None, "{other}");
    }
}
