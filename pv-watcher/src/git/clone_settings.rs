//! The settings of a fresh clone, written into its file at once: a call of git for each would take longer than all else that
//! is done to a small checkout.
//!
//! Only for a clone that nobody else has had yet.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

/// The section of the remote that a checkout comes from.
const ORIGIN: &[u8] = b"[remote \"origin\"]";

/// What the agent fetches itself: any branch.
const FETCH: &str = "+refs/heads/*:refs/remotes/origin/*";

/// One setting: its section, its key and its value.
pub(super) type Setting<'a> = (&'static str, &'static str, &'a str);

/// Lets a clone fetch every branch from `url`, and sets these settings.
///
/// # Errors
/// Where its file cannot be read or written.
pub(super) fn write_settings(dir: &Utf8Path, url: &str, settings: &[Setting<'_>]) -> io::Result<()> {
    let path = dir.join(".git/config");
    let config = rewritten(&fs::read(&path)?, url, settings);
    fs::write(path, config)
}

/// Returns a file of settings with others: those of `origin` in the place of what it had, the further ones at the end, where
/// they count.
fn rewritten(config: &[u8], url: &str, settings: &[Setting<'_>]) -> Vec<u8> {
    let origin = format!("\turl = {}\n\tfetch = {}\n", quoted(url), quoted(FETCH));
    let mut out = Vec::with_capacity(config.len() + origin.len() + 64 * settings.len());
    let (mut is_in_origin, mut has_origin, mut is_continued) = (false, false, false);
    for line in config.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        let goes_on = text.ends_with(b"\\");
        // A value that goes on belongs to the line that it began in.
        let is_dropped = if is_continued {
            true
        } else {
            if text.starts_with(b"[") {
                is_in_origin = text == ORIGIN;
            }
            is_in_origin && [&b"url"[..], b"fetch"].iter().any(|key| key_of(text).eq_ignore_ascii_case(key))
        };
        is_continued = is_dropped && goes_on;
        if is_dropped {
            continue;
        }
        out.extend_from_slice(line);
        if is_in_origin && text == ORIGIN && !std::mem::replace(&mut has_origin, true) {
            out.extend_from_slice(origin.as_bytes());
        }
    }
    if out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
    if !has_origin {
        out.extend_from_slice(ORIGIN);
        out.push(b'\n');
        out.extend_from_slice(origin.as_bytes());
    }
    for (section, key, value) in settings {
        out.extend_from_slice(format!("[{section}]\n\t{key} = {}\n", quoted(value)).as_bytes());
    }
    out
}

/// Returns the key of a line, whatever follows it.
fn key_of(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| *byte == b'=' || byte.is_ascii_whitespace()).unwrap_or(line.len());
    &line[..end]
}

/// Writes a value so that git reads it as it is (git-config(1), "Syntax").
pub(super) fn quoted(value: &str) -> String {
    let escape = |letter: char| match letter {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        other => other.to_string(),
    };
    format!("\"{}\"", value.chars().map(escape).collect::<String>())
}

/// Writes the name of a part of a section so that git reads it as it is (git-config(1), "Syntax").
pub(super) fn subsection(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Returns all values of a key, as git reads them.
    fn read(config: &[u8], key: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        fs::write(&path, config).unwrap();
        let mut git = Command::new("git");
        let output = git.args(["config", "--null", "--get-all", "-f"]).arg(path).arg(key).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn git_reads_what_was_written_and_keeps_what_else_there_is() {
        let clone = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = /a/mirror.git\n\tfetch = +refs/heads/main:refs/x\n\
                     \tpush = HEAD\n[branch \"main\"]\n\tremote = origin\n";
        let twice =
            "[remote \"origin\"]\nURL=/one\n[user]\n\tname = template\n[remote \"origin\"]\n\turl = two\\\n three\n";
        for (config, others) in [
            (clone, &[("core.bare", "false"), ("remote.origin.push", "HEAD"), ("branch.main.remote", "origin")][..]),
            (twice, &[]),
            ("", &[]),
            ("[core]\n\tbare = true", &[("core.bare", "true")]),
        ] {
            for (url, name) in [
                ("https://host/o/r.git", "Prompt Valet"),
                ("/a \"path\" # with; all\\sorts/ä", " \"A\" # B; \\C\n\tD "),
            ] {
                let settings = [("user", "name", name), ("commit", "gpgSign", "false")];
                let config = rewritten(config.as_bytes(), url, &settings);
                assert_eq!(read(&config, "remote.origin.url"), [url], "{}", String::from_utf8_lossy(&config));
                assert_eq!(read(&config, "remote.origin.fetch"), [FETCH]);
                assert_eq!(read(&config, "user.name").last().map(String::as_str), Some(name));
                assert_eq!(read(&config, "commit.gpgsign"), ["false"]);
                for (key, value) in others {
                    assert_eq!(read(&config, key), [*value], "{key}");
                }
            }
        }
    }
}
