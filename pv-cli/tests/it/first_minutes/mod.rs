//! A user of whom nothing is known yet: from nothing to a result, in the repository one stands in.

mod init;
mod killed;
mod local;
mod new_user;
mod odd_clones;
mod run;
mod services;

use serde_json::Value;

use self::new_user::NewUser;
use crate::fixture::{finish, text};

#[test]
fn without_an_installation_every_command_says_so_and_what_to_type() {
    let user = NewUser::new();
    let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    for args in [
        &["list"][..],
        &["status"],
        &["show", id],
        &["log", id],
        &["diff", id],
        &["abort", id],
        &["retry", id],
        &["wait", id],
        &["discard", id],
        &["targets"],
        &["targets", "sync"],
        &["resume", "--agent", "codex", "--all"],
        &["list", "--json"],
    ] {
        let printed = user.output(&user.home(), args, 3);
        assert!(printed.contains("there is no installation in") && printed.contains("pv run"), "{args:?}: {printed}");
    }
    assert!(!user.root("").exists(), "looking makes nothing");
}

#[test]
fn the_root_is_shown_with_the_reason_for_it() {
    let user = NewUser::new();
    let output = finish(user.pv(&user.home(), &["config", "--json"]).env_remove("PV_ROOT").spawn().expect("starts"));
    let config: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = config["settings"].as_array().expect("rows");
    let root = rows.iter().find(|row| row["name"] == "pv_root").expect("the root");
    assert!(root["origin"].as_str().is_some_and(|origin| origin.starts_with("default: this user")), "{root}");
    let doctor = finish(user.pv(&user.home(), &["doctor"]).env_remove("PV_ROOT").spawn().expect("starts"));
    assert!(text(&doctor).contains("ok       root: "), "{doctor:?}");
}
