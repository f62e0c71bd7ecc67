//! The services as real processes: what a user does to them must not hurt a running job.

use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::house::{House, Service, ask_at, processes_of, until};

#[test]
fn a_prompt_posted_over_http_becomes_a_result_on_disk() {
    let house = House::new("cat > /dev/null\necho working\necho more >> README.md\n");
    let (_watcher, _api) = (house.start("watcher"), house.start_api());
    let id = house.post("# Do it\n");
    let record = house.until_state(&id, "succeeded");
    assert_eq!(record["exit_code"], 0);
    assert_eq!(house.log(&id), "working\n");
    let patch = std::fs::read_to_string(house.path(&format!("runs/{id}/changes.patch"))).expect("the work is saved");
    assert!(patch.contains("+more"), "{patch}");
    until("the prompt is filed away", || house.path("finished/o/r/main").read_dir().ok()?.next()?.ok());
    until("the checkout is gone", || (!house.path(&format!("work/{id}")).exists()).then_some(()));
    let (status, job) = house.ask("GET", &format!("/jobs/{id}"), "");
    assert_eq!((status, &job["state"]), (200, &"succeeded".into()));
}

#[test]
fn a_file_dropped_by_hand_runs_once_it_has_settled() {
    let house = House::new("cat\n");
    let _watcher = house.start("watcher");
    until("the watcher watches", || house.path("runs/.locks/.watcher.json").exists().then_some(()));
    std::fs::write(house.path("inbox/o/r/main/drop.prompt.md"), "# Dropped\n").expect("writes");
    until("it is over", || house.path("finished/o/r/main/drop.done.md").exists().then_some(()));
    assert_eq!(std::fs::read_to_string(house.path("finished/o/r/main/drop.done.md")).expect("reads"), "# Dropped\n");
}

#[test]
fn g15_killing_watcher_and_api_leaves_20_running_agents_alone() {
    let house = House::new("echo $$\nuntil [ -e \"$PV_RUN_ROOT/../go\" ]; do sleep 0.05; done\necho $$\n");
    let (watcher, api) = (house.start("watcher"), house.start_api());
    let ids: Vec<String> = (0..20).map(|n| house.post(&format!("# Job {n}\n"))).collect();
    let spoken = |id: &String| house.log(id).trim().parse::<i32>().ok();
    let pids: Vec<i32> = ids.iter().map(|id| until("its agent speaks", || spoken(id))).collect();
    for (id, pid) in ids.iter().zip(&pids) {
        house.until_state(id, "running");
        until("its pid is in the record", || (house.record(id)["pid"] == *pid).then_some(()));
    }
    watcher.kill();
    api.kill();
    let _again = (house.start("watcher"), house.start_api());
    until("a new watcher has them in view", || {
        let (_, status) = house.ask("GET", "/status", "");
        (status["watcher"]["running"] == 20).then_some(())
    });
    std::fs::write(house.path("runs/go"), "").expect("writes");
    for (id, pid) in ids.iter().zip(&pids) {
        let record = house.until_state(id, "succeeded");
        assert_eq!(record["pid"], *pid, "{record}");
        assert_eq!(house.log(id), format!("{pid}\n{pid}\n"), "the same agent, its log whole");
    }
}

#[test]
fn g16_abort_leaves_nothing_alive() {
    let agent = "trap '' TERM INT HUP\nsetsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 1; done' &\n\
                 (setsid sh -c 'kill -STOP $$' &)\necho ready\nwhile :; do sleep 1; done\n";
    let house = House::new(agent);
    let (_watcher, _api) = (house.start("watcher"), house.start_api());
    let id = house.post("# Never ends\n");
    until("it runs", || house.log(&id).contains("ready").then_some(()));
    assert!(processes_of(&id).len() >= 3, "agent, daemon, stopped child: {:?}", processes_of(&id));
    let (status, answer) = house.ask("POST", &format!("/jobs/{id}/abort"), "");
    assert_eq!((status, &answer["previous_state"]), (200, &"running".into()));
    house.until_state(&id, "aborted");
    assert_eq!(processes_of(&id), [] as [String; 0]);
    let (status, _) = house.ask("POST", &format!("/jobs/{id}/abort"), "");
    assert_eq!(status, 409, "it is over");
}

#[test]
fn g17_a_killed_supervisor_is_interrupted_and_its_agent_ended() {
    let house = House::new("echo ready\nwhile :; do sleep 0.2; done\n");
    let (_watcher, _api) = (house.start("watcher"), house.start_api());
    let id = house.post("# Never ends\n");
    until("it runs", || house.log(&id).contains("ready").then_some(()));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", house.until_state(&id, "running")["pid"]));
    let supervisor = stat.expect("the agent lives").split(' ').nth(3).expect("its parent").to_owned();
    let killed = std::process::Command::new("kill").args(["-9", &supervisor]).status().expect("runs kill");
    assert!(killed.success());
    let record = house.until_state(&id, "failed");
    assert_eq!(record["reason"], "interrupted");
    until("nothing of it lives", || processes_of(&id).is_empty().then_some(()));
    assert_eq!(house.log(&id), "ready\n", "it was not executed again");
}

