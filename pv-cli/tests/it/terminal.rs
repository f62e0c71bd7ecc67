//! What commands print on a terminal, which `script` provides: it fits, obeys nobody but us, and leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    thread,
};

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::fixture::{CliFixture, finish, wait_until};

const JOB: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
const FAILED: &str = "0290f5c2a7b97c31b1c5b1d1a1e1f102";

/// Everything that a terminal would obey, or that changes the direction of text.
const HOSTILE: &str = "evil \u{1b}[2J\u{1b}]8;;http://evil\u{7}\u{9b}31m \u{202e}txt\u{2066}\r\n\u{7f}日本語のタイトル, which goes on for long";

/// A root with jobs whose every text is hostile.
fn with_hostile_jobs() -> CliFixture {
    let fixture = CliFixture::new();
    fixture.put_record(
        JOB,
        &json!({ "state": "running", "phase": "agent", "title": HOSTILE, "agent": HOSTILE,
        "started_at": "2026-01-31T12:00:02Z", "model": HOSTILE, "git_owner": HOSTILE, "branch_name": HOSTILE }),
    );
    let delivery = json!({ "branch": HOSTILE, "error": HOSTILE, "pr_url": format!("https://h/{HOSTILE}/pull/7"),
        "checkout_path": HOSTILE, "checkout_reason": HOSTILE });
    let failed = json!({ "state": "failed", "reason": "check", "message": HOSTILE, "delivery": delivery,
        "started_at": "2026-01-31T12:00:02Z", "finished_at": "2026-01-31T12:01:22Z" });
    fixture.put_record(FAILED, &failed);
    fixture
}

/// Prepares a shell command on a terminal with so many columns and these variables; `pv` is ours.
fn on_terminal(fixture: &CliFixture, columns: u32, command: &str, variables: &[(&str, &str)]) -> Command {
    let pv = fixture.pv(&[]);
    let program = pv.get_program().to_str().unwrap().to_owned();
    let mut script = Command::new("script");
    script.env_clear().current_dir(fixture.path("")).stdin(Stdio::null());
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    script.envs(pv.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    script.env_remove("NO_COLOR").env("TERM", "xterm-256color").envs(variables.iter().copied());
    script.args([
        "-qec",
        &format!("stty cols {columns} rows 50; pv() {{ '{program}' \"$@\"; }}; {command}"),
        "/dev/null",
    ]);
    script
}

/// Runs a command on a terminal, and returns what it printed.
fn printed(fixture: &CliFixture, columns: u32, command: &str, variables: &[(&str, &str)]) -> String {
    let output = finish(on_terminal(fixture, columns, command, variables).spawn().unwrap());
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

/// Returns a text without colours and links; every other escape sequence stays.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        shown += before;
        rest = if let Some(link) = after.strip_prefix("]8;;") {
            link.split_once("\u{1b}\\").unwrap().1
        } else if let Some((code, after)) = after.strip_prefix('[').and_then(|code| code.split_once('m'))
            && code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
        {
            after
        } else {
            shown.push('\u{1b}');
            after
        };
    }
    shown + rest
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let fixture = with_hostile_jobs();
    for columns in [40, 80, 140] {
        for command in ["pv list", "pv status", "pv config", "pv targets"] {
            let text = printed(&fixture, columns, command, &[]);
            assert!(!text.is_empty(), "{command}");
            for line in shown(&text).lines() {
                // A path is never taken apart.
                let is_path = command == "pv status" && line.contains('/');
                // The names of settings are whole: they are what one copies.
                let is_name = command == "pv config" && columns < 80;
                assert!(line.width() <= columns as usize || is_path || is_name, "{command} at {columns}: {line:?}");
            }
        }
    }
    let wide = shown(&printed(&fixture, 140, "pv list", &[]));
    assert!(wide.contains("failed, red checks") && wide.contains("BRANCH"), "{wide}");
    let narrow = shown(&printed(&fixture, 80, "pv list", &[]));
    assert!(narrow.contains("failed, red checks") && !narrow.contains("BRANCH") && narrow.contains('…'), "{narrow}");
}

