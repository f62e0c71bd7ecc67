//! The mirrors of repositories, in the commands and the API: how much they take of the disk.

use std::fs;

use crate::fixture::{CliFixture, add_remote};

#[test]
fn c14_the_size_of_mirrors_is_told_by_status_doctor_and_the_api() {
    let fixture = CliFixture::with_agent("echo more >> README.md\n");
    add_remote(&fixture);
    let before = fixture.output(&["status"], 0);
    assert!(before.contains("mirrors") && before.contains("not measured"), "{before}");
    fixture.submit("o/r");
    fixture.output(&["watcher", "--once"], 0);
    let mirrors = &fixture.json(&["status"])["mirrors"];
    assert_eq!((&mirrors["count"], &mirrors["largest"][0]["repo"]), (&1.into(), &"o/r".into()), "{mirrors:#}");
    let bytes = mirrors["bytes"].as_u64().expect("a number");
    assert!(bytes > 4096 && mirrors["measured_at"].is_string(), "{mirrors:#}");
    let text = fixture.output(&["status"], 0);
    assert!(text.contains("mirrors  1, ") && text.contains("(largest: o/r "), "{text}");
    let doctor = String::from_utf8(fixture.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(doctor.contains("mirrors: 1, "), "{doctor}");
    let _api = fixture.start_api();
    let (_, status) = fixture.request("GET", "/status", "");
    assert_eq!(&status["mirrors"], mirrors);
}

#[test]
fn c14_a_mirror_that_cannot_be_kept_small_is_named() {
    let fixture = CliFixture::with_agent("echo more >> README.md\n");
    add_remote(&fixture);
    fixture.submit("o/r");
    fixture.output(&["watcher", "--once"], 0);
    // Objects by the hundred, none of which is one.
    let objects = fixture.path("repos/.mirrors/o/r.git/objects/ab");
    fs::create_dir_all(&objects).expect("writes");
    for number in 0..600 {
        fs::write(objects.join(format!("{number:038x}")), "no object\n").expect("writes");
    }
    fixture.output(&["watcher", "--once"], 0);
    for command in ["status", "doctor"] {
        let text = String::from_utf8(fixture.run(&[command]).stdout).expect("UTF-8");
        assert!(text.contains("o/r") && text.contains("cannot be kept small"), "{command}: {text}");
    }
}
