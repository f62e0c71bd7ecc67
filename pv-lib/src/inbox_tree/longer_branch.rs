//! Which branch a prompt in a folder below a branch folder may be meant for.

use camino::Utf8Path;

/// Returns the longest of `branches` whose folder would hold a prompt that lies in the folder `below`, below that of
/// `branch`; `None` where no branch is longer: then it is for `branch`.
///
/// A repository cannot have both `feature` and `feature/x`, so that such a prompt could not run for `branch`.
#[must_use]
pub fn longer_branch<'a>(branches: &'a [String], branch: &str, below: &Utf8Path) -> Option<&'a str> {
    let mut longer = below.ancestors().filter(|part| !part.as_str().is_empty()).map(|part| format!("{branch}/{part}"));
    longer.find_map(|name| branches.iter().find(|known| **known == name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c26_a_longer_branch_is_one_that_the_folders_spell() {
        let branches = ["main", "feature/x", "feature/x/y", "fix", "fix/1.2"].map(str::to_owned);
        for (branch, below, expected) in [
            ("main", "sub", None),
            ("main", "", None),
            ("feature", "x", Some("feature/x")),
            ("feature", "x/notes", Some("feature/x")),
            ("feature", "x/y/z", Some("feature/x/y")),
            ("feature", "xy", None),
            ("feature/x", "notes", None),
            ("feature/x", "y", Some("feature/x/y")),
            ("fix", "1.2/deep/er", Some("fix/1.2")),
            ("fix", "1", None),
        ] {
            assert_eq!(longer_branch(&branches, branch, below.into()), expected, "{branch} {below}");
        }
        assert_eq!(longer_branch(&[], "feature", "x".into()), None, "a repository without a clone");
    }
}
