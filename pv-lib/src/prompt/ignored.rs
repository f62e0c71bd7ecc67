//! Files of the inbox that are no prompts by their names: why, and what is said of them.

use std::{fmt, time::Duration};

use super::endings::{WAITING, without_any};

/// Why a file in the inbox is no prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IgnoreReason {
    /// Its name begins with a dot.
    Hidden,
    /// It is a temporary or backup copy of an editor, or the beginning of a transfer.
    Temporary,
    /// It is a conflict copy of a synchronizer.
    Conflict,
    /// It is the prompt of a job that is over.
    Over,
    /// It is Markdown of another kind.
    OtherMarkdown,
    /// It is something else.
    NotMarkdown,
}

/// What is said of a file that is no prompt by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameNotice {
    /// What is wrong.
    pub why: String,
    /// What a person can do about it.
    pub remedy: String,
    /// How long the file must have been as it is: some go again by themselves.
    pub after: Duration,
}

/// How long a file must be there until it is named: whoever writes under a name that is not the last one renames at once.
const SETTLED: Duration = Duration::from_secs(2);

/// After how long a transfer counts as cut off.
const CUT_OFF: Duration = Duration::from_secs(3600);

/// What conflict copies of synchronizers have in their names: Syncthing's, and those of Nextcloud, Dropbox and others.
const CONFLICTS: [&str; 3] = [".sync-conflict-", "conflicted copy", "_conflict-"];

/// What the names of editors' copies end with.
const EDITORS: [&str; 4] = [".swp", ".swo", ".swx", "~"];

/// What names end with while a file is being transferred.
const TRANSFERS: [&str; 10] = [
    ".part",
    ".partial",
    ".filepart",
    ".tmp",
    ".temp",
    ".crdownload",
    ".download",
    ".opdownload",
    ".upload",
    ".uploading",
];

/// What hidden files begin with that belong to a system, and stay for ever.
const SYSTEM_BEGINNINGS: [&str; 5] = ["._", ".#", ".~", ".nfs", ".fuse_hidden"];

/// Files that systems put into every folder.
const SYSTEM_FILES: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];

/// How the names of prompts end that are over.
const OVER: [&str; 3] = [".done.md", ".error.md", ".aborted.md"];

/// How the names of Markdown files end.
const MARKDOWN: [&str; 4] = [".md", ".markdown", ".mdown", ".mkd"];

/// Other endings that are left away when a text is to become a prompt.
const OTHER_ENDINGS: [&str; 4] = [".txt", ".text", ".prompt", ".running"];

/// Returns why a name that is neither hidden nor that of a prompt is no prompt.
pub(super) fn ignore_reason(name: &str) -> IgnoreReason {
    let lower = name.to_ascii_lowercase();
    if CONFLICTS.iter().any(|part| lower.contains(part)) {
        IgnoreReason::Conflict
    } else if is_temporary(name) {
        IgnoreReason::Temporary
    } else if without_any(name, &OVER).is_some() {
        IgnoreReason::Over
    } else if without_any(name, &MARKDOWN).is_some() {
        IgnoreReason::OtherMarkdown
    } else {
        IgnoreReason::NotMarkdown
    }
}

/// Tells whether a prompt of this stem is a conflict copy. Others than Syncthing put their words before the last dot, so
/// that the name is no prompt's any more.
pub(super) fn is_conflict_copy(stem: &str) -> bool {
    stem.contains(CONFLICTS[0])
}

/// Tells whether editors or programs that transfer files give such a name to what will go again.
fn is_temporary(name: &str) -> bool {
    [".swp", ".part", "~"].iter().any(|ending| name.ends_with(ending))
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
}

