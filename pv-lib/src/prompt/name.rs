//! The names of prompt files: what they mean, and which are accepted.

use super::{
    endings::{RUNNING, WAITING, strip_ending},
    ignored::{IgnoreReason, ignore_reason, is_conflict_copy},
};
use crate::{
    job::{JobId, JobState},
    text::changes_direction,
};

/// The longest file name, in bytes: what common file systems allow.
pub const MAX_NAME_BYTES: usize = 255;

/// The longest stem that a submitted name keeps, in bytes: the rest of a name is for `-<id>` and the longest ending.
pub const MAX_STEM_BYTES: usize = MAX_NAME_BYTES - (1 + JobId::MINTED_LEN) - LONGEST_ENDING_BYTES;

const LONGEST_ENDING_BYTES: usize = RUNNING.len();

/// What a file in the inbox is by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameKind<'a> {
    /// A prompt that waits: `*.prompt.md`.
    Waiting {
        /// The name without the id and the ending.
        stem: &'a str,
        /// The job's id, when the name carries one.
        id: Option<JobId>,
    },
    /// A prompt that was claimed: `*.running.md`.
    Running {
        /// The name without the id and the ending.
        stem: &'a str,
        /// The job's id, when the name carries one.
        id: Option<JobId>,
    },
    /// Not a prompt.
    Ignored(IgnoreReason),
}

/// How the name of an archived prompt ends, by how its job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishedSuffix {
    /// The job succeeded: `.done.md`.
    Done,
    /// The job failed: `.error.md`.
    Error,
    /// The job was stopped or withdrawn: `.aborted.md`.
    Aborted,
}

impl FinishedSuffix {
    /// Returns the ending of a job in `state`; nothing when it is not over.
    #[must_use]
    pub fn of(state: JobState) -> Option<Self> {
        match state {
            JobState::Created | JobState::Running => None,
            JobState::Succeeded => Some(Self::Done),
            JobState::Failed => Some(Self::Error),
            JobState::Aborted => Some(Self::Aborted),
        }
    }

    /// Returns the end of the file name, with its leading dot.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Done => ".done.md",
            Self::Error => ".error.md",
            Self::Aborted => ".aborted.md",
        }
    }
}

/// Returns what a file of that name in the inbox is. Endings count in any letter case.
#[must_use]
pub fn classify(name: &str) -> NameKind<'_> {
    if name.starts_with('.') {
        NameKind::Ignored(IgnoreReason::Hidden)
    } else if let Some((stem, id)) = strip_ending(name, WAITING).map(split_id) {
        prompt_unless_copy(stem, NameKind::Waiting { stem, id })
    } else if let Some((stem, id)) = strip_ending(name, RUNNING).map(split_id) {
        prompt_unless_copy(stem, NameKind::Running { stem, id })
    } else {
        NameKind::Ignored(ignore_reason(name))
    }
}

/// Decides by the stem alone: `a.sync-conflict` that gets an id must not turn into a copy.
fn prompt_unless_copy<'a>(stem: &str, kind: NameKind<'a>) -> NameKind<'a> {
    if is_conflict_copy(stem) { NameKind::Ignored(IgnoreReason::Conflict) } else { kind }
}

/// Splits `stem-<id>`; a name that would have no stem left carries no id.
fn split_id(rest: &str) -> (&str, Option<JobId>) {
    match rest.rsplit_once('-') {
        Some((stem, id)) if !stem.is_empty() => match JobId::minted(id) {
            Some(id) => (stem, Some(id)),
            None => (rest, None),
        },
        _ => (rest, None),
    }
}

/// Returns the name of a prompt that a person drops: `<stem>.prompt.md`.
#[must_use]
pub fn dropped_name(stem: &str) -> String {
    name(stem, None, WAITING)
}

/// Returns the name of a prompt that waits: `<stem>-<id>.prompt.md`.
///
/// A stem that is too long is cut, here and in the other builders, so that every name fits [`MAX_NAME_BYTES`].
#[must_use]
pub fn waiting_name(stem: &str, id: &JobId) -> String {
    name(stem, Some(id), WAITING)
}

/// Returns the name of a claimed prompt: `<stem>-<id>.running.md`.
#[must_use]
pub fn running_name(stem: &str, id: &JobId) -> String {
    name(stem, Some(id), RUNNING)
}

/// Returns the name of a prompt that is over: `<stem>.done.md`, or `<stem>-<id>.done.md` where that file exists.
#[must_use]
pub fn finished_name(stem: &str, ending: FinishedSuffix, id: Option<&JobId>) -> String {
    name(stem, id, ending.suffix())
}