#[test]
fn a_terminal_of_no_width_is_taken_for_one_of_80_columns() {
    let fixture = with_hostile_jobs();
    let text = shown(&printed(&fixture, 0, "pv list", &[]));
    let widest = text.lines().map(UnicodeWidthStr::width).max();
    assert!(widest.is_some_and(|width| (60..=80).contains(&width)), "{text}");
    let named = shown(&printed(&fixture, 0, "pv list", &[("COLUMNS", "60")]));
    assert!(named.lines().all(|line| line.width() <= 60), "{named}");
}

#[test]
fn text_from_elsewhere_reaches_no_terminal_as_control_characters() {
    let fixture = with_hostile_jobs();
    for command in ["pv list", "pv status", &format!("pv show {JOB}"), &format!("pv show {FAILED}")] {
        let text = printed(&fixture, 100, command, &[("FORCE_HYPERLINK", "1")]);
        let bad = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}".contains(c);
        assert!(!shown(&text).contains(bad), "{command}: {text:?}");
        assert!(!command.contains("show") || text.contains("<U+202E>"), "{command}: {text:?}");
        assert!(!text.contains("\u{1b}]8;;http://evil"), "{command}: {text:?}");
    }
}

#[test]
fn links_are_there_where_the_terminal_has_them_and_not_within_tmux() {
    let fixture = CliFixture::new();
    let delivery = json!({ "branch": "codex/x-1", "pr_url": "https://h/o/r/pull/7" });
    fixture.put_record(JOB, &json!({ "state": "succeeded", "delivery": delivery }));
    let command = format!("pv show {JOB}");
    let linked = printed(&fixture, 80, &command, &[("VTE_VERSION", "7600")]);
    let request = "\u{1b}]8;;https://h/o/r/pull/7\u{1b}\\https://h/o/r/pull/7\u{1b}]8;;\u{1b}\\";
    let branch = "\u{1b}]8;;https://h/o/r/tree/codex/x-1\u{1b}\\codex/x-1\u{1b}]8;;\u{1b}\\";
    assert!(linked.contains(request) && linked.contains(branch), "{linked:?}");
    for variables in
        [&[][..], &[("VTE_VERSION", "7600"), ("TMUX", "/tmp/tmux,1,0")], &[("VTE_VERSION", "7600"), ("CI", "1")]]
    {
        let text = printed(&fixture, 80, &command, variables);
        assert!(!text.contains("\u{1b}]8") && text.contains("https://h/o/r/pull/7"), "{variables:?}: {text:?}");
    }
}

#[test]
fn a_pipe_gets_whole_values_and_no_escape_sequences() {
    let fixture = with_hostile_jobs();
    let terminal = [("TERM", "xterm-256color"), ("VTE_VERSION", "7600"), ("COLUMNS", "40")];
    for args in [&["list"][..], &["status"], &["show", FAILED], &["config"], &["wait", FAILED]] {
        let output = finish(fixture.pv(args).env_remove("NO_COLOR").envs(terminal).spawn().unwrap());
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\t'), "{args:?}: {text:?}");
        let whole = match args[0] {
            "list" => "which goes on for long",
            "config" => "node_modules",
            _ => "",
        };
        assert!(text.contains(whole), "{args:?}: {text}");
    }
}

#[test]
fn colours_are_kept_away_where_they_are_not_wanted() {
    let fixture = with_hostile_jobs();
    for (variables, expected) in
        [(&[][..], true), (&[("NO_COLOR", "1")], false), (&[("TERM", "dumb")], false), (&[("CLICOLOR", "0")], false)]
    {
        let text = printed(&fixture, 80, "pv list; pv status", variables);
        assert_eq!(text.contains("\u{1b}["), expected, "{variables:?}: {text:?}");
    }
}

