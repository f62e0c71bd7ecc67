//! `pv config`: shows every setting, its value and where it came from.

use pv_lib::{
    config::{Config, SettingRow},
    text::one_line,
};
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    exit::{Exit, Outcome},
    render::{Cell, Out},
    terminal::{Column, Paint},
};

/// Arguments of `pv config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints the settings, and warnings about them on standard error.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let mut out = Out::new();
    if context.json {
        let (config, warnings) = context.settings()?;
        let mut all = as_json(&config);
        all.insert("warnings".into(), warnings.iter().map(ToString::to_string).collect());
        out.json(&all)?;
    } else {
        // On a terminal a long value is cut; a pipe has them whole.
        let columns = [Column::whole("SETTING"), Column::cut("VALUE", 16), Column::cut("FROM", 16)];
        out.table(columns, &rows(&context.config()?.rows))?;
    }
    Ok(Exit::Done)
}

fn rows(rows: &[SettingRow]) -> Vec<[Cell; 3]> {
    let row = |row: &SettingRow| {
        let paint = if row.origin.is_default() { Paint::Label } else { Paint::Plain };
        let texts = [one_line(&row.name), shown(&row.value), one_line(&row.origin.to_string())];
        texts.map(|text| Cell::painted(text, paint))
    };
    rows.iter().map(row).collect()
}

/// Returns a value as people write it, on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".into(),
        // Quoted where a terminal or a reader would take it for something else.
        Value::String(text) if text.is_empty() || text.chars().any(char::is_control) => format!("{text:?}"),
        Value::String(text) => one_line(text),
        other => one_line(&other.to_string()),
    }
}

/// Returns what `--json` prints and the API returns of the settings.
pub(crate) fn as_json(config: &Config) -> Map<String, Value> {
    let setting = |row: &SettingRow| json!({ "name": row.name, "variable": row.var, "value": row.value, "origin": row.origin.to_string() });
    let idle = config.without_effect.iter();
    let idle = idle.map(|key| json!({ "key": key.key, "path": key.path.as_str(), "line": key.line, "why": key.why }));
    let parts = [
        ("settings", config.rows.iter().map(setting).collect()),
        ("agents", config.agent_names().into()),
        ("without_effect", idle.collect()),
    ];
    parts.into_iter().map(|(key, part)| (key.to_owned(), part)).collect()
}

#[cfg(test)]
mod tests {
    use pv_lib::config::Origin;

    use super::*;

    fn check(value: &Value, expected: &str) {
        assert_eq!(shown(value), expected);
    }

    #[test]
    fn a_value_is_shown_on_one_line() {
        check(&Value::Null, "not set");
        check(&"/srv/pv".into(), "/srv/pv");
        check(&"".into(), r#""""#);
        check(&"a\u{1b}[2Jb\n".into(), r#""a\u{1b}[2Jb\n""#);
        check(&8888.into(), "8888");
        check(&json!(["a", "b"]), r#"["a","b"]"#);
    }

    #[test]
    fn each_setting_is_a_row_with_its_origin() {
        let row = |name: &str, value: Value, origin| SettingRow { name: name.into(), var: None, value, origin };
        let settings = [
            row("pv_root", "/srv/pv".into(), Origin::Flag { name: "--root" }),
            row("watcher.max_concurrent", 2.into(), Origin::Default),
            row("agents.x\u{1b}", 2.into(), Origin::File { path: "/c.yaml".into(), line: Some(3) }),
        ];
        let cell = |text: &str, paint| Cell::painted(text, paint);
        let plain = |texts: [&str; 3]| texts.map(|text| cell(text, Paint::Plain));
        assert_eq!(
            rows(&settings),
            [
                plain(["pv_root", "/srv/pv", "--root"]),
                ["watcher.max_concurrent", "2", "default"].map(|text| cell(text, Paint::Label)),
                plain(["agents.x^[", "2", "/c.yaml:3"]),
            ]
        );
    }
}
