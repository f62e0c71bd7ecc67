//! What git, and everything that git starts, finds in its environment.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use pv_lib::job::JobState;

use super::{
    deliver::{branches, fixture as with_remote, refuse_with},
    fixture::{self, Fixture, git},
    git_http::GitHttp,
};

/// What a program of these tests does first: it adds the names that it finds to a file of its own name.
fn noting(root: &Utf8Path, name: &str) -> String {
    format!("env -0 | tr '\\0' '\\n' | sed -n 's/^\\([A-Za-z_0-9]*\\)=.*/\\1/p' >> {root}/names-of-{name}\n")
}

/// Puts a program before all others on the path of the supervisor.
fn put_program(fixture: Fixture, name: &str, script: &str) -> Fixture {
    let dir = fixture.root.join("programs");
    fs::create_dir_all(&dir).unwrap();
    let program = dir.join(name);
    fs::write(&program, format!("#!/bin/sh\n{}{script}\n", noting(&fixture.root, name))).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{dir}:{}", std::env::var("PATH").unwrap());
    fixture.set("PATH", &path)
}

fn real_git() -> String {
    let path = std::env::var_os("PATH").unwrap();
    pv_lib::host::find_programs("git", &path)[0].display().to_string()
}

/// Gives the supervisor what a person may have, and what is ours and nobody's business.
fn with_secrets(fixture: Fixture) -> Fixture {
    let ours = fixture.set("PV_API_TOKEN_FILE", "/etc/token").set("PV_UI_SECRET_OF_TOMORROW", "s3cret");
    ours.set("GH_TOKEN", "mine").set("SSH_AUTH_SOCK", "/run/agent")
}

/// Checks what a program found: of ours the job's id alone, and all of the person's.
fn check(fixture: &Fixture, name: &str) {
    let names = fs::read_to_string(fixture.root.join(format!("names-of-{name}"))).unwrap_or_default();
    let names: BTreeSet<&str> = names.lines().collect();
    let ours: Vec<_> = names.iter().filter(|name| name.starts_with("PV_")).collect();
    assert_eq!(ours, [&"PV_JOB_ID"], "{name}: {names:?}");
    for persons in ["PATH", "HOME", "GH_TOKEN", "SSH_AUTH_SOCK"] {
        assert!(names.contains(persons), "{name}: {persons} of {names:?}");
    }
}

#[test]
fn bug_5_git_a_hook_of_the_remote_ssh_and_gh_find_nothing_of_ours_but_the_job() {
    let fixture = with_remote("echo more >> README.md").set(fixture::PULL_REQUEST, "gh");
    let address = format!("ssh://git@github.com{}/remote.git", fixture.root);
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", &address]);
    refuse_with(&fixture, &noting(&fixture.root, "hook"));
    let fixture = put_program(fixture, "git", &format!("exec {} \"$@\"", real_git()));
    // The last argument is what is to be done on the other host, which is this one.
    let fixture = put_program(fixture, "ssh", "for last; do :; done; exec sh -c \"$last\"");
    let fixture = put_program(fixture, "gh", "echo https://github.com/o/r/pull/1");
    let fixture = with_secrets(fixture);
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert!(branches(&fixture).starts_with("codex/"));
    assert_eq!(record.delivery.unwrap().pr_url.as_deref(), Some("https://github.com/o/r/pull/1"));
    for name in ["git", "ssh", "hook", "gh"] {
        check(&fixture, name);
    }
}

#[test]
fn bug_5_a_credential_helper_finds_nothing_of_ours_but_the_job() {
    let fixture = with_remote("echo more >> README.md").set(fixture::DELIVER, "branch");
    let host = GitHttp::with_token(&fixture.root, "t0ken");
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", &format!("{}/remote.git", host.base())]);
    let fixture =
        put_program(fixture, "helper", "test \"$1\" = get && printf 'username=x-access-token\\npassword=t0ken\\n'");
    let helper = format!("!{}/programs/helper", fixture.root);
    let fixture = fixture.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "credential.helper");
    let fixture = with_secrets(fixture.set("GIT_CONFIG_VALUE_0", &helper));
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert!(branches(&fixture).starts_with("codex/"));
    check(&fixture, "helper");
}

#[test]
fn bug_5_gh_gets_the_configured_token_by_a_file_that_goes_and_no_program_by_its_environment() {
    let fixture = with_remote("echo more >> README.md").set(fixture::PULL_REQUEST, "gh");
    let (token, seen) = (fixture.root.join("token"), fixture.root.join("seen"));
    fs::write(&token, "t0ken-of-the-host\n").unwrap();
    let script =
        format!("env > {seen}; cat $GH_CONFIG_DIR/hosts.yml > {seen}.login; echo https://github.com/o/r/pull/1");
    let fixture = with_secrets(put_program(fixture, "gh", &script)).set(fixture::TOKEN_FILE, token.as_str());
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert!(!fs::read_to_string(&seen).unwrap().contains("t0ken-of-the-host"));
    assert!(fs::read_to_string(format!("{seen}.login")).unwrap().contains("t0ken-of-the-host"));
    let left: Vec<_> = fs::read_dir(fixture.root.join("work")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
