//! What an agent left that no commit holds, in the commands: named, listed, removed.

use std::fs;

use crate::fixture::{CliFixture, send_at, wait_until};

/// Runs one job whose agent leaves an ignored file, a large one and a repository without a commit.
fn left_behind() -> (CliFixture, String) {
    let fixture = CliFixture::with_agent(
        "printf 'out/\\n' > .gitignore; mkdir out; echo secret > out/report.md; git init -q empty; echo x > empty/x",
    );
    let id = fixture.submit("o/r");
    fixture.output(&["watcher", "--once"], 0);
    assert_eq!(fixture.record(&id)["state"], "succeeded", "{:#}", fixture.record(&id));
    (fixture, id)
}

#[test]
fn c04_what_is_kept_is_named_listed_and_removed_on_request() {
    let (fixture, id) = left_behind();
    let checkout = fixture.path(format!("work/{id}"));
    let archive = fixture.path(format!("runs/{id}/ignored.tar.zst"));

    let shown = fixture.output(&["show", &id], 0);
    for part in
        ["1 ignored file is in no commit", "ignored files", &archive.display().to_string(), "kept checkout", "empty"]
    {
        assert!(shown.contains(part), "`{part}`: {shown}");
    }
    assert!(fixture.output(&["diff", "--ignored", &id], 0).contains("7 B  out/report.md"));
    assert!(!fixture.output(&["diff", &id], 0).contains("secret"));
    for command in ["status", "doctor"] {
        let stdout = String::from_utf8(fixture.run(&[command]).stdout).expect("UTF-8");
        assert!(
            stdout.contains(&checkout.display().to_string()) && stdout.contains("pv discard"),
            "{command}: {stdout}"
        );
        assert!(stdout.contains("files that git does not take (empty)"), "{command}: {stdout}");
    }
    let status = fixture.json(&["status"]);
    assert_eq!(status["kept_checkouts"][0]["job_id"], id.as_str(), "{status:#}");

    assert!(fixture.output(&["discard", &id], 0).contains(&checkout.display().to_string()));
    assert!(!checkout.exists() && archive.exists());
    let delivery = &fixture.record(&id)["delivery"];
    assert!(delivery["checkout_path"].is_null() && delivery["checkout_discarded_at"].is_string(), "{delivery:#}");
    assert!(!fixture.output(&["status"], 0).contains("pv discard"));
    assert!(fixture.output(&["discard", &id], 3).contains("has no checkout"));
}

#[test]
fn a_checkout_in_use_is_not_removed_and_one_whose_job_is_gone_is() {
    let fixture = CliFixture::with_agent("touch ../begun; while [ ! -e ../go ]; do sleep 0.05; done");
    let _watcher = fixture.start("watcher");
    let _api = fixture.start_api();
    let id = fixture.post("# Wait\n");
    wait_until("the agent runs", || fixture.path("work/begun").exists().then_some(()));
    assert!(fixture.output(&["discard", &id], 4).contains(&id));
    assert!(fixture.path(format!("work/{id}")).exists());
    assert!(fixture.output(&["--api", "http://127.0.0.1:1", "discard", &id], 2).contains("without --api"));
    fs::write(fixture.path("work/go"), "").expect("writes");
    fixture.wait_for_state(&id, "succeeded");

    let gone = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    fs::create_dir_all(fixture.path(format!("work/{gone}/x"))).expect("makes it");
    assert!(fixture.output(&["status"], 0).contains("its job is gone"));
    fixture.output(&["discard", gone], 0);
    assert!(!fixture.path(format!("work/{gone}")).exists());
}

/// The archive is served by no way of the API.
#[test]
fn c04_ignored_files_leave_their_host_by_no_request() {
    let (fixture, id) = left_behind();
    let _api = fixture.start_api();
    for path in ["log", "patch", "prompt", "ignored", "ignored.tar.zst", "files/ignored.tar.zst"] {
        let response = send_at(fixture.port, "GET", &format!("/jobs/{id}/{path}"), "", "");
        assert!(response.starts_with(b"HTTP/1.1 "), "{path}");
        let archive = fs::read(fixture.path(format!("runs/{id}/ignored.tar.zst"))).expect("reads");
        assert!(!response.windows(archive.len()).any(|window| window == archive), "{path}");
        assert!(!response.windows(6).any(|window| window == b"secret"), "{path}");
    }
}
