//! Settings as `git config` lists them, with whence they come.

/// A setting as it is written down.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whence it comes: `system`, `global`, `local`, `worktree` or `command`.
    pub(super) scope: String,
    /// Its section and key in small letters, the name of a subsection as it is.
    pub(super) key: String,
    pub(super) value: String,
}

/// Reads what `git config --null --show-scope` prints: a scope, then a key, and after a line's end its value, which a key
/// may not have.
pub(super) fn entries(printed: &[u8]) -> Vec<Entry> {
    let printed = String::from_utf8_lossy(printed);
    let parts: Vec<&str> = printed.split_terminator('\0').collect();
    let entry = |parts: &[&str]| {
        let (key, value) = parts[1].split_once('\n').unwrap_or((parts[1], ""));
        Entry { scope: parts[0].to_owned(), key: key.to_owned(), value: value.to_owned() }
    };
    parts.chunks_exact(2).map(entry).collect()
}

/// Returns the first value of a key that may have several; an empty one forgets those before it.
pub(super) fn first_of<'a>(written: &'a [Entry], key: &str) -> Option<&'a str> {
    let values = written.iter().filter(|entry| entry.key == key).map(|entry| entry.value.as_str());
    values.fold(None, |first, value| if value.is_empty() { None } else { first.or(Some(value)) })
}

/// Returns the value of a key that has one: the last.
pub(super) fn last<'a>(written: &'a [Entry], key: &str) -> Option<&'a str> {
    written.iter().rev().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_a_key_may_have_several_values_none_or_one_that_forgets_those_before() {
        let written = entries(
            b"local\0remote.o.url\nold\0local\0remote.o.url\n\0local\0remote.o.url\ngh:o/r\0global\0remote.x.pushurl\nx\0\
              worktree\0remote.o.no\0local\0remote.o.url\ny\nz\0",
        );
        assert_eq!((written.len(), written[4].value.as_str(), written[3].scope.as_str()), (6, "", "global"));
        assert_eq!(first_of(&written, "remote.o.url"), Some("gh:o/r"));
        assert_eq!((last(&written, "remote.o.url"), last(&written, "remote.o.none")), (Some("y\nz"), None));
    }
}
