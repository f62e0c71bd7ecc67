//! What an agent is told of checks that failed.

use std::path::PathBuf;

use pv_lib::job::CheckResult;

use super::checks::{Tail, changes_of_checks, repair_prompt};

fn result(name: &str, exit_code: i32) -> CheckResult {
    let command = format!("make {name}");
    CheckResult { name: name.into(), command, exit_code: Some(exit_code), seconds: 1.0, ..CheckResult::default() }
}

#[test]
fn only_what_failed_is_told_with_the_end_of_its_output() {
    let results = [result("a", 0), result("b", 2)];
    let tail = |check, text: &str, is_cut| Tail { check, text: text.into(), is_cut };
    assert_eq!(
        repair_prompt(&results, &[tail(0, "fine\n", false), tail(1, "expected 3\ngot 4\n", false)]),
        "A check of this repository fails on your work. Mend the work so that it passes; do not weaken what is checked.\n\n\
         The check `b`, `make b`: exit 2, 1.0 s. Its output:\n\n```\nexpected 3\ngot 4\n```\n"
    );
    let timed_out = CheckResult { timed_out: true, exit_code: Some(-15), ..result("c", 0) };
    let told = repair_prompt(&[result("b", 2), timed_out], &[tail(0, "x\n````\n", true), tail(1, "", false)]);
    assert!(told.starts_with("Checks of this repository fail on your work."), "{told}");
    assert!(told.contains("The end of its output:\n\n`````\nx\n````\n`````\n"), "{told}");
    assert!(told.contains("The check `c`, `make c`: ended at its time limit, 1.0 s. It wrote nothing.\n"), "{told}");
}

#[test]
fn work_that_changes_what_checks_run_from_is_seen() {
    let check = |changed: &[&str], expected: &[&str]| {
        let changed = changed.iter().map(PathBuf::from).collect();
        let patterns = ["tests/**", "**/Makefile", "*.toml"].map(str::to_owned);
        assert_eq!(changes_of_checks(&changed, &patterns), expected, "{changed:?}");
    };
    check(&["src/a.rs"], &[]);
    check(&["src/Makefile", "Makefile", "tests/a/b.rs"], &["Makefile", "src/Makefile", "tests/a/b.rs"]);
    check(&["a.toml", "sub/a.toml", "tests"], &["a.toml"]);
}