#[test]
fn watcher_once_runs_what_is_there_and_ends() {
    let house = House::new("echo once\n");
    std::fs::write(house.path("inbox/o/r/main/a.prompt.md"), "# A\n").expect("writes");
    std::fs::write(house.path("inbox/o/r/main/b.prompt.md"), "# B\n").expect("writes");
    let output = house.run(&["watcher", "--once"]);
    assert!(output.status.success(), "{output:?}");
    for name in ["a", "b"] {
        assert!(house.path(&format!("finished/o/r/main/{name}.done.md")).exists(), "{name}");
    }
}

#[test]
fn a_second_watcher_refuses_with_4() {
    let house = House::new("echo\n");
    let _first = house.start("watcher");
    until("it watches", || house.path("runs/.locks/.watcher.json").exists().then_some(()));
    let second = house.run(&["watcher"]);
    assert_eq!(second.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is watched already, by pid"), "{second:?}");
}

#[test]
fn a_token_is_made_asked_for_and_sent() {
    let house = House::new("echo\n");
    let (file, port) = (house.path("config/api-token"), house.port.to_string());
    let made = house.run(&["token", "new"]);
    let said = String::from_utf8_lossy(&made.stdout);
    let token = std::fs::read_to_string(&file).expect("a token");
    assert!(made.status.success() && said.contains("PV_API_TOKEN_FILE=") && !said.contains(token.trim()), "{made:?}");
    let with_file = || {
        let mut pv = house.pv();
        pv.env("PV_API_TOKEN_FILE", &file);
        pv
    };
    let _api = Service::spawn(with_file().arg("api"));
    until("the API answers", || TcpStream::connect(("127.0.0.1", house.port)).is_ok().then_some(()));
    assert_eq!(house.ask("GET", "/healthz", "").0, 200);
    assert_eq!(house.ask("GET", "/jobs", "").0, 401);
    let url = format!("http://127.0.0.1:{port}/api/v1");
    let bare = house.run(&["list", "--api", &url]);
    assert_eq!(bare.status.code(), Some(5), "{bare:?}");
    let listed = with_file().args(["list", "--api", &url]).output().expect("runs");
    assert!(listed.status.success(), "{listed:?}");
    let wrong = house.pv().env("PV_API_TOKEN", "wrong").args(["list", "--api", &url]).output().expect("runs");
    assert_eq!(wrong.status.code(), Some(5), "{wrong:?}");
}

#[test]
fn the_page_hands_on_to_the_api_and_says_when_it_is_away() {
    let house = House::new("echo\n");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let api = house.start_api();
    let mut ui = house.pv();
    ui.arg("ui").env("PV_UI_BIND_HOST", "127.0.0.1").env("PV_UI_BIND_PORT", port.to_string());
    ui.env("PV_API_BASE_URL", format!("http://127.0.0.1:{}/api/v1", house.port));
    let _ui = Service::spawn(&mut ui);
    until("the page answers", || TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()));
    let (status, told) = ask_at(port, "GET", "/config", "");
    let checks = told["checks"].as_array().expect("checks");
    assert!(status == 200 && checks.iter().any(|check| check["check"] == "token"), "{told}");
    assert_eq!(told["agents"], serde_json::json!(["codex", "scripted"]));
    api.kill();
    let (status, refused) = ask_at(port, "GET", "/jobs", "");
    assert!(
        status == 502 && refused["detail"].as_str().is_some_and(|said| said.contains("PV_API_BASE_URL")),
        "{refused}"
    );
    let listed = house.run(&["list", "--api", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(listed.status.code(), Some(6), "{listed:?}");
}

#[test]
fn a_token_file_that_cannot_be_used_stops_the_services() {
    let house = House::new("echo\n");
    for service in ["api", "ui"] {
        let refused = house.pv().arg(service).env("PV_API_TOKEN_FILE", "/no/such/file").output().expect("runs");
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&refused.stderr).contains("PV_API_TOKEN_FILE is `/no/such/file`"),
            "{refused:?}"
        );
    }
}

#[test]
fn demo_does_the_main_job_and_says_where_everything_is() {
    let house = House::new("");
    let output = house.pv().arg("demo").env("TMPDIR", house.path("")).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["state        succeeded", "+Welcome, reader.", "changes.patch  the work", "rm -r "] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn a_watcher_that_runs_once_leaves_the_jobs_of_a_held_agent_for_the_next() {
    let house = House::new("cat > /dev/null\n");
    let (prompt, holds) = (house.path("task.md"), house.path("runs/.holds"));
    std::fs::write(&prompt, "# Do it\n").expect("writes");
    let args = ["submit", prompt.to_str().expect("a name"), "--repo", "o/r", "--branch", "main", "--json"];
    let taken: Value = serde_json::from_slice(&house.run(&args).stdout).expect("is taken");
    let id = taken["job_id"].as_str().expect("an id");
    std::fs::create_dir_all(&holds).expect("makes a folder");
    let hold = json!({ "agent": "scripted", "until": "2999-01-01T00:00:00Z", "message": "enough", "job_id": id });
    std::fs::write(holds.join("scripted.json"), hold.to_string()).expect("writes");
    for expected in ["created", "succeeded"] {
        let ended = house.run(&["watcher", "--once"]);
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(house.record(id)["state"], expected);
        let _ = std::fs::remove_file(holds.join("scripted.json"));
    }
}
