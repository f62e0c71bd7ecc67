//! Short ids: finding the one that is meant, and cutting them so that they stay unique.

use std::collections::HashMap;

/// The shortest that an id is cut to, in characters.
const SHORT_CHARS: usize = 12;

/// Returns the id that is `prefix`, or the only one that begins with it.
///
/// # Errors
/// Why there is none: no id begins with it, or several do.
pub(super) fn resolve(ids: &[String], prefix: &str) -> pv_lib::Result<String> {
    if ids.iter().any(|id| id == prefix) {
        return Ok(prefix.to_owned());
    }
    let mut found = ids.iter().filter(|id| !prefix.is_empty() && id.starts_with(prefix));
    match (found.next(), found.count()) {
        (None, _) => Err(pv_lib::Error::JobPrefixNotFound(prefix.chars().take(80).collect())),
        (Some(id), 0) => Ok(id.clone()),
        (Some(_), others) => Err(pv_lib::Error::AmbiguousId { prefix: prefix.to_owned(), count: others + 1 }),
    }
}

/// Returns the short form of each id: 12 characters, or as many more as make it the only one that begins so.
pub(crate) fn short_ids(mut ids: Vec<String>) -> HashMap<String, String> {
    ids.sort();
    ids.dedup();
    let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let shared = |at: usize| {
        let id = &ids[at];
        let before = at.checked_sub(1).map_or(0, |before| common(&ids[before], id));
        before.max(ids.get(at + 1).map_or(0, |after| common(after, id)))
    };
    // Ids are ASCII, so that every byte is a character.
    let short = |at: usize| ids[at].get(..(shared(at) + 1).max(SHORT_CHARS)).unwrap_or(&ids[at]).to_owned();
    (0..ids.len()).map(|at| (ids[at].clone(), short(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[&str]) -> Vec<String> {
        of.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_short_id_means_one_job() {
        let all = ids(&["0190f5c2a7b97c31", "0190f5c2a7b97d00", "0290f5c2a7b97c31", "20251205-1216-32", "short"]);
        let short = short_ids(all.clone());
        assert_eq!(short["0190f5c2a7b97c31"], "0190f5c2a7b97c");
        assert_eq!(short["0290f5c2a7b97c31"], "0290f5c2a7b9");
        assert_eq!(short["short"], "short");
        for (id, short) in short {
            assert_eq!(resolve(&all, &short).unwrap(), id);
        }
    }

    #[test]
    fn a_prefix_means_one_job_or_says_why_not() {
        let all = ids(&["ab", "abc", "abd"]);
        assert_eq!(resolve(&all, "ab").unwrap(), "ab");
        assert_eq!(resolve(&all, "abc").unwrap(), "abc");
        assert!(matches!(resolve(&all, "a"), Err(pv_lib::Error::AmbiguousId { count: 3, .. })));
        for prefix in ["x", ""] {
            assert!(matches!(resolve(&all, prefix), Err(pv_lib::Error::JobPrefixNotFound(_))), "{prefix:?}");
        }
    }
}