fn name(stem: &str, id: Option<&JobId>, ending: &str) -> String {
    let id = id.map(|id| format!("-{id}")).unwrap_or_default();
    let stem_bytes = MAX_NAME_BYTES - id.len() - LONGEST_ENDING_BYTES;
    let stem = &stem[..stem.floor_char_boundary(stem_bytes)];
    format!("{stem}{id}{ending}")
}

/// A file name that was asked for and that no prompt may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFileName {
    /// Nothing is left of it without its ending.
    #[error("Filename cannot be empty.")]
    Empty,
    /// It is a path.
    #[error("Filename must not contain directory segments.")]
    Directory,
    /// It has another ending.
    #[error("Filename must end with '.md'.")]
    NotMarkdown,
    /// It has a character that is not shown, or that changes how others are shown.
    #[error("Filename must not contain control characters.")]
    Control,
    /// It has more characters than the disk takes bytes.
    #[error(
        "Filename is too long: it has {0} characters before its ending, and {MAX_STEM_BYTES} are allowed, since the job's id is added."
    )]
    TooLong(usize),
    /// The intake ignores such names.
    #[error("Filename must not begin with a dot: hidden files are never run.")]
    Hidden,
    /// The intake ignores such names.
    #[error("Filename must not look like a conflict copy: such files are never run.")]
    Conflict,
}