#[test]
fn what_goes_on_is_drawn_on_a_terminal_and_gone_after_ctrl_c() {
    let fixture = CliFixture::new();
    fixture
        .put_record(JOB, &json!({ "state": "running", "phase": "delivering", "started_at": "2026-01-31T12:00:02Z" }));
    fs::write(fixture.run_file(JOB, "job.log"), "one\n").unwrap();
    for command in [format!("log -f {JOB}"), format!("wait {JOB}")] {
        let pid = fixture.path("pid");
        let _ = fs::remove_file(&pid);
        let program = fixture.pv(&[]).get_program().to_str().unwrap().to_owned();
        let shell = format!("sh -c 'echo $$ > {}; exec {program} {command}'", pid.display());
        let mut child = on_terminal(&fixture, 80, &shell, &[]).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains("delivering the work") {
            let mut byte = [0];
            out.read_exact(&mut byte).unwrap();
            text.push(byte[0]);
        }
        let pid =
            wait_until("its process is known", || fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n')));
        assert!(Command::new("kill").args(["-INT", pid.trim()]).status().unwrap().success());
        out.read_to_end(&mut text).unwrap();
        finish(child);
        let text = String::from_utf8(text).unwrap();
        let (_, last) = text.rsplit_once("\r\u{1b}[2K").unwrap();
        // The log may come between the line and the signal.
        let last = last.strip_prefix("one\r\n").unwrap_or(last);
        assert!(last.starts_with("pv: ") && last.contains("goes on") && !last.contains("delivering"), "{text:?}");
    }
}

#[test]
fn nothing_is_drawn_in_a_log() {
    let fixture = CliFixture::new();
    fixture.put_record(JOB, &json!({ "state": "running", "phase": "agent", "started_at": "2026-01-31T12:00:02Z" }));
    for variables in [&[("CI", "true")][..], &[("TERM", "dumb")]] {
        let text = printed(&fixture, 80, &format!("pv wait {JOB} --timeout 0.5s"), variables);
        assert!(
            text.contains("still running") && !text.contains("[2K") && !text.contains("the agent works"),
            "{text:?}"
        );
    }
}

#[test]
fn nothing_is_drawn_beside_a_pipe_whose_reader_shows_it_on_the_same_terminal() {
    let fixture = CliFixture::new();
    fixture.put_record(JOB, &json!({ "state": "running", "phase": "agent", "started_at": "2026-01-31T12:00:02Z" }));
    let piped = printed(&fixture, 80, &format!("pv wait {JOB} --timeout 0.5s | cat"), &[]);
    assert!(piped.contains("still running") && !piped.contains("[2K"), "{piped:?}");
    let filed = printed(&fixture, 80, &format!("pv wait {JOB} --timeout 3s > out"), &[]);
    assert!(filed.contains("the agent works"), "{filed:?}");
}

#[test]
fn a_list_that_is_cut_off_is_no_failure_on_a_terminal() {
    let fixture = with_hostile_jobs();
    let text = printed(&fixture, 80, "pv list | head -n 1; pv status | head -n 1", &[]);
    assert!(text.starts_with("ID ") && !text.contains("pv: "), "{text:?}");
}

/// Answers every request with a job, a list and a status at once, all of whose texts are hostile.
fn hostile_api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    let job = json!({ "job_id": HOSTILE, "state": HOSTILE, "previous_state": HOSTILE, "abort_requested_at": HOSTILE,
        "message": HOSTILE, "detail": HOSTILE, "inbox_path": HOSTILE, "created_at": HOSTILE, "phase": HOSTILE });
    let mut body = job.clone();
    body["jobs"] = json!([job]);
    body["watcher"] =
        json!({ "alive": true, "page": HOSTILE, "host": HOSTILE, "holds": [{ "agent": HOSTILE, "until": HOSTILE }] });
    body["config"] = json!({ "tree_builder_root": HOSTILE, "runs_root": HOSTILE });
    body["disk"] = json!({ "full": [{ "path": HOSTILE, "shortage": HOSTILE }] });
    let body = body.to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            // What is asked does not matter; a client that goes away neither.
            let _ = stream.read(&mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

#[test]
fn g30_an_api_elsewhere_steers_no_terminal() {
    let fixture = CliFixture::new();
    let url = hostile_api();
    let bad = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}".contains(c);
    for args in [
        &["list"][..],
        &["show", JOB],
        &["status"],
        &["abort", JOB],
        &["wait", JOB],
        &["submit", "task.md", "--repo", "a/b", "--branch", "main"],
    ] {
        let output = finish(fixture.pv(&[&["--api", &url], args].concat()).spawn().unwrap());
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(!text.contains(bad) && text.contains("<U+202E>"), "{args:?}: {text:?}");
    }
}
