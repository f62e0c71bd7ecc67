//! `pv doctor` and `/config`: they judge as the watcher runs, and ask the remotes.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::fixture::{CliFixture, Service, add_remote, git, text, wait_until};

/// The folders with git and the shell, and nothing of a person's own.
fn system_path() -> String {
    let git = pv_lib::host::find_programs("git", &std::env::var_os("PATH").expect("a PATH"));
    let dir = git[0].parent().expect("a folder").display().to_string();
    format!("{dir}:/usr/bin:/bin")
}

fn put_program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writes");
    fs::write(path, script).expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("writes");
}

/// An installation whose agent is the program `mine`, which is not there yet; and a watcher with that `PATH`.
fn watched(path: &str) -> (CliFixture, Service) {
    let fixture = CliFixture::with_agent("echo\n");
    let settings = fs::read_to_string(fixture.config()).expect("settings");
    let settings = settings.replace("scripted", "mine").lines().filter(|line| !line.contains("command:")).fold(
        String::new(),
        |all, line| {
            if line == "  mine:" { format!("{all}  mine: {{}}\n") } else { format!("{all}{line}\n") }
        },
    );
    fs::write(fixture.config(), settings).expect("writes");
    let service = start_watcher(&fixture, path);
    (fixture, service)
}

fn start_watcher(fixture: &CliFixture, path: &str) -> Service {
    let service = fixture.start_as("watcher", fixture.pv(&["watcher"]).env("PATH", path));
    wait_until("a watcher", || fixture.json(&["status"])["watcher"]["alive"].as_bool().filter(|alive| *alive));
    service
}

