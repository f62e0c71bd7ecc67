//! The services as real processes: what a user does to them must not hurt a running job.

use std::{fs, process::Command};

use serde_json::json;

use crate::fixture::{CliFixture, free_port, processes_of, request_at, text, wait_for_port, wait_until};

#[test]
fn a_prompt_posted_over_http_becomes_a_result_on_disk() {
    let fixture = CliFixture::with_agent("cat > /dev/null\necho working\necho more >> README.md\n");
    let (_watcher, _api) = (fixture.start("watcher"), fixture.start_api());
    let id = fixture.post("# Do it\n");
    let record = fixture.wait_for_state(&id, "succeeded");
    assert_eq!(record["exit_code"], 0);
    assert_eq!(fixture.log(&id), "working\n");
    let patch = fs::read_to_string(fixture.path(format!("runs/{id}/changes.patch"))).expect("the work is saved");
    assert!(patch.contains("+more"), "{patch}");
    wait_until("the prompt is archived", || fixture.path("finished/o/r/main").read_dir().ok()?.next()?.ok());
    wait_until("the checkout is gone", || (!fixture.path(format!("work/{id}")).exists()).then_some(()));
    let (status, job) = fixture.request("GET", &format!("/jobs/{id}"), "");
    assert_eq!((status, &job["state"]), (200, &"succeeded".into()));
}

#[test]
fn a_file_dropped_by_hand_runs_once_it_has_settled() {
    let fixture = CliFixture::with_agent("cat\n");
    let _watcher = fixture.start("watcher");
    wait_until("the watcher watches", || fixture.path("runs/.locks/.watcher.json").exists().then_some(()));
    fs::write(fixture.path("inbox/o/r/main/drop.prompt.md"), "# Dropped\n").expect("writes");
    wait_until("it is over", || fixture.path("finished/o/r/main/drop.done.md").exists().then_some(()));
    assert_eq!(fs::read_to_string(fixture.path("finished/o/r/main/drop.done.md")).expect("reads"), "# Dropped\n");
}

#[test]
fn g15_killing_watcher_and_api_leaves_20_running_agents_alone() {
    let fixture =
        CliFixture::with_agent("echo $$\nuntil [ -e \"$PV_RUN_ROOT/../go\" ]; do sleep 0.05; done\necho $$\n");
    let (watcher, api) = (fixture.start("watcher"), fixture.start_api());
    let ids: Vec<String> = (0..20).map(|n| fixture.post(&format!("# Job {n}\n"))).collect();
    let logged = |id: &String| fixture.log(id).trim().parse::<i32>().ok();
    let pids: Vec<i32> = ids.iter().map(|id| wait_until("its agent has written", || logged(id))).collect();
    for (id, pid) in ids.iter().zip(&pids) {
        fixture.wait_for_state(id, "running");
        wait_until("its pid is in the record", || (fixture.record(id)["pid"] == *pid).then_some(()));
    }
    watcher.kill();
    api.kill();
    let _again = (fixture.start("watcher"), fixture.start_api());
    wait_until("a new watcher counts them", || {
        let (_, status) = fixture.request("GET", "/status", "");
        (status["watcher"]["running"] == 20).then_some(())
    });
    fs::write(fixture.path("runs/go"), "").expect("writes");
    for (id, pid) in ids.iter().zip(&pids) {
        let record = fixture.wait_for_state(id, "succeeded");
        assert_eq!(record["pid"], *pid, "{record}");
        assert_eq!(fixture.log(id), format!("{pid}\n{pid}\n"), "the same agent, its log whole");
    }
}

#[test]
fn g16_abort_leaves_nothing_alive() {
    let agent = "trap '' TERM INT HUP\nsetsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 1; done' &\n\
                 (setsid sh -c 'kill -STOP $$' &)\necho ready\nwhile :; do sleep 1; done\n";
    let fixture = CliFixture::with_agent(agent);
    let (_watcher, _api) = (fixture.start("watcher"), fixture.start_api());
    let id = fixture.post("# Never ends\n");
    wait_until("it runs", || fixture.log(&id).contains("ready").then_some(()));
    assert!(processes_of(&id).len() >= 3, "agent, daemon, stopped child: {:?}", processes_of(&id));
    let (status, receipt) = fixture.request("POST", &format!("/jobs/{id}/abort"), "");
    assert_eq!((status, &receipt["previous_state"]), (200, &"running".into()));
    fixture.wait_for_state(&id, "aborted");
    assert_eq!(processes_of(&id), [] as [String; 0]);
    let (status, _) = fixture.request("POST", &format!("/jobs/{id}/abort"), "");
    assert_eq!(status, 409, "it is over");
}

#[test]
fn g17_a_killed_supervisor_is_interrupted_and_its_agent_ended() {
    let fixture = CliFixture::with_agent("echo ready\nwhile :; do sleep 0.2; done\n");
    let (_watcher, _api) = (fixture.start("watcher"), fixture.start_api());
    let id = fixture.post("# Never ends\n");
    wait_until("it runs", || fixture.log(&id).contains("ready").then_some(()));
    let stat = fs::read_to_string(format!("/proc/{}/stat", fixture.wait_for_state(&id, "running")["pid"]));
    let supervisor = stat.expect("the agent lives").split(' ').nth(3).expect("its parent").to_owned();
    let killed = Command::new("kill").args(["-9", &supervisor]).status().expect("runs kill");
    assert!(killed.success());
    let record = fixture.wait_for_state(&id, "failed");
    assert_eq!(record["reason"], "interrupted");
    wait_until("nothing of it lives", || processes_of(&id).is_empty().then_some(()));
    assert_eq!(fixture.log(&id), "ready\n", "it was not executed again");
}

