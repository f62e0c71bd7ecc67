//! Tags of a mirror that its remote has moved or has no longer: git brings new ones with a branch, and keeps those that
//! are there as they are.

use std::collections::HashSet;

use camino::Utf8Path;

use super::{
    failure::GitFailure,
    refs::{PACKED_REFS_BYTES_MAX, refs_below},
    runner::Runner,
};

/// How many tags one call of git is given.
const TAGS_AT_ONCE: usize = 200;

/// Where tags are.
pub(super) const TAGS: &str = "refs/tags/";

/// Removes the tags of a mirror that its remote has not, or has at another object: the next fetch brings those of them that
/// belong to its branch. Without a tag in the mirror nobody is asked.
///
/// `mirror` is what a call that writes to the one `at` that path begins with, `settings` what git is given for `address`, the
/// remote's.
///
/// # Errors
/// What git says.
pub(super) fn remove_outdated_tags(
    git: &mut Runner<'_>,
    at: &Utf8Path,
    mirror: &[&str],
    settings: &[&str],
    address: &str,
) -> Result<(), GitFailure> {
    let ours = tags_of(git, mirror, at)?;
    if ours.is_empty() {
        return Ok(());
    }
    let theirs = git.remote_tags(settings, address)?;
    for some in outdated(&ours, &theirs).chunks(TAGS_AT_ONCE) {
        git.run(&[mirror, &["tag", "--delete", "--"], some].concat())?;
    }
    Ok(())
}

/// Lists the tags of a mirror, a line of object, tab and reference for each.
fn tags_of(git: &mut Runner<'_>, mirror: &[&str], at: &Utf8Path) -> Result<Vec<u8>, GitFailure> {
    if let Some(tags) = refs_below(at, TAGS, PACKED_REFS_BYTES_MAX) {
        let line = |(name, object): (Vec<u8>, String)| [object.as_bytes(), b"\t", &name, b"\n"].concat();
        return Ok(tags.into_iter().flat_map(line).collect());
    }
    git.value(&[mirror, &["for-each-ref", "--format=%(objectname)%09%(refname)", TAGS]].concat())
}

/// Returns the names of those of our tags that the remote has not as they are, given a line of object, tab and reference
/// for each. One that is not UTF-8 stays.
fn outdated<'a>(ours: &'a [u8], theirs: &[u8]) -> Vec<&'a str> {
    let theirs: HashSet<&[u8]> = lines(theirs).collect();
    let gone = lines(ours).filter(|line| !theirs.contains(line));
    gone.filter_map(|line| str::from_utf8(line).ok()?.split_once('\t')?.1.strip_prefix(TAGS)).collect()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_a_tag_that_the_remote_has_not_as_it_is_here_is_outdated() {
        let check = |ours: &[u8], theirs: &[u8], expected: &[&str]| assert_eq!(outdated(ours, theirs), expected);
        check(b"", b"", &[]);
        check(b"a\trefs/tags/v1\n", b"a\trefs/tags/v1\n", &[]);
        check(b"a\trefs/tags/v1\nb\trefs/tags/v/2\n", b"c\trefs/tags/v1\n", &["v1", "v/2"]);
        check(b"a\trefs/tags/v1\nb\trefs/tags/v2\n", b"b\trefs/tags/v2\na\trefs/tags/other\n", &["v1"]);
        check(b"a\trefs/tags/\xff\na\trefs/tags/-x\n", b"", &["-x"]);
    }
}