/// Returns what is said of a file in the inbox that is no prompt by its name; `None` where that is nothing: what editors
/// and systems leave beside the files of people is no mistake of theirs.
#[must_use]
pub fn name_notice(name: &str, reason: IgnoreReason) -> Option<NameNotice> {
    let lower = name.to_ascii_lowercase();
    let is_of_editor = without_any(name, &EDITORS).is_some() || (name.starts_with('#') && name.ends_with('#'));
    let is_of_system = SYSTEM_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning));
    if is_of_editor || is_of_system || SYSTEM_FILES.contains(&&*lower) {
        return None;
    }
    let is_cut_off =
        without_any(name, &TRANSFERS).is_some() || (name.starts_with('.') && lower.contains(".prompt.md."));
    let rename = suggestion(name).map_or_else(
        || "move it out of the inbox: the name of a prompt ends with `.prompt.md`".to_owned(),
        |suggestion| format!("rename it to `{suggestion}` to run it, or move it out of the inbox"),
    );
    let (remedy, after) = match reason {
        IgnoreReason::Hidden if !lower.contains(WAITING) && !is_only_an_ending(name) => return None,
        _ if is_cut_off => {
            let whole = suggestion(name).unwrap_or_else(|| "a name that ends with `.prompt.md`".to_owned());
            let why = "it looks like the beginning of a file whose transfer was cut off".to_owned();
            let remedy = format!("transfer it again and remove this one, or rename it to `{whole}` if it is whole");
            return Some(NameNotice { why, remedy, after: CUT_OFF });
        }
        IgnoreReason::Hidden => (rename, CUT_OFF),
        IgnoreReason::Conflict => {
            let remedy = "compare it with the other one: remove one of them, or give it a name of its own that ends with \
                          `.prompt.md`";
            (remedy.to_owned(), SETTLED)
        }
        IgnoreReason::Over => (rename.replace("to run it,", "to run it again,"), SETTLED),
        IgnoreReason::Temporary | IgnoreReason::OtherMarkdown | IgnoreReason::NotMarkdown => (rename, SETTLED),
    };
    let has_blank_end = name.trim_end() != name;
    let why = if has_blank_end { "its name ends with a blank".to_owned() } else { reason.to_string() };
    Some(NameNotice { why, remedy, after })
}

/// Tells whether nothing comes before the ending of a text, as in `.md`.
fn is_only_an_ending(name: &str) -> bool {
    [&MARKDOWN[..], &OTHER_ENDINGS, &[WAITING]].concat().iter().any(|ending| name.eq_ignore_ascii_case(ending))
}

