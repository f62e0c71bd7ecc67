//! What a remote said about a push, and what an agent said last, on the files and through an API.

use std::fs;

use serde_json::json;

use super::fixture::CliFixture;

const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const OTHER: &str = "0290f5c2a7b97c31b1c5b1d1a1e1f102";

#[test]
fn c12_all_that_was_said_about_a_failed_push_is_printed() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    let path = fixture.run_file(ID, "push.log");
    let delivery = json!({ "branch": "codex/x", "error": "no", "push_log_path": path });
    fixture.put_record(ID, &json!({ "state": "failed", "reason": "delivery", "delivery": delivery }));
    fixture.put_record(OTHER, &json!({ "state": "succeeded" }));
    fs::write(&path, "git push of codex/x\n\nremote: error: GH013: no\u{1b}[2J\n").unwrap();
    for more in [&[][..], &["--api", &url]] {
        let output = |args: &[&str], code| fixture.output(&[args, more].concat(), code);
        assert_eq!(output(&["log", "--push", &ID[..4]], 0), fs::read_to_string(&path).unwrap());
        let document = fixture.json(&[&["log", "--push", ID], more].concat());
        assert_eq!(document["push_log"], fs::read_to_string(&path).unwrap());
        let said = output(&["log", "--push", OTHER], 3);
        assert!(said.contains("no push of this job's branch has failed"), "{said}");
        let shown = output(&["show", ID], 0);
        assert!(shown.contains(&format!("push.log (`pv log --push {ID}`)")), "{shown}");
    }
    fixture.output(&["log", "--push", "-f", ID], 2);
}

#[test]
fn a_job_is_shown_with_the_whole_last_message_of_its_agent() {
    let fixture = CliFixture::new();
    let (_api, url) = (fixture.start_api(), fixture.url());
    fixture.put_record(ID, &json!({ "state": "succeeded" }));
    fixture.put_record(OTHER, &json!({ "state": "succeeded" }));
    fs::write(fixture.run_file(ID, "last_message.md"), "# Done\n\nAll of it.\u{1b}[2J\u{202e}\n").unwrap();
    for more in [&[][..], &["--api", &url]] {
        let shown = fixture.output(&[&["show", ID], more].concat(), 0);
        assert!(shown.ends_with("\n\nThe last that its agent said:\n\n# Done\n\nAll of it.^[[2J<U+202E>\n"), "{shown}");
        assert!(!fixture.output(&[&["show", OTHER], more].concat(), 0).contains("last that"));
        assert!(fixture.json(&[&["show", ID], more].concat()).is_object());
    }
}
