//! Settings that nobody set: where the installation is, and which agents there are.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, on a disk of its own")]

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    config::{self, DefaultRoot, Overrides},
    fs::OsFs,
};

/// Makes a settings file.
fn settings(yaml: &str) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(dir.path()).unwrap().join("pv.yaml");
    std::fs::write(&file, yaml).unwrap();
    (dir, file)
}

#[test]
fn an_installation_that_nobody_named_is_where_the_shell_says_and_says_why() {
    let (_dir, settings) = settings("git_owner: o\n");
    let mut flags = Overrides::default();
    flags.set_default_root(DefaultRoot {
        root: "/home/me/state".into(),
        config_path: settings.clone(),
        why: "this user's own".into(),
    });
    let (config, warnings) = config::load(&OsFs, &|_| None, &flags).unwrap();
    assert_eq!(
        (config.folders.runs.value.as_str(), config.git.owner.value.as_deref()),
        ("/home/me/state/runs", Some("o"))
    );
    assert_eq!((config.folders.root.origin.to_string().as_str(), warnings.len()), ("default: this user's own", 0));
    // Whatever names one counts more, and a file of the default's that is not there is no warning.
    let (config, _) = config::load(&OsFs, &|name| (name == "PV_ROOT").then(|| "/b".into()), &flags).unwrap();
    assert_eq!(
        (config.folders.root.value.as_str(), config.folders.root.origin.to_string().as_str()),
        ("/b", "PV_ROOT")
    );
    std::fs::write(&settings, "pv_root: /c\n").unwrap();
    let (config, _) = config::load(&OsFs, &|_| None, &flags).unwrap();
    assert_eq!(config.folders.root.value, "/c");
    std::fs::remove_file(&settings).unwrap();
    assert_eq!(config::load(&OsFs, &|_| None, &flags).unwrap().1, []);
}

#[test]
fn agents_that_are_known_by_name_need_no_settings_where_the_file_says_nothing_about_agents() {
    let names = |yaml: &str| {
        let (_dir, settings) = settings(yaml);
        let named = |name: &str| (name == "PV_CONFIG_PATH").then(|| settings.as_str().into());
        let (config, _) = config::load(&OsFs, &named, &Overrides::default()).unwrap();
        config.agent_names().into_iter().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(""), "claude codex opencode");
    assert_eq!(names("delivery: {mode: branch}\n"), "claude codex opencode");
    for yaml in ["agents: {codex: {model: m}}\n", "default_agent: codex\n", "watcher: {runner_model: m}\n"] {
        assert_eq!(names(yaml), "codex", "{yaml}");
    }
    assert_eq!(names("agents: {mine: {}}\n"), "codex mine");
}
