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

/// Returns the short form of each of the ids that are shown: 12 characters, or as many more as make it the only one of all
/// that begins so.
pub(crate) fn short_ids<'a>(mut all: Vec<String>, shown: impl Iterator<Item = &'a str>) -> HashMap<&'a str, &'a str> {
    all.sort_unstable();
    let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    // What an id has in common with those beside it, which is the most.
    let shared = |id: &str| {
        let before = all.partition_point(|other| other.as_str() < id);
        let after = all.partition_point(|other| other.as_str() <= id);
        let neighbours = [before.checked_sub(1), Some(after)].into_iter().flatten();
        neighbours.filter_map(|at| all.get(at)).map(|other| common(other, id)).max().unwrap_or(0)
    };
    // Ids are ASCII, so that every byte is a character.
    shown.map(|id| (id, id.get(..(shared(id) + 1).max(SHORT_CHARS)).unwrap_or(id))).collect()
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
        let short = short_ids(all.clone(), all.iter().map(String::as_str));
        assert_eq!(short["0190f5c2a7b97c31"], "0190f5c2a7b97c");
        assert_eq!(short["0290f5c2a7b97c31"], "0290f5c2a7b9");
        assert_eq!(short["short"], "short");
        for (id, short) in short {
            assert_eq!(resolve(&all, short).unwrap(), id);
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