/// Runs doctor with more on the path than the watcher has, and returns what it finds.
fn doctor(fixture: &CliFixture, more: &Path) -> Value {
    let path = format!("{}:{}", more.display(), system_path());
    let output = fixture.pv(&["doctor", "--json"]).env("PATH", path).output().expect("runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().expect("checks");
    checks.iter().find(|one| one["check"] == name).unwrap_or_else(|| panic!("no {name}: {found:#}"))
}

fn says(found: &Value, parts: &[&str]) {
    let all =
        format!("{} {}", found["message"].as_str().unwrap_or_default(), found["remedy"].as_str().unwrap_or_default());
    for part in parts {
        assert!(all.contains(part), "`{part}`: {found:#}");
    }
}

const AGENT: &str = "agent mine (default)";

#[test]
fn c24_a_program_that_only_this_shell_finds_is_a_problem_as_it_is_to_the_api() {
    let (fixture, _watcher) = watched(&system_path());
    let bin = fixture.path("own-bin");
    put_program(&bin.join("mine"), "#!/bin/sh\n");
    let found = doctor(&fixture, &bin);
    let agent = check(&found, AGENT);
    assert_eq!(agent["level"], "problem", "{found:#}");
    let here = bin.join("mine").display().to_string();
    let user = pv_lib::host::user_name();
    says(agent, &["the watcher, which runs as", &user, &system_path(), &here, "agents.mine.command"]);
    says(check(&found, "watcher"), &[&format!(" as {user},")]);
    assert_eq!(check(&found, "agents")["level"], "problem");

    let _api = fixture.start_api();
    let (status, config) = fixture.request("GET", "/config", "");
    assert_eq!(status, 200);
    for name in [AGENT, "agents", "git", "watcher"] {
        assert_eq!(check(&config, name)["level"], check(&found, name)["level"], "{name}");
    }
    // The API's process finds that program no more than the watcher.
    let (by_api, here) = (check(&config, AGENT)["message"].as_str(), agent["message"].as_str());
    assert!(here.expect("text").starts_with(by_api.expect("text")), "{by_api:?} {here:?}");
}

#[test]
fn c24_a_script_whose_interpreter_the_watcher_lacks_is_a_problem() {
    let bin = tempfile::tempdir().expect("a folder");
    let (fixture, _watcher) = watched(&format!("{}:{}", bin.path().display(), system_path()));
    let others = fixture.path("own-bin");
    put_program(&bin.path().join("mine"), "#!/usr/bin/env pv-test-interpreter\n");
    put_program(&others.join("pv-test-interpreter"), "#!/bin/sh\n");
    let found = doctor(&fixture, &others);
    assert_eq!(check(&found, AGENT)["level"], "problem", "{found:#}");
    says(check(&found, AGENT), &["mine is a script for `pv-test-interpreter`"]);

    put_program(&bin.path().join("mine"), "#!/no/such/python -u\n");
    says(check(&doctor(&fixture, &others), AGENT), &["a script for `/no/such/python`"]);
    put_program(&bin.path().join("mine"), "#!/bin/sh\n");
    let found = doctor(&fixture, &others);
    assert_eq!(check(&found, AGENT)["level"], "ok", "{found:#}");
    says(check(&found, "agents"), &["can be started: mine"]);
}

#[test]
fn c24_without_a_watcher_this_shell_counts() {
    let (fixture, watcher) = watched(&system_path());
    drop(watcher);
    let bin = fixture.path("own-bin");
    put_program(&bin.join("mine"), "#!/bin/sh\n");
    // Its last heartbeat is recent for a while.
    let file = fixture.path("runs/.locks/.watcher.json");
    let mut status: Value = serde_json::from_slice(&fs::read(&file).expect("a status")).expect("JSON");
    assert!(status["runs_as"]["path"].is_string() && status["runs_as"]["no_new_privs"].is_boolean(), "{status:#}");
    status["beat_at"] = "2026-01-01T00:00:00Z".into();
    fs::write(&file, status.to_string()).expect("writes");
    let found = doctor(&fixture, &bin);
    assert_eq!(check(&found, AGENT)["level"], "ok", "{found:#}");
}

#[test]
fn c24_a_watcher_that_can_get_no_new_privileges_is_told() {
    let fixture = CliFixture::with_agent("echo\n");
    let setpriv = pv_lib::host::find_programs("setpriv", &std::env::var_os("PATH").expect("a PATH"));
    let Some(setpriv) = setpriv.first() else { return };
    let pv = fixture.pv(&["watcher"]);
    let mut limited = Command::new(setpriv);
    limited.arg("--no-new-privs").arg(pv.get_program()).args(pv.get_args()).env_clear();
    limited.envs(pv.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(fixture.path(""));
    let _watcher = fixture.start_as("watcher", &mut limited);
    wait_until("a watcher", || fixture.json(&["status"])["watcher"]["alive"].as_bool().filter(|alive| *alive));
    let found = doctor(&fixture, &fixture.path("none"));
    says(check(&found, "privileges"), &["no_new_privs", "sudo"]);
    assert!(fixture.json(&["status"])["watcher"]["runs_as"].is_null(), "that is for a checkup");
}

#[test]
fn c24_each_remote_is_asked_and_one_that_refuses_is_a_problem_with_what_to_do() {
    let fixture = CliFixture::with_agent("echo\n");
    let remote = add_remote(&fixture);
    let found = doctor(&fixture, &fixture.path("none"));
    assert_eq!(check(&found, "remote of o/r")["level"], "ok", "{found:#}");
    says(check(&found, "remote of o/r"), &["answers", &remote.display().to_string()]);

    let second = fixture.path("repos/o/second");
    fs::create_dir_all(&second).expect("writes");
    git(&second, &["init", "-q"]);
    git(&second, &["remote", "add", "origin", "ssh://git@h.example/o/second.git"]);
    let ssh: PathBuf = fixture.path("ssh");
    put_program(&ssh, "#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n");
    git(&second, &["config", "core.sshCommand", &ssh.display().to_string()]);
    let global = fixture.path(".gitconfig");
    fs::write(&global, format!("[core]\n\tsshCommand = {}\n", ssh.display())).expect("writes");
    fs::remove_dir_all(&remote).expect("removes");
    let found = doctor(&fixture, &fixture.path("none"));
    let second = check(&found, "remote of o/second");
    assert_eq!((&second["level"], &check(&found, "remote of o/r")["level"]), (&"problem".into(), &"problem".into()));
    says(second, &["Host key verification failed", "ssh-keyscan h.example", &pv_lib::host::user_name()]);
    says(check(&found, "remote of o/r"), &["does not appear to be a git repository", "check owner and name"]);

    let _api = fixture.start_api();
    let asked = wait_until("the API has asked", || {
        let (_, config) = fixture.request("GET", "/config", "");
        let checks = config["checks"].as_array()?;
        checks.iter().find(|one| one["check"] == "remote of o/second").cloned()
    });
    assert_eq!(&asked, second, "doctor and the API agree");
}

#[test]
fn c24_a_remote_that_does_not_answer_is_waited_for_a_while_and_no_other() {
    let fixture = CliFixture::with_agent("echo\n");
    add_remote(&fixture);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let second = fixture.path("repos/o/second");
    fs::create_dir_all(&second).expect("writes");
    git(&second, &["init", "-q"]);
    git(&second, &["remote", "add", "origin", &format!("http://{}/r.git", silent.local_addr().expect("bound"))]);
    let found = doctor(&fixture, &fixture.path("none"));
    assert_eq!(check(&found, "remote of o/r")["level"], "ok", "{found:#}");
    says(check(&found, "remote of o/second"), &["did not answer within"]);
}

#[test]
fn bug_5_the_git_of_watcher_and_doctor_finds_nothing_of_ours() {
    let fixture = CliFixture::with_agent("echo more >> README.md\n");
    add_remote(&fixture);
    let (bin, names) = (fixture.path("wrappers"), fixture.path("names"));
    let git = pv_lib::host::find_programs("git", &std::env::var_os("PATH").expect("a PATH"))[0].display().to_string();
    let script = format!(
        "#!/bin/sh\nenv -0 | tr '\\0' '\\n' | sed -n 's/^\\([A-Za-z_0-9]*\\)=.*/\\1/p' >> {}\nexec {git} \"$@\"\n",
        names.display()
    );
    put_program(&bin.join("git"), &script);
    let path = format!("{}:{}", bin.display(), system_path());
    fixture.submit("o/r");
    for (args, of_job) in
        [(&["targets", "sync", "--dry-run"][..], false), (&["doctor"], true), (&["watcher", "--once"], true)]
    {
        fs::write(&names, "").expect("writes");
        let mut pv = fixture.pv(args);
        pv.env("PATH", &path).env("PV_API_TOKEN", "s3cret-token").env("GH_TOKEN", "mine");
        let output = pv.output().expect("runs");
        let seen = fs::read_to_string(&names).expect("names");
        assert!(seen.contains("GH_TOKEN\n") && seen.contains("HOME\n"), "{args:?}: {} {seen}", text(&output));
        let ours: Vec<&str> = seen.lines().filter(|name| name.starts_with("PV_")).collect();
        assert!(ours.iter().all(|name| of_job && *name == "PV_JOB_ID"), "{args:?}: {ours:?}");
    }
}
