//! Launchers as a user meets them: `pv doctor`, `pv show`, `pv abort --forget`, and the same by the API.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::fixture::{CliFixture, wait_until};

/// Adds to the settings how the agent `scripted` is run.
fn with_launcher(fixture: &CliFixture, launcher: &str) {
    let settings = fs::read_to_string(fixture.config()).unwrap();
    let (begin, rest) = settings.split_once("watcher:\n").unwrap();
    let more = format!("    launcher: mine\nlaunchers:\n  mine: {launcher}\nwatcher:\n");
    fs::write(fixture.config(), format!("{begin}{more}{rest}")).unwrap();
}

/// A launcher whose `alive` says what is in a file, or nothing.
fn tellable(fixture: &CliFixture) -> (String, PathBuf) {
    let file = fixture.path("answer");
    let shown = file.display();
    let launcher = format!(
        "{{kind: command, run: [sh, -c, 'exec \"$@\"', sh], stop: ['true'], alive: [sh, -c, 'if [ -e {shown} ]; then exit 3; fi']}}"
    );
    (launcher, file)
}

#[test]
fn doctor_tries_each_launcher_and_whether_it_finds_the_agents() {
    let doctor = |launcher: &str| {
        let fixture = CliFixture::with_agent("true\n");
        with_launcher(&fixture, launcher);
        let found = fixture.run(&["doctor", "--json"]);
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        let of = |check: &str| {
            let all = found["checks"].as_array().or(found.as_array()).unwrap();
            let finding = all.iter().find(|finding| finding["check"] == check).cloned();
            finding.map(|finding| {
                format!("{}: {}", finding["level"].as_str().unwrap(), finding["message"].as_str().unwrap())
            })
        };
        (of("launcher mine"), of("agent scripted (default)"), fixture)
    };
    let (launcher, agent, _) = doctor("{kind: command, run: [sh, -c, 'exec \"$@\"', sh]}");
    assert!(launcher.unwrap().starts_with("warning: ran a command in"));
    assert_eq!(agent.as_deref(), Some("ok: its program is found by the launcher `mine`"));
    let (launcher, _, fixture) = doctor("{kind: command, run: [/nowhere/podman, run]}");
    let launcher = fixture.redact(&launcher.unwrap());
    assert!(launcher.starts_with("problem: cannot run a command: `/nowhere/podman` cannot be executed"), "{launcher}");
    let nothing_there = "{kind: command, run: [sh, -c, 'if [ \"$4\" ]; then exit 127; fi; exec \"$@\"', sh]}";
    let (_, agent, _) = doctor(nothing_there);
    assert!(agent.as_deref().is_some_and(|found| found.starts_with("problem: by the launcher `mine`: ")), "{agent:?}");
}

#[test]
fn a_job_whose_end_is_not_proved_is_over_when_a_person_gives_it_up() {
    for by_api in [false, true] {
        let fixture = CliFixture::with_agent("cat >/dev/null\necho work >> README.md\necho started\nsleep 300\n");
        let (launcher, answer) = tellable(&fixture);
        with_launcher(&fixture, &launcher);
        let (_watcher, _api) = (fixture.start("watcher"), fixture.start_api());
        let id = fixture.submit("o/r");
        wait_until("it runs", || fixture.log(&id).contains("started").then_some(()));
        fs::write(&answer, "").unwrap();
        fixture.output(&["abort", &id], 0);
        let waits = wait_until("it is said that there is no proof", || {
            fixture.record(&id)["waiting_for"].as_str().map(str::to_owned)
        });
        assert!(waits.starts_with("proof that the launcher `mine` has ended what it started"), "{waits}");
        let shown = fixture.output(&["show", &id], 0);
        assert!(shown.contains("launcher") && shown.contains("waits for"), "{shown}");
        assert!(
            fixture.output(&["list"], 0).contains("running, abort requested, waits"),
            "{}",
            fixture.output(&["list"], 0)
        );
        wait_until("the status counts it", || {
            (fixture.json(&["status"])["watcher"]["blocked_by_launcher"] == 1).then_some(())
        });
        if by_api {
            let (status, receipt) = fixture.request("POST", &format!("/jobs/{id}/abort?forget=true"), "");
            assert_eq!((status, &receipt["previous_state"]), (200, &json!("running")), "{receipt}");
        } else {
            fixture.output(&["abort", "--forget", &id], 0);
        }
        assert!(fixture.run_file(&id, "FORGET").exists());
        let record = fixture.wait_for_end(&id);
        assert_eq!(record["state"], "aborted", "{record}");
        let message = record["message"].as_str().unwrap();
        assert!(message.contains("it was given up: there was no proof that the launcher `mine`"), "{message}");
        assert!(record["containment"].is_null(), "{record}");
    }
}
