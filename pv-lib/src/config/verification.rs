//! How checkouts are prepared and work is verified: the settings' types, and their section `checks`.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;

use super::{
    ConfigError, RepoSettings, WithOrigin,
    command::Command,
    sources::{Sources, keys, unusable},
    types::{Item, LIST, SettingType, TIME_ABOVE_ZERO},
};
use crate::prompt::{ATTEMPTS_MAX, CHECKS_MAX, is_check_name};

/// How many commands prepare a checkout, at most.
const SETUP_MAX: usize = 20;

/// How many paths are copied, or name what checks run from, at most.
const PATTERNS_MAX: usize = 100;

/// What can be verified, and how long it may take.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The checks, by name.
    pub checks: BTreeMap<String, Command>,
    /// How long preparing a checkout may take, all commands together.
    pub setup_timeout: WithOrigin<Duration>,
    /// How long each check may take.
    pub checks_timeout: WithOrigin<Duration>,
    /// The files that checks run from, as globs: work that changes one of them is said to.
    pub checks_paths: WithOrigin<Vec<String>>,
}

const COMMAND: SettingType<Command> = SettingType {
    wanted: "a command: a text for `sh -c`, such as \"cargo test\", or a list of words, such as [cargo, test]",
    parse: shell,
    parse_list: command_words,
    parse_items: |_| None,
    show: |command| command.to_string().into(),
    // Keys are passed to programs this way.
    hides_invalid: true,
};

pub(super) const COMMANDS: SettingType<Vec<Command>> = SettingType {
    wanted: "up to 20 commands: a text for `sh -c`, or a list of such texts and of lists of words, such as \
             [npm ci, [make, tools]]",
    parse: |text| shell(text).map(|command| vec![command]),
    parse_list: |items| commands(items.into_iter().map(Item::Text).collect()),
    parse_items: commands,
    show: |commands| commands.iter().map(Command::to_string).collect::<Vec<_>>().into(),
    hides_invalid: true,
};

pub(super) const COPIED_PATHS: SettingType<Vec<String>> = SettingType {
    wanted: "paths below the repository's folder, with `*` and `**` for any names, such as [.env, \"config/*.local\"]; \
             none that begins with a slash, has `..` in it, or is below .git",
    parse: |text| copied_paths(vec![text.to_owned()]),
    parse_list: copied_paths,
    ..LIST
};

pub(super) const CHECK_NAMES: SettingType<Vec<String>> = SettingType {
    wanted: "up to 20 different names of checks that are configured under `checks`",
    parse: |text| (LIST.parse)(text).and_then(check_names),
    parse_list: check_names,
    ..LIST
};

const PATHS: SettingType<Vec<String>> = SettingType {
    wanted: "up to 100 paths below a repository's folder, with `*` and `**` for any names, such as [\"tests/**\", Makefile]",
    parse: |text| (LIST.parse)(text).and_then(globs),
    parse_list: globs,
    ..LIST
};

pub(super) const ATTEMPTS: SettingType<u32> = SettingType {
    wanted: "a whole number from 1 to 10",
    parse: |text| text.parse().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number)),
    parse_list: |_| None,
    parse_items: |_| None,
    show: |number| (*number).into(),
    hides_invalid: false,
};

/// Reads the settings that are not a repository's own.
pub(super) fn verification(s: &mut Sources<'_>) -> Result<Verification, ConfigError> {
    let mut checks = BTreeMap::new();
    for (name, origin) in s.names_below("checks") {
        let key = format!("checks.{name}");
        if !is_check_name(&name) {
            return Err(unusable(&origin, &key, &name, "a name of up to 64 letters, digits, `-` and `_`"));
        }
        if let Some(command) = s.optional(&keys(&[&key]), &COMMAND)?.value {
            checks.insert(name, command);
        }
    }
    s.know_section("checks")?;
    let (setup_timeout, checks_timeout) = (Duration::from_secs(600), Duration::from_secs(900));
    Ok(Verification {
        checks,
        setup_timeout: s.with_default(&keys(&["setup_timeout"]), &TIME_ABOVE_ZERO, setup_timeout)?,
        checks_timeout: s.with_default(&keys(&["checks_timeout"]), &TIME_ABOVE_ZERO, checks_timeout)?,
        checks_paths: s.with_default(&keys(&["checks_paths"]), &PATHS, checks_paths())?,
    })
}

