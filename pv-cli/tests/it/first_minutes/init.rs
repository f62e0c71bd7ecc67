//! `pv init`, and `pv submit` in a clone.

use std::{fs, io::Write, process::Stdio};

use super::new_user::NewUser;
use crate::fixture::{finish, text};

#[test]
fn init_writes_what_run_finds_once_and_asks_where_it_can() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let settings = user.path("config/prompt-valet/config.yaml");
    assert!(user.output(&clone, &["init"], 2).contains("`pv init --yes` asks nothing"));
    assert!(!settings.exists());
    let printed = user.output(&clone, &["init", "--yes"], 0);
    for part in ["config.yaml (written)", "repository  remote/example@main\n", "next        pv run "] {
        assert!(printed.contains(part), "{part:?} in {printed}");
    }
    let written = fs::read_to_string(&settings).expect("settings");
    assert!(written.contains("Found: codex (logged in).\ndefault_agent: codex\n"), "{written}");
    fs::write(&settings, format!("{written}\n# mine\n")).expect("writes");
    let printed = user.output(&clone, &["init"], 0);
    assert!(printed.contains("there already, left as they are") && printed.contains("(known already)"), "{printed}");
    assert!(fs::read_to_string(&settings).expect("settings").ends_with("# mine\n"));
    let printed = user.output(&clone, &["run", "x"], 0);
    assert!(printed.contains("succeeded") && !printed.contains("warning"), "{printed}");
    let elsewhere = user.output(&user.home(), &["init"], 0);
    assert!(elsewhere.contains("repository  none: ") && elsewhere.contains("in no git repository"), "{elsewhere}");
}

#[test]
fn submit_finds_repository_and_branch_by_the_clone_one_stands_in() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let refused = user.output(&clone, &["submit", "-m", "x"], 3);
    assert!(refused.contains("there is no installation"), "{refused}");
    fs::create_dir_all(user.root("inbox")).expect("a folder");
    let refused = user.output(&clone, &["submit", "-m", "x"], 3);
    assert!(
        refused.contains("target remote/example @ main not found") && refused.contains("`pv init` makes"),
        "{refused}"
    );
    user.output(&clone, &["init", "--yes"], 0);
    for (n, name) in ["a.md", "b.md"].iter().enumerate() {
        fs::write(clone.join(name), format!("# Number {n}\n")).expect("writes");
    }
    user.output(&clone, &["submit", "-m", "mend it", "--agent", "codex", "--model", "m", "--title", "Mine"], 0);
    user.output(&clone, &["submit", "a.md", "b.md", "--timeout", "5m"], 0);
    let records = user.records();
    let titles: Vec<&str> = records.iter().filter_map(|record| record["title"].as_str()).collect();
    assert_eq!(titles, ["Mine", "Number 0", "Number 1"]);
    let prompt = |n: usize| {
        fs::read_to_string(user.root("inbox").join(records[n]["inbox_rel"].as_str().expect("a path"))).expect("reads")
    };
    assert!(prompt(0).contains("model: \"m\"") && prompt(0).contains("\nmend it"), "{}", prompt(0));
    assert!(prompt(2).contains("timeout: \"5m\""), "{}", prompt(2));
    for (args, code, said) in [
        (&["submit", "-m", "x", "a.md"][..], 2, "cannot be used with"),
        (&["submit"], 2, "<FILE>"),
        (&["submit", "-m", "x", "--repo", "other/one"], 2, "name --branch, too: this clone is of remote/example"),
        (&["submit", "-m", "x", "--repo", "example"], 0, ""),
        (&["submit", "-m", "x", "--branch", "none"], 3, "target remote/example @ none not found"),
    ] {
        let printed = user.output(&clone, args, code);
        assert!(printed.contains(said), "{args:?}: {printed}");
    }
    let printed = user.output(&user.home(), &["submit", "-m", "x"], 3);
    assert!(printed.contains("name --repo and --branch, since there is no clone to find them by"), "{printed}");
}

#[test]
fn submit_names_no_repository_of_this_host_to_an_api_elsewhere() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.output(&clone, &["init", "--yes"], 0);
    let up = user.json(&clone, &["up", "--detach"]);
    let api = format!("{}api/v1", up["page"].as_str().expect("a page"));
    let mut pv = user.pv(&clone, &["submit", "-", "--api", &api]);
    pv.env("PV_API_TOKEN_FILE", up["token_file"].as_str().expect("a file"));
    let mut child = pv.stdin(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(b"# By HTTP\n").expect("writes");
    let output = finish(child);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(user.records()[0]["title"], "By HTTP");
}
