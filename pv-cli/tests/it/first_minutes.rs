//! A user of whom nothing is known yet: where their installation is, and what is said where there is none.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::fixture::{finish, text};

/// A user with an empty home, and nothing else.
pub(crate) struct NewUser {
    dir: tempfile::TempDir,
}

impl NewUser {
    pub(crate) fn new() -> Self {
        let user = Self { dir: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(user.home()).expect("a home");
        user
    }

    /// Returns a path below the user's folder.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns a path below the user's own root.
    pub(crate) fn root(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path("state/prompt-valet").join(relative)
    }

    /// Prepares `pv` in a folder, with nothing set but the user's folders. Tests may run as root, who may write everywhere,
    /// so that the root is named as it would be chosen.
    pub(crate) fn pv(&self, dir: &Path, args: &[&str]) -> Command {
        let mut pv = Command::new(env!("CARGO_BIN_EXE_pv"));
        pv.args(args).env_clear().current_dir(dir);
        pv.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        pv.env("HOME", self.home()).env("NO_COLOR", "1").env("PV_ROOT", self.root(""));
        pv.env("XDG_STATE_HOME", self.path("state")).env("XDG_CONFIG_HOME", self.path("config"));
        pv.env("PV_CONFIG_PATH", self.path("config/prompt-valet/config.yaml"));
        pv.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pv
    }

    /// Runs `pv` in a folder, which must end with `code`; returns what it prints, errors last.
    pub(crate) fn output(&self, dir: &Path, args: &[&str], code: i32) -> String {
        let output = finish(self.pv(dir, args).spawn().expect("starts"));
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(code), "pv {args:?}: {printed}");
        printed
    }
}

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
