//! The three layers over the defaults, and how a setting is found in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use camino::Utf8PathBuf;
use serde_json::Value as Json;

use super::{
    ConfigError, NoEffect, Origin, Overrides, Secret, SettingRow, Warning, WithOrigin, nearest,
    redact::redact_address,
    root::DefaultRoot,
    types::{Item, SettingType},
    vars::{CONFIG_PATH, Var},
    yaml::{self, Kind, Node},
};
use crate::fs::{Fs, FsExt, optional};

/// The largest settings file that is read, in bytes.
const FILE_LIMIT_BYTES: usize = 1 << 20;
/// What is shown of a secret.
const SET: &str = "(set)";
/// How much of a wrong value is shown, in characters.
const SHOWN_CHARS: usize = 80;

/// Keys of the earlier service that are accepted, with all below them, and why they change nothing.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("queue", "there is one queue, always: the inbox"),
    ("tree_builder.greedy_inboxes", "inbox folders are made for repositories that are cloned, or by `pv targets add`"),
    ("tree_builder.eager_repos", "inbox folders are made for branches"),
    ("tree_builder.placeholder_branches", "inbox folders are made for branches that are there"),
    ("watcher.cleanup_non_git_dirs", "a folder where a clone should be is left alone"),
    ("processed", "a prompt that is over goes to `finished`"),
    ("failed", "a prompt that failed goes to `finished`, as `.error.md`"),
];

/// The environment: for a variable's name its value, whatever bytes it has.
pub type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The layers, and which settings were found in them.
pub(super) struct Sources<'a> {
    env: &'a Environment<'a>,
    flags: &'a Overrides,
    path: Utf8PathBuf,
    /// The file's nodes by dotted key, mappings included.
    entries: BTreeMap<String, Node>,
    known: BTreeSet<String>,
    pub(super) rows: Vec<SettingRow>,
    pub(super) warnings: Vec<Warning>,
}

/// What a setting is called: its YAML keys, the first of which counts most, and its variable.
pub(super) struct Name<'a> {
    pub(super) keys: &'a [&'a str],
    pub(super) var: Option<&'static Var>,
}

