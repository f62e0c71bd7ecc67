//! Short ids: finding the one that is meant, and cutting them so that they stay unique.

use std::collections::{BTreeSet, HashMap};

use pv_lib::job::JobId;

/// The shortest that an id is cut to, in characters.
const SHORT_CHARS: usize = 12;

/// Returns the id that is `prefix`, or the only one that begins with it.
///
/// # Errors
/// Why there is none: no id begins with it, or several do.
pub(super) fn resolve(ids: &[JobId], prefix: &str) -> pv_lib::Result<String> {
    if ids.iter().any(|id| id.as_str() == prefix) {
        return Ok(prefix.to_owned());
    }
    let mut found = ids.iter().filter(|id| !prefix.is_empty() && id.as_str().starts_with(prefix));
    match (found.next(), found.count()) {
        (None, _) => Err(pv_lib::Error::JobPrefixNotFound(prefix.chars().take(80).collect())),
        (Some(id), 0) => Ok(id.to_string()),
        (Some(_), others) => Err(pv_lib::Error::AmbiguousId { prefix: prefix.to_owned(), count: others + 1 }),
    }
}

/// Returns the short form of each of the ids that are shown: 12 characters, or as many more as make it the only one of all
/// that begins so.
pub(crate) fn short_ids<'a>(all: &[JobId], shown: impl Iterator<Item = &'a str>) -> HashMap<&'a str, &'a str> {
    let ids: BTreeSet<&str> = shown.collect();
    // Those that are shown, sorted, each with how many characters it has in common with any other.
    let mut shown: Vec<(&str, usize)> = ids.iter().map(|id| (*id, 0)).collect();
    for other in all.iter().map(JobId::as_str).chain(ids) {
        // With none has an id more in common than with one that is beside it in the order of all.
        let after = shown.partition_point(|(id, _)| *id < other);
        let is_shown = shown.get(after).is_some_and(|(id, _)| *id == other);
        for beside in [after.checked_sub(1), Some(after + usize::from(is_shown))].into_iter().flatten() {
            if let Some((id, shared)) = shown.get_mut(beside) {
                *shared = common(id, other).max(*shared);
            }
        }
    }
    // Ids are ASCII, so that every byte is a character.
    shown.into_iter().map(|(id, shared)| (id, id.get(..(shared + 1).max(SHORT_CHARS)).unwrap_or(id))).collect()
}

/// Returns how many bytes both begin with.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[&str]) -> Vec<JobId> {
        of.iter().map(|id| id.parse().unwrap()).collect()
    }

    #[test]
    fn a_short_id_means_one_job() {
        let all = ids(&["0190f5c2a7b97c31", "0190f5c2a7b97d00", "0290f5c2a7b97c31", "20251205-1216-32", "short"]);
        let short = short_ids(&all, all.iter().map(JobId::as_str));
        assert_eq!(short["0190f5c2a7b97c31"], "0190f5c2a7b97c");
        assert_eq!(short["0290f5c2a7b97c31"], "0290f5c2a7b9");
        assert_eq!(short["short"], "short");
        assert_eq!(
            short_ids(&all, [all[1].as_str()].into_iter()),
            HashMap::from([(all[1].as_str(), "0190f5c2a7b97d")])
        );
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
