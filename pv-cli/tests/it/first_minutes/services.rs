//! `pv up --detach` and `pv down`: a page in the background, with a token of its own.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use super::new_user::NewUser;
use crate::fixture::{finish, request_at, text, wait_until};

fn port_of(page: &str) -> u16 {
    page.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn a_page_in_the_background_needs_its_own_token_and_is_stopped_by_down() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let up = user.json(&clone, &["up", "--detach"]);
    let (page, token_file) = (up["page"].as_str().expect("a page"), up["token_file"].as_str().expect("a file"));
    let port = port_of(page);
    assert_eq!(request_at(port, "GET", "/healthz", "").0, 200);
    assert_eq!(request_at(port, "GET", "/jobs", "").0, 401, "other users of the host can reach the port");
    assert_eq!(fs::metadata(token_file).expect("a token").permissions().mode() & 0o777, 0o600);
    let listed =
        user.pv(&clone, &["list", "--api", &format!("{page}api/v1")]).env("PV_API_TOKEN_FILE", token_file).output();
    assert!(listed.expect("runs").status.success());
    assert!(user.output(&clone, &["status"], 0).contains(&format!("page     {page}")));

    let again = user.output(&clone, &["up"], 4);
    assert!(again.contains(&format!("it runs already (pid {}", up["pid"])) && again.contains(page), "{again}");
    assert!(again.contains("`pv down` stops it"), "{again}");
    let printed = user.output(&clone, &["run", "x"], 0);
    assert!(printed.contains("watcher      runs"), "{printed}");
    assert!(user.output(&clone, &["down"], 0).contains("stopped"));
    assert!(!user.output(&clone, &["status"], 0).contains("page     "), "it is gone");
    let token = fs::read_to_string(token_file).expect("a token");
    user.json(&clone, &["up", "--detach"]);
    assert_eq!(fs::read_to_string(token_file).expect("a token"), token, "the token stays");
}

#[test]
fn a_taken_port_is_replaced_unless_somebody_chose_it() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    // Whoever has it, a test or another program of this host: it is taken.
    let default = TcpListener::bind("127.0.0.1:8888");
    let up = user.json(&clone, &["up", "--detach"]);
    let port = port_of(up["page"].as_str().expect("a page"));
    assert_ne!(port, 8888);
    assert!(user.service_log().contains("port 8888 is taken: a free one is used; PV_BIND_PORT names another"));
    user.output(&clone, &["down"], 0);
    drop(default);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let chosen = taken.local_addr().expect("an address").port().to_string();
    let refused = finish(user.pv(&clone, &["up"]).env("PV_BIND_PORT", &chosen).spawn().expect("starts"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("PV_BIND_PORT"), "{refused:?}");
    let detached = finish(user.pv(&clone, &["up", "--detach"]).env("PV_BIND_PORT", &chosen).spawn().expect("starts"));
    assert_eq!(detached.status.code(), Some(5));
    assert!(text(&detached).contains("the service ended at once") && text(&detached).contains(&chosen), "{detached:?}");
}

#[test]
fn a_watcher_of_run_has_no_page_and_up_takes_its_place() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.output(&clone, &["run", "x"], 0);
    let printed = user.output(&clone, &["up", "--detach"], 0);
    assert!(printed.contains("one with a page takes its place") && printed.contains("page   http://"), "{printed}");
    assert!(user.output(&clone, &["status"], 0).contains("page     http://"));
    let printed = user.output(&clone, &["run", "again"], 0);
    assert!(printed.contains("watcher      runs"), "{printed}");
    let page = user.json(&clone, &["status"])["watcher"]["page"].as_str().expect("a page").to_owned();
    let id = user.records().pop().expect("a record")["job_id"].as_str().expect("an id").to_owned();
    assert!(printed.contains(&format!("page         {page}#/jobs/{id}")), "{printed}");
    // One that a person started themselves stays.
    user.output(&clone, &["down"], 0);
    let mut watcher = user.pv(&clone, &["watcher"]).spawn().expect("starts");
    wait_until("it runs", || user.json(&clone, &["status"])["watcher"]["alive"].as_bool().filter(|alive| *alive));
    let printed = user.output(&clone, &["up", "--detach"], 4);
    assert!(printed.contains("without a page: `pv api` serves the page beside it"), "{printed}");
    user.output(&clone, &["down"], 0);
    watcher.wait().expect("waits");
}

