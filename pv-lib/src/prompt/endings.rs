//! How the names of prompts end, and reading endings in any letter case.

/// How the name of a prompt ends that waits.
pub(super) const WAITING: &str = ".prompt.md";

/// How the name of a prompt ends that is claimed.
pub(super) const RUNNING: &str = ".running.md";

/// Returns a name without its ending, which counts in any letter case: people and file systems change it.
pub(super) fn strip_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(stem)
}

/// Returns a name without the first of these endings that it has.
pub(super) fn without_any<'a>(name: &'a str, endings: &[&str]) -> Option<&'a str> {
    endings.iter().find_map(|ending| strip_ending(name, ending))
}
