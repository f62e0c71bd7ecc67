//! What an agent left that no commit holds, as a person meets it: named, listed, looked at, removed.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use crate::house::{House, LIMIT, until};

/// Runs one job whose agent leaves an ignored file, a large one and a repository without a commit.
fn left_behind() -> (House, String) {
    let house = House::new(
        "printf 'out/\\n' > .gitignore; mkdir out; echo secret > out/report.md; git init -q empty; echo x > empty/x",
    );
    fs::write(house.path("prompt.md"), "# Leave things\n").expect("writes");
    let mut submit = house.pv();
    submit.args(["submit", "--repo", "o/r", "--branch", "main", "--json"]).arg(house.path("prompt.md"));
    let submitted = submit.output().expect("runs pv");
    let submitted: Value = serde_json::from_slice(&submitted.stdout).expect("JSON");
    let id = submitted["job_id"].as_str().expect("an id").to_owned();
    let watched = house.run(&["watcher", "--once"]);
    assert!(watched.status.success(), "{}", String::from_utf8_lossy(&watched.stderr));
    assert_eq!(house.record(&id)["state"], "succeeded", "{:#}", house.record(&id));
    (house, id)
}

fn printed(house: &House, args: &[&str], code: i32) -> String {
    let output = house.run(args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "pv {args:?}: {text}");
    text
}

#[test]
fn c04_what_is_kept_is_named_listed_and_removed_when_its_person_has_looked() {
    let (house, id) = left_behind();
    let checkout = house.path(&format!("work/{id}"));
    let archive = house.path(&format!("runs/{id}/ignored.tar.zst"));

    let shown = printed(&house, &["show", &id], 0);
    for part in
        ["1 ignored file is in no commit", "ignored files", &archive.display().to_string(), "kept checkout", "empty"]
    {
        assert!(shown.contains(part), "`{part}`: {shown}");
    }
    assert!(printed(&house, &["diff", "--ignored", &id], 0).contains("7 B  out/report.md"));
    assert!(!printed(&house, &["diff", &id], 0).contains("secret"));
    for command in ["status", "doctor"] {
        let said = house.run(&[command]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&checkout.display().to_string()) && said.contains("pv discard"), "{command}: {said}");
        assert!(said.contains("files that git does not take (empty)"), "{command}: {said}");
    }
    let status: Value = serde_json::from_str(&printed(&house, &["status", "--json"], 0)).expect("JSON");
    assert_eq!(status["kept_checkouts"][0]["job_id"], id.as_str(), "{status:#}");

    assert!(printed(&house, &["discard", &id], 0).contains(&checkout.display().to_string()));
    assert!(!checkout.exists() && archive.exists());
    let delivery = &house.record(&id)["delivery"];
    assert!(delivery["checkout_path"].is_null() && delivery["checkout_discarded_at"].is_string(), "{delivery:#}");
    assert!(!printed(&house, &["status"], 0).contains("pv discard"));
    assert!(printed(&house, &["discard", &id], 3).contains("has no checkout"));
}

#[test]
fn a_checkout_in_use_is_not_removed_and_one_whose_job_is_gone_is() {
    let house = House::new("touch ../begun; while [ ! -e ../go ]; do sleep 0.05; done");
    let _watcher = house.start("watcher");
    let _api = house.start_api();
    let id = house.post("# Wait\n");
    until("the agent works", || house.path("work/begun").exists().then_some(()));
    assert!(printed(&house, &["discard", &id], 4).contains(&id));
    assert!(house.path(&format!("work/{id}")).exists());
    assert!(printed(&house, &["--api", "http://127.0.0.1:1", "discard", &id], 2).contains("without --api"));
    fs::write(house.path("work/go"), "").expect("writes");
    house.until_state(&id, "succeeded");

    let gone = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    fs::create_dir_all(house.path(&format!("work/{gone}/x"))).expect("makes it");
    assert!(printed(&house, &["status"], 0).contains("its job is gone"));
    printed(&house, &["discard", gone], 0);
    assert!(!house.path(&format!("work/{gone}")).exists());
}

/// The archive is served by no way of the API.
#[test]
fn c04_ignored_files_leave_their_host_by_no_request() {
    let (house, id) = left_behind();
    let _api = house.start_api();
    for path in ["log", "patch", "prompt", "ignored", "ignored.tar.zst", "files/ignored.tar.zst"] {
        let mut stream = TcpStream::connect(("127.0.0.1", house.port)).expect("connects");
        stream.set_read_timeout(Some(LIMIT)).expect("sets a limit");
        let request = format!("GET /api/v1/jobs/{id}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("asks");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answers");
        assert!(answer.starts_with(b"HTTP/1.1 "), "{path}");
        let archive = fs::read(house.path(&format!("runs/{id}/ignored.tar.zst"))).expect("reads");
        assert!(!answer.windows(archive.len()).any(|window| window == archive), "{path}");
        assert!(!answer.windows(6).any(|window| window == b"secret"), "{path}");
    }
}