/// Reads what one repository has of its own.
pub(super) fn of_repo(
    s: &mut Sources<'_>,
    key: &dyn Fn(&str) -> String,
    checks: &BTreeMap<String, Command>,
) -> Result<RepoSettings, ConfigError> {
    let named = s.optional(&keys(&[&key("checks")]), &CHECK_NAMES)?;
    if let Some(unknown) = named.value.iter().flatten().find(|name| !checks.contains_key(*name)) {
        let known = checks.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let wanted = if known.is_empty() { "a check that is configured, by `checks.<name>: command`" } else { &known };
        return Err(unusable(&named.origin, &key("checks"), unknown, wanted));
    }
    Ok(RepoSettings {
        setup: s.optional(&keys(&[&key("setup")]), &COMMANDS)?.value,
        copy: s.optional(&keys(&[&key("copy")]), &COPIED_PATHS)?.value,
        checks: named.value,
        attempts: s.optional(&keys(&[&key("attempts")]), &ATTEMPTS)?.value,
        ..RepoSettings::default()
    })
}

fn shell(text: &str) -> Option<Command> {
    (!text.contains('\0') && !text.trim().is_empty()).then(|| Command::Shell(text.to_owned()))
}

fn command_words(words: Vec<String>) -> Option<Command> {
    let has_program = words.first().is_some_and(|program| !program.is_empty());
    (has_program && !words.iter().any(|word| word.contains('\0'))).then_some(Command::Words(words))
}

fn commands(items: Vec<Item>) -> Option<Vec<Command>> {
    let command = |item| match item {
        Item::Text(text) => shell(&text),
        Item::List(words) => command_words(words),
    };
    Some(items).filter(|items| items.len() <= SETUP_MAX)?.into_iter().map(command).collect()
}

fn copied_paths(paths: Vec<String>) -> Option<Vec<String>> {
    let is_below = |path: &String| {
        let path = Utf8Path::new(path);
        let is_plain = |part: camino::Utf8Component<'_>| matches!(part, camino::Utf8Component::Normal(_));
        path.components().all(is_plain) && path.components().next().is_some_and(|first| first.as_str() != ".git")
    };
    globs(paths).filter(|paths| paths.iter().all(is_below))
}

fn globs(patterns: Vec<String>) -> Option<Vec<String>> {
    let is_glob =
        |text: &String| !text.is_empty() && !text.chars().any(char::is_control) && globset::Glob::new(text).is_ok();
    (patterns.len() <= PATTERNS_MAX && patterns.iter().all(is_glob)).then_some(patterns)
}

fn check_names(names: Vec<String>) -> Option<Vec<String>> {
    let is_new = |(at, name): (usize, &String)| is_check_name(name) && !names[..at].contains(name);
    (names.len() <= CHECKS_MAX && names.iter().enumerate().all(is_new)).then_some(names)
}

/// What says how builds and tests are run, under its common names.
fn checks_paths() -> Vec<String> {
    const PATHS: [&str; 13] = [
        ".ci/**",
        ".github/**",
        ".gitlab-ci.yml",
        "**/Makefile",
        "**/justfile",
        "**/package.json",
        "**/pyproject.toml",
        "**/conftest.py",
        "**/tox.ini",
        "**/noxfile.py",
        "**/build.rs",
        "**/.cargo/config.toml",
        "**/jest.config.*",
    ];
    PATHS.map(str::to_owned).into()
}