#[test]
fn the_users_own_systemd_keeps_the_watcher_where_there_is_one() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    fs::create_dir_all(user.path("run/systemd")).expect("a folder");
    fs::write(user.path("run/systemd/private"), "").expect("writes");
    // It notes how it is called, and starts what it is to start.
    let systemd_run = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$HOME/called\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n\
        \"$@\" > /dev/null 2>&1 &\nuntil [ -e \"$PV_ROOT/runs/.locks/.watcher.json\" ]; do sleep 0.02; done\n";
    user.install("systemd-run", systemd_run);
    user.output(&clone, &["run", "x"], 0);
    let called = fs::read_to_string(user.home().join("called")).expect("it was called");
    for part in
        ["--user", "--service-type=notify", "KillMode=process", "UMask=0007", "--setenv=PATH", "--setenv=PV_ROOT"]
    {
        assert!(called.lines().any(|line| line == part), "{part} in {called}");
    }
    assert!(!called.contains("PATH=/"), "values are in no argument: {called}");
    user.output(&clone, &["down"], 0);
    // One that refuses is no obstacle.
    user.install("systemd-run", "#!/bin/sh\nexit 1\n");
    user.output(&clone, &["run", "y"], 0);
}

#[test]
fn a_watcher_in_the_background_is_started_anew_for_another_login() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.output(&clone, &["run", "x"], 0);
    let with_home = |home: &str| {
        let mut pv = user.pv(&clone, &["run", "y"]);
        let output = finish(pv.env("CODEX_HOME", home).env("TERM", home).spawn().expect("starts"));
        assert!(output.status.success(), "{output:?}");
        text(&output)
    };
    let printed = with_home("/a");
    assert!(printed.contains("started anew (pid ") && printed.contains("it had not the same CODEX_HOME"), "{printed}");
    assert!(with_home("/a").contains("watcher      runs (pid "), "the same login needs nothing");
    user.output(&clone, &["down"], 0);
    // A page is not taken away from whoever looks at it.
    user.json(&clone, &["up", "--detach"]);
    let printed = with_home("/b");
    assert!(printed.contains("but it had not the same CODEX_HOME: start it anew where codex needs that"), "{printed}");
}

#[test]
fn a_watcher_of_another_version_is_started_anew_and_gets_no_local_job() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.output(&clone, &["run", "x"], 0);
    let status = user.root("runs/.locks/.watcher.json");
    let pretend = || {
        // What it wrote when all was done stays for ten seconds.
        let mut last = (Instant::now(), serde_json::Value::Null);
        let idle = || {
            let facts: serde_json::Value = serde_json::from_slice(&fs::read(&status).ok()?).ok()?;
            if facts != last.1 {
                last = (Instant::now(), facts);
            }
            (last.1["running"] == 0 && last.0.elapsed() > Duration::from_secs(1)).then(|| last.1.clone())
        };
        let mut facts = wait_until("it is idle", idle);
        facts["version"] = "0.0.1".into();
        fs::write(status.with_extension("new"), facts.to_string()).expect("writes");
        fs::rename(status.with_extension("new"), &status).expect("renames");
    };
    pretend();
    let printed = user.output(&clone, &["run", "y", "--local"], 0);
    assert!(printed.contains("started anew (pid ") && printed.contains("it is version 0.0.1"), "{printed}");
    user.output(&clone, &["down"], 0);
    user.json(&clone, &["up", "--detach"]);
    pretend();
    let printed = user.output(&clone, &["run", "z", "--local"], 5);
    assert!(printed.contains("may not know where a local job goes, since it is version 0.0.1"), "{printed}");
    assert_eq!(user.records().len(), 2, "nothing was submitted");
}
