//! `docs/settings.md` is the settings' own table: made from it, and compared.
#![expect(
    clippy::disallowed_methods,
    reason = "a test, on a disk of its own; an update is asked for by the environment"
)]

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use camino::Utf8Path;
use pv_lib::{
    config::{self, Config, Overrides, keys, keys::Key, vars},
    fs::OsFs,
};
use serde_json::Value;

/// The longest default that is shown, in characters; `pv config` shows it whole.
const DEFAULT_CHARS_MAX: usize = 60;

const ABOVE: &str = "\
# Settings

A flag wins over the environment, which wins over the YAML file, which wins over the default. `pv config` prints every
setting, its value and where it came from; `pv init` writes a file to begin with. A value that cannot be used stops the
program with its name and what would be right. A token is taken whole, `#` and quotes included, and is never shown; one that
looks damaged stops the program, too. Times are seconds, or such as `90s`, `30m`, `2h`; sizes are bytes.

This page is made from the program's own table: `UPDATE_DOCS=1 cargo test -p pv-lib --test it settings_page`.

## Variables

Where this user may not write to `/srv/prompt-valet`, `PV_ROOT` is `$XDG_STATE_HOME/prompt-valet` by default, and
`PV_CONFIG_PATH` is `$XDG_CONFIG_HOME/prompt-valet/config.yaml`.

| variable | default | meaning |
|---|---|---|
";

const BETWEEN: &str = "
These are other programs' variables, and count as they do there: `SSL_CERT_FILE` and `SSL_CERT_DIR` name the certificates that
`pv --api https://…` and the page's service accept; [the command line](command-line.md#on-a-terminal) tells those of
terminals.

## Keys of the YAML file

| key | default | meaning |
|---|---|---|
";

fn settings(yaml: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(dir.path()).unwrap().join("pv.yaml");
    fs::write(&file, yaml).unwrap();
    let named = |name: &str| (name == "PV_CONFIG_PATH").then(|| file.as_str().into());
    config::load(&OsFs, &named, &Overrides::default()).unwrap().0
}

/// Settings with a name of one's own wherever one may stand.
fn with_names() -> Config {
    settings(
        "agents: {mine: {}}\nrepos: {o/r: {checks: [test]}}\nchecks: {test: make test}\n\
         launchers: {bubblewrap: {}, slurm: {}, mine: {kind: command, run: [x]}}\n",
    )
}

fn shown(default: &Value) -> String {
    let text = match default {
        Value::Null => return "not set".to_owned(),
        Value::Array(list) if list.is_empty() => return "none".to_owned(),
        Value::Bool(is_on) => return if *is_on { "on" } else { "off" }.to_owned(),
        Value::Array(list) => {
            list.iter().map(|item| item.as_str().unwrap_or("?").to_owned()).collect::<Vec<_>>().join(" ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cut: String = text.chars().take(DEFAULT_CHARS_MAX).collect();
    if cut == text {
        format!("`{text}`")
    } else {
        format!("`{}` …", cut.rsplit_once(' ').map_or("", |(words, _)| words))
    }
}

fn page() -> String {
    let config = settings(
        "agents: {}\nrepos: {o/r: {}}\nlaunchers: {bubblewrap: {}, slurm: {}, mine: {kind: command, run: [x]}}\n",
    );
    // Of an agent those that hold for all: its command is its name.
    let default_of = |key: &Key| {
        let row = config.rows.iter().find(|row| Key::pattern(&row.name) == key.name);
        row.map_or_else(
            || "not set".to_owned(),
            |row| match key.name {
                "agents.<name>.command" => "its name".to_owned(),
                "launchers.<name>.run" => "none, it is needed".to_owned(),
                _ => shown(&row.value),
            },
        )
    };
    let mut page = ABOVE.to_owned();
    for var in vars::ALL {
        writeln!(page, "| `{}` | `{}` | {} |", var.name, var.default.replace('`', ""), var.meaning).unwrap();
    }
    page += BETWEEN;
    for key in keys::ALL {
        writeln!(page, "| `{}` | {} | {} |", key.name, default_of(key), key.meaning.replace('|', "\\|")).unwrap();
    }
    page
}

#[test]
fn every_setting_is_documented_and_everything_documented_is_one() {
    let documented: BTreeSet<String> = keys::ALL.iter().map(|key| key.name.to_owned()).collect();
    let variables: BTreeSet<&str> = vars::ALL.iter().map(|var| var.name).collect();
    let rows = with_names().rows;
    let of_file = rows.iter().filter(|row| !variables.contains(row.name.as_str()));
    let patterns: BTreeSet<String> = of_file.map(|row| Key::pattern(&row.name)).collect();
    assert_eq!(patterns, documented);
    for var in vars::ALL {
        let is_shown = rows.iter().any(|row| row.var == Some(var.name));
        assert!(is_shown, "{} is in no row", var.name);
    }
}

#[test]
fn the_page_is_the_settings_own_table() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page(), "out of date: UPDATE_DOCS=1 cargo test -p pv-lib --test it settings_page");
}
