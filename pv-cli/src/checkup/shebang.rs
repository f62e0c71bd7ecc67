//! The interpreter of a script, as its first line names it.

/// How much of a file is looked at, in bytes: what the kernel looks at.
pub(super) const FIRST_LINE_BYTES_MAX: u64 = 256;

/// What runs a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// The program at this path.
    At(String),
    /// The program of this name on the `PATH`, by `env`.
    OnPath(String),
}

impl Interpreter {
    /// Reads the start of a file; `None` where it is no script, or its line makes no sense.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        let line = String::from_utf8_lossy(line);
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let program = words.next()?;
        if program.rsplit('/').next() != Some("env") {
            return Some(Self::At(program.to_owned()));
        }
        // Options, of which `-S` may have the name's word joined to it, and variables come before the name.
        let name = words.find_map(|word| {
            let word = word.strip_prefix("-S").or_else(|| word.strip_prefix("--split-string=")).unwrap_or(word);
            (!word.is_empty() && !word.starts_with('-') && !word.contains('=')).then_some(word)
        })?;
        let name = name.trim_matches(['"', '\'']).to_owned();
        Some(if name.contains('/') { Self::At(name) } else { Self::OnPath(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c24_the_first_line_of_a_script_names_its_interpreter() {
        let check = |start: &[u8], expected: Option<Interpreter>| assert_eq!(Interpreter::of(start), expected);
        let at = |path: &str| Some(Interpreter::At(path.to_owned()));
        let on_path = |name: &str| Some(Interpreter::OnPath(name.to_owned()));
        check(b"#!/bin/sh\necho\n", at("/bin/sh"));
        check(b"#! /usr/bin/python3 -u", at("/usr/bin/python3"));
        check(b"#!/usr/bin/env node\n", on_path("node"));
        check(b"#!/usr/bin/env -S node --no-warnings\n", on_path("node"));
        check(b"#!/usr/bin/env -Snode --no-warnings\n", on_path("node"));
        check(b"#!/usr/bin/env -i A=b\tbun\n", on_path("bun"));
        check(b"#!/usr/bin/env /opt/node\n", at("/opt/node"));
        for none in [&b"\x7fELF"[..], b"#!", b"#!\n/bin/sh", b"#!/usr/bin/env\n", b"", b"# /bin/sh"] {
            check(none, None);
        }
    }
}
