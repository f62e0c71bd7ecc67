//! Checks from the command line: submitted with, shown, listed, and run again; on the files and through an API.

use std::fs;

use serde_json::{Value, json};

use crate::fixture::{CliFixture, add_remote, git};

const SETTINGS: &str = "checks:\n  small: '[ $(wc -l < README.md) -lt 9 ] || { echo README.md is too long; exit 4; }'\n  \
                        fixed: 'test -e \"$HOME/fixed\"'\nrepos:\n  o/r: {checks: [small], attempts: 2}\n";

#[test]
fn checks_are_chosen_shown_listed_and_run_again() {
    let fixture = CliFixture::with_agent("echo more >> README.md");
    let remote = add_remote(&fixture);
    fs::write(fixture.config(), fs::read_to_string(fixture.config()).expect("reads") + SETTINGS).expect("writes");
    let _watcher = fixture.start("watcher");
    let _api = fixture.start_api();
    fs::write(fixture.path("task.md"), "# Add a line\n").expect("writes");
    let file = fixture.path("task.md").display().to_string();
    let submit = |more: &[&str]| -> String {
        let args = [&["submit", &file, "--repo", "o/r", "--branch", "main"], more].concat();
        let receipts = fixture.json(&args);
        let receipt = receipts.get(0).unwrap_or(&receipts);
        receipt["job_id"].as_str().expect("an id").to_owned()
    };
    let url = fixture.url();

    let green = submit(&[]);
    let record = fixture.wait_for_end(&green);
    assert_eq!((&record["state"], &record["verified"]), (&json!("succeeded"), &json!(true)), "{record:#}");
    let verified = |id: &str| {
        let shown = fixture.output(&["show", id], 0);
        let line = shown.lines().find_map(|line| line.strip_prefix("verified ")).unwrap_or_default();
        line.trim().to_owned()
    };
    assert!(verified(&green).starts_with("yes, by `[ $(wc -l < README.md) -lt 9 ]"), "{}", verified(&green));

    // By way of the API: another check, which is red, and one attempt.
    let red = submit(&["--checks", "small,fixed", "--attempts", "1", "--api", &url]);
    let record = fixture.wait_for_end(&red);
    assert_eq!((&record["reason"], &record["verified"]), (&json!("check"), &json!(false)), "{record:#}");
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1));
    assert!(verified(&red).starts_with("no: `[") && verified(&red).contains("(exit 1, "), "{}", verified(&red));

    let ids = |args: &[&str]| -> Vec<String> {
        let list = fixture.json(args);
        let jobs = list["jobs"].as_array().cloned().unwrap_or_default();
        jobs.iter().filter_map(|job| job["job_id"].as_str().map(str::to_owned)).collect()
    };
    for api in [&[][..], &["--api", &url]] {
        assert_eq!(ids(&[&["list", "--verified"], api].concat()), [green.as_str()]);
        assert_eq!(ids(&[&["list", "--verified=false"], api].concat()), [red.as_str()]);
    }
    let table = fixture.output(&["list", "--verified"], 0);
    assert!(table.contains("succeeded, verified"), "{table}");

    // Its checks run again on what it left, without its agent, and what is green then is delivered.
    fs::write(fixture.path("fixed"), "").expect("writes");
    let receipt: Value = fixture.json(&["retry", "--checks", &red, "--api", &url]);
    let again = receipt["job_id"].as_str().expect("an id");
    let record = fixture.wait_for_end(again);
    assert_eq!((&record["state"], &record["verified"]), (&json!("succeeded"), &json!(true)), "{record:#}");
    assert_eq!((&record["checks_only"], &record["attempts"]), (&json!(true), &json!(null)));
    let branch = record["delivery"]["branch"].as_str().expect("a branch");
    assert!(git(&remote, &["show", &format!("{branch}:README.md")]).ends_with("more"));
    let refused = fixture.output(&["retry", "--checks", &green], 4);
    assert!(refused.contains("it succeeded, so that its work is delivered already"), "{refused}");
}

#[test]
fn what_cannot_be_chosen_is_said_before_anything_is_submitted() {
    let fixture = CliFixture::with_agent("true");
    fs::write(fixture.path("task.md"), "# Add a line\n").expect("writes");
    let file = fixture.path("task.md").display().to_string();
    for (more, part) in [
        (["--checks", "rm -rf /"], "`rm -rf /` is no name of a check"),
        (["--attempts", "11"], "a whole number from 1 to 10"),
    ] {
        let output = fixture.run(&[&["submit", &file, "--repo", "o/r", "--branch", "main"], &more[..]].concat());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(5) && errors.contains(part), "{errors}");
    }
    assert_eq!(fixture.json(&["list"])["jobs"], json!([]));
}