/// Returns the stem that a prompt gets which is submitted under `file_name`: `demo` for `demo.md` and `demo.prompt.md`, and
/// for ` Demo.PROMPT.MD ` too, but for its case: blanks around a name are dropped, and endings count in any case.
/// One of letters that take several bytes is cut to [`MAX_STEM_BYTES`].
///
/// The description of the API has a pattern of the names that are taken, in `NewJob`.
///
/// # Errors
/// [`InvalidFileName`] when the name is empty, a path, not Markdown, too long, has control characters, or is one that
/// the intake ignores: a file named after the returned stem is always a prompt that waits.
pub fn stem_of(file_name: &str) -> Result<&str, InvalidFileName> {
    let file_name = file_name.trim();
    if file_name.is_empty() {
        return Err(InvalidFileName::Empty);
    }
    if file_name.contains(['/', '\\']) || file_name == "." || file_name == ".." {
        return Err(InvalidFileName::Directory);
    }
    let without_md = strip_ending(file_name, ".md").ok_or(InvalidFileName::NotMarkdown)?;
    let stem = strip_ending(file_name, WAITING).unwrap_or(without_md);
    if stem.trim().is_empty() {
        Err(InvalidFileName::Empty)
    } else if stem.chars().any(|c| c.is_control() || changes_direction(c)) {
        Err(InvalidFileName::Control)
    } else if stem.chars().nth(MAX_STEM_BYTES).is_some() {
        Err(InvalidFileName::TooLong(stem.chars().count()))
    } else if stem.starts_with('.') {
        Err(InvalidFileName::Hidden)
    } else if is_conflict_copy(stem) {
        Err(InvalidFileName::Conflict)
    } else {
        Ok(&stem[..stem.floor_char_boundary(MAX_STEM_BYTES)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

    fn id() -> Option<JobId> {
        JobId::minted(ID)
    }

    #[test]
    fn prompts_are_recognized_by_their_suffix() {
        fn check(name: &str, expected: &NameKind<'_>) {
            assert_eq!(&classify(name), expected, "{name:?}");
        }
        check("demo.prompt.md", &NameKind::Waiting { stem: "demo", id: None });
        check("a b é.prompt.md", &NameKind::Waiting { stem: "a b é", id: None });
        check("a.sync-conflict.prompt.md", &NameKind::Waiting { stem: "a.sync-conflict", id: None });
        let stem = "a.sync-conflict";
        check(&waiting_name(stem, &id().unwrap()), &NameKind::Waiting { stem, id: id() });
        check("a.prompt.MD", &NameKind::Waiting { stem: "a", id: None });
        check("A.PROMPT.md", &NameKind::Waiting { stem: "A", id: None });
        check("a.Running.Md", &NameKind::Running { stem: "a", id: None });
        check("é.prompt.mD", &NameKind::Waiting { stem: "é", id: None });
        check("#1.prompt.md", &NameKind::Waiting { stem: "#1", id: None });
        check("demo-short.prompt.md", &NameKind::Waiting { stem: "demo-short", id: None });
        check("demo-x.running.md", &NameKind::Running { stem: "demo-x", id: None });
        let with_id = |stem, ending| format!("{stem}-{ID}{ending}");
        check(&with_id("demo", ".prompt.md"), &NameKind::Waiting { stem: "demo", id: id() });
        check(&with_id("a-b", ".running.md"), &NameKind::Running { stem: "a-b", id: id() });
        let no_stem = with_id("", "");
        check(&with_id("", ".prompt.md"), &NameKind::Waiting { stem: &no_stem, id: None });
        check(&format!("{ID}.prompt.md"), &NameKind::Waiting { stem: ID, id: None });
        let upper = with_id("demo", "").replace("f5c2", "F5C2");
        check(&format!("{upper}.prompt.md"), &NameKind::Waiting { stem: &upper, id: None });
    }

    #[test]
    fn a_prompt_keeps_its_stem_through_its_life() {
        let id = id().unwrap();
        assert_eq!(waiting_name("demo", &id), format!("demo-{ID}.prompt.md"));
        assert_eq!(running_name("demo", &id), format!("demo-{ID}.running.md"));
        assert_eq!(finished_name("demo", FinishedSuffix::Done, None), "demo.done.md");
        assert_eq!(finished_name("demo", FinishedSuffix::Error, Some(&id)), format!("demo-{ID}.error.md"));
        assert_eq!(finished_name("demo", FinishedSuffix::Aborted, None), "demo.aborted.md");
        let ending = |state: JobState| FinishedSuffix::of(state).map(FinishedSuffix::suffix);
        let expected = [None, None, Some(".done.md"), Some(".error.md"), Some(".aborted.md")];
        assert_eq!(JobState::ALL.map(ending), expected);
    }

    #[test]
    fn every_name_fits_the_disk() {
        let id = id().unwrap();
        for stem in ["x".repeat(300), "é".repeat(150), "x".repeat(MAX_STEM_BYTES)] {
            let name = running_name(&stem, &id);
            assert!(name.len() <= MAX_NAME_BYTES, "{}", name.len());
            assert!(matches!(classify(&name), NameKind::Running { id: Some(_), .. }));
        }
        assert_eq!(running_name(&"x".repeat(MAX_STEM_BYTES), &id).len(), MAX_NAME_BYTES);
    }

    #[test]
    fn a_submitted_name_gives_its_stem() {
        let check = |name: &str, stem| assert_eq!(stem_of(name), Ok(stem), "{name:?}");
        check("demo.prompt.md", "demo");
        check("demo.md", "demo");
        check("demo.running.md", "demo.running");
        check("my notes.v2.md", "my notes.v2");
        check("-rf.md", "-rf");
        check("日本.md", "日本");
        check("Demo.MD", "Demo");
        check("demo.PROMPT.Md", "demo");
        check("  demo.md\t", "demo");
        check("\u{a0}demo.prompt.md\r\n", "demo");
        let longest = "x".repeat(MAX_STEM_BYTES);
        check(&format!("{longest}.prompt.md"), &longest);
        let cut = "日".repeat(MAX_STEM_BYTES / 3);
        check(&format!("{}.md", "日".repeat(MAX_STEM_BYTES)), &cut);
        // Names that a hand-dropped prompt may have too: an id and `.prompt.md` follow them.
        for name in ["#x#", "a~", "a.swp", "a.part"] {
            check(&format!("{name}.md"), name);
        }
    }

    #[test]
    fn refusals_use_the_promised_sentences() {
        let check = |name: &str, expected: &str| {
            let shown = stem_of(name).unwrap_err().to_string();
            assert!(shown.starts_with(expected), "{name:?} gave: {shown}");
        };
        for path in ["a/b.md", "/etc/passwd.md", "../a.md", "a\\b.md", "..", "."] {
            check(path, "Filename must not contain directory segments.");
        }
        for other in ["a.txt", "a", "a.md x", "md"] {
            check(other, "Filename must end with '.md'.");
        }
        for empty in ["", " ", ".md", ".prompt.md", "  .md"] {
            check(empty, "Filename cannot be empty.");
        }
        for control in ["a\n.md", "a\0.md", "\u{1b}[2J.md", "a\u{7f}.md", "a\u{202e}dm.md"] {
            check(control, "Filename must not contain control characters.");
        }
        check(
            &format!("{}.md", "x".repeat(MAX_STEM_BYTES + 1)),
            "Filename is too long: it has 212 characters before its ending, and 211",
        );
        check(".hidden.md", "Filename must not begin with a dot");
        check("a.sync-conflict-x.md", "Filename must not look like a conflict copy");
    }
}
