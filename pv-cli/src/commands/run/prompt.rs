//! What is to be done: an argument, a file, standard input, or what a person writes in their editor.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::Path,
    process::Command,
};

use crate::{
    context::quoted,
    exit::{Exit, Failure},
};

/// The longest prompt that is read, in bytes; the setting `limits.prompt_bytes` decides about less.
const PROMPT_BYTES_MAX: u64 = 64 << 20;

/// What stands in the file that an editor is given. The comment is not part of the prompt.
const TEMPLATE: &str = "\n\n<!-- pv: say above what is to be done; save and close. An empty prompt is none.
     Markdown. The first heading, or the first line, becomes the title.
     Between lines of three dashes at the very top may stand settings for this job:
         pv: {agent: codex, model: …, timeout: 90m, deliver: branch}
     This comment is left out. -->\n";

/// Where a comment of the template begins.
const COMMENT: &str = "<!-- pv: ";

/// A prompt as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its text.
    pub(super) text: Vec<u8>,
    /// The name of its file, where it came from one that may be called so here.
    pub(super) file_name: Option<String>,
}

/// Reads what is to be done. An argument that names a file which is there is that file.
///
/// # Errors
/// Nothing to read: exit code 2. What cannot be read: exit code 5.
pub(super) fn read(argument: Option<&str>) -> Result<Wanted, Failure> {
    match argument {
        None if io::stdin().is_terminal() => edit(),
        None => Err(Failure::usage(
            "say what is to be done: `pv run \"mend the failing test\"`, or a file, or `-` for standard input",
        )),
        Some("-") => from(io::stdin().lock(), "standard input").map(|text| Wanted { text, file_name: None }),
        Some(path) if Path::new(path).is_file() => {
            let opened = std::fs::File::open(path).map_err(|error| refused(path, &error))?;
            let name = Path::new(path).file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".md"));
            from(opened, path).map(|text| Wanted { text, file_name: name.map(str::to_owned) })
        }
        Some(text) if text.trim().is_empty() => Err(Failure::usage("the prompt is empty: say what is to be done")),
        Some(text) => Ok(Wanted { text: text.into(), file_name: None }),
    }
}

fn refused(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("cannot read {what}: {error}"))
}

fn from(reader: impl Read, what: &str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    // One byte more than allowed shows that it is too long.
    reader.take(PROMPT_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| refused(what, &error))?;
    if text.len() as u64 > PROMPT_BYTES_MAX {
        return Err(Failure::new(Exit::Refused, format!("{what} has more than {PROMPT_BYTES_MAX} bytes: shorten it")));
    }
    Ok(text)
}

/// Lets the person write it in their editor.
fn edit() -> Result<Wanted, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).ok_or_else(|| {
        Failure::usage("say what is to be done: `pv run \"mend the failing test\"`, or set EDITOR and write it there")
    })?;
    let mut file = tempfile::Builder::new().prefix("pv-run-").suffix(".md").tempfile()?;
    file.write_all(TEMPLATE.as_bytes())?;
    file.flush()?;
    // By a shell, as git does: an editor may be a command with arguments.
    let path = file.path().to_str().ok_or_else(|| Failure::usage("TMPDIR is not UTF-8: set another"))?;
    let status = Command::new("sh").arg("-c").arg(format!("{editor} {}", quoted(path))).status();
    let status = status.map_err(|error| Failure::new(Exit::Refused, format!("cannot run {editor}: {error}")))?;
    if !status.success() {
        return Err(Failure::new(Exit::Refused, format!("{editor} ended with {status}: nothing is submitted")));
    }
    // An editor may have put another file in its place.
    let text = from(std::fs::File::open(path).map_err(|error| refused(path, &error))?, path)?;
    let text = without_comment(&String::from_utf8_lossy(&text));
    if text.is_empty() {
        return Err(Failure::new(Exit::Aborted, "the prompt is empty: nothing is submitted"));
    }
    Ok(Wanted { text: text.into_bytes(), file_name: None })
}

/// Returns a text without the template's comment, and without blank lines around it.
fn without_comment(text: &str) -> String {
    let Some(begin) = text.find(COMMENT) else { return text.trim().to_owned() };
    let end = text[begin..].find("-->").map_or(text.len(), |end| begin + end + "-->".len());
    format!("{}{}", &text[..begin], &text[end..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_comment_is_no_part_of_the_prompt() {
        assert_eq!(without_comment(TEMPLATE), "");
        assert_eq!(without_comment(&format!("do it\n\n## so\n{TEMPLATE}")), "do it\n\n## so");
        assert_eq!(without_comment(&format!("{TEMPLATE}do it")), "do it");
        assert_eq!(without_comment("do it <!-- mine -->"), "do it <!-- mine -->");
        assert_eq!(without_comment("do it\n<!-- pv: never closed"), "do it");
    }

    #[test]
    fn a_file_that_is_there_is_meant_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("task.md");
        std::fs::write(&path, "# Do it\n").unwrap();
        let read_at = |path: &Path| read(Some(path.to_str().unwrap())).unwrap();
        assert_eq!(read_at(&path), Wanted { text: b"# Do it\n".into(), file_name: Some("task.md".into()) });
        std::fs::rename(&path, dir.path().join("task")).unwrap();
        assert_eq!(read_at(&dir.path().join("task")).file_name, None);
        let text = read(Some("task.md")).unwrap();
        assert_eq!((text.text, text.file_name), (b"task.md".to_vec(), None), "no such file: it is the prompt");
        assert_eq!(read(Some(" ")).unwrap_err().exit, Exit::Usage);
    }
}
