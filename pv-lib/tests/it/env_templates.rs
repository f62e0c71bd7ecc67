//! The env templates: every variable is in the one it belongs into, with its default, as systemd reads it.
#![expect(clippy::unwrap_used, reason = "a test, on files of this repository")]

use std::ffi::OsString;

use pv_lib::{
    config::{
        self, Overrides,
        vars::{self, UsedBy},
    },
    fs::OsFs,
};

/// The lines of a template that set something: name, value, and whether the line is commented out.
fn settings(file: &str) -> Vec<(String, String, bool)> {
    let path = format!("{}/../ops/env/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let setting = |line: &str| {
        let bare = line.strip_prefix('#').unwrap_or(line);
        let (name, value) = bare.split_once('=')?;
        name.starts_with("PV_").then(|| (name.to_owned(), value.to_owned(), bare != line))
    };
    text.lines().filter_map(setting).collect()
}

fn file_of(used_by: UsedBy) -> &'static str {
    match used_by {
        UsedBy::Core => "pv.env.example",
        UsedBy::Ui => "pv-ui.env.example",
    }
}

#[test]
fn every_variable_is_in_its_template() {
    for var in vars::ALL {
        let file = file_of(var.used_by);
        assert!(settings(file).iter().any(|(name, ..)| name == var.name), "{} is missing in {file}", var.name);
    }
}

#[test]
fn a_template_changes_no_default_and_earns_no_warning() {
    let yaml = tempfile::NamedTempFile::new().unwrap();
    let empty = yaml.path().to_str().unwrap().to_owned();
    for file in [UsedBy::Core, UsedBy::Ui].map(file_of) {
        let lines = settings(file);
        // The files that this host may have are none of the test's business.
        let no_files = |name: &str| (name == "PV_CONFIG_PATH").then(|| OsString::from(&empty));
        // Commented lines count as well: they show the defaults.
        let env = |name: &str| match name {
            "PV_CONFIG_PATH" | "PV_API_TOKEN_FILE" => no_files(name),
            _ => lines.iter().find(|line| line.0 == name).map(|line| OsString::from(&line.1)),
        };
        let (templated, warnings) = config::load(&OsFs, &env, &Overrides::default()).unwrap();
        assert!(warnings.is_empty(), "{file}: {warnings:?}");
        let (bare, _) = config::load(&OsFs, &no_files, &Overrides::default()).unwrap();
        for (with, without) in templated.rows.iter().zip(&bare.rows) {
            assert_eq!((&with.name, &with.value), (&without.name, &without.value), "{file}");
        }
        assert!(lines.iter().all(|(name, _, comment)| *comment || !name.contains("TOKEN")), "{file} sets a token");
        for (name, ..) in &lines {
            assert!(vars::ALL.iter().any(|var| var.name == name), "{file}: nobody reads {name}");
        }
    }
}