#[test]
fn watcher_once_runs_what_is_there_and_ends() {
    let fixture = CliFixture::with_agent("echo once\n");
    fs::write(fixture.path("inbox/o/r/main/a.prompt.md"), "# A\n").expect("writes");
    fs::write(fixture.path("inbox/o/r/main/b.prompt.md"), "# B\n").expect("writes");
    fixture.output(&["watcher", "--once"], 0);
    for name in ["a", "b"] {
        assert!(fixture.path(format!("finished/o/r/main/{name}.done.md")).exists(), "{name}");
    }
}

#[test]
fn a_second_watcher_refuses_with_4() {
    let fixture = CliFixture::with_agent("echo\n");
    let _first = fixture.start("watcher");
    wait_until("it watches", || fixture.path("runs/.locks/.watcher.json").exists().then_some(()));
    assert!(fixture.output(&["watcher"], 4).contains("is watched already, by pid"));
}

#[test]
fn a_token_is_made_asked_for_and_sent() {
    let fixture = CliFixture::with_agent("echo\n");
    let file = fixture.path("config/api-token");
    let printed = fixture.output(&["token", "new"], 0);
    let token = fs::read_to_string(&file).expect("a token");
    assert!(printed.contains("PV_API_TOKEN_FILE=") && !printed.contains(token.trim()), "{printed}");
    let with_file = |args: &[&str]| {
        let mut pv = fixture.pv(args);
        pv.env("PV_API_TOKEN_FILE", &file);
        pv
    };
    let _api = fixture.start_as("api", &mut with_file(&["api"]));
    wait_for_port(fixture.port);
    assert_eq!(fixture.request("GET", "/healthz", "").0, 200);
    assert_eq!(fixture.request("GET", "/jobs", "").0, 401);
    let url = fixture.url();
    fixture.output(&["list", "--api", &url], 5);
    let listed = with_file(&["list", "--api", &url]).output().expect("runs");
    assert!(listed.status.success(), "{listed:?}");
    let wrong = fixture.pv(&["list", "--api", &url]).env("PV_API_TOKEN", "wrong").output().expect("runs");
    assert_eq!(wrong.status.code(), Some(5), "{wrong:?}");
}

#[test]
fn the_page_forwards_to_the_api_and_says_when_it_is_unreachable() {
    let fixture = CliFixture::with_agent("echo\n");
    let (port, api) = (free_port(), fixture.start_api());
    let mut ui = fixture.pv(&["ui"]);
    ui.env("PV_UI_BIND_HOST", "127.0.0.1").env("PV_UI_BIND_PORT", port.to_string());
    let _ui = fixture.start_as("ui", ui.env("PV_API_BASE_URL", fixture.url()));
    wait_for_port(port);
    let (status, config) = request_at(port, "GET", "/config", "");
    let checks = config["checks"].as_array().expect("checks");
    assert!(status == 200 && checks.iter().any(|check| check["check"] == "token"), "{config}");
    assert_eq!(config["agents"], json!(["codex", "scripted"]));
    api.kill();
    let (status, refused) = request_at(port, "GET", "/jobs", "");
    assert!(
        status == 502 && refused["detail"].as_str().is_some_and(|detail| detail.contains("PV_API_BASE_URL")),
        "{refused}"
    );
    fixture.output(&["list", "--api", &format!("http://127.0.0.1:{port}")], 6);
}

#[test]
fn a_token_file_that_cannot_be_used_stops_the_services() {
    let fixture = CliFixture::with_agent("echo\n");
    for service in ["api", "ui"] {
        let refused = fixture.pv(&[service]).env("PV_API_TOKEN_FILE", "/no/such/file").output().expect("runs");
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused).contains("PV_API_TOKEN_FILE is `/no/such/file`"), "{refused:?}");
    }
}

#[test]
fn demo_runs_a_job_and_prints_where_everything_is() {
    let fixture = CliFixture::with_agent("");
    let output = fixture.pv(&["demo"]).env("TMPDIR", fixture.path("")).output().expect("runs");
    let printed = text(&output);
    assert!(output.status.success(), "{output:?}");
    for part in ["state        succeeded", "+Welcome, reader.", "changes.patch  the work", "rm -r "] {
        assert!(printed.contains(part), "{part:?} is missing in\n{printed}");
    }
}

#[test]
fn a_watcher_that_runs_once_leaves_the_jobs_of_a_held_agent_for_the_next() {
    let fixture = CliFixture::with_agent("cat > /dev/null\n");
    let (id, holds) = (fixture.submit("o/r"), fixture.path("runs/.holds"));
    fs::create_dir_all(&holds).expect("makes a folder");
    let hold = json!({ "agent": "scripted", "until": "2999-01-01T00:00:00Z", "message": "enough", "job_id": id });
    fs::write(holds.join("scripted.json"), hold.to_string()).expect("writes");
    for expected in ["created", "succeeded"] {
        fixture.output(&["watcher", "--once"], 0);
        assert_eq!(fixture.record(&id)["state"], expected);
        let _ = fs::remove_file(holds.join("scripted.json"));
    }
}
