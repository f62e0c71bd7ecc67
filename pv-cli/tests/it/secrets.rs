//! The services and the client with a token: it is asked for whole, refused when it looks damaged, and printed nowhere.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStringExt,
};

use crate::fixture::{CliFixture, finish, send_at, text, wait_for_port};

/// As a person might make one, and as an env file keeps it.
const TOKEN: &str = "#0123456789abcdef";

#[test]
fn b04_a_token_that_begins_like_a_comment_closes_the_api_and_is_printed_nowhere() {
    for service in ["api", "up"] {
        let fixture = CliFixture::with_agent("echo\n");
        let mut pv = fixture.pv(&[service]);
        let _service = fixture.start_as("service", pv.env("PV_API_TOKEN", TOKEN).env("PV_LOG", "trace"));
        wait_for_port(fixture.port);
        assert_eq!(fixture.request("GET", "/jobs", "").0, 401, "{service}");
        let url = format!("http://127.0.0.1:{}", fixture.port);
        let run = |token: &str, args: &[&str]| fixture.pv(args).env("PV_API_TOKEN", token).output().expect("runs pv");
        for wrong in ["0123456789abcdef", "#0123456789abcde", "#"] {
            let refused = run(wrong, &["list", "--api", &url]);
            assert!(!refused.status.success(), "{refused:?}");
        }
        let listed = run(TOKEN, &["list", "--api", &url]);
        assert!(listed.status.success(), "{listed:?}");
        let mut printed = text(&listed);
        for args in [&["doctor"][..], &["doctor", "--json"], &["config"], &["config", "--json"]] {
            printed += &text(&run(TOKEN, args));
        }
        assert!(printed.contains("(set)") && printed.contains("PV_API_TOKEN"), "{printed}");
        let config = response_of(fixture.port, "/config");
        assert!(config.contains("PV_API_TOKEN"), "{config}");
        printed += &config;
        printed += &fixture.service_log("service");
        assert!(!printed.contains("0123456789abcdef") && !printed.contains("dropped"), "{printed}");
    }
}

/// Sends a request with the token, and returns the whole response.
fn response_of(port: u16, path: &str) -> String {
    let response = send_at(port, "GET", path, &format!("Authorization: Bearer {TOKEN}\r\n"), "");
    let response = String::from_utf8(response).expect("UTF-8");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    response
}

#[test]
fn b04_a_damaged_token_stops_services_and_client_and_only_its_variable_is_named() {
    let fixture = CliFixture::with_agent("echo\n");
    for given in [&b"s3cr3t # my token"[..], b"s3cr3t s3cr3u", b"\"s3cr3t", b"s3cr3t\xff", b"  "] {
        let given = OsString::from_vec(given.to_vec());
        for args in
            [&["api"][..], &["ui"], &["up"], &["watcher"], &["config"], &["list", "--api", "http://127.0.0.1:1"]]
        {
            let refused = fixture.pv(args).env("PV_API_TOKEN", &given).output().expect("runs");
            let printed = text(&refused);
            assert_eq!(refused.status.code(), Some(2), "{args:?}: {printed}");
            assert!(
                printed.contains("PV_API_TOKEN cannot be used") && printed.contains("PV_API_TOKEN_FILE"),
                "{printed}"
            );
            assert!(!printed.contains("3cr3") && !printed.contains("my token"), "{printed}");
        }
        let found = text(&fixture.pv(&["doctor"]).env("PV_API_TOKEN", &given).output().expect("runs"));
        assert!(found.contains("PV_API_TOKEN cannot be used") && !found.contains("3cr3"), "{found}");
    }
}

#[test]
fn b04_a_damaged_token_for_pushing_stops_the_watcher_before_an_agent_works_for_nothing() {
    let fixture = CliFixture::with_agent("echo\n");
    let (file, settings) = (fixture.path("config/git-token"), fixture.config());
    let before = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, format!("{before}  token_file: {}\n", file.display())).expect("writes");
    for (holds, code) in [("s3cr3t # github\n", Some(2)), ("\n", Some(2)), ("#s3cr3t\n", Some(0))] {
        fs::write(&file, holds).expect("writes");
        let ended = fixture.run(&["watcher", "--once"]);
        assert_eq!(ended.status.code(), code, "{holds:?}: {ended:?}");
        let found = text(&fixture.run(&["doctor"]));
        assert!(found.contains("delivery token"), "{found}");
        assert!(!text(&ended).contains("3cr3") && !found.contains("3cr3"), "{holds:?}");
    }
}

#[test]
fn b04_an_address_of_the_api_is_refused_without_its_password() {
    let fixture = CliFixture::new();
    for address in ["http://u:s3cr3t@127.0.0.1:1", "https://s3cr3t@127.0.0.1", "http://127.0.0.1/?token=s3cr3t"] {
        let printed = fixture.output(&["list", "--api", address], 2);
        assert!(printed.contains("--api") && !printed.contains("3cr3"), "{printed}");
    }
}

#[test]
fn c03_doctor_names_the_variables_that_an_agent_does_not_get() {
    let fixture = CliFixture::new();
    fs::write(fixture.config(), "agents:\n  claude: {}\ndefault_agent: claude\n").expect("writes");
    let doctor = |variables: &[(&str, &str)]| {
        text(&finish(fixture.pv(&["doctor"]).envs(variables.iter().copied()).spawn().expect("runs")))
    };
    let cloud = [("AWS_SECRET_ACCESS_KEY", "s3cret"), ("AWS_REGION", "eu-west-1")];
    let found = doctor(&cloud);
    assert!(found.contains("AWS_SECRET_ACCESS_KEY") && found.contains("which claude does not get"), "{found}");
    assert!(found.contains("agents.claude.env") && !found.contains("s3cret"), "{found}");
    let used = doctor(&[&cloud[..], &[("CLAUDE_CODE_USE_BEDROCK", "1")]].concat());
    assert!(!used.contains("does not get"), "{used}");
    assert!(!doctor(&[("ANTHROPIC_API_KEY", "s3cret")]).contains("does not get"));
}

#[test]
fn b04_the_token_that_a_variable_gives_wins_and_doctor_says_so() {
    let fixture = CliFixture::new();
    fs::write(fixture.path("token"), "in-the-file\n").expect("writes");
    let doctor = |variables: &[(&str, &OsStr)]| {
        text(&finish(fixture.pv(&["doctor"]).envs(variables.iter().copied()).spawn().expect("runs")))
    };
    let file = fixture.path("token");
    let both = doctor(&[("PV_API_TOKEN", OsStr::new("given")), ("PV_API_TOKEN_FILE", file.as_os_str())]);
    assert!(both.contains("the API asks for the one in PV_API_TOKEN\n"), "{both}");
    assert!(doctor(&[]).contains("none: programs of this host need none"));
}