/// Returns the name under which a file would be a prompt, where it may well be a text.
fn suggestion(name: &str) -> Option<String> {
    if is_only_an_ending(name) {
        return None;
    }
    let visible = name.trim().trim_start_matches('.');
    let stem = match visible.to_ascii_lowercase().find(WAITING) {
        Some(at) => &visible[..at],
        None => {
            let mut stem = visible;
            let endings = [&OVER[..], &MARKDOWN, &OTHER_ENDINGS, &TRANSFERS].concat();
            while let Some(shorter) = without_any(stem, &endings) {
                stem = shorter.trim_end();
            }
            stem
        }
    };
    // Another ending says that it is no text.
    let has_ending = stem.len() == visible.len() && stem.contains('.');
    (!stem.is_empty() && !has_ending && !stem.starts_with('.')).then(|| format!("{stem}{WAITING}"))
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "its name begins with a dot",
            Self::Temporary => "its name is that of a temporary copy",
            Self::Conflict => "it is a conflict copy of a synchronizer",
            Self::Over => "its name says that its job is over",
            Self::OtherMarkdown => "its name does not end with `.prompt.md`",
            Self::NotMarkdown => "its name does not end with `.prompt.md`, and it is not Markdown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{NameKind, classify};

    #[test]
    fn g13_other_names_are_ignored() {
        let check = |name: &str, reason| assert_eq!(classify(name), NameKind::Ignored(reason), "{name:?}");
        for hidden in [
            ".a.prompt.md",
            ".prompt.md",
            ".syncthing.a.prompt.md.tmp",
            ".#a.prompt.md",
            ".nfs0001",
            ".config",
            ".a.prompt.md.swp",
        ] {
            check(hidden, IgnoreReason::Hidden);
        }
        for copy in ["a.prompt.md~", "#a.prompt.md#", "a.prompt.md.swp", "a.prompt.md.part", "#a#"] {
            check(copy, IgnoreReason::Temporary);
        }
        for conflict in [
            "a.sync-conflict-20260131-120000-ABC.prompt.md",
            "a.prompt.sync-conflict-1.md",
            "a.prompt (conflicted copy 2026-01-31 120000).md",
            "a.prompt (Bob's conflicted copy 2026-01-31).md",
            "a.prompt_conflict-20260131-120000.md",
        ] {
            check(conflict, IgnoreReason::Conflict);
        }
        for over in ["a.done.md", "a.error.md", "a.ABORTED.MD"] {
            check(over, IgnoreReason::Over);
        }
        for notes in ["README.md", "prompt.md", "a.Markdown", "a.prompt.md.md"] {
            check(notes, IgnoreReason::OtherMarkdown);
        }
        for other in ["", "a", "a.prompt.md ", "a.prompt.txt", "#", "a.promptmd"] {
            check(other, IgnoreReason::NotMarkdown);
        }
    }

    fn notice(name: &str) -> Option<NameNotice> {
        match classify(name) {
            NameKind::Ignored(reason) => name_notice(name, reason),
            NameKind::Waiting { .. } | NameKind::Running { .. } => panic!("{name} is a prompt"),
        }
    }

    #[test]
    fn c26_a_name_that_is_no_prompts_is_told_the_name_that_would_be() {
        for (name, why, renamed) in [
            ("task.md", "does not end with `.prompt.md`", "task.prompt.md"),
            ("README.MD", "does not end with `.prompt.md`", "README.prompt.md"),
            ("task.txt", "not Markdown", "task.prompt.md"),
            ("task", "not Markdown", "task.prompt.md"),
            ("task.prompt", "not Markdown", "task.prompt.md"),
            ("task.prompt.txt", "not Markdown", "task.prompt.md"),
            ("task.prompt.md.txt", "not Markdown", "task.prompt.md"),
            ("task.prompt.markdown", "does not end with", "task.prompt.md"),
            ("task.prompt.md ", "ends with a blank", "task.prompt.md"),
            (" task .md", "does not end with", "task.prompt.md"),
            ("v1.2.md", "does not end with", "v1.2.prompt.md"),
            ("日本.txt", "not Markdown", "日本.prompt.md"),
        ] {
            let found = notice(name).unwrap_or_else(|| panic!("{name} is named"));
            assert!(found.why.contains(why), "{name}: {found:?}");
            let expected = format!("rename it to `{renamed}` to run it, or move it out of the inbox");
            assert_eq!((found.remedy, found.after), (expected, SETTLED), "{name}");
            assert!(matches!(classify(renamed), NameKind::Waiting { .. }), "{renamed}");
        }
        let again = notice("task.error.md").unwrap();
        assert!(again.why.contains("over") && again.remedy.contains("`task.prompt.md` to run it again"), "{again:?}");
        let conflict = notice("task.sync-conflict-20260131-120000-ABC.prompt.md").unwrap();
        assert!(conflict.why.contains("conflict") && conflict.remedy.contains("compare"), "{conflict:?}");
        for other in ["photo.png", "backup.tar.gz", ""] {
            let moved = name_notice(other, IgnoreReason::NotMarkdown).unwrap();
            assert!(moved.remedy.starts_with("move it out"), "{other}: {moved:?}");
        }
    }

    #[test]
    fn c26_what_goes_by_itself_is_named_when_it_stays_and_what_systems_leave_is_not() {
        for (name, renamed) in [
            ("task.prompt.md.part", "task.prompt.md"),
            ("task.prompt.md.TMP", "task.prompt.md"),
            ("task.md.crdownload", "task.prompt.md"),
            ("task.filepart", "task.prompt.md"),
            (".task.prompt.md.Ab3dEf", "task.prompt.md"),
            (".syncthing.task.prompt.md.tmp", "syncthing.task.prompt.md"),
        ] {
            let found = notice(name).unwrap_or_else(|| panic!("{name} is named"));
            assert!(
                found.why.contains("cut off") && found.remedy.contains(&format!("`{renamed}`")),
                "{name}: {found:?}"
            );
            assert_eq!(found.after, CUT_OFF, "{name}");
        }
        let hidden = notice(".task.PROMPT.md").unwrap();
        assert!(hidden.why.contains("dot") && hidden.remedy.contains("`task.prompt.md`"), "{hidden:?}");
        for only in [".prompt.md", ".md", ".Prompt"] {
            let found = notice(only).unwrap();
            assert!(found.after == CUT_OFF && found.remedy.starts_with("move it out"), "{only}: {found:?}");
        }
        for noise in [
            "task.prompt.md~",
            "#task.prompt.md#",
            "task.prompt.md.swp",
            ".task.prompt.md.swp",
            ".task.prompt.md.swo",
            ".#task.prompt.md",
            "._task.prompt.md",
            ".~lock.task.prompt.md#",
            ".nfs000000000001",
            crate::layout::BRANCH_MARKER,
            ".DS_Store",
            ".gitignore",
            "Thumbs.db",
            "desktop.ini",
        ] {
            assert_eq!(notice(noise), None, "{noise}");
        }
    }
}
