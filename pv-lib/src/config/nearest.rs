//! The known name that is nearest to a mistyped one.

use strsim::levenshtein;

/// Returns the candidate that is nearest to `name`, if any is near enough to be meant.
///
/// Near is up to half of the name's characters to change, at most three. A name that is the last part of a dotted
/// candidate (`max_concurrent` for `watcher.max_concurrent`) is as near as the part itself.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = shortened(name);
    let leaf = |path: &'a str| path.rsplit('.').next().unwrap_or(path);
    let own_leaf = name.rsplit('.').next().unwrap_or(name);
    let rated = candidates.into_iter().map(|candidate| {
        let whole = levenshtein(name, candidate);
        // Another section is one more thing to change.
        (whole.min(levenshtein(own_leaf, leaf(candidate)) + 1), whole, candidate)
    });
    let (changes, _, candidate) = rated.min()?;
    (changes <= (own_leaf.chars().count() / 2).clamp(1, 3)).then_some(candidate)
}

/// Returns as much of a name as is compared: a longer one is no slip of the keyboard.
fn shortened(name: &str) -> &str {
    const COMPARED_CHARS: usize = 100;
    name.char_indices().nth(COMPARED_CHARS).map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["pv_root", "inbox", "inbox_mode", "watcher.max_concurrent", "watcher.settle_seconds"];

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(nearest(name, KNOWN), expected, "{name}");
    }

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        check("inbx", Some("inbox"));
        check("inbox-mode", Some("inbox_mode"));
        check("pvroot", Some("pv_root"));
        check("watcher.max_concurent", Some("watcher.max_concurrent"));
        check("max_concurrent", Some("watcher.max_concurrent"));
        check("wacher.settle_seconds", Some("watcher.settle_seconds"));
        check("something_else", None);
        check("x", None);
    }
}
