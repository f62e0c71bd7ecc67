//! `ARCHITECTURE.md` is true: its matrix, its paths, and what it says is never there.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test, on files of this repository")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use pv_lib::job::state_matrix;

const BEGIN: &str = "<!-- states -->\n";
const END: &str = "<!-- /states -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

#[test]
fn g07_the_state_matrix_is_the_codes() {
    let page = page();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}{}{END}{after}", state_matrix());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join("ARCHITECTURE.md"), &current).unwrap();
        return;
    }
    assert!(page == current, "out of date: UPDATE_DOCS=1 cargo test -p pv-lib --test it architecture");
}

#[test]
fn every_path_on_the_page_is_there() {
    let page = page();
    let paths = page.split('`').skip(1).step_by(2).filter(|text| text.contains('/') && !text.contains(['<', ' ', ':']));
    // Shorthands within the library, as the text about it uses them.
    let exists = |path: &str| [root().join(path), root().join("pv-lib/src").join(path)].iter().any(|p| p.exists());
    let paths: Vec<_> = paths.filter(|path| !path.starts_with('/')).collect();
    assert!(paths.len() > 30, "{paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !exists(path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Finds lines of code under `dir` that have one of `words`, but in files whose path ends with one of `allowed`.
fn lines_with(dir: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(dir)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !allowed.iter().any(|allowed| path.ends_with(allowed)) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let hits = code.filter(|line| words.iter().any(|word| line.contains(word)));
                found.extend(hits.map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    found
}

#[test]
fn what_is_never_there_is_not_there() {
    let check = |dir: &str, words: &[&str], allowed: &[&str]| {
        let found = lines_with(dir, words, allowed);
        assert!(found.is_empty(), "{found:#?}");
    };
    let clock = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "now_v7"];
    check("pv-lib/src", &clock, &["host.rs"]);
    check("pv-lib/src", &["std::env", "env::var", "thread::sleep", "std::process", "tokio"], &[]);
    let verbs = ["fs/durable.rs", "fs/conformance.rs", "fs/fault.rs", "fs/mem/mem_fs.rs"];
    check("pv-lib/src", &[".rename(", ".sync_dir("], &verbs);
    for shell in ["pv-http/src", "pv-watcher/src", "pv-cli/src"] {
        check(shell, &[".rename(", ".sync_dir("], &[]);
    }
    // Names of files and folders are in the layout; a test about names of prompts holds one.
    let names = ["\"job.json\"", "\"job.log\"", "\"changes.patch\"", "\"agent.jsonl\"", "\"ABORT\""];
    let folders = ["\".mirrors", "\".watcher", "\".pv_inbox", "\".locks", "\".holds"];
    for home in ["pv-lib/src", "pv-cli/src"] {
        let allowed = ["pv-lib/src/layout.rs", "prompt/name.rs"];
        check(home, &[&names[..], &folders[..]].concat(), &allowed);
    }
    check("pv-http/src", &[".writer(", "try_lock", "is_held", "acquire_watcher_lock", "RunWriter", "pv_watcher"], &[]);
    check("pv-watcher/src", &["pv_http", "record.pid as", "from_raw(record", "kill(record"], &[]);
}

#[test]
fn the_search_finds_what_is_there() {
    assert!(!lines_with("pv-lib/src", &["SystemTime::now"], &[]).is_empty());
    assert!(!lines_with("pv-watcher/src", &["acquire_watcher_lock"], &[]).is_empty());
}
