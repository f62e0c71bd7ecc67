//! `pv diff`, on the files and through an API.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    process::Command,
};

use serde_json::json;

use super::fixture::{CliFixture, finish};

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const OTHER: &str = "0290f5c2a7b97c31b1c5b1d1a1e1f102";

#[test]
fn a_patch_goes_through_a_pipe_byte_for_byte() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let run = fixture.put_record(ID, &json!({ "state": "succeeded" }));
    let patch: Vec<u8> = b"diff --git a/x b/x\n+\x1b[31m\xff\0\r\n".iter().copied().cycle().take(3_000_001).collect();
    fs::write(run.join("changes.patch"), &patch).unwrap();
    for more in [&[][..], &["--api", &url]] {
        let piped = File::create(fixture.path("piped")).unwrap();
        let mut pv = fixture.pv(&[&["diff", &ID[..4]], more].concat());
        let output = finish(pv.stdout(piped).spawn().unwrap());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(fs::read(fixture.path("piped")).unwrap() == patch, "{more:?}");

        fs::write(run.join("changes.patch"), "diff\n+\u{1b}[31mé\n").unwrap();
        let document = fixture.json(&[&["diff", ID], more].concat());
        assert_eq!(document, json!({ "job_id": ID, "patch": "diff\n+\u{1b}[31mé\n" }));
        fs::write(run.join("changes.patch"), &patch).unwrap();
    }
}

#[test]
fn where_there_is_no_patch_the_reason_is_printed() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let run = fixture.put_record(ID, &json!({ "state": "running" }));
    let other = fixture.put_record(OTHER, &json!({ "state": "failed" }));
    symlink(fixture.path("task.md"), other.join("changes.patch")).unwrap();
    for more in [&[][..], &["--api", &url]] {
        let output = |id, code| fixture.output(&[&["diff", id], more].concat(), code);
        assert!(output(ID, 4).contains("the job is running, and its changes are saved when it is over"));
        assert!(output(OTHER, 3).contains("no changes were saved"));
        output("nothing", 3);
    }
    fs::write(run.join("changes.patch"), "").unwrap();
    assert_eq!(fixture.output(&["diff", ID], 0), "");
}

#[test]
fn a_terminal_gets_visible_text() {
    let fixture = CliFixture::new();
    let run = fixture.put_record(ID, &json!({ "state": "succeeded" }));
    fs::write(run.join("changes.patch"), "@@ -1 +1 @@\n-\u{1b}[2J\n+\tnew\n").unwrap();
    let shown = |no_color: &str| {
        // `script` gives the program a terminal.
        let pv = fixture.pv(&["diff", ID]);
        let line = format!("{} diff {ID}", pv.get_program().to_str().unwrap());
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]);
        script.envs(pv.get_envs().map(|(name, value)| (name, value.unwrap()))).env("NO_COLOR", no_color);
        let output = script.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
    };
    assert_eq!(shown("1"), "@@ -1 +1 @@\n-^[[2J\n+\tnew\n");
    assert_eq!(shown(""), "\u{1b}[36m@@ -1 +1 @@\u{1b}[0m\n\u{1b}[31m-^[[2J\u{1b}[0m\n\u{1b}[32m+\tnew\u{1b}[0m\n");
}