/// A name in the file only.
pub(super) fn keys<'a>(keys: &'a [&'a str]) -> Name<'a> {
    Name { keys, var: None }
}

/// A name in the environment only.
pub(super) fn var(var: &'static Var) -> Name<'static> {
    Name { keys: &[], var: Some(var) }
}

impl<'a> Sources<'a> {
    pub(super) fn new(env: &'a Environment<'a>, flags: &'a Overrides) -> Self {
        Self {
            env,
            flags,
            path: Utf8PathBuf::new(),
            entries: BTreeMap::new(),
            known: BTreeSet::new(),
            rows: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads the file layer. A missing file is an empty one, with a warning if somebody named it and no template did.
    pub(super) fn read_file(&mut self, fs: &dyn Fs, path: &WithOrigin<Utf8PathBuf>) -> Result<(), ConfigError> {
        self.path.clone_from(&path.value);
        let read = optional(fs.read(&path.value, FILE_LIMIT_BYTES));
        let read = read.map_err(|source| ConfigError::Unreadable { path: path.value.clone(), source })?;
        let Some(bytes) = read else {
            if !path.origin.is_default() && path.value != CONFIG_PATH.default {
                let (origin, path) = (path.origin.clone(), path.value.clone());
                self.warnings.push(Warning::MissingFile { origin, path });
            }
            return Ok(());
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() as u64;
            self.syntax(line, "the file is not UTF-8".into())
        })?;
        let tree = yaml::parse(text).map_err(|(line, message)| self.syntax(line, message))?;
        self.flatten("", tree);
        Ok(())
    }

    fn syntax(&self, line: u64, message: String) -> ConfigError {
        ConfigError::Syntax { path: self.path.clone(), line, message }
    }

    fn flatten(&mut self, prefix: &str, entries: Vec<(String, Node)>) {
        for (name, node) in entries {
            let name = quoted(&name);
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.entries.insert(key.clone(), node.clone());
            if let Kind::Map(below) = node.kind {
                self.flatten(&key, below);
            }
        }
    }

    /// Finds a setting: in the flags, else the environment, else the file; else it has the default.
    pub(super) fn with_default<T>(
        &mut self,
        name: &Name<'_>,
        setting_type: &SettingType<T>,
        default: T,
    ) -> Result<WithOrigin<T>, ConfigError> {
        self.with_default_from(name, setting_type, WithOrigin { value: default, origin: Origin::Default })
    }

    /// Finds a setting whose default needs a reason.
    pub(super) fn with_default_from<T>(
        &mut self,
        name: &Name<'_>,
        setting_type: &SettingType<T>,
        default: WithOrigin<T>,
    ) -> Result<WithOrigin<T>, ConfigError> {
        let found = self.find(name, setting_type)?.unwrap_or(default);
        self.add_row(name, (setting_type.show)(&found.value), &found.origin);
        Ok(found)
    }

    /// Returns the default of the root, or of the settings file, with the reason for it where the shell knows one.
    pub(super) fn default_place(&self, var: &Var, choose: fn(&DefaultRoot) -> &Utf8PathBuf) -> WithOrigin<Utf8PathBuf> {
        match self.flags.default_root() {
            Some(root) => WithOrigin { value: choose(root).clone(), origin: Origin::Chosen { why: root.why.clone() } },
            None => WithOrigin { value: var.default.into(), origin: Origin::Default },
        }
    }

    /// Finds a setting that may be without a value.
    pub(super) fn optional<T>(
        &mut self,
        name: &Name<'_>,
        setting_type: &SettingType<T>,
    ) -> Result<WithOrigin<Option<T>>, ConfigError> {
        let found = self.find(name, setting_type)?;
        let (value, origin) = found.map_or((None, Origin::Default), |found| (Some(found.value), found.origin));
        self.add_row(name, value.as_ref().map_or(Json::Null, setting_type.show), &origin);
        Ok(WithOrigin { value, origin })
    }

    fn add_row(&mut self, name: &Name<'_>, value: Json, origin: &Origin) {
        let var = name.var.map(|var| var.name);
        let shown = name.keys.first().copied().or(var).unwrap_or_default();
        // Whatever reads it: the value of a secret variable is never shown.
        let is_hidden = name.var.is_some_and(Var::is_secret) && !value.is_null();
        let value = if is_hidden { SET.into() } else { value };
        self.rows.push(SettingRow { name: shown.to_owned(), var, value, origin: origin.clone() });
    }

    fn find<T>(
        &mut self,
        name: &Name<'_>,
        setting_type: &SettingType<T>,
    ) -> Result<Option<WithOrigin<T>>, ConfigError> {
        // The file is read in any case: a wrong value there is wrong, even if a variable covers it.
        let in_file = self.find_in_file(name.keys, setting_type)?;
        let Some(var) = name.var else { return Ok(in_file) };
        let (origin, text) = match self.flags.get(var) {
            Some((flag, value)) => (Origin::Flag { name: flag }, Some(OsString::from(value))),
            None => (Origin::Env { name: var.name }, (self.env)(var.name)),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(in_file) };
        let text = if var.is_secret() { whole(var, &origin, &text)? } else { self.text(var, &origin, text)? };
        // A variable that names a secret's file and comes to nothing would let everybody in.
        if text.is_empty() && !var.is_secret_file() {
            return Ok(in_file);
        }
        let value = (setting_type.parse)(&text);
        let value = value.ok_or_else(|| setting_type.refuse(&origin, name.keys.first().unwrap_or(&""), &text))?;
        Ok(Some(WithOrigin { value, origin }))
    }

    /// Returns a value that is no secret; that of a variable without the comment that systemd leaves in it.
    fn text(&mut self, var: &'static Var, origin: &Origin, value: OsString) -> Result<String, ConfigError> {
        let value = value.into_string().map_err(|_| ConfigError::NotUtf8 { name: var.name })?;
        if !matches!(origin, Origin::Env { .. }) {
            return Ok(value.trim().to_owned());
        }
        let (kept, dropped) = split_comment(&value);
        if let Some(dropped) = dropped {
            let dropped = (!var.is_secret_file()).then(|| shown(dropped));
            self.warnings.push(Warning::TrailingComment { name: var.name, dropped });
        }
        Ok(kept.to_owned())
    }

    fn find_in_file<T>(
        &mut self,
        keys: &[&str],
        setting_type: &SettingType<T>,
    ) -> Result<Option<WithOrigin<T>>, ConfigError> {
        let mut found: Option<(&str, WithOrigin<T>)> = None;
        for key in keys {
            self.known.insert((*key).to_owned());
            self.check_sections_above(key)?;
            let Some(node) = self.entries.get(*key) else { continue };
            let Some(read) = read_node(node, setting_type) else { continue };
            let origin = Origin::File { path: self.path.clone(), line: Some(node.line) };
            let value = read.map_err(|shown| setting_type.refuse(&origin, key, &shown))?;
            if let Some((winner, _)) = &found {
                let (path, line) = (self.path.clone(), node.line);
                let (key, winner) = ((*key).to_owned(), (*winner).to_owned());
                self.warnings.push(Warning::Overruled { path, line, key, winner });
            } else {
                found = Some((key, WithOrigin { value, origin }));
            }
        }
        Ok(found.map(|(_, found)| found))
    }

    /// A section that is no mapping would hide everything in it.
    fn check_sections_above(&self, key: &str) -> Result<(), ConfigError> {
        let above = key.match_indices('.').map(|(dot, _)| &key[..dot]);
        for section in above {
            let Some(node) = self.entries.get(section) else { continue };
            if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
                let origin = Origin::File { path: self.path.clone(), line: Some(node.line) };
                // What stands where settings of an agent or a launcher, or checks, should be may be a command, keys included.
                let may_be_secret = ["agents", "launchers", "checks"].iter().any(|name| section.starts_with(name));
                let shown = if may_be_secret { "…" } else { &show_node(node) };
                return Err(unusable(&origin, section, shown, "a mapping with its keys indented below it"));
            }
        }
        Ok(())
    }

    /// Tells whether the file has this key, whatever it says.
    pub(super) fn is_in_file(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns the names directly below a section of the file, in order.
    pub(super) fn names_below(&self, section: &str) -> Vec<(String, Origin)> {
        let below = self.entries.iter().filter_map(|(key, node)| {
            let name = key.strip_prefix(section)?.strip_prefix('.')?;
            let name = match name.strip_prefix('"') {
                Some(name) => name.strip_suffix('"').filter(|name| !name.contains('"'))?,
                None => Some(name).filter(|name| !name.contains('.'))?,
            };
            let origin = Origin::File { path: self.path.clone(), line: Some(node.line) };
            Some((name.to_owned(), origin))
        });
        below.collect()
    }

    /// Notes a section whose names are free, and that must be a mapping.
    pub(super) fn know_section(&mut self, section: &str) -> Result<(), ConfigError> {
        self.known.insert(section.to_owned());
        self.check_sections_above(&format!("{section}."))
    }

    /// Returns what is left of the file: keys without effect; unknown keys become warnings.
    pub(super) fn finish(&mut self) -> Vec<NoEffect> {
        let mut without_effect = Vec::new();
        for (key, node) in &self.entries {
            let is_or_is_below =
                |section: &str| key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if let Some((section, why)) = WITHOUT_EFFECT.iter().find(|(section, _)| is_or_is_below(section)) {
                if key == section {
                    without_effect.push(NoEffect { path: self.path.clone(), line: node.line, key: key.clone(), why });
                }
                continue;
            }
            let is_section =
                |known: &String| known.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.'));
            let is_known = self.known.contains(key) || self.known.iter().any(is_section);
            let parent_is_known = key.rsplit_once('.').is_none_or(|(parent, _)| {
                matches!(parent, "agents" | "repos")
                    || self.known.iter().any(|known| known.starts_with(&format!("{parent}.")))
            });
            if is_known || !parent_is_known {
                continue;
            }
            let sections = WITHOUT_EFFECT.iter().map(|(section, _)| *section);
            let nearest = nearest(key, self.known.iter().map(String::as_str).chain(sections)).map(str::to_owned);
            let (path, line) = (self.path.clone(), node.line);
            self.warnings.push(Warning::UnknownKey { path, line, key: key.clone(), nearest });
        }
        without_effect.sort_by_key(|key| key.line);
        without_effect
    }
}

/// Returns the dotted key of a setting in a named section of a section.
pub(super) fn below(section: &str, name: &str, leaf: &str) -> String {
    format!("{section}.{}.{leaf}", quoted(name))
}

/// A dot inside a name must not look like a level.
fn quoted(name: &str) -> String {
    if name.is_empty() || name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

/// Reads a node: `None` where it is empty and so sets nothing, `Err` with what is shown where it is not right.
fn read_node<T>(node: &Node, setting_type: &SettingType<T>) -> Option<Result<T, String>> {
    let value = match &node.kind {
        Kind::Null => return None,
        Kind::Text(text) if text.trim().is_empty() => return None,
        Kind::Text(text) => (setting_type.parse)(text.trim()),
        Kind::List(items) => {
            texts(items).map_or_else(|| nested(items).and_then(setting_type.parse_items), setting_type.parse_list)
        }
        Kind::Map(_) => None,
    };
    Some(value.ok_or_else(|| show_node(node)))
}

/// Returns the texts of a list that has nothing else.
fn texts(items: &[Node]) -> Option<Vec<String>> {
    let text = |item: &Node| match &item.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    };
    items.iter().map(text).collect()
}

/// Returns the entries of a list of texts and of lists of texts.
fn nested(items: &[Node]) -> Option<Vec<Item>> {
    let entry = |item: &Node| match &item.kind {
        Kind::Text(text) => Some(Item::Text(text.clone())),
        Kind::List(items) => texts(items).map(Item::List),
        Kind::Null | Kind::Map(_) => None,
    };
    items.iter().map(entry).collect()
}

fn show_node(node: &Node) -> String {
    match &node.kind {
        Kind::Null => String::new(),
        Kind::Text(text) => text.clone(),
        Kind::List(items) => format!("[{}]", items.iter().map(show_node).collect::<Vec<_>>().join(", ")),
        Kind::Map(_) => "{…}".into(),
    }
}

pub(super) fn unusable(origin: &Origin, key: &str, value: &str, wanted: &str) -> ConfigError {
    let (origin, key) = (origin.clone(), key.to_owned());
    ConfigError::Unusable { origin, key, value: Some(shown(value)), wanted: wanted.to_owned() }
}

impl<T> SettingType<T> {
    /// Returns the error of a value that is not right, which has the value only where it cannot be a secret.
    fn refuse(&self, origin: &Origin, key: &str, value: &str) -> ConfigError {
        let (origin, key) = (origin.clone(), key.to_owned());
        let value = (!self.hides_invalid).then(|| shown(value));
        ConfigError::Unusable { origin, key, value, wanted: self.wanted.to_owned() }
    }
}

/// Returns a secret as it was set, but for white space around it.
fn whole(var: &'static Var, origin: &Origin, value: &OsStr) -> Result<String, ConfigError> {
    let file = var.file().map(|file| file.name);
    let damaged = |damage| ConfigError::DamagedSecret { origin: origin.clone(), damage, file };
    let secret = Secret::read(value.as_bytes()).map_err(damaged)?;
    Ok(secret.map_or_else(String::new, |secret| secret.expose().to_owned()))
}

fn shown(value: &str) -> String {
    let value = redact_address(value);
    let mut shown = value.chars().take(SHOWN_CHARS).collect::<String>().escape_debug().to_string();
    if value.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Splits `8888   # the port` into the value and the comment.
fn split_comment(value: &str) -> (&str, Option<&str>) {
    let value = value.trim();
    let starts = |(at, _): &(usize, &str)| *at == 0 || value[..*at].ends_with(char::is_whitespace);
    match value.match_indices('#').find(starts) {
        Some((at, _)) => (value[..at].trim_end(), Some(&value[at..])),
        None => (value, None),
    }
}
