//! The services and the client with a token: it is asked for whole, refused when it looks damaged, and printed nowhere.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    net::TcpStream,
    os::unix::ffi::OsStringExt,
    process::Output,
};

use crate::{
    desk::{Desk, finish},
    house::{House, Service, until},
};

/// As a person might make one, and as an env file keeps it.
const TOKEN: &str = "#0123456789abcdef";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn b04_a_token_that_begins_like_a_comment_closes_the_api_and_is_printed_nowhere() {
    for service in ["api", "up"] {
        let house = House::new("echo\n");
        let log = house.path("service.log");
        let mut pv = house.pv();
        pv.arg(service).env("PV_API_TOKEN", TOKEN).env("PV_LOG", "trace");
        let _service = Service::spawn(pv.stderr(std::fs::File::create(&log).expect("a log")));
        until("it answers", || TcpStream::connect(("127.0.0.1", house.port)).is_ok().then_some(()));
        assert_eq!(house.ask("GET", "/jobs", "").0, 401, "{service}");
        let url = format!("http://127.0.0.1:{}", house.port);
        let run =
            |token: &str, args: &[&str]| house.pv().env("PV_API_TOKEN", token).args(args).output().expect("runs pv");
        for wrong in ["0123456789abcdef", "#0123456789abcde", "#"] {
            let refused = run(wrong, &["list", "--api", &url]);
            assert!(!refused.status.success(), "{refused:?}");
        }
        let listed = run(TOKEN, &["list", "--api", &url]);
        assert!(listed.status.success(), "{listed:?}");
        let mut said = text(&listed);
        for args in [&["doctor"][..], &["doctor", "--json"], &["config"], &["config", "--json"]] {
            said += &text(&run(TOKEN, args));
        }
        assert!(said.contains("(set)") && said.contains("PV_API_TOKEN"), "{said}");
        let client = answer_to(house.port, "/config");
        assert!(client.contains("PV_API_TOKEN"), "{client}");
        said += &client;
        said += &std::fs::read_to_string(&log).expect("a log");
        assert!(!said.contains("0123456789abcdef") && !said.contains("dropped"), "{said}");
    }
}

/// Asks with the token, and returns the whole answer.
fn answer_to(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let head = format!("GET /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    write!(stream, "{head}Authorization: Bearer {TOKEN}\r\n\r\n").expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[test]
fn b04_a_damaged_token_stops_services_and_client_and_only_its_variable_is_named() {
    let house = House::new("echo\n");
    for given in [&b"s3cr3t # my token"[..], b"s3cr3t s3cr3u", b"\"s3cr3t", b"s3cr3t\xff", b"  "] {
        let given = OsString::from_vec(given.to_vec());
        for args in
            [&["api"][..], &["ui"], &["up"], &["watcher"], &["config"], &["list", "--api", "http://127.0.0.1:1"]]
        {
            let refused = house.pv().args(args).env("PV_API_TOKEN", &given).output().expect("runs");
            let said = text(&refused);
            assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
            assert!(said.contains("PV_API_TOKEN cannot be used") && said.contains("PV_API_TOKEN_FILE"), "{said}");
            assert!(!said.contains("3cr3") && !said.contains("my token"), "{said}");
        }
        let found = text(&house.pv().arg("doctor").env("PV_API_TOKEN", &given).output().expect("runs"));
        assert!(found.contains("PV_API_TOKEN cannot be used") && !found.contains("3cr3"), "{found}");
    }
}

#[test]
fn b04_a_damaged_token_for_pushing_stops_the_watcher_before_an_agent_works_for_nothing() {
    let house = House::new("echo\n");
    let (file, settings) = (house.path("config/git-token"), house.path("config/pv.yaml"));
    let before = std::fs::read_to_string(&settings).expect("settings");
    std::fs::write(&settings, format!("{before}  token_file: {}\n", file.display())).expect("writes");
    for (holds, code) in [("s3cr3t # github\n", Some(2)), ("\n", Some(2)), ("#s3cr3t\n", Some(0))] {
        std::fs::write(&file, holds).expect("writes");
        let ended = house.run(&["watcher", "--once"]);
        assert_eq!(ended.status.code(), code, "{holds:?}: {ended:?}");
        let found = text(&house.run(&["doctor"]));
        assert!(found.contains("delivery token"), "{found}");
        assert!(!text(&ended).contains("3cr3") && !found.contains("3cr3"), "{holds:?}");
    }
}

#[test]
fn b04_an_address_of_the_api_is_refused_without_its_password() {
    let desk = Desk::new();
    for address in ["http://u:s3cr3t@127.0.0.1:1", "https://s3cr3t@127.0.0.1", "http://127.0.0.1/?token=s3cr3t"] {
        let said = desk.said(&["list", "--api", address], 2);
        assert!(said.contains("--api") && !said.contains("3cr3"), "{said}");
    }
}

#[test]
fn b04_the_token_that_a_variable_gives_wins_and_doctor_says_so() {
    let desk = Desk::new();
    std::fs::write(desk.path("token"), "in-the-file\n").expect("writes");
    let doctor = |variables: &[(&str, &OsStr)]| {
        text(&finish(desk.command(&["doctor"]).envs(variables.iter().copied()).spawn().expect("runs")))
    };
    let file = desk.path("token");
    let both = doctor(&[("PV_API_TOKEN", OsStr::new("given")), ("PV_API_TOKEN_FILE", file.as_os_str())]);
    assert!(both.contains("the API asks for the one in PV_API_TOKEN\n"), "{both}");
    assert!(doctor(&[]).contains("none: programs of this host need none"));
}
